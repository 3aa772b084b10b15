// rt-app's workloads. See rt_app.hpp.
#include "apps/sched/rt_app.hpp"

#include "apps/sched/rt_app_asked.hpp"
#include "core/sched/sched.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <optional>

namespace twofold::lab {

namespace {

constexpr i64 priority_default = 10;
constexpr i64 priority_max = 99;
constexpr i64 level_top = 63;
constexpr i64 rounds_max = i64{1} << 40;
using json::Reader;
using sched::nice_max;
using sched::nice_min;
constexpr i64 weight_max = i64{1} << 20;
constexpr i64 nice_levels = 40; ///< levels for nice values, where a policy has levels

/// They say how rt-app measures and logs.
constexpr std::string_view ignored_globals[] = {
    "calibration", "lock_pages", "logdir",          "log_size",         "log_basename", "ftrace",
    "gnuplot",     "io_device",  "mem_buffer_size", "cumulative_slack", "frag"};

struct PolicyName {
    std::string_view name;
    Demand demand;
};
/// Those with SCHED_ are rt-app's.
constexpr PolicyName policy_names[] = {
    {"SCHED_OTHER", Demand::ordinary}, {"SCHED_BATCH", Demand::batch},
    {"SCHED_IDLE", Demand::idle},      {"SCHED_FIFO", Demand::fifo},
    {"SCHED_RR", Demand::rr},          {"SCHED_DEADLINE", Demand::deadline},
    {"inference", Demand::inference},  {"training", Demand::training}};

/// The word that a key begins with: rt-app's files number events that come several times, as in
/// "run0" or "run_end".
std::string_view event_word(std::string_view key) {
    usize end = std::min(key.find('_'), key.size());
    while (end > 0 && key[end - 1] >= '0' && key[end - 1] <= '9') {
        --end;
    }
    return key.substr(0, end);
}

class RtAppReader {
public:
    RtAppReader(std::string const& name, WorkloadDefaults const& defaults)
        : m_builder(name), m_defaults(defaults) {}

    RtAppWorkload read(Reader const& root) {
        m_builder.set_cpus(m_defaults.cpus);
        m_builder.set_duration(m_defaults.duration);
        // The threads come last: they need the rest.
        root.for_each(json::Kind::object, [&](Reader const& member) {
            if (member.key() == "global") {
                take_global(member);
            } else if (member.key() == "machine") {
                take_machine(member);
            } else if (member.key() != "tasks" && member.key() != "resources") {
                member.refuse_key();
            }
        });
        bool has_tasks = false;
        root.for_each(json::Kind::object, [&](Reader const& member) {
            if (member.key() == "tasks") {
                has_tasks = true;
                member.for_each(
                    json::Kind::object, [&](Reader const& thread) { take_thread(thread); });
            }
        });
        if (!has_tasks) {
            root.refuse("there is no object 'tasks'");
        }
        if (m_builder.tasks() == 0) {
            root.refuse("there are no threads");
        }
        return {.workload = m_builder.finish(), .inherits = m_inherits};
    }

private:
    void take_global(Reader const& global) {
        global.for_each(json::Kind::object, [&](Reader const& member) {
            std::string const& key = member.key();
            if (key == "duration") {
                i64 const seconds = member.integer(forever, whole_seconds_max);
                if (seconds != forever) {
                    m_builder.set_duration({seconds * nanos_in_second});
                }
            } else if (key == "default_policy") {
                m_default.demand = demand(member);
            } else if (key == "pi_enabled") {
                m_inherits = member.boolean();
            } else if (std::ranges::find(ignored_globals, key) == std::end(ignored_globals)) {
                member.refuse_key();
            }
        });
    }

    /// Ours: the processors that the workload is for.
    void take_machine(Reader const& machine) {
        std::vector<Cpu> cpus = m_defaults.cpus;
        machine.for_each(json::Kind::object, [&](Reader const& member) {
            if (member.key() == "cpus") {
                cpus = equal_cpus(static_cast<u32>(member.integer(1, cpus_max)), 1);
            }
        });
        machine.for_each(json::Kind::object, [&](Reader const& member) {
            std::string const& key = member.key();
            auto const each = [&](auto field, i64 least, i64 most) {
                if (member.value().members.size() != cpus.size()) {
                    member.refuse(fmt::format("there have to be {} numbers", cpus.size()));
                }
                usize i = 0;
                member.for_each(json::Kind::array, [&](Reader const& number) {
                    cpus[i++].*field = static_cast<u32>(number.integer(least, most));
                });
            };
            if (key == "node") {
                each(&Cpu::node, 0, cpus_max - 1);
            } else if (key == "capacity") {
                each(&Cpu::capacity, 1, 1024);
            } else if (key == "active_mw") {
                each(&Cpu::active_power, 0, 1'000'000);
            } else if (key == "idle_mw") {
                each(&Cpu::idle_power, 0, 1'000'000);
            } else if (key != "cpus") {
                member.refuse_key();
            }
        });
        m_builder.set_cpus(std::move(cpus));
    }

