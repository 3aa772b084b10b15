// The rings of simulated devices: what starts and stops them, that nothing is lost or invented when
// a ring is full or has gone round, and what becomes of a kernel that breaks the rules.
#include "tests/hal/hosted/message_bench.hpp"

namespace {

using namespace hosted;
using namespace hosted::test;

using RingDevices = MessageBench;

TEST_F(RingDevices, SayWhoTheyAre) {
    EXPECT_EQ(bench.read_register<u32>(ring::signature), message::signature);
    EXPECT_EQ(bench.read_register<u32>(ring::version), ring::version_now);
    EXPECT_EQ(bench.read_register<u32>(ring::state), ring::state_running);
    EXPECT_EQ(bench.read_register<u32>(message::frame_bytes_max), message::frame_bytes);
}

TEST_F(RingDevices, GoRoundTheRing) {
    std::string all;
    for (u32 i = 0; i < 100; ++i) {
        char const letter = static_cast<char>('A' + i % 26);
        submit_send(letter);
        bench.run();
        auto const done = bench.take();
        ASSERT_EQ(done.size(), 1u) << i;
        EXPECT_EQ(done[0].status, ring::status_done);
        all += letter;
    }
    EXPECT_EQ(sent(), all);
    EXPECT_EQ(bench.interrupts(), 100u);
}

TEST_F(RingDevices, HoldBackWhatHasNoRoom) {
    std::vector<u32> seen;
    for (u32 i = 0; i < 48; ++i) { // three rounds, and nothing is taken meanwhile
        submit_send('x', i % 16);
        bench.run();
    }
    for (auto all = bench.take(); !all.empty(); all = bench.take()) {
        for (ring::Completion const& each : all) {
            seen.push_back(each.token);
        }
    }
    ASSERT_EQ(seen.size(), 48u);
    for (u32 i = 0; i < 48; ++i) {
        EXPECT_EQ(seen[i], i % 16);
    }
}

TEST_F(RingDevices, ForgetWhatIsInFlightWhenTheyAreStopped) {
    submit_send('a');
    bench.stop();
    EXPECT_EQ(bench.read_register<u32>(ring::state), ring::state_stopped);
    bench.start();
    bench.run();
    EXPECT_TRUE(bench.take().empty());
    EXPECT_EQ(sent(), "");
    submit_send('b');
    bench.run();
    EXPECT_EQ(bench.take().size(), 1u);
    EXPECT_EQ(sent(), "b");
}

TEST_F(RingDevices, FailWhereTheKernelBreaksTheRules) {
    auto const fails = [this](auto const& break_rule) {
        bench.stop();
        break_rule();
        EXPECT_EQ(bench.read_register<u32>(ring::state), ring::state_failed);
        bench.stop();
        bench.set_master(true);
        bench.start();
        wire.sent.clear();
        submit_send('b');
        bench.run();
        EXPECT_EQ(bench.take().size(), 1u);
        EXPECT_EQ(sent(), "b") << "it can be used again";
    };
    fails([this] {
        bench.write_register<u32>(ring::entries, 12);
        bench.write_register<u32>(ring::control, ring::control_run);
    });
    fails([this] {
        bench.write_register<u32>(ring::entries, 512);
        bench.write_register<u32>(ring::control, ring::control_run);
    });
    fails([this] {
        bench.write_register<u64>(ring::submissions, 0x1008);
        bench.write_register<u32>(ring::control, ring::control_run);
    });
    fails([this] { // outside memory
        bench.write_register<u64>(ring::submissions, DeviceBench::memory_bytes);
        bench.write_register<u32>(ring::control, ring::control_run);
        bench.write_register<u32>(ring::submitted, 1);
    });
    fails([this] { // a count that leaps
        bench.start();
        bench.write_register<u32>(ring::submitted, 17);
    });
    fails([this] { // more than there was
        bench.start();
        bench.write_register<u32>(ring::taken, 1);
    });
    fails([this] { // no bus master any more when it is complete
        bench.start();
        submit_send('a');
        bench.set_master(false);
        bench.run();
    });
}

} // namespace
