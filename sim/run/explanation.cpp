// See explanation.hpp.
#include "sim/run/explanation.hpp"

#include "hal/hosted/sim/device_fault_kinds.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twofold::sim {

namespace {

constexpr u32 bit(Error error) {
    return u32{1} << static_cast<u32>(error);
}

constexpr u32 damage = u32{1} << error_count; ///< beside the errors
constexpr u32 every_error = damage - 1;
constexpr u32 too_late = bit(Error::timed_out);
constexpr u32 failed = bit(Error::io_failed);

/// What a fault leads to; one that is not here leads to nothing that a workload need bear.
struct Row {
    std::string_view kind;
    u32 leads_to;
};
constexpr Row rows[] = {
    {"nvme.torn_write", damage},
    {"nvme.lost_write", damage},
    {"nvme.misdirected_write", damage},
    {"nvme.misdirected_read", damage},
    {"nvme.stale_read", damage},
    {"nvme.bit_rot", damage},
    {"nvme.zeroed", damage},
    {"nvme.filled", damage},
    {"nvme.repeated_write", damage},
    {"nvme.shorn_write", damage},
    {"nvme.flush_ignored", damage},
    {"nvme.short_transfer", damage},
    {"nvme.read_error", bit(Error::corrupted)},
    {"nvme.write_error", failed}, // if it happens at each try
    {"nvme.late", too_late},
    {"nvme.reordered", too_late},
    {"nvme.shrunk", bit(Error::out_of_range)},
    // Where a command that manages fails, so does the reset that it is part of: the controller is
    // dead then.
    {"nvme.wrong_phase", too_late | failed},
    {"nvme.dropped_completion", too_late | failed},
    {"nvme.status", every_error},
    {"nvme.lost_interrupt", too_late | failed},
    {"nvme.doorbell_stall", too_late | failed},
    {"nvme.fatal", too_late | failed},
    {"nvme.reset", too_late | failed},
    {"cpu.stalled", too_late | failed},
    {"cpu.slow", too_late | failed},
};

u32 leads_to(std::string_view kind) {
    if (kind.starts_with("points.")) {
        return bit(Error::out_of_memory) | bit(Error::no_space) | failed;
    }
    auto const* const row = std::ranges::find(rows, kind, &Row::kind);
    return row == std::end(rows) ? 0 : row->leads_to;
}

} // namespace

std::string unexplained(hosted::SimEngine const& engine) {
    static hosted::FaultKinds const kinds(hosted::device_fault_kinds());
    u32 explained = 0;
    for (u32 i = 0; i < kinds.all().size(); ++i) {
        hosted::FaultId const id{i};
        explained |= engine.faults().counts(id).fired != 0 ? leads_to(kinds[id].name) : 0;
    }
    for (u32 i = 0; i < error_count; ++i) {
        auto const error = static_cast<Error>(i);
        if (engine.has_borne(error) && (explained & bit(error)) == 0) {
            return fmt::format("an error is told that no fault explains: {}", error_name(error));
        }
    }
    if (engine.has_met_damage() && (explained & damage) == 0) {
        return "data was read that nobody wrote, and no fault explains it";
    }
    return {};
}

} // namespace twofold::sim
