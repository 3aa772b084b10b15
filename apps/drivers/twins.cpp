// See twins.hpp. Compiled twice, as selected.cpp is.
#include "apps/drivers/twins.hpp"

#include <selected_twin.hpp> // generated: includes the chosen file

namespace twofold {

std::vector<std::shared_ptr<hosted::PciDevice>> selected_twins() {
    return make_twins();
}

} // namespace twofold
