// Sectors that begin with a head, in which a checksum covers all of them.
#pragma once

#include "core/base/base.hpp"

#include <cstring>
#include <span>

namespace twofold::workloads {

/// Puts the checksum of `bytes`, which begin with `head`, into them.
template<class Head>
void seal(std::span<std::byte> bytes, Head& head) {
    head.checksum = 0;
    std::memcpy(bytes.data(), &head, sizeof(head));
    head.checksum = crc32(bytes);
    std::memcpy(bytes.data(), &head, sizeof(head));
}

/// Whether it is the right one; `head` becomes what they begin with.
template<class Head>
bool is_sealed(std::span<std::byte> bytes, Head& head) {
    std::memcpy(&head, bytes.data(), sizeof(head));
    Head open = head;
    seal(bytes, open);
    return open.checksum == head.checksum;
}

} // namespace twofold::workloads
