// What compiled code calls behind our back: the stack protector, and the functions that the
// freestanding standard headers name for errors which kernel code must not make. Each is a broken
// invariant.
#include "core/base/base.hpp"

#include <new>

extern "C" {
[[noreturn]] void __stack_chk_fail();
[[noreturn]] void __cxa_pure_virtual();
[[noreturn]] void abort();

[[gnu::no_stack_protector]] void __stack_chk_fail() {
    twofold::check_failed("the stack protector's canary is intact");
}
void __cxa_pure_virtual() {
    twofold::check_failed("no pure virtual function is called");
}
void abort() {
    twofold::check_failed("abort is not called");
}
}

namespace std {

[[noreturn]] void __throw_bad_array_new_length();
[[noreturn]] void __throw_length_error(char const* what);
[[noreturn]] void __throw_logic_error(char const* what);
[[noreturn]] void __throw_invalid_argument(char const* what);
[[noreturn]] void __throw_out_of_range(char const* what);
[[noreturn]] void __throw_out_of_range_fmt(char const* what, ...);

void __throw_bad_array_new_length() {
    twofold::check_failed("an array's length fits");
}
void __throw_length_error(char const* what) {
    twofold::check_failed(what);
}
void __throw_logic_error(char const* what) {
    twofold::check_failed(what);
}
void __throw_invalid_argument(char const* what) {
    twofold::check_failed(what);
}
void __throw_out_of_range(char const* what) {
    twofold::check_failed(what);
}
void __throw_out_of_range_fmt(char const* what, ...) {
    twofold::check_failed(what);
}

} // namespace std

// Deleting destructors name these; core/ never deletes what it did not take from an allocator.
void operator delete(void*) noexcept {
    twofold::check_failed("global delete is not called");
}
void operator delete(void*, std::size_t) noexcept {
    twofold::check_failed("global delete is not called");
}
void operator delete(void*, std::size_t, std::align_val_t) noexcept {
    twofold::check_failed("global delete is not called");
}
