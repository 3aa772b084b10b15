// See device_fault_kinds.hpp.
#include "hal/hosted/sim/device_fault_kinds.hpp"

namespace hosted {

namespace {

using enum FaultUnit;

constexpr u64 ms = 1'000'000;

// In the order of DeviceFault. Swarms leave out what silently damages a medium: a file system
// without checksums need not bear it.
constexpr FaultKind kinds[] = {
    {"link.lost", "a frame never arrives", none, 0, 0.01},
    {"link.late", "a frame takes longer, and what follows waits", nanoseconds, 10 * ms, 0.01},
    {"link.duplicated", "a frame arrives twice", none, 0, 0.01},
    {"link.reordered", "a frame arrives after those within the time", nanoseconds, ms, 0.01},
    {"link.partition", "nothing passes between two machines", nanoseconds, 50 * ms, 0.0001},
    {"nvme.torn_write", "a write reaches the medium in part: its begin, end or middle"},
    {"nvme.lost_write", "a write is acknowledged and never reaches the medium"},
    {"nvme.misdirected_write", "a write reaches other blocks than it was for"},
    {"nvme.misdirected_read", "a read answers with other blocks"},
    {"nvme.stale_read", "a read answers with what was there before the last write"},
    {"nvme.bit_rot", "bits of a block that is read have changed, close together", count, 1},
    {"nvme.zeroed", "a block that is read has become zeros"},
    {"nvme.filled", "a block that is read has become ones"},
    {"nvme.repeated_write", "a write comes once more with a flush, over what was written since"},
    {"nvme.shorn_write", "a write through the cache reaches the medium in part"},
    {"nvme.flush_ignored", "a flush is acknowledged and does nothing"},
    {"nvme.read_error", "a read fails", none, 0, 0.001},
    {"nvme.write_error", "a write fails and changes nothing", none, 0, 0.001},
    {"nvme.short_transfer", "a read succeeds, and half of its data has arrived"},
    {"nvme.late", "a command takes longer", nanoseconds, 10 * ms, 0.01},
    {"nvme.reordered", "a command is done after those within the time", nanoseconds, ms, 0.05},
    {"nvme.shrunk", "a namespace has become so many times smaller", factor, 2},
    {"nvme.wrong_phase", "a completion has the phase of the round before"},
    {"nvme.dropped_completion", "a command is done, and its completion never posted", none, 0,
     0.001},
    {"nvme.duplicate_completion", "a completion is posted twice", none, 0, 0.001},
    {"nvme.status", "a command is done, and says that it failed with this status", count, 0x006,
     0.001},
    {"nvme.spurious_interrupt", "an interrupt comes without a completion", none, 0, 0.01},
    {"nvme.lost_interrupt", "completions are posted, and no interrupt comes", none, 0, 0.001},
    {"nvme.doorbell_stall", "commands are fetched so much later", nanoseconds, 10 * ms, 0.005},
    {"nvme.fatal", "the controller has a fatal status", none, 0, 0.0001},
    {"nvme.reset", "the controller is not ready any more", none, 0, 0.0001},
};
static_assert(std::size(kinds) == device_faults);

} // namespace

std::span<FaultKind const> device_fault_kinds() {
    return kinds;
}

} // namespace hosted
