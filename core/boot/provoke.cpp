// Faults on purpose. Every access goes through a volatile pointer, so that the compiler neither
// removes nor foresees it; the casts are sound because the addresses are meant to be wrong.
#include "core/boot/provoke.hpp"

#include "hal/layout.hpp"

namespace twofold::boot {

namespace {

/// An address inside the window for other spaces' views, where nothing is mapped at start-up.
u64 unmapped_address() {
    hal::Window const views = hal::Layout::current().views;
    CHECK(views.size.value >= 2 * page_size.value);
    return views.base.value + page_size.value + 8;
}

constexpr u64 constant_word = 0x2f01d;

__attribute__((no_sanitize("address", "undefined", "alignment", "null"))) void
read_from(u64 address) {
    static_cast<void>(*reinterpret_cast<u64 const volatile*>(address));
}

__attribute__((no_sanitize("address", "undefined", "alignment", "null"))) void
write_to(u64 address) {
    *reinterpret_cast<u64 volatile*>(address) = constant_word;
}

__attribute__((no_sanitize("address", "undefined"))) void execute_data() {
    u64 volatile code = 0xc3c3c3c3c3c3c3c3; // returns, where the machine lets it
    auto const target = reinterpret_cast<u64>(&code);
    reinterpret_cast<void (*)()>(target)();
}

__attribute__((no_sanitize("undefined"))) void divide_by_zero() {
    i64 volatile zero = 0;
    i64 volatile one = 1;
    one = one / zero;
}

/// Deepens the stack until its guard is hit. The volatile sum keeps each frame alive.
__attribute__((noinline, no_sanitize("address"))) u64
recurse(u64 depth) { // NOLINT(misc-no-recursion): the point of it
    u64 volatile frame[64];
    frame[depth % 64] = depth;
    return depth == ~u64{0} ? 0 : recurse(depth + 1) + frame[depth % 64];
}

__attribute__((noinline)) void write_watched(std::byte* at) {
    *static_cast<std::byte volatile*>(at) = std::byte{0x2f};
}

__attribute__((noinline, no_sanitize("address", "undefined"))) void write_unseen(std::byte* at) {
    *static_cast<std::byte volatile*>(at) = std::byte{0x2f};
}

} // namespace

void provoke_write(std::byte* at, Watched watched) {
    (watched == Watched::by_nobody ? write_unseen : write_watched)(at);
}

Result<void> provoke_fault(std::string_view kind) {
    if (kind == "read") {
        read_from(unmapped_address());
    } else if (kind == "null") {
        read_from(0);
    } else if (kind == "write") {
        write_to(reinterpret_cast<u64>(&constant_word));
    } else if (kind == "execute") {
        execute_data();
    } else if (kind == "divide") {
        divide_by_zero();
    } else if (kind == "opcode") {
        __builtin_trap();
    } else if (kind == "stack") {
        static_cast<void>(recurse(0));
    } else {
        return Error::not_found;
    }
    return {};
}

} // namespace twofold::boot
