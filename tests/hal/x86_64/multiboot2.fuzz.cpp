// Any bytes as a Multiboot2 information structure: parsed or refused, nothing read outside of them.
#include "hal/x86_64/entry/multiboot2.hpp"
#include "tests/hal/x86_64/physical_buffer.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace metal;
    constexpr u64 base = 0x10000;
    auto const* const bytes = reinterpret_cast<std::byte const*>(data);
    metal::test::PhysicalBuffer const buffer(base, std::vector(bytes, bytes + size));
    Discovered found;
    if (parse_multiboot2(buffer.memory(), {base}, found)) {
        CHECK(found.memory.size() > 0);
        CHECK(found.command_line.size() <= size && found.rsdp_copy.size() <= size);
        for (hal::Module const& module : found.modules) {
            CHECK(module.name.size() <= size);
        }
    }
    return 0;
}
