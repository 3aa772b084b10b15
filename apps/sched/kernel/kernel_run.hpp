// A run of the laboratory inside of a kernel: the same engine, over the kernel's own heap.
// Neighbours: workload_bytes.hpp (how the workload gets here), happening_bytes.hpp (how the
// schedule gets out), commands.hpp (who calls).
#pragma once

#include "apps/sched/happening_bytes.hpp"
#include "apps/sched/kernel/heap_objects.hpp"
#include "apps/sched/workload_bytes.hpp"

#include <optional>

namespace twofold::lab {

/// A workload in the heap.
class HeapWorkload {
public:
    /// Reads it from bytes. Errors: those of the readers (workload_bytes.hpp), out_of_memory.
    static Result<HeapWorkload> create(memory::KernelHeap& heap, std::span<std::byte const> bytes);

    Workload const& workload() const { return m_workload; }
    bool inherits() const { return m_inherits; }

private:
    HeapWorkload() = default;
    Result<void> read(memory::KernelHeap& heap, std::span<std::byte const> bytes);

    HeapObjects<Cpu> m_cpus;
    HeapObjects<Task> m_tasks;
    HeapObjects<Operation> m_operations;
    HeapObjects<Scheduling> m_schedulings;
    HeapObjects<Affinity> m_affinities;
    HeapObjects<Queue> m_queues;
    HeapObjects<u32> m_barriers;
    Workload m_workload;
    bool m_inherits = false;
};

/// The engine's observer: packs what happens into pieces, and hands each on when it is full.
class SchedulePacker {
public:
    static constexpr usize piece_bytes_max = 900;

    /// Each write to `out` is a piece.
    explicit SchedulePacker(Output const& out) : m_out(out) {}

    void take(Happening const& happening);
    /// Hands the last piece on.
    void finish();

    u64 count() const { return m_count; }
    /// The checksum of all pieces, put together.
    u32 checksum() const { return m_checksum.value(); }

private:
    Output const& m_out;
    HappeningWriter m_writer;
    char m_piece[piece_bytes_max];
    usize m_used = 0;
    u64 m_count = 0;
    Crc32 m_checksum;
};

/// What is asked of a run, beside the workload.
struct KernelRequest {
    std::string_view policy; ///< the name of a class
    Nanos switch_cost{};
    bool inherits = false;
};

/// A thread that admission control did not take.
struct KernelRefusal {
    u32 thread = 0;
    Error error{};
};

/// How a run ended, beside its schedule.
struct KernelOutcome {
    std::optional<KernelRefusal> refusal; ///< then nothing has run
    Nanos end{};
    HeapObjects<Nanos> overheads; ///< what switches have cost on each processor
};

/// Runs a workload. Errors: not_found (there is no such class), out_of_memory. O(events log
/// threads).
Result<KernelOutcome> run_in_kernel(
    memory::KernelHeap& heap,
    Workload const& workload,
    KernelRequest const& request,
    SchedulePacker& packer);

} // namespace twofold::lab
