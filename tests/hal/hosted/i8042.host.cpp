// The model of the keyboard controller, by its ports, as a driver sees it.
#include "hal/hosted/devices/i8042.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace {

using namespace hosted;
using device::Key;
using Bytes = std::vector<int>;

constexpr u8 of_mouse = 0x20, output_full = 0x01;

/// The controller, and the board that lets its bytes in.
struct Bench {
    I8042 it;

    void command(int value) { write(I8042::command_port, value); }
    void data(int value) { write(I8042::data_port, value); }
    void write(u16 port, int value) {
        it.write(port, static_cast<u8>(value));
        it.advance();
    }
    u8 status() { return it.read(I8042::command_port); }
    bool has_byte() { return (status() & output_full) != 0; }
    int take() {
        int const value = it.read(I8042::data_port);
        it.advance();
        return value;
    }
    /// All that is to be had.
    Bytes all() {
        Bytes bytes;
        while (has_byte()) {
            bytes.push_back(take());
        }
        return bytes;
    }
    Bytes ask(int value) {
        command(value);
        return all();
    }
    Bytes tell_keyboard(int value) {
        data(value);
        return all();
    }
    Bytes tell_mouse(int value) {
        command(0xd4);
        data(value);
        return all();
    }
    void set_command_byte(int value) {
        command(0x60);
        data(value);
    }
    bool stroke(Key key, bool pressed) {
        bool const is_added = it.add(KeyStroke{key, pressed});
        it.advance();
        return is_added;
    }
    bool move(MouseMotion const& motion) {
        bool const is_added = it.add(motion);
        it.advance();
        return is_added;
    }
};

/// One that a driver has opened: set 2, no translation, both interrupts, a wheel.
Bench opened() {
    Bench bench;
    bench.set_command_byte(0x03);
    for (int const value : {0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf4}) {
        EXPECT_EQ(bench.tell_mouse(value), Bytes{0xfa});
    }
    return bench;
}

TEST(I8042, ItsOwnCommands) {
    Bench bench;
    EXPECT_FALSE(bench.has_byte());
    EXPECT_EQ(bench.ask(0xaa), Bytes{0x55});
    EXPECT_EQ(bench.ask(0xab), Bytes{0x00});
    EXPECT_EQ(bench.ask(0xa9), Bytes{0x00});
    EXPECT_EQ(bench.ask(0x20), Bytes{0x74});
    EXPECT_EQ(bench.ask(0xc0), Bytes{0xa0});
    EXPECT_EQ(bench.ask(0xd0), Bytes{0x03});
    bench.command(0xae);
    bench.command(0xa8);
    EXPECT_EQ(bench.ask(0x20), Bytes{0x44});
    bench.command(0xad);
    bench.command(0xa7);
    EXPECT_EQ(bench.ask(0x20), Bytes{0x74});
    bench.command(0x7f);
    bench.data(0x5a);
    EXPECT_EQ(bench.ask(0x3f), Bytes{0x5a});
    bench.command(0xd1);
    bench.data(0xff);
    EXPECT_TRUE(bench.all().empty());
    EXPECT_TRUE(bench.ask(0xfe).empty());
    EXPECT_TRUE(bench.ask(0x99).empty());
    EXPECT_NE(bench.status() & 8, 0);
    EXPECT_EQ(bench.tell_keyboard(0xee), Bytes{0xee});
    EXPECT_EQ(bench.status() & 8, 0);
}

TEST(I8042, LinesFallBetweenTwoBytes) {
    Bench bench;
    bench.set_command_byte(0x01);
    bench.stroke(Key::up, true);
    EXPECT_TRUE(bench.it.keyboard_line());
    EXPECT_FALSE(bench.it.mouse_line());
    EXPECT_EQ(bench.it.read(I8042::data_port), 0xe0);
    EXPECT_FALSE(bench.it.keyboard_line());
    bench.it.advance();
    EXPECT_TRUE(bench.it.keyboard_line());
    EXPECT_EQ(bench.take(), 0x75);
    EXPECT_FALSE(bench.it.keyboard_line());
    bench.stroke(Key::a, true);
    EXPECT_TRUE(bench.it.keyboard_line());
    bench.set_command_byte(0x00);
    EXPECT_FALSE(bench.it.keyboard_line()) << "the kernel does not want it any more";
}

TEST(I8042, WhatIsPutInComesFromTheDevice) {
    Bench bench;
    bench.set_command_byte(0x43);
    bench.command(0xd2);
    bench.data(0x1c);
    EXPECT_TRUE(bench.it.keyboard_line());
    EXPECT_EQ(bench.all(), Bytes{0x1c}) << "not translated";
    bench.command(0xd3);
    bench.data(0x08);
    EXPECT_TRUE(bench.it.mouse_line());
    EXPECT_NE(bench.status() & of_mouse, 0);
    EXPECT_EQ(bench.all(), Bytes{0x08});
    EXPECT_EQ(bench.status() & of_mouse, 0);
}

