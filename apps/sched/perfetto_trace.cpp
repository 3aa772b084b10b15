// Perfetto's TrackEvent. See perfetto_trace.hpp.
#include "apps/sched/perfetto_trace.hpp"

#include "apps/sched/protobuf.hpp"

#include <fmt/format.h>
#include <map>

namespace twofold::lab {

namespace {

/// Numbers of fields, by message.
namespace trace {
constexpr u32 packet = 1;
}
namespace packet {
constexpr u32 timestamp = 8;
constexpr u32 sequence = 10;
constexpr u32 track_event = 11;
constexpr u32 track_descriptor = 60;
} // namespace packet
namespace descriptor {
constexpr u32 uuid = 1;
constexpr u32 name = 2;
constexpr u32 parent = 5;
constexpr u32 child_ordering = 11;
constexpr u32 rank = 12;
} // namespace descriptor
namespace event {
constexpr u32 type = 9;
constexpr u32 track = 11;
constexpr u32 name = 23;
constexpr u32 flow = 47;
constexpr u32 terminating_flow = 48;
} // namespace event

constexpr u64 type_slice_begin = 1;
constexpr u64 type_slice_end = 2;
constexpr u64 type_instant = 3;
constexpr u64 order_explicit = 3;
constexpr u32 run_shift = 32; ///< tracks and arrows of one run

constexpr u64 cpus_track = 1;
constexpr u64 threads_track = 2;
constexpr u64 first_cpu_track = 16;
constexpr u64 first_thread_track = 1024;

void write(std::ostream& out, ProtobufMessage const& packet) {
    ProtobufMessage whole;
    whole.add_message(trace::packet, packet);
    out.write(whole.bytes().data(), static_cast<std::streamsize>(whole.bytes().size()));
}

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
      m_sequence(number + 1),
      m_out(out) {
    auto const rank = static_cast<int>(2 * number);
    add_track(m_base + cpus_track, title + ": processors", 0, rank);
    add_track(m_base + threads_track, title + ": threads", 0, rank + 1);
    for (u32 i = 0; i < m_running.size(); ++i) {
        add_track(cpu_track(i), fmt::format("cpu {}", i), m_base + cpus_track, static_cast<int>(i));
    }
    for (u32 i = 0; i < m_names.size(); ++i) {
        add_track(thread_track(i), m_names[i], m_base + threads_track, static_cast<int>(i));
    }
}

u64 PerfettoTrace::thread_track(u32 thread) const {
    return m_base + first_thread_track + thread;
}

u64 PerfettoTrace::cpu_track(u32 cpu) const {
    return m_base + first_cpu_track + cpu;
}

void PerfettoTrace::write_event(ProtobufMessage const& event, Nanos now) {
    ProtobufMessage packet;
    packet.add_number(packet::timestamp, static_cast<u64>(now.value));
    packet.add_number(packet::sequence, m_sequence);
    packet.add_message(packet::track_event, event);
    write(m_out, packet);
}

void PerfettoTrace::add_track(u64 track, std::string const& name, u64 parent, int rank) {
    ProtobufMessage made;
    made.add_number(descriptor::uuid, track);
    made.add_text(descriptor::name, name);
    if (parent != 0) {
        made.add_number(descriptor::parent, parent);
    } else {
        made.add_number(descriptor::child_ordering, order_explicit);
    }
    made.add_number(descriptor::rank, static_cast<u64>(rank));
    ProtobufMessage packet;
    packet.add_number(packet::sequence, m_sequence);
    packet.add_message(packet::track_descriptor, made);
    write(m_out, packet);
}

void PerfettoTrace::begin(u64 track, std::string const& name, Nanos now, u64 flow_end) {
    ProtobufMessage made;
    made.add_number(event::type, type_slice_begin);
    made.add_number(event::track, track);
    made.add_text(event::name, name);
    if (flow_end != 0) {
        made.add_fixed(event::terminating_flow, flow_end);
    }
    write_event(made, now);
}

void PerfettoTrace::end(u64 track, Nanos now) {
    ProtobufMessage made;
    made.add_number(event::type, type_slice_end);
    made.add_number(event::track, track);
    write_event(made, now);
}

void PerfettoTrace::mark(u64 track, std::string const& name, Nanos now, u64 flow) {
    ProtobufMessage made;
    made.add_number(event::type, type_instant);
    made.add_number(event::track, track);
    made.add_text(event::name, name);
    if (flow != 0) {
        made.add_fixed(event::flow, flow);
    }
    write_event(made, now);
}

void PerfettoTrace::end_slice(u32 thread, Nanos now) {
    if (m_threads[thread].slice != Slice::none) {
        end(thread_track(thread), now);
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
        mark(
            thread_track(is_timer ? number : happening.other),
            is_timer ? "timer" : "wakes " + m_names[number], happening.now, thread.flow);
        begin(thread_track(number), "waits", happening.now);
        thread.slice = Slice::waits;
        break;
    }
    case HappeningKind::sleep:
    case HappeningKind::leave:
        end_slice(number, happening.now);
        break;
    case HappeningKind::late:
        mark(thread_track(number), "late", happening.now);
        break;
    case HappeningKind::refuse:
        mark(thread_track(number), "refused", happening.now);
        break;
    case HappeningKind::violate:
        mark(cpu_track(happening.cpu), "wrong answer of the policy", happening.now);
        break;
    case HappeningKind::job:
    case HappeningKind::stick:
        break;
    }
}

void PerfettoTrace::run(Happening const& happening) {
    u32& running = m_running[happening.cpu];
    if (running != nobody) {
        end(cpu_track(happening.cpu), happening.now);
        if (m_threads[running].slice == Slice::runs) { // it was preempted
            end_slice(running, happening.now);
            begin(thread_track(running), "waits", happening.now);
            m_threads[running].slice = Slice::waits;
        }
    }
    running = happening.thread;
    if (running == nobody) {
        return;
    }
    begin(cpu_track(happening.cpu), m_names[running], happening.now);
    end_slice(running, happening.now);
    u64 const flow = std::exchange(m_threads[running].flow, 0);
    begin(thread_track(running), fmt::format("runs on cpu {}", happening.cpu), happening.now, flow);
    m_threads[running].slice = Slice::runs;
}

void PerfettoTrace::finish(Nanos now) {
    for (u32 i = 0; i < m_running.size(); ++i) {
        if (m_running[i] != nobody) {
            end(cpu_track(i), now);
        }
    }
    for (u32 i = 0; i < m_threads.size(); ++i) {
        end_slice(i, now);
    }
    m_out.flush();
}

} // namespace twofold::lab
