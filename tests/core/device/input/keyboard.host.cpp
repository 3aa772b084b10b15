// Modifiers, repeats, layouts and dead keys; what a terminal is sent for each key.
#include "core/device/input/key_text.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::device;

Layout const& layout(std::string_view name) {
    return *find_layout(name).value();
}

/// A keyboard and somebody who types on it.
class Typist {
public:
    explicit Typist(std::string_view name = "us", ScancodeSet set = ScancodeSet::two)
        : keyboard(set, layout(name)), m_set(set) {}

    std::vector<KeyEvent> send(std::span<u8 const> bytes) {
        std::vector<KeyEvent> events;
        for (u8 const byte : bytes) {
            keyboard.take(byte, [&](KeyEvent const& event) { events.push_back(event); });
        }
        return events;
    }
    KeyEvent change(Key key, bool pressed) {
        auto const events = send(encode(key, pressed, m_set).view());
        EXPECT_EQ(events.size(), 1u) << key_name(key);
        return events.empty() ? KeyEvent() : events.front();
    }
    KeyEvent press(Key key) { return change(key, true); }
    KeyEvent release(Key key) { return change(key, false); }
    KeyEvent hit(Key key, std::initializer_list<Key> held = {}) {
        for (Key const each : held) {
            press(each);
        }
        KeyEvent const event = press(key);
        release(key);
        for (Key const each : held) {
            release(each);
        }
        return event;
    }
    char32_t typed(Key key, std::initializer_list<Key> held = {}) {
        return hit(key, held).character;
    }
    std::string text(Key key, std::initializer_list<Key> held = {}, CursorKeys mode = {}) {
        return std::string(KeyText(hit(key, held), mode).view());
    }

    Keyboard keyboard;

private:
    ScancodeSet m_set;
};

constexpr Key shift = Key::left_shift;
constexpr Key alt_gr = Key::right_alt;
constexpr Key control = Key::left_control;
constexpr Key alt = Key::left_alt;

TEST(Layouts, AreFoundByName) {
    EXPECT_EQ(layouts().size(), 2u);
    EXPECT_EQ(find_layout("us").value()->name, "us");
    EXPECT_EQ(find_layout("none").error(), Error::not_found);
}

TEST(Keyboard, TypesTheUnitedStates) {
    for (ScancodeSet const set : {ScancodeSet::one, ScancodeSet::two}) {
        Typist us("us", set);
        std::u32string plain, shifted;
        for (u32 usage = 0x04; usage <= 0x38; ++usage) {
            auto const key = static_cast<Key>(usage);
            bool const types = layout("us").characters(key).at[0] != 0;
            if (types) {
                plain += us.typed(key);
                shifted += us.typed(key, {shift});
            }
        }
        EXPECT_EQ(plain, U"abcdefghijklmnopqrstuvwxyz1234567890 -=[]\\;'`,./");
        EXPECT_EQ(shifted, U"ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*() _+{}|:\"~<>?");
        EXPECT_EQ(us.typed(Key::enter), 0u);
    }
}

TEST(Keyboard, TypesGermany) {
    Typist de("de");
    EXPECT_EQ(de.typed(Key::y), U'z');
    EXPECT_EQ(de.typed(Key::z, {shift}), U'Y');
    EXPECT_EQ(de.typed(Key::semicolon), U'ö');
    EXPECT_EQ(de.typed(Key::minus), U'ß');
    EXPECT_EQ(de.typed(Key::q, {alt_gr}), U'@');
    EXPECT_EQ(de.typed(Key::e, {alt_gr}), U'€');
    EXPECT_EQ(de.typed(Key::minus, {shift, alt_gr}), U'ẞ');
    EXPECT_EQ(de.typed(Key::non_us_backslash, {alt_gr}), U'|');
    EXPECT_EQ(de.typed(Key::k, {alt_gr}), 0u);
    EXPECT_TRUE(de.hit(Key::q, {alt_gr}).modifiers.has(Modifiers::alt_gr));
    EXPECT_FALSE(de.hit(Key::q, {alt_gr}).modifiers.alt());
}