    // ---- threads ----

    void take_thread(Reader const& thread) {
        Thread made{.reader = thread};
        bool has_phases = false;
        bool has_events = false;
        thread.for_each(json::Kind::object, [&](Reader const& member) {
            std::string const& key = member.key();
            if (key == "instance") {
                made.instances = member.integer(0, tasks_max);
            } else if (key == "loop") {
                made.rounds = member.integer(forever, rounds_max);
            } else if (key == "delay") {
                made.delay = microseconds(member);
            } else if (key == "phases") {
                has_phases = true;
                note_moves(member, made);
            } else if (!take_property(member, made.asked)) {
                has_events = true;
            }
        });
        if (has_phases && has_events) {
            thread.refuse("there are events beside the phases");
        }
        made.has_phases = has_phases;
        made.asked = made.asked.over(m_default);
        for (i64 instance = 0; instance < made.instances; ++instance) {
            made.instance = static_cast<u32>(instance);
            emit_thread(made);
        }
    }

    struct Thread {
        Reader const& reader;
        Asked asked{};
        i64 instances = 1;
        i64 rounds = forever;
        Nanos delay{};
        bool has_phases = false;
        bool moves = false; ///< a phase has processors of its own
        u32 instance = 0;
    };

    static void note_moves(Reader const& phases, Thread& thread) {
        phases.for_each(json::Kind::object, [&](Reader const& phase) {
            phase.for_each(json::Kind::object, [&](Reader const& member) {
                thread.moves = thread.moves || member.key() == "cpus";
            });
        });
    }

    void emit_thread(Thread const& thread) {
        Scheduling wanted = scheduling(thread.reader, thread.asked);
        if (!thread.has_phases) {
            note_period(thread.reader, wanted);
        }
        m_builder.begin_task(
            thread.reader.key(), thread.instance, wanted, thread.asked.cpus.value_or(~Affinity{}),
            thread.delay);
        if (thread.rounds != 0) {
            m_builder.begin_loop(thread.rounds);
            if (thread.has_phases) {
                thread.reader.for_each(json::Kind::object, [&](Reader const& member) {
                    if (member.key() == "phases") {
                        member.for_each(json::Kind::object, [&](Reader const& phase) {
                            emit_phase(thread, phase);
                        });
                    }
                });
            } else {
                emit_events(thread, thread.reader);
            }
            m_builder.end_loop();
        }
        m_builder.finish_task();
    }

    void emit_phase(Thread const& thread, Reader const& phase) {
        Asked asked;
        i64 rounds = 1;
        phase.for_each(json::Kind::object, [&](Reader const& member) {
            if (member.key() == "loop") {
                rounds = member.integer(forever, rounds_max);
            } else {
                take_property(member, asked);
            }
        });
        if (rounds == 0) {
            return;
        }
        if (thread.moves) {
            Affinity const cpus = asked.over(thread.asked).cpus.value_or(~Affinity{});
            m_builder.add(OperationKind::move, m_builder.affinity(cpus));
        }
        if (asked.is_scheduling()) {
            Scheduling const wanted = scheduling(phase, asked.over(thread.asked));
            m_builder.add(OperationKind::schedule, m_builder.scheduling(wanted));
        }
        m_builder.begin_loop(rounds);
        emit_events(thread, phase);
        m_builder.end_loop();
    }

    void emit_events(Thread const& thread, Reader const& owner) {
        owner.for_each(json::Kind::object, [&](Reader const& member) {
            std::string const& key = member.key();
            bool const is_of_thread = !thread.has_phases && (key == "instance" || key == "delay");
            if (key != "loop" && !is_of_thread && !is_property(key)) {
                emit_event(thread, member);
            }
        });
    }

