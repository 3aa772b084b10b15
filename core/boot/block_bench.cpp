// See block_bench.hpp.
#include "core/boot/block_bench.hpp"

#include "core/boot/kernel.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace twofold::boot {

namespace {

using block::Disk;
using block::Operation;

constexpr u64 second_ns = 1'000'000'000;
constexpr u64 verify_seed = 0x2F62'6C6F'636B'2D31;

u64 now_ns() {
    return static_cast<u64>(hal::Clock::now().value);
}

/// What a verified block at `sector` holds. Whole words.
void fill_block(std::span<std::byte> bytes, u64 sector) {
    SplitMix64 words(sector ^ verify_seed);
    for (usize at = 0; at < bytes.size(); at += sizeof(u64)) {
        u64 const word = words.next();
        std::memcpy(bytes.data() + at, &word, sizeof(word));
    }
}

bool is_filled(std::span<std::byte const> bytes, u64 sector) {
    SplitMix64 words(sector ^ verify_seed);
    for (usize at = 0; at < bytes.size(); at += sizeof(u64)) {
        u64 const word = words.next();
        if (std::memcmp(bytes.data() + at, &word, sizeof(word)) != 0) {
            return false;
        }
    }
    return true;
}

/// One of the requests that a job keeps in flight.
class Job;
struct Slot {
    Job* job = nullptr;
    block::Request request;
    block::Segment buffer;
    u64 begun_ns = 0;

    std::span<std::byte> bytes() const {
        return {hal::Memory::linear(buffer.address), buffer.bytes};
    }
};

/// The part of a disk that a job uses, in blocks.
struct Region {
    u64 first_sector = 0;
    u64 blocks = 0;
    u32 block_sectors = 0;
};

class Job {
public:
    Job(Kernel& kernel, Disk& disk, BenchOptions const& options, Region const& region, u32 number)
        : m_kernel(kernel),
          m_disk(disk),
          m_options(options),
          m_region(region),
          m_number(number),
          m_random(number + 1) {}
    ~Job();
    Job(Job const&) = delete;
    Job& operator=(Job const&) = delete;

    Result<void> open();
    /// All of it, the verification behind it too. The job's thread.
    void run();
    void stop() { m_is_stopped.store(1, relaxed); }
    void add_to(BenchResult& sum);

    task::Thread* thread = nullptr; ///< that runs it; null: whoever has made it

private:
    enum class Pass : u8 { measured, verifying };

    void run_pass(Pass pass);
    /// Until nothing is in flight any more.
    void poll_until(device::Awaited<bool>& over);
    bool begin_next(Slot& slot);
    bool prepare(Slot& slot);
    bool may_begin(u64 now) const REQUIRES(m_lock);
    static void take(block::Request& request, Result<void> outcome);
    void note(Slot& slot, Result<void> const& outcome, u64 now);
    void end_one();

    Kernel& m_kernel;
    Disk& m_disk;
    BenchOptions const& m_options;
    Region m_region;
    u32 m_number;
    std::span<Slot> m_slots;
    u64 m_pages = 0; ///< of a buffer
    device::Awaited<bool>* m_over = nullptr;
    Atomic<u32> m_in_flight{0};
    Atomic<u32> m_is_stopped{0};

    sync::SpinLock m_lock{sync::LockRank::device};
    Random m_random GUARDED_BY(m_lock);
    Pass m_pass GUARDED_BY(m_lock) = Pass::measured;
    u64 m_next_block GUARDED_BY(m_lock) = 0;
    u64 m_begun GUARDED_BY(m_lock) = 0;    ///< blocks of this pass
    u64 m_measured GUARDED_BY(m_lock) = 0; ///< blocks of the pass before
    u64 m_unflushed GUARDED_BY(m_lock) = 0;
    u64 m_deadline_ns GUARDED_BY(m_lock) = ~u64{0};
    BenchResult m_result GUARDED_BY(m_lock);
};

Job::~Job() {
    for (Slot& slot : m_slots) {
        if (slot.buffer.bytes != 0) {
            m_kernel.frames->free_pages(slot.buffer.address, m_pages).value(); // of `open`
        }
        std::destroy_at(&slot);
    }
    if (!m_slots.empty()) {
        memory::free_room(*m_kernel.heap, m_slots.data());
    }
}

Result<void> Job::open() {
    Slot* const room = TRY(memory::allocate_room<Slot>(*m_kernel.heap, m_options.iodepth));
    m_slots = {room, m_options.iodepth};
    for (Slot& slot : m_slots) {
        std::construct_at(&slot)->job = this;
    }
    m_pages = align_up(m_options.block_bytes, page_size.value) / page_size.value;
    for (Slot& slot : m_slots) {
        slot.buffer.address = TRY(m_kernel.frames->allocate({.pages = m_pages}));
        slot.buffer.bytes = static_cast<u32>(m_options.block_bytes);
        fill_block(slot.bytes(), m_number); // no medium is to find it easy
    }
    return {};
}

void Job::run() {
    run_pass(Pass::measured);
    if (m_options.verifies && m_options.has_writes()) {
        run_pass(Pass::verifying);
    }
}

void Job::run_pass(Pass pass) {
    device::Awaited<bool> over;
    u64 const began = now_ns();
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        m_over = &over;
        m_pass = pass;
        m_random = Random(m_number + 1);
        m_next_block = m_number * (m_region.blocks / m_options.numjobs);
        m_measured = m_begun;
        m_begun = 0;
        bool const has_time = m_options.runtime_s != 0 && pass == Pass::measured;
        m_deadline_ns = has_time ? began + m_options.runtime_s * second_ns : ~u64{0};
    }
    m_in_flight.store(1, relaxed); // this, until all have begun
    {
        sync::NoPreemptGuard const stay;
        m_disk.hold();
        for (Slot& slot : m_slots) {
            m_in_flight.fetch_add(1, relaxed);
            if (!begin_next(slot)) {
                end_one();
                break;
            }
        }
        m_disk.release();
    }
    end_one();
    poll_until(over);
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (pass == Pass::measured) {
        m_result.took_ns = now_ns() - began;
    }
}