TEST(Keyboard, DeadKeysCompose) {
    Typist de("de");
    EXPECT_EQ(de.typed(Key::equal), 0u);
    EXPECT_EQ(de.typed(Key::e), U'é');
    EXPECT_EQ(de.typed(Key::equal, {shift}), 0u);
    EXPECT_EQ(de.typed(Key::a, {shift}), U'À');
    EXPECT_EQ(de.typed(Key::grave), 0u);
    EXPECT_EQ(de.typed(Key::grave), U'^'); // twice
    EXPECT_EQ(de.typed(Key::grave), 0u);
    EXPECT_EQ(de.typed(Key::space), U'^');
    EXPECT_EQ(de.typed(Key::equal), 0u);
    EXPECT_EQ(de.typed(Key::b), U'b'); // which nothing becomes of
    EXPECT_EQ(de.typed(Key::e), U'e');
    EXPECT_EQ(de.typed(Key::grave), 0u);
    EXPECT_EQ(de.typed(Key::equal), 0u); // another one takes its place
    EXPECT_EQ(de.typed(Key::o), U'ó');
    EXPECT_EQ(de.typed(Key::equal), 0u);
    de.hit(Key::escape); // ends the wait
    EXPECT_EQ(de.typed(Key::e), U'e');
}

TEST(Keyboard, CapsLockIsForLettersAlone) {
    Typist de("de");
    de.hit(Key::caps_lock);
    EXPECT_EQ(de.typed(Key::a), U'A');
    EXPECT_EQ(de.typed(Key::a, {shift}), U'a');
    EXPECT_EQ(de.typed(Key::semicolon), U'Ö');
    EXPECT_EQ(de.typed(Key::one), U'1');
    EXPECT_EQ(de.typed(Key::minus), U'ß');
    EXPECT_EQ(de.typed(Key::q, {alt_gr}), U'@');
    EXPECT_EQ(de.keyboard.lights(), Keyboard::caps_light | Keyboard::num_light);
    de.hit(Key::caps_lock);
    EXPECT_EQ(de.typed(Key::a), U'a');
    EXPECT_EQ(de.keyboard.lights(), Keyboard::num_light);
    de.press(Key::caps_lock);
    EXPECT_TRUE(de.press(Key::caps_lock).modifiers.has(Modifiers::caps_lock)); // a repeat
}

TEST(Keyboard, NumLockGivesTheKeypadDigits) {
    Typist de("de");
    EXPECT_EQ(de.typed(Key::keypad_1), U'1');
    EXPECT_EQ(de.typed(Key::keypad_0), U'0');
    EXPECT_EQ(de.typed(Key::keypad_period), U',');
    EXPECT_EQ(de.typed(Key::keypad_7, {shift}), 0u);
    EXPECT_EQ(de.text(Key::keypad_7), "7");
    EXPECT_EQ(de.text(Key::keypad_enter), "\r");
    de.hit(Key::num_lock);
    EXPECT_EQ(de.keyboard.lights(), 0u);
    EXPECT_EQ(de.typed(Key::keypad_1), 0u);
    EXPECT_EQ(de.typed(Key::keypad_slash), U'/');
    EXPECT_EQ(de.text(Key::keypad_7), "\x1b[H");
    EXPECT_EQ(de.text(Key::keypad_5), "\x1b[E");
    EXPECT_EQ(de.text(Key::keypad_9), "\x1b[5~");
    EXPECT_EQ(de.text(Key::keypad_2), "\x1b[B");
    EXPECT_EQ(de.text(Key::keypad_period), "\x1b[3~");
    EXPECT_EQ(Typist("us").typed(Key::keypad_period), U'.');
}

