// See scancode_decoder.hpp.
#include "core/device/input/scancode_decoder.hpp"

#include <utility>

namespace twofold::device {

/// Overruns (0x00 of set 2, 0xff of both), and in set 2 the result of the self-test, by which a
/// keyboard that was plugged in anew tells of itself; set 1 has a key of that code.
bool ScancodeDecoder::is_loss(u8 byte) const {
    constexpr u8 passed = 0xaa;
    constexpr u8 failed = 0xfc;
    bool const is_test = m_set == ScancodeSet::two && (byte == passed || byte == failed);
    return byte == 0x00 || byte == 0xff || is_test;
}

bool ScancodeDecoder::take_loss() {
    return std::exchange(m_has_lost, false);
}

/// What was under way, if anything, comes to nothing.
void ScancodeDecoder::break_off() {
    if (m_now.prefix != Prefix::none || m_now.is_break) {
        ++m_counts.resyncs;
    }
    m_now = {};
}

std::optional<KeyChange> ScancodeDecoder::take(u8 byte) {
    constexpr u8 extended = 0xe0;
    constexpr u8 announced = 0xe1;
    constexpr u8 break_of_set_2 = 0xf0;
    if (is_loss(byte)) {
        break_off();
        m_has_lost = true;
        ++m_counts.losses;
        return std::nullopt;
    }
    if (byte == extended || byte == announced) {
        break_off();
        m_now.prefix = byte == extended ? Prefix::extended : Prefix::announced;
        return std::nullopt;
    }
    if (m_set == ScancodeSet::two && byte == break_of_set_2) {
        if (m_now.is_break) {
            break_off();
        }
        m_now.is_break = true;
        return std::nullopt;
    }
    return take_code(byte);
}

std::optional<KeyChange> ScancodeDecoder::take_code(u8 byte) {
    constexpr u8 break_bit = 0x80;
    bool const is_one = m_set == ScancodeSet::one;
    u8 const code = is_one ? static_cast<u8>(byte & ~break_bit) : byte;
    bool const is_break = is_one ? (byte & break_bit) != 0 : m_now.is_break;
    if (m_now.prefix == Prefix::announced) {
        if (code == pause_codes(m_set)[m_now.announced]) {
            return take_announced(is_break);
        }
        break_off(); // and the code stands for itself
    }
    bool const is_extended = m_now.prefix == Prefix::extended;
    m_now = {};
    if (is_extended && is_fake_shift(m_set, code)) {
        return std::nullopt;
    }
    Key const key = key_of(m_set, is_extended, code);
    if (key == Key::none) {
        ++m_counts.unknown;
        return std::nullopt;
    }
    return KeyChange{key, !is_break};
}

std::optional<KeyChange> ScancodeDecoder::take_announced(bool is_break) {
    m_now.is_break = false;
    if (++m_now.announced < pause_codes(m_set).size()) {
        return std::nullopt;
    }
    m_now = {};
    return KeyChange{Key::pause, !is_break};
}

} // namespace twofold::device
