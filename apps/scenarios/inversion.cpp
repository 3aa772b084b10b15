// Priority inversion on the kernel's own threads. `low` holds a mutex that `second` waits for, and
// second one that `high` waits for, while `hog` computes without end and is stronger than low and
// second: high goes on because its strength is lent along the chain. All run on one processor, so
// their order is that of their strengths, on every machine.
#include "apps/scenarios/scenarios.hpp"
#include "core/task/task.hpp"

namespace twofold::scenarios {

namespace {

using task::KernelThreads;
using task::Mutex;
using task::Thread;
using task::Threads;
using twofold::boot::Kernel;
using twofold::boot::Recorder;

/// The priorities of the four.
struct Strengths {
    u32 low;
    u32 second;
    u32 hog;
    u32 high;
};
constexpr Strengths all_strengths[] = {{1, 5, 10, 20},  {1, 2, 3, 4},    {12, 5, 10, 20},
                                       {1, 15, 10, 20}, {8, 4, 10, 11},  {6, 5, 4, 7},
                                       {1, 30, 10, 40}, {30, 30, 31, 50}};
constexpr u32 conductor_priority = 60;
/// After that the hog ends although high has not come: nothing was lent.
constexpr Nanos patience{2'000'000'000};

u32 fifo_priority(task::Parameters const& parameters) {
    return parameters.is<sched::Fifo>() ? parameters.get<sched::Fifo>().priority : 0;
}

/// The threads, what they share, and what is seen of them.
class Inversion {
public:
    Inversion(Threads& threads, Strengths const& strengths)
        : m_threads(threads), m_strengths(strengths) {}

    /// Runs all of it; who came when, a letter for each step.
    Result<std::string_view> play() {
        Thread& conductor = *TRY(spawn("conductor", conductor_priority, conduct));
        m_threads.join(conductor).value(); // nobody else joins it
        if (m_error) {
            return *m_error;
        }
        return m_order.view();
    }
    /// With what low and second ran while high waited.
    u32 lent_to_low() const { return m_lent_to_low; }
    u32 lent_to_second() const { return m_lent_to_second; }
    /// With what low ran when it had given everything back.
    u32 low_afterwards() const { return m_low_afterwards; }

private:
    Result<Thread*> spawn(std::string_view name, u32 priority, void (*body)(void*)) {
        task::ThreadAttributes attributes;
        attributes.name = name;
        attributes.parameters = task::Parameters::of<sched::Fifo>({.priority = priority});
        attributes.allowed = sched::CpuMask::only(m_cpu);
        return m_threads.spawn(attributes, body, this);
    }
    void note(char letter) { m_order.append(letter).value(); } // few

    static void conduct(void* self) {
        auto& it = *static_cast<Inversion*>(self);
        if (Result<void> const outcome = it.conduct(); !outcome) {
            it.m_error = outcome.error();
        }
    }
    /// The strongest: others run while it sleeps.
    Result<void> conduct() {
        Thread* threads[4]{};
        auto const started = start(threads);
        if (started) {
            m_lent_to_low = fifo_priority(m_threads.locks().effective(*threads[0]));
            m_lent_to_second = fifo_priority(m_threads.locks().effective(*threads[1]));
        } else {
            m_hog_may_end.store(1, relaxed);
        }
        m_go.set();
        for (Thread* const thread : threads) {
            if (thread != nullptr) {
                m_threads.join(*thread).value();
            }
        }
        return started;
    }
    Result<void> start(Thread* (&threads)[4]) {
        threads[0] = TRY(spawn("low", m_strengths.low, run_low));
        until_asleep(*threads[0]);
        threads[1] = TRY(spawn("second", m_strengths.second, run_second));
        until_asleep(*threads[1]);
        threads[2] = TRY(spawn("hog", m_strengths.hog, run_hog));
        threads[3] = TRY(spawn("high", m_strengths.high, run_high));
        until_asleep(*threads[3]);
        return {};
    }
    void until_asleep(Thread const& thread) {
        while (thread.state() != sched::TaskState::asleep) {
            m_threads.sleep_for(Nanos{100'000});
        }
    }

    static void run_low(void* self) {
        auto& it = *static_cast<Inversion*>(self);
        it.m_first.lock();
        it.m_go.wait();
        it.note('l');
        it.m_first.unlock();
        it.m_low_afterwards = fifo_priority(it.m_threads.locks().effective(Threads::current()));
        it.note('d');
    }
    static void run_second(void* self) {
        auto& it = *static_cast<Inversion*>(self);
        it.m_second.lock();
        it.m_first.lock();
        it.note('s');
        it.m_first.unlock();
        it.m_second.unlock();
        it.note('e');
    }
    static void run_high(void* self) {
        auto& it = *static_cast<Inversion*>(self);
        it.m_second.lock();
        it.note('h');
        it.m_second.unlock();
        it.m_hog_may_end.store(1, relaxed);
    }
    static void run_hog(void* self) {
        auto& it = *static_cast<Inversion*>(self);
        Nanos const until = hal::Clock::now() + patience;
        while (it.m_hog_may_end.load(relaxed) == 0 && hal::Clock::now() < until) {
            hal::Cpu::pause();
        }
        it.note(it.m_hog_may_end.load(relaxed) != 0 ? 'o' : 'x');
    }

    Threads& m_threads;
    Strengths m_strengths;
    CpuId m_cpu = hal::Cpu::id();
    Mutex<KernelThreads> m_first{m_threads.locks(), "first"};
    Mutex<KernelThreads> m_second{m_threads.locks(), "second"};
    task::Event<KernelThreads> m_go{m_threads.waiting()};
    Atomic<u32> m_hog_may_end{0};
    FixedString<16> m_order;
    std::optional<Error> m_error;
    u32 m_lent_to_low = 0;
    u32 m_lent_to_second = 0;
    u32 m_low_afterwards = 0;
};

void play(Recorder& record, Kernel& kernel, Strengths const& strengths) {
    char names[4][48];
    constexpr std::string_view subjects[] = {
        "who came when", "lent to low", "lent to second", "low in the end"};
    std::string_view name[4];
    for (usize i = 0; i < std::size(subjects); ++i) {
        name[i] = format_to(
                      std::span(names[i]), "{}, {}, {}, {}: {}", strengths.low, strengths.second,
                      strengths.hog, strengths.high, subjects[i])
                      .text;
    }
    auto made = memory::Box<Inversion, memory::KernelHeap>::create(
        *kernel.heap, *kernel.threads, strengths);
    if (!made) {
        record.error(name[0], made.error());
        return;
    }
    Inversion& all = *made.value();
    auto const order = all.play();
    if (!order) {
        record.error(name[0], order.error());
        return;
    }
    record.text(name[0], order.value());
    record.number(name[1], all.lent_to_low());
    record.number(name[2], all.lent_to_second());
    record.number(name[3], all.low_afterwards());
}

} // namespace

void inversion(Recorder& record, Kernel& kernel) {
    if (kernel.threads == nullptr) {
        record.error("threads", Error::not_found);
        return;
    }
    for (Strengths const& strengths : all_strengths) {
        play(record, kernel, strengths);
    }
}

} // namespace twofold::scenarios
