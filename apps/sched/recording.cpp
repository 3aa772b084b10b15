// Recorded schedules. See recording.hpp.
#include "apps/sched/recording.hpp"

#include "apps/launch/status.hpp"
#include "core/sched/sched.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <map>
#include <optional>

namespace twofold::lab {

namespace {

using launch::Failure;
using launch::Status;

constexpr usize fraction_digits = 9;
constexpr i64 pid_max = 1 << 30;
constexpr int nice_zero_priority = 120; ///< as the kernel counts: 100 to 139 are nice values
constexpr int ordinary_priority_min = 100;
constexpr int ordinary_priority_max = 139;

std::string_view trim(std::string_view text) {
    usize const begin = std::min(text.find_first_not_of(" \t\r"), text.size());
    text.remove_prefix(begin);
    return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

std::optional<i64> number(std::string_view text, i64 least, i64 most) {
    i64 value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    bool const fits =
        error == std::errc{} && end == text.data() + text.size() && value >= least && value <= most;
    return fits ? std::optional(value) : std::nullopt;
}

/// "24826.850105" in nanoseconds.
std::optional<i64> timestamp(std::string_view text) {
    usize const dot = text.find('.');
    if (dot == std::string_view::npos || text.size() - dot - 1 > fraction_digits) {
        return std::nullopt;
    }
    std::string fraction(text.substr(dot + 1));
    fraction.resize(fraction_digits, '0');
    auto const seconds = number(text.substr(0, dot), 0, whole_seconds_max);
    auto const rest = number(fraction, 0, nanos_in_second - 1);
    return seconds && rest ? std::optional(*seconds * nanos_in_second + *rest) : std::nullopt;
}

/// The value of " key=" up to the next " word=", which a command's own blanks do not end.
std::optional<std::string_view> field(std::string_view text, std::string_view key) {
    for (usize at = text.find(key); at != std::string_view::npos; at = text.find(key, at + 1)) {
        bool const is_whole = at == 0 || text[at - 1] == ' ';
        usize const begin = at + key.size();
        if (!is_whole || begin >= text.size() || text[begin] != '=') {
            continue;
        }
        std::string_view const rest = text.substr(begin + 1);
        usize const equals = rest.find('=');
        if (equals == std::string_view::npos) {
            return trim(rest);
        }
        usize const blank = rest.rfind(' ', equals);
        return trim(rest.substr(0, blank == std::string_view::npos ? 0 : blank));
    }
    return std::nullopt;
}

struct Party {
    std::string_view name;
    i64 pid = 0;
    i64 priority = nice_zero_priority;
};

/// "name:12 [120]" at the front of `text`; what is behind stays in it.
std::optional<Party> take_party(std::string_view& text) {
    usize const bracket = text.find(" [");
    usize const colon = text.rfind(':', bracket);
    usize const closing = text.find(']', bracket);
    if (bracket == std::string_view::npos || colon == std::string_view::npos ||
        closing == std::string_view::npos) {
        return std::nullopt;
    }
    auto const pid = number(text.substr(colon + 1, bracket - colon - 1), 0, pid_max);
    auto const priority = number(text.substr(bracket + 2, closing - bracket - 2), -1, 200);
    if (!pid || !priority) {
        return std::nullopt;
    }
    Party const party{trim(text.substr(0, colon)), *pid, *priority};
    text.remove_prefix(closing + 1);
    return party;
}

/// The fields that begin with `prefix`.
std::optional<Party> named_party(std::string_view text, std::string const& prefix) {
    auto const name = field(text, prefix + "comm");
    auto const pid = field(text, prefix + "pid");
    auto const priority = field(text, prefix + "prio");
    if (!name || !pid || !priority) {
        return std::nullopt;
    }
    auto const pid_number = number(*pid, 0, pid_max);
    auto const priority_number = number(*priority, -1, 200);
    return pid_number && priority_number
               ? std::optional(Party{*name, *pid_number, *priority_number})
               : std::nullopt;
}

struct Switch {
    Party from;
    bool goes_on = false; ///< it was preempted, and could run on
    Party to;
};

std::optional<Switch> read_switch(std::string_view text) {
    usize const arrow = text.find(" ==> ");
    if (arrow == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view left = text.substr(0, arrow);
    std::string_view right = text.substr(arrow + 5);
    std::optional<Party> from;
    std::optional<Party> to;
    std::string_view state;
    if (left.find("prev_pid=") != std::string_view::npos) {
        from = named_party(left, "prev_");
        to = named_party(right, "next_");
        state = field(left, "prev_state").value_or("");
    } else {
        from = take_party(left);
        to = take_party(right);
        state = trim(left);
    }
    if (!from || !to || state.empty()) {
        return std::nullopt;
    }
    return Switch{*from, state.front() == 'R', *to};
}

std::optional<Party> read_wakeup(std::string_view text) {
    return text.find("pid=") != std::string_view::npos ? named_party(text, "") : take_party(text);
}

/// A line: "COMMAND[-]PID [CPU] FLAGS? SECONDS: EVENT: FIELDS".
struct Line {
    i64 at = 0;
    u32 cpu = 0;
    std::string_view event;
    std::string_view fields;
};

std::optional<Line> read_line(std::string_view text) {
    // A command may hold anything; what is sure is the number of the processor in brackets, with
    // the time and the event behind it.
    usize const opening = text.find(" [");
    usize const closing = text.find("] ", opening);
    if (opening == std::string_view::npos || closing == std::string_view::npos) {
        return std::nullopt;
    }
    Line line;
    auto const cpu = number(text.substr(opening + 2, closing - opening - 2), 0, cpus_max - 1);
    std::string_view rest = trim(text.substr(closing + 2));
    usize const colon = rest.find(": ");
    if (!cpu || colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view time = rest.substr(0, colon);
    time.remove_prefix(time.rfind(' ') + 1); // ftrace's flags stand before it
    auto const at = timestamp(time);
    rest = trim(rest.substr(colon + 2));
    usize const end = rest.find(": ");
    if (!at || end == std::string_view::npos) {
        return std::nullopt;
    }
    line.at = *at;
    line.cpu = static_cast<u32>(*cpu);
    line.event = rest.substr(0, end);
    if (line.event.starts_with("sched:")) {
        line.event.remove_prefix(6);
    }
    line.fields = trim(rest.substr(end + 2));
    return line;
}

/// What ftrace and trace-cmd print before the events.
bool is_heading(std::string_view line) {
    return line.empty() || line.front() == '#' || line.starts_with("cpus=") ||
           line.starts_with("version =") ||
           (line.starts_with("CPU") && (line.ends_with(" is empty") || line.ends_with("EVENTS]")));
}

struct Work {
    i64 at;     ///< when it was woken
    i64 amount; ///< that it computed until it slept
};

struct RecordedThread {
    std::string name;
    i64 priority = nice_zero_priority;
    std::vector<Work> work;
    std::optional<i64> running_since;
    bool is_asleep = true;
};

class Recording {
public:
    explicit Recording(std::string const& name) : m_name(name) {}

    void take(std::string_view text, u32 number) {
        if (is_heading(trim(text))) {
            return;
        }
        auto const line = read_line(text);
        if (!line) {
            refuse(number, "this is no line of `perf sched script` or `trace-cmd report`");
        }
        if (m_begin && line->at < m_last) {
            refuse(number, "the time goes back");
        }
        m_begin = m_begin.value_or(line->at);
        m_last = line->at;
        m_cpus = std::max(m_cpus, line->cpu + 1);
        if (line->event == "sched_switch") {
            auto const found = read_switch(line->fields);
            if (!found) {
                refuse(number, "sched_switch does not say who goes and who comes");
            }
            stop(*found, line->at);
            start(found->to, line->at);
        } else if (line->event == "sched_waking" || line->event.starts_with("sched_wakeup")) {
            auto const who = read_wakeup(line->fields);
            if (!who) {
                refuse(number, "a wake-up does not say of whom");
            }
            wake(*who, line->at);
        }
    }

    OwnedWorkload finish() {
        if (!m_begin || m_last == *m_begin || m_threads.empty()) {
            throw Failure(Status::usage, fmt::format("{}: nothing was recorded", m_name));
        }
        WorkloadBuilder builder(m_name);
        builder.set_cpus(equal_cpus(m_cpus, 1));
        builder.set_duration({m_last - *m_begin});
        for (auto& [pid, thread] : m_threads) {
            if (thread.running_since) {
                thread.work.back().amount += m_last - *thread.running_since;
            }
            emit(builder, pid, thread);
        }
        return builder.finish();
    }

private:
    [[noreturn]] void refuse(u32 number, std::string const& reason) const {
        throw Failure(Status::usage, fmt::format("{}:{}: {}", m_name, number, reason));
    }
    RecordedThread& thread(Party const& party) {
        RecordedThread& found = m_threads[party.pid];
        found.name = party.name;
        found.priority = party.priority;
        return found;
    }
    /// A wake-up, of which the kernel tells twice: when it is decided, and when it is done.
    void wake(Party const& party, i64 at) {
        if (party.pid == 0) {
            return;
        }
        RecordedThread& woken = thread(party);
        if (woken.is_asleep) {
            woken.is_asleep = false;
            woken.work.push_back({at - *m_begin, 0});
        }
    }
    void start(Party const& party, i64 at) {
        if (party.pid == 0) {
            return;
        }
        wake(party, at); // nobody has told of its wake-up: it began before the recording
        thread(party).running_since = at;
    }
    void stop(Switch const& change, i64 at) {
        if (change.from.pid == 0) {
            return;
        }
        if (!m_threads.contains(change.from.pid)) {
            wake(change.from, *m_begin); // it ran when the recording began
            thread(change.from).running_since = *m_begin;
        }
        RecordedThread& stopped = thread(change.from);
        if (stopped.running_since) {
            stopped.work.back().amount += at - *stopped.running_since;
            stopped.running_since.reset();
        }
        stopped.is_asleep = !change.goes_on;
    }

    static Scheduling scheduling_of(RecordedThread const& thread) {
        if (thread.priority < ordinary_priority_min) {
            // The kernel counts real-time priorities down: 99 is 0.
            i64 const level = (ordinary_priority_min - 1 - std::max<i64>(thread.priority, 0)) * 63;
            return {
                .demand = Demand::fifo,
                .priority = static_cast<u32>(level / (ordinary_priority_min - 1))};
        }
        auto const priority = std::min<i64>(thread.priority, ordinary_priority_max);
        auto const nice = static_cast<int>(priority) - nice_zero_priority;
        return {
            .weight = sched::weight_of_nice(nice).value(),
            .priority = static_cast<u32>(ordinary_priority_max + 1 - priority)};
    }
    static void emit(WorkloadBuilder& builder, i64 pid, RecordedThread const& thread) {
        builder.begin_task(
            fmt::format("{}:{}", thread.name, pid), 0, scheduling_of(thread), ~Affinity{}, {});
        for (Work const& work : thread.work) {
            builder.add(OperationKind::until, 0, work.at);
            builder.add(OperationKind::runtime, 0, work.amount);
            builder.add(OperationKind::finish);
        }
        builder.finish_task();
    }

    std::string const& m_name;
    std::optional<i64> m_begin;
    i64 m_last = 0;
    u32 m_cpus = 1;
    std::map<i64, RecordedThread> m_threads;
};

/// Calls visit(line, number) until it returns false.
void for_each_line(std::string_view text, auto const& visit) {
    u32 number = 1;
    while (!text.empty()) {
        usize const end = std::min(text.find('\n'), text.size());
        if (!visit(text.substr(0, end), number++)) {
            return;
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

} // namespace

bool is_recording(std::string_view text) {
    bool answer = false;
    for_each_line(text, [&](std::string_view line, u32) {
        if (is_heading(trim(line))) {
            return true;
        }
        answer = read_line(line).has_value();
        return false;
    });
    return answer;
}

OwnedWorkload read_recording(std::string const& name, std::string_view text) {
    Recording recording(name);
    for_each_line(text, [&](std::string_view line, u32 number) {
        recording.take(line, number);
        return true;
    });
    return recording.finish();
}

} // namespace twofold::lab
