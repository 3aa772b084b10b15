// The one closed set of errors that kernel operations return. At most sixteen; a caller must be
// able to decide by the code alone what to do next.
#pragma once

#include "core/base/integers.hpp"

#include <string_view>

namespace twofold {

enum class Error : u8 {
    invalid_argument,  ///< the request makes no sense, whatever the state; do not retry
    out_of_range,      ///< an index, address or number lies outside what the object has
    out_of_memory,     ///< an allocation failed; freeing memory may help
    no_space,          ///< a bounded container, device or store is full
    not_found,         ///< the named thing does not exist
    already_exists,    ///< the thing to be created exists
    not_supported,     ///< this machine, device or format version does not offer it
    permission_denied, ///< the caller's authority does not reach that far
    corrupted,         ///< stored or received data fails its checks
    truncated,         ///< data ends before it should
    busy,              ///< in use, or would block; retry later
    timed_out,         ///< a deadline passed first
    cancelled,         ///< the operation was withdrawn
    io_failed,         ///< a device reports failure
    invalid_state,     ///< legal in itself, but not now
};

inline constexpr usize error_count = 15;
static_assert(error_count <= 16, "a caller cannot tell more apart");

/// The stable name of an error, as printed and recorded. O(1); any context.
constexpr std::string_view error_name(Error error) {
    constexpr std::string_view names[error_count] = {
        "invalid_argument", "out_of_range",   "out_of_memory", "no_space",
        "not_found",        "already_exists", "not_supported", "permission_denied",
        "corrupted",        "truncated",      "busy",          "timed_out",
        "cancelled",        "io_failed",      "invalid_state"};
    auto const index = static_cast<usize>(error);
    return index < error_count ? names[index] : "unknown_error";
}

} // namespace twofold
