// What a run leaves behind so that it can be repeated, searched and compared: its case, the hash of
// all that happened at even distances, and copies of the machine on the way.
//
// A file of chunks, appended while the run goes on:
//
//     8 bytes      "TWOFOLDR"
//     then chunks  u32 type, u32 size, u32 CRC-32 of both and the payload, payload; little-endian
//
//     1 header     u32 version, u32 distance, build (u32 size, bytes), case (u32 size, JSON)
//     2 hashes     u64 number of the first, u64 each: after number * distance moments
//     3 copy       u64 moment, u64 size, zstd: hosted::snapshot_bytes and what was printed
//     4 end        u64 moments, u64 hash, i64 virtual time in ns, outcome (u32 size, bytes)
//     5 schedule   behind the header, where the run follows one: a text (schedule_file.hpp)
//
// A recording without an end is truncated: its run was cut short, or the file was.
#pragma once

#include "core/base/base.hpp"

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace twofold::sim {

class Payload;

/// Moments between two hashes of a recording.
inline constexpr u32 recording_distance = 1024;

struct RecordingEnd {
    u64 moments = 0;
    u64 hash = 0;
    i64 time_ns = 0;
    std::string outcome; ///< "passed", or the failure's kind and text
};

/// Writes a recording. Errors of the file are a launch::Failure (74).
class RecordingWriter {
public:
    /// `build` names the program, `run` is the case, `schedule` what the run follows, empty: the
    /// case's own.
    RecordingWriter(
        std::filesystem::path path,
        std::string const& build,
        std::string const& run,
        std::string const& schedule = {});

    /// The hash after another recording_distance moments.
    void add_hash(u64 hash);
    /// The machine after `moment` moments, as bytes. O(bytes).
    void add_copy(u64 moment, std::vector<std::byte> const& bytes);
    void finish(RecordingEnd const& end);

private:
    void write_hashes();
    void write_chunk(u32 type, std::string const& payload);

    std::filesystem::path m_path;
    std::ofstream m_file;
    u64 m_first = 1; ///< number of the first in m_hashes
    std::vector<u64> m_hashes;
};

/// A recording that was read; copies stay in the file until they are asked for.
class Recording {
public:
    /// Throws launch::Failure: 74 where the file cannot be read, 64 where it is none, is damaged,
    /// or of a version or build (other than `build`) that this program does not repeat. A truncated
    /// one is refused unless `may_be_truncated`.
    static Recording read(
        std::filesystem::path const& path, std::string const& build, bool may_be_truncated = false);

    std::string const& run() const { return m_run; }
    /// The saved schedule that the run follows; empty: the case's own.
    std::string const& schedule() const { return m_schedule; }
    /// By number, from 1 on: hash 0 stands for the begin.
    std::vector<u64> const& hashes() const { return m_hashes; }
    std::optional<RecordingEnd> const& end() const { return m_end; }
    /// The last copy at or before `moment`; none: the begin is as near.
    struct Copy {
        u64 moment;
        std::vector<std::byte> bytes;
    };
    std::optional<Copy> copy_before(u64 moment) const;
    usize copies() const { return m_copies.size(); }

private:
    struct Place {
        u64 offset; ///< of the packed bytes in the file
        u64 packed_size;
        u64 size;
    };

    bool take_chunk(std::ifstream& file, u64 file_bytes, std::string const& build);
    void take_header(Payload& payload, std::string const& build);
    void take_end(Payload& payload);
    [[noreturn]] void refuse(std::string const& why) const;

    std::filesystem::path m_path;
    std::string m_run;
    std::string m_schedule;
    std::vector<u64> m_hashes{0};
    std::map<u64, Place> m_copies; ///< by moment
    std::optional<RecordingEnd> m_end;
    bool m_has_header = false;
};

} // namespace twofold::sim
