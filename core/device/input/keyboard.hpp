// Keyboard: what the keys of one keyboard mean: which are down, what modifies what, and which
// character a key types on a layout.
//
// Repeats are the keyboard's own: a key that goes down while it is down, and was the last to go
// down, is repeated.
//
// What gets lost must not stick. A key whose break was lost is down here until it goes down again,
// which is then a stroke of its own, unless it was the last one; keys that only type are not held
// against anybody. Where something is known to be lost (the keyboard says so, or bytes were dropped
// on the way), all keys come up (`release_all`). A modifier whose break alone got lost, unseen, is
// held until it is pressed and released once more. Pure; one context at a time.
#pragma once

#include "core/device/input/layout.hpp"
#include "core/device/input/scancode_decoder.hpp"

namespace twofold::device {

/// What is held or locked while a key changes.
struct Modifiers {
    enum Bit : u16 {
        left_shift = 1 << 0,
        right_shift = 1 << 1,
        left_control = 1 << 2,
        right_control = 1 << 3,
        left_alt = 1 << 4,
        right_alt = 1 << 5, ///< where it is no AltGr
        alt_gr = 1 << 6,
        left_gui = 1 << 7,
        right_gui = 1 << 8,
        caps_lock = 1 << 9,
        num_lock = 1 << 10,
    };

    u16 bits = 0;

    constexpr bool has(u16 any) const { return (bits & any) != 0; }
    constexpr bool shift() const { return has(left_shift | right_shift); }
    constexpr bool control() const { return has(left_control | right_control); }
    constexpr bool alt() const { return has(left_alt | right_alt); }
    constexpr bool operator==(Modifiers const&) const = default;
};

struct KeyEvent {
    Key key = Key::none;
    bool pressed = false;
    bool repeated = false;  ///< it is held, and goes down once more
    Modifiers modifiers;    ///< with what this event has changed
    char32_t character = 0; ///< that it types, whatever control and alt make of it; 0: none
    constexpr bool operator==(KeyEvent const&) const = default;
};

class Keyboard {
public:
    /// Lights, as the keyboard's command for them has them.
    enum Light : u8 { scroll_light = 1, num_light = 2, caps_light = 4 };

    /// Nothing is held; num lock is on, as firmware leaves it. `layout` lives as long.
    Keyboard(ScancodeSet set, Layout const& layout) : m_decoder(set), m_layout(&layout) {}

    /// Takes a byte of the keyboard and calls emit(KeyEvent const&) for each event that it
    /// completes. O(keys held).
    template<class Emit>
    void take(u8 byte, Emit const& emit) {
        auto const change = m_decoder.take(byte);
        if (m_decoder.take_loss()) {
            release_keys(emit);
        }
        if (change) {
            if (auto const event = apply(*change)) {
                emit(*event);
            }
        }
    }
    /// Bytes have been lost: all keys come up, by an event each. O(keys).
    template<class Emit>
    void release_all(Emit const& emit) {
        m_decoder.restart();
        release_keys(emit);
    }
    /// The event that a change of a key is; none: it changes nothing. O(1).
    std::optional<KeyEvent> apply(KeyChange const& change);

    /// From the next event on. `layout` lives as long.
    void set_layout(Layout const& layout);
    Layout const& layout() const { return *m_layout; }
    Modifiers modifiers() const { return m_modifiers; }
    /// Which lights are to be on: Light, combined. O(1).
    u8 lights() const;
    /// A key that is down, the lowest; Key::none. O(keys).
    Key lowest_held() const;
    ScancodeDecoder const& decoder() const { return m_decoder; }

private:
    static constexpr u32 word_bits = 64;
    static constexpr u32 words = 256 / word_bits;

    template<class Emit>
    void release_keys(Emit const& emit) {
        for (Key key = lowest_held(); key != Key::none; key = lowest_held()) {
            emit(*apply({key, false})); // it is held
        }
        m_dead = nullptr;
    }
    bool is_held(Key key) const;
    void set_held(Key key, bool is_held);
    u16 held_modifier(Key key) const;
    void modify(KeyChange const& change, bool is_repeated);
    char32_t typed_by(Key key) const;
    char32_t keypad_character(Key key) const;
    char32_t compose(Key key, char32_t typed);

    ScancodeDecoder m_decoder;
    Layout const* m_layout;
    u64 m_held[words] = {};
    Key m_last = Key::none; ///< that went down
    Modifiers m_modifiers{Modifiers::num_lock};
    DeadKey const* m_dead = nullptr; ///< that waits for a letter
};

} // namespace twofold::device
