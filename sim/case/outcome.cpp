// Outcomes as JSON. See case.hpp.
#include "apps/json/writer.hpp"
#include "sim/case/case.hpp"
#include "sim/words/words.hpp"

#include <fmt/format.h>

namespace twofold::sim {

namespace {

constexpr std::string_view failure_names[] = {"panic",  "status", "deadlock", "stall",
                                              "oracle", "crash",  "hash",     "schedule"};
static_assert(std::size(failure_names) == static_cast<usize>(FailureKind::schedule) + 1);

void write_failure(std::string& out, json::Writer& owner, CaseFailure const& failure) {
    owner.key("failure");
    json::Writer made(out, '{');
    made.text("kind", failure_names[static_cast<usize>(failure.kind)]);
    made.text("text", one_line(failure.text));
    made.text("report", failure.report);
}

void write_counts(std::string& out, json::Writer& owner, Outcome const& outcome) {
    owner.key("faults");
    {
        json::Writer faults(out, '{');
        for (FaultOutcome const& fault : outcome.faults) {
            faults.key(fault.name);
            json::Writer made(out, '{');
            made.number("asked", fault.counts.asked);
            made.key("fired");
            json::Writer fired(out, '[');
            for (u64 const occurrence : fault.counts.occurrences) {
                fired.separate();
                out += fmt::format("{}", occurrence);
            }
        }
    }
    owner.key("points");
    json::Writer points(out, '{');
    for (PointCounts const& point : outcome.points) {
        points.key(point.name);
        json::Writer made(out, '{');
        made.number("reached", point.reached);
        made.number("fired", point.fired);
    }
}

} // namespace

void add_counts(
    Outcome& outcome, hosted::FaultInjector const& injector, hosted::FaultKinds const& kinds) {
    for (u32 i = 0; i < kinds.all().size(); ++i) {
        hosted::FaultId const id{i};
        hosted::FaultCounts const& counts = injector.counts(id);
        if (counts.asked > 0) {
            outcome.faults.push_back({kinds[id].name, counts});
        }
    }
    for (u32 i = 0; i < fault_points; ++i) {
        hosted::FaultCounts const& counts =
            injector.counts(hosted::fault_id(static_cast<FaultPoint>(i)));
        if (counts.asked > 0) {
            outcome.points.push_back({fault_point_names[i], counts.asked, counts.fired});
        }
    }
}

std::string to_json(Outcome const& outcome) {
    std::string out;
    {
        json::Writer made(out, '{');
        made.number("id", outcome.id);
        made.text("outcome", outcome.failure ? "failed" : "passed");
        if (outcome.failure) {
            write_failure(out, made, *outcome.failure);
        }
        made.text("hash", fmt::format("{:016x}", outcome.hash));
        made.number("events", outcome.events);
        made.number("virtual_ns", outcome.virtual_ns);
        made.number("host_ns", outcome.host_ns);
        made.key("operations");
        {
            json::Writer list(out, '[');
            for (Range const& range : outcome.operations.all()) {
                list.separate();
                launch::append_json_string(out, text_of(range));
            }
        }
        write_counts(out, made, outcome);
    }
    return out;
}

std::string to_json(CaseError const& error) {
    std::string out;
    {
        json::Writer made(out, '{');
        if (error.id) {
            made.number("id", *error.id);
        } else {
            made.null("id");
        }
        made.text("error", error.reason);
    }
    return out;
}

} // namespace twofold::sim
