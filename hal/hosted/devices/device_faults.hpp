// What can go wrong with devices and with the links between machines. A model asks for each where
// there is an occasion (DeviceBus::fault) and does what it means; which happen is a plan's to say
// (sim/faults.hpp; sim/device_fault_kinds.hpp has their names).
#pragma once

#include "core/base/base.hpp"

namespace hosted {

using namespace twofold;

enum class DeviceFault : u8 {
    link_lost,
    link_late,
    link_duplicated,
    link_reordered,
    link_partition,
    nvme_torn_write,
    nvme_lost_write,
    nvme_misdirected_write,
    nvme_misdirected_read,
    nvme_stale_read,
    nvme_bit_rot,
    nvme_zeroed,
    nvme_filled,
    nvme_repeated_write,
    nvme_shorn_write,
    nvme_flush_ignored,
    nvme_read_error,
    nvme_write_error,
    nvme_short_transfer,
    nvme_late,
    nvme_reordered,
    nvme_shrunk,
    nvme_wrong_phase,
    nvme_dropped_completion,
    nvme_duplicate_completion,
    nvme_status,
    nvme_spurious_interrupt,
    nvme_lost_interrupt,
    nvme_doorbell_stall,
    nvme_fatal,
    nvme_reset,
    count
};
inline constexpr usize device_faults = static_cast<usize>(DeviceFault::count);

} // namespace hosted
