// See recording.hpp. zstd: RFC 8878, by the library of its authors.
#include "sim/record/recording.hpp"

#include "apps/launch/status.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <utility>

namespace twofold::sim {

namespace {

using launch::Failure;
using launch::Status;

constexpr std::string_view magic = "TWOFOLDR";
constexpr u32 version = 1;
constexpr u32 header_type = 1, hashes_type = 2, copy_type = 3, end_type = 4, schedule_type = 5;
constexpr usize hashes_a_chunk = 4096;
constexpr int compression_level = 1; // copies are many, and soon thrown away

struct ChunkHead {
    u32 type;
    u32 size;
    u32 checksum;
};

u32 checksum_of(ChunkHead const& head, std::string_view payload) {
    auto const characters = std::bit_cast<std::array<char, sizeof(head)>>(head);
    std::string bytes(characters.data(), offsetof(ChunkHead, checksum));
    bytes += payload;
    return crc32(std::as_bytes(std::span(bytes)));
}

template<class T>
void put(std::string& to, T value) {
    auto const characters = std::bit_cast<std::array<char, sizeof(value)>>(value);
    to.append(characters.data(), characters.size());
}

void put_text(std::string& to, std::string_view text) {
    put(to, static_cast<u32>(text.size()));
    to += text;
}

} // namespace

/// Takes values from a payload; what is missing reads as 0 and is remembered.
class Payload {
public:
    explicit Payload(std::string_view bytes) : m_left(bytes) {}

    template<class T>
    T take() {
        T value{};
        m_is_short = m_is_short || m_left.size() < sizeof(T);
        if (!m_is_short) {
            std::memcpy(&value, m_left.data(), sizeof(T));
            m_left.remove_prefix(sizeof(T));
        }
        return value;
    }
    std::string take_text() {
        u32 const size = take<u32>();
        m_is_short = m_is_short || m_left.size() < size;
        std::string const text(m_left.substr(0, m_is_short ? 0 : size));
        m_left.remove_prefix(text.size());
        return text;
    }
    bool is_short() const { return m_is_short; }
    usize left() const { return m_left.size(); }

private:
    std::string_view m_left;
    bool m_is_short = false;
};

RecordingWriter::RecordingWriter(
    std::filesystem::path path,
    std::string const& build,
    std::string const& run,
    std::string const& schedule)
    : m_path(std::move(path)), m_file(m_path, std::ios::binary | std::ios::trunc) {
    m_file << magic;
    std::string header;
    put(header, version);
    put(header, recording_distance);
    put_text(header, build);
    put_text(header, run);
    write_chunk(header_type, header);
    if (!schedule.empty()) {
        write_chunk(schedule_type, schedule);
    }
}

void RecordingWriter::add_hash(u64 hash) {
    m_hashes.push_back(hash);
    if (m_hashes.size() == hashes_a_chunk) {
        write_hashes();
    }
}

void RecordingWriter::write_hashes() {
    std::string payload;
    put(payload, m_first);
    for (u64 const hash : m_hashes) {
        put(payload, hash);
    }
    m_first += m_hashes.size();
    m_hashes.clear();
    write_chunk(hashes_type, payload);
}

void RecordingWriter::add_copy(u64 moment, std::vector<std::byte> const& bytes) {
    std::string packed(ZSTD_compressBound(bytes.size()), '\0');
    usize const size =
        ZSTD_compress(packed.data(), packed.size(), bytes.data(), bytes.size(), compression_level);
    CHECK(ZSTD_isError(size) == 0); // the room suffices
    packed.resize(size);
    std::string payload;
    put(payload, moment);
    put(payload, u64{bytes.size()});
    write_chunk(copy_type, payload + packed);
}

void RecordingWriter::finish(RecordingEnd const& end) {
    write_hashes();
    std::string payload;
    put(payload, end.moments);
    put(payload, end.hash);
    put(payload, end.time_ns);
    put_text(payload, end.outcome);
    write_chunk(end_type, payload);
    m_file.close();
}

void RecordingWriter::write_chunk(u32 type, std::string const& payload) {
    ChunkHead head{type, static_cast<u32>(payload.size()), 0};
    head.checksum = checksum_of(head, payload);
    auto const characters = std::bit_cast<std::array<char, sizeof(head)>>(head);
    m_file.write(characters.data(), characters.size());
    m_file.write(payload.data(), static_cast<std::streamsize>(payload.size()));
    if (!m_file.flush()) {
        throw Failure(
            Status::io,
            fmt::format("cannot write the recording {}: {}", m_path.string(), strerror(errno)));
    }
}

Recording Recording::read(
    std::filesystem::path const& path, std::string const& build, bool may_be_truncated) {
    Recording recording;
    recording.m_path = path;
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw Failure(
            Status::io,
            fmt::format("cannot read the recording {}: {}", path.string(), strerror(errno)));
    }
    std::string begin(magic.size(), '\0');
    if (!file.read(begin.data(), static_cast<std::streamsize>(begin.size())) || begin != magic) {
        recording.refuse("it is no recording of a simulation");
    }
    std::error_code ignored;
    u64 const file_bytes = std::filesystem::file_size(path, ignored);
    while (recording.take_chunk(file, file_bytes, build)) {
    }
    if (!recording.m_has_header) {
        recording.refuse("it is truncated before it says what was run");
    }
    if (!recording.m_end && !may_be_truncated) {
        recording.refuse(fmt::format(
            "it is truncated: it goes up to moment {} of a run whose end is missing; record it "
            "again",
            (recording.m_hashes.size() - 1) * recording_distance));
    }
    return recording;
}

