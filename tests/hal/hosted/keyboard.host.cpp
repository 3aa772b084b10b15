// What people type and move reaches a whole kernel, on a live machine and on a simulated one, from
// whichever thread.
#include "tests/support/test_machine.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <thread>

namespace {

using namespace twofold;
using hosted::Machine;
using hosted::MachineConfig;
using hosted::Stop;

class TypedConsole final : public hosted::ConsoleEndpoint {
public:
    void write(std::string_view text) override { said += text; }
    hal::ConsoleInput read() override {
        if (m_input.empty()) {
            return {hal::InputStatus::none, '\0'};
        }
        char const byte = m_input.front();
        m_input.pop_front();
        return {hal::InputStatus::byte, byte};
    }
    void write_result(std::span<std::byte const>) override {}
    void type(std::string_view line) {
        m_input.assign(line.begin(), line.end());
        m_input.push_back('\n');
    }

    std::string said;

private:
    std::deque<char> m_input;
};

/// A machine with one processor whose kernel takes commands.
class TypedNode {
public:
    explicit TypedNode(bool has_keyboard = true) {
        MachineConfig config;
        config.memory_bytes = u64{16} << 20;
        config.command_line = "console=pipe";
        config.has_keyboard_controller = has_keyboard;
        auto made = test::make_machine(std::move(config), console);
        EXPECT_TRUE(made.has_value());
        m_machine = std::move(*made);
        EXPECT_EQ(m_machine->run().kind, Stop::Kind::waiting_for_input);
    }

    Machine& machine() { return *m_machine; }
    /// Runs a command until the kernel waits: for the next one, or for what it watches.
    void run(std::string_view line) {
        console.said.clear();
        console.type(line);
        m_machine->note_input();
        EXPECT_EQ(m_machine->run().kind, Stop::Kind::waiting_for_input);
    }
    /// Runs on until that is said.
    void run_until(std::string_view text) {
        for (u32 turn = 0; turn < 10'000 && console.said.find(text) == std::string::npos; ++turn) {
            m_machine->wait(-1);
            ASSERT_EQ(m_machine->run().kind, Stop::Kind::waiting_for_input);
        }
        EXPECT_NE(console.said.find(text), std::string::npos) << console.said;
    }

    TypedConsole console;

private:
    std::unique_ptr<Machine> m_machine;
};

constexpr u8 usage_of_a = 0x04, usage_of_shift = 0xe1;

TEST(TypedInput, ReachesTheKernelsListenerFromAnotherThread) {
    TypedNode node;
    node.run("input watch 7");
    EXPECT_EQ(node.console.said, "watching\n");
    std::thread person([&] {
        EXPECT_TRUE(node.machine().key(usage_of_shift, true));
        EXPECT_TRUE(node.machine().key(usage_of_a, true));
        EXPECT_TRUE(node.machine().key(usage_of_a, true)); // a repeat
        EXPECT_TRUE(node.machine().key(usage_of_a, false));
        EXPECT_TRUE(node.machine().key(usage_of_shift, false));
    });
    node.run_until("key left_shift up");
    person.join();
    EXPECT_TRUE(node.machine().move_mouse(3, -4, 1, 2));
    EXPECT_TRUE(node.machine().move_mouse(0, 0, 0, 0));
    node.run_until("buttons 0");
    EXPECT_EQ(
        node.console.said, "watching\n"
                           "key left_shift down '' with 0x401\n"
                           "key a down 'A' with 0x401\n"
                           "key a again 'A' with 0x401\n"
                           "key a up '' with 0x401\n"
                           "key left_shift up '' with 0x400\n"
                           "mouse 3 -4 wheel 1 buttons 2\n"
                           "mouse 0 0 wheel 0 buttons 0\n");
}

TEST(TypedInput, IsInACopyOfTheMachine) {
    TypedNode node;
    node.run("input watch 100");
    EXPECT_TRUE(node.machine().key(usage_of_a, true)); // which is in it, somewhere on the way
    hosted::Snapshot const copy = node.machine().snapshot().value();
    node.run_until("key a down 'a'");
    node.machine().key(usage_of_a, false);
    node.run_until("key a up");
    node.console.said.clear();
    ASSERT_TRUE(node.machine().restore(copy).has_value());
    EXPECT_EQ(node.machine().run().kind, Stop::Kind::waiting_for_input);
    EXPECT_EQ(node.console.said, "key a down 'a' with 0x400\n");
    node.machine().key(usage_of_a, true);
    node.run_until("key a again 'a'");
}

TEST(TypedInput, IsForgottenWhereTheMachineStartsOver) {
    TypedNode node;
    node.run("input watch 100");
    node.machine().key(usage_of_a, true);
    node.machine().reset();
    EXPECT_EQ(node.machine().run().kind, Stop::Kind::waiting_for_input);
    node.run("input info");
    EXPECT_NE(node.console.said.find("0 interrupts, 0 bytes"), std::string::npos)
        << node.console.said;
}

TEST(TypedInput, IsDroppedWhereNobodyTakesIt) {
    TypedNode node;
    u32 taken = 0;
    while (node.machine().key(usage_of_a, taken % 2 == 0)) {
        ASSERT_LT(++taken, 1'000u);
    }
    EXPECT_GE(taken, hosted::I8042::waiting_max);
    EXPECT_FALSE(node.machine().key(0xff, true));
    node.run("input type abc; input info"); // nothing of that is in the way
    EXPECT_NE(node.console.said.find("9 bytes, 0 dropped"), std::string::npos) << node.console.said;
}

TEST(TypedInput, NeedsAKeyboard) {
    std::optional<hosted::Snapshot> copy;
    {
        TypedNode node(false);
        EXPECT_FALSE(node.machine().key(usage_of_a, true));
        EXPECT_FALSE(node.machine().move_mouse(1, 1, 0, 0));
        node.run("input info");
        EXPECT_EQ(node.console.said, "there is no keyboard: not_found\n");
        copy = node.machine().snapshot().value();
    }
    TypedNode other;
    auto const restored = other.machine().restore(*copy);
    ASSERT_FALSE(restored.has_value());
    EXPECT_NE(restored.error().find("whether it has a keyboard"), std::string::npos);
}

TEST(TypedInput, CommandsAreHeldToTheirUsage) {
    TypedNode node;
    node.run("input layout de; input info");
    EXPECT_NE(node.console.said.find("layout de"), std::string::npos) << node.console.said;
    node.run("input layout none");
    EXPECT_EQ(node.console.said, "there is no layout 'none'; there are:\n  de\n  us\n");
    for (std::string const line : {"input watch", "input watch x", "input type"}) {
        node.run(line);
        EXPECT_EQ(node.console.said.find("usage: input "), 0u) << node.console.said;
    }
    node.run("input nothing");
    EXPECT_EQ(node.console.said, "input: 'nothing' is no WHAT; one of: info layout type watch\n");
    node.run("input type \"\x01\"");
    EXPECT_NE(node.console.said.find("failed: invalid_argument"), std::string::npos)
        << node.console.said;
}

} // namespace
