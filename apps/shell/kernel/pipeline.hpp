// Running a parsed line: variables become values, commands of the kernel print items, filters take
// them and print others, and the last ones are shown.
#pragma once

#include "core/base/base.hpp"

#include <string_view>

namespace twofold::shell {

class Session;

/// Runs a statement, which parses: its pipelines in their order, as their conditions want; those in
/// the background as jobs. `status` is the last one before. Context thread.
u8 run_statement(Session& session, std::string_view text, u8 status);

/// Runs, of a statement, the pipeline of that index, which `;` or `&` divides from the one before,
/// and those that `&&` and `||` join to it.
u8 run_list(Session& session, std::string_view text, u32 index);

} // namespace twofold::shell
