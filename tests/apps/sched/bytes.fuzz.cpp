// Fuzzes what is read from bytes. The first byte chooses: the rest is a workload, whose checksum is
// made right, or the schedule of a run. What is accepted is written again as the same bytes; a
// schedule is compared with another one.
#include "apps/sched/schedule.hpp"
#include "apps/sched/workload_writer.hpp"
#include "tests/apps/sched/workload_reader.hpp"

#include <algorithm>
#include <cstdlib>

using namespace twofold;
using namespace twofold::lab;

namespace {

constexpr usize input_bytes_max = usize{1} << 14;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void read_as_workload(std::vector<std::byte> bytes) {
    if (bytes.size() > workload_checked_from) {
        u32 const checksum = crc32(std::span(bytes).subspan(workload_checked_from));
        for (usize i = 0; i < sizeof(checksum); ++i) {
            bytes[workload_checked_from - sizeof(checksum) + i] =
                static_cast<std::byte>(checksum >> 8 * i);
        }
    }
    ReadWorkload const read = read_owned(bytes);
    require(!read.header || workload_file_bytes(read.header.value().counts) <= bytes.size());
    if (read.workload) {
        auto const again = write_workload(read.workload.value(), read.header.value().inherits);
        require(std::equal(again.begin(), again.end(), bytes.begin()));
    }
}

void read_as_schedule(std::vector<std::byte> const& bytes) {
    std::vector<std::byte> again;
    HappeningReader reader(bytes);
    HappeningWriter writer;
    usize end = 0;
    while (!reader.at_end()) {
        auto const happening = reader.read();
        if (!happening) {
            break;
        }
        auto const written = writer.write(happening.value());
        again.insert(again.end(), written.begin(), written.end());
        end = reader.position();
    }
    require(again.size() == end && std::equal(again.begin(), again.end(), bytes.begin()));
    Schedule one;
    Schedule other;
    one.happenings = bytes;
    other.happenings = bytes;
    require(!compare_schedules({}, one, other));
    other.happenings.resize(bytes.size() / 2);
    require(bytes.empty() == !compare_schedules({}, one, other));
    require(bytes.empty() == !compare_schedules({}, other, one));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, usize size);

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, usize size) {
    if (size == 0 || size > input_bytes_max) {
        return 0;
    }
    auto const rest = std::as_bytes(std::span(data, size)).subspan(1);
    std::vector<std::byte> bytes(rest.begin(), rest.end());
    if (data[0] % 2 == 0) {
        read_as_workload(std::move(bytes));
    } else {
        read_as_schedule(bytes);
    }
    return 0;
}
