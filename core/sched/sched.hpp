// sched: who runs next. Policies, the classes that they stack as, and what checks their answers.
#pragma once

#include "core/sched/checked_queue.hpp"
#include "core/sched/classes.hpp"
#include "core/sched/dispatcher.hpp"
#include "core/sched/policy.hpp"
