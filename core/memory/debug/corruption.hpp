// What the debugging layer finds out, and what it needs to know about who runs it.
#pragma once

#include "core/base/base.hpp"

#include <array>
#include <concepts>
#include <span>
#include <string_view>

namespace twofold::memory {

/// The return addresses of the innermost calls of a stack, innermost first; 0 where it ends.
struct CallStack {
    static constexpr usize depth_max = 8;

    std::array<u64, depth_max> addresses{};

    bool operator==(CallStack const&) const = default;
    /// Those that are known.
    std::span<u64 const> known() const {
        usize count = 0;
        while (count < depth_max && addresses[count] != 0) {
            ++count;
        }
        return std::span(addresses).first(count);
    }
};

/// How a block, or what lies around it, was written to by somebody who had no right to.
enum class CorruptionKind : u8 {
    none,
    underflow,      ///< before the beginning of a block
    overflow,       ///< behind the end of a block
    use_after_free, ///< into a block that was given back
};
inline constexpr usize corruption_kind_count = 4;

/// The stable name of a kind. O(1); any context.
constexpr std::string_view corruption_name(CorruptionKind kind) {
    constexpr std::string_view names[corruption_kind_count] = {
        "no damage", "write before a block", "write behind a block", "write after free"};
    auto const index = static_cast<usize>(kind);
    return index < corruption_kind_count ? names[index] : "unknown damage";
}

/// One damaged block.
struct Corruption {
    CorruptionKind kind = CorruptionKind::none;
    std::byte* block = nullptr;   ///< what was handed out
    Bytes size{};                 ///< and how much of it was asked for
    std::byte* damaged = nullptr; ///< the first byte that is not what it was
    u64 number = 0;               ///< of the allocation, counted from 1
    CallStack allocated;          ///< who asked for the block
    CallStack freed;              ///< who gave it back; empty while it is in use
};

/// The context of the debugging layer. A `Scope` is held around every operation: it keeps others
/// out (and interrupts off, in a kernel). The operations are called inside one, `call_stack` and
/// `before_allocation` outside.
template<class E>
concept DebugEnvironment = requires(E environment, Corruption const& corruption, Bytes size) {
    /// Whether the allocator below neither reads nor writes blocks that are free. Then they
    /// stay poisoned for AddressSanitizer until they are handed out again.
    { E::free_blocks_stay_untouched } -> std::convertible_to<bool>;
    typename E::Scope;
    requires std::constructible_from<typename E::Scope, E&>;
    /// The calls that led to the function that this is inlined into, without itself.
    { environment.call_stack() } -> std::same_as<CallStack>;
    /// Somebody is about to take `size` bytes.
    { environment.before_allocation(size) } -> std::same_as<void>;
    /// A block is damaged. May never return; if it does, the operation fails.
    { environment.report(corruption) } -> std::same_as<void>;
};

} // namespace twofold::memory