    void emit_event(Thread const& thread, Reader const& event) {
        std::string_view const word = event_word(event.key());
        if (word == "run") {
            m_builder.add(OperationKind::run, 0, microseconds(event).value);
        } else if (word == "runtime") {
            m_builder.add(OperationKind::runtime, 0, microseconds(event).value);
        } else if (word == "sleep") {
            m_builder.add(OperationKind::sleep, 0, microseconds(event).value);
        } else if (word == "timer") {
            emit_timer(thread, event);
        } else if (word == "yield") {
            m_builder.add(OperationKind::yield);
        } else if (!emit_meeting(thread, event, word)) {
            event.refuse_key();
        }
    }
    /// Events that have to do with other threads.
    bool emit_meeting(Thread const& thread, Reader const& event, std::string_view word) {
        if (word == "lock") {
            m_builder.add(OperationKind::lock, m_builder.mutex(event.text()));
        } else if (word == "unlock") {
            m_builder.add(OperationKind::unlock, m_builder.mutex(event.text()));
        } else if (word == "wait") {
            auto const [condition, mutex] = condition_of(event);
            m_builder.add(OperationKind::wait, condition, mutex);
        } else if (word == "sync") {
            auto const [condition, mutex] = condition_of(event);
            m_builder.add(OperationKind::lock, mutex);
            m_builder.add(OperationKind::signal, condition);
            m_builder.add(OperationKind::wait, condition, mutex);
            m_builder.add(OperationKind::unlock, mutex);
        } else if (word == "signal") {
            m_builder.add(OperationKind::signal, m_builder.condition(event.text()));
        } else if (word == "broad") {
            m_builder.add(OperationKind::broadcast, m_builder.condition(event.text()));
        } else if (word == "barrier") {
            m_builder.add(OperationKind::barrier, m_builder.barrier(event.text()));
        } else if (word == "suspend") {
            m_builder.add(OperationKind::wait, suspended(thread, event), no_mutex);
        } else if (word == "resume") {
            m_builder.add(OperationKind::broadcast, suspended(thread, event));
        } else {
            return false;
        }
        return true;
    }
    /// The condition on which a thread is suspended: its own if no other is named.
    u32 suspended(Thread const& thread, Reader const& event) {
        std::string const& name = event.text().empty() ? thread.reader.key() : event.text();
        return m_builder.condition("suspended " + name);
    }

    struct ConditionAndMutex {
        u32 condition;
        u32 mutex;
    };
    ConditionAndMutex condition_of(Reader const& event) {
        std::optional<u32> condition;
        std::optional<u32> mutex;
        event.for_each(json::Kind::object, [&](Reader const& member) {
            if (member.key() == "ref") {
                condition = m_builder.condition(member.text());
            } else if (member.key() == "mutex") {
                mutex = m_builder.mutex(member.text());
            } else {
                member.refuse_key();
            }
        });
        if (!condition || !mutex) {
            event.refuse("'ref' and 'mutex' are needed");
        }
        return {*condition, *mutex};
    }

    void emit_timer(Thread const& thread, Reader const& event) {
        std::optional<std::string> name;
        std::optional<Nanos> period;
        TimerMode mode = TimerMode::relative;
        event.for_each(json::Kind::object, [&](Reader const& member) {
            if (member.key() == "ref") {
                name = member.text();
            } else if (member.key() == "period") {
                period = microseconds(member);
                if (*period == Nanos{}) {
                    member.refuse("a period has to be longer than 0");
                }
            } else if (member.key() == "mode") {
                mode = timer_mode(member);
            } else {
                member.refuse_key();
            }
        });
        if (!name || !period) {
            event.refuse("'ref' and 'period' are needed");
        }
        if (name->starts_with("unique")) {
            *name = fmt::format("{} of {} {}", *name, thread.reader.key(), thread.instance);
        }
        m_builder.add_timer(m_builder.timer(*name), *period, mode);
    }
    static TimerMode timer_mode(Reader const& member) {
        if (member.text() != "relative" && member.text() != "absolute") {
            member.refuse(fmt::format("'{}' is neither 'relative' nor 'absolute'", member.text()));
        }
        return member.text() == "absolute" ? TimerMode::absolute : TimerMode::relative;
    }

    // ---- scheduling ----

