// The links between the machines of a simulation: when a frame that one has sent arrives at
// another, if it does, and how often.
//
// There is a link from each machine to each other. A frame leaves when the frames before it have
// left, at the link's bandwidth, and takes the latency and up to the jitter more. Frames of a link
// arrive in the order in which they were sent, unless reordering holds one back while later ones
// pass.
//
// Draws have no state: what becomes of a frame is a function of the seed, the link and the frame's
// number on it. So a link that is worse changes nothing for the others, and no draw depends on
// whether another chance was hit.
//
// Invariant: plain copyable data. No frame arrives earlier than the least latency after it was
// sent, which World rests on.
#pragma once

#include "hal/hosted/devices/device_faults.hpp"

#include <functional>
#include <map>
#include <optional>
#include <vector>

namespace twofold::sim {

inline constexpr u32 per_million = 1'000'000;

/// From one machine to another, by their numbers.
struct Direction {
    u32 from = 0;
    u32 to = 0;

    auto operator<=>(Direction const&) const = default;
};

struct LinkQuality {
    u64 latency_ns = 50'000;
    u64 jitter_ns = 10'000;          ///< up to so much more
    u64 bytes_per_s = 1'250'000'000; ///< 0: without bound
    u32 loss = 0;                    ///< frames of a million, as the next two
    u32 duplication = 0;
    u32 reordering = 0;
    u64 reordering_ns = 300'000; ///< how much later a frame is that is held back, at most
};

/// Nothing passes in these directions from the one moment until the other.
struct Partition {
    static constexpr i64 for_ever = INT64_MAX;

    std::vector<Direction> cut;
    i64 from_ns = 0;
    i64 until_ns = for_ever;

    /// Machines of two sides, which reach those of their own side alone.
    static Partition
    between(std::vector<u32> const& one, std::vector<u32> const& other, i64 from_ns, i64 until_ns);
};

struct LinkPlan {
    LinkQuality usual{};
    std::map<Direction, LinkQuality> special{}; ///< links that are not as usual
    std::vector<Partition> partitions{};

    LinkQuality const& of(Direction direction) const;
    u64 least_latency_ns() const;
};

struct LinkCounts {
    u64 sent = 0; ///< frames, one for each receiver
    u64 arrivals = 0;
    u64 lost = 0;
    u64 duplicated = 0;
    u64 reordered = 0;
    u64 late = 0; ///< by a fault
    u64 cut = 0;  ///< by a partition
};

class Links {
public:
    /// There is an occasion for a fault of the link from machine `from`: whether it happens, and
    /// its amount.
    using Faults = std::function<std::optional<u64>(hosted::DeviceFault fault, u32 from)>;

    Links(LinkPlan plan, u64 seed) : m_plan(std::move(plan)), m_seed(seed) {}

    /// A frame of `bytes` is sent at `now_ns`: when it arrives; nothing: it does not. O(partitions
    /// + log links).
    std::vector<i64> send(Direction direction, u64 bytes, i64 now_ns, Faults const& faults);

    LinkPlan const& plan() const { return m_plan; }
    LinkCounts const& counts() const { return m_counts; }

private:
    struct State {
        u64 frames = 0;
        i64 free_ns = 0;         ///< the frames before have left then
        i64 last_arrival_ns = 0; ///< of those that keep the order
    };

    bool is_cut(Direction direction, i64 now_ns) const;

    LinkPlan m_plan;
    u64 m_seed;
    LinkCounts m_counts;
    std::map<Direction, State> m_states;
    std::map<Direction, i64> m_cut_until; ///< by faults, for both directions of a pair
};

} // namespace twofold::sim
