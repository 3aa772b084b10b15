// Replays an order of steps that Spin found in sleep_wake.pml on the real dispatcher.
//
//     sleep_wake_replay MUTANT STEP...
//
// The model's processes are threads here, one of which runs at a time: two processors and a waker.
// Each stops before it takes the lock of a run queue, before it gives it back, and before the
// context of the thread that leaves its processor is saved. A STEP is whose turn it is and what it
// does: p0, p1 or w, then +, - or s for these three, as in `p0+`. Where the dispatcher does not
// come to a step, as the model without its mutant would not, the step is left out; behind the last
// one all take turns.
//
// MUTANT is `none`, or the mutant that the order refutes, done to the dispatcher by who calls it:
// DROP_PERMIT does not call unpark for who is awake, EARLY_UNLOCK finishes a switch before the
// context is saved, CHECK_UNLOCKED sleeps if there was no permit before the lock was taken.
//
// Status: 0 the thread was woken as often as it slept and ran on saved contexts alone; 1 it was
// not, and what went wrong; 64 usage.
#include "core/sched/sched.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::sched;

constexpr u32 rounds_wanted = 3; ///< as in the model
constexpr usize waker = 2;       ///< the actors below it are processors

enum class Mutant : u8 { none, drop_permit, early_unlock, check_unlocked };

/// Where an actor stops.
enum class Stop : char { lock = '+', unlock = '-', save = 's', wait = '?', end = '.' };

[[noreturn]] void fail(std::string_view what) {
    fmt::print("{}\n", what);
    std::fflush(stdout);
    std::_Exit(1);
}

/// The actor that runs, and how it and who directs it take turns.
struct Actor {
    std::binary_semaphore goes{0};
    std::binary_semaphore stopped{0};
    Stop at = Stop::wait;
    bool const* lock = nullptr; ///< where it is about to take one: whether that is taken

    void stop(Stop where, bool const* which = nullptr) {
        at = where;
        lock = which;
        stopped.release();
        goes.acquire();
    }
    void go_on() {
        goes.release();
        stopped.acquire();
    }
    bool may_go() const { return lock == nullptr || !*lock; }
};

thread_local Actor* acting = nullptr; ///< null: nobody yet, while all is prepared

struct StoppingLock {
    void lock() {
        if (acting != nullptr) {
            acting->stop(Stop::lock, &is_taken);
        }
        CHECK(!is_taken);
        is_taken = true;
    }
    void unlock() {
        CHECK(is_taken);
        if (acting != nullptr) {
            acting->stop(Stop::unlock);
        }
        is_taken = false;
    }
    bool is_taken = false;
};

struct StoppingWorld {
    using Lock = StoppingLock;

    static Nanos now(CpuId) { return {}; }
    static void arm(CpuId, Nanos) {}
    static void kick(CpuId) {} // who is told looks by itself
    static void relax() { acting->stop(Stop::wait); }
};

using Dispatch = Dispatcher<Fifo, StoppingWorld>;

class Play {
public:
    explicit Play(Mutant mutant) : m_mutant(mutant) {
        for (u32 cpu = 0; cpu < m_queues.size(); ++cpu) {
            m_dispatcher.add(m_queues[cpu], {cpu}, {}, m_idle[cpu]);
        }
        CpuMask allowed = CpuMask::only({0});
        allowed.add({1});
        CHECK(m_dispatcher.admit(m_thread, {.priority = 1}, allowed).has_value());
        m_dispatcher.unpark(m_thread, {0});
        CHECK(m_dispatcher.preempt({0}) == &m_thread);
        m_dispatcher.finish({0});
        CHECK(m_dispatcher.admit(m_filler, {}, CpuMask::only({0})).has_value());
        m_dispatcher.unpark(m_filler, {0});
        for (usize who = 0; who < m_actors.size(); ++who) {
            m_threads.emplace_back([this, who] { act(who); });
            m_actors[who].stopped.acquire();
        }
    }
    ~Play() {
        for (std::thread& thread : m_threads) {
            thread.join();
        }
        for (u32 cpu = 0; cpu < waker; ++cpu) {
            while (m_dispatcher.current({cpu}) != &m_idle[cpu]) {
                CHECK(m_dispatcher.exit({cpu}) != nullptr);
                m_dispatcher.finish({cpu});
            }
        }
    }
    Play(Play const&) = delete;
    Play& operator=(Play const&) = delete;

    /// Whether the step was taken. An actor that waits for something looks first.
    bool take(usize who, Stop what) {
        Actor& actor = m_actors[who];
        if (actor.at == Stop::wait) {
            actor.go_on();
        }
        if (actor.at != what || !actor.may_go()) {
            return false;
        }
        actor.go_on();
        return true;
    }
    /// Until all have ended, each in its turn.
    void finish() {
        for (u32 turn = 0; !is_over(); ++turn) {
            if (turn == 10'000) {
                fail(fmt::format(
                    "nobody goes on: woken {} times, {} wanted", m_rounds, rounds_wanted));
            }
            Actor& actor = m_actors[turn % m_actors.size()];
            if (actor.at != Stop::end && actor.may_go()) {
                actor.go_on();
            }
        }
    }

private:
    bool is_over() const {
        return std::ranges::all_of(m_actors, [](Actor const& one) { return one.at == Stop::end; });
    }

