// ByteReader: takes little-endian numbers and runs of bytes from untrusted data, one after another.
// Never reads outside the span; running out is Error::truncated and moves nothing. For parsers of
// firmware tables, images and stored blocks. Pure; any context; allocation-free.
#pragma once

#include "core/base/integers.hpp"
#include "core/base/result.hpp"

#include <concepts>
#include <cstddef>
#include <span>

namespace twofold {

class ByteReader {
public:
    constexpr explicit ByteReader(std::span<std::byte const> data) : m_data(data) {}

    /// Bytes taken so far, and bytes that are left. O(1).
    constexpr usize position() const { return m_position; }
    constexpr usize remaining() const { return m_data.size() - m_position; }

    /// Takes a little-endian number. Error::truncated if it does not fit in what is left. O(1).
    template<std::unsigned_integral T>
    constexpr Result<T> read() {
        Result<T> const number = peek_at<T>(m_position);
        if (number) {
            m_position += sizeof(T);
        }
        return number;
    }

    /// The little-endian number at `offset` from the start; moves nothing. Error::truncated. O(1).
    template<std::unsigned_integral T>
    constexpr Result<T> peek_at(usize offset) const {
        if (offset > m_data.size() || m_data.size() - offset < sizeof(T)) {
            return Error::truncated;
        }
        u64 number = 0;
        for (usize i = sizeof(T); i > 0; --i) {
            number = number << 8 | std::to_integer<u64>(m_data[offset + i - 1]);
        }
        return static_cast<T>(number);
    }

    /// Takes `count` bytes, as a part of the data. Error::truncated. O(1).
    constexpr Result<std::span<std::byte const>> read_bytes(usize count) {
        if (count > remaining()) {
            return Error::truncated;
        }
        std::span<std::byte const> const bytes = m_data.subspan(m_position, count);
        m_position += count;
        CHECK(m_position <= m_data.size());
        return bytes;
    }

    /// Passes over `count` bytes. Error::truncated. O(1).
    constexpr Result<void> skip(usize count) {
        if (count > remaining()) {
            return Error::truncated;
        }
        m_position += count;
        return {};
    }

private:
    std::span<std::byte const> m_data;
    usize m_position = 0;
};

} // namespace twofold
