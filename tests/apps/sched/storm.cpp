// A small program to record the schedule of (tests/apps/sched/data): two threads that compute, one
// that wakes every 2 ms, and two that pass a byte to and fro.
#include <chrono>
#include <sys/prctl.h>
#include <thread>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

void compute(microseconds time) {
    auto const end = Clock::now() + time;
    while (Clock::now() < end) {
    }
}

struct Pipe {
    int ends[2];

    Pipe() {
        if (pipe(ends) != 0) {
            _exit(1);
        }
    }
    void send() {
        char const letter = 'x';
        if (write(ends[1], &letter, 1) != 1) {
            _exit(1);
        }
    }
    void receive() {
        char letter = 0;
        if (read(ends[0], &letter, 1) != 1) {
            _exit(1);
        }
    }
};

template<class Body>
std::jthread start(char const* name, Body body) {
    return std::jthread([name, body] {
        prctl(PR_SET_NAME, name);
        body();
    });
}

} // namespace

int main() {
    constexpr int rounds = 20;
    Pipe there;
    Pipe back;
    auto const hog = [] { compute(microseconds(60000)); };
    std::jthread const threads[] = {
        start("hog", hog), start("hog", hog),
        start(
            "ticker",
            [] {
                for (int i = 0; i < rounds; ++i) {
                    compute(microseconds(200));
                    std::this_thread::sleep_for(microseconds(2000));
                }
            }),
        start(
            "ping",
            [&] {
                for (int i = 0; i < rounds; ++i) {
                    compute(microseconds(100));
                    there.send();
                    back.receive();
                }
            }),
        start("pong", [&] {
            for (int i = 0; i < rounds; ++i) {
                there.receive();
                compute(microseconds(150));
                back.send();
            }
        })};
}
