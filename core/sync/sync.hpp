// sync: what several processors share a kernel with. Locks that are ranked and taken by guards,
// interrupts off for a scope, execution contexts and what each may do, data of each processor's
// own, calls that wait for a processor, memory that is let go when nobody reads it any more.
// Threads that wait belong to task.
#pragma once

#include "core/sync/annotations.hpp"
#include "core/sync/call_queue.hpp"
#include "core/sync/context_scope.hpp"
#include "core/sync/epoch.hpp"
#include "core/sync/execution_context.hpp"
#include "core/sync/interrupt_guard.hpp"
#include "core/sync/lock_rank.hpp"
#include "core/sync/lock_use.hpp"
#include "core/sync/no_preempt.hpp"
#include "core/sync/note_edge.hpp"
#include "core/sync/per_cpu.hpp"
#include "core/sync/queue_lock.hpp"
#include "core/sync/relax.hpp"
#include "core/sync/spin_lock.hpp"
