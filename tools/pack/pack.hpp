// Packing: from the stub and the kernel, both ELF files, to one bootable ELF file whose last
// segment is the payload (hal/x86_64/entry/payload.hpp).
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <span>
#include <stdexcept>
#include <vector>

namespace twofold::pack {

using Buffer = std::vector<std::byte>;

/// Why something cannot be packed; the text names it.
struct PackError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The payload of `kernel` (a static PIE, linked at 0 by hal/x86_64/kernel/image.ld) with the
/// symbol table `symbols`. Throws PackError. Deterministic. O(n) but for the compression.
Buffer make_payload(std::span<std::byte const> kernel, std::span<std::byte const> symbols);

/// `stub` with `payload` as a segment behind its last one. Throws PackError.
Buffer append_payload(std::span<std::byte const> stub, std::span<std::byte const> payload);

} // namespace twofold::pack
