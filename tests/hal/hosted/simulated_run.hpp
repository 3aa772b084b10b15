// What tests keep of a run of a whole kernel on a simulated machine.
#pragma once

#include "hal/hosted/machine.hpp"
#include "hal/hosted/sim/sim_engine.hpp"

#include <string>

namespace hosted::test {

/// What a run was.
struct Trial {
    Stop stop{};
    std::string text;
    std::string records;
    SimCounts counts;
    u64 time_ns = 0;

    bool operator==(Trial const& other) const {
        return stop.kind == other.stop.kind && stop.status == other.stop.status &&
               text == other.text && records == other.records && time_ns == other.time_ns &&
               counts.hash == other.counts.hash && counts.turns == other.counts.turns;
    }
};

/// Keeps what a kernel says; it has no input.
class Keeper final : public hosted::ConsoleEndpoint {
public:
    explicit Keeper(Trial& run) : m_run(run) {}
    void write(std::string_view text) override { m_run.text += text; }
    hal::ConsoleInput read() override { return {hal::InputStatus::end, '\0'}; }
    void write_result(std::span<std::byte const> bytes) override {
        for (std::byte const byte : bytes) {
            m_run.records += static_cast<char>(byte);
        }
    }

private:
    Trial& m_run;
};

} // namespace hosted::test
