// What a run told, and the verdict on how it ended.
#pragma once

#include "apps/launch/emulator.hpp"
#include "apps/launch/records.hpp"

#include <optional>
#include <string>

namespace twofold::launch {

/// The facts of a run that matter after it: taken from its result records, one by one.
struct Journal {
    /// Takes in the next record.
    void note(Record const& record);

    bool said_hello = false;
    std::string image;                       ///< of the hello record
    u64 image_base = 0;                      ///< where the image's first byte runs
    std::string step;                        ///< the latest start-up step
    std::string step_state;                  ///< "started", "done" or "failed"
    bool ready = false;                      ///< start-up is complete
    std::string test;                        ///< the test that runs
    std::optional<std::string> last_command; ///< the latest command that ended
    std::optional<std::string> panic;
    std::optional<i64> exit_status;
    bool resets = false; ///< the kernel said that it starts the machine anew

    /// One line: how far the run came.
    std::string progress() const;
};

struct Verdict {
    int status = 0;
    std::string line; ///< what to say about it; empty if all is as it should be
};

/// The exit status of a run that ended by itself. The exit record and the code that the debug-exit
/// device made of it, (status << 1) | 1, must agree. `reason` is the emulator's own word for the
/// end
/// ("guest-reset"), `messages` what it printed. Pure.
Verdict judge(
    Journal const& journal,
    ProcessEnd const& end,
    std::string_view reason,
    std::string_view messages);

} // namespace twofold::launch
