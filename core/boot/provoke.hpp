// Faults on purpose, for the command `fault` and for the tests of the fault path.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <string_view>

namespace twofold::boot {

/// The kinds that provoke_fault knows, as help shows them.
inline constexpr std::string_view provocable_faults = "read write execute null divide opcode stack";

/// Does what raises a fault of `kind`. Returns true if the machine let it pass without one, and
/// false if the kind is unknown. Thread context.
Result<void> provoke_fault(std::string_view kind);

/// Who sees a provoked write: the compiler's checks, where the build has them, or nobody, as with a
/// device that writes where it should not.
enum class Watched : u8 { by_the_compiler, by_nobody };

/// Writes to a byte that is not the caller's.
void provoke_write(std::byte* at, Watched watched);

} // namespace twofold::boot
