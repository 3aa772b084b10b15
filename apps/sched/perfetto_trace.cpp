// Perfetto's TrackEvent. See perfetto_trace.hpp.
#include "apps/sched/perfetto_trace.hpp"

#include <fmt/format.h>
#include <map>

namespace twofold::lab {

namespace {

constexpr u32 run_shift = 32; ///< tracks and arrows of one run

constexpr u64 cpus_track = 1;
constexpr u64 threads_track = 2;
constexpr u64 first_cpu_track = 16;
constexpr u64 first_thread_track = 1024;

} // namespace

std::vector<std::string> thread_names(Workload const& workload) {
    std::map<std::string_view, u32> counts;
    for (Task const& task : workload.tasks) {
        ++counts[task.name.view()];
    }
    std::vector<std::string> names;
    for (Task const& task : workload.tasks) {
        names.push_back(
            counts[task.name.view()] == 1 ? std::string(task.name.view())
                                          : fmt::format("{} {}", task.name.view(), task.instance));
    }
    return names;
}

PerfettoTrace::PerfettoTrace(
    Workload const& workload, std::string const& title, u32 number, std::ostream& out)
    : m_names(thread_names(workload)),
      m_threads(m_names.size()),
      m_running(workload.cpus.size(), nobody),
      m_base(u64{number} << run_shift),
      m_flows(m_base),
      m_out(out, number + 1) {
    auto const rank = static_cast<int>(2 * number);
    m_out.add_track(m_base + cpus_track, title + ": processors", 0, rank);
    m_out.add_track(m_base + threads_track, title + ": threads", 0, rank + 1);
    for (u32 i = 0; i < m_running.size(); ++i) {
        m_out.add_track(
            cpu_track(i), fmt::format("cpu {}", i), m_base + cpus_track, static_cast<int>(i));
    }
    for (u32 i = 0; i < m_names.size(); ++i) {
        m_out.add_track(thread_track(i), m_names[i], m_base + threads_track, static_cast<int>(i));
    }
}

u64 PerfettoTrace::thread_track(u32 thread) const {
    return m_base + first_thread_track + thread;
}

u64 PerfettoTrace::cpu_track(u32 cpu) const {
    return m_base + first_cpu_track + cpu;
}

void PerfettoTrace::end_slice(u32 thread, Nanos now) {
    if (m_threads[thread].slice != Slice::none) {
        m_out.end(thread_track(thread), now.value);
        m_threads[thread].slice = Slice::none;
    }
}

void PerfettoTrace::take(Happening const& happening) {
    u32 const number = happening.thread;
    switch (happening.kind) {
    case HappeningKind::run:
        run(happening);
        break;
    case HappeningKind::wake: {
        Thread& thread = m_threads[number];
        thread.flow = ++m_flows;
        bool const is_timer = happening.other == nobody;
        m_out.mark(
            thread_track(is_timer ? number : happening.other),
            is_timer ? "timer" : "wakes " + m_names[number], happening.now.value, thread.flow);
        m_out.begin(thread_track(number), "waits", happening.now.value);
        thread.slice = Slice::waits;
        break;
    }
    case HappeningKind::sleep:
    case HappeningKind::leave:
        end_slice(number, happening.now);
        break;
    case HappeningKind::late:
        m_out.mark(thread_track(number), "late", happening.now.value);
        break;
    case HappeningKind::refuse:
        m_out.mark(thread_track(number), "refused", happening.now.value);
        break;
    case HappeningKind::violate:
        m_out.mark(cpu_track(happening.cpu), "wrong answer of the policy", happening.now.value);
        break;
    case HappeningKind::job:
    case HappeningKind::stick:
        break;
    }
}

void PerfettoTrace::run(Happening const& happening) {
    u32& running = m_running[happening.cpu];
    if (running != nobody) {
        m_out.end(cpu_track(happening.cpu), happening.now.value);
        if (m_threads[running].slice == Slice::runs) { // it was preempted
            end_slice(running, happening.now);
            m_out.begin(thread_track(running), "waits", happening.now.value);
            m_threads[running].slice = Slice::waits;
        }
    }
    running = happening.thread;
    if (running == nobody) {
        return;
    }
    m_out.begin(cpu_track(happening.cpu), m_names[running], happening.now.value);
    end_slice(running, happening.now);
    u64 const flow = std::exchange(m_threads[running].flow, 0);
    m_out.begin(
        thread_track(running), fmt::format("runs on cpu {}", happening.cpu), happening.now.value,
        flow);
    m_threads[running].slice = Slice::runs;
}

void PerfettoTrace::finish(Nanos now) {
    for (u32 i = 0; i < m_running.size(); ++i) {
        if (m_running[i] != nobody) {
            m_out.end(cpu_track(i), now.value);
        }
    }
    for (u32 i = 0; i < m_threads.size(); ++i) {
        end_slice(i, now);
    }
    m_out.flush();
}

} // namespace twofold::lab