void Recording::refuse(std::string const& why) const {
    throw Failure(Status::usage, fmt::format("{}: {}", m_path.string(), why));
}

/// False: the file ends before the chunk does.
bool Recording::take_chunk(std::ifstream& file, u64 file_bytes, std::string const& build) {
    std::array<char, sizeof(ChunkHead)> characters{};
    if (!file.read(characters.data(), characters.size())) {
        if (m_end && file.gcount() != 0) {
            refuse("it is damaged: more follows its end");
        }
        return false;
    }
    auto const head = std::bit_cast<ChunkHead>(characters);
    u64 const offset = static_cast<u64>(file.tellg());
    if (m_end) {
        refuse("it is damaged: more follows its end");
    }
    if (head.type < header_type || head.type > schedule_type) {
        refuse(fmt::format("it is damaged: the chunk at {} is of no known kind", offset));
    }
    if (head.size > file_bytes - std::min(offset, file_bytes)) {
        return false;
    }
    std::string bytes(head.size, '\0');
    if (!file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
        return false;
    }
    if (checksum_of(head, bytes) != head.checksum) {
        refuse(fmt::format("it is damaged: the checksum of the chunk at {} is wrong", offset));
    }
    if ((head.type == header_type) == m_has_header) {
        refuse("it is damaged: what was run is not said once, and first");
    }
    Payload payload(bytes);
    switch (head.type) {
    case header_type:
        take_header(payload, build);
        break;
    case hashes_type: {
        if (payload.take<u64>() != m_hashes.size()) {
            refuse("it is damaged: hashes are missing");
        }
        while (payload.left() != 0 && !payload.is_short()) {
            m_hashes.push_back(payload.take<u64>());
        }
        break;
    }
    case copy_type: {
        u64 const moment = payload.take<u64>();
        u64 const size = payload.take<u64>();
        constexpr u64 before = 2 * sizeof(u64);
        if (!payload.is_short()) {
            m_copies[moment] = {offset + before, head.size - before, size};
        }
        break;
    }
    case schedule_type:
        m_schedule = bytes;
        break;
    default:
        take_end(payload);
        break;
    }
    if (payload.is_short()) {
        refuse("it is damaged: a chunk is too short");
    }
    return true;
}

void Recording::take_header(Payload& payload, std::string const& build) {
    m_has_header = true;
    u32 const its_version = payload.take<u32>();
    u32 const distance = payload.take<u32>();
    std::string const its_build = payload.take_text();
    m_run = payload.take_text();
    if (its_version != version || distance != recording_distance) {
        refuse(fmt::format("it is of version {}, this program reads {}", its_version, version));
    }
    if (!payload.is_short() && its_build != build) {
        refuse(fmt::format(
            "it is of build {}, this program is build {}: a run is repeated by the program that "
            "made it",
            its_build, build));
    }
}

void Recording::take_end(Payload& payload) {
    m_end = RecordingEnd{
        payload.take<u64>(), payload.take<u64>(), payload.take<i64>(), payload.take_text()};
    if (!payload.is_short() && m_end->moments / recording_distance != m_hashes.size() - 1) {
        refuse("it is damaged: its end is of a run of another length");
    }
}

std::optional<Recording::Copy> Recording::copy_before(u64 moment) const {
    auto const behind = m_copies.upper_bound(moment);
    if (behind == m_copies.begin()) {
        return std::nullopt;
    }
    auto const& [at, place] = *std::prev(behind);
    std::string packed(place.packed_size, '\0');
    std::ifstream file(m_path, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(place.offset));
    if (!file.read(packed.data(), static_cast<std::streamsize>(packed.size()))) {
        refuse("it has become shorter while it was read");
    }
    unsigned long long const size = ZSTD_getFrameContentSize(packed.data(), packed.size());
    if (size != place.size) {
        refuse("it is damaged: a copy of the machine has another size than it says");
    }
    Copy copy{at, std::vector<std::byte>(place.size)};
    usize const got =
        ZSTD_decompress(copy.bytes.data(), copy.bytes.size(), packed.data(), packed.size());
    if (got != place.size) {
        refuse("it is damaged: a copy of the machine cannot be unpacked");
    }
    return copy;
}

} // namespace twofold::sim
