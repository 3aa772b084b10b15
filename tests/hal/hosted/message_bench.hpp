// A message device on a bench, with a wire that keeps what is sent.
#pragma once

#include "hal/hosted/sim/devices/message_device.hpp"
#include "tests/hal/hosted/device_bench.hpp"

#include <string>

namespace hosted::test {

/// Keeps what is sent.
struct Wire final : MessageLink {
    struct Sent {
        u32 from;
        u32 to;
        std::string text;
        u64 at_ns;
    };
    void carry(MessageFrame const& frame, u32 to, u64 now_ns) override {
        std::string text;
        for (std::byte const byte : frame.bytes) {
            text += static_cast<char>(byte);
        }
        sent.push_back({frame.from, to, text, now_ns});
    }
    std::vector<Sent> sent;
};

/// A device on a bench (device_bench.hpp), started.
struct MessageBench : testing::Test {
    Wire wire;
    MessageDevice device{{.address = 7, .waiting_max = 3}, &wire};
    DeviceBench bench{device};

    void SetUp() override { bench.start(); }
    ring::Completion send(u64 to, std::string_view text, u32 count) {
        std::ranges::copy(
            std::as_bytes(std::span(text)),
            bench.memory(DeviceBench::buffers, text.size()).begin());
        return bench.perform(
            {.operation = 1,
             .token = 5,
             .target = to,
             .count = count,
             .buffer = DeviceBench::buffers});
    }
    /// Of one letter; it is not waited for.
    void submit_send(char letter, u32 token = 0) {
        u64 const buffer = DeviceBench::buffers + u64{0x1000} * token;
        bench.memory(buffer, 1)[0] = static_cast<std::byte>(letter);
        bench.submit({.operation = 1, .token = token, .target = 9, .count = 1, .buffer = buffer});
    }
    std::string sent() const {
        std::string text;
        for (Wire::Sent const& each : wire.sent) {
            text += each.text;
        }
        return text;
    }
    void give_buffer(u32 number, u32 bytes = 4096) {
        bench.submit(
            {.operation = 2,
             .token = number,
             .count = bytes,
             .buffer = DeviceBench::buffers + u64{0x1000} * number});
    }
    void arrive(u32 from, std::string_view text) {
        auto const bytes = std::as_bytes(std::span(text));
        bench.call_later(10, device.expect({from, {bytes.begin(), bytes.end()}}));
        bench.run();
    }
    std::string buffer(u32 number, u64 bytes) {
        auto const held = bench.memory(DeviceBench::buffers + u64{0x1000} * number, bytes);
        std::string text;
        for (std::byte const byte : held) {
            text += static_cast<char>(byte);
        }
        return text;
    }
};

} // namespace hosted::test