    static bool is_property(std::string_view key) {
        return key == "policy" || key == "priority" || key == "weight" || key == "cpus" ||
               key == "slice" || key.starts_with("dl-");
    }
    /// False if the member is no property of scheduling.
    bool take_property(Reader const& member, Asked& asked) {
        std::string const& key = member.key();
        if (key == "policy") {
            asked.demand = demand(member);
        } else if (key == "priority") {
            asked.priority = member.integer(nice_min, priority_max);
        } else if (key == "weight") {
            asked.weight = static_cast<u32>(member.integer(1, weight_max));
        } else if (key == "dl-runtime") {
            asked.runtime = microseconds(member, 1);
        } else if (key == "dl-period") {
            asked.period = microseconds(member, 1);
        } else if (key == "dl-deadline") {
            asked.deadline = microseconds(member, 1);
        } else if (key == "slice") {
            asked.slice = microseconds(member, 1);
        } else if (key == "cpus") {
            asked.cpus = affinity(member);
        } else {
            return false;
        }
        return true;
    }
    static Demand demand(Reader const& member) {
        std::string names;
        for (PolicyName const& each : policy_names) {
            if (member.text() == each.name) {
                return each.demand;
            }
            names += names.empty() ? "" : ", ";
            names += each.name;
        }
        member.refuse(fmt::format("the policy '{}' is none of {}", member.text(), names));
    }
    static Affinity affinity(Reader const& member) {
        Affinity cpus = 0;
        member.for_each(json::Kind::array, [&](Reader const& number) {
            cpus |= Affinity{1} << number.integer(0, cpus_max - 1);
        });
        return cpus;
    }

    Scheduling scheduling(Reader const& owner, Asked const& asked) const {
        Scheduling wanted{.demand = asked.demand.value_or(Demand::ordinary)};
        bool const is_realtime = wanted.demand == Demand::fifo || wanted.demand == Demand::rr;
        if (is_realtime) {
            i64 const priority = asked.priority.value_or(priority_default);
            if (priority < 1) {
                owner.refuse(fmt::format("the priority {} is not from 1 to 99", priority));
            }
            wanted.priority = static_cast<u32>((priority - 1) * level_top / (priority_max - 1));
        } else {
            i64 const nice = asked.priority.value_or(0);
            if (nice > nice_max) {
                owner.refuse(fmt::format("the priority {} is not from -20 to 19", nice));
            }
            wanted.weight =
                asked.weight.value_or(sched::weight_of_nice(static_cast<i32>(nice)).value());
            wanted.priority = static_cast<u32>(nice_levels - (nice - nice_min));
        }
        wanted.slice = asked.slice.value_or(Nanos{});
        wanted.runtime = asked.runtime.value_or(Nanos{});
        wanted.period = asked.period.value_or(wanted.runtime);
        if (wanted.demand == Demand::deadline && wanted.runtime == Nanos{}) {
            owner.refuse("SCHED_DEADLINE needs 'dl-runtime'");
        }
        if (asked.deadline.value_or(wanted.period) != wanted.period) {
            owner.refuse("a deadline other than the period is not supported");
        }
        return wanted;
    }
    /// What a thread that computes and then waits for its timer needs in each period.
    static void note_period(Reader const& thread, Scheduling& wanted) {
        Nanos computes{};
        Nanos period{};
        bool is_periodic = true;
        thread.for_each(json::Kind::object, [&](Reader const& member) {
            std::string_view const word = event_word(member.key());
            if (word == "run" || word == "runtime") {
                computes = computes + microseconds(member);
            } else if (word == "timer" && period == Nanos{}) {
                member.for_each(json::Kind::object, [&](Reader const& part) {
                    period = part.key() == "period" ? microseconds(part) : period;
                });
            } else if (word == "timer" || word == "sleep" || word == "wait" || word == "suspend") {
                is_periodic = false;
            }
        });
        if (is_periodic && wanted.period == Nanos{} && period != Nanos{}) {
            wanted.runtime = computes;
            wanted.period = period;
        }
    }

    WorkloadBuilder m_builder;
    WorkloadDefaults const& m_defaults;
    Asked m_default;
    bool m_inherits = false;
};

} // namespace

RtAppWorkload
read_rt_app(std::string const& name, std::string_view text, WorkloadDefaults const& defaults) {
    json::Value const root = json::parse(name, text);
    return RtAppReader(name, defaults).read(Reader(name, root));
}

} // namespace twofold::lab
