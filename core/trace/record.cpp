// The encoder of result-channel frames; see record.hpp for the format.
#include "core/trace/record.hpp"

#include <algorithm>

namespace twofold::trace {

namespace {

constexpr u8 sync[4] = {0x54, 0x32, 0x46, 0x1e};

} // namespace

Record::Record(RecordType type) {
    for (u8 const byte : sync) {
        put(byte, 1);
    }
    put(static_cast<u8>(type), 1);
    put(0, 2); // the length, known when the record is finished
    CHECK(m_size == header_size);
}

Record& Record::number(u64 value) {
    put('u', 1);
    put(value, 8);
    return *this;
}

Record& Record::integer(i64 value) {
    put('i', 1);
    put(static_cast<u64>(value), 8);
    return *this;
}

Record& Record::text(std::string_view text, usize rest_bytes) {
    CHECK(payload_size() + text_header_bytes + rest_bytes <= payload_capacity);
    usize const room = payload_capacity - payload_size() - text_header_bytes - rest_bytes;
    usize const length = std::min(text.size(), room);
    put('s', 1);
    put(length, 2);
    for (usize i = 0; i < length; ++i) {
        put(static_cast<u8>(text[i]), 1);
    }
    return *this;
}

std::span<std::byte const> Record::finish() {
    CHECK(!m_finished);
    m_finished = true;
    usize const length = payload_size();
    m_bytes[5] = static_cast<std::byte>(length & 0xff);
    m_bytes[6] = static_cast<std::byte>(length >> 8);
    u32 const checksum = crc32(std::span(m_bytes).subspan(sizeof(sync), m_size - sizeof(sync)));
    put(checksum, 4);
    return std::span(m_bytes).first(m_size);
}

void Record::put(u64 value, usize bytes) {
    CHECK(m_size + bytes <= sizeof(m_bytes));
    for (usize i = 0; i < bytes; ++i) {
        m_bytes[m_size++] = static_cast<std::byte>(value >> (8 * i));
    }
}

} // namespace twofold::trace
