// See faults.hpp.
#include "hal/hosted/sim/faults.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace hosted {

namespace {

constexpr std::string_view point_prefix = "points.";

/// The name of a point with its prefix, for as long as the program runs.
template<usize point>
struct PointName {
    static constexpr usize length = point_prefix.size() + fault_point_names[point].size();
    static constexpr std::array<char, length> letters = [] {
        std::array<char, length> joined{};
        auto const end = std::ranges::copy(point_prefix, joined.begin()).out;
        std::ranges::copy(fault_point_names[point], end);
        return joined;
    }();
};

using enum FaultUnit;

// By EngineFault. A kernel has to bear whatever the hardware may do. No hardware loses an interrupt
// or a message between processors, so swarms do not; and power goes in plans that say so alone.
constexpr FaultKind own_kinds[] = {
    {"interrupt.lost", "an interrupt of a device never comes", none, 0, 0},
    {"interrupt.late", "an interrupt of a device comes later", nanoseconds, 5'000, 0.05},
    {"interrupt.duplicated", "an interrupt of a device comes twice", none, 0, 0.05},
    {"interrupt.storm", "an interrupt of a device comes so many times more", count, 100, 0.005},
    {"timer.jitter", "a deadline comes later", nanoseconds, 2'000, 0.1},
    {"cpu.stalled", "a processor does nothing for a time", nanoseconds, 1'000'000, 0.0005},
    {"cpu.slow", "a processor takes so many times as long for its turn", factor, 10, 0.01},
    {"message.late", "a message to a processor comes later", nanoseconds, 10'000, 0.05},
    {"message.lost", "a message to a processor never comes", none, 0, 0},
    {"message.duplicated", "a message to a processor comes twice", none, 0, 0.05},
    {"entropy.repeated", "random bytes are those of the time before", none, 0, 0.1},
    {"power.cut", "power goes, and the machine starts again", none, 0, 0},
};
static_assert(std::size(own_kinds) == static_cast<usize>(EngineFault::count));

constexpr double point_swarm_probability = 0.02;

template<usize... points>
constexpr auto join_kinds(std::index_sequence<points...>) {
    std::array<FaultKind, std::size(own_kinds) + sizeof...(points)> all{};
    FaultKind const of_points[] = {
        {std::string_view(PointName<points>::letters.data(), PointName<points>::length),
         "what the point of the kernel does fails", none, 0, point_swarm_probability}...};
    std::ranges::copy(of_points, std::ranges::copy(own_kinds, all.begin()).out);
    return all;
}

constexpr auto all_kinds = join_kinds(std::make_index_sequence<fault_points>());

// What different draws for the same occurrence are told apart by.
constexpr u64 salt_coin = 0x636F'696E;
constexpr u64 salt_amount = 0x616D'6F75'6E74;

u64 mix(u64 left, u64 right) {
    return SplitMix64(SplitMix64(left).next() ^ right).next();
}

/// FNV-1a (G. Fowler, L. Noll, K.-P. Vo).
u64 hash_name(std::string_view name) {
    u64 hash = 0xCBF2'9CE4'8422'2325;
    for (char const letter : name) {
        hash = (hash ^ static_cast<u8>(letter)) * 0x100'0000'01B3;
    }
    return hash;
}

/// The greatest of 2^64 equally likely draws at which something of this probability happens.
u64 threshold_of(double probability) {
    constexpr int draw_bits = 64;
    double const draws = std::ldexp(probability, draw_bits);
    if (draws >= std::ldexp(1.0, draw_bits)) {
        return std::numeric_limits<u64>::max();
    }
    return draws < 1 ? 0 : static_cast<u64>(draws) - 1;
}

/// `value` of all 2^64 stretched over [0, count). The bias is below count / 2^64.
u64 scale(u64 value, u64 count) {
    constexpr u32 value_bits = 64;
    return static_cast<u64>(static_cast<unsigned __int128>(value) * count >> value_bits);
}

} // namespace

std::span<FaultKind const> engine_fault_kinds() {
    return all_kinds;
}

FaultKinds::FaultKinds(std::span<FaultKind const> of_devices)
    : m_kinds(all_kinds.begin(), all_kinds.end()) {
    for (FaultKind const& kind : of_devices) {
        CHECK(!find(kind.name).has_value());
        m_kinds.push_back(kind);
    }
    CHECK(m_kinds.size() <= kinds_max);
}

FaultKind const& FaultKinds::operator[](FaultId id) const {
    CHECK(static_cast<usize>(id) < m_kinds.size());
    return m_kinds[static_cast<usize>(id)];
}

std::optional<FaultId> FaultKinds::find(std::string_view name) const {
    auto const found = std::ranges::find(m_kinds, name, &FaultKind::name);
    if (found == m_kinds.end()) {
        return std::nullopt;
    }
    return static_cast<FaultId>(found - m_kinds.begin());
}

FaultRule FaultKinds::rule(FaultId id) const {
    u64 const amount = (*this)[id].amount;
    FaultRule rule;
    rule.kind = id;
    rule.amount_low = amount;
    rule.amount_high = amount;
    return rule;
}

FaultInjector::FaultInjector(FaultKinds const& kinds, FaultPlan plan, u64 seed)
    : m_seed(plan.seed.value_or(seed)), m_counts(kinds.all().size()) {
    for (FaultKind const& kind : kinds.all()) {
        m_kind_salts.push_back(mix(m_seed, hash_name(kind.name)));
    }
    if (plan.swarm && plan.rules.empty()) {
        for (u32 i = 0; i < kinds.all().size(); ++i) {
            FaultRule rule = kinds.rule(static_cast<FaultId>(i));
            rule.probability = kinds.all()[i].swarm_probability;
            if (rule.probability > 0) {
                plan.rules.push_back(std::move(rule));
            }
        }
    }
    std::vector<u64> places(kinds.all().size());
    for (FaultRule& rule : plan.rules) {
        u64 const place = places.at(static_cast<usize>(rule.kind))++;
        arm(kinds, std::move(rule), place, plan.swarm);
    }
}

void FaultInjector::arm(FaultKinds const& kinds, FaultRule rule, u64 place, bool by_coin) {
    CHECK(rule.at.empty() == (rule.probability > 0));
    CHECK(std::ranges::is_sorted(rule.at));
    CHECK(rule.amount_low <= rule.amount_high);
    u32 const index = static_cast<u32>(rule.kind);
    CHECK(index < kinds.all().size());
    u64 const salt = mix(m_kind_salts[index], place);
    if (by_coin && mix(salt, salt_coin) >> (word_bits - 1) != 0) {
        return;
    }
    m_armed[index / word_bits] |= u64{1} << index % word_bits;
    m_states.push_back({salt, threshold_of(rule.probability), 0});
    m_rules.push_back(std::move(rule));
}

u64 FaultInjector::armed_points() const {
    u64 mask = 0;
    for (u32 i = 0; i < fault_points; ++i) {
        mask |= u64{can_fire(fault_id(static_cast<FaultPoint>(i)))} << i;
    }
    return mask;
}

bool FaultInjector::is_hit(FaultRule const& rule, RuleState const& state, u64 occurrence) const {
    if (!rule.at.empty()) {
        return std::ranges::binary_search(rule.at, occurrence);
    }
    return mix(state.salt, occurrence) <= state.threshold;
}

u64 FaultInjector::draw_amount(FaultRule const& rule, u64 occurrence) const {
    // The rule has no part in it: what fired is the same when another rule names it exactly.
    u64 const drawn =
        mix(mix(m_kind_salts[static_cast<usize>(rule.kind)], salt_amount), occurrence);
    u64 const count = rule.amount_high - rule.amount_low + 1;
    return count == 0 ? drawn : rule.amount_low + scale(drawn, count);
}

std::optional<u64> FaultInjector::fires(FaultId id, u32 cpu, i64 now_ns) {
    if (!can_fire(id)) {
        return std::nullopt;
    }
    FaultCounts& counts = m_counts[static_cast<usize>(id)];
    u64 const occurrence = ++counts.asked;
    for (usize i = 0; i < m_rules.size(); ++i) {
        FaultRule const& rule = m_rules[i];
        RuleState& state = m_states[i];
        bool const is_about = rule.kind == id && rule.cpu.value_or(cpu) == cpu &&
                              now_ns >= rule.from_ns && now_ns < rule.until_ns;
        if (!is_about || state.fired >= rule.limit || !is_hit(rule, state, occurrence)) {
            continue;
        }
        ++state.fired;
        ++counts.fired;
        if (counts.occurrences.size() < FaultCounts::occurrences_max) {
            counts.occurrences.push_back(occurrence);
        }
        return draw_amount(rule, occurrence);
    }
    return std::nullopt;
}

FaultCounts const& FaultInjector::counts(FaultId id) const {
    static FaultCounts const none;
    return m_counts.empty() ? none : m_counts.at(static_cast<usize>(id));
}

void FaultInjector::archive(StateArchive& state) {
    usize const rules = m_states.size();
    usize const kinds = m_counts.size();
    state(m_states);
    u64 counted = m_counts.size();
    state(counted);
    if (state.has_failed() || m_states.size() != rules || counted != kinds) {
        state.fail();
        return;
    }
    for (FaultCounts& counts : m_counts) {
        state(counts.asked);
        state(counts.fired);
        state(counts.occurrences);
    }
}

} // namespace hosted
