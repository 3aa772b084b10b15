// What the pretty-printers of tools/gdb are tested on: one value of each type, alive at `stop_here`.
#include "core/base/base.hpp"

#include <cstdlib>
#include <source_location>

using namespace twofold;

[[noreturn]] void twofold::check_failed(char const*, std::source_location) {
    std::abort();
}

extern "C" void stop_here(void const*);

extern "C" [[gnu::noinline]] void stop_here(void const* values) {
    [[maybe_unused]] static void const* volatile seen;
    seen = values;
}

int main() {
    struct {
        Bytes size{u64{3} << 20};
        PhysAddr frame{0x1000};
        VirtAddr page{0x4444'4444'0000};
        Nanos time{1500};
        CpuId cpu{3};
        Atomic<u32> count{7};
        Result<Bytes> good{Bytes{4096}};
        Result<Bytes> bad{Error::busy};
        Result<void> done;
    } const values;
    stop_here(&values);
    return 0;
}
