// What a completion's status means to whoever asked. Pure.
//
// Source: NVM Express Base Specification 1.4, section 4.6.1.2.
#pragma once

#include "core/device/nvme/layout.hpp"

namespace twofold::nvme {

/// What becomes of a command that has failed.
struct Verdict {
    Error error{};
    bool may_retry = false; ///< the same command may succeed when it is given again

    constexpr bool operator==(Verdict const&) const = default;
};

/// Of a status that is no success; one that is not known is io_failed. O(log statuses).
Verdict verdict_of(Status status);

} // namespace twofold::nvme
