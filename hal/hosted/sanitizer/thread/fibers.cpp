// See fibers.hpp. Fibers live as long as the process: a stack that is used again goes on in the
// same one.
#include "hal/hosted/sanitizer/thread/fibers.hpp"

#include <sanitizer/tsan_interface.h>

#include <map>
#include <mutex>
#include <pthread.h>
#include <sys/personality.h>
#include <unistd.h>

/// What the runtime library starts with. Its symbolizer is another process, which it cannot start
/// out of a machine: reports show addresses of the program, for addr2line.
extern "C" char const* __tsan_default_options();
char const* __tsan_default_options() {
    return "symbolize=0";
}

namespace hosted::sanitizer {

namespace {

struct Fibers {
    std::mutex mutex;
    std::map<u64, void*> by_stack;
};

/// Never destroyed: kernels may run until the process ends.
Fibers& fibers() {
    static Fibers* const all = new Fibers;
    return *all;
}

thread_local void* left = nullptr;

[[gnu::constructor]] void start_without_randomisation(int, char** arguments, char**) {
    constexpr unsigned long ask = 0xffff'ffff;
    int const now = personality(ask);
    bool const is_random = now != -1 && (now & ADDR_NO_RANDOMIZE) == 0;
    if (is_random && personality(static_cast<unsigned long>(now) | ADDR_NO_RANDOMIZE) != -1) {
        execv("/proc/self/exe", arguments);
        // Where that fails, the window may still be free; else the machine says that it is not.
    }
}

} // namespace

void* fiber_of(u64 base) {
    Fibers& all = fibers();
    std::scoped_lock const lock(all.mutex);
    void*& fiber = all.by_stack[base];
    if (fiber == nullptr) {
        fiber = __tsan_create_fiber(0);
    }
    return fiber;
}

void leave_fiber(void* fiber) {
    left = fiber;
}

void* left_fiber() {
    return left;
}

void handle_held_signals() {
    // At the end of every function that it intercepts; this one does nothing else.
    static thread_local pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&own);
    pthread_mutex_unlock(&own);
}

} // namespace hosted::sanitizer
