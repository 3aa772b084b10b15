// Records of the result channel, as the host reads them: a decoder that finds the frames in a
// stream of bytes that may hold anything else, and the records it yields.
//
// A frame is the sync bytes 54 32 46 1E, u8 type, u16 length, payload, u32 CRC-32 (IEEE 802.3,
// reflected) over type, length and payload; all little-endian. The payload is a row of fields, each
// a tag and its data: 'u' u64 | 'i' i64 | 's' u16 length + bytes. What is not a sound frame is
// skipped, byte by byte, so that no sound frame behind it is lost.
//
// Invariant: the decoder never holds more than one frame of the greatest length plus what one call
// hands in.
#pragma once

#include "core/base/base.hpp"

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace twofold::launch {

/// What a record tells; the fields of each are in record_schema.
enum class RecordType : u8 {
    hello = 1,
    step = 2,
    ready = 3,
    command = 4,
    test_begin = 5,
    test_failure = 6,
    test_end = 7,
    value = 8,
    panic = 9,
    exit = 10,
    tests = 11,
    reset = 12,
};

using RecordField = std::variant<u64, i64, std::string>;

/// One record. The decoder yields a record of a known type only if it has at least the fields of
/// its schema, each of the right kind; further fields, and records of later types, are passed on.
struct Record {
    RecordType type;
    std::vector<RecordField> fields;

    /// Field `index` as text, as an unsigned or as a signed number. Throws std::logic_error if it
    /// is absent or of another kind, which for the fields of the schema cannot happen.
    std::string const& text(usize index) const;
    u64 number(usize index) const;
    i64 signed_number(usize index) const;
};

/// A field of a known type: its tag ('u', 'i', 's', or 'b' for bytes that are no text) and its
/// name.
struct FieldSchema {
    char tag;
    std::string_view name;
};

struct RecordSchema {
    RecordType type;
    std::string_view name;
    std::span<FieldSchema const> fields;
};

/// The schema of `type`, null if the type is not known. O(1).
RecordSchema const* record_schema(RecordType type);

/// Finds and checks frames. Feed it the stream in pieces of any size.
class RecordDecoder {
public:
    using Sink = std::function<void(Record const&)>;

    /// Takes the next bytes and hands every record that they complete to `sink`, in order. O(n)
    /// where the stream is sound; garbage that imitates frames costs up to one frame for each
    /// imitation.
    void feed(std::span<std::byte const> bytes, Sink const& sink);

    /// The stream has ended: what looked like the start of a frame is none, and frames that it
    /// covered are yielded now. The decoder is empty afterwards and may be used again.
    void finish(Sink const& sink);

    /// Bytes that belonged to no sound frame so far, not counting those still held.
    u64 skipped_bytes() const { return m_skipped; }

    /// Bytes held: the start of a frame, or of what may be one.
    usize held_bytes() const { return m_held.size(); }

private:
    void scan(bool at_end, Sink const& sink);

    std::vector<std::byte> m_held;
    u64 m_skipped = 0;
};

/// The record as one JSON object without a newline: "type" first, then the fields by name. Bytes
/// are hexadecimal; text that is not UTF-8 has U+FFFD in place of each bad byte. O(n).
std::string to_json(Record const& record);

} // namespace twofold::launch
