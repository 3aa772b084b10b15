// What has happened in a run, as bytes: how a kernel tells its schedule to a tool. Pure; the same
// in both. The format is specified in docs/laboratory.md. Equal schedules are equal bytes, and no
// others are.
//
// A happening is a head, whose low four bits are its kind; then, as numbers of seven bits a byte
// (LEB128), the time since the one before, the processor, and as the head says the thread, the
// other thread and the amount (its sign in the lowest bit).
#pragma once

#include "apps/sched/events.hpp"

#include <array>
#include <cstddef>
#include <span>

namespace twofold::lab {

inline constexpr usize happening_bytes_max = 36; ///< head, time, processor, two threads, amount

namespace detail {

inline constexpr u8 head_thread = 0x10; ///< a thread is named
inline constexpr u8 head_other = 0x20;
inline constexpr u8 head_amount = 0x40; ///< it is not 0
inline constexpr u8 head_kind = 0x0F;

} // namespace detail

class HappeningWriter {
public:
    /// The next one, in the order of their times; valid until the next call. O(1).
    std::span<std::byte const> write(Happening const& happening) {
        CHECK(happening.now >= m_last);
        m_size = 0;
        bool const has_thread = happening.thread != nobody;
        bool const has_other = happening.other != nobody;
        bool const has_amount = happening.amount != 0;
        put(static_cast<u8>(
            static_cast<u8>(happening.kind) | (has_thread ? detail::head_thread : 0) |
            (has_other ? detail::head_other : 0) | (has_amount ? detail::head_amount : 0)));
        put_number(static_cast<u64>((happening.now - m_last).value));
        m_last = happening.now;
        put_number(happening.cpu);
        if (has_thread) {
            put_number(happening.thread);
        }
        if (has_other) {
            put_number(happening.other);
        }
        if (has_amount) {
            auto const bits = static_cast<u64>(happening.amount);
            put_number(bits << 1 ^ (happening.amount < 0 ? ~u64{0} : 0));
        }
        return std::span(m_bytes).first(m_size);
    }

private:
    void put(u8 byte) { m_bytes[m_size++] = std::byte{byte}; }
    void put_number(u64 number) {
        for (; number > 0x7F; number >>= 7) {
            put(static_cast<u8>(number | 0x80));
        }
        put(static_cast<u8>(number));
    }

    std::array<std::byte, happening_bytes_max> m_bytes{};
    usize m_size = 0;
    Nanos m_last{};
};

/// Takes what a HappeningWriter wrote from bytes that may be anything.
class HappeningReader {
public:
    explicit HappeningReader(std::span<std::byte const> bytes) : m_reader(bytes) {}

    bool at_end() const { return m_reader.remaining() == 0; }
    usize position() const { return m_reader.position(); }

    /// The next one. Errors: truncated, corrupted (it is none, or is not as short as it could be,
    /// or the time goes beyond 2^63). O(1).
    Result<Happening> read() {
        u8 const head = TRY(m_reader.read<u8>());
        u8 const kind = head & detail::head_kind;
        if (kind >= happening_kinds || (head & 0x80) != 0) {
            return Error::corrupted;
        }
        Happening happening{.kind = static_cast<HappeningKind>(kind)};
        u64 const passed = TRY(read_number(~u64{0} >> 1));
        if (passed > (~u64{0} >> 1) - static_cast<u64>(m_last.value)) {
            return Error::corrupted;
        }
        happening.now = m_last = m_last + Nanos{static_cast<i64>(passed)};
        happening.cpu = static_cast<u32>(TRY(read_number(nobody - 1)));
        if ((head & detail::head_thread) != 0) {
            happening.thread = static_cast<u32>(TRY(read_number(nobody - 1)));
        }
        if ((head & detail::head_other) != 0) {
            happening.other = static_cast<u32>(TRY(read_number(nobody - 1)));
        }
        if ((head & detail::head_amount) != 0) {
            u64 const number = TRY(read_number(~u64{0}));
            if (number == 0) {
                return Error::corrupted;
            }
            happening.amount =
                static_cast<i64>(number >> 1 ^ ((number & 1) != 0 ? ~u64{0} : u64{0}));
        }
        return happening;
    }

private:
    Result<u64> read_number(u64 most) {
        u64 number = 0;
        for (u32 shift = 0; shift < 64; shift += 7) {
            u8 const byte = TRY(m_reader.read<u8>());
            u64 const part = byte & 0x7F;
            bool const is_longer = byte == 0 && shift > 0; // than it need be
            if (is_longer || (part << shift) >> shift != part) {
                return Error::corrupted;
            }
            number |= part << shift;
            if ((byte & 0x80) == 0) {
                return number <= most ? Result<u64>(number) : Error::corrupted;
            }
        }
        return Error::corrupted;
    }

    ByteReader m_reader;
    Nanos m_last{};
};

} // namespace twofold::lab
