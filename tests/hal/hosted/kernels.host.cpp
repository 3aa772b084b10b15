// Two whole kernels side by side in one process: one is restored from a copy of itself and repeats
// exactly what it did, the other never notices.
#include "apps/launch/records.hpp"
#include "hal/hosted/machine.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace twofold;
using hosted::Machine;
using hosted::MachineConfig;
using hosted::Snapshot;
using hosted::Stop;

/// What a command did, without what depends on time: the console's text and the recorded values.
struct Deed {
    std::string text;
    std::vector<std::string> values;
    bool operator==(Deed const&) const = default;
};

/// A kernel on a machine of its own, driven by lines.
class Node final : public hosted::ConsoleEndpoint {
public:
    explicit Node(unsigned window) {
        MachineConfig config;
        config.memory_bytes = u64{16} << 20;
        config.window = window;
        config.command_line = "console=pipe";
        auto machine = Machine::create(std::move(config), *this);
        if (!machine) {
            throw std::runtime_error(machine.error());
        }
        m_machine = std::move(*machine);
        EXPECT_EQ(m_machine->run().kind, Stop::Kind::waiting_for_input);
    }

    Stop run_to_stop(std::string_view line) {
        m_deed = {};
        m_input.assign(line.begin(), line.end());
        m_input.push_back('\n');
        m_machine->note_input();
        return m_machine->run();
    }

    Deed run(std::string_view line) {
        EXPECT_EQ(run_to_stop(line).kind, Stop::Kind::waiting_for_input) << m_deed.text;
        return m_deed;
    }

    /// The input ends: the status of the last command.
    int finish() {
        m_ended = true;
        m_machine->note_input();
        Stop const stop = m_machine->run();
        EXPECT_EQ(stop.kind, Stop::Kind::exited);
        return stop.status;
    }

    Machine& machine() { return *m_machine; }

    void write(std::string_view text) override { m_deed.text += text; }
    hal::ConsoleInput read() override {
        if (m_input.empty()) {
            return {m_ended ? hal::InputStatus::end : hal::InputStatus::none, '\0'};
        }
        char const byte = m_input.front();
        m_input.pop_front();
        return {hal::InputStatus::byte, byte};
    }
    void write_result(std::span<std::byte const> bytes) override {
        m_decoder.feed(bytes, [this](launch::Record const& record) {
            if (record.type == launch::RecordType::value) {
                m_deed.values.push_back(launch::to_json(record));
            }
        });
    }

private:
    std::unique_ptr<Machine> m_machine;
    Deed m_deed;
    std::deque<char> m_input;
    bool m_ended = false;
    launch::RecordDecoder m_decoder;
};

constexpr std::string_view scenarios[] = {
    "scenario base", "scenario trace", "scenario memory", "scenario acpi"};

TEST(HostedKernels, OneIsRestoredFromItsCopyTheOtherIsUndisturbed) {
    Node restored(0);
    Node other(1);
    static_cast<void>(restored.run("no-such-command")); // a status that the kernel remembers
    Snapshot const copy = restored.machine().snapshot().value();
    Deed const other_before = other.run("memmap");

    std::vector<Deed> first;
    for (std::string_view const line : scenarios) {
        first.push_back(restored.run(line));
        EXPECT_GT(first.back().values.size(), 0u) << line;
        EXPECT_EQ(other.run(line).values, first.back().values); // they take turns
    }
    first.push_back(restored.run("memmap"));
    static_cast<void>(restored.run("version"));

    for (int round = 0; round < 2; ++round) {
        ASSERT_TRUE(restored.machine().restore(copy).has_value());
        std::vector<Deed> again;
        for (std::string_view const line : scenarios) {
            again.push_back(restored.run(line));
        }
        again.push_back(restored.run("memmap"));
        EXPECT_EQ(again, first);
        EXPECT_EQ(other.run("memmap"), other_before);
    }

    ASSERT_TRUE(restored.machine().restore(copy).has_value());
    EXPECT_EQ(restored.finish(), 3) << "the last command was unknown when the copy was taken";
    EXPECT_EQ(other.finish(), 0);
}

TEST(HostedKernels, APanicOfOneLeavesTheOtherAloneAndCanBeUndone) {
    Node first(0);
    Node second(1);
    Deed const before = second.run("memmap");
    Deed const own = first.run("memmap");
    Snapshot const copy = first.machine().snapshot().value();

    Stop const stop = first.run_to_stop("fault stack");
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(stop.status, 70);
    EXPECT_EQ(second.run("memmap"), before);

    ASSERT_TRUE(first.machine().restore(copy).has_value());
    EXPECT_EQ(first.run("memmap"), own);
    EXPECT_EQ(first.finish(), 0);
    EXPECT_EQ(second.finish(), 0);
}

} // namespace
