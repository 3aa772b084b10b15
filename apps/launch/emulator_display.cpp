// See emulator_display.hpp.
#include "apps/launch/emulator_display.hpp"

#include "apps/launch/boot_options.hpp"
#include "apps/launch/file_place.hpp"
#include "apps/launch/hang_report.hpp"
#include "apps/launch/json_text.hpp"
#include "apps/launch/monitor.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>

namespace twofold::launch {

namespace {

namespace fs = std::filesystem;
using Kind = EmulatorDisplay::Kind;
using namespace std::chrono_literals;

constexpr char const* option_name = "--display";
constexpr char const* window_package = "qemu-system-gui";
constexpr auto screenshot_patience = 20s;

/// Whether the emulator was installed with such windows: it lists what it has, a word a line.
bool has_window(fs::path const& emulator, std::string_view kind) {
    std::string const command =
        fmt::format("\"{}\" -display help </dev/null 2>/dev/null", emulator.string());
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const stream(
        popen(command.c_str(), "re"), pclose);
    std::array<char, 256> line{};
    while (stream && std::fgets(line.data(), line.size(), stream.get()) != nullptr) {
        std::string_view const word(line.data());
        if (word.substr(0, word.find_first_of(" \r\n")) == kind) {
            return true;
        }
    }
    return false;
}

} // namespace

std::string
take_emulator_display(std::string const& text, std::optional<EmulatorDisplay>& display) {
    constexpr std::string_view png = "png:";
    if (text == "none") {
        display = {.kind = Kind::none};
    } else if (text == "gtk") {
        display = {.kind = Kind::gtk};
    } else if (text == "sdl") {
        display = {.kind = Kind::sdl};
    } else if (text.starts_with(png) && text.size() > png.size()) {
        display = {.kind = Kind::png, .file = text.substr(png.size())};
    } else {
        return fmt::format("'{}' is no display: none, png:FILE, gtk or sdl", text);
    }
    return {};
}

char const* emulator_window(std::optional<EmulatorDisplay> const& display) {
    if (display && display->kind == Kind::gtk) {
        return "gtk";
    }
    return display && display->kind == Kind::sdl ? "sdl" : "none";
}

void check_emulator_display(EmulatorDisplay const& display, fs::path const& emulator) {
    if (display.kind == Kind::png) {
        check_file_place(display.file, option_name);
    }
    std::string_view const window = emulator_window(display);
    if (window != "none" && !has_window(emulator, window)) {
        throw Failure(
            Status::unavailable, fmt::format(
                                     "{} has no display '{}'; install it with: apt-get install {}",
                                     emulator_program, window, window_package));
    }
}

bool has_halted(Monitor& monitor, u32 cpus) {
    constexpr u64 interrupts_on = 0x200;
    for (u32 cpu = 0; cpu < cpus; ++cpu) {
        auto const text = monitor.ask("info registers", cpu, Clock::now() + screenshot_patience);
        auto const flags = text ? find_register(*text, "RFL") : std::nullopt;
        if (flags && find_register(*text, "HLT") == u64{1} && (*flags & interrupts_on) == 0) {
            return true;
        }
    }
    return false;
}

void take_screenshot(Monitor& monitor, fs::path const& file) {
    fs::path const draft = fmt::format("{}.{}.part", file.string(), getpid());
    std::string quoted;
    append_json_string(quoted, draft.string());
    auto const answer = monitor.execute(
        R"({"execute":"screendump","arguments":{"format":"png","filename":)" + quoted + "}}",
        Clock::now() + screenshot_patience);
    std::error_code error;
    if (!answer) {
        fs::remove(draft, error);
        fail_file(
            file, option_name,
            monitor.last_error().empty() ? "the emulator does not answer" : monitor.last_error());
    }
    fs::rename(draft, file, error);
    if (error) {
        std::error_code ignored;
        fs::remove(draft, ignored);
        fail_file(file, option_name, error.message());
    }
}

} // namespace twofold::launch
