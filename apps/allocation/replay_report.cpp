// The text of a replay's result. See replay_report.hpp.
#include "apps/allocation/replay_report.hpp"

#include "apps/launch/json_text.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace twofold::allocation {

namespace {

using launch::append_json_string;

constexpr double ns_per_ms = 1e6;

std::vector<std::string_view> arguments_of(Schedule const& schedule) {
    std::vector<std::string_view> arguments;
    std::string_view rest = schedule.command;
    while (!rest.empty()) {
        arguments.push_back(rest.substr(0, rest.find('\0')));
        rest.remove_prefix(std::min(rest.size(), arguments.back().size() + 1));
    }
    return arguments;
}

std::string milliseconds(u64 ns) {
    return fmt::format("{:.2f}", static_cast<double>(ns) / ns_per_ms);
}

/// "-" where nothing was measured.
std::string kibibytes(std::vector<u64> const& bytes) {
    return bytes.empty() ? "-" : fmt::format("{}", median(bytes) >> 10);
}

std::string over_live(std::vector<u64> const& bytes, Schedule const& schedule) {
    u64 const live = schedule.counts.live_bytes_max;
    if (bytes.empty() || live == 0) {
        return "-";
    }
    return fmt::format("{:.3f}", static_cast<double>(median(bytes)) / static_cast<double>(live));
}

std::string verdict(ReplayOutcome const& outcome) {
    if (outcome.clean()) {
        return "ok";
    }
    return fmt::format(
        "{} refused, {} misaligned, {} with wrong content (first at operation {})", outcome.refused,
        outcome.misaligned, outcome.wrong_content, outcome.first_wrong_operation);
}

void append_member(std::string& json, std::string_view key, auto const& value) {
    append_json_string(json, key);
    json += fmt::format(":{},", value);
}

void append_array(std::string& json, std::string_view key, std::vector<u64> const& values) {
    append_json_string(json, key);
    json += fmt::format(":[{}],", fmt::join(values, ","));
}

void close_object(std::string& json) {
    json.back() = '}'; // in place of the last comma
}

void append_figures(std::string& json, AllocatorFigures const& one) {
    json += "{\"name\":";
    append_json_string(json, one.allocator.name);
    json += ",\"library\":";
    append_json_string(json, one.allocator.library);
    json += ',';
    append_array(json, "wall_ns", one.wall_ns);
    append_array(json, "cpu_ns", one.cpu_ns);
    append_array(json, "committed_peak_bytes", one.committed_peak_bytes);
    append_array(json, "committed_end_bytes", one.committed_end_bytes);
    append_member(json, "refused", one.outcome.refused);
    append_member(json, "misaligned", one.outcome.misaligned);
    append_member(json, "wrong_content", one.outcome.wrong_content);
    close_object(json);
}

} // namespace

std::string describe(Schedule const& schedule) {
    TraceCounts const& counts = schedule.counts;
    return fmt::format(
        "command      {}\n"
        "events       {} ({} allocations, {} resizes, {} releases)\n"
        "left out     {} of blocks from before the recording, {} refused requests\n"
        "threads      {}\n"
        "live at most {} objects, {} bytes; at the end {} bytes\n",
        fmt::join(arguments_of(schedule), " "), counts.events, counts.allocations, counts.resizes,
        counts.releases, counts.foreign, counts.failed, counts.threads, counts.live_objects_max,
        counts.live_bytes_max, counts.live_bytes_end);
}

std::string report_table(Schedule const& schedule, std::vector<AllocatorFigures> const& figures) {
    std::string text = fmt::format(
        "{:<16} {:>10} {:>10} {:>10} {:>12} {:>10} {:>12}  {}\n", "allocator", "cpu ms", "wall ms",
        "least ms", "peak KiB", "peak/live", "end KiB", "contents");
    for (AllocatorFigures const& one : figures) {
        u64 const least = one.wall_ns.empty() ? 0 : std::ranges::min(one.wall_ns);
        text += fmt::format(
            "{:<16} {:>10} {:>10} {:>10} {:>12} {:>10} {:>12}  {}\n", one.allocator.name,
            milliseconds(median(one.cpu_ns)), milliseconds(median(one.wall_ns)),
            milliseconds(least), kibibytes(one.committed_peak_bytes),
            over_live(one.committed_peak_bytes, schedule), kibibytes(one.committed_end_bytes),
            verdict(one.outcome));
    }
    return text;
}

std::string report_json(
    std::string const& trace,
    Schedule const& schedule,
    std::vector<AllocatorFigures> const& figures) {
    TraceCounts const& counts = schedule.counts;
    std::string json = "{\"trace\":";
    append_json_string(json, trace);
    json += ",\"command\":[";
    for (std::string_view const argument : arguments_of(schedule)) {
        json += json.back() == '[' ? "" : ",";
        append_json_string(json, argument);
    }
    json += "],";
    append_member(json, "events", counts.events);
    append_member(json, "allocations", counts.allocations);
    append_member(json, "resizes", counts.resizes);
    append_member(json, "releases", counts.releases);
    append_member(json, "foreign", counts.foreign);
    append_member(json, "failed", counts.failed);
    append_member(json, "threads", counts.threads);
    append_member(json, "live_objects_max", counts.live_objects_max);
    append_member(json, "live_bytes_max", counts.live_bytes_max);
    append_member(json, "live_bytes_end", counts.live_bytes_end);
    json += "\"allocators\":[";
    for (AllocatorFigures const& one : figures) {
        json += json.back() == '[' ? "" : ",";
        append_figures(json, one);
    }
    return json + "]}\n";
}

} // namespace twofold::allocation