    void act(usize who) {
        acting = &m_actors[who];
        m_actors[who].stop(Stop::wait);
        who == waker ? wake() : process({static_cast<u32>(who)});
        m_actors[who].at = Stop::end;
        m_actors[who].stopped.release();
    }

    void wake() {
        for (u32 given = 0; given < rounds_wanted; ++given) {
            while (m_rounds != given) {
                acting->stop(Stop::wait);
            }
            bool const is_awake = m_thread.state() != TaskState::asleep;
            m_permit = is_awake;
            if (m_mutant != Mutant::drop_permit || !is_awake) {
                m_dispatcher.unpark(m_thread, {waker});
            }
        }
    }

    void process(CpuId self) {
        while (!m_is_done) {
            if (m_running == self) {
                run_thread(self);
            } else if (m_dispatcher.wants_reschedule(self)) {
                look(self);
            } else {
                acting->stop(Stop::wait);
            }
        }
    }
    /// The thread runs here: it ends, or waits for its next permit.
    void run_thread(CpuId self) {
        if (m_rounds == rounds_wanted) {
            m_is_done = true;
            m_running.reset();
            return;
        }
        bool const had_permit = m_permit;
        Task* next = m_dispatcher.park(self);
        if (next == nullptr && m_mutant == Mutant::check_unlocked && !had_permit) {
            next = m_dispatcher.park(self); // whatever came since it looked
        }
        if (next == nullptr) {
            m_permit = false;
            ++m_rounds;
            return;
        }
        if (m_mutant == Mutant::early_unlock) {
            m_dispatcher.finish(self);
            save();
        } else {
            save();
            m_dispatcher.finish(self);
        }
    }
    void save() {
        acting->stop(Stop::save);
        m_is_saved = true;
        m_running.reset();
    }
    void look(CpuId self) {
        Task* const next = m_dispatcher.preempt(self);
        if (next == nullptr) {
            return;
        }
        CHECK(next == &m_thread);
        if (!m_is_saved || m_running) {
            fail("a processor takes a context that is not saved");
        }
        m_is_saved = false;
        m_running = self;
        ++m_rounds;
        m_dispatcher.finish(self);
    }

    using Task = Dispatch::Task;

    Mutant m_mutant;
    StoppingWorld m_world;
    std::array<Dispatch::Queue*, 3> m_places{};
    Dispatch m_dispatcher{m_world, m_places};
    std::array<Dispatch::Queue, 3> m_queues;
    std::array<Task, 3> m_idle;
    Task m_thread;
    Task m_filler; ///< keeps the first processor busy, so that the thread wakes on the other one
    std::optional<CpuId> m_running = CpuId{0};
    bool m_is_saved = false; ///< in registers at first
    bool m_is_done = false;
    bool m_permit = false; ///< what who looks without the lock sees
    u32 m_rounds = 0;
    std::array<Actor, 3> m_actors;
    std::vector<std::thread> m_threads;
};

std::optional<Mutant> mutant_named(std::string_view name) {
    constexpr std::pair<std::string_view, Mutant> names[] = {
        {"none", Mutant::none},
        {"DROP_PERMIT", Mutant::drop_permit},
        {"EARLY_UNLOCK", Mutant::early_unlock},
        {"CHECK_UNLOCKED", Mutant::check_unlocked}};
    auto const* const found =
        std::ranges::find(names, name, [](auto const& pair) { return pair.first; });
    return found == std::end(names) ? std::nullopt : std::optional(found->second);
}

} // namespace

int main(int count, char** words) {
    std::vector<std::string_view> const arguments(words + 1, words + count);
    auto const mutant = arguments.empty() ? std::nullopt : mutant_named(arguments[0]);
    if (!mutant) {
        fmt::print(stderr, "sleep_wake_replay: say which mutant, or none, and the steps\n");
        return 64;
    }
    constexpr std::string_view actors[] = {"p0", "p1", "w"};
    Play play(*mutant);
    usize taken = 0;
    for (std::string_view const step : std::span(arguments).subspan(1)) {
        std::string_view const name = step.substr(0, step.empty() ? 0 : step.size() - 1);
        auto const* const found = std::ranges::find(actors, name);
        if (found == std::end(actors) || !std::string_view("+-s").contains(step.back())) {
            fmt::print(stderr, "sleep_wake_replay: {} is no step, as p0+ is\n", step);
            std::_Exit(64);
        }
        taken += play.take(static_cast<usize>(found - actors), Stop{step.back()}) ? 1 : 0;
    }
    play.finish();
    fmt::print("{} of {} steps taken; all woken\n", taken, arguments.size() - 1);
    return 0;
}
