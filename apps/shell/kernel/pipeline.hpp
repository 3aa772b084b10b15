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

/// Runs one pipeline of a statement.
u8 run_pipeline(Session& session, std::string_view text, u32 index);

} // namespace twofold::shell
