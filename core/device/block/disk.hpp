// A disk as who uses it finds it: a block device with a name, a count of who uses it, and figures
// of what was asked of it. Itself a device, which passes requests on as they are.
//
// The figures are kept by processor, each under a lock of its own that nobody else wants; who shows
// them adds up.
#pragma once

#include "core/device/block/partition.hpp"
#include "core/device/block/queue.hpp"
#include "core/device/ring/awaited.hpp"
#include "core/processor/processor.hpp"

#include <optional>

namespace twofold::block {

/// What is told apart in figures. Zeros that are written and what is deallocated are one.
enum class DiskAction : u8 { read, write, flush, discard };
inline constexpr usize disk_actions = 4;
constexpr DiskAction action_of(Operation operation) {
    switch (operation) {
    case Operation::read:
        return DiskAction::read;
    case Operation::write:
        return DiskAction::write;
    case Operation::flush:
        return DiskAction::flush;
    default:
        return DiskAction::discard;
    }
}
std::string_view action_name(DiskAction action);

/// What was done, of one action.
struct ActionFigures {
    u64 done = 0; ///< failed ones too
    u64 errors = 0;
    u64 sectors = 0;              ///< of what succeeded
    u64 latency_ns = 0;           ///< of all together
    processor::Histogram latency; ///< in ns, from `submit` to `done`
};

struct DiskFigures {
    ActionFigures of[disk_actions];
    u64 in_flight = 0;

    ActionFigures const& action(DiskAction action) const { return of[static_cast<usize>(action)]; }
    u64 errors() const;
};

class Disk final : public Device, public ListNode<> {
public:
    static constexpr usize name_max = 32;

    /// Over `device`, with a queue between; `name` fits. In memory of the heap. Context thread.
    /// Errors: out_of_memory.
    static Result<Disk*> open(memory::KernelHeap& heap, Completions& completions, Device& device);
    /// A part of `whole`, which outlives it. Errors: out_of_memory, no_space (the name is too
    /// long).
    static Result<Disk*>
    open_part(memory::KernelHeap& heap, Disk& whole, gpt::Partition const& partition);

    Geometry const& geometry() const override { return m_below->geometry(); }
    std::string_view name() const override { return m_name; }
    Result<void> submit(Request& request) override;
    void hold() override { m_below->hold(); }
    void release() override { m_below->release(); }
    u32 poll() override { return m_below->poll(); }
    Nanos poll_time() const override { return m_below->poll_time(); }
    void close() override;

    /// What it is made over: a driver's device, or, of a part, that part.
    Device& device() { return *m_device; }
    Disk* whole() { return m_whole; } ///< null: it is no part
    gpt::Partition const* partition() const { return m_partition ? &*m_partition : nullptr; }

    /// How long the device may take for a request that does not say; 0: as its driver thinks.
    void set_time_out(Nanos time_out) { m_time_out.store(time_out.value, relaxed); }
    Nanos time_out() const { return {m_time_out.load(relaxed)}; }

    /// The sum of all processors'; about 10 KiB, so in memory of the caller's. O(processors).
    void figures(DiskFigures& sum) const;
    QueueCounts queue_counts() const;
    void adopt_geometry();

private:
    friend class Disks; // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

    struct Shard {
        sync::SpinLock lock{sync::LockRank::device};
        ActionFigures of[disk_actions] GUARDED_BY(lock);
        Atomic<u64> begun{0};
    };

    Disk(memory::KernelHeap& heap, std::string_view name);
    ~Disk() = default;

    static Result<Disk*> make(memory::KernelHeap& heap, std::string_view name);
    static void finish(Request& request, Result<void> outcome);

    memory::KernelHeap& m_heap;
    FixedString<name_max> m_name;
    Device* m_device = nullptr;
    Device* m_below = nullptr; ///< where requests go: the queue, or the part
    Queue* m_queue = nullptr;
    Disk* m_whole = nullptr;
    std::optional<gpt::Partition> m_partition;
    std::optional<Partition> m_part;
    Lanes<Shard> m_shards;
    Atomic<i64> m_time_out{0};

    // Of Disks, under its lock.
    u32 m_uses = 0;
    device::Awaited<bool>* m_withdrawal = nullptr; ///< waits until nobody uses it
    bool m_is_leaving = false;
    bool m_has_bad_table = false;
    bool m_uses_backup = false;
    u32 m_refused = 0;
};

} // namespace twofold::block
