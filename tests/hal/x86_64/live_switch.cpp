// isa::switch_live in a function of its own, compiled as kernel code.
#include "isa/context.hpp"

extern "C" void call_switch_live(twofold::u64* save, twofold::u64 load);

void call_switch_live(twofold::u64* save, twofold::u64 load) {
    isa::switch_live(save, load);
}
