// Workloads: kernel code that does numbered operations to one room, compares what each answers with
// a model, and at the end looks at the room's invariants. What operation i does follows from the
// workload, the seed and i alone, so any of them may be left out.
//
// A workload bears whatever a simulation makes fail: an error that a caller has to bear is no
// failure of the workload. A wrong answer, a broken invariant and a leak are.
//
// Neighbours: runner.hpp (who does the operations), commands.hpp (who asks for it).
#pragma once

#include "apps/workloads/options.hpp"
#include "core/boot/boot.hpp"
#include "core/task/task.hpp"

#include <new>

namespace twofold::workloads {

/// One run of a workload: what it was asked for, and the first failure. All threads share it.
class Run {
public:
    static constexpr usize text_max = 240;

    /// `options` has a number of threads.
    Run(boot::Kernel& the_kernel, Options const& options, u32 its_cpus)
        : kernel(the_kernel),
          seed(options.seed),
          threads(options.threads),
          cpus(its_cpus),
          machine(options.machine),
          machines(options.machines) {}

    boot::Kernel& kernel;
    u64 const seed;
    u32 const threads; ///< that do operations
    u32 const cpus;    ///< that run threads
    u32 const machine; ///< which of those that run it together this is, from 0
    u32 const machines;

    /// The first failure stays. Any context.
    template<class... Args>
    void fail(FormatString<std::type_identity_t<Args>...> format, Args const&... args) {
        if (m_failures.fetch_add(1, relaxed) == 0) {
            m_size = format_to(std::span(m_text), format, args...).text.size();
            m_has_text.store(1, release);
        }
    }
    bool has_failed() const { return m_failures.load(relaxed) != 0; }
    /// What was the first failure; empty while there is none.
    std::string_view text() const {
        return m_has_text.load(acquire) != 0 ? std::string_view(m_text, m_size)
                                             : std::string_view();
    }

    /// It is still at it, though no operation is over. Any context.
    void go_on() {
        m_progress.fetch_add(1, relaxed);
        probe::note(probe::Note::progress, 0);
    }
    /// A caller has to bear the error: the simulation asks whether a fault explains it.
    static void bears(Error error) { probe::note(probe::Note::bears, static_cast<u64>(error)); }
    /// Data that was read is not what was written. The same.
    static void has_met_damage() { probe::note(probe::Note::damage, 0); }
    u32 progress() const { return m_progress.load(relaxed); }

    memory::KernelHeap& heap() const { return *kernel.heap; }
    task::Threads& task_threads() const { return *kernel.threads; }

private:
    Atomic<u32> m_failures{0};
    Atomic<u32> m_has_text{0};
    Atomic<u32> m_progress{0};
    usize m_size = 0;
    char m_text[text_max]{};
};

/// What a Result says beside its value.
struct Answer {
    template<class T>
    Answer(Result<T> const& result)
        : name(result.has_value() ? std::string_view("ok") : error_name(result.error())) {}
    Answer(Error error) : name(error_name(error)) {}
    Answer(std::string_view text) : name(text) {}

    std::string_view name;
};
inline constexpr std::string_view answer_ok = "ok";

/// Compares. What differs is a failure of the run.
class Check {
public:
    static constexpr u64 no_operation = ~u64{0};

    explicit Check(Run& the_run, u64 its_operation = no_operation)
        : run(the_run), operation(its_operation) {}

    Run& run;
    u64 const operation;

    /// Each returns whether it is as expected.
    bool equal(std::string_view what, u64 expected, u64 came) {
        return expected == came || said(what, expected, came);
    }
    bool equal(std::string_view what, Answer expected, Answer came) {
        return expected.name == came.name || said(what, expected.name, came.name);
    }
    bool holds(std::string_view what, bool is_so) { return equal(what, u64{1}, u64{is_so}); }
    /// That it went well, or that there was no memory for it.
    bool well(std::string_view what, Answer came) {
        return came.name == error_name(Error::out_of_memory) || equal(what, answer_ok, came);
    }

private:
    template<class T>
    bool said(std::string_view what, T const& expected, T const& came) {
        if (operation == no_operation) {
            run.fail("{}: expected {}, came {}", what, expected, came);
        } else {
            run.fail("operation {}: {}: expected {}, came {}", operation, what, expected, came);
        }
        return false;
    }
};

/// One operation.
struct Step : Check {
    Step(Run& the_run, u64 its_operation, u32 its_thread, Random const& its_random)
        : Check(the_run, its_operation), thread(its_thread), random(its_random) {}

    u32 const thread;
    Random random; ///< of this operation alone

    bool chance(u64 of_hundred) { return random.below(100) < of_hundred; }
};

/// What is known of a workload, and how to do it; `self` is what `create` made.
struct Workload {
    std::string_view name;
    std::string_view about;
    u32 operations;
    u32 cpus;       ///< that it is made for; it runs on any number
    u32 threads;    ///< that it is made for
    u32 machines;   ///< that it is made for; 1: it runs on one alone
    Nanos patience; ///< it goes on within that time, or not at all
    Result<void*> (*create)(Run& run);
    Result<void> (*begin)(void* self, Check& check);
    void (*perform)(void* self, Step& step);
    void (*end)(void* self, Check& check);
    void (*destroy)(void* self, Run& run);
};

/// What a class needs to be a workload: `W(Run&)`; `begin`, before the threads; `perform`, on each
/// of them; `end`, after them, where it gives back all it has taken.
template<class W>
concept WorkloadClass = requires(W& self, Run& run, Check& check, Step& step) {
    W(run);
    { self.begin(check) } -> std::same_as<Result<void>>;
    { self.perform(step) } -> std::same_as<void>;
    { self.end(check) } -> std::same_as<void>;
};

struct WorkloadFacts {
    std::string_view name;
    std::string_view about;
    u32 operations = 64;
    u32 cpus = 2;
    u32 threads = 2;
    u32 machines = 1;
    /// In virtual time, where it is simulated; elsewhere it has a minute.
    Nanos patience{120'000'000};
};

template<WorkloadClass W>
constexpr Workload workload_of(WorkloadFacts const& facts) {
    return {
        .name = facts.name,
        .about = facts.about,
        .operations = facts.operations,
        .cpus = facts.cpus,
        .threads = facts.threads,
        .machines = facts.machines,
        .patience = probe::is_simulated ? facts.patience : Nanos{60'000'000'000},
        .create = [](Run& run) -> Result<void*> {
            W* const room = TRY(memory::allocate_room<W>(run.heap(), 1));
            return new (room) W(run);
        },
        .begin = [](void* self, Check& check) { return static_cast<W*>(self)->begin(check); },
        .perform = [](void* self, Step& step) { static_cast<W*>(self)->perform(step); },
        .end = [](void* self, Check& check) { static_cast<W*>(self)->end(check); },
        .destroy =
            [](void* self, Run& run) {
                std::destroy_at(static_cast<W*>(self));
                memory::free_room(run.heap(), static_cast<W*>(self));
            }};
}

} // namespace twofold::workloads
