// See trace.hpp.
#include "sim/trace/trace.hpp"

#include "apps/launch/status.hpp"
#include "apps/perfetto/track_writer.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/hosted/sim/device_fault_kinds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <new>
#include <set>
#include <sys/mman.h>

namespace twofold::sim {

namespace {

using hosted::Request;
using hosted::SimMoment;

constexpr u64 cpus_track = 1;
constexpr u64 devices_track = 2;
constexpr u64 first_cpu_track = 16;
constexpr u64 first_device_track = 1024;

/// What a processor came back with, in the order of Request.
constexpr std::string_view request_names[] = {"none",           "idle",         "console_write",
                                              "console_read",   "result_write", "entropy",
                                              "mmu_activate",   "mmu_flush",    "mmu_stale",
                                              "pci_read",       "pci_write",    "device_write",
                                              "dma_domain",     "port_read",    "port_write",
                                              "notify",         "yield",        "line_route",
                                              "line_mask",      "line_end",     "processor_start",
                                              "processor_halt", "counter_has",  "counter_start",
                                              "counter_read",   "counter_stop", "clock_adopt",
                                              "clock_describe", "clock_common", "clock_distrust",
                                              "clock_set",      "clock_wall",   "probe_fails",
                                              "probe_note",     "power_exit",   "power_reset",
                                              "crash"};
static_assert(std::size(request_names) == static_cast<usize>(Request::crash) + 1);

} // namespace

std::string moment_name(SimMoment::Kind kind, u64 value) {
    static hosted::FaultKinds const kinds(hosted::device_fault_kinds());
    switch (kind) {
    case SimMoment::Kind::turn:
        return fmt::format("turn: {}", request_names[value]);
    case SimMoment::Kind::interrupt:
        return fmt::format("interrupt {}", value);
    case SimMoment::Kind::device:
        return fmt::format("device {}", value);
    case SimMoment::Kind::fault:
        return fmt::format("fault {}", kinds[static_cast<hosted::FaultId>(value)].name);
    case SimMoment::Kind::operation:
        return fmt::format("operation {}", value);
    }
    UNREACHABLE();
}

void TraceKeeper::on_moment(SimMoment const& moment) {
    if (m_next == m_end) [[unlikely]] {
        begin_block();
    }
    // A turn of more than four seconds, which only a fault makes, is drawn as one of these.
    i64 const ran_ns = std::min(moment.at_ns - moment.since_ns, i64{~u32{0}});
    *m_next++ = {
        moment.at_ns, static_cast<u32>(ran_ns),
        static_cast<u32>(moment.value) << value_shift | moment.slot << slot_shift |
            static_cast<u32>(moment.kind)};
}

void TraceKeeper::on_grant(hosted::Grant const&) {}

void TraceKeeper::begin_block() {
    constexpr usize bytes = block_size * sizeof(Kept);
    static_assert(bytes == usize{2} << 20); // a large page
    auto* const block = static_cast<Kept*>(std::aligned_alloc(bytes, bytes));
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    madvise(block, bytes, MADV_HUGEPAGE); // where the host has none, small ones do
    m_blocks.emplace_back(block);
    m_next = block;
    m_end = block + block_size;
}

void TraceKeeper::write(std::filesystem::path const& path, std::string const& title) const {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    perfetto::TrackWriter out(file, 1);
    out.add_track(cpus_track, title + ": processors", 0, 0);
    out.add_track(devices_track, title + ": devices", 0, 1);
    std::set<u64> tracks;
    for (usize i = 0; i < m_blocks.size(); ++i) {
        Kept const* const begin = m_blocks[i].get();
        Kept const* const end = i + 1 == m_blocks.size() ? m_next : begin + block_size;
        for (Kept const& kept : std::span(begin, end)) {
            auto const kind = static_cast<SimMoment::Kind>(kept.what & kind_mask);
            u32 const slot = kept.what >> slot_shift & slot_mask;
            bool const is_device = kind == SimMoment::Kind::device;
            u64 const track = (is_device ? first_device_track : first_cpu_track) + slot;
            if (tracks.insert(track).second) {
                out.add_track(
                    track, fmt::format("{} {}", is_device ? "device" : "cpu", slot),
                    is_device ? devices_track : cpus_track, static_cast<int>(slot));
            }
            std::string const name = moment_name(kind, kept.what >> value_shift);
            if (kind == SimMoment::Kind::turn) {
                out.begin(track, name, kept.at_ns - kept.ran_ns);
                out.end(track, kept.at_ns);
            } else {
                out.mark(track, name, kept.at_ns);
            }
        }
    }
    out.flush();
    if (!file) {
        throw launch::Failure(
            launch::Status::io,
            fmt::format("cannot write the trace {}: {}", path.string(), strerror(errno)));
    }
}

} // namespace twofold::sim
