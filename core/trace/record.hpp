// Records of the result channel: what a run tells programs, apart from what it shows a person.
//
// A frame is  sync 54 32 46 1E | u8 type | u16 length | payload | u32 CRC-32,  little-endian; the
// CRC (IEEE 802.3) covers type, length and payload. The payload is a sequence of fields, each a tag
// and data: 'u' u64, 'i' i64, 's' u16 length and bytes. A reader skips whatever is no frame, so
// firmware may write to the channel before the kernel does. The format is specified in
// docs/result-channel.md.
#pragma once

#include "core/base/base.hpp"

#include <span>
#include <string_view>

namespace twofold::trace {

enum class RecordType : u8 {
    hello = 1,        ///< s machine, s version, s image, u image_base, u image_size
    step = 2,         ///< s name, s state: "started", "done" or "failed"
    ready = 3,        ///< u cycles: start-up is complete
    command = 4,      ///< s text, i status, u cycles before, u cycles after
    test_begin = 5,   ///< s suite.name
    test_failure = 6, ///< s suite.name, s file, u line, s expectation, s detail
    test_end = 7,     ///< s suite.name, s "passed", "failed" or "skipped", u cycles, s reason
    value = 8,        ///< s scenario, s name, s bytes
    panic = 9,        ///< s text
    exit = 10,        ///< i status
    tests = 11,       ///< u passed, u failed, u skipped
    reset = 12,       ///< the machine is about to be started anew
};

/// One frame in the making. Text that does not fit any more is cut; numbers must fit.
class Record {
public:
    static constexpr usize payload_capacity = 1008;
    static constexpr usize frame_overhead = 4 + 1 + 2 + 4;
    /// Of a field: a number, and what comes before a text.
    static constexpr usize number_bytes = 1 + 8, text_header_bytes = 1 + 2;

    explicit Record(RecordType type);

    /// Appends a field. O(size).
    Record& number(u64 value);
    Record& integer(i64 value);
    /// Of a text only so much that there is room for `rest_bytes` of fields behind it.
    Record& text(std::string_view text, usize rest_bytes = 0);

    /// Completes the frame and returns its bytes, valid while the record lives. Call once.
    std::span<std::byte const> finish();

private:
    void put(u64 value, usize bytes);
    usize payload_size() const { return m_size - header_size; }

    static constexpr usize header_size = 7;
    std::byte m_bytes[payload_capacity + frame_overhead];
    usize m_size = 0;
    bool m_finished = false;
};

} // namespace twofold::trace
