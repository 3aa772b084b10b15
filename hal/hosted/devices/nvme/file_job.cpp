// See file_job.hpp.
#include "hal/hosted/devices/nvme/file_job.hpp"

#include "core/device/nvme/layout.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace hosted {

namespace {

using Kind = NvmeOperation::Kind;

constexpr u64 zeros_bytes = u64{64} << 10;
constexpr u64 zero_pieces_max = 16; ///< of one call
alignas(4096) constexpr std::array<std::byte, zeros_bytes> zeros{};

bool is_data(Kind kind) {
    return kind == Kind::read || kind == Kind::write;
}

u16 status_of_failure(Kind kind, int error) {
    namespace status = nvme::status;
    if (kind == Kind::read) {
        return status::unrecovered_read;
    }
    bool const is_full = error == ENOSPC || error == EFBIG || error == EDQUOT;
    return is_full ? status::capacity_exceeded : status::write_fault;
}

} // namespace

void FileJob::Free::operator()(std::byte* bytes) const {
    std::free(bytes);
}

void FileJob::begin(NvmeOperation const& operation, u64 alignment) {
    m_operation = operation;
    m_stage = Stage::first;
    m_done = 0;
    m_first = 0;
    m_status = 0;
    m_buffer.reset();
    m_left.assign(operation.pieces.begin(), operation.pieces.end());
    auto const is_aligned_piece = [&](iovec const& piece) {
        return is_aligned(reinterpret_cast<u64>(piece.iov_base) | piece.iov_len, alignment);
    };
    if (is_data(operation.kind) && !std::ranges::all_of(m_left, is_aligned_piece)) {
        use_buffer(alignment);
    }
}

void FileJob::use_buffer(u64 alignment) {
    m_buffer.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, m_operation.bytes)));
    CHECK(m_buffer != nullptr); // as operator new would, without an exception
    std::byte* to = m_buffer.get();
    for (iovec const& piece : m_left) {
        if (m_operation.kind == Kind::write) {
            std::memcpy(to, piece.iov_base, piece.iov_len);
        }
        to += piece.iov_len;
    }
    m_left.assign(1, {m_buffer.get(), m_operation.bytes});
}

void FileJob::copy_buffer_out() const {
    std::byte const* from = m_buffer.get();
    for (iovec const& piece : m_operation.pieces) {
        std::memcpy(piece.iov_base, from, piece.iov_len);
        from += piece.iov_len;
    }
}

FileCall FileJob::call() const {
    FileCall call{
        .is_through = m_operation.is_through,
        .offset = m_operation.offset + m_done,
        .bytes = m_operation.bytes - m_done,
        .pieces = std::span(m_left).subspan(m_first)};
    if (m_stage == Stage::sync || m_operation.kind == Kind::flush) {
        call.kind = FileCall::Kind::sync;
    } else if (m_operation.kind == Kind::read) {
        call.kind = FileCall::Kind::read;
    } else if (m_operation.kind == Kind::write || m_stage == Stage::write_zeros) {
        call.kind = FileCall::Kind::write;
    } else if (m_operation.kind == Kind::write_zeroes && m_stage == Stage::first) {
        call.kind = FileCall::Kind::zero_range;
    } else {
        call.kind = FileCall::Kind::punch_hole;
    }
    return call;
}

bool FileJob::end(u16 status) {
    m_status = status;
    if (m_buffer != nullptr && m_operation.kind == Kind::read && status == 0) {
        copy_buffer_out();
    }
    return true;
}

bool FileJob::advance(i64 result) {
    if (result == -EINTR || result == -EAGAIN) {
        return false; // the same once more
    }
    bool const is_range =
        m_operation.kind == Kind::write_zeroes || m_operation.kind == Kind::deallocate;
    bool const writes_data = m_stage == Stage::write_zeros;
    if (is_range && !writes_data && m_stage != Stage::sync &&
        (result == -EOPNOTSUPP || result == -ENOSYS || result == -EINVAL || result == -ENODEV)) {
        return fall_back();
    }
    if (result < 0) {
        return end(status_of_failure(m_operation.kind, static_cast<int>(-result)));
    }
    if (is_data(m_operation.kind) || writes_data) {
        return advance_data(static_cast<u64>(result));
    }
    if (is_range && m_operation.is_through && m_stage != Stage::sync) {
        m_stage = Stage::sync;
        return false;
    }
    return end(0);
}

bool FileJob::advance_data(u64 bytes) {
    if (bytes == 0) { // the file has become shorter, or takes no more
        return end(status_of_failure(m_operation.kind, ENOSPC));
    }
    m_done += std::min(bytes, m_operation.bytes - m_done);
    if (m_done == m_operation.bytes) {
        return end(0);
    }
    if (m_stage == Stage::write_zeros) {
        place_zeros();
    } else {
        skip(bytes);
    }
    return false;
}

/// The file system does not know what was asked for.
bool FileJob::fall_back() {
    if (m_operation.kind == Kind::deallocate) {
        return end(0); // it was advice
    }
    if (m_stage == Stage::first) {
        m_stage = Stage::punch;
    } else {
        m_stage = Stage::write_zeros;
        place_zeros();
    }
    return false;
}

void FileJob::place_zeros() {
    m_left.clear();
    m_first = 0;
    u64 left = m_operation.bytes - m_done;
    while (left != 0 && m_left.size() < zero_pieces_max) {
        u64 const here = std::min(left, zeros_bytes);
        m_left.push_back({const_cast<std::byte*>(zeros.data()), here}); // it is only read
        left -= here;
    }
}

void FileJob::skip(u64 bytes) {
    while (bytes != 0) {
        iovec& piece = m_left[m_first];
        u64 const here = std::min<u64>(bytes, piece.iov_len);
        piece.iov_base = static_cast<std::byte*>(piece.iov_base) + here;
        piece.iov_len -= here;
        bytes -= here;
        m_first += piece.iov_len == 0 ? 1 : 0;
    }
}

} // namespace hosted
