// A text on a person's screen, a page at a time (pager.hpp).
#pragma once

#include <string_view>

namespace twofold::shell {

class Session;

/// Shows `text` until the person has seen enough; at once where it fits. By a command that runs in
/// the foreground of a session with a person.
void show_pages(Session& session, std::string_view text);

} // namespace twofold::shell
