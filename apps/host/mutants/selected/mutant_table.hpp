// The names of the operations that this build can flip, and who notices it.
#pragma once

#include "core/base/base.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace twofold::host {

/// What shows that an operation was flipped: the scenario of its room, whatever the schedule; or a
/// workload, with the seed, the processors or the faults that it takes (tools/sim/bugs.toml).
enum class Notices : u8 { scenario, workload };

struct NamedMutant {
    Mutant which;
    std::string_view name; ///< the room, and after the first '_' what is flipped
    Notices notices = Notices::scenario;

    std::string_view room() const { return name.substr(0, name.find('_')); }
};

/// All of them; the one at index i has the number i + 1.
std::span<NamedMutant const> named_mutants();

/// By its name or its number; 0 and `none` are Mutant::none.
std::optional<Mutant> find_mutant(std::string_view text);

} // namespace twofold::host
