// The decoder of the result channel. See records.hpp for the format.
#include "apps/launch/records.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

namespace twofold::launch {

namespace {

constexpr std::array<std::byte, 4> sync{
    std::byte{0x54}, std::byte{0x32}, std::byte{0x46}, std::byte{0x1E}};
constexpr usize header_bytes = sync.size() + 3;
constexpr usize crc_bytes = 4;
constexpr usize frame_bytes_max = header_bytes + 0xFFFF + crc_bytes;

template<class T>
T little_endian(std::span<std::byte const> bytes) {
    T value = 0;
    for (usize index = 0; index < sizeof(T); ++index) {
        value |= static_cast<T>(static_cast<T>(bytes[index]) << (8 * index));
    }
    return value;
}

/// Takes the fields off the front of a payload.
class FieldReader {
public:
    explicit FieldReader(std::span<std::byte const> payload) : m_rest(payload) {}

    bool at_end() const { return m_rest.empty(); }

    /// The next field, nothing if the payload is malformed.
    std::optional<RecordField> next() {
        auto const tag = static_cast<char>(m_rest[0]);
        m_rest = m_rest.subspan(1);
        switch (tag) {
        case 'u':
        case 'i':
            return next_number(tag);
        case 's':
            return next_text();
        default:
            return std::nullopt;
        }
    }

private:
    std::optional<RecordField> next_number(char tag) {
        if (m_rest.size() < sizeof(u64)) {
            return std::nullopt;
        }
        auto const value = little_endian<u64>(m_rest);
        m_rest = m_rest.subspan(sizeof(u64));
        return tag == 'u' ? RecordField(value) : RecordField(static_cast<i64>(value));
    }

    std::optional<RecordField> next_text() {
        if (m_rest.size() < sizeof(u16)) {
            return std::nullopt;
        }
        usize const length = little_endian<u16>(m_rest);
        m_rest = m_rest.subspan(sizeof(u16));
        if (m_rest.size() < length) {
            return std::nullopt;
        }
        std::string text;
        text.reserve(length);
        for (std::byte const byte : m_rest.first(length)) {
            text += static_cast<char>(byte);
        }
        m_rest = m_rest.subspan(length);
        return RecordField(std::move(text));
    }

    std::span<std::byte const> m_rest;
};

bool field_matches(char tag, RecordField const& field) {
    switch (tag) {
    case 'u':
        return std::holds_alternative<u64>(field);
    case 'i':
        return std::holds_alternative<i64>(field);
    default:
        return std::holds_alternative<std::string>(field);
    }
}

bool matches_schema(Record const& record) {
    RecordSchema const* const schema = record_schema(record.type);
    if (schema == nullptr) {
        return true;
    }
    if (record.fields.size() < schema->fields.size()) {
        return false;
    }
    for (usize index = 0; index < schema->fields.size(); ++index) {
        if (!field_matches(schema->fields[index].tag, record.fields[index])) {
            return false;
        }
    }
    return true;
}

std::optional<Record> decode_payload(RecordType type, std::span<std::byte const> payload) {
    Record record{type, {}};
    FieldReader reader(payload);
    while (!reader.at_end()) {
        auto field = reader.next();
        if (!field) {
            return std::nullopt;
        }
        record.fields.push_back(std::move(*field));
    }
    return matches_schema(record) ? std::optional(std::move(record)) : std::nullopt;
}

/// What stands at the front of the stream.
struct Front {
    enum class Kind : u8 { record, incomplete, garbage } kind;
    usize length = 0; ///< of the frame
    Record record{};
};

Front examine(std::span<std::byte const> stream) {
    usize const compared = std::min(stream.size(), sync.size());
    if (!std::equal(sync.begin(), sync.begin() + compared, stream.begin())) {
        return {Front::Kind::garbage};
    }
    if (stream.size() < header_bytes) {
        return {Front::Kind::incomplete};
    }
    auto const header = stream.subspan(sync.size(), header_bytes - sync.size());
    usize const payload_bytes = little_endian<u16>(header.subspan(1));
    usize const length = header_bytes + payload_bytes + crc_bytes;
    if (stream.size() < length) {
        return {Front::Kind::incomplete};
    }
    auto const covered = stream.subspan(sync.size(), header.size() + payload_bytes);
    if (crc32(covered) != little_endian<u32>(stream.subspan(length - crc_bytes, crc_bytes))) {
        return {Front::Kind::garbage};
    }
    auto record = decode_payload(
        static_cast<RecordType>(header[0]), stream.subspan(header_bytes, payload_bytes));
    if (!record) {
        return {Front::Kind::garbage};
    }
    return {Front::Kind::record, length, std::move(*record)};
}

template<class T>
T const& field_as(Record const& record, usize index) {
    if (index >= record.fields.size() || !std::holds_alternative<T>(record.fields[index])) {
        throw std::logic_error("a record has no such field");
    }
    return std::get<T>(record.fields[index]);
}

} // namespace

std::string const& Record::text(usize index) const {
    return field_as<std::string>(*this, index);
}
u64 Record::number(usize index) const {
    return field_as<u64>(*this, index);
}
i64 Record::signed_number(usize index) const {
    return field_as<i64>(*this, index);
}

void RecordDecoder::scan(bool at_end, Sink const& sink) {
    std::span<std::byte const> rest(m_held);
    while (!rest.empty()) {
        Front const front = examine(rest);
        if (front.kind == Front::Kind::record) {
            rest = rest.subspan(front.length);
            sink(front.record);
            continue;
        }
        if (front.kind == Front::Kind::incomplete && !at_end) {
            break;
        }
        // Not a frame: the next one can start no earlier than the next first sync byte.
        auto const next = std::find(rest.begin() + 1, rest.end(), sync[0]);
        auto const skipped = static_cast<usize>(next - rest.begin());
        m_skipped += skipped;
        rest = rest.subspan(skipped);
    }
    m_held.erase(m_held.begin(), m_held.end() - static_cast<std::ptrdiff_t>(rest.size()));
}

void RecordDecoder::feed(std::span<std::byte const> bytes, Sink const& sink) {
    while (!bytes.empty()) {
        usize const taken = std::min(bytes.size(), frame_bytes_max);
        m_held.insert(
            m_held.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
        bytes = bytes.subspan(taken);
        scan(false, sink);
    }
}

void RecordDecoder::finish(Sink const& sink) {
    scan(true, sink);
}

} // namespace twofold::launch
