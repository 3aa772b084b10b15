// processor: what the kernel makes of processors, interrupt controllers and clocks. Which handler
// an interrupt belongs to, deadlines, calls from one processor to another.
//
// How it works: docs/processors.md.
#pragma once

#include "core/processor/clock_skew.hpp"
#include "core/processor/cpu_local.hpp"
#include "core/processor/cpu_set.hpp"
#include "core/processor/dispatch.hpp"
#include "core/processor/histogram.hpp"
#include "core/processor/interrupts.hpp"
#include "core/processor/shootdown.hpp"
#include "core/processor/storm.hpp"
#include "core/processor/time.hpp"
#include "core/processor/timer_queue.hpp"
#include "core/processor/work.hpp"
