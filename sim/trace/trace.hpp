// A simulation as a trace for Perfetto (https://ui.perfetto.dev): a track for each processor, with
// its turns, the interrupts that reach it and the faults that happen there; one for each device.
#pragma once

#include "hal/hosted/sim/observer.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace twofold::sim {

/// Keeps what happens: 32 bytes and a few nanoseconds a moment. It is written when all is over.
class TraceKeeper final : public hosted::SimObserver {
public:
    void on_moment(hosted::SimMoment const& moment) override;
    void on_grant(hosted::Grant const&) override {}

    /// Throws launch::Failure (74). O(moments).
    void write(std::filesystem::path const& path, std::string const& title) const;

private:
    static constexpr usize block_size = usize{1} << 16;

    struct Kept {
        i64 at_ns;
        i64 since_ns;
        u64 value;
        u32 slot_and_kind;
    };

    /// Nothing that is kept moves: each is full but the last.
    std::vector<std::vector<Kept>> m_blocks;
};

/// What a moment is called, as "interrupt 48" or "turn: idle".
std::string moment_name(hosted::SimMoment::Kind kind, u64 value);

} // namespace twofold::sim
