// See mutant_table.hpp.
#include "apps/host/mutants/selected/mutant_table.hpp"

#include <charconv>

namespace twofold::host {

namespace {

constexpr NamedMutant table[] = {
    {Mutant::base_align_up, "base_align_up"},
    {Mutant::trace_ring_order, "trace_ring_order"},
    {Mutant::memory_map_overlap, "memory_map_overlap"},
    {Mutant::frames_merge, "frames_merge"},
    {Mutant::spaces_copy_on_write, "spaces_copy_on_write"},
    {Mutant::heap_double_free, "heap_double_free"},
    {Mutant::pools_join, "pools_join"},
    {Mutant::acpi_checksum, "acpi_checksum"},
    {Mutant::interrupts_rebind, "interrupts_rebind"},
    {Mutant::timers_order, "timers_order"},
    {Mutant::calls_order, "calls_order"},
    {Mutant::schedule_preempts, "schedule_preempts"},
    {Mutant::inversion_lending, "inversion_lending"},
    {Mutant::pci_decoding_off, "pci_decoding_off"},
    {Mutant::boot_requires, "boot_requires"},
    {Mutant::trace_slot_early, "trace_slot_early", Notices::workload},
    {Mutant::trace_slot_unchecked, "trace_slot_unchecked", Notices::workload},
    {Mutant::trace_drop_uncounted, "trace_drop_uncounted", Notices::workload},
    {Mutant::frames_limit, "frames_limit", Notices::workload},
    {Mutant::frames_rest_lost, "frames_rest_lost", Notices::workload},
    {Mutant::frames_drained_twice, "frames_drained_twice", Notices::workload},
    {Mutant::frames_count_torn, "frames_count_torn", Notices::workload},
    {Mutant::spaces_flush_missing, "spaces_flush_missing", Notices::workload},
    {Mutant::spaces_shootdown_missing, "spaces_shootdown_missing", Notices::workload},
    {Mutant::spaces_clone_unshared, "spaces_clone_unshared", Notices::workload},
    {Mutant::spaces_clone_writable, "spaces_clone_writable", Notices::workload},
    {Mutant::spaces_fresh_lost, "spaces_fresh_lost", Notices::workload},
    {Mutant::spaces_commit_lost, "spaces_commit_lost", Notices::workload},
    {Mutant::spaces_copy_past_page, "spaces_copy_past_page", Notices::workload},
    {Mutant::heap_resize_short, "heap_resize_short", Notices::workload},
    {Mutant::heap_resize_freed, "heap_resize_freed", Notices::workload},
    {Mutant::heap_tail_lost, "heap_tail_lost", Notices::workload},
    {Mutant::heap_depot_torn, "heap_depot_torn", Notices::workload},
    {Mutant::heap_depot_uncounted, "heap_depot_uncounted", Notices::workload},
    {Mutant::pools_handle_revived, "pools_handle_revived", Notices::workload},
    {Mutant::pools_chunk_lost, "pools_chunk_lost", Notices::workload},
    {Mutant::interrupts_requests_lost, "interrupts_requests_lost", Notices::workload},
    {Mutant::interrupts_unbind_early, "interrupts_unbind_early", Notices::workload},
    {Mutant::timers_rearm_missing, "timers_rearm_missing", Notices::workload},
    {Mutant::timers_earlier_missing, "timers_earlier_missing", Notices::workload},
    {Mutant::timers_cancel_early, "timers_cancel_early", Notices::workload},
    {Mutant::timers_children_lost, "timers_children_lost", Notices::workload},
    {Mutant::calls_done_early, "calls_done_early", Notices::workload},
    {Mutant::calls_add_torn, "calls_add_torn", Notices::workload},
    {Mutant::calls_one_missed, "calls_one_missed", Notices::workload},
    {Mutant::sync_ticket_torn, "sync_ticket_torn", Notices::workload},
    {Mutant::sync_queue_order, "sync_queue_order", Notices::workload},
    {Mutant::sync_interrupts_early, "sync_interrupts_early", Notices::workload},
    {Mutant::sync_epoch_grace, "sync_epoch_grace", Notices::workload},
    {Mutant::sync_epoch_unpin, "sync_epoch_unpin", Notices::workload},
    {Mutant::schedule_kick_lost, "schedule_kick_lost", Notices::workload},
    {Mutant::schedule_permit_lost, "schedule_permit_lost", Notices::workload},
    {Mutant::schedule_window_lost, "schedule_window_lost", Notices::workload},
    {Mutant::schedule_slice_lost, "schedule_slice_lost", Notices::workload},
    {Mutant::inversion_not_restored, "inversion_not_restored", Notices::workload},
    {Mutant::inversion_not_withdrawn, "inversion_not_withdrawn", Notices::workload},
    {Mutant::waits_event_unchecked, "waits_event_unchecked", Notices::workload},
    {Mutant::waits_condition_order, "waits_condition_order", Notices::workload},
    {Mutant::waits_word_unchecked, "waits_word_unchecked", Notices::workload},
    {Mutant::waits_semaphore_double, "waits_semaphore_double", Notices::workload},
    {Mutant::waits_shared_timeout, "waits_shared_timeout", Notices::workload},
    {Mutant::waits_shared_readers, "waits_shared_readers", Notices::workload},
    {Mutant::waits_grant_unchecked, "waits_grant_unchecked", Notices::workload},
    {Mutant::threads_join_unchecked, "threads_join_unchecked", Notices::workload},
    {Mutant::threads_room_lost, "threads_room_lost", Notices::workload},
    {Mutant::forkjoin_last_twice, "forkjoin_last_twice", Notices::workload},
    {Mutant::forkjoin_overflow_lost, "forkjoin_overflow_lost", Notices::workload},
    {Mutant::forkjoin_rest_unchecked, "forkjoin_rest_unchecked", Notices::workload},
    {Mutant::device_flush_skipped, "device_flush_skipped", Notices::workload},
    {Mutant::device_through_cached, "device_through_cached", Notices::workload},
    {Mutant::device_status_ignored, "device_status_ignored", Notices::workload},
    {Mutant::device_token_unchecked, "device_token_unchecked", Notices::workload},
    {Mutant::device_time_unlimited, "device_time_unlimited", Notices::workload},
    {Mutant::device_timeout_idle, "device_timeout_idle", Notices::workload},
    {Mutant::device_wait_limited, "device_wait_limited", Notices::workload},
    {Mutant::device_interrupt_trusted, "device_interrupt_trusted", Notices::workload},
    {Mutant::device_stop_missing, "device_stop_missing", Notices::workload},
    {Mutant::interrupts_stray_refused, "interrupts_stray_refused", Notices::workload},
    {Mutant::timers_late_skipped, "timers_late_skipped", Notices::workload},
    {Mutant::calls_urgent_limited, "calls_urgent_limited", Notices::workload},
    {Mutant::sync_spin_limited, "sync_spin_limited", Notices::workload},
    {Mutant::calls_wait_limited, "calls_wait_limited", Notices::workload},
    {Mutant::calls_empty_refused, "calls_empty_refused", Notices::workload},
    {Mutant::tokens_unchecked, "tokens_unchecked", Notices::workload},
    {Mutant::mirror_checksum_unchecked, "mirror_checksum_unchecked", Notices::workload},
    {Mutant::mirror_checksum_short, "mirror_checksum_short", Notices::workload},
    {Mutant::mirror_place_unchecked, "mirror_place_unchecked", Notices::workload},
    {Mutant::mirror_generation_unchecked, "mirror_generation_unchecked", Notices::workload},
    {Mutant::mirror_zeros_trusted, "mirror_zeros_trusted", Notices::workload},
    {Mutant::mirror_read_once, "mirror_read_once", Notices::workload},
    {Mutant::mirror_unverified, "mirror_unverified", Notices::workload},
    {Mutant::mirror_second_cached, "mirror_second_cached", Notices::workload},
    {Mutant::mirror_order_presumed, "mirror_order_presumed", Notices::workload},
    // Links and histories.
    {Mutant::device_request_once, "device_request_once", Notices::workload},
    {Mutant::device_request_few, "device_request_few", Notices::workload},
    {Mutant::device_request_repeated, "device_request_repeated", Notices::workload},
    {Mutant::device_request_stale, "device_request_stale", Notices::workload},
    {Mutant::device_answer_unmatched, "device_answer_unmatched", Notices::workload},
    {Mutant::waits_semaphore_last, "waits_semaphore_last", Notices::workload},
    // What fails, and is not borne.
    {Mutant::heap_commit_believed, "heap_commit_believed", Notices::workload},
    {Mutant::epochs_full_released, "epochs_full_released", Notices::workload},
    {Mutant::interrupts_full_late, "interrupts_full_late", Notices::workload},
    {Mutant::calls_post_reused, "calls_post_reused", Notices::workload},
    {Mutant::threads_full_late, "threads_full_late", Notices::workload},
    {Mutant::threads_stack_missing, "threads_stack_missing", Notices::workload},
    {Mutant::forkjoin_push_late, "forkjoin_push_late", Notices::workload},
    {Mutant::async_permit_kept, "async_permit_kept"},
    {Mutant::async_wake_lost, "async_wake_lost", Notices::workload},
    {Mutant::async_sleeper_left, "async_sleeper_left", Notices::workload},
    {Mutant::device_phase_kept, "device_phase_kept", Notices::workload},
    {Mutant::device_head_unrung, "device_head_unrung", Notices::workload},
    {Mutant::device_waiting_lost, "device_waiting_lost", Notices::workload},
    {Mutant::device_reset_forgets, "device_reset_forgets", Notices::workload},
    {Mutant::screen_shift_held, "screen_shift_held"},
    {Mutant::screen_wrap_lost, "screen_wrap_lost", Notices::workload},
    {Mutant::nvme_pieces_reversed, "nvme_pieces_reversed"},
};

/// All, in their order: a new one that is not named here does not compile.
constexpr bool is_complete() {
    for (usize i = 0; i < std::size(table); ++i) {
        if (static_cast<usize>(table[i].which) != i + 1) {
            return false;
        }
    }
    return true;
}
static_assert(is_complete() && table[std::size(table) - 1].which == last_mutant);

} // namespace

std::span<NamedMutant const> named_mutants() {
    return table;
}

std::optional<Mutant> find_mutant(std::string_view text) {
    u16 number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    bool const is_number = error == std::errc{} && end == text.data() + text.size();
    if (is_number ? number == 0 : text == "none") {
        return Mutant::none;
    }
    for (NamedMutant const& each : table) {
        if (is_number ? static_cast<u16>(each.which) == number : each.name == text) {
            return each.which;
        }
    }
    return std::nullopt;
}

} // namespace twofold::host
