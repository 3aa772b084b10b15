// Looks up what is interposed. See real.hpp.
#include "apps/allocation/record/real.hpp"

#include <cstdlib>
#include <dlfcn.h>

namespace twofold::allocation {

namespace {

enum : u32 { unknown = 0, known = 1 };

constinit RealAllocator g_allocator{};
constinit RealEndings g_endings{};
constinit Atomic<u32> g_allocator_state;
constinit Atomic<u32> g_endings_state;
[[gnu::tls_model("initial-exec")]] constinit thread_local bool t_looks_up = false;

template<class Function>
void look_up(char const* name, Function& function) {
    void* const found = dlsym(RTLD_NEXT, name);
    if (found == nullptr) {
        std::abort(); // no C library behind us: nothing could go on
    }
    function = std::bit_cast<Function>(found);
}

} // namespace

// Two threads may look up at once: they find and store the same.
RealAllocator const* real_allocator() {
    if (g_allocator_state.load(acquire) == known) {
        return &g_allocator;
    }
    if (t_looks_up) {
        return nullptr;
    }
    t_looks_up = true;
    look_up("malloc", g_allocator.malloc);
    look_up("calloc", g_allocator.calloc);
    look_up("realloc", g_allocator.realloc);
    look_up("memalign", g_allocator.memalign);
    look_up("free", g_allocator.free);
    g_allocator_state.store(known, release);
    t_looks_up = false;
    return &g_allocator;
}

RealEndings const& real_endings() {
    if (g_endings_state.load(acquire) != known) {
        look_up("execve", g_endings.execve);
        look_up("execvpe", g_endings.execvpe);
        look_up("fexecve", g_endings.fexecve);
        look_up("_exit", g_endings.exit_now);
        g_endings_state.store(known, release);
    }
    return g_endings;
}

} // namespace twofold::allocation
