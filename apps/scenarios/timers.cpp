// The queue of deadlines under a clock that the scenario moves: what runs, in which order, what the
// alarm is set to, and the edges of time.
#include "apps/scenarios/scenarios.hpp"

#include <algorithm>

namespace twofold::scenarios {

namespace {

using twofold::boot::Kernel;
using twofold::boot::Recorder;
using namespace twofold::processor;

constexpr Nanos never{INT64_MAX};

struct Clock {
    Nanos now{};
    Nanos armed = never;
    u64 arms = 0;
    Alarm alarm{
        .now = [](void* self) { return static_cast<Clock*>(self)->now; },
        .arm =
            [](void* self, Nanos deadline) {
                static_cast<Clock*>(self)->armed = deadline;
                ++static_cast<Clock*>(self)->arms;
            },
        .disarm = [](void* self) { static_cast<Clock*>(self)->armed = never; },
        .object = this};
};

constexpr usize timer_count = 24;

/// Timers that note their number as they go off; some start again, some cancel others.
class Bench {
public:
    Bench() {
        m_queue.open(m_clock.alarm);
        for (usize i = 0; i < timer_count; ++i) {
            m_entries[i].bench = this;
            m_entries[i].number = i;
        }
    }

    void run(Recorder& record, Random& random) {
        for (u32 round = 0; round < 200; ++round) {
            usize const which = random.below(timer_count);
            if (m_entries[which].timer.is_queued()) {
                m_cancelled += TimerQueue::cancel(m_entries[which].timer) ? 1 : 0;
            } else { // close together, so that some are equal and some lie in the past
                i64 const ahead = static_cast<i64>(random.below(40)) - 5;
                m_queue.start(m_entries[which].timer, m_clock.now + Nanos{ahead});
            }
            advance(m_clock.now + Nanos{static_cast<i64>(random.below(4))});
        }
        advance(m_clock.now + Nanos{1000});
        record.number("order", m_order);
        record.number("cancelled", m_cancelled);
        record.number("alarms set", m_clock.arms);
        TimerStatistics const seen = m_queue.statistics();
        record.number("expired", seen.expired);
        record.number("started", seen.started);
        record.number("pending", m_queue.pending());
        record.number("late by at most", m_queue.lateness().max());
    }

    void meet_edges(Recorder& record) {
        constexpr i64 deadlines[] = {
            INT64_MIN, -1, 0, (i64{1} << 32) - 1, i64{1} << 32, (i64{1} << 32) + 1, INT64_MAX - 1};
        for (usize i = std::size(deadlines); i > 0; --i) {
            m_queue.start(m_entries[i - 1].timer, {deadlines[i - 1]});
        }
        advance(m_clock.now);
        record.number("pending behind the past", m_queue.pending());
        advance({(i64{1} << 32) - 1});
        record.number("pending before 2^32", m_queue.pending());
        advance({i64{1} << 32});
        record.number("pending at 2^32", m_queue.pending());
        advance({INT64_MAX - 1});
        record.number("pending at the end of time", m_queue.pending());
        record.number("order at the edges", m_order);
    }

    /// Deadlines that are started in another order than they are due, step by step.
    void meet_steps(Recorder& record) {
        constexpr usize steps = 24;
        Clock const before = m_clock;
        for (usize i = 0; i < steps; ++i) {
            usize const number = i * 7 % steps;
            m_queue.start(m_entries[number].timer, {before.now.value - 100 + i64(number)});
        }
        for (usize step = 0; step < steps; ++step) {
            m_order = 0;
            m_queue.expire();
            char name[24];
            record.number(format_to(std::span(name), "order in batch {}", step).text, m_order);
        }
        advance(m_clock.now + Nanos{1000}); // those that have started themselves again
    }

private:
    struct Entry {
        Bench* bench = nullptr;
        usize number = 0;
        Timer timer{
            [](void* self) {
                static_cast<Entry*>(self)->bench->go_off(*static_cast<Entry*>(self));
            },
            this};
    };

    void go_off(Entry& entry) {
        m_order = m_order * 31 + entry.number;
        if (entry.number % 5 == 0 && m_restarts < 40) {
            ++m_restarts;
            m_queue.start(entry.timer, m_clock.now + Nanos{7});
        } else if (entry.number % 7 == 0) {
            m_cancelled += TimerQueue::cancel(m_entries[entry.number / 2].timer) ? 1 : 0;
        }
    }

    void advance(Nanos moment) {
        while (m_clock.armed <= moment) {
            m_clock.now = std::max(m_clock.now, m_clock.armed);
            m_clock.armed = never;
            m_queue.expire();
        }
        m_clock.now = std::max(m_clock.now, moment);
    }

    sync::InterruptGuard m_off; // alarms come with interrupts off
    Clock m_clock;
    TimerQueue m_queue;
    Entry m_entries[timer_count];
    u64 m_order = 0;
    u64 m_cancelled = 0;
    u64 m_restarts = 0;
};

} // namespace

void timers(Recorder& record, Kernel&) {
    Bench bench;
    Random random(20260401);
    bench.run(record, random);
    bench.meet_steps(record);
    bench.meet_edges(record);
}

} // namespace twofold::scenarios