TEST(Keyboard, HeldKeysRepeatAndSeveralAreHeld) {
    Typist us;
    EXPECT_FALSE(us.press(Key::a).repeated);
    EXPECT_TRUE(us.press(Key::a).repeated);
    EXPECT_EQ(us.press(Key::a).character, U'a');
    EXPECT_FALSE(us.press(Key::b).repeated);
    EXPECT_TRUE(us.press(Key::b).repeated);
    EXPECT_FALSE(us.release(Key::a).pressed);
    EXPECT_TRUE(us.press(Key::b).repeated);
    EXPECT_EQ(us.release(Key::b).character, 0u);
    EXPECT_FALSE(us.press(Key::b).repeated);
    EXPECT_EQ(us.keyboard.lowest_held(), Key::b);
}

TEST(Keyboard, ALostBreakDoesNotStick) {
    Typist us;
    us.press(Key::a); // its break gets lost
    us.hit(Key::b);
    EXPECT_FALSE(us.press(Key::a).repeated); // so this is a stroke
    us.press(shift);
    auto const events = us.send(std::vector<u8>{0x00}); // the keyboard says that it lost something
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].key, Key::a);
    EXPECT_EQ(events[1].key, shift);
    EXPECT_FALSE(events[0].pressed || events[1].pressed);
    EXPECT_EQ(us.keyboard.lowest_held(), Key::none);
    EXPECT_EQ(us.typed(Key::a), U'a');
    us.press(control);
    std::vector<KeyEvent> released;
    us.keyboard.release_all([&](KeyEvent const& event) { released.push_back(event); });
    ASSERT_EQ(released.size(), 1u);
    EXPECT_EQ(released[0].key, control);
    EXPECT_FALSE(us.keyboard.modifiers().control());
}

TEST(Keyboard, ABreakOfWhatIsUpIsNothing) {
    Typist us;
    EXPECT_TRUE(us.send(encode(Key::a, false, ScancodeSet::two).view()).empty());
    EXPECT_FALSE(us.keyboard.apply({Key::none, true}).has_value());
}

TEST(Keyboard, TheLayoutMayChangeWhileKeysAreHeld) {
    Typist it("us");
    EXPECT_TRUE(it.press(alt_gr).modifiers.alt());
    it.keyboard.set_layout(layout("de"));
    EXPECT_EQ(it.press(Key::q).character, U'@');
    EXPECT_FALSE(it.keyboard.modifiers().alt());
    it.release(Key::q);
    it.release(alt_gr);
    EXPECT_EQ(it.typed(Key::q), U'q');
    EXPECT_EQ(it.keyboard.modifiers(), Modifiers{Modifiers::num_lock});
}

TEST(Keyboard, BothSidesOfAModifierAreApart) {
    Typist us;
    us.press(Key::left_shift);
    us.press(Key::right_shift);
    us.release(Key::left_shift);
    EXPECT_TRUE(us.keyboard.modifiers().shift());
    EXPECT_EQ(us.press(Key::a).character, U'A');
    us.release(Key::right_shift);
    EXPECT_FALSE(us.keyboard.modifiers().shift());
}

TEST(KeyText, CharactersAreUtf8) {
    Typist de("de");
    EXPECT_EQ(de.text(Key::a), "a");
    EXPECT_EQ(de.text(Key::semicolon), "ö");
    EXPECT_EQ(de.text(Key::e, {alt_gr}), "€");
    EXPECT_EQ(de.text(Key::semicolon, {alt}), "\x1bö");
    KeyEvent far{
        .key = Key::a, .pressed = true, .repeated = false, .modifiers = {}, .character = 0x1F600};
    EXPECT_EQ(KeyText(far).view(), "\xF0\x9F\x98\x80");
    far.pressed = false;
    EXPECT_EQ(KeyText(far).view(), "");
}

