// Reads a workload from bytes. See workload_bytes.hpp.
#include "apps/sched/workload_bytes.hpp"

namespace twofold::lab {

namespace {

constexpr u32 flag_inherits = 1;

Result<i64> read_signed(ByteReader& reader) {
    return static_cast<i64>(TRY(reader.read<u64>()));
}

Result<Nanos> read_time(ByteReader& reader) {
    return Nanos{TRY(read_signed(reader))};
}

template<std::unsigned_integral T>
Result<void> expect_zero(ByteReader& reader) {
    return TRY(reader.read<T>()) == 0 ? Result<void>() : Error::corrupted;
}

// Each takes one element.

Result<void> take(ByteReader& reader, Cpu& cpu) {
    cpu.node = TRY(reader.read<u32>());
    cpu.capacity = TRY(reader.read<u32>());
    cpu.active_power = TRY(reader.read<u32>());
    cpu.idle_power = TRY(reader.read<u32>());
    return {};
}

/// A name ends at its first zero, and zeros fill its field.
Result<void> take(ByteReader& reader, Name& name) {
    name.clear();
    bool is_over = false;
    for (usize i = 0; i < Name::capacity(); ++i) {
        auto const letter = static_cast<char>(TRY(reader.read<u8>()));
        is_over = is_over || letter == '\0';
        if (is_over && letter != '\0') {
            return Error::corrupted;
        }
        if (!is_over) {
            TRY(name.append(letter));
        }
    }
    return {};
}

Result<void> take(ByteReader& reader, Task& task) {
    TRY(take(reader, task.name));
    task.instance = TRY(reader.read<u32>());
    task.program = TRY(reader.read<u32>());
    task.schedule = TRY(reader.read<u32>());
    task.affinity = TRY(reader.read<u32>());
    task.delay = TRY(read_time(reader));
    return {};
}

Result<void> take(ByteReader& reader, Operation& operation) {
    operation.kind = static_cast<OperationKind>(TRY(reader.read<u8>()));
    operation.mode = static_cast<TimerMode>(TRY(reader.read<u8>()));
    operation.level = TRY(reader.read<u8>());
    TRY(expect_zero<u8>(reader));
    operation.object = TRY(reader.read<u32>());
    operation.amount = TRY(read_signed(reader));
    return {};
}

Result<void> take(ByteReader& reader, Scheduling& scheduling) {
    scheduling.demand = static_cast<Demand>(TRY(reader.read<u8>()));
    TRY(expect_zero<u8>(reader));
    TRY(expect_zero<u16>(reader));
    scheduling.weight = TRY(reader.read<u32>());
    scheduling.priority = TRY(reader.read<u32>());
    TRY(expect_zero<u32>(reader));
    scheduling.slice = TRY(read_time(reader));
    scheduling.runtime = TRY(read_time(reader));
    scheduling.period = TRY(read_time(reader));
    return {};
}

Result<void> take(ByteReader& reader, Affinity& affinity) {
    affinity = TRY(reader.read<u64>());
    return {};
}

Result<void> take(ByteReader& reader, Queue& queue) {
    queue.capacity = TRY(reader.read<u32>());
    return {};
}

Result<void> take(ByteReader& reader, u32& barrier) {
    barrier = TRY(reader.read<u32>());
    return {};
}

template<class T>
Result<void> take_all(ByteReader& reader, u32 count, std::span<T> into) {
    CHECK(into.size() == count);
    for (T& element : into) {
        TRY(take(reader, element));
    }
    return {};
}

Result<WorkloadCounts> read_counts(ByteReader& reader) {
    WorkloadCounts counts;
    for (u32* const count :
         {&counts.cpus, &counts.tasks, &counts.operations, &counts.schedulings, &counts.affinities,
          &counts.queues, &counts.barriers, &counts.mutexes, &counts.conditions, &counts.timers,
          &counts.devices}) {
        *count = TRY(reader.read<u32>());
        if (*count > operations_max) {
            return Error::out_of_range; // no kind may have as many; sizes stay far below 2^64
        }
    }
    return counts;
}

} // namespace

u64 workload_file_bytes(WorkloadCounts const& counts) {
    return workload_header_bytes + u64{counts.cpus} * cpu_bytes + u64{counts.tasks} * task_bytes +
           u64{counts.operations} * operation_bytes + u64{counts.schedulings} * scheduling_bytes +
           u64{counts.affinities} * affinity_bytes + u64{counts.queues} * queue_bytes +
           u64{counts.barriers} * barrier_bytes;
}

Result<WorkloadHeader> read_workload_header(std::span<std::byte const> bytes) {
    ByteReader reader(bytes);
    if (TRY(reader.read<u64>()) != workload_magic) {
        return Error::corrupted;
    }
    if (TRY(reader.read<u32>()) != workload_version) {
        return Error::not_supported;
    }
    u32 const checksum = TRY(reader.read<u32>());
    CHECK(reader.position() == workload_checked_from);
    u64 const size = TRY(reader.read<u64>());
    if (size > bytes.size()) {
        return Error::truncated;
    }
    if (size < workload_header_bytes ||
        crc32(bytes.first(size).subspan(workload_checked_from)) != checksum) {
        return Error::corrupted;
    }
    WorkloadHeader header;
    header.duration = TRY(read_time(reader));
    u32 const flags = TRY(reader.read<u32>());
    if ((flags & ~flag_inherits) != 0) {
        return Error::corrupted;
    }
    header.inherits = flags != 0;
    header.counts = TRY(read_counts(reader));
    CHECK(reader.position() == workload_header_bytes);
    return workload_file_bytes(header.counts) == size ? Result<WorkloadHeader>(header)
                                                      : Error::corrupted;
}

Result<Workload> read_workload(
    std::span<std::byte const> bytes, WorkloadHeader const& header, WorkloadArrays const& arrays) {
    WorkloadCounts const& counts = header.counts;
    ByteReader reader(bytes);
    TRY(reader.skip(workload_header_bytes));
    TRY(take_all(reader, counts.cpus, arrays.cpus));
    TRY(take_all(reader, counts.tasks, arrays.tasks));
    TRY(take_all(reader, counts.operations, arrays.operations));
    TRY(take_all(reader, counts.schedulings, arrays.schedulings));
    TRY(take_all(reader, counts.affinities, arrays.affinities));
    TRY(take_all(reader, counts.queues, arrays.queues));
    TRY(take_all(reader, counts.barriers, arrays.barriers));
    Workload const workload{
        .cpus = arrays.cpus,
        .tasks = arrays.tasks,
        .operations = arrays.operations,
        .schedulings = arrays.schedulings,
        .affinities = arrays.affinities,
        .queues = arrays.queues,
        .barriers = arrays.barriers,
        .mutexes = counts.mutexes,
        .conditions = counts.conditions,
        .timers = counts.timers,
        .devices = counts.devices,
        .duration = header.duration};
    TRY(check_workload(workload));
    return workload;
}

} // namespace twofold::lab
