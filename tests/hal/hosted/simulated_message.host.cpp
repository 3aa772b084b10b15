// Kernels whose message device does not keep its word: it loses completions, gives some twice, or
// never answers. Each request of the driver ends once all the same, and nobody waits for ever.
#include "hal/hosted/sim/devices/ring_device.hpp"
#include "tests/hal/hosted/simulated_run.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace {

using namespace hosted;
using namespace hosted::test;

/// A message device on a link that leads nowhere.
class Unreliable final : public RingDevice {
public:
    enum class Habit : u8 { sound, loses, doubles, silent };

    explicit Unreliable(Habit habit, u32 every = 1)
        : RingDevice(message::signature), m_habit(habit), m_every(every) {}

    PciIdentity identity() const override {
        return {.device = message::device_id, .class_and_revision = message::class_and_revision};
    }

    u32 sent = 0;    ///< frames that it was given
    u32 stopped = 0; ///< times that it had to forget what was in flight

private:
    void start_up(std::span<std::byte> registers) override {
        set_register(registers, message::address, u32{0});
        set_register(registers, message::frame_bytes_max, message::frame_bytes);
    }
    void save_own(StateWriter&) const override {}
    void load_own(StateReader&) override {}
    void forget() override { ++stopped; }
    /// Buffers for frames are kept: none ever comes.
    void submitted(DeviceBus& bus, ring::Submission const& submission) override {
        if (static_cast<message::Operation>(submission.operation) == message::Operation::send) {
            ++sent;
            later(bus, 1'000, submission.token);
        }
    }
    void happened(DeviceBus& bus, u64 id) override {
        ring::Completion const done{.token = static_cast<u32>(id)};
        bool const is_its_turn = sent % m_every == 0;
        bool const is_lost = m_habit == Habit::silent || (m_habit == Habit::loses && is_its_turn);
        for (u32 i = 0; !is_lost && i < (m_habit == Habit::doubles && is_its_turn ? 2u : 1u); ++i) {
            complete(bus, done);
        }
    }

    Habit m_habit;
    u32 m_every;
};

using Habit = Unreliable::Habit;

Trial run(std::shared_ptr<Unreliable> const& device, std::string const& command) {
    Trial out;
    Keeper console(out);
    MachineConfig config;
    config.cpus = 2;
    config.command_line = "console=pipe command=\"" + command + "\"";
    config.devices.push_back(device);
    SimEngine* engine = nullptr;
    auto machine = create_simulated(std::move(config), console, {.seed = 4}, &engine);
    EXPECT_TRUE(machine.has_value());
    out.stop = (*machine)->run();
    out.time_ns = engine->time_ns();
    return out;
}

constexpr std::string_view nothing_wrong = " 0 completions unexpected, 0 timed out, 0 restarts";

TEST(SimulatedMessage, ASoundDeviceNeedsNoPatience) {
    auto const device = std::make_shared<Unreliable>(Habit::sound);
    Trial const seen = run(device, "beat 20 1000 message; message info");
    EXPECT_NE(seen.text.find("20 beats, 0 failed"), std::string::npos) << seen.text;
    EXPECT_NE(seen.text.find(nothing_wrong), std::string::npos) << seen.text;
    EXPECT_EQ(device->sent, 20u);
}

TEST(SimulatedMessage, ADeviceThatWasSuspendedGoesOn) {
    auto const device = std::make_shared<Unreliable>(Habit::sound);
    Trial const seen = run(
        device, "beat 5 1000 message; devices suspend 01:01.0; devices; devices resume 01:01.0; "
                "beat 6 1000 message; message info");
    EXPECT_NE(seen.text.find(" suspended"), std::string::npos) << seen.text;
    EXPECT_NE(seen.text.find("5 beats, 0 failed"), std::string::npos) << seen.text;
    EXPECT_NE(seen.text.find("6 beats, 0 failed"), std::string::npos) << seen.text;
    EXPECT_NE(seen.text.find(nothing_wrong), std::string::npos) << seen.text;
    EXPECT_EQ(device->sent, 11u);
    EXPECT_GE(device->stopped, 1u);
}

TEST(SimulatedMessage, ALostCompletionEndsItsRequestInTimeAndNoOther) {
    auto const device = std::make_shared<Unreliable>(Habit::loses, 5);
    Trial const seen = run(device, "beat 20 1000 message; message info");
    EXPECT_EQ(seen.stop.kind, Stop::Kind::exited) << seen.text;
    EXPECT_NE(seen.text.find("20 beats, 4 failed"), std::string::npos) << seen.text;
    EXPECT_NE(seen.text.find("4 timed out, 4 restarts"), std::string::npos) << seen.text;
    EXPECT_EQ(device->sent, 20u);
    constexpr u64 time_out_ns = 2'000'000'000;
    EXPECT_GE(seen.time_ns, 4 * time_out_ns);
    EXPECT_LE(seen.time_ns, 4 * time_out_ns + 200'000'000);
}

TEST(SimulatedMessage, ACompletionThatComesTwiceEndsNoOtherRequest) {
    auto const device = std::make_shared<Unreliable>(Habit::doubles, 2);
    Trial const seen = run(device, "beat 20 1000 message; message info");
    EXPECT_NE(seen.text.find("20 beats, 0 failed"), std::string::npos) << seen.text;
    EXPECT_NE(
        seen.text.find("10 completions unexpected, 0 timed out, 0 restarts"), std::string::npos)
        << seen.text;
}

TEST(SimulatedMessage, ADeviceThatNeverAnswersLeavesNobodyWaiting) {
    auto const device = std::make_shared<Unreliable>(Habit::silent);
    Trial const seen = run(device, "message send 1 x; beat 3 1000 message; message info");
    EXPECT_EQ(seen.stop.kind, Stop::Kind::exited) << seen.text;
    EXPECT_NE(seen.text.find("failed: timed_out"), std::string::npos) << seen.text;
    EXPECT_NE(seen.text.find("3 beats, 3 failed"), std::string::npos) << seen.text;
    EXPECT_NE(seen.text.find("4 timed out, 4 restarts"), std::string::npos) << seen.text;
    EXPECT_GE(device->stopped, 4u) << "it is stopped before what it has is given back";
}

} // namespace
