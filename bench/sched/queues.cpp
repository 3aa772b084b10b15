// See queues.hpp.
#include "bench/sched/queues.hpp"

#include "core/base/base.hpp"
#include "core/sched/sched.hpp"
#include "hal/cpu.hpp"
#include "isa/context.hpp"

#include <bit>
#include <memory>

namespace twofold::bench {

namespace {

using namespace sched;

// ---- what is measured: each takes a thread off the processor and says who is next ----

/// A policy as it is.
template<class P>
struct Alone {
    using Entity = typename P::Entity;

    template<class... Arguments>
    explicit Alone(Arguments const&... arguments) : policy(arguments...) {}

    void add(Entity& entity, typename P::Parameters const& parameters) {
        policy.admit(entity, parameters, Nanos{}).value();
        policy.wake(entity, Nanos{});
    }
    /// Who runs at first.
    Entity* begin(Nanos& now) { return pick(now); }
    template<class Leave>
    Entity* next(Nanos used, Nanos& now, Leave const& leave) {
        policy.charge(used, now);
        leave(policy, now);
        return pick(now);
    }
    Entity* pick(Nanos& now) {
        while (true) {
            auto const choice = policy.pick(now);
            if (choice.entity != nullptr) [[likely]] {
                return choice.entity;
            }
            now = now + choice.slice; // until somebody may run
        }
    }

    P policy;
};

/// The least that a run queue of priorities can be: a bit for each level that has somebody, and a
/// list for each level.
struct Bitmap {
    struct Entity : ListNode<> {
        u32 priority = 0;
    };
    struct Parameters {};

    void add(Entity& entity, Parameters const&) { push(entity); }
    Entity* begin(Nanos&) { return pop(); }
    template<class Leave>
    Entity* next(Nanos, Nanos&, Leave const&) {
        push(*current);
        return pop();
    }
    void push(Entity& entity) {
        levels[entity.priority].push_back(entity);
        occupied |= u64{1} << entity.priority;
    }
    Entity* pop() {
        auto const level = (63 - static_cast<u32>(std::countl_zero(occupied))) & 63; // never empty
        current = &levels[level].pop_front();
        if (levels[level].empty()) {
            occupied &= ~(u64{1} << level);
        }
        return current;
    }

    u64 occupied = 0;
    Entity* current = nullptr;
    IntrusiveList<Entity> levels[64];
};

/// One processor on which nobody else does anything.
struct StillWorld {
    struct Lock {
        void lock() {}
        void unlock() {}
    };

    Nanos now(CpuId) const { return time; }
    void arm(CpuId, Nanos) {}
    void kick(CpuId) {}
    void relax() {}

    Nanos time{};
};

/// The dispatcher, with all classes, and locks that take nothing.
struct Whole {
    using Dispatch = Dispatcher<KernelClasses, StillWorld>;
    using Entity = Dispatch::Task;

    void add(Entity& entity, KernelClasses::Parameters const& parameters) {
        if (queues[0] == nullptr) {
            dispatcher.add(queue, {0}, {}, idle);
        }
        dispatcher.admit(entity, parameters, CpuMask::all()).value();
        dispatcher.unpark(entity, {0});
    }
    Entity* begin(Nanos&) {
        Entity* const first = dispatcher.preempt({0});
        dispatcher.finish({0});
        return first;
    }
    template<class Leave>
    Entity* next(Nanos, Nanos const& now, Leave const& leave) {
        world.time = now;
        Entity* const found = leave(dispatcher);
        if (found != nullptr) {
            dispatcher.finish({0});
        }
        return found;
    }

