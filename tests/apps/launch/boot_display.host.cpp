// The option --display of the launcher, and what it asks the emulator for.
#include "apps/launch/boot_options.hpp"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace {

using namespace twofold;
using namespace twofold::launch;
using Kind = EmulatorDisplay::Kind;

std::optional<EmulatorDisplay> taken(std::string const& text) {
    std::optional<EmulatorDisplay> display;
    std::string const problem = take_emulator_display(text, display);
    EXPECT_EQ(problem.empty(), display.has_value()) << text << ": " << problem;
    return display;
}

std::string arguments_with(std::optional<EmulatorDisplay> display, Machine machine = Machine::q35) {
    EmulatorPlan plan;
    plan.machine = machine;
    plan.display = std::move(display);
    return fmt::format("{} ", fmt::join(emulator_arguments(plan), " "));
}

bool has(std::string const& line, std::string_view part) {
    return line.find(part) != std::string::npos;
}

TEST(EmulatorDisplay, TakesItsKinds) {
    EXPECT_EQ(taken("none")->kind, Kind::none);
    EXPECT_EQ(taken("gtk")->kind, Kind::gtk);
    EXPECT_EQ(taken("sdl")->kind, Kind::sdl);
    EXPECT_EQ(taken("png:a,b.png")->kind, Kind::png);
    EXPECT_EQ(taken("png:a,b.png")->file, "a,b.png");
    for (char const* const text : {"", "png", "png:", "vnc", "gtk,", "NONE"}) {
        EXPECT_FALSE(taken(text).has_value()) << text;
    }
}

TEST(EmulatorDisplay, IsADeviceOfTheMachine) {
    EXPECT_FALSE(has(arguments_with(std::nullopt), "virtio"));
    EXPECT_TRUE(has(arguments_with(taken("none")), "-device virtio-gpu-pci "));
    EXPECT_TRUE(has(arguments_with(taken("none"), Machine::microvm), "-device virtio-gpu-device "));
    EmulatorPlan with_iso;
    with_iso.iso = "/a.iso";
    with_iso.display = taken("none");
    auto const line = fmt::format("{} ", fmt::join(emulator_arguments(with_iso), " "));
    EXPECT_TRUE(has(line, "-vga std ") && !has(line, "virtio")) << "a CD's is a VGA: " << line;
}

TEST(EmulatorDisplay, WindowsAreTheEmulators) {
    EXPECT_TRUE(has(arguments_with(std::nullopt), "-display none "));
    EXPECT_TRUE(has(arguments_with(taken("none")), "-display none "));
    EXPECT_TRUE(has(arguments_with(taken("gtk")), "-display gtk "));
    EXPECT_TRUE(has(arguments_with(taken("sdl")), "-display sdl "));
}

TEST(EmulatorDisplay, AMachineWhoseLastFrameIsWantedStays) {
    std::string const kept = arguments_with(taken("png:a.png"));
    EXPECT_TRUE(has(kept, "-no-shutdown ") && has(kept, "-display none "));
    EXPECT_FALSE(has(kept, "isa-debug-exit"));
    std::string const other = arguments_with(taken("none"));
    EXPECT_TRUE(has(other, "isa-debug-exit") && !has(other, "-no-shutdown"));
}

TEST(EmulatorDisplay, AWindowThatIsNotInstalledIsALine) {
    try {
        check_emulator_display({.kind = Kind::gtk}, "/bin/true");
        ADD_FAILURE();
    } catch (Failure const& failure) {
        EXPECT_EQ(failure.status(), Status::unavailable);
        EXPECT_TRUE(has(failure.what(), "apt-get install qemu-system-gui")) << failure.what();
    }
    EXPECT_NO_THROW(check_emulator_display({.kind = Kind::none}, "/bin/true"));
}

} // namespace
