// Hostile memory maps, and frames taken from them.
#include "core/memory/memory.hpp"
#include "apps/scenarios/scenarios.hpp"

namespace twofold::scenarios {

namespace {

using hal::MemoryKind;
using hal::MemoryRange;
using twofold::boot::Recorder;
using twofold::memory::EarlyFrames;
using twofold::memory::MemoryMap;
using namespace twofold::literals;

constexpr MemoryRange pc[] = {
    {{0}, 639_KiB, MemoryKind::usable},        {{0x9fc00}, 1_KiB, MemoryKind::reserved},
    {{0xf0000}, 64_KiB, MemoryKind::reserved}, {{0x100000}, 31_MiB, MemoryKind::usable},
    {{0x200000}, 3_MiB, MemoryKind::boot},     {{0x1f00000}, 1_MiB, MemoryKind::acpi_reclaimable}};

constexpr MemoryRange hostile[] = {
    {{0x5001}, {0x2ffe}, MemoryKind::usable},
    {{0x4000}, {0x1800}, MemoryKind::module},
    {{0x6000}, {0}, MemoryKind::bad},
    {{~u64{0} - 0xfff}, {~u64{0}}, MemoryKind::usable},
    {{0x10000}, {0x8000}, MemoryKind::usable},
    {{0x12000}, {0x2000}, MemoryKind::reserved},
    {{0x13000}, {0x3000}, MemoryKind::bad},
    {{0x18000}, {0x1000}, MemoryKind::usable},
    {{0xfffffffff0000}, {0x20000}, MemoryKind::usable},
    {{0x11001}, {1}, MemoryKind::acpi_nvs}};

void record_map(Recorder& record, std::string_view title, std::span<MemoryRange const> reported) {
    auto const map = MemoryMap::create(reported);
    char name[64];
    record.number(
        format_to(std::span(name), "{}: ranges", title), map ? map.value().ranges().size() : 999);
    if (!map) {
        record.error(format_to(std::span(name), "{}: error", title), map.error());
        return;
    }
    u64 number = 0;
    for (MemoryRange const& range : map.value().ranges()) {
        char text[96];
        record.text(
            format_to(std::span(name), "{}: range {}", title, number++),
            format_to(
                std::span(text), "{:#x} {:#x} {}", range.base.value, range.size.value,
                memory::kind_name(range.kind)));
    }
}

void record_frames(Recorder& record) {
    EarlyFrames frames(MemoryMap::create(pc).value());
    constexpr Bytes sizes[][2] = {{4_KiB, 4_KiB},   {4_KiB, 4_KiB},  {64_KiB, 64_KiB},
                                  {2_MiB, 2_MiB},   {0_B, 4_KiB},    {4_KiB, 3_KiB},
                                  {5_KiB, 4_KiB},   {1_GiB, 4_KiB},  {26_MiB, 4_KiB},
                                  {900_KiB, 4_KiB}, {300_KiB, 4_KiB}};
    for (usize i = 0; i < std::size(sizes); ++i) {
        char name[64];
        auto const frame = frames.allocate(sizes[i][0], sizes[i][1]);
        record.result(
            format_to(std::span(name), "frames: allocate {}", i),
            frame ? Result<u64>(frame.value().value) : Result<u64>(frame.error()));
        record.number(
            format_to(std::span(name), "frames: allocated {}", i), frames.allocated().value);
    }
    record.number("frames: available", frames.available().value);
    u64 number = 0;
    for (MemoryRange const& range : frames.remaining()) {
        char name[64];
        char text[64];
        record.text(
            format_to(std::span(name), "frames: remaining {}", number++),
            format_to(std::span(text), "{:#x} {:#x}", range.base.value, range.size.value));
    }
}

} // namespace

void memory(Recorder& record, twofold::boot::Kernel&) {
    record_map(record, "pc", pc);
    record_map(record, "hostile", hostile);
    record_map(record, "empty", {});
    MemoryRange many[MemoryMap::ranges_max + 1];
    for (usize i = 0; i < std::size(many); ++i) {
        many[i] = {{i << 20}, 4_KiB, MemoryKind::usable};
    }
    record_map(record, "too many", many);
    for (usize i = 0; i <= hal::memory_kind_count; ++i) {
        char name[32];
        record.text(
            format_to(std::span(name), "kind {}", i),
            memory::kind_name(static_cast<MemoryKind>(i)));
    }
    record_frames(record);
}

} // namespace twofold::scenarios
