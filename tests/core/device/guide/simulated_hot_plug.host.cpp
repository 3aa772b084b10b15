// The same as hot_plug.host.cpp on a simulated machine, by several seeds: the device is gone at a
// moment of virtual time at which its driver waits for it.
#include "tests/core/device/guide/edu.twin.hpp"
#include "tests/hal/hosted/simulated_run.hpp"

#include <gtest/gtest.h>

namespace {

using namespace hosted;
using hosted::test::Keeper;
using hosted::test::Trial;

void pull_while_it_computes(u64 seed) {
    Trial heard;
    Keeper console(heard);
    MachineConfig config;
    config.cpus = 2;
    config.hot_plug_ports = 1;
    config.command_line = "console=pipe command=\"devices; devices rescan; sleep 1; factorial 12; "
                          "sleep 1; devices rescan; factorial 5\"";
    auto board = Board::create(std::move(config), console);
    ASSERT_TRUE(board.has_value());
    auto made_engine = SimEngine::create(**board, {.seed = seed});
    ASSERT_TRUE(made_engine.has_value());
    SimEngine* const engine = made_engine->get();
    auto made = Machine::create(std::move(*board), std::move(*made_engine));
    ASSERT_TRUE(made.has_value());
    Machine& machine = **made;
    auto const first = std::make_shared<edu::EduTwin>(edu::EduTwin::Factorials::held);
    auto const plugged = machine.plug(first);
    ASSERT_TRUE(plugged.has_value());
    constexpr i64 step = 100'000'000; // less than the driver waits
    i64 now = 0;
    auto const run_until = [&](auto const& is_so) {
        Stop stop{Stop::Kind::paused};
        while (stop.kind == Stop::Kind::paused && !is_so()) {
            now += step;
            engine->limit({.time_ns = now});
            stop = machine.run();
        }
        return stop;
    };
    ASSERT_EQ(run_until([&] { return first->held() == 1; }).kind, Stop::Kind::paused) << heard.text;
    ASSERT_EQ(machine.unplug(*plugged), first);
    i64 const pulled_at = now;
    auto const was_told = [&] { return heard.text.contains("edu: io_failed"); };
    ASSERT_EQ(run_until(was_told).kind, Stop::Kind::paused) << heard.text;
    EXPECT_LE(now - pulled_at, 2 * step);
    ASSERT_TRUE(machine.plug(std::make_shared<edu::EduTwin>()).has_value());
    engine->limit({});
    Stop const stop = machine.run();
    EXPECT_EQ(stop.kind, Stop::Kind::exited) << heard.text;
    EXPECT_EQ(stop.status, 0) << heard.text;
    EXPECT_TRUE(heard.text.contains("     5  120")) << heard.text;
}

TEST(GuideDriverSimulated, IsToldThatItsDeviceIsGone) {
    for (u64 seed = 1; seed <= 5; ++seed) {
        SCOPED_TRACE(seed);
        pull_while_it_computes(seed);
    }
}

} // namespace