TEST(KeyText, ControlMakesControlCharacters) {
    Typist us;
    for (u32 i = 0; i < 26; ++i) {
        auto const key = static_cast<Key>(static_cast<u32>(Key::a) + i);
        EXPECT_EQ(us.text(key, {control}), std::string(1, static_cast<char>(1 + i)));
    }
    std::map<Key, char> const others = {
        {Key::space, '\0'},       {Key::two, '\0'},     {Key::left_bracket, '\x1b'},
        {Key::backslash, '\x1c'}, {Key::five, '\x1d'},  {Key::right_bracket, '\x1d'},
        {Key::six, '\x1e'},       {Key::slash, '\x1f'}, {Key::eight, '\x7f'},
        {Key::grave, '\0'},       {Key::three, '\x1b'}, {Key::one, '1'}};
    for (auto const& [key, byte] : others) {
        EXPECT_EQ(us.text(key, {control}), std::string(1, byte)) << key_name(key);
    }
    EXPECT_EQ(us.text(Key::minus, {control, shift}), "\x1f");
    EXPECT_EQ(us.text(Key::c, {control, alt}), "\x1b\x03");
}

TEST(KeyText, FunctionKeysAreThoseOfXterm) {
    Typist us;
    std::map<Key, std::string> const expected = {
        {Key::up, "\x1b[A"},       {Key::down, "\x1b[B"},
        {Key::right, "\x1b[C"},    {Key::left, "\x1b[D"},
        {Key::home, "\x1b[H"},     {Key::end, "\x1b[F"},
        {Key::insert, "\x1b[2~"},  {Key::delete_forward, "\x1b[3~"},
        {Key::page_up, "\x1b[5~"}, {Key::page_down, "\x1b[6~"},
        {Key::f1, "\x1bOP"},       {Key::f2, "\x1bOQ"},
        {Key::f3, "\x1bOR"},       {Key::f4, "\x1bOS"},
        {Key::f5, "\x1b[15~"},     {Key::f6, "\x1b[17~"},
        {Key::f7, "\x1b[18~"},     {Key::f8, "\x1b[19~"},
        {Key::f9, "\x1b[20~"},     {Key::f10, "\x1b[21~"},
        {Key::f11, "\x1b[23~"},    {Key::f12, "\x1b[24~"},
        {Key::f20, "\x1b[34~"},    {Key::enter, "\r"},
        {Key::tab, "\t"},          {Key::escape, "\x1b"},
        {Key::backspace, "\x7f"},  {Key::f24, ""},
        {Key::print_screen, ""},   {Key::left_shift, ""},
        {Key::caps_lock, ""}};
    for (auto const& [key, bytes] : expected) {
        EXPECT_EQ(us.text(key), bytes) << key_name(key);
        us.send(encode(key, false, ScancodeSet::two).view());
    }
}

TEST(KeyText, ModifiersAreAParameter) {
    Typist us;
    EXPECT_EQ(us.text(Key::up, {shift}), "\x1b[1;2A");
    EXPECT_EQ(us.text(Key::up, {alt}), "\x1b[1;3A");
    EXPECT_EQ(us.text(Key::right, {control}), "\x1b[1;5C");
    EXPECT_EQ(us.text(Key::right, {control, shift, alt}), "\x1b[1;8C");
    EXPECT_EQ(us.text(Key::f1, {shift}), "\x1b[1;2P");
    EXPECT_EQ(us.text(Key::f5, {control}), "\x1b[15;5~");
    EXPECT_EQ(us.text(Key::delete_forward, {control}), "\x1b[3;5~");
    EXPECT_EQ(us.text(Key::tab, {shift}), "\x1b[Z");
    EXPECT_EQ(us.text(Key::backspace, {control}), "\b");
    EXPECT_EQ(us.text(Key::backspace, {alt}), "\x1b\x7f");
    EXPECT_EQ(us.text(Key::enter, {alt}), "\x1b\r");
}

TEST(KeyText, ApplicationsHaveOtherCursorKeys) {
    Typist us;
    EXPECT_EQ(us.text(Key::up, {}, CursorKeys::application), "\x1bOA");
    EXPECT_EQ(us.text(Key::home, {}, CursorKeys::application), "\x1bOH");
    EXPECT_EQ(us.text(Key::up, {control}, CursorKeys::application), "\x1b[1;5A");
    EXPECT_EQ(us.text(Key::page_up, {}, CursorKeys::application), "\x1b[5~");
}

} // namespace
