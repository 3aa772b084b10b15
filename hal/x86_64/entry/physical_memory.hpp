// How the parsers of the start see physical memory: through one function that answers with the
// bytes of a range, or with nothing where the range cannot be seen. The stub reads memory itself,
// tests a buffer.
#pragma once

#include "core/base/base.hpp"

#include <span>
#include <string_view>

namespace metal {

using namespace twofold;

struct PhysicalRange {
    PhysAddr base;
    Bytes size;
};

struct PhysicalMemory {
    /// The bytes of [address, address + size), all of them or none.
    std::span<std::byte const> (*read)(void const* context, PhysAddr address, Bytes size);
    void const* context;

    std::span<std::byte const> view(PhysAddr address, Bytes size) const {
        std::span<std::byte const> const bytes = read(context, address, size);
        CHECK(bytes.empty() || bytes.size() == size.value);
        return bytes;
    }
};

/// The little-endian number at `offset`; truncated if `bytes` ends before it. O(1).
template<class T>
Result<T> peek(std::span<std::byte const> bytes, usize offset) {
    return ByteReader{bytes}.peek_at<T>(offset);
}

/// The zero-terminated text at the start of `bytes`; truncated if no zero ends it. O(length).
inline Result<std::string_view> load_text(std::span<std::byte const> bytes) {
    // Sound: char may alias any object.
    auto const* const text = reinterpret_cast<char const*>(bytes.data());
    for (usize length = 0; length < bytes.size(); ++length) {
        if (text[length] == '\0') {
            return std::string_view{text, length};
        }
    }
    return Error::truncated;
}

/// The zero-terminated text at physical `address`, of at most `longest` bytes. Asked for a page at
/// a time, so that a text in the last bytes of what can be seen is found. O(length).
inline Result<std::string_view> load_text(PhysicalMemory memory, PhysAddr address, Bytes longest) {
    constexpr Bytes step{256};
    usize seen = 0;
    while (seen < longest.value) {
        u64 const to_boundary = step.value - (address.value + seen) % step.value;
        std::span<std::byte const> const bytes = memory.view(address, {seen + to_boundary});
        if (bytes.empty()) {
            return Error::out_of_range;
        }
        Result<std::string_view> text = load_text(bytes);
        if (text) {
            return text;
        }
        seen += to_boundary;
    }
    return Error::truncated;
}

} // namespace metal
