// Copies that take time: in the simulator's kernel, where edges do (edges.cpp), the calls of the
// functions that compiled code moves bytes with lead here (the build renames them,
// hal/hosted/CMakeLists.txt). Each is a point before it begins, and takes time by its length.
#include "hal/hosted/sim/point.hpp"

#include <cstring>

using twofold::usize;

extern "C" {

void* twofold_sim_memcpy(void* to, void const* from, usize size);
void* twofold_sim_memmove(void* to, void const* from, usize size);
void* twofold_sim_memset(void* to, int value, usize size);
int twofold_sim_memcmp(void const* a, void const* b, usize size);

namespace {

void take_time(usize size) {
    constexpr usize bytes_of_step = 16;
    hosted::sim_copy(size / bytes_of_step);
}

} // namespace

void* twofold_sim_memcpy(void* to, void const* from, usize size) {
    take_time(size);
    return std::memcpy(to, from, size);
}

void* twofold_sim_memmove(void* to, void const* from, usize size) {
    take_time(size);
    return std::memmove(to, from, size);
}

void* twofold_sim_memset(void* to, int value, usize size) {
    take_time(size);
    return std::memset(to, value, size);
}

int twofold_sim_memcmp(void const* a, void const* b, usize size) {
    take_time(size);
    return std::memcmp(a, b, size);
}
}
