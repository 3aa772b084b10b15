// Looking into a machine that hangs. See hang_report.hpp.
#include "apps/launch/hang_report.hpp"

#include <fmt/format.h>

#include <charconv>
#include <iterator>

namespace twofold::launch {

namespace {

/// The hexadecimal number at the front of `text`.
std::optional<u64> hexadecimal(std::string_view text) {
    u64 value = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return error == std::errc{} && end != text.data() ? std::optional(value) : std::nullopt;
}

/// The lines of `info registers` before those of the floating-point and vector unit.
std::string_view general_registers(std::string_view text) {
    usize const blank = text.starts_with("\n") ? 1 : 0;
    usize const unit = text.find("\nFCW=");
    return text.substr(blank, unit == std::string_view::npos ? unit : unit + 1 - blank);
}

std::string report_processor(
    Monitor& monitor,
    Journal const& journal,
    FunctionTable const& functions,
    unsigned cpu,
    Clock::time_point deadline) {
    auto const registers = monitor.ask("info registers", cpu, deadline);
    if (!registers) {
        return fmt::format("processor {}: no answer\n", cpu);
    }
    auto either = [&](std::string_view wide, std::string_view narrow) {
        auto const value = find_register(*registers, wide);
        return value ? value : find_register(*registers, narrow);
    };
    auto const instruction = either("RIP", "EIP");
    auto const frame_pointer = find_register(*registers, "RBP");
    std::vector<u64> frames;
    if (instruction) {
        // Before the kernel has said hello the frame pointer is firmware's, for any use.
        auto const read = [&](u64 address) -> std::optional<std::array<u64, 2>> {
            auto const words = monitor.ask(fmt::format("x /2gx {:#x}", address), cpu, deadline);
            return words ? find_words(*words) : std::nullopt;
        };
        frames =
            walk_frames(*instruction, journal.said_hello ? frame_pointer.value_or(0) : 0, read);
    }
    return fmt::format(
        "processor {}:\n{}{}", cpu, describe_frames(frames, functions, journal.image_base),
        general_registers(*registers));
}

} // namespace

std::optional<u64> find_register(std::string_view text, std::string_view name) {
    usize at = 0;
    while ((at = text.find(name, at)) != std::string_view::npos) {
        bool const starts = at == 0 || text[at - 1] == ' ' || text[at - 1] == '\n';
        auto const behind = text.find_first_not_of(' ', at + name.size());
        if (starts && behind != std::string_view::npos && text[behind] == '=') {
            return hexadecimal(text.substr(behind + 1));
        }
        at += name.size();
    }
    return std::nullopt;
}

std::optional<std::array<u64, 2>> find_words(std::string_view text) {
    std::array<u64, 2> words{};
    for (u64& word : words) {
        auto const at = text.find(" 0x");
        auto const value =
            at == std::string_view::npos ? std::nullopt : hexadecimal(text.substr(at + 3));
        if (!value) {
            return std::nullopt;
        }
        word = *value;
        text.remove_prefix(at + 3);
    }
    return words;
}

std::vector<u64> walk_frames(u64 instruction, u64 frame_pointer, ReadPair const& read) {
    std::vector<u64> instructions = {instruction};
    while (instructions.size() < frames_max && frame_pointer != 0 && frame_pointer % 8 == 0) {
        auto const words = read(frame_pointer); // the frame above, and where to return to
        if (!words || (*words)[1] == 0) {
            break;
        }
        instructions.push_back((*words)[1]);
        if ((*words)[0] <= frame_pointer) {
            break;
        }
        frame_pointer = (*words)[0];
    }
    return instructions;
}

std::string describe_frames(
    std::vector<u64> const& instructions, FunctionTable const& functions, u64 image_base) {
    std::string out;
    u64 const slide = image_base == 0 ? 0 : image_base - functions.link_base();
    for (usize index = 0; index < instructions.size(); ++index) {
        // A return address may lie behind the end of a function that ends in a call.
        u64 const inside = instructions[index] - (index == 0 ? 0 : 1);
        auto const function = functions.describe(inside - slide);
        fmt::format_to(
            std::back_inserter(out), "  #{:<2} {:#018x} {}\n", index, instructions[index],
            function.value_or("(outside the image)"));
    }
    return out;
}

std::string report_hang(
    Monitor& monitor,
    Journal const& journal,
    FunctionTable const& functions,
    unsigned cpus,
    Clock::time_point deadline) {
    std::string out = journal.progress() + "\n";
    if (!monitor.stop(deadline)) {
        return out + "the emulator does not answer either\n";
    }
    if (journal.said_hello && functions.empty()) {
        out += "the image has no symbols\n";
    }
    for (unsigned cpu = 0; cpu < cpus && Clock::now() < deadline; ++cpu) {
        out += report_processor(monitor, journal, functions, cpu, deadline);
    }
    return out;
}

} // namespace twofold::launch
