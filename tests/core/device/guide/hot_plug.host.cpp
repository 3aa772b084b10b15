// The device of docs/guides/write-a-driver.md is pulled out of a machine while its kernel waits for
// it, on live threads: who waits has an error at once, the driver leaves, and another device that
// comes to the slot is used.
#include "tests/core/device/guide/edu.twin.hpp"
#include "tests/support/test_machine.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>

namespace {

using namespace twofold;
using hosted::Machine;
using hosted::Stop;

/// Keeps what a kernel says, from whichever thread; it has no input.
class Heard final : public hosted::ConsoleEndpoint {
public:
    void write(std::string_view text) override {
        std::lock_guard const lock(m_mutex);
        m_text += text;
    }
    hal::ConsoleInput read() override { return {hal::InputStatus::end, '\0'}; }
    void write_result(std::span<std::byte const>) override {}
    std::string text() const {
        std::lock_guard const lock(m_mutex);
        return m_text;
    }
    usize count(std::string_view what) const {
        std::string const all = text();
        usize count = 0;
        for (usize at = all.find(what); at != std::string::npos; at = all.find(what, at + 1)) {
            ++count;
        }
        return count;
    }

private:
    mutable std::mutex m_mutex;
    std::string m_text;
};

void pull_while_it_computes(u32 cpus) {
    Heard heard;
    hosted::MachineConfig config;
    config.cpus = cpus;
    config.hot_plug_ports = 1;
    config.command_line = "console=pipe command=\"devices; devices rescan; factorial 12; "
                          "echo pulled; sleep 1; devices rescan; factorial 5; devices\"";
    auto made = twofold::test::make_machine(std::move(config), heard);
    ASSERT_TRUE(made.has_value()) << made.error();
    Machine& machine = **made;
    auto const first = std::make_shared<edu::EduTwin>(edu::EduTwin::Factorials::held);
    auto const plugged = machine.plug(first);
    ASSERT_TRUE(plugged.has_value());
    bool is_pulled = false;
    bool is_plugged_again = false;
    std::chrono::steady_clock::time_point pulled_at;
    Stop stop = machine.run();
    while (stop.kind == Stop::Kind::waiting_for_input) {
        if (!is_pulled && first->held() == 1) {
            pulled_at = std::chrono::steady_clock::now();
            ASSERT_EQ(machine.unplug(*plugged), first);
            is_pulled = true;
        } else if (is_pulled && !is_plugged_again && heard.count("pulled\n") != 0) {
            // Who waited was told: sooner than the driver's own patience.
            EXPECT_LT(std::chrono::steady_clock::now() - pulled_at, std::chrono::seconds(2));
            ASSERT_TRUE(machine.plug(std::make_shared<edu::EduTwin>()).has_value());
            is_plugged_again = true;
        }
        machine.wait(-1);
        stop = machine.run();
    }
    EXPECT_EQ(stop.kind, Stop::Kind::exited) << heard.text();
    EXPECT_EQ(stop.status, 0) << heard.text();
    EXPECT_TRUE(is_plugged_again) << heard.text();
    EXPECT_EQ(heard.count("edu: io_failed"), 1u) << heard.text();
    EXPECT_EQ(heard.count("     5  120"), 1u) << heard.text();
}

TEST(GuideDriver, IsToldThatItsDeviceIsGone) {
    pull_while_it_computes(1);
}

TEST(GuideDriver, IsToldOnSeveralProcessors) {
    pull_while_it_computes(4);
}

} // namespace
