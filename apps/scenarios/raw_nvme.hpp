// An NVMe controller that somebody without any sense drives: registers, queues and doorbells as
// they are, so that a scenario may do what no driver should. It polls; nothing interrupts.
//
// Invariants: one piece of memory is mapped for the controller, and holds queues, lists and data.
// What lies elsewhere in memory is never named to it: on metal nothing would refuse that.
#pragma once

#include "core/boot/boot.hpp"
#include "core/boot/devices.hpp"

#include <cstring>
#include <optional>

namespace twofold::scenarios {

/// A completion, or nothing where none came.
using NvmeAnswer = std::optional<nvme::Completion>;

class RawNvme {
public:
    static constexpr u16 entries = 16; ///< of each queue
    static constexpr u16 queues = 3;   ///< the admin queue, and two more
    static constexpr u64 lists = 8 * page_size.value, data = 16 * page_size.value;
    static constexpr u64 memory_pages = 48;
    static constexpr u32 enabled = nvme::cc::enable | 6u << nvme::cc::submission_size_shift |
                                   4u << nvme::cc::completion_size_shift;
    static constexpr u16 no_answer = 0xffff;     ///< as a status
    static constexpr u64 nowhere = u64{1} << 44; ///< where no machine has memory

    /// In memory of the heap, until `close`. No driver has the function. Context thread. Errors:
    /// not_supported (it has no registers), those of map_device, frames and DmaSpace::map.
    static Result<RawNvme*> open(boot::Kernel& kernel, pci::Function const& function);
    RawNvme(RawNvme const&) = delete;
    RawNvme& operator=(RawNvme const&) = delete;
    /// The controller is disabled, and the function as it was.
    void close();

    nvme::Registers const& registers() const { return m_registers; }
    u32 status() const { return m_registers.status(); }
    void configure(u32 value) const { m_registers.write_32(nvme::reg::configuration, value); }
    /// Whether the status came to that within `patience`.
    bool await_status(u32 mask, u32 wanted) const;
    void place_admin_queues(u64 submissions, u64 completions) const;
    /// From a reset to where admin commands are taken, with empty queues.
    bool enable();
    bool disable() const;
    /// Makes a pair of queues, 1 or 2; the statuses of both commands are 0.
    bool open_queue(u16 queue);

    static constexpr u64 submissions(u16 queue) { return u64{queue} * 2 * page_size.value; }
    static constexpr u64 completions(u16 queue) { return submissions(queue) + page_size.value; }
    /// Where the controller sees what lies there.
    u64 seen(u64 offset) const { return m_mapping.address.value + offset; }
    std::span<std::byte> bytes(u64 offset, u64 size) const;
    template<class T>
    void put(u64 offset, T const& value) const {
        std::memcpy(bytes(offset, sizeof(T)).data(), &value, sizeof(T));
    }

    // Commands whose data is the first pages of `data`.
    nvme::Command admin_command(nvme::AdminOpcode opcode, u32 word10 = 0, u32 word11 = 0) const;
    nvme::Command io_command(nvme::Opcode opcode, u64 block = 0, u32 blocks = 1) const;
    nvme::Command create_completions(u16 queue, u32 size = entries, u32 vector = 0) const;
    nvme::Command create_submissions(u16 queue, u32 size = entries) const;

    /// Puts a command into a queue and tells nobody; its number.
    u16 place(u16 queue, nvme::Command command);
    u16 tail(u16 queue) const { return m_queues[queue].tail; }
    u16 head(u16 queue) const { return m_queues[queue].head; }
    void set_tail(u16 queue, u16 tail) { m_queues[queue].tail = tail; }
    void ring_tail(u16 queue, u32 value) const;
    void ring_head(u16 queue, u32 value) const;
    u16 submit(u16 queue, nvme::Command const& command);
    /// What stands where the next completion will be, whatever its phase says.
    nvme::Completion look(u16 queue) const;
    bool is_new(u16 queue) const;
    /// The next one that is new, as it comes within `patience`; its place is given back, or not.
    NvmeAnswer await(u16 queue, bool gives_back = true);
    /// Nothing new comes within a while.
    bool is_silent(u16 queue) const;
    /// One command from its begin to its end; status_of of what came, or no_answer.
    u16 perform(u16 queue, nvme::Command const& command);
    /// Without the bit that there is more in the error log: whether a controller keeps one is its
    /// own affair (NVM Express Base Specification 1.4, section 4.6.1, field M).
    static u16 status_of(NvmeAnswer const& answer);

private:
    static constexpr Nanos patience{i64{20} * 1'000'000'000};
    static constexpr Nanos silence{i64{20} * 1'000'000};

    struct Queue {
        u16 tail = 0;
        u16 head = 0;
        u16 phase = 1;
        u16 next_id = 0x40;
    };

    RawNvme(boot::Kernel& kernel, device::DriverEnvironment const& environment, pci::Address where)
        : m_kernel(kernel),
          m_space(environment.configuration, where),
          m_command(m_space.read_16(pci::offset::command)),
          m_dma(where) {}
    ~RawNvme() = default;

    Result<void> begin(pci::Bar const& registers);

    boot::Kernel& m_kernel;
    pci::FunctionSpace m_space;
    u16 m_command; ///< as it was
    device::DmaSpace m_dma;
    VirtAddr m_view{};
    nvme::Registers m_registers;
    PhysAddr m_frames{};
    device::DmaMapping m_mapping{};
    Queue m_queues[queues];
};

} // namespace twofold::scenarios