TEST(I8042, TheKeyboardsCommands) {
    Bench bench;
    bench.set_command_byte(0x00);
    EXPECT_EQ(bench.tell_keyboard(0xff), (Bytes{0xfa, 0xaa}));
    EXPECT_EQ(bench.tell_keyboard(0xf2), (Bytes{0xfa, 0xab, 0x83}));
    EXPECT_EQ(bench.tell_keyboard(0xfe), Bytes{0x83});
    EXPECT_EQ(bench.tell_keyboard(0xf0), Bytes{0xfa});
    EXPECT_EQ(bench.tell_keyboard(0x00), (Bytes{0xfa, 0x02}));
    EXPECT_EQ(bench.tell_keyboard(0xf0), Bytes{0xfa});
    EXPECT_EQ(bench.tell_keyboard(0x03), Bytes{0xfe}) << "it has no set 3";
    EXPECT_EQ(bench.tell_keyboard(0xf0), Bytes{0xfa});
    EXPECT_EQ(bench.tell_keyboard(0x01), Bytes{0xfa});
    bench.stroke(Key::a, true);
    bench.stroke(Key::a, false);
    EXPECT_EQ(bench.all(), (Bytes{0x1e, 0x9e}));
    EXPECT_EQ(bench.tell_keyboard(0xed), Bytes{0xfa});
    EXPECT_EQ(bench.tell_keyboard(0x07), Bytes{0xfa});
    EXPECT_EQ(bench.tell_keyboard(0xed), Bytes{0xfa});
    EXPECT_EQ(bench.tell_keyboard(0xf4), Bytes{0xfa}) << "a command where a parameter belongs";
    EXPECT_EQ(bench.tell_keyboard(0xf3), Bytes{0xfa});
    EXPECT_EQ(bench.tell_keyboard(0x20), Bytes{0xfa});
    EXPECT_EQ(bench.tell_keyboard(0x00), Bytes{0xfe});
    EXPECT_EQ(bench.tell_keyboard(0xf6), Bytes{0xfa}) << "defaults: set 2 again";
    bench.stroke(Key::a, true);
    EXPECT_EQ(bench.all(), Bytes{0x1c});
}

TEST(I8042, WhoDoesNotScanForgets) {
    Bench bench;
    bench.set_command_byte(0x00);
    EXPECT_EQ(bench.tell_keyboard(0xf5), Bytes{0xfa});
    EXPECT_TRUE(bench.stroke(Key::a, true));
    EXPECT_EQ(bench.tell_keyboard(0xf4), Bytes{0xfa});
    bench.stroke(Key::b, true);
    EXPECT_EQ(bench.all(), Bytes{0x32});
    bench.command(0xad); // a port that is off makes the keyboard wait
    bench.stroke(Key::c, true);
    EXPECT_TRUE(bench.all().empty());
    bench.command(0xae);
    EXPECT_EQ(bench.all(), Bytes{0x21});
}

TEST(I8042, TranslationMakesSet1) {
    Bench bench;
    bench.set_command_byte(0x40);
    bench.stroke(Key::a, true);
    bench.stroke(Key::a, false);
    bench.stroke(Key::up, false);
    bench.stroke(Key::pause, true);
    bench.stroke(Key::pause, false);
    EXPECT_EQ(bench.all(), (Bytes{0x1e, 0x9e, 0xe0, 0xc8, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5}));
    EXPECT_EQ(bench.tell_keyboard(0xf2), (Bytes{0xfa, 0xab, 0x41}));
    // An answer between the two bytes of a break changes neither.
    bench.stroke(Key::up, false);
    EXPECT_EQ(bench.take(), 0xe0);
    bench.data(0xee);
    EXPECT_EQ(bench.all(), (Bytes{0xc8, 0xee}));
}

TEST(I8042, TheMousesCommands) {
    Bench bench;
    bench.set_command_byte(0x00);
    EXPECT_EQ(bench.tell_mouse(0xff), (Bytes{0xfa, 0xaa, 0x00}));
    EXPECT_EQ(bench.tell_mouse(0xf2), (Bytes{0xfa, 0x00}));
    EXPECT_EQ(bench.tell_mouse(0xe9), (Bytes{0xfa, 0x00, 2, 100}));
    EXPECT_EQ(bench.tell_mouse(0xe8), Bytes{0xfa});
    EXPECT_EQ(bench.tell_mouse(3), Bytes{0xfa});
    EXPECT_EQ(bench.tell_mouse(0xe7), Bytes{0xfa});
    EXPECT_EQ(bench.tell_mouse(0xea), Bytes{0xfa});
    EXPECT_TRUE(bench.move({0, 0, 0, 5})) << "left and middle";
    EXPECT_TRUE(bench.all().empty()) << "it does not report yet";
    EXPECT_EQ(bench.tell_mouse(0xf4), Bytes{0xfa});
    EXPECT_EQ(bench.tell_mouse(0xe9), (Bytes{0xfa, 0x36, 3, 100}));
    EXPECT_EQ(bench.tell_mouse(0xf0), Bytes{0xfe}) << "it has no remote mode";
    for (int const value : {0xf3, 200, 0xf3, 100, 0xf3, 80}) {
        EXPECT_EQ(bench.tell_mouse(value), Bytes{0xfa});
    }
    EXPECT_EQ(bench.tell_mouse(0xf2), (Bytes{0xfa, 0x03}));
    EXPECT_EQ(bench.tell_mouse(0xf6), Bytes{0xfa});
    EXPECT_EQ(bench.tell_mouse(0xf2), (Bytes{0xfa, 0x03})) << "defaults leave the wheel";
    EXPECT_EQ(bench.tell_mouse(0xff), (Bytes{0xfa, 0xaa, 0x00}));
    EXPECT_EQ(bench.tell_mouse(0xf2), (Bytes{0xfa, 0x00}));
}

