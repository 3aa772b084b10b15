// trace: what the kernel remembers and reports about itself. Pure: cycles and processors are handed
// in.
#pragma once

#include "core/trace/event_ring.hpp"
#include "core/trace/flight_ring.hpp"
#include "core/trace/log.hpp"
#include "core/trace/record.hpp"
#include "core/trace/symbols.hpp"
