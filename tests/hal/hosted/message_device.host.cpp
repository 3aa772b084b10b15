// The simulated message device: frames go out and come in by its rings, wait for buffers in their
// order, and are dropped and counted where too many wait.
#include "tests/hal/hosted/message_bench.hpp"

namespace {

using namespace hosted;
using namespace hosted::test;

TEST_F(MessageBench, Sends) {
    EXPECT_EQ(bench.read_register<u32>(message::address), 7u);
    EXPECT_EQ(send(9, "hello", 5).status, 0);
    ASSERT_EQ(wire.sent.size(), 1u);
    EXPECT_EQ(wire.sent[0].from, 7u);
    EXPECT_EQ(wire.sent[0].to, 9u);
    EXPECT_EQ(wire.sent[0].text, "hello");
    EXPECT_EQ(wire.sent[0].at_ns, 1'000u);
    EXPECT_EQ(send(message::everybody, "all", 3).status, 0);
    EXPECT_EQ(wire.sent[1].to, message::everybody);
}

TEST_F(MessageBench, RefusesWhatIsNoFrame) {
    EXPECT_EQ(send(9, "", 0).status, ring::status_invalid);
    EXPECT_EQ(send(9, "x", 4097).status, ring::status_invalid);
    EXPECT_EQ(send(u64{1} << 32, "x", 1).status, ring::status_invalid);
    EXPECT_EQ(
        bench.perform({.operation = 1, .count = 9, .buffer = DeviceBench::memory_bytes}).status,
        ring::status_memory);
    EXPECT_EQ(bench.perform({.operation = 3}).status, ring::status_invalid);
    EXPECT_TRUE(wire.sent.empty());
}

TEST_F(MessageBench, FramesWaitForBuffersInTheirOrder) {
    give_buffer(1);
    arrive(2, "one");
    arrive(3, "two");
    arrive(2, "three");
    auto all = bench.take();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].token, 1u);
    EXPECT_EQ(all[0].value, u64{2} << 32 | 3);
    EXPECT_EQ(buffer(1, 3), "one");
    give_buffer(2);
    give_buffer(3);
    all = bench.take();
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].value, u64{3} << 32 | 3);
    EXPECT_EQ(buffer(2, 3), "two");
    EXPECT_EQ(buffer(3, 5), "three");
}

TEST_F(MessageBench, TooMuchIsDroppedAndCounted) {
    for (u32 i = 0; i < 5; ++i) {
        arrive(2, "x");
    }
    EXPECT_EQ(bench.read_register<u32>(message::dropped), 2u);
    give_buffer(1, 0);
    EXPECT_EQ(bench.take().at(0).status, ring::status_invalid) << "too small a buffer";
    bench.stop();
    arrive(2, "y");
    EXPECT_EQ(bench.read_register<u32>(message::dropped), 3u);
    bench.start();
    give_buffer(1);
    EXPECT_TRUE(bench.take().empty()) << "stopping forgets what waited";
}

TEST_F(MessageBench, IsACopyThatGoesOnAlike) {
    arrive(2, "waits");
    static_cast<void>(device.expect({4, {std::byte{1}}}));
    bench.submit({.operation = 1, .target = 9, .count = 1, .buffer = DeviceBench::buffers});
    auto const state = device.save();
    MessageDevice other({.address = 7, .waiting_max = 3}, &wire);
    other.load(state);
    EXPECT_EQ(other.save(), state);
}

} // namespace