    StillWorld world;
    Dispatch::Queue* queues[1] = {};
    Dispatch dispatcher{world, queues};
    Dispatch::Queue queue;
    Entity idle;
};

// ---- how a thread leaves its processor ----

struct PutBack {
    void operator()(auto& policy, Nanos now) const { policy.put_back(now); }
    Whole::Entity* operator()(Whole::Dispatch& dispatcher) const { return dispatcher.preempt({0}); }
};
struct Yield {
    void operator()(auto& policy, Nanos now) const { policy.yield(now); }
    Whole::Entity* operator()(Whole::Dispatch& dispatcher) const { return dispatcher.yield({0}); }
};
/// A request ends, and the next one comes.
struct EndAndWake {
    void operator()(auto& policy, Nanos now) const {
        auto& entity = *policy.current();
        policy.sleep(now);
        policy.wake(entity, now);
    }
};

// ---- subjects: what is measured, how its threads leave, and with what they are made ----

constexpr Nanos quantum{3'000'000};

struct OfFifo {
    using Queue = Alone<Fifo>;
    using Leave = Yield;
    static constexpr std::string_view name = "fifo";
    static constexpr RealtimeParameters parameters(usize) { return {.priority = 5}; }
};
struct OfRoundRobin {
    using Queue = Alone<RoundRobin>;
    using Leave = PutBack;
    static constexpr std::string_view name = "rr";
    static constexpr RealtimeParameters parameters(usize) {
        return {.priority = 5, .quantum = quantum};
    }
};
struct OfStrideRing {
    using Queue = Alone<Stride>;
    using Leave = PutBack;
    static constexpr std::string_view name = "stride";
    static constexpr StrideParameters parameters(usize) { return {}; }
};
struct OfStrideTree {
    using Queue = Alone<KernelStride>;
    using Leave = PutBack;
    static constexpr std::string_view name = "stride_tree";
    static constexpr StrideParameters parameters(usize) { return {}; }
};
struct OfEevdf {
    using Queue = Alone<Eevdf>;
    using Leave = PutBack;
    static constexpr std::string_view name = "eevdf";
    static constexpr EevdfParameters parameters(usize) { return {.request = quantum}; }
};
struct OfEdf {
    using Queue = Alone<Edf>;
    using Leave = PutBack;
    static constexpr std::string_view name = "edf";
    static EdfParameters parameters(usize threads) {
        return {
            .runtime = quantum,
            .period = Nanos{quantum.value * static_cast<i64>(threads) * 11 / 10}};
    }
};
struct OfBatch {
    using Queue = Alone<Batch>;
    using Leave = PutBack;
    static constexpr std::string_view name = "batch";
    static constexpr BatchParameters parameters(usize) { return {.quantum = quantum}; }
};
struct OfInference {
    using Queue = Alone<Inference>;
    using Leave = EndAndWake;
    static constexpr std::string_view name = "inference";
    static InferenceParameters parameters(usize) {
        return {.bound = Inference::bound_max, .estimate = quantum};
    }
};
struct OfBitmap {
    using Queue = Bitmap;
    using Leave = Yield;
    static constexpr std::string_view name = "bitmap";
    static constexpr Bitmap::Parameters parameters(usize) { return {}; }
};
struct OfClasses {
    using Queue = Alone<KernelClasses>;
    using Leave = PutBack;
    static constexpr std::string_view name = "classes";
    static KernelClasses::Parameters parameters(usize threads) {
        return KernelClasses::Parameters::of<RoundRobin>(OfRoundRobin::parameters(threads));
    }
};
struct OfChecked {
    using Queue = Alone<CheckedQueue<KernelClasses>>;
    using Leave = PutBack;
    static constexpr std::string_view name = "checked";
    static KernelClasses::Parameters parameters(usize threads) {
        return OfClasses::parameters(threads);
    }
};
struct OfWhole {
    using Queue = Whole;
    using Leave = PutBack;
    static constexpr std::string_view name = "dispatcher";
    static KernelClasses::Parameters parameters(usize threads) {
        return OfClasses::parameters(threads);
    }
};

// ---- the loops ----

/// Room that is given back with the memory: what is made in it is never destroyed.
template<class T>
T* room_in(StorageCursor& left, usize count) {
    return room_for<T>(left.take_bytes(count * sizeof(T), alignof(T)).value().data());
}

/// All of one subject: the queue, and threads that switch to each other.
template<class Subject>
class Loop {
public:
    using Queue = typename Subject::Queue;

    static constexpr bool has_ring = std::is_same_v<Queue, Alone<Stride>>;

