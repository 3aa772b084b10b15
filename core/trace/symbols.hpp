// The symbol table of an image: which function an address belongs to. The table is a blob that the
// build makes from the linked image (tools/symbols) and the machine hands over; it is checked as
// untrusted data when it is opened, so that a lookup in a panic cannot fault.
//
// Format, little-endian: 8 bytes magic "T2SYM\0\0\1"; u32 count; u32 bytes of names; then count
// entries {u32 offset from the image's base, u32 size in bytes, u32 offset of the name}, ascending
// by offset; then the names, each ended by a zero byte. 16 bytes of header, 12 an entry.
#pragma once

#include "core/base/base.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace twofold::trace {

/// A function, and how far behind its start an address lies.
struct Symbol {
    std::string_view name; ///< valid as long as the blob
    u64 offset;
};

class SymbolTable {
public:
    /// Checks a blob and opens it. Errors: truncated, corrupted (wrong magic, unordered entries,
    /// names outside of the blob). O(count).
    static Result<SymbolTable> open(std::span<std::byte const> blob);

    /// The function that holds the byte at `offset` from the image's base. Any context. O(log
    /// count).
    std::optional<Symbol> find(u64 offset) const;

    usize count() const { return m_count; }

private:
    static constexpr usize header_size = 16;
    static constexpr usize entry_size = 12;

    struct Entry {
        u32 offset, size, name;
    };

    SymbolTable(std::span<std::byte const> blob, usize count) : m_blob(blob), m_count(count) {}
    Entry entry(usize index) const;
    std::string_view name_at(u32 offset) const;

    std::span<std::byte const> m_blob;
    usize m_count;
};

} // namespace twofold::trace
