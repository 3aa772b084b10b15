// An allocator over one piece of memory, one context at a time. Compiled as kernel code.
#include <chosen_allocator.hpp> // made by the build: ChosenAllocator, for each subject another

#include "bench/memory/subjects/kernel/subject.hpp"

#include <sys/mman.h>

namespace subject {

namespace {

using namespace twofold;

static_assert(memory::Allocator<ChosenAllocator>, "the selected class does not model Allocator");

std::span<std::byte> reserved() {
    constexpr u64 bytes = u64{4} << 30;
    void* const place = mmap(
        nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(place != MAP_FAILED);
    return {static_cast<std::byte*>(place), bytes};
}

ChosenAllocator allocator(reserved());

} // namespace

void* take(std::size_t size) {
    Result<std::byte*> const block = allocator.allocate(Bytes{size}, memory::default_alignment);
    return block ? block.value() : nullptr;
}

void give(void* block) {
    Result<void> const freed = allocator.free(static_cast<std::byte*>(block));
    CHECK(freed.has_value());
}

} // namespace subject
