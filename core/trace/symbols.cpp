// Opening a symbol table, and binary search in it.
#include "core/trace/symbols.hpp"

namespace twofold::trace {

Result<SymbolTable> SymbolTable::open(std::span<std::byte const> blob) {
    constexpr u8 magic[8] = {'T', '2', 'S', 'Y', 'M', 0, 0, 1};
    ByteReader reader(blob);
    for (u8 const expected : magic) {
        if (TRY(reader.read<u8>()) != expected) {
            return Error::corrupted;
        }
    }
    u64 const count = TRY(reader.read<u32>());
    u64 const names_size = TRY(reader.read<u32>());
    if (blob.size() != header_size + count * entry_size + names_size) {
        return Error::truncated;
    }
    if (count != 0 && (names_size == 0 || blob.back() != std::byte{0})) {
        return Error::corrupted; // every name ends before the blob does
    }
    SymbolTable const table(blob, count);
    u64 previous_offset = 0;
    for (usize i = 0; i < count; ++i) {
        Entry const current = table.entry(i);
        if (current.offset < previous_offset || current.name >= names_size) {
            return Error::corrupted;
        }
        previous_offset = current.offset;
    }
    return table;
}

std::optional<Symbol> SymbolTable::find(u64 offset) const {
    usize first = 0; // entries before `first` start at or before `offset`
    usize last = m_count;
    while (first < last) {
        usize const middle = first + (last - first) / 2;
        if (entry(middle).offset <= offset) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    if (first == 0) {
        return std::nullopt;
    }
    Entry const found = entry(first - 1);
    CHECK(found.offset <= offset);
    u64 const inside = offset - found.offset;
    if (inside >= found.size) {
        return std::nullopt;
    }
    return Symbol{name_at(found.name), inside};
}

SymbolTable::Entry SymbolTable::entry(usize index) const {
    CHECK(index < m_count);
    ByteReader const reader(m_blob);
    usize const place = header_size + index * entry_size;
    return {
        reader.peek_at<u32>(place).value(), reader.peek_at<u32>(place + 4).value(),
        reader.peek_at<u32>(place + 8).value()};
}

std::string_view SymbolTable::name_at(u32 offset) const {
    std::string_view const names =
        text_of_bytes(m_blob.subspan(header_size + m_count * entry_size));
    std::string_view const rest = slice(names, offset, names.size() - offset);
    return slice(rest, 0, rest.find('\0'));
}

} // namespace twofold::trace
