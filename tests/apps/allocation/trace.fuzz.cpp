// Fuzzes the decoder of allocation traces. The first byte chooses: the rest is a whole file, or it
// is the events of a block whose checksums are right. What is accepted must come back the same from
// the encoder.
#include "apps/allocation/bytes.hpp"
#include "apps/allocation/schedule.hpp"
#include "tests/apps/allocation/traces.hpp"

#include <cstdlib>

using namespace twofold;
using namespace twofold::allocation;

namespace {

/// Fewer events than sizes of 2^47 bytes fit into 64 bits.
constexpr usize input_bytes_max = usize{1} << 16;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void append_number(std::vector<std::byte>& file, auto number) {
    file.resize(file.size() + sizeof(number));
    store_number(std::span(file).last(sizeof(number)), number);
}

/// A trace of one stored block that holds `events`; the header counts nothing.
std::vector<std::byte> wrap(std::span<std::byte const> events) {
    static std::vector<std::byte> const empty = testing::MemoryTrace("").finish();
    std::vector<std::byte> file = empty;
    usize const block = file.size();
    auto const bytes = static_cast<u32>(events.size());
    append_number(file, bytes);
    append_number(file, bytes);
    Crc32 checksum;
    checksum.update(std::span(file).subspan(block));
    checksum.update(events);
    append_number(file, checksum.value());
    file.insert(file.end(), events.begin(), events.end());
    auto const header = std::span(file).first(header_bytes);
    store_number(header.subspan(header_offset::blocks), u32{1});
    store_number(header.subspan(header_offset::file_bytes), u64{file.size()});
    store_number(header.subspan(header_crc_offset), crc32(header.first(header_crc_offset)));
    return file;
}

/// Whatever was accepted, up to the first use of an object that is dead: written again and read
/// again, it is the same.
void check_round_trip(std::vector<Event> const& events) {
    struct Object {
        u64 size;
        bool alive;
    };
    static testing::MemoryTrace trace; // its tables are large
    trace.begin("");
    std::vector<Object> objects;
    u32 threads = 0;
    usize written = 0;
    for (Event const& event : events) {
        require(event.thread <= threads && event.size <= size_max);
        threads = std::max(threads, event.thread + 1);
        trace.writer().set_thread(event.thread);
        if (event.kind <= EventKind::allocate_aligned) {
            objects.push_back({event.size, true});
            u64 const object =
                trace.writer().allocate(event.kind, event.size, event.alignment_log2);
            require(object == event.object);
            ++written;
            continue;
        }
        require(event.object < objects.size());
        Object& object = objects[event.object];
        if (!object.alive) {
            break;
        }
        if (event.kind == EventKind::resize) {
            trace.writer().resize(event.object, object.size, event.size);
            object.size = event.size;
        } else {
            require(event.kind == EventKind::release);
            trace.writer().release(event.object, object.size);
            object.alive = false;
        }
        ++written;
    }
    testing::Decoded const again = testing::decode(trace.finish());
    require(again.good && again.events.size() == written);
    require(std::equal(again.events.begin(), again.events.end(), events.begin()));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, usize size);

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, usize size) {
    if (size < 2 || size > input_bytes_max) {
        return 0;
    }
    auto const rest = std::as_bytes(std::span(data, size)).subspan(1);
    std::vector<std::byte> const file =
        data[0] % 2 == 0 ? std::vector<std::byte>(rest.begin(), rest.end()) : wrap(rest);
    testing::Decoded const decoded = testing::decode(file);
    require(decoded.good == decoded.problem.what.empty());
    require(decoded.problem.offset <= file.size());
    check_round_trip(decoded.events);
    TraceProblem problem;
    bool const scheduled = make_schedule(file, Places::unique, problem).has_value();
    require(scheduled == problem.what.empty() && (decoded.good || !scheduled));
    return 0;
}
