// Where things lie in the kernel's virtual address space. May differ between machines, builds and
// runs; no recorded result may depend on it.
#pragma once

#include "core/base/base.hpp"

#include <concepts>
#include <cstddef>

namespace hal {

using namespace twofold;

/// A range of virtual addresses set aside for one use.
struct Window {
    VirtAddr base;
    Bytes size;

    constexpr bool contains(VirtAddr address) const {
        return address.value - base.value < size.value;
    }
};

/// An address of the kernel's own space as a pointer, and back. The linear window has operations
/// of its own (hal/memory.hpp). O(1).
inline std::byte* kernel_pointer(VirtAddr address) {
    // Sound: whoever was given the address maps there what is read or written.
    return reinterpret_cast<std::byte*>(address.value);
}
inline VirtAddr kernel_address(void const* pointer) {
    return {reinterpret_cast<u64>(pointer)};
}

struct KernelLayout {
    Window linear; ///< physical memory, at a constant offset
    Window heap;   ///< the kernel heap; its top-level table slot is reserved in every space
    Window stacks; ///< kernel stacks with their guards
    Window views;  ///< frames of other spaces and device registers
};

} // namespace hal

#include <machine/layout.hpp>

namespace hal {

template<class L>
concept LayoutContract = requires {
    /// The layout of the running kernel. Any context; O(1). The windows are page-aligned, disjoint
    /// and constant while the kernel lives.
    { L::current() } -> std::same_as<KernelLayout>;
};
static_assert(LayoutContract<Layout>, "the machine's Layout does not keep the contract");

} // namespace hal
