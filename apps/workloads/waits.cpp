// What threads sleep for besides mutexes: semaphores, events, conditions, words, and locks that
// readers share. Whoever is woken goes on, nobody goes on for nothing, and no writer meets anybody.
//
// Some semaphores are used by few operations each, of all threads, and the history of each one is
// to be linearizable.
//
// Each thread that does operations has two helpers, on other processors as far as there are any,
// which wake it, or come in between.
#include "apps/workloads/check/history.hpp"
#include "apps/workloads/rooms.hpp"
#include "core/processor/processor.hpp"

namespace twofold::workloads {

namespace {

/// A thread that does one errand after the other for another one.
class Helper {
public:
    using Errand = void (*)(void* argument);

    Helper() = default;
    Helper(Helper const&) = delete;
    Helper& operator=(Helper const&) = delete;

    Result<void> begin(task::Threads& threads, CpuId cpu) {
        m_threads = &threads;
        task::ThreadAttributes attributes;
        attributes.name = "helper";
        attributes.allowed = sched::CpuMask::only(cpu);
        m_thread = TRY(threads.spawn(attributes, work, this));
        return {};
    }
    void end() {
        if (m_thread != nullptr) {
            m_threads->ask_to_end(*m_thread);
            m_threads->join(*std::exchange(m_thread, nullptr)).value();
        }
    }
    /// Has it do the errand; the one before is done.
    void ask(Errand errand, void* argument) {
        m_argument = argument;
        m_errand.store(errand, release);
        m_threads->unpark(*m_thread);
    }
    void wait() {
        while (m_errand.load(acquire) != nullptr) {
            m_threads->yield();
            sync::relax();
        }
    }

private:
    static void work(void* helper) {
        auto& self = *static_cast<Helper*>(helper);
        u32 idle_looks = 0;
        while (!self.is_over()) {
            if (Errand const errand = self.m_errand.load(acquire)) {
                errand(self.m_argument);
                self.m_errand.store(nullptr, release);
                idle_looks = 0;
            } else if (++idle_looks < looks_before_park) {
                sync::relax();
            } else {
                self.m_threads->park();
            }
        }
    }
    bool is_over() const { return task::Threads::current().is_to_end(); }

    static constexpr u32 looks_before_park = 50; ///< who is awake comes sooner

    task::Threads* m_threads = nullptr;
    task::Thread* m_thread = nullptr;
    void* m_argument = nullptr;
    Atomic<Errand> m_errand{nullptr};
};

/// A semaphore as one caller sees it: whether one was given, or taken.
struct CountSpec {
    enum class Op : u8 { give, take, wait };
    using State = u32;
    using Result = bool;

    static Result apply(State& state, Op const& op) {
        if (op == Op::give) {
            ++state;
            return true;
        }
        bool const has = state > 0;
        state -= has ? 1 : 0;
        return has;
    }
    static u64 hash(State const& state) { return state; }
};

/// A semaphore, and all that is done to it.
struct Counted {
    static constexpr u32 operations = 12;

    explicit Counted(task::KernelThreads& threads) : semaphore(threads, 0) {}

    task::Semaphore<task::KernelThreads> semaphore;
    HistoryEntry<CountSpec> history[operations]{}; ///< pending: not done
};

class WaitsWorkload {
public:
    explicit WaitsWorkload(Run& run)
        : m_run(run),
          m_threads(run.task_threads()),
          m_words(m_threads.waiting()),
          m_shared(m_threads.waiting()),
          m_common(m_threads.waiting(), 0) {
        for (auto& each : m_counted) {
            each.emplace(m_threads.waiting());
        }
    }
    ~WaitsWorkload() { end_helpers(); }
    WaitsWorkload(WaitsWorkload const&) = delete;
    WaitsWorkload& operator=(WaitsWorkload const&) = delete;

    Result<void> begin(Check&) {
        sched::CpuMask const known = m_threads.dispatcher().known();
        FixedVector<CpuId, sched::CpuMask::cpus_max> cpus;
        known.for_each([&](CpuId cpu) { return cpus.push_back(cpu).has_value(); });
        for (u32 i = 0; i < m_run.threads; ++i) { // on the processor (i + 1) % cpus
            m_places[i].emplace(*this);
            for (u32 helper = 0; helper < 2; ++helper) {
                CpuId const cpu = cpus[(i + 2 + helper) % cpus.size()];
                TRY(m_places[i]->helpers[helper].begin(m_threads, cpu));
            }
        }
        return {};
    }

    void perform(Step& step) {
        Place& place = *m_places[step.thread];
        u64 const what = step.random.below(8);
        for (u32 round = 0; what < 3 && round < rounds; ++round) {
            place.delay = static_cast<u32>(step.random.below(6));
            what == 0   ? wait_for_event(step, place)
            : what == 1 ? wait_for_condition(step, place)
                        : wait_for_word(step, place);
        }
        switch (what) {
        case 0:
        case 1:
        case 2:
            return;
        case 3:
            return wait_for_semaphore(step, place);
        case 4:
            return read_behind_writer(step, place);
        case 5:
        case 6:
            return share(step);
        default:
            return use_common(step);
        }
    }

