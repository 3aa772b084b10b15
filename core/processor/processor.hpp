// processor: what the kernel makes of processors, interrupt controllers and clocks. Which handler
// an interrupt belongs to, deadlines, calls from one processor to another.
//
// How it works: docs/processors.md.
#pragma once

#include "core/processor/cpu_local.hpp"
#include "core/processor/dispatch.hpp"
#include "core/processor/interrupt_table.hpp"