TEST(I8042, MotionsBecomePackets) {
    Bench bench = opened();
    EXPECT_TRUE(bench.move({5, 7, 1, 1}));
    EXPECT_TRUE(bench.it.mouse_line());
    EXPECT_EQ(bench.all(), (Bytes{0x29, 0x05, 0xf9, 0x01}));
    EXPECT_TRUE(bench.move({-300, 0, -9, 0})); // further than a packet goes
    EXPECT_EQ(bench.all(), (Bytes{0x18, 0x00, 0x00, 0xf8, 0x18, 0xd4, 0x00, 0xff}));
    EXPECT_TRUE(bench.move({0, 0, 0, 0}));
    EXPECT_EQ(bench.all(), (Bytes{0x08, 0, 0, 0}));
    i32 right = 0;
    EXPECT_TRUE(bench.move({INT32_MAX, INT32_MIN, 0, 0}));
    i32 down = 0;
    for (Bytes bytes = bench.all(); !bytes.empty(); bytes.erase(bytes.begin(), bytes.begin() + 4)) {
        right += bytes[1] - ((bytes[0] & 0x10) != 0 ? 256 : 0);
        down -= bytes[2] - ((bytes[0] & 0x20) != 0 ? 256 : 0);
    }
    EXPECT_EQ(right, 32'767) << "as far as a motion goes";
    EXPECT_EQ(down, -32'767);
}

TEST(I8042, WhatWaitsIsBoundedAndTheOldestStays) {
    Bench bench = opened();
    u32 taken = 0;
    while (bench.stroke(Key::a, taken % 2 == 0)) {
        ++taken;
        ASSERT_LT(taken, 1'000u);
    }
    EXPECT_GE(taken, I8042::waiting_max);
    EXPECT_EQ(bench.it.dropped(), 1u);
    EXPECT_FALSE(bench.stroke(Key::b, true));
    EXPECT_EQ(bench.it.dropped(), 2u);
    EXPECT_FALSE(bench.stroke(static_cast<Key>(0xff), true)) << "no key";
    EXPECT_EQ(bench.it.dropped(), 2u);
    Bytes const bytes = bench.all();
    ASSERT_EQ(bytes.size(), taken / 2 * 3 + taken % 2);
    for (u32 at = 0; at + 3 <= bytes.size(); at += 3) {
        EXPECT_EQ((Bytes{bytes[at], bytes[at + 1], bytes[at + 2]}), (Bytes{0x1c, 0xf0, 0x1c}));
    }
    EXPECT_TRUE(bench.stroke(Key::b, true));
    EXPECT_EQ(bench.all(), Bytes{0x32});
    u32 moved = 0;
    while (bench.move({1, 0, 0, 0})) {
        ++moved;
        ASSERT_LT(moved, 1'000u);
    }
    EXPECT_EQ(bench.all().size(), 4 * moved);
}

TEST(I8042, AnswersOfTheControllerGoFirst) {
    Bench bench = opened();
    bench.stroke(Key::up, true);
    bench.move({1, 0, 0, 0});
    EXPECT_EQ(bench.take(), 0xe0);
    bench.command(0xab);
    bench.command(0xd3);
    bench.data(0x55);
    EXPECT_EQ(bench.all(), (Bytes{0x75, 0x00, 0x55, 0x08, 1, 0, 0}));
}

TEST(I8042, NoSequenceOfAccessesWedgesIt) {
    std::mt19937 random(1);
    Bench bench;
    for (u32 step = 0; step < 300'000; ++step) {
        switch (random() % 6) {
        case 0:
            bench.command(static_cast<int>(random() % 256));
            break;
        case 1:
            bench.data(static_cast<int>(random() % 256));
            break;
        case 2:
            bench.take();
            break;
        case 3:
            bench.stroke(static_cast<Key>(random() % 256), random() % 2 == 0);
            break;
        case 4:
            bench.move({static_cast<i32>(random()), static_cast<i32>(random()), 1, 0});
            break;
        default:
            static_cast<void>(bench.status());
            break;
        }
        if (step % 1'000 == 999) { // as a driver begins
            bench.command(0xad);
            bench.command(0xa7);
            bench.all();
            bench.set_command_byte(0x30);
            bench.all();
            EXPECT_EQ(bench.ask(0xaa), Bytes{0x55});
            bench.command(0xae);
            bench.data(0xff);
            bench.all();
            bench.set_command_byte(0x20);
            EXPECT_EQ(bench.tell_keyboard(0xf2), (Bytes{0xfa, 0xab, 0x83}));
        }
    }
}

} // namespace