    static Bytes memory(usize threads) {
        usize const places = has_ring ? std::bit_ceil(threads) : 0;
        return {sizeof(Loop) + threads * sizeof(Worker) + places * sizeof(StrideDescriptor) + 64};
    }
    static void prepare(
        std::span<std::byte> memory,
        std::span<std::span<std::byte> const> stacks,
        usize threads,
        u64 hz) {
        StorageCursor left(memory);
        auto const ring =
            left.take<StrideDescriptor>(has_ring ? std::bit_ceil(threads) : 0).value();
        s_loop = std::construct_at(room_in<Loop>(left, 1), ring, hz);
        auto const workers = std::span(room_in<Worker>(left, threads), threads);
        for (usize i = 0; i < threads; ++i) {
            Worker& worker = *std::construct_at(&workers[i]);
            s_loop->m_queue.add(worker, Subject::parameters(threads));
            if (i < stacks.size()) {
                worker.context.create(stacks[i], play, nullptr);
            }
        }
        s_loop->m_running = static_cast<Worker*>(s_loop->m_queue.begin(s_loop->m_now));
    }
    static u64 run(Turn turn, u64 turns) {
        Loop& self = *s_loop;
        self.m_left = turns;
        self.m_turn = turn;
        if (turn == Turn::decision) {
            while (self.m_left > 0) {
                self.m_running = &self.decide(quantum, typename Subject::Leave());
            }
        } else {
            self.m_read = hal::Cpu::cycle_counter();
            isa::PlainContext::switch_between(self.m_main, self.m_running->context);
        }
        return self.m_played;
    }

    Loop(std::span<StrideDescriptor> ring, u64 hz)
        requires(has_ring)
        : m_queue(ring), m_multiplier((u64{1'000'000'000} << 32) / hz) {}
    Loop(std::span<StrideDescriptor>, u64 hz)
        requires(!has_ring)
        : m_multiplier((u64{1'000'000'000} << 32) / hz) {}

private:
    struct Worker : Queue::Entity {
        isa::PlainContext context;
    };

    template<class Leave>
    [[gnu::always_inline]] Worker& decide(Nanos used, Leave const& leave) {
        --m_left;
        ++m_played;
        m_now = m_now + used;
        auto* const next = m_queue.next(used, m_now, leave);
        return next == nullptr ? *m_running : static_cast<Worker&>(*next);
    }
    Nanos read_clock() {
        u64 const counter = hal::Cpu::cycle_counter();
        u64 const cycles = counter - std::exchange(m_read, counter);
        auto const product = static_cast<unsigned __int128>(cycles) * m_multiplier;
        return {static_cast<i64>(static_cast<u64>(product >> 32))};
    }

    [[noreturn]] static void play(void*) {
        Loop& self = *s_loop;
        while (true) {
            Worker& before = *self.m_running;
            // By the clock no quantum is over yet: each lets the others go first.
            Worker& next = self.m_turn == Turn::clock
                               ? self.decide(self.read_clock(), Yield())
                               : self.decide(quantum, typename Subject::Leave());
            self.m_running = &next;
            if (self.m_left == 0) [[unlikely]] {
                isa::PlainContext::switch_between(before.context, self.m_main);
            } else if (&next != &before) [[likely]] {
                isa::PlainContext::switch_between(before.context, next.context);
            }
        }
    }

    static inline Loop* s_loop = nullptr;

    Queue m_queue;
    Worker* m_running = nullptr;
    Nanos m_now{};
    u64 m_left = 0;
    u64 m_played = 0;
    u64 m_read = 0;
    u64 m_multiplier;
    Turn m_turn = Turn::decision;
    isa::PlainContext m_main;
};

template<class Subject>
constexpr QueueLoop loop_of = {
    Subject::name, Loop<Subject>::memory, Loop<Subject>::prepare, Loop<Subject>::run};

constexpr QueueLoop loops[] = {
    loop_of<OfBitmap>,     loop_of<OfFifo>,    loop_of<OfRoundRobin>, loop_of<OfStrideRing>,
    loop_of<OfStrideTree>, loop_of<OfEevdf>,   loop_of<OfEdf>,        loop_of<OfBatch>,
    loop_of<OfInference>,  loop_of<OfClasses>, loop_of<OfChecked>,    loop_of<OfWhole>,
};

} // namespace

std::span<QueueLoop const> queue_loops() {
    return loops;
}

} // namespace twofold::bench
