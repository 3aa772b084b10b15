// What words may become: names of commands, and what their declarations say of arguments.
#pragma once

#include "apps/shell/completion.hpp"

namespace twofold::shell {

class Session;

/// Adds what the word under the cursor may become. Errors: those of Candidates::add.
Result<void>
complete_word(Session& session, CompletionRequest const& request, Candidates& candidates);

} // namespace twofold::shell
