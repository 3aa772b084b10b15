// What compiled code calls where an invariant of its own is broken: the stack protector, and the
// functions that the freestanding standard headers name for errors which kernel code must not make.
#include "core/base/base.hpp"

#include <bits/functexcept.h>
#include <new>

extern "C" {

[[gnu::noreturn]] void __stack_chk_fail();
[[gnu::noreturn]] void __cxa_pure_virtual();
[[gnu::noreturn]] void abort() noexcept;

[[gnu::no_stack_protector]] void __stack_chk_fail() {
    twofold::check_failed("the stack protector's canary is intact");
}
void __cxa_pure_virtual() {
    twofold::check_failed("no pure virtual function is called");
}
void abort() noexcept {
    twofold::check_failed("abort is not called");
}

} // extern "C"

// Declared by the standard headers.
namespace std {

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

// Deleting destructors name these; kernel code never deletes what it did not take from an
// allocator.
void operator delete(void*) noexcept {
    twofold::check_failed("global delete is not called");
}
void operator delete(void*, std::size_t) noexcept {
    twofold::check_failed("global delete is not called");
}
void operator delete(void*, std::size_t, std::align_val_t) noexcept {
    twofold::check_failed("global delete is not called");
}
