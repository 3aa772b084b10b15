// See selected.hpp. Compiled twice: for images, and for those of the tests and of the guide, which
// have the guide's commands where nothing else was chosen.
#include "apps/commands/selected.hpp"

#include <selected_commands.hpp> // generated: includes the chosen file

namespace twofold {

boot::CommandTable selected_commands() {
    return SelectedCommands::table;
}

} // namespace twofold
