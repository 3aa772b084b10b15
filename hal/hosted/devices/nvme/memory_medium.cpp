// See memory_medium.hpp.
#include "hal/hosted/devices/nvme/memory_medium.hpp"

#include <algorithm>
#include <cstring>

namespace hosted {

void MemoryMedium::submit(DeviceBus&, NvmeOperation const& operation) {
    CHECK(
        operation.offset <= m_bytes.size() && operation.bytes <= m_bytes.size() - operation.offset);
    std::byte* at = m_bytes.data() + operation.offset;
    switch (operation.kind) {
    case NvmeOperation::Kind::read:
        for (iovec const& piece : operation.pieces) {
            std::memcpy(piece.iov_base, at, piece.iov_len);
            at += piece.iov_len;
        }
        break;
    case NvmeOperation::Kind::write:
        for (iovec const& piece : operation.pieces) {
            std::memcpy(at, piece.iov_base, piece.iov_len);
            at += piece.iov_len;
        }
        break;
    case NvmeOperation::Kind::write_zeroes:
    case NvmeOperation::Kind::deallocate:
        std::fill_n(at, operation.bytes, std::byte{});
        break;
    case NvmeOperation::Kind::flush:
        break;
    }
    m_done.push_back({.tag = operation.tag});
}

void MemoryMedium::reap(DeviceBus&, std::vector<NvmeOutcome>& outcomes) {
    outcomes.insert(outcomes.end(), m_done.begin(), m_done.end());
    m_done.clear();
}

bool MemoryMedium::withdraw_all() {
    m_done.clear();
    return true;
}

void MemoryMedium::archive(StateArchive& state) {
    state(m_bytes);
    state(m_done);
}

} // namespace hosted
