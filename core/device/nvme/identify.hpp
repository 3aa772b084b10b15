// What a controller says of itself and of its namespaces, checked before anything relies on it.
// Pure: from bytes to values, or a refusal.
//
// All of it is hostile data: numbers are checked against each other and against what the driver can
// do, text is made printable, lists are bounded.
//
// Source: NVM Express Base Specification 1.4, section 5.15.
#pragma once

#include "core/device/block/device.hpp"
#include "core/device/nvme/layout.hpp"

namespace twofold::nvme {

/// Which scatter-gather lists a controller takes.
enum class SglSupport : u8 {
    none,
    words, ///< addresses and lengths are multiples of 4
    bytes, ///< any
};

struct ControllerFacts {
    u16 vendor = 0;
    u16 controller_id = 0;
    u32 version = 0;
    FixedString<20> serial;
    FixedString<40> model;
    FixedString<8> firmware;
    u64 transfer_bytes_max = 0; ///< of one command; no limit is the largest number
    u32 namespaces = 0;         ///< their numbers end there
    u32 abort_limit = 0;
    u32 event_limit = 0;
    u32 error_log_entries = 0;
    u32 events_supported = 0;
    u16 warning_kelvin = 0;
    u16 critical_kelvin = 0;
    SglSupport sgl = SglSupport::none;
    bool has_volatile_cache = false;
    bool can_deallocate = false;
    bool can_write_zeroes = false;
};

struct NamespaceFacts {
    u64 blocks = 0;
    u8 block_log2 = 0; ///< of their bytes
    bool is_read_only = false;
    u64 eui64 = 0;

    constexpr bool operator==(NamespaceFacts const&) const = default;
};

/// The largest blocks that are of use to anybody here.
inline constexpr u8 block_log2_min = 9, block_log2_max = 16;

/// Errors: not_supported (it wants entries of other sizes, or has no pages of 4 KiB), corrupted.
Result<ControllerFacts> parse_controller(IdentifyController const& said, Capabilities capabilities);

/// Errors: not_found (the namespace is not active), not_supported (its blocks have metadata or are
/// protected by it, or are too large), corrupted (its format is none of its formats, blocks are too
/// small, its numbers contradict each other or overflow).
Result<NamespaceFacts> parse_namespace(IdentifyNamespace const& said);

/// Active namespaces of a controller, at most so many; the others are not used.
inline constexpr usize namespaces_max = 32;
using NamespaceList = FixedVector<u32, namespaces_max>;

/// Errors: corrupted (not rising, or beyond the controller's last number). O(n).
Result<NamespaceList>
parse_namespace_list(std::span<u32 const, namespace_list_max> said, u32 last_number);

/// What the driver can do in one command, beside what the controller limits.
struct TransferLimits {
    u64 bytes_max = 0; ///< whole pages
    u32 segments_max = 0;
};

/// What a namespace is to those who use it. `cache`: whether the volatile cache is on.
enum class VolatileCache : u8 { off, on };
block::Geometry geometry_of(
    ControllerFacts const& controller,
    NamespaceFacts const& name_space,
    TransferLimits const& limits,
    VolatileCache cache);

/// A number of 128 bits of a log page, or the largest of 64 where it has more.
constexpr u64 narrow(u64 const (&words)[2]) {
    return words[1] == 0 ? words[0] : ~u64{0};
}

} // namespace twofold::nvme
