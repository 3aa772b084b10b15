// The memory orders that lock-free structures rest on, each by name. A build for the model checker
// weakens them one at a time, and its programs must notice (`./twofold relacy`); an order that none
// needs does not belong in the source.
#pragma once

#include "core/base/integers.hpp"

namespace twofold {

/// The prefix names the structure.
enum class OrderSite : u8 {
    none,
    spin_lock_acquire, ///< the holder sees what the holders before it wrote
    spin_lock_release, ///< and shows the next one what it wrote itself
    slot_ring_begin,   ///< the odd sequence is visible before any word of the new record
    slot_ring_publish, ///< the words are visible before the even sequence
    slot_ring_observe, ///< the words are read after the sequence
    slot_ring_recheck, ///< and before it is read again
    depot_put,         ///< what fills a magazine is seen by its taker, the empty one was left alone
    depot_take,        ///< the items are read behind it; the empty one is left alone from here on
    call_add,          ///< a call and what its caller wrote are visible to whoever takes it
    call_take,         ///< and are read behind the taking
    call_done,         ///< what the called function wrote is visible before the end of the call
    call_observe,      ///< and is read behind the look at it; the call may be used again
    queue_lock_take,   ///< the holder sees what the one wrote that left the lock free
    queue_lock_leave,  ///< and what was written is visible before the lock is free
    queue_lock_pass,   ///< what the holder wrote is visible before the next one goes on
    queue_lock_wait,   ///< and is read after the wait
    epoch_pin,         ///< a reader is seen to be there before it reads what may be taken away
    epoch_scan,        ///< who looks for readers sees them, or they see what it has seen
    epoch_unpin,       ///< what a reader has read was read before it is seen to have gone
    epoch_observe,     ///< what was retired is let go after the readers have gone
    epoch_advance,     ///< whoever sees an epoch sees that no reader was left behind
    epoch_current,     ///< and lets go only then
    deque_share,       ///< what is forked is visible before it can be taken
    deque_observe,     ///< and is read behind the look that found it
    deque_reclaim,     ///< an owner that takes back and a thief do not both miss the other
    deque_steal,       ///< the same, from the thief's side
    pool_show,         ///< who shares sees who rests, or who is about to rest sees what is shared
    pool_rest,         ///< the same, from the other side
    pool_done,         ///< what a task wrote is visible before its end
    pool_join,         ///< and is read behind the look at that
    wake_add,          ///< the links of a queue are visible to whoever takes it
    wake_take,         ///< and are read behind the taking
    wake_note,         ///< what came for a task is visible before it is known to have come
    wake_begin,        ///< and is read behind that
    wake_rest,         ///< who rests is known before it is seen to rest
    wake_rouse,        ///< and is looked up behind that
};
inline constexpr u8 order_site_count = 37;

} // namespace twofold
