// sync: what several processors share a kernel with. Locks that are ranked and taken by guards,
// interrupts off for a scope, data of each processor's own. Threads that wait belong to task.
#pragma once

#include "core/sync/annotations.hpp"
#include "core/sync/interrupt_guard.hpp"
#include "core/sync/lock_rank.hpp"
#include "core/sync/note_edge.hpp"
#include "core/sync/per_cpu.hpp"
#include "core/sync/spin_lock.hpp"
