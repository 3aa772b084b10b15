// The locks of a machine: what its processors' threads share on the host's side. Apart from
// machine.hpp, which sources compiled as kernel code read, too.
//
// Order: none is taken while another is held, but `end` while a processor is started. None is taken
// in a signal handler.
#pragma once

#include <condition_variable>
#include <mutex>

namespace hosted {

struct MachineLocks {
    std::mutex console; ///< the endpoint is called by one processor at a time
    std::mutex entropy;
    std::mutex start;             ///< one processor is started after the other
    std::mutex device;            ///< the PCI bus and the lines
    std::mutex end;               ///< how the run has ended, and who has left
    std::condition_variable done; ///< of `end`: somebody has left, or the run has ended
};

} // namespace hosted
