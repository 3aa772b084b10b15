// What can be made to go wrong in a simulation, and when it does.
//
// A *kind* of fault is a question that the engine or a device asks: is this interrupt lost? Each
// time that it is asked is an *occurrence* of the kind, and occurrences are numbered from 1, on all
// processors together. A *rule* says of a kind which occurrences are to fail: exact ones, or each
// with a probability. A *plan* is the rules of a run.
//
// Draws have no state. Whether a rule fires at an occurrence is a hash of the seed, the kind's
// name, the rule's place among those of its kind, and the occurrence's number. So a rule that is
// left out changes nothing for the others; and a run in which what fired is given as exact
// occurrences, in place of the probability, is the same run. That is what shrinking rests on.
#pragma once

#include "core/base/base.hpp"
#include "hal/hosted/state_archive.hpp"

#include <array>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace hosted {

using namespace twofold;

/// What the amount of a fault is.
enum class FaultUnit : u8 {
    none,        ///< it has none
    nanoseconds, ///< of virtual time
    count,
    factor, ///< so many times as much
};

struct FaultKind {
    std::string_view name;
    std::string_view about;
    FaultUnit unit = FaultUnit::none;
    u64 amount = 0; ///< where a rule gives none
    /// Of each occurrence, where a swarm chooses the kind. 0: swarms leave it out, because code
    /// that is right need not bear it.
    double swarm_probability = 0;
};

/// Which kind: its index in the catalogue of a run.
enum class FaultId : u32 {};

/// The kinds that the engine itself asks for, in the order of the catalogue. The points of the
/// kernel (core/base/probe_types.hpp) follow, as "points." and their names; then those of devices.
enum class EngineFault : u8 {
    interrupt_lost,
    interrupt_late,
    interrupt_duplicated,
    interrupt_storm,
    timer_jitter,
    cpu_stalled,
    cpu_slow,
    message_late,
    message_lost,
    message_duplicated,
    entropy_repeated,
    power_cut,
    count,
};

constexpr FaultId fault_id(EngineFault fault) {
    return static_cast<FaultId>(fault);
}

constexpr FaultId fault_id(FaultPoint point) {
    return static_cast<FaultId>(static_cast<u32>(EngineFault::count) + static_cast<u32>(point));
}

/// By EngineFault, then by FaultPoint.
std::span<FaultKind const> engine_fault_kinds();

/// When a kind of fault happens. FaultKinds::rule makes one with the amount of its kind.
struct FaultRule {
    static constexpr u64 unlimited = std::numeric_limits<u64>::max();
    static constexpr i64 forever = std::numeric_limits<i64>::max();

    FaultId kind{};
    double probability = 0;   ///< of each occurrence, above 0 and up to 1; 0: exact ones
    std::vector<u64> at = {}; ///< exact occurrences, rising; none: by probability
    i64 from_ns = 0;          ///< of virtual time
    i64 until_ns = forever;   ///< not at this moment any more
    u64 amount_low = 0;       ///< in the unit of the kind; uniform between the two
    u64 amount_high = 0;
    std::optional<u32> cpu = {}; ///< on this processor alone
    u64 limit = unlimited;       ///< fires so often at most

    bool operator==(FaultRule const&) const = default;
};

struct FaultPlan {
    std::vector<FaultRule> rules = {};
    /// The seed throws a coin for each rule: is it in force in this run? Without rules: for each
    /// kind that has a probability for swarms.
    bool swarm = false;
    std::optional<u64> seed = {}; ///< of the draws; without one: of the run

    bool operator==(FaultPlan const&) const = default;
};

/// The catalogue of a run: the engine's kinds, the kernel's points, and those of devices.
class FaultKinds {
public:
    static constexpr usize kinds_max = 256;

    /// What the names of `of_devices` refer to must outlive the catalogue. Names are unique.
    explicit FaultKinds(std::span<FaultKind const> of_devices = {});

    std::span<FaultKind const> all() const { return m_kinds; }
    FaultKind const& operator[](FaultId id) const;
    /// O(kinds).
    std::optional<FaultId> find(std::string_view name) const;
    /// A rule of the kind with its own amount, that fires never: it has yet to be said when.
    FaultRule rule(FaultId id) const;

private:
    std::vector<FaultKind> m_kinds;
};

/// What was asked of a kind in a run, and what came of it.
struct FaultCounts {
    static constexpr usize occurrences_max = 1000;

    u64 asked = 0; ///< occurrences, while the kind could fire
    u64 fired = 0;
    std::vector<u64> occurrences; ///< the numbers of the first that fired, rising

    bool operator==(FaultCounts const&) const = default;
};

/// Answers whether a fault happens. A value: a copy goes on as the original does.
class FaultInjector {
public:
    /// Nothing ever fails.
    FaultInjector() = default;
    /// `plan` holds together (sim/plan/plan.hpp checks that) and names kinds of `kinds`.
    FaultInjector(FaultKinds const& kinds, FaultPlan plan, u64 seed);

    /// Whether a rule that is in force is about the kind. The same for a whole run. O(1).
    bool can_fire(FaultId id) const {
        u32 const index = static_cast<u32>(id);
        return (m_armed[index / word_bits] >> index % word_bits & 1) != 0;
    }
    /// Bit i: FaultPoint i can fire.
    u64 armed_points() const;

    /// One more occurrence of the kind, on processor `cpu` at `now_ns`: the amount by which it
    /// fails (0 for kinds without), or nothing. Of several rules that fire the first counts.
    /// O(rules of the kind * log(exact occurrences)).
    std::optional<u64> fires(FaultId id, u32 cpu, i64 now_ns);

    /// The rules that this run is under: the plan's, or those of a swarm that chose. None: nothing
    /// can fail in this run.
    std::span<FaultRule const> active_rules() const { return m_rules; }
    FaultCounts const& counts(FaultId id) const;
    /// What has changed since it was made. Reading: into an injector of the same plan and seed.
    void archive(StateArchive& state);

private:
    static constexpr u32 word_bits = 64;

    /// How a rule that is in force stands, in the order of m_rules.
    struct RuleState {
        u64 salt = 0;      ///< of its draws
        u64 threshold = 0; ///< fires at draws up to it
        u64 fired = 0;
    };

    void arm(FaultKinds const& kinds, FaultRule rule, u64 place, bool by_coin);
    bool is_hit(FaultRule const& rule, RuleState const& state, u64 occurrence) const;
    u64 draw_amount(FaultRule const& rule, u64 occurrence) const;

    u64 m_seed = 0;
    std::array<u64, FaultKinds::kinds_max / word_bits> m_armed{};
    std::vector<FaultRule> m_rules; ///< those of a kind in their order
    std::vector<RuleState> m_states;
    std::vector<u64> m_kind_salts; ///< by FaultId
    std::vector<FaultCounts> m_counts;
};

} // namespace hosted
