// Writes workloads. See workload_writer.hpp.
#include "apps/sched/workload_writer.hpp"

namespace twofold::lab {

namespace {

class ByteWriter {
public:
    template<std::unsigned_integral T>
    void put(T value) {
        for (usize i = 0; i < sizeof(T); ++i) {
            m_bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
        }
    }
    void put(Nanos time) { put(static_cast<u64>(time.value)); }
    void put(Cpu const& cpu) {
        put(cpu.node);
        put(cpu.capacity);
        put(cpu.active_power);
        put(cpu.idle_power);
    }
    void put(Task const& task) {
        for (usize i = 0; i < Name::capacity(); ++i) {
            put(static_cast<u8>(i < task.name.size() ? task.name.view()[i] : '\0'));
        }
        put(task.instance);
        put(task.program);
        put(task.schedule);
        put(task.affinity);
        put(task.delay);
    }
    void put(Operation const& operation) {
        put(static_cast<u8>(operation.kind));
        put(static_cast<u8>(operation.mode));
        put(operation.level);
        put(u8{0});
        put(operation.object);
        put(static_cast<u64>(operation.amount));
    }
    void put(Scheduling const& scheduling) {
        put(static_cast<u8>(scheduling.demand));
        put(u8{0});
        put(u16{0});
        put(scheduling.weight);
        put(scheduling.priority);
        put(u32{0});
        put(scheduling.slice);
        put(scheduling.runtime);
        put(scheduling.period);
    }
    void put(Queue const& queue) { put(queue.capacity); }

    template<class T>
    void put_all(std::span<T const> elements) {
        for (T const& element : elements) {
            put(element);
        }
    }
    std::vector<std::byte> take() { return std::move(m_bytes); }

private:
    std::vector<std::byte> m_bytes;
};

template<class T>
u32 count_of(std::span<T const> elements) {
    return static_cast<u32>(elements.size());
}

} // namespace

std::vector<std::byte> write_workload(Workload const& workload, bool inherits) {
    WorkloadCounts const counts{
        .cpus = count_of(workload.cpus),
        .tasks = count_of(workload.tasks),
        .operations = count_of(workload.operations),
        .schedulings = count_of(workload.schedulings),
        .affinities = count_of(workload.affinities),
        .queues = count_of(workload.queues),
        .barriers = count_of(workload.barriers),
        .mutexes = workload.mutexes,
        .conditions = workload.conditions,
        .timers = workload.timers,
        .devices = workload.devices};
    ByteWriter rest;
    rest.put(workload_file_bytes(counts));
    rest.put(workload.duration);
    rest.put(u32{inherits});
    for (u32 const count :
         {counts.cpus, counts.tasks, counts.operations, counts.schedulings, counts.affinities,
          counts.queues, counts.barriers, counts.mutexes, counts.conditions, counts.timers,
          counts.devices}) {
        rest.put(count);
    }
    rest.put_all(workload.cpus);
    rest.put_all(workload.tasks);
    rest.put_all(workload.operations);
    rest.put_all(workload.schedulings);
    rest.put_all(workload.affinities);
    rest.put_all(workload.queues);
    rest.put_all(workload.barriers);
    std::vector<std::byte> const checked = rest.take();
    ByteWriter file;
    file.put(workload_magic);
    file.put(workload_version);
    file.put(crc32(checked));
    std::vector<std::byte> bytes = file.take();
    bytes.insert(bytes.end(), checked.begin(), checked.end());
    CHECK(bytes.size() == workload_file_bytes(counts));
    return bytes;
}

} // namespace twofold::lab
