// A message in the wire format of Protocol Buffers, built up in memory.
//
// Source: Protocol Buffers, "Encoding" (https://protobuf.dev/programming-guides/encoding/).
#pragma once

#include "core/base/base.hpp"

#include <string>
#include <string_view>

namespace twofold::perfetto {

class ProtobufMessage {
public:
    void add_number(u32 field, u64 number) {
        add_tag(field, wire_number);
        add_varint(number);
    }
    void add_fixed(u32 field, u64 number) {
        add_tag(field, wire_fixed);
        for (u32 shift = 0; shift < 64; shift += 8) {
            m_bytes += static_cast<char>(number >> shift);
        }
    }
    void add_text(u32 field, std::string_view text) {
        add_tag(field, wire_bytes);
        add_varint(text.size());
        m_bytes += text;
    }
    void add_message(u32 field, ProtobufMessage const& message) {
        add_text(field, message.m_bytes);
    }

    std::string const& bytes() const { return m_bytes; }

private:
    static constexpr u32 wire_number = 0;
    static constexpr u32 wire_fixed = 1;
    static constexpr u32 wire_bytes = 2;

    void add_tag(u32 field, u32 wire) { add_varint(u64{field} << 3 | wire); }
    /// Seven bits to a byte, the least ones first.
    void add_varint(u64 number) {
        for (; number >= 0x80; number >>= 7) {
            m_bytes += static_cast<char>(number | 0x80);
        }
        m_bytes += static_cast<char>(number);
    }

    std::string m_bytes;
};

} // namespace twofold::perfetto
