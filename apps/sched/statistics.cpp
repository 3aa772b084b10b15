// Counting what happens. See statistics.hpp.
#include "apps/sched/statistics.hpp"

#include <algorithm>

namespace twofold::lab {

Statistics::Statistics(Workload const& workload)
    : m_workload(workload),
      m_fluid(workload.tasks.size(), static_cast<u32>(workload.cpus.size())),
      m_threads(workload.tasks.size()),
      m_running(workload.cpus.size(), nobody) {
    m_figures.threads.resize(workload.tasks.size());
    m_figures.cpus.resize(workload.cpus.size());
    for (u32 i = 0; i < workload.tasks.size(); ++i) {
        Scheduling const& scheduling = workload.schedulings[workload.tasks[i].schedule];
        m_threads[i].is_fair = scheduling.demand == Demand::ordinary;
        m_fluid.set_weight(i, scheduling.weight);
    }
}

void Statistics::take(Happening const& happening) {
    switch (happening.kind) {
    case HappeningKind::run:
        run(happening);
        break;
    case HappeningKind::wake:
        wake(happening);
        break;
    case HappeningKind::sleep:
    case HappeningKind::leave:
        stop(happening.thread, State::asleep, happening.now);
        break;
    case HappeningKind::job:
    case HappeningKind::late:
        m_figures.threads[happening.thread].responses.push_back(happening.amount);
        m_figures.threads[happening.thread].late += happening.kind == HappeningKind::late ? 1 : 0;
        break;
    case HappeningKind::refuse:
        ++m_figures.threads[happening.thread].refused;
        break;
    case HappeningKind::stick:
        m_figures.stuck = happening.thread;
        break;
    case HappeningKind::violate:
        m_figures.violation = m_figures.violation == 0 ? happening.amount : m_figures.violation;
        break;
    }
}

void Statistics::wake(Happening const& happening) {
    Thread& thread = m_threads[happening.thread];
    ++m_figures.threads[happening.thread].wakes;
    thread.state = State::woken;
    thread.since = happening.now;
    if (thread.is_fair) {
        thread.received = {};
        m_fluid.join(happening.thread, happening.now);
    }
}

void Statistics::run(Happening const& happening) {
    u32& running = m_running[happening.cpu];
    if (running != nobody) {
        ++m_figures.threads[running].preemptions;
        stop(running, State::waiting, happening.now);
    }
    running = happening.thread;
    share_cpus(happening.now);
    if (running == nobody) {
        return;
    }
    Thread& thread = m_threads[running];
    ThreadFigures& figures = m_figures.threads[running];
    Nanos const waited = happening.now - thread.since;
    if (thread.state == State::woken) {
        figures.wake_latencies.push_back(waited.value);
    }
    figures.waited = figures.waited + waited;
    ++figures.switches;
    ++m_figures.cpus[happening.cpu].switches;
    figures.migrations += thread.cpu != nobody && thread.cpu != happening.cpu ? 1 : 0;
    thread.cpu = happening.cpu;
    thread.state = State::running;
    thread.since = happening.now;
    note_lag(running, happening.now);
}

void Statistics::stop(u32 number, State next, Nanos now) {
    Thread& thread = m_threads[number];
    ThreadFigures& figures = m_figures.threads[number];
    CHECK(thread.state == State::running);
    Nanos const ran = now - thread.since;
    figures.ran = figures.ran + ran;
    thread.received = thread.received + ran;
    m_figures.cpus[thread.cpu].busy = m_figures.cpus[thread.cpu].busy + ran;
    m_running[thread.cpu] = nobody;
    thread.state = next;
    thread.since = now;
    note_lag(number, now);
    if (next == State::asleep) {
        leave_fluid(number, now);
        share_cpus(now);
    }
}

void Statistics::note_lag(u32 number, Nanos now) {
    Thread const& thread = m_threads[number];
    if (!thread.is_fair) {
        return;
    }
    ThreadFigures& figures = m_figures.threads[number];
    double const lag = m_fluid.received(number, now) - static_cast<double>(thread.received.value);
    figures.lag_max = std::max(figures.lag_max, lag);
    figures.lag_min = std::min(figures.lag_min, lag);
}

void Statistics::leave_fluid(u32 number, Nanos now) {
    Thread const& thread = m_threads[number];
    if (!thread.is_fair) {
        return;
    }
    ThreadFigures& figures = m_figures.threads[number];
    figures.ideal += m_fluid.received(number, now);
    figures.fair += static_cast<double>(thread.received.value);
    m_fluid.leave(number, now);
}

/// Processors that run others are not there for the fluid schedule.
void Statistics::share_cpus(Nanos now) {
    auto const others = std::ranges::count_if(
        m_running, [this](u32 number) { return number != nobody && !m_threads[number].is_fair; });
    m_fluid.set_cpus(static_cast<u32>(m_running.size() - static_cast<usize>(others)), now);
}

void Statistics::finish(Nanos end) {
    m_figures.duration = end;
    for (u32 i = 0; i < m_threads.size(); ++i) {
        Thread& thread = m_threads[i];
        if (thread.state == State::running) {
            stop(i, State::waiting, end);
        } else if (thread.state != State::asleep) {
            m_figures.threads[i].waited = m_figures.threads[i].waited + (end - thread.since);
            note_lag(i, end);
        }
        if (thread.state != State::asleep) {
            leave_fluid(i, end);
        }
    }
    add_energy(m_figures, m_workload);
}

void add_energy(RunFigures& figures, Workload const& workload) {
    for (usize i = 0; i < figures.cpus.size(); ++i) {
        Cpu const& cpu = workload.cpus[i];
        auto const busy = static_cast<double>(figures.cpus[i].busy.value);
        auto const idle = static_cast<double>(figures.duration.value) - busy;
        figures.energy_mj += (busy * cpu.active_power + idle * cpu.idle_power) * 1e-9;
        figures.has_energy = figures.has_energy || cpu.active_power != 0;
    }
}

i64 percentile(std::vector<i64>& values, u32 permille) {
    if (values.empty()) {
        return 0;
    }
    usize const rank = (values.size() * permille + 999) / 1000;
    std::ranges::sort(values);
    return values[std::max<usize>(rank, 1) - 1];
}

double jain_index(std::vector<double> const& values) {
    double sum = 0;
    double squares = 0;
    for (double const value : values) {
        sum += value;
        squares += value * value;
    }
    return squares == 0 ? 1 : sum * sum / (static_cast<double>(values.size()) * squares);
}

std::optional<double> fairness(RunFigures const& figures) {
    std::vector<double> parts;
    for (ThreadFigures const& thread : figures.threads) {
        if (thread.ideal > 0) {
            parts.push_back(std::min(thread.fair / thread.ideal, 1.0));
        }
    }
    return parts.empty() ? std::nullopt : std::optional(jain_index(parts));
}

} // namespace twofold::lab
