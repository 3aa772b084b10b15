// KeyDecoder: what a terminal sends becomes keys, one byte at a time, so that sequences may be
// split anywhere. UTF-8, the keys of xterm ("XTerm Control Sequences", PC-style function keys), of
// rxvt and of the Linux console, and bracketed paste.
//
// No bytes fail: what is no UTF-8 is U+FFFD, a sequence that is not understood is no key. There is
// no clock, so escape alone is a part of the key that follows. Pure.
#pragma once

#include "core/text/text.hpp"

namespace twofold::shell {

struct Key {
    enum class Kind : u8 {
        letter,  ///< `point` was typed or pasted; pasted line ends are '\n'
        control, ///< `point` is the C0 control or DEL
        alt,     ///< `point` (ASCII) with alt, or behind escape
        up,
        down,
        left,
        right,
        word_left,
        word_right,
        home,
        end,
        erase,      ///< delete forward
        erase_word, ///< the same, with ctrl or alt
        page_up,
        page_down,
    } kind;
    text::CodePoint point = 0;
    bool pasted = false;

    constexpr bool operator==(Key const&) const = default;
};

class KeyDecoder {
public:
    /// A byte completes at most these: a broken end of a paste and what it was broken by.
    static constexpr usize keys_max = 8;
    using Keys = FixedVector<Key, keys_max>;

    /// Takes the next byte. O(1).
    Keys take(u8 byte);

    /// Whether a paste has begun and not ended.
    bool is_pasting() const { return m_pasting; }

private:
    enum class State : u8 {
        ground,
        escape,
        control_entry, ///< behind CSI
        control,
        console_key, ///< behind CSI [, as the Linux console sends F1 to F5
        single,      ///< behind SS3
    };
    static constexpr u32 parameters_max = 2;
    static constexpr u32 parameter_max = 9999;

    void take_ground(u8 byte, Keys& keys);
    void take_escape(u8 byte, Keys& keys);
    void take_control(u8 byte, Keys& keys);
    void take_parameter(u8 byte);
    void take_single(u8 byte, Keys& keys);
    void take_pasted(u8 byte, Keys& keys);
    void paste(u8 byte, Keys& keys);
    void dispatch(u8 final, Keys& keys);
    void dispatch_numbered(Keys& keys);
    void begin_control();

    text::Utf8Decoder m_decoder;
    State m_state = State::ground;
    u32 m_parameters[parameters_max] = {};
    u32 m_parameter = 0;    ///< the one that is being read
    bool m_strange = false; ///< the sequence is none that is understood
    bool m_pasting = false;
    bool m_pasted_return = false; ///< the last byte of the paste was CR
    usize m_matched = 0;          ///< bytes of the sequence that ends a paste
};

} // namespace twofold::shell
