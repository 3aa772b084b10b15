// The locks of a board's own sources. See board.hpp.
#pragma once

#include <mutex>

namespace hosted {

/// None is taken while another is held.
struct BoardLocks {
    std::mutex console; ///< the endpoint is called by one processor at a time
    std::mutex entropy;
    std::mutex device; ///< the PCI bus, its devices and the lines
};

} // namespace hosted