void Job::poll_until(device::Awaited<bool>& over) {
    constexpr u32 looks_max = 32; // in vain, before the thread sleeps
    constexpr Nanos nap{100'000}, sleep{10'000'000};
    for (u32 looks = 0; m_in_flight.load(acquire) != 0;) {
        u32 taken = 0;
        {
            sync::NoPreemptGuard const stay;
            m_disk.hold(); // what is begun anew is sent together
            taken = m_disk.poll();
            m_disk.release();
        }
        looks = taken != 0 ? 0 : looks + 1;
        if (looks < looks_max) {
            sync::relax();
        } else if (over.comes_within(m_disk.poll_time() == Nanos{} ? sleep : nap)) {
            break; // where interrupts say what is done, nothing is won by a look
        }
        if (m_kernel.threads != nullptr && task::Threads::current().is_to_end()) {
            stop();
        }
    }
    static_cast<void>(over.wait());
}

bool Job::may_begin(u64 now) const {
    if (m_is_stopped.load(relaxed) != 0) {
        return false;
    }
    if (m_pass == Pass::verifying) {
        return m_begun < m_measured;
    }
    return m_options.runtime_s != 0 ? now < m_deadline_ns : m_begun < m_region.blocks;
}

/// Makes the slot's next request; false: there is none. Of the verifying pass those that were
/// written are read.
bool Job::prepare(Slot& slot) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    block::Request& request = slot.request;
    if (m_options.fsync != 0 && m_unflushed >= m_options.fsync && m_pass == Pass::measured) {
        m_unflushed = 0;
        request.operation = Operation::flush;
        request.count = 0;
        request.segments = {};
        return true;
    }
    while (may_begin(slot.begun_ns)) {
        ++m_begun;
        bool const is_mixed = m_options.has_reads() && m_options.has_writes();
        bool const is_read = is_mixed ? (m_random.next() >> 32) * 100 >> 32 < m_options.percent_read
                                      : m_options.has_reads();
        u64 block = m_next_block;
        if (m_options.is_random()) {
            block = static_cast<u64>(
                static_cast<unsigned __int128>(m_random.next()) * m_region.blocks >> 64);
        } else {
            m_next_block = block + 1 == m_region.blocks ? 0 : block + 1;
        }
        if (m_pass == Pass::verifying && is_read) {
            continue;
        }
        bool const reads = is_read || m_pass == Pass::verifying;
        request.operation = reads ? Operation::read : Operation::write;
        request.sector = m_region.first_sector + block * m_region.block_sectors;
        request.count = m_region.block_sectors;
        request.segments = {&slot.buffer, 1};
        m_unflushed += reads ? 0 : 1;
        return true;
    }
    return false;
}

/// Whether there is something to begin; then it will be told of once.
bool Job::begin_next(Slot& slot) {
    slot.begun_ns = now_ns();
    if (!prepare(slot)) {
        return false;
    }
    block::Request& request = slot.request;
    if (m_options.verifies && request.operation == Operation::write) {
        fill_block(slot.bytes(), request.sector);
    }
    request.done = take;
    request.context = &slot;
    if (auto const begun = m_disk.submit(request); !begun) {
        note(slot, begun, slot.begun_ns);
        return false;
    }
    return true;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
void Job::take(block::Request& request, Result<void> outcome) {
    Slot& slot = *static_cast<Slot*>(request.context);
    Job& job = *slot.job;
    job.note(slot, outcome, now_ns());
    if (!job.begin_next(slot)) {
        job.end_one();
    }
}

void Job::note(Slot& slot, Result<void> const& outcome, u64 now) {
    block::Request const& request = slot.request;
    bool const is_read = request.operation == Operation::read;
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (!outcome) {
        m_result.first_error = m_result.errors == 0 ? outcome.error() : m_result.first_error;
        ++m_result.errors;
        m_is_stopped.store(1, relaxed);
        return;
    }
    // A read between writes may find what nobody has written yet.
    bool const is_checked =
        m_options.verifies && is_read && (m_pass == Pass::verifying || !m_options.has_writes());
    m_result.wrong += is_checked && !is_filled(slot.bytes(), request.sector) ? 1 : 0;
    if (m_pass == Pass::verifying) {
        return;
    }
    BenchFigures& figures = is_read                                 ? m_result.reads
                            : request.operation == Operation::write ? m_result.writes
                                                                    : m_result.flushes;
    figures.add(now - slot.begun_ns, request.count != 0 ? m_options.block_bytes : 0);
}

void Job::end_one() {
    if (m_in_flight.fetch_sub(1, acquire_release) == 1) {
        m_over->come(true);
    }
}

void Job::add_to(BenchResult& sum) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    sum.reads.add(m_result.reads);
    sum.writes.add(m_result.writes);
    sum.flushes.add(m_result.flushes);
    sum.took_ns = std::max(sum.took_ns, m_result.took_ns);
    sum.first_error = sum.errors == 0 ? m_result.first_error : sum.first_error;
    sum.errors += m_result.errors;
    sum.wrong += m_result.wrong;
}

