// A simulation as a trace for Perfetto (https://ui.perfetto.dev): a track for each processor, with
// its turns, the interrupts that reach it and the faults that happen there; one for each device.
#pragma once

#include "hal/hosted/sim/observer.hpp"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace twofold::sim {

/// Keeps what happens: 16 bytes and a few nanoseconds a moment. It is written when all is over.
class TraceKeeper final : public hosted::SimObserver {
public:
    void on_moment(hosted::SimMoment const& moment) override;
    void on_grant(hosted::Grant const& grant) override;

    /// Throws launch::Failure (74). O(moments).
    void write(std::filesystem::path const& path, std::string const& title) const;

private:
    static constexpr usize block_size = usize{1} << 17;
    static constexpr u32 kind_mask = 7, slot_shift = 3, slot_mask = 63, value_shift = 9;

    struct Kept {
        i64 at_ns;
        u32 ran_ns; ///< of a turn
        u32 what;   ///< kind, slot and value; of a device's tag the lower bits
    };

    struct Release {
        void operator()(Kept* block) const { std::free(block); }
    };

    void begin_block();

    /// Nothing that is kept moves: each is full but the last. On large pages of the host: what
    /// fresh memory costs is most of what a trace costs.
    std::vector<std::unique_ptr<Kept[], Release>> m_blocks;
    Kept* m_next = nullptr; ///< in the last
    Kept* m_end = nullptr;  ///< behind the last
};

/// What a moment is called, as "interrupt 48" or "turn: idle".
std::string moment_name(hosted::SimMoment::Kind kind, u64 value);

} // namespace twofold::sim
