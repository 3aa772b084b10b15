// twofold-replay-worker: replays one schedule on the malloc of its process, once, and reports. The
// replayer starts a fresh one for every measurement, with the allocator preloaded as people use it.
//
// It allocates nothing for itself: the operations are a shared mapping, the table of blocks is
// shared memory, so neither counts as anonymous memory, which is what is measured.
#include "apps/allocation/work_order.hpp"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace twofold::allocation {

namespace {

constexpr u32 threads_max = 1024;

[[noreturn]] void fail(char const* what) {
    std::fprintf(stderr, "twofold-replay-worker: %s\n", what);
    std::_Exit(71);
}

struct MallocHeap {
    void* allocate(usize size) { return std::malloc(size); }
    void* allocate_zeroed(usize size) { return std::calloc(1, size); }
    void* allocate_aligned(usize size, usize alignment) { return memalign(alignment, size); }
    void* resize(void* block, usize, usize size) { return std::realloc(block, size); }
    void release(void* block, usize) { std::free(block); }
};
static_assert(ReplayHeap<MallocHeap>);

u64 now_ns(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

/// Anonymous pages of this process as the host finds them by walking its page tables: exact.
u64 anonymous_bytes() {
    static constexpr std::string_view key = "\nAnonymous:";
    std::array<char, 4096> text{};
    int const file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    ssize_t const got = file < 0 ? -1 : read(file, text.data(), text.size() - 1);
    close(file);
    std::string_view const all(text.data(), got > 0 ? static_cast<usize>(got) : 0);
    usize const at = all.find(key);
    if (at == std::string_view::npos) {
        fail("/proc/self/smaps_rollup cannot be read: committed memory is not known on this host");
    }
    return std::strtoull(&text[at + key.size()], nullptr, 10) << 10;
}

class SharedMemory {
public:
    SharedMemory(int file, u64 bytes, int protection) : m_bytes(bytes) {
        int const flags = MAP_SHARED | (file < 0 ? MAP_ANONYMOUS | MAP_POPULATE : 0);
        m_memory = mmap(nullptr, bytes, protection, flags, file, 0);
        if (m_memory == MAP_FAILED) {
            fail("the host has no memory for the replay's own tables");
        }
    }
    /// `count` objects that lie at `offset`.
    template<class T>
    std::span<T> part(u64 offset, u64 count) const {
        CHECK(offset <= m_bytes && count * sizeof(T) <= m_bytes - offset);
        void* const begin = static_cast<std::byte*>(m_memory) + offset;
        return {static_cast<T*>(begin), count};
    }
    /// Brings all of a file in, so that no fault of ours is timed.
    void populate() const {
        if (madvise(m_memory, m_bytes, MADV_POPULATE_READ) != 0) {
            fail("the schedule cannot be read");
        }
    }

private:
    void* m_memory;
    u64 m_bytes;
};

/// Looks at the memory now and then, and where most bytes are alive.
class MemoryWatch {
public:
    MemoryWatch(WorkOrder const& order, std::span<Operation const> operations, WorkResult& result)
        : m_order(order), m_operations(operations), m_result(result) {}
    void operator()(u64 number) {
        if (number == m_order.live_bytes_peak_operation ||
            number % m_order.sample_interval == m_order.sample_interval - 1) {
            unmap_before(number);
            u64 const bytes = anonymous_bytes();
            m_result.anonymous_peak_bytes = std::max(m_result.anonymous_peak_bytes, bytes);
            ++m_result.samples;
        }
    }

private:
    /// The host looks at every page that is mapped: the operations behind us only cost it time.
    void unmap_before(u64 number) {
        constexpr u64 page_bytes = 4096;
        u64 const bytes = number * sizeof(Operation) / page_bytes * page_bytes;
        void* const begin = const_cast<Operation*>(m_operations.data());
        if (bytes != 0 && madvise(begin, bytes, MADV_DONTNEED) != 0) {
            fail("operations cannot be unmapped");
        }
    }

    WorkOrder const& m_order;
    std::span<Operation const> m_operations;
    WorkResult& m_result;
};

template<Touch touch>
void replay_in_order(
    WorkOrder const& order,
    std::span<Operation const> operations,
    std::span<Block> blocks,
    WorkResult& result) {
    MallocHeap heap;
    auto const measure = [&](auto&& after) {
        u64 const wall = now_ns(CLOCK_MONOTONIC);
        u64 const cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
        auto run = replay<touch>(operations, blocks, heap, after);
        result.cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
        result.wall_ns = now_ns(CLOCK_MONOTONIC) - wall;
        if (order.measure == Measure::memory) {
            result.anonymous_end_bytes = anonymous_bytes();
        }
        run.release_rest(operations.size());
        result.outcome = run.outcome();
    };
    if (order.measure == Measure::memory) {
        result.anonymous_start_bytes = anonymous_bytes();
        result.anonymous_peak_bytes = result.anonymous_start_bytes;
        measure(MemoryWatch(order, operations, result));
    } else {
        measure([](u64) {});
    }
}

/// One recorded thread. Operations on the same object keep their recorded order: each waits for its
/// turn.
struct ThreadWork {
    u32 thread = 0;
    std::span<Operation const> operations;
    std::span<u32 const> turns;
    std::span<Atomic<u32>> done; ///< operations executed on each object
    std::span<Block> blocks;
    pthread_barrier_t* start = nullptr;
    Touch touch = Touch::all;
    ReplayOutcome outcome;
};

void wait_for_turn(Atomic<u32> const& done, u32 turn) {
    constexpr u32 spins_max = 128;
    for (u32 spins = 0; done.load(acquire) != turn; ++spins) {
        if (spins >= spins_max) {
            sched_yield();
        }
    }
}

template<Touch touch>
void run_thread(ThreadWork& work) {
    MallocHeap heap;
    Replay<MallocHeap, touch> run(heap, work.blocks);
    for (u64 number = 0; number < work.operations.size(); ++number) {
        Operation const& operation = work.operations[number];
        if (operation.thread != work.thread) {
            continue;
        }
        Atomic<u32>& done = work.done[operation.place];
        wait_for_turn(done, work.turns[number]);
        run.execute(operation, number);
        done.store(work.turns[number] + 1, release);
    }
    work.outcome = run.outcome();
}

void* thread_main(void* argument) {
    ThreadWork& work = *static_cast<ThreadWork*>(argument);
    pthread_barrier_wait(work.start);
    work.touch == Touch::all ? run_thread<Touch::all>(work) : run_thread<Touch::none>(work);
    return nullptr;
}

void replay_with_threads(
    WorkOrder const& order,
    SharedMemory const& file,
    std::span<Operation const> operations,
    std::span<Block> blocks,
    WorkResult& result) {
    static std::array<ThreadWork, threads_max> works;
    static std::array<pthread_t, threads_max> threads;
    if (order.thread_count == 0 || order.thread_count > threads_max) {
        fail("a replay with threads takes traces of 1 to 1024 threads");
    }
    SharedMemory const counters(-1, blocks.size() * sizeof(Atomic<u32>), PROT_READ | PROT_WRITE);
    pthread_barrier_t start;
    pthread_barrier_init(&start, nullptr, order.thread_count + 1);
    for (u32 thread = 0; thread < order.thread_count; ++thread) {
        works[thread].thread = thread;
        works[thread].operations = operations;
        works[thread].turns = file.part<u32 const>(order.turns_offset, operations.size());
        works[thread].done = counters.part<Atomic<u32>>(0, blocks.size());
        works[thread].blocks = blocks;
        works[thread].start = &start;
        works[thread].touch = order.touch;
        if (pthread_create(&threads[thread], nullptr, thread_main, &works[thread]) != 0) {
            fail("the host starts no more threads");
        }
    }
    u64 const cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    pthread_barrier_wait(&start);
    u64 const wall = now_ns(CLOCK_MONOTONIC);
    for (u32 thread = 0; thread < order.thread_count; ++thread) {
        pthread_join(threads[thread], nullptr);
        result.outcome.refused += works[thread].outcome.refused;
        result.outcome.misaligned += works[thread].outcome.misaligned;
        result.outcome.wrong_content += works[thread].outcome.wrong_content;
    }
    result.wall_ns = now_ns(CLOCK_MONOTONIC) - wall;
    result.cpu_ns = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    MallocHeap heap;
    Replay<MallocHeap, Touch::all> rest(heap, blocks);
    if (order.touch == Touch::all) {
        rest.release_rest(operations.size());
        result.outcome.wrong_content += rest.outcome().wrong_content;
    }
}

/// The file that this process's malloc comes from.
void name_allocator(WorkResult& result) {
    Dl_info found{};
    void* const function = dlsym(RTLD_DEFAULT, "malloc");
    if (function != nullptr && dladdr(function, &found) != 0 && found.dli_fname != nullptr) {
        std::snprintf(result.allocator.data(), result.allocator.size(), "%s", found.dli_fname);
    }
}

WorkResult work() {
    struct stat status{};
    if (fstat(order_descriptor, &status) != 0 ||
        status.st_size < static_cast<off_t>(sizeof(WorkOrder))) {
        fail("is started by twofold-replay and does nothing without an order");
    }
    SharedMemory const file(order_descriptor, static_cast<u64>(status.st_size), PROT_READ);
    WorkOrder const order = file.part<WorkOrder const>(0, 1).front();
    auto const operations =
        file.part<Operation const>(order.operations_offset, order.operation_count);
    if (order.measure != Measure::memory) {
        file.populate();
    }
    u64 const block_bytes = std::max<u64>(order.place_count, 1) * sizeof(Block);
    SharedMemory const table(-1, block_bytes, PROT_READ | PROT_WRITE);
    auto const blocks = table.part<Block>(0, order.place_count);
    WorkResult result;
    name_allocator(result);
    if (order.measure == Measure::threads) {
        replay_with_threads(order, file, operations, blocks, result);
    } else if (order.touch == Touch::all) {
        replay_in_order<Touch::all>(order, operations, blocks, result);
    } else {
        replay_in_order<Touch::none>(order, operations, blocks, result);
    }
    return result;
}

} // namespace

} // namespace twofold::allocation

void twofold::check_failed(char const* expression, std::source_location) {
    allocation::fail(expression);
}

int main() {
    using namespace twofold::allocation;
    WorkResult const result = work();
    if (write(result_descriptor, &result, sizeof(result)) != static_cast<ssize_t>(sizeof(result))) {
        fail("the result cannot be handed over");
    }
    std::_Exit(0); // what an allocator does at exit is not part of a replay
}
