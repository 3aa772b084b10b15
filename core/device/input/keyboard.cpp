// See keyboard.hpp.
#include "core/device/input/keyboard.hpp"

#include <bit>

namespace twofold::device {

namespace {

constexpr u8 index_of(Key key) {
    return static_cast<u8>(key);
}

constexpr bool is_between(Key key, Key first, Key last) {
    return key >= first && key <= last;
}

} // namespace

bool Keyboard::is_held(Key key) const {
    return (m_held[index_of(key) / word_bits] >> index_of(key) % word_bits & 1) != 0;
}

void Keyboard::set_held(Key key, bool is_held) {
    u64 const bit = u64{1} << index_of(key) % word_bits;
    u64& word = m_held[index_of(key) / word_bits];
    word = is_held ? word | bit : word & ~bit;
}

Key Keyboard::lowest_held() const {
    for (u32 i = 0; i < words; ++i) {
        if (m_held[i] != 0) {
            return static_cast<Key>(i * word_bits + static_cast<u32>(std::countr_zero(m_held[i])));
        }
    }
    return Key::none;
}

void Keyboard::set_layout(Layout const& layout) {
    m_layout = &layout;
    m_dead = nullptr;
    if (is_held(Key::right_alt)) { // which may be another modifier now
        constexpr u16 either = Modifiers::right_alt | Modifiers::alt_gr;
        m_modifiers.bits = static_cast<u16>(m_modifiers.bits & ~either);
        m_modifiers.bits |= held_modifier(Key::right_alt);
    }
}

u8 Keyboard::lights() const {
    u8 const caps = m_modifiers.has(Modifiers::caps_lock) ? u8{caps_light} : u8{0};
    u8 const num = m_modifiers.has(Modifiers::num_lock) ? u8{num_light} : u8{0};
    return static_cast<u8>(caps | num);
}

/// What a key modifies while it is held; 0: nothing.
u16 Keyboard::held_modifier(Key key) const {
    switch (key) {
    case Key::left_shift:
        return Modifiers::left_shift;
    case Key::right_shift:
        return Modifiers::right_shift;
    case Key::left_control:
        return Modifiers::left_control;
    case Key::right_control:
        return Modifiers::right_control;
    case Key::left_alt:
        return Modifiers::left_alt;
    case Key::right_alt:
        return m_layout->has_alt_gr ? Modifiers::alt_gr : Modifiers::right_alt;
    case Key::left_gui:
        return Modifiers::left_gui;
    case Key::right_gui:
        return Modifiers::right_gui;
    default:
        return 0;
    }
}

void Keyboard::modify(KeyChange const& change, bool is_repeated) {
    u16 const held = held_modifier(change.key);
    u16 const bits = m_modifiers.bits;
    bool const is_kept = change.pressed || mutant(Mutant::screen_shift_held);
    m_modifiers.bits = static_cast<u16>(is_kept ? bits | held : bits & ~held);
    if (change.pressed && !is_repeated && change.key == Key::caps_lock) {
        m_modifiers.bits ^= Modifiers::caps_lock;
    } else if (change.pressed && !is_repeated && change.key == Key::num_lock) {
        m_modifiers.bits ^= Modifiers::num_lock;
    }
}

std::optional<KeyEvent> Keyboard::apply(KeyChange const& change) {
    bool const was_held = is_held(change.key);
    if (change.key == Key::none || (!change.pressed && !was_held)) {
        return std::nullopt;
    }
    bool const is_repeated = change.pressed && was_held && change.key == m_last;
    set_held(change.key, change.pressed);
    if (change.pressed) {
        m_last = change.key;
    }
    modify(change, is_repeated);
    KeyEvent event{
        .key = change.key,
        .pressed = change.pressed,
        .repeated = is_repeated,
        .modifiers = m_modifiers,
        .character = 0};
    if (change.pressed) {
        event.character = compose(change.key, typed_by(change.key));
    }
    return event;
}

/// What the layout says that a key types now, dead keys included.
char32_t Keyboard::typed_by(Key key) const {
    if (is_between(key, Key::keypad_slash, Key::keypad_period) || key == Key::keypad_equal) {
        return keypad_character(key);
    }
    Layout::Characters const& on_key = m_layout->characters(key);
    if (m_modifiers.has(Modifiers::alt_gr)) {
        return on_key.at[m_modifiers.shift() ? 3 : 2];
    }
    bool const is_capital = on_key.has_case && m_modifiers.has(Modifiers::caps_lock);
    return on_key.at[m_modifiers.shift() != is_capital ? 1 : 0];
}

/// Digits while num lock is on, unless a shift is held; the rest always.
char32_t Keyboard::keypad_character(Key key) const {
    bool const has_digits = m_modifiers.has(Modifiers::num_lock) && !m_modifiers.shift();
    switch (key) {
    case Key::keypad_slash:
        return U'/';
    case Key::keypad_asterisk:
        return U'*';
    case Key::keypad_minus:
        return U'-';
    case Key::keypad_plus:
        return U'+';
    case Key::keypad_equal:
        return U'=';
    case Key::keypad_enter:
        return 0;
    case Key::keypad_period:
        return has_digits ? m_layout->keypad_decimal : 0;
    default:
        return has_digits ? U'0' + (index_of(key) - index_of(Key::keypad_1) + 1u) % 10 : 0;
    }
}

/// What comes of a character where a dead key may be before it. One that cannot be composed comes
/// by itself; keys that only modify leave the dead key waiting, others end its wait.
char32_t Keyboard::compose(Key key, char32_t typed) {
    DeadKey const* const before = m_dead;
    DeadKey const* const now = m_layout->dead(typed);
    if (typed == 0) {
        bool const only_modifies = held_modifier(key) != 0 || key == Key::caps_lock;
        m_dead = only_modifies ? before : nullptr;
        return 0;
    }
    if (now != nullptr) {
        bool const is_twice = now == before;
        m_dead = is_twice ? nullptr : now;
        return is_twice ? now->spacing : 0;
    }
    m_dead = nullptr;
    char32_t const composed = before == nullptr ? 0 : before->compose(typed);
    return composed == 0 ? typed : composed;
}

} // namespace twofold::device
