// See links.hpp.
#include "sim/world/links.hpp"

#include "core/base/base.hpp"

#include <algorithm>

namespace twofold::sim {

using hosted::DeviceFault;

Partition Partition::between(
    std::vector<u32> const& one, std::vector<u32> const& other, i64 from_ns, i64 until_ns) {
    Partition made{.cut = {}, .from_ns = from_ns, .until_ns = until_ns};
    for (u32 const a : one) {
        for (u32 const b : other) {
            made.cut.push_back({a, b});
            made.cut.push_back({b, a});
        }
    }
    return made;
}

LinkQuality const& LinkPlan::of(Direction direction) const {
    auto const found = special.find(direction);
    return found == special.end() ? usual : found->second;
}

u64 LinkPlan::least_latency_ns() const {
    u64 least = usual.latency_ns;
    for (auto const& [direction, quality] : special) {
        least = std::min(least, quality.latency_ns);
    }
    return least;
}

bool Links::is_cut(Direction direction, i64 now_ns) const {
    auto const by_fault = m_cut_until.find(direction);
    if (by_fault != m_cut_until.end() && now_ns < by_fault->second) {
        return true;
    }
    return std::ranges::any_of(m_plan.partitions, [&](Partition const& each) {
        return now_ns >= each.from_ns && now_ns < each.until_ns &&
               std::ranges::find(each.cut, direction) != each.cut.end();
    });
}

std::vector<i64> Links::send(Direction direction, u64 bytes, i64 now_ns, Faults const& faults) {
    constexpr u64 ns_per_s = 1'000'000'000;
    LinkQuality const& quality = m_plan.of(direction);
    State& state = m_states[direction];
    u64 const place = u64{direction.from} << 32 | direction.to;
    Random random(SplitMix64(m_seed ^ SplitMix64(place).next()).next() ^ state.frames++);
    bool const is_lost = random.below(per_million) < quality.loss;
    bool const is_doubled = random.below(per_million) < quality.duplication;
    bool const is_held_back = random.below(per_million) < quality.reordering;
    u64 const jitter_ns = random.below(quality.jitter_ns + 1);
    u64 const held_back_ns = random.below(quality.reordering_ns + 1);
    u64 const second_ns = random.below(quality.jitter_ns + 1);
    auto const happens = [&](DeviceFault fault) { return faults(fault, direction.from); };

    ++m_counts.sent;
    u64 const takes_ns = quality.bytes_per_s == 0 ? 0 : bytes * ns_per_s / quality.bytes_per_s;
    i64 const left_ns = std::max(now_ns, state.free_ns) + static_cast<i64>(takes_ns);
    state.free_ns = left_ns;
    if (auto const amount = happens(DeviceFault::link_partition)) {
        i64 const until_ns = now_ns + static_cast<i64>(*amount);
        m_cut_until[direction] = until_ns;
        m_cut_until[{direction.to, direction.from}] = until_ns;
    }
    if (is_cut(direction, now_ns)) {
        ++m_counts.cut;
        return {};
    }
    if (happens(DeviceFault::link_lost) || is_lost) {
        ++m_counts.lost;
        return {};
    }
    i64 arrival_ns = left_ns + static_cast<i64>(quality.latency_ns + jitter_ns);
    if (auto const late_ns = happens(DeviceFault::link_late)) {
        ++m_counts.late;
        arrival_ns += static_cast<i64>(*late_ns);
    }
    auto const by_fault_ns = happens(DeviceFault::link_reordered);
    if (by_fault_ns || is_held_back) {
        ++m_counts.reordered;
        arrival_ns += static_cast<i64>(by_fault_ns.value_or(held_back_ns));
    } else {
        arrival_ns = std::max(arrival_ns, state.last_arrival_ns);
        state.last_arrival_ns = arrival_ns;
    }
    std::vector<i64> arrivals{arrival_ns};
    if (happens(DeviceFault::link_duplicated) || is_doubled) {
        ++m_counts.duplicated;
        arrivals.push_back(arrival_ns + static_cast<i64>(second_ns));
    }
    m_counts.arrivals += arrivals.size();
    return arrivals;
}

} // namespace twofold::sim
