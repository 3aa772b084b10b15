// The public header of core/sched: scheduling policies. Pure: they see no clock, no lock, no
// processor and no thread (policy.hpp).
#pragma once

#include "core/sched/edf.hpp"
#include "core/sched/eevdf.hpp"
#include "core/sched/policy.hpp"
#include "core/sched/realtime.hpp"