/// Where on the disk the jobs work.
Result<Region> region_of(Disk& disk, BenchOptions const& options) {
    block::Geometry const& geometry = disk.geometry();
    u64 const disk_bytes = geometry.sectors * geometry.sector_bytes;
    bool const fits = is_aligned(options.block_bytes, geometry.sector_bytes) &&
                      is_aligned(options.offset_bytes, geometry.sector_bytes) &&
                      options.offset_bytes < disk_bytes;
    if (!fits) {
        return Error::invalid_argument;
    }
    u64 const left = disk_bytes - options.offset_bytes;
    u64 const size = options.size_bytes == 0 ? left : std::min(options.size_bytes, left);
    Region const region{
        .first_sector = options.offset_bytes / geometry.sector_bytes,
        .blocks = size / options.block_bytes,
        .block_sectors = static_cast<u32>(options.block_bytes / geometry.sector_bytes)};
    return region.blocks != 0 ? Result<Region>(region) : Result<Region>(Error::invalid_argument);
}

using JobBox = memory::Box<Job, memory::KernelHeap>;
using Jobs = FixedVector<JobBox, BenchOptions::numjobs_max>;

/// The first is its maker's; the others get a thread each.
Result<void> begin_jobs(Kernel& kernel, Jobs& jobs) {
    task::ThreadAttributes attributes;
    attributes.name = "block-bench";
    for (usize i = 1; i < jobs.size(); ++i) {
        Job& job = *jobs[i];
        job.thread = TRY(kernel.threads->spawn(
            attributes, [](void* self) { static_cast<Job*>(self)->run(); }, &job));
    }
    return {};
}

} // namespace

void BenchFigures::add(u64 ns, u64 size) {
    ++ios;
    bytes += size;
    min_ns = std::min(min_ns, ns);
    sum_ns += ns;
    squares += static_cast<unsigned __int128>(ns) * ns;
    latency.add(ns);
}

void BenchFigures::add(BenchFigures const& other) {
    ios += other.ios;
    bytes += other.bytes;
    min_ns = std::min(min_ns, other.min_ns);
    sum_ns += other.sum_ns;
    squares += other.squares;
    latency.add(other.latency);
}

/// In words, since nothing here divides more: scaled down until the squares fit into one.
u64 BenchFigures::deviation_ns() const {
    if (ios == 0) {
        return 0;
    }
    u32 shift = 0; // an even one
    while (squares >> shift > ~u64{0}) {
        shift += 2;
    }
    u64 const of_squares = static_cast<u64>(squares >> shift) / ios;
    u64 const of_mean =
        static_cast<u64>(static_cast<unsigned __int128>(mean_ns()) * mean_ns() >> shift);
    u64 const variance = of_squares > of_mean ? of_squares - of_mean : 0;
    u64 root = 0;
    for (u64 bit = u64{1} << 31; bit != 0; bit >>= 1) {
        u64 const tried = root | bit;
        root = tried * tried <= variance ? tried : root;
    }
    return root << shift / 2;
}

Result<void>
run_bench(Kernel& kernel, Disk& disk, BenchOptions const& options, BenchResult& result) {
    if (options.has_writes() && disk.geometry().is_read_only) {
        return Error::permission_denied;
    }
    Region const region = TRY(region_of(disk, options));
    if (kernel.threads == nullptr && options.numjobs > 1) {
        return Error::not_supported;
    }
    Jobs jobs;
    for (u32 i = 0; i < options.numjobs; ++i) {
        jobs.push_back(TRY(JobBox::create(*kernel.heap, kernel, disk, options, region, i))).value();
        TRY(jobs.back()->open());
    }
    auto const begun = begin_jobs(kernel, jobs);
    if (begun) {
        jobs[0]->run();
    }
    for (JobBox& job : jobs) {
        if (job->thread != nullptr) {
            if (!begun || (kernel.threads != nullptr && task::Threads::current().is_to_end())) {
                job->stop();
            }
            static_cast<void>(kernel.threads->join(*job->thread));
        }
        job->add_to(result);
    }
    return begun;
}

} // namespace twofold::boot
