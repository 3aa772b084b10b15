// One operation on a file of the host, as the calls that it takes: what a short read, an
// interruption or a file system without holes makes of it. Whoever makes the calls
// (file_engine.hpp) hands in their results.
#pragma once

#include "hal/hosted/devices/nvme/nvme_medium.hpp"

#include <memory>

namespace hosted {

/// A call of the host, as Linux has them.
struct FileCall {
    enum class Kind : u8 { read, write, sync, zero_range, punch_hole };

    Kind kind = Kind::sync;
    bool is_through = false; ///< RWF_DSYNC
    u64 offset = 0;
    u64 bytes = 0;
    std::span<iovec const> pieces{}; ///< of reads and writes
};

class FileJob {
public:
    /// `alignment`: of memory and lengths, where the file is open for direct access; 1: none. What
    /// is not aligned goes through a buffer.
    void begin(NvmeOperation const& operation, u64 alignment);
    FileCall call() const;
    /// The call has answered: bytes, or an error negated. True: the operation has ended, and read
    /// data is in its place.
    bool advance(i64 result);

    /// Whether what was written is to be durable when it has ended.
    bool makes_durable() const {
        return m_operation.kind == NvmeOperation::Kind::flush || m_operation.is_through;
    }
    NvmeOutcome outcome() const { return {.tag = m_operation.tag, .status = m_status}; }
    bool went_through_buffer() const { return m_buffer != nullptr; }

private:
    /// Zeros are written where a file system knows no ranges of them.
    enum class Stage : u8 { first, punch, write_zeros, sync };

    bool end(u16 status);
    bool advance_data(u64 bytes);
    bool fall_back();
    void skip(u64 bytes);
    void place_zeros();
    void use_buffer(u64 alignment);
    void copy_buffer_out() const;

    struct Free {
        void operator()(std::byte* bytes) const;
    };

    NvmeOperation m_operation{};
    Stage m_stage = Stage::first;
    u64 m_done = 0; ///< bytes
    std::vector<iovec> m_left;
    usize m_first = 0; ///< of m_left, the ones before are done
    std::unique_ptr<std::byte, Free> m_buffer;
    u16 m_status = 0;
};

} // namespace hosted
