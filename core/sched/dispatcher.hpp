// The dispatcher: who runs on which processor, and when that is looked at again. It carries out
// what policies answer (checked_queue.hpp), for all processors; each has a run queue with a lock of
// its own, and no two of these are held at once.
//
// It knows no machine. A `World` gives it locks, the time, an alarm for each processor and a way to
// make another one look; the kernel's is core/task, the laboratory's a simulated machine. The same
// header runs in both.
//
// The life of a wake-up. `unpark` takes the lock of the sleeper's run queue and chooses a processor
// (below). Where that is another one the sleeper leaves its queue, belongs to nobody for a moment,
// and joins the other. If it should run instead of who runs there, that processor is kicked; it
// calls `attend`, and then `preempt`. A thread that parks, and one that unparks it, meet under the
// lock: either the sleeper sees the permit, or the waker sees a sleeper. The lock is held while the
// processor goes from one thread to the next and given back by `finish`, so nobody can wake a
// thread, and run it elsewhere, before all of it is off its processor.
//
// Where somebody goes that wakes: to its last processor if that is idle; else to an idle one of the
// same node, the least that is fast enough; else to an idle one elsewhere; else it stays, unless
// its queue is longer by two than the shortest of its node. Idle processors take whoever has waited
// longest (and so is coldest) from the longest queue of their node, then of others if they have
// waited for a while. A processor with a longer queue gives away what waits, every few
// milliseconds. What has a guarantee on its processor stays there.
//
// No periodic tick: an alarm is set only where a slice can end for somebody else, and it is not set
// anew for each slice; one that comes too early sets the next.
//
// All calls are made on the processor `here`, with interrupts off. O(cost of the policy) unless
// said otherwise.
#pragma once

#include "core/sched/dispatcher_class.hpp"
#include "core/sched/dispatcher_next.hpp"
#include "core/sched/dispatcher_places.hpp"
