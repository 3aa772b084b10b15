// See disk.hpp.
#include "core/device/block/disk.hpp"

#include "hal/clock.hpp"

namespace twofold::block {

namespace {

/// The field's convention: "vda" and "vda1", but "nvme0n1" and "nvme0n1p1".
Result<FixedString<Disk::name_max>> name_of_part(std::string_view whole, u32 number) {
    bool const ends_in_digit = !whole.empty() && whole.back() >= '0' && whole.back() <= '9';
    char text[Disk::name_max * 2];
    std::string_view const name =
        format_to(std::span(text), "{}{}{}", whole, ends_in_digit ? "p" : "", number);
    return FixedString<Disk::name_max>::create(name);
}

} // namespace

std::string_view action_name(DiskAction action) {
    constexpr std::string_view names[disk_actions] = {"read", "write", "flush", "discard"};
    return names[static_cast<usize>(action)];
}

u64 DiskFigures::errors() const {
    u64 sum = 0;
    for (ActionFigures const& each : of) {
        sum += each.errors;
    }
    return sum;
}

Disk::Disk(memory::KernelHeap& heap, std::string_view name) : m_heap(heap) {
    m_name.append(name).value(); // the caller has looked how long it is
}

Result<Disk*> Disk::make(memory::KernelHeap& heap, std::string_view name) {
    if (name.empty() || name.size() > name_max) {
        return Error::no_space;
    }
    auto* const room = TRY(memory::allocate_room<Disk>(heap, 1));
    auto* const disk = new (room) Disk(heap, name);
    if (auto const opened = disk->m_shards.open(heap); !opened) {
        disk->close();
        return opened.error();
    }
    return disk;
}

Result<Disk*> Disk::open(memory::KernelHeap& heap, Completions& completions, Device& device) {
    Disk* const disk = TRY(make(heap, device.name()));
    auto const queue = Queue::open(heap, completions, device);
    if (!queue) {
        disk->close();
        return queue.error();
    }
    disk->m_device = &device;
    disk->m_queue = queue.value();
    disk->m_below = disk->m_queue;
    return disk;
}

Result<Disk*>
Disk::open_part(memory::KernelHeap& heap, Disk& whole, gpt::Partition const& partition) {
    auto const name = TRY(name_of_part(whole.name(), partition.number));
    Disk* const disk = TRY(make(heap, name));
    disk->m_whole = &whole;
    disk->m_partition = partition;
    disk->m_part.emplace(
        whole, disk->m_name.view(), partition.first, partition.last - partition.first + 1);
    disk->m_device = disk->m_below = &*disk->m_part;
    return disk;
}

void Disk::close() {
    if (m_queue != nullptr) {
        m_queue->close();
    }
    memory::KernelHeap& heap = m_heap;
    m_shards.close(heap);
    this->~Disk();
    memory::free_room(heap, this);
}

Result<void> Disk::submit(Request& request) {
    Nanos const begun = hal::Clock::now();
    request.push(finish, this, static_cast<u64>(begun.value));
    Nanos const time_out{m_time_out.load(relaxed)};
    bool const is_default = request.time_out == Nanos{};
    if (is_default) {
        request.time_out = time_out;
    }
    m_shards.any().begun.fetch_add(1, relaxed);
    auto const taken = m_below->submit(request);
    if (!taken) {
        m_shards.any().begun.fetch_sub(1, relaxed); // their sum is what counts
        request.time_out = is_default ? Nanos{} : request.time_out;
        static_cast<void>(request.pop());
    }
    return taken;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
void Disk::finish(Request& request, Result<void> outcome) {
    Disk& self = *static_cast<Disk*>(request.context);
    Nanos const begun{static_cast<i64>(request.pop())};
    u64 const took = static_cast<u64>((hal::Clock::now() - begun).value);
    {
        Shard& shard = self.m_shards.any();
        sync::SpinLockGuard const guard(shard.lock, sync::save_interrupts);
        ActionFigures& figures = shard.of[static_cast<usize>(action_of(request.operation))];
        ++figures.done;
        figures.errors += outcome ? 0 : 1;
        figures.sectors += outcome ? request.count : 0;
        figures.latency_ns += took;
        figures.latency.add(took);
    }
    // What was the disk's is taken back, so that a request that is made again says nothing, too.
    if (request.time_out == Nanos{self.m_time_out.load(relaxed)}) {
        request.time_out = {};
    }
    request.done(request, outcome);
}

void Disk::figures(DiskFigures& sum) const {
    u64 begun = 0;
    u64 done = 0;
    m_shards.for_each([&](Shard& shard) {
        {
            sync::SpinLockGuard const guard(shard.lock, sync::save_interrupts);
            for (usize i = 0; i < disk_actions; ++i) {
                ActionFigures const& part = shard.of[i];
                ActionFigures& all = sum.of[i];
                all.done += part.done;
                all.errors += part.errors;
                all.sectors += part.sectors;
                all.latency_ns += part.latency_ns;
                done += part.done;
            }
            begun += shard.begun.load(relaxed);
        }
        for (usize i = 0; i < disk_actions; ++i) {
            // Nothing interrupts while the lock is held, which is not to last.
            for (u32 piece = 0; piece < processor::Histogram::pieces; ++piece) {
                sync::SpinLockGuard const guard(shard.lock, sync::save_interrupts);
                sum.of[i].latency.add_piece(shard.of[i].latency, piece);
            }
        }
    });
    // Those that end while one adds up may be seen to have ended and not to have begun.
    sum.in_flight = begun > done ? begun - done : 0;
}

QueueCounts Disk::queue_counts() const {
    return m_queue != nullptr ? m_queue->counts() : QueueCounts{};
}

void Disk::adopt_geometry() {
    if (m_queue != nullptr) {
        m_queue->adopt_geometry();
    }
}

} // namespace twofold::block