    void end(Check& check) {
        end_helpers();
        check.equal("given and not taken", m_given.load(relaxed), m_common.count());
        check.equal("readers and writers", 0, m_inside.load(relaxed));
        for (u32 i = 0; i < counted_max; ++i) {
            check_history(check, i);
        }
    }

private:
    using KernelThreads = task::KernelThreads;
    static constexpr Nanos long_enough{probe::is_simulated ? i64{40'000'000} : i64{20'000'000'000}};
    static constexpr u32 rounds = 4;
    static constexpr u32 turns = 4; ///< of an operation on semaphores with histories
    static constexpr u32 counted_max = 16;
    static constexpr usize search_nodes = 1024;
    static constexpr u32 writer = 1u << 16; ///< in m_inside

    /// What a thread and its helpers share.
    struct Place {
        explicit Place(WaitsWorkload& workload)
            : owner(workload),
              event(workload.m_threads.waiting()),
              condition(workload.m_threads.waiting()),
              mutex(workload.m_threads.locks(), "waits"),
              semaphore(workload.m_threads.waiting(), 0),
              shared(workload.m_threads.waiting()) {}

        WaitsWorkload& owner;
        task::Event<KernelThreads> event;
        task::Condition<KernelThreads> condition;
        task::Mutex<KernelThreads> mutex;
        bool is_true GUARDED_BY(mutex) = false;
        task::Semaphore<KernelThreads> semaphore;
        task::SharedLock<KernelThreads> shared;
        Atomic<u32> word{0};
        Atomic<u32> answer{0};
        u32 delay = 0; ///< of a helper, in pauses
        Helper helpers[2];

        /// So that it comes sooner or later than who waits.
        void pause() const {
            for (u32 i = 0; i < delay; ++i) {
                hal::Cpu::pause();
            }
        }
    };
    static Place& place_of(void* place) { return *static_cast<Place*>(place); }
    static Nanos end_of_patience() { return hal::Clock::now() + long_enough; }

    void wait_for_event(Step& step, Place& place) {
        place.helpers[0].ask(
            [](void* own) {
                place_of(own).pause();
                place_of(own).event.set();
            },
            &place);
        step.holds("an event that was set comes", place.event.wait_until(end_of_patience()));
        place.helpers[0].wait();
        place.event.reset();
        if (step.chance(25)) {
            Nanos const soon = hal::Clock::now() + Nanos{1'000};
            step.holds("an event that was reset does not come", !place.event.wait_until(soon));
        }
    }
    void wait_for_condition(Step& step, Place& place) {
        place.mutex.lock();
        place.is_true = false;
        place.helpers[0].ask(
            [](void* own) {
                Place& its = place_of(own);
                its.pause();
                for (int tries = 0; tries < 20 && its.mutex.is_held(); ++tries) {
                    hal::Cpu::pause(); // who waits in vain for a mutex comes late
                }
                {
                    task::MutexGuard const guard(its.mutex);
                    its.is_true = true;
                }
                its.condition.notify_one();
            },
            &place);
        bool in_time = true;
        while (in_time && !place.is_true) {
            in_time = place.condition.wait_until(place.mutex, end_of_patience());
        }
        place.mutex.unlock();
        step.holds("a condition that was notified comes", in_time);
        place.helpers[0].wait();
    }
    void wait_for_word(Step& step, Place& place) {
        place.word.store(0, relaxed);
        place.helpers[0].ask(
            [](void* own) {
                Place& its = place_of(own);
                its.pause();
                its.word.store(1, release);
                its.owner.m_words.wake(its.word, 1);
            },
            &place);
        while (place.word.load(acquire) == 0) {
            auto const answer = m_words.wait(place.word, 0, end_of_patience());
            if (!step.holds("a word that changed wakes", answer != task::WordWait::timed_out)) {
                break;
            }
            step.holds(
                "the word has changed",
                place.word.load(acquire) != 0 || answer == task::WordWait::woken);
        }
        place.helpers[0].wait();
    }
    void wait_for_semaphore(Step& step, Place& place) {
        u32 const count = 1 + static_cast<u32>(step.random.below(3));
        place.answer.store(count, relaxed);
        place.helpers[0].ask(
            [](void* own) {
                place_of(own).semaphore.release(place_of(own).answer.load(relaxed)).value();
            },
            &place);
        for (u32 i = 0; i < count; ++i) {
            step.holds("what was given is taken", place.semaphore.acquire_until(end_of_patience()));
        }
        place.helpers[0].wait();
        step.equal("left of what was given", 0, place.semaphore.count());
        step.holds("more than was given", !place.semaphore.try_acquire());
    }
    /// A reader comes while a writer waits, which soon waits no longer: both read at once then.
    void read_behind_writer(Step& step, Place& place) {
        place.shared.lock_shared();
        place.answer.store(0, relaxed);
        place.helpers[0].ask(
            [](void* own) {
                if (place_of(own).shared.lock_until(hal::Clock::now() + Nanos{20'000})) {
                    place_of(own).answer.fetch_or(2, relaxed);
                    place_of(own).shared.unlock();
                }
            },
            &place);
        place.helpers[1].ask(
            [](void* own) {
                if (place_of(own).shared.lock_shared_until(end_of_patience())) {
                    place_of(own).answer.fetch_or(1, relaxed);
                    place_of(own).shared.unlock_shared();
                }
            },
            &place);
        place.helpers[0].wait();
        place.helpers[1].wait();
        place.shared.unlock_shared();
        step.equal("who has come in", 1, place.answer.load(relaxed));
    }

    /// Readers and writers of all threads.
    void share(Step& step) {
        bool const is_hasty = step.chance(30);
        Nanos const end = is_hasty ? hal::Clock::now() + Nanos{3'000} : end_of_patience();
        if (step.chance(40)) {
            if (m_shared.lock_until(end)) {
                step.equal("others where somebody writes", 0, m_inside.fetch_add(writer, relaxed));
                step.equal("writers", writer, m_inside.load(relaxed));
                m_inside.fetch_sub(writer, relaxed);
                m_shared.unlock();
            } else {
                step.holds("a writer comes in", is_hasty);
            }
        } else if (m_shared.lock_shared_until(end)) {
            for (int i = 0; i < 4; ++i) {
                step.holds("readers alone", m_inside.fetch_add(1, relaxed) < writer);
                m_inside.fetch_sub(1, relaxed);
            }
            m_shared.unlock_shared();
        } else {
            step.holds("a reader comes in", is_hasty);
        }
    }
    /// What all give to and take from.
    void use_common(Step& step) {
        if (step.chance(50)) {
            u32 const count = 1 + static_cast<u32>(step.random.below(3));
            m_given.fetch_add(count, relaxed);
            m_common.release(count).value(); // far below what a semaphore counts
        } else if (m_common.acquire_until(hal::Clock::now() + Nanos{5'000})) {
            m_given.fetch_sub(1, relaxed);
        }
        for (u32 i = 0; i < turns; ++i) {
            use_counted(step);
        }
    }
    /// Places in histories are handed out in turn, so what is done to a semaphore is all there.
    void use_counted(Step& step) {
        u32 const place = m_places_taken.fetch_add(1, relaxed);
        if (place >= counted_max * Counted::operations) {
            return;
        }
        Counted& counted = *m_counted[place / Counted::operations];
        auto& entry = counted.history[place % Counted::operations];
        u64 const what = step.random.below(100);
        entry.op = what < 45   ? CountSpec::Op::give
                   : what < 85 ? CountSpec::Op::take
                               : CountSpec::Op::wait;
        entry.called = m_moment.fetch_add(1, acquire_release);
        switch (entry.op) {
        case CountSpec::Op::give:
            entry.result = counted.semaphore.release().has_value();
            break;
        case CountSpec::Op::take:
            entry.result = counted.semaphore.try_acquire();
            break;
        case CountSpec::Op::wait:
            entry.result = counted.semaphore.acquire_until(hal::Clock::now() + Nanos{2'000});
            break;
        }
        entry.returned = m_moment.fetch_add(1, acquire_release);
    }
    void check_history(Check& check, u32 number) {
        FixedVector<HistoryEntry<CountSpec>, Counted::operations> done;
        for (auto const& entry : m_counted[number]->history) {
            if (!entry.is_pending()) {
                done.push_back(entry).value();
            }
        }
        expect_linearizable<CountSpec>(check, "semaphore", number, done.items(), 0, m_nodes);
    }

    void end_helpers() {
        for (auto& place : m_places) {
            if (place) {
                place->helpers[0].end();
                place->helpers[1].end();
            }
        }
    }

    Run& m_run;
    task::Threads& m_threads;
    task::WaitTable<KernelThreads, 4> m_words;
    task::SharedLock<KernelThreads> m_shared;
    task::Semaphore<KernelThreads> m_common;
    Atomic<u32> m_given{0};  ///< to m_common, and not taken
    Atomic<u32> m_inside{0}; ///< readers, and `writer` for each writer
    std::optional<Counted> m_counted[counted_max];
    Atomic<u32> m_places_taken{0}; ///< in their histories, from the first one's on
    Atomic<u64> m_moment{0};       ///< of histories: grows from each call to its return
    SearchNode<CountSpec> m_nodes[search_nodes]{};
    std::optional<Place> m_places[threads_max];
};

} // namespace

constinit Workload const waits_workload = workload_of<WaitsWorkload>(
    {.name = "waits",
     .about = "semaphores, events, conditions, words and shared locks that threads sleep for",
     .operations = 48});

} // namespace twofold::workloads
