// Mutants: single operations that a build can flip on purpose, so that the tests themselves are
// tested. In every normal build `mutant` is a constant false and leaves no trace in the machine
// code; the preset `debug` links the variant that asks for the number chosen at start.
#pragma once

#include "core/base/integers.hpp"

namespace twofold {

/// The operations that can be flipped. The prefix names the room, or the workload. A scenario
/// notices the first of each room; what needs a certain schedule or a fault is found by workloads
/// (tools/sim/bugs.toml).
enum class Mutant : u16 {
    none,
    base_align_up,            ///< align_up rounds down
    trace_ring_order,         ///< the event ring yields the newest event first
    memory_map_overlap,       ///< overlapping ranges are not cut when the map is normalised
    frames_merge,             ///< a freed block is not joined with its buddy
    spaces_copy_on_write,     ///< a write to a page that two spaces own changes it for both
    heap_double_free,         ///< a block that rests in a cache may be freed again
    pools_join,               ///< a free extent is not joined with the free one behind it
    acpi_checksum,            ///< a table's checksum is not verified
    interrupts_rebind,        ///< a vector that is bound may be bound again
    timers_order,             ///< equal deadlines leave in the order in which they did not come
    calls_order,              ///< calls run with the newest first
    schedule_preempts,        ///< who wakes never goes before who runs
    inversion_lending,        ///< who holds a mutex is lent nothing
    pci_decoding_off,         ///< base addresses are sized while the function decodes them
    boot_requires,            ///< the start-up graph forgets the second requirement of a step
    trace_slot_early,         ///< a record can be read before all of its words are written
    trace_slot_unchecked,     ///< a reader does not look whether the record is still the same
    trace_drop_uncounted,     ///< a record that is dropped is not counted
    frames_limit,             ///< a block may end above the limit of a request
    frames_rest_lost,         ///< what a request does not need of a block is not given back
    frames_drained_twice,     ///< a drained frame stays in its magazine, too
    frames_count_torn,        ///< misuses are counted by a read and a write
    spaces_flush_missing,     ///< changed translations are not flushed on the own processor
    spaces_shootdown_missing, ///< changed translations are not flushed on other processors
    spaces_clone_unshared,    ///< a clone has no share in the pages that it reads
    spaces_clone_writable,    ///< the original may go on writing to pages that a clone reads
    spaces_fresh_lost,        ///< a page that was made in vain for a fault is not given back
    spaces_commit_lost,       ///< pages of a commit that fails half way stay
    spaces_copy_past_page,    ///< a copy goes on past the end of a page
    heap_resize_short,        ///< a block that moves loses its last bytes
    heap_resize_freed,        ///< a block that cannot be moved is freed
    heap_tail_lost,           ///< the rest of a block that shrinks is not given back
    heap_depot_torn,          ///< two processors may take the same magazine from the depot
    heap_depot_uncounted,     ///< a magazine that the depot refuses stays in its books
    pools_handle_revived,     ///< a handle is good for what its slot holds later
    pools_chunk_lost, ///< a chunk that was given back is forgotten if it cannot be had again
    interrupts_requests_lost, ///< of several second halves that are to run one does
    interrupts_unbind_early,  ///< a handler may run after it was unbound
    timers_rearm_missing,     ///< what is due behind a full batch gets no alarm
    timers_earlier_missing,   ///< a deadline before all others does not set the alarm
    timers_cancel_early,      ///< whoever cancels does not wait for the function that runs
    timers_children_lost,     ///< a deadline that is cancelled takes others with it
    calls_done_early,         ///< a call is over before its function has run
    calls_add_torn,           ///< of two calls that are added at once one is lost
    calls_one_missed,         ///< a call of all others leaves the last processor out
    sync_ticket_torn,         ///< two processors may draw the same ticket of a spin lock
    sync_queue_order,         ///< who waits in a queue lock is known before it says that it waits
    sync_interrupts_early,    ///< a guard lets interrupts in before it gives its lock back
    sync_epoch_grace,         ///< what is retired is released an epoch too early
    sync_epoch_unpin,         ///< the end of an inner pin ends the outer one
    schedule_kick_lost,       ///< a processor that runs somebody is not told of who goes before
    schedule_permit_lost,     ///< who is unparked before it parks sleeps
    schedule_window_lost,     ///< a new window of a limit brings no budget
    schedule_slice_lost,      ///< no alarm is set for the end of a slice
    inversion_not_restored,   ///< who gives a mutex back keeps what it was lent
    inversion_not_withdrawn,  ///< what somebody lent stays lent when it waits no longer
    waits_event_unchecked,    ///< an event is looked at before the lock of who waits is taken
    waits_condition_order,    ///< the mutex of a condition is given back before its waiter is known
    waits_word_unchecked,     ///< a word is looked at before the lock of who waits is taken
    waits_semaphore_double,   ///< what is given to who waits can be taken by another one, too
    waits_shared_timeout,     ///< readers behind a writer that waits no longer are not let in
    waits_shared_readers,     ///< a writer enters where others read
    waits_grant_unchecked,    ///< who is woken takes it for granted
    threads_join_unchecked,   ///< who joins does not look whether the thread is over
    threads_room_lost,        ///< a thread that cannot be made is not given back
    forkjoin_last_twice,      ///< the last of a deque may be taken by its owner and a thief
    forkjoin_overflow_lost,   ///< what does not fit into a deque is not run
    forkjoin_rest_unchecked,  ///< a worker rests without looking once more
    device_flush_skipped,     ///< a flush of a disk is over before it has begun
    device_through_cached,    ///< what is to be written through the disk's cache stays there
    device_status_ignored,    ///< a request that has failed is taken to be done
    device_token_unchecked,   ///< a completion that came twice ends another request
    device_time_unlimited,    ///< a request that is never done is waited for for ever
    device_timeout_idle,      ///< a request whose time is over waits for an interrupt
    device_wait_limited,      ///< who waits for a request goes on before the queue has let go of it
    device_interrupt_trusted, ///< an interrupt ends a request without a look at the queue
    device_stop_missing,      ///< a request is given back while the device still has it
    interrupts_stray_refused, ///< an interrupt that nobody is bound to stops the kernel
    timers_late_skipped,      ///< a deadline that was missed by much is passed over
    calls_urgent_limited,     ///< an urgent call that takes long is taken to be over
    sync_spin_limited,        ///< who has waited long for a spin lock enters
    calls_wait_limited,       ///< a call that takes long is taken to be over
    calls_empty_refused,      ///< a message without a call stops the kernel
    tokens_unchecked,         ///< a token is given out without a look whether it is taken
    mirror_checksum_unchecked,   ///< a copy's checksum is not verified
    mirror_checksum_short,       ///< a copy's checksum covers its begin alone
    mirror_place_unchecked,      ///< a copy is not asked which place it was written for
    mirror_generation_unchecked, ///< the first sound copy counts, and not the newest
    mirror_zeros_trusted,        ///< a copy of zeros is taken for a record that was never written
    mirror_read_once,            ///< what cannot be read is not read again
    mirror_unverified,           ///< what was written is not read back
    mirror_second_cached,        ///< the second copy rests on a flush, as the first one does
    mirror_order_presumed,       ///< both copies and the flush are sent at once
    // Links and histories.
    device_request_once,     ///< a request is sent once, and never again
    device_request_few,      ///< a request is sent three times, and no more
    device_request_repeated, ///< a request that comes twice is performed twice
    device_request_stale,    ///< a request is performed behind later ones of who has asked
    device_answer_unmatched, ///< an answer is taken for that of another request
    waits_semaphore_last,    ///< who tries does not take the last one of a semaphore
    // What fails, and is not borne.
    heap_commit_believed,  ///< pages that could not be had are handed out
    epochs_full_released,  ///< what cannot be kept until nobody reads it is let go
    interrupts_full_late,  ///< a vector is bound, and then said not to be free
    calls_post_reused,     ///< what there is no room for takes that of a call on its way
    threads_full_late,     ///< a thread begins, and then there is said to be no place for it
    threads_stack_missing, ///< a thread begins without a stack
    forkjoin_push_late,    ///< a task is added, and then there is said to be no room for it
    // Tasks.
    async_permit_kept,  ///< a wake-up that a task was resumed for counts once more
    async_wake_lost,    ///< a task that is woken while it runs waits nevertheless
    async_sleeper_left, ///< who is cancelled while it sleeps stays among the deadlines
    // Queues of a disk.
    device_phase_kept,    ///< the phase is not turned when a queue begins anew
    device_head_unrung,   ///< the device is not told which completions were taken
    device_waiting_lost,  ///< who waits for a slot is not looked for when one is free
    device_reset_forgets, ///< what was in flight is forgotten with a reset
    // Keyboard and screen.
    screen_shift_held, ///< a key that modifies others does so after it came up
    screen_wrap_lost,  ///< what is written behind the end of a row replaces its last character
    // Storage.
    nvme_pieces_reversed, ///< pieces of a request are told to its controller from the last one on
};
inline constexpr Mutant last_mutant = Mutant::nvme_pieces_reversed;

} // namespace twofold

#include <mutant_choice.hpp> // core/base/mutants/none or selected, by include path
