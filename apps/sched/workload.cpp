// Whether a workload holds together. See workload.hpp.
#include "apps/sched/workload.hpp"

namespace twofold::lab {

namespace {

bool is_time(i64 amount) {
    return amount >= 0 && amount <= time_max.value;
}

/// How many objects there are of the kind that `operation` refers to; `operations_max` if no_mutex.
usize objects_for(Workload const& workload, OperationKind kind) {
    switch (kind) {
    case OperationKind::timer:
        return workload.timers;
    case OperationKind::lock:
    case OperationKind::unlock:
        return workload.mutexes;
    case OperationKind::wait:
    case OperationKind::signal:
    case OperationKind::broadcast:
        return workload.conditions;
    case OperationKind::barrier:
        return workload.barriers.size();
    case OperationKind::send:
    case OperationKind::receive:
        return workload.queues.size();
    case OperationKind::offload:
        return workload.devices;
    case OperationKind::schedule:
        return workload.schedulings.size();
    case OperationKind::move:
        return workload.affinities.size();
    default:
        return operations_max;
    }
}

Result<void> check_amount(Workload const& workload, Operation const& operation) {
    switch (operation.kind) {
    case OperationKind::begin:
        return operation.amount >= 1 || operation.amount == forever ? Result<void>()
                                                                    : Error::out_of_range;
    case OperationKind::wait: {
        bool const has_mutex = operation.amount >= 0 && operation.amount < workload.mutexes;
        return has_mutex || operation.amount == no_mutex ? Result<void>() : Error::not_found;
    }
    default:
        return is_time(operation.amount) ? Result<void>() : Error::out_of_range;
    }
}

/// A program is what lies between two `exit`s: each loop ends in the program that it begins in,
/// behind its `begin`, inside of the loops that it begins in.
class LoopCheck {
public:
    Result<void> take(Operation const& operation, usize index) {
        switch (operation.kind) {
        case OperationKind::begin:
            if (m_depth == levels_max || operation.level != m_depth) {
                return Error::invalid_argument;
            }
            m_begins[m_depth++] = index;
            return {};
        case OperationKind::repeat:
            if (m_depth == 0 || operation.level != m_depth - 1 ||
                operation.object != m_begins[m_depth - 1] + 1) {
                return Error::invalid_argument;
            }
            --m_depth;
            return {};
        case OperationKind::exit:
            return m_depth == 0 ? Result<void>() : Error::invalid_argument;
        default:
            return {};
        }
    }

private:
    usize m_begins[levels_max]{};
    u8 m_depth = 0;
};

Result<void> check_operations(Workload const& workload) {
    auto const& operations = workload.operations;
    if (operations.empty() || operations.size() > operations_max) {
        return Error::out_of_range;
    }
    LoopCheck loops;
    for (usize i = 0; i < operations.size(); ++i) {
        Operation const& operation = operations[i];
        if (static_cast<usize>(operation.kind) >= operation_kinds ||
            operation.mode > TimerMode::absolute) {
            return Error::out_of_range;
        }
        if (operation.object >= objects_for(workload, operation.kind)) {
            return Error::not_found;
        }
        TRY(check_amount(workload, operation));
        TRY(loops.take(operation, i));
    }
    return operations.back().kind == OperationKind::exit ? Result<void>() : Error::invalid_argument;
}

Result<void> check_tasks(Workload const& workload) {
    if (workload.tasks.size() > tasks_max) {
        return Error::out_of_range;
    }
    for (Task const& task : workload.tasks) {
        bool const begins_a_program =
            task.program < workload.operations.size() &&
            (task.program == 0 ||
             workload.operations[task.program - 1].kind == OperationKind::exit);
        if (!begins_a_program || task.schedule >= workload.schedulings.size() ||
            task.affinity >= workload.affinities.size()) {
            return Error::not_found;
        }
        if (!is_time(task.delay.value)) {
            return Error::out_of_range;
        }
    }
    return {};
}

Result<void> check_machine(Workload const& workload) {
    if (workload.cpus.empty() || workload.cpus.size() > cpus_max) {
        return Error::out_of_range;
    }
    for (Cpu const& cpu : workload.cpus) {
        if (cpu.capacity == 0 || cpu.capacity > 1024 || cpu.node >= cpus_max) {
            return Error::out_of_range;
        }
    }
    Affinity const there = ~Affinity{} >> (cpus_max - workload.cpus.size());
    for (Affinity const affinity : workload.affinities) {
        if ((affinity & there) == 0) {
            return Error::not_found;
        }
    }
    return {};
}

} // namespace

Result<void> check_workload(Workload const& workload) {
    for (u32 const objects :
         {workload.mutexes, workload.conditions, workload.timers, workload.devices}) {
        if (objects > objects_max) {
            return Error::out_of_range;
        }
    }
    if (workload.duration <= Nanos{} || workload.duration > time_max) {
        return Error::out_of_range;
    }
    for (Scheduling const& each : workload.schedulings) {
        if (static_cast<usize>(each.demand) >= demands || !is_time(each.slice.value) ||
            !is_time(each.runtime.value) || !is_time(each.period.value)) {
            return Error::out_of_range;
        }
    }
    TRY(check_machine(workload));
    TRY(check_operations(workload));
    return check_tasks(workload);
}

} // namespace twofold::lab
