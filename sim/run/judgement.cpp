// See judgement.hpp.
#include "sim/run/judgement.hpp"

#include "apps/launch/status.hpp"
#include "sim/run/explanation.hpp"

#include <fmt/format.h>

namespace twofold::sim {

namespace {

using hosted::Stop;

/// Of what the kernel has printed, in a report.
constexpr usize tail_bytes = 4'000;

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

/// What the kernel printed last.
std::string last_line(std::string_view output) {
    usize const end = output.find_last_not_of('\n');
    if (end == std::string_view::npos) {
        return "nothing was printed";
    }
    usize const before = output.rfind('\n', end);
    usize const begin = before == std::string_view::npos ? 0 : before + 1;
    return std::string(output.substr(begin, end + 1 - begin));
}

CaseFailure failure_of(Ended const& ended, FailureKind kind, std::string text) {
    std::string report;
    if (ended.journal.panic) {
        report += *ended.journal.panic + "\n";
    }
    report += ended.machine.crash_report();
    if (kind != FailureKind::panic && kind != FailureKind::status) {
        report += ended.engine.where_all_stand();
    }
    usize const from = ended.output.size() - std::min(ended.output.size(), tail_bytes);
    report += "the kernel printed last:\n";
    report += ended.output.substr(from);
    return {kind, std::move(text), std::move(report)};
}

std::optional<CaseFailure> judge_exit(Ended const& ended) {
    u8 const status = ended.stop.status;
    if (status == static_cast<u8>(launch::Status::panic)) {
        return failure_of(
            ended, FailureKind::panic, first_line(ended.journal.panic.value_or("no text")));
    }
    if (status != 0) {
        return failure_of(
            ended, FailureKind::status,
            fmt::format("status {}: {}", status, last_line(ended.output)));
    }
    return std::nullopt;
}

std::optional<CaseFailure> judge_stop(Ended const& ended) {
    switch (ended.stop.kind) {
    case Stop::Kind::exited:
        return judge_exit(ended);
    case Stop::Kind::waiting_for_input:
        return failure_of(
            ended, FailureKind::deadlock, "every processor sleeps, and nothing will wake one");
    case Stop::Kind::stalled:
        return failure_of(
            ended, FailureKind::stall,
            fmt::format(
                "no operation was completed for a long time; {} were before",
                ended.engine.operations().size()));
    case Stop::Kind::objected:
        return failure_of(ended, FailureKind::oracle, ended.engine.complaint());
    default:
        return failure_of(ended, FailureKind::crash, first_line(ended.machine.crash_report()));
    }
}

} // namespace

std::optional<CaseFailure> judge(Ended const& ended) {
    if (std::string_view const objection = ended.engine.objection(); !objection.empty()) {
        return failure_of(ended, FailureKind::schedule, std::string(objection));
    }
    std::optional<CaseFailure> failure = judge_stop(ended);
    if (!failure && ended.machine.stale_translations() != 0) {
        failure = failure_of(
            ended, FailureKind::oracle,
            "a processor went by a translation that it should have flushed");
    }
    if (!failure) {
        std::string what = unexplained(ended.engine);
        if (!what.empty()) {
            failure = failure_of(ended, FailureKind::oracle, std::move(what));
        }
    }
    return failure;
}

} // namespace twofold::sim
