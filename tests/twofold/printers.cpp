// What the pretty-printers of tools/gdb are tested on: one value of each type, alive at
// `stop_here`.
#include "core/base/base.hpp"

#include <string_view>

using namespace twofold;

extern "C" void stop_here(void const*);

extern "C" [[gnu::noinline]] void stop_here(void const* values) {
    [[maybe_unused]] static void const* volatile seen;
    seen = values;
}

int main() {
    char letters[16];
    TextBuffer text(letters);
    text.append("tag");
    FixedString<8> name;
    name.append("boot").value();
    FixedVector<u32, 4> list;
    list.push_back(5).value();
    list.push_back(6).value();
    struct {
        Bytes size{u64{3} << 20};
        Bytes odd{1025};
        PhysAddr frame{0x1000};
        VirtAddr page{0x4444'4444'0000};
        Nanos time{1500};
        CpuId cpu{3};
        Atomic<u32> count{7};
        Result<Bytes> good{Bytes{4096}};
        Result<Bytes> bad{Error::busy};
        Result<void> done{};
        TextBuffer const& text;
        FixedString<8> const& name;
        std::string_view view = "kernel";
        FixedVector<u32, 4> const& list;
    } const values{.text = text, .name = name, .list = list};
    stop_here(&values);
    return 0;
}
