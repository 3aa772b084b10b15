// See streams.hpp.
#include "apps/launch/streams.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace twofold::launch {

void check_streams(RunOptions const& run) {
    bool const input = fcntl(STDIN_FILENO, F_GETFD) >= 0;
    bool const output = fcntl(STDOUT_FILENO, F_GETFD) >= 0;
    for (int number = 0; number <= STDERR_FILENO; ++number) {
        if (fcntl(number, F_GETFD) < 0 && open("/dev/null", O_RDWR) != number) {
            throw Failure(Status::io, "cannot open /dev/null");
        }
    }
    if (!output) {
        throw Failure(
            Status::io, "standard output is closed; redirect it to a file or to /dev/null");
    }
    if (!input && !run.command && !run.script) {
        throw Failure(
            Status::usage, "standard input is closed; use --command or --script, or </dev/null");
    }
}

} // namespace twofold::launch
