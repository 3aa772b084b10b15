// See status.hpp.
#include "core/device/nvme/status.hpp"

#include <algorithm>
#include <array>

namespace twofold::nvme {

namespace {

struct Row {
    u16 kind;
    Verdict verdict;
};

/// What is left out is io_failed, and is given again unless the controller says that this is of no
/// use.
constexpr Row rows[] = {
    // The command makes no sense to the controller: the driver, or the controller, is wrong.
    {status::invalid_opcode, {Error::not_supported, false}},
    {status::invalid_field, {Error::invalid_argument, false}},
    {status::command_sequence_error, {Error::invalid_state, false}},
    {status::invalid_sgl_segment, {Error::invalid_argument, false}},
    {status::invalid_sgl_count, {Error::invalid_argument, false}},
    {status::invalid_data_sgl_length, {Error::invalid_argument, false}},
    {0x010, {Error::invalid_argument, false}}, // the metadata SGL's length
    {status::invalid_sgl_type, {Error::invalid_argument, false}},
    {0x012, {Error::not_supported, false}}, // no such use of the controller memory buffer
    {status::invalid_prp_offset, {Error::invalid_argument, false}},
    {0x014, {Error::out_of_range, false}},                  // the atomic write unit is exceeded
    {0x015, {Error::permission_denied, false}},             // operation denied
    {0x016, {Error::invalid_argument, false}},              // the SGL's offset
    {0x018, {Error::invalid_argument, false}},              // the host identifier's format
    {status::invalid_namespace, {Error::cancelled, false}}, // it was detached
    // Withdrawn. Only this driver aborts commands, and only those that are overdue.
    {status::aborted_by_request, {Error::timed_out, false}},
    {0x01d, {Error::busy, false}},      // a sanitize operation runs
    {0x01c, {Error::io_failed, false}}, // and has failed
    {status::namespace_write_protected, {Error::permission_denied, false}},
    // The medium.
    {status::lba_out_of_range, {Error::out_of_range, false}},
    {status::capacity_exceeded, {Error::no_space, false}},
    {status::namespace_not_ready, {Error::busy, true}},
    {0x083, {Error::permission_denied, false}}, // reserved by another host
    {0x084, {Error::busy, true}},               // a format runs
    // Of single commands.
    {status::invalid_completion_queue, {Error::invalid_argument, false}},
    {status::invalid_queue_id, {Error::invalid_argument, false}},
    {status::invalid_queue_size, {Error::out_of_range, false}},
    {status::abort_limit_exceeded, {Error::busy, false}},
    {status::event_limit_exceeded, {Error::busy, false}},
    {status::invalid_interrupt_vector, {Error::out_of_range, false}},
    {status::invalid_log_page, {Error::not_supported, false}},
    {0x10a, {Error::invalid_argument, false}}, // the format
    {status::invalid_queue_deletion, {Error::invalid_state, false}},
    {status::feature_not_saveable, {Error::not_supported, false}},
    {status::feature_not_changeable, {Error::not_supported, false}},
    {status::conflicting_attributes, {Error::invalid_argument, false}},
    {0x181, {Error::invalid_argument, false}},  // protection information
    {0x182, {Error::permission_denied, false}}, // the range may only be read
    // The data.
    {status::write_fault, {Error::io_failed, true}},
    {status::unrecovered_read, {Error::corrupted, false}},
    {status::guard_check, {Error::corrupted, false}},
    {0x283, {Error::corrupted, false}}, // the application tag
    {0x284, {Error::corrupted, false}}, // the reference tag
    {status::compare_failure, {Error::corrupted, false}},
    {status::access_denied, {Error::permission_denied, false}},
    {status::deallocated_block, {Error::corrupted, false}},
};

/// For looking up: statuses are judged where nothing interrupts.
constexpr auto sorted = [] {
    auto copy = std::to_array(rows);
    std::ranges::sort(copy, {}, &Row::kind);
    return copy;
}();
static_assert(std::ranges::adjacent_find(sorted, {}, &Row::kind) == sorted.end());

} // namespace

Verdict verdict_of(Status status) {
    auto const* const row = std::ranges::lower_bound(sorted, status.kind(), {}, &Row::kind);
    bool const is_known = row != sorted.end() && row->kind == status.kind();
    Verdict verdict = is_known ? row->verdict : Verdict{Error::io_failed, true};
    verdict.may_retry = verdict.may_retry && !status.must_not_retry();
    return verdict;
}

} // namespace twofold::nvme
