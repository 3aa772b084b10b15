// What the rings and the record encoder do, on rings of the scenario's own.
#include "core/trace/trace.hpp"
#include "apps/scenarios/scenarios.hpp"

namespace twofold::scenarios {

namespace {

using twofold::boot::Recorder;
using namespace twofold::trace;

char const* numbered(FixedString<64>& storage, std::string_view prefix, u64 number) {
    char text[60];
    storage.clear();
    storage.append(format_to(std::span(text), "{} {}", prefix, number)).value();
    storage.append(std::string_view("\0", 1)).value();
    return storage.view().data();
}

void record_slot_ring(Recorder& record) {
    SlotRing<2, 4> ring;
    FixedString<64> name;
    record.number("slot ring: written when empty", ring.written());
    record.number("slot ring: oldest when empty", ring.oldest());
    record.truth("slot ring: record 0 exists", ring.read(0).has_value());
    record.truth("slot ring: record 1 exists when empty", ring.read(1).has_value());
    for (u64 i = 1; i <= 6; ++i) {
        ring.push({i, i * i});
    }
    record.number("slot ring: written", ring.written());
    record.number("slot ring: dropped", ring.dropped());
    record.number("slot ring: oldest", ring.oldest());
    record.truth("slot ring: overwritten record exists", ring.read(2).has_value());
    u64 position = 0;
    ring.for_each([&](u64 number, auto const& words) {
        char text[64];
        record.text(
            numbered(name, "slot ring: visit", position++),
            format_to(std::span(text), "{}: {} {}", number, words[0], words[1]));
    });
}

void record_events(Recorder& record) {
    EventRing ring;
    FixedString<64> name;
    for (u64 i = 0; i < event_kind_count; ++i) {
        auto const kind = static_cast<EventKind>(i);
        ring.push({1000 + i, kind, {static_cast<u32>(i)}, i * 3, ~i});
        record.text(numbered(name, "event name", i), event_name(kind));
    }
    record.text("event name beyond the last", event_name(static_cast<EventKind>(200)));
    record.number("events: written", ring.written());
    record.number("events: dropped", ring.dropped());
    u64 position = 0;
    ring.for_last(3, [&](Event const& event) {
        char text[96];
        record.text(
            numbered(name, "events: last", position++),
            format_to(
                std::span(text), "{} {} {} {:x} {:x}", event.cycles, event_name(event.kind),
                event.cpu, event.a, event.b));
    });
    u64 sum = 0;
    ring.for_each([&](Event const& event) { sum = sum * 31 + event.a; });
    record.number("events: ordered sum", sum);
}

void record_log(Recorder& record) {
    LogRing ring;
    FixedString<64> name;
    char long_text[LogEntry::text_capacity + 20];
    for (usize i = 0; i < sizeof(long_text); ++i) {
        long_text[i] = static_cast<char>('a' + i % 26);
    }
    ring.push(7, {0}, LogLevel::debug, "first");
    ring.push(8, {3}, LogLevel::error, {long_text, sizeof(long_text)});
    ring.push(9, {1}, LogLevel::warning, "");
    u64 position = 0;
    ring.for_each([&](LogEntry const& entry) {
        char text[LogEntry::text_capacity + 60];
        record.text(
            numbered(name, "log: entry", position++),
            format_to(
                std::span(text), "{} {} {} {}", entry.cycles, entry.cpu, level_name(entry.level),
                entry.text()));
    });
    for (u64 i = 0; i < LogRing::capacity; ++i) {
        ring.push(i, {0}, LogLevel::info, "filler");
    }
    u64 kept = 0;
    ring.for_each([&](LogEntry const&) { ++kept; });
    record.number("log: kept after a lap", kept);
    record.number("log: written after a lap", ring.written());
    record.number("log: dropped after a lap", ring.dropped());
    record.text("log: unknown level", level_name(static_cast<LogLevel>(9)));
}

void record_encoder(Recorder& record) {
    trace::Record frame(RecordType::value);
    auto const bytes = frame.number(0x0123456789abcdef).integer(-5).text("payload").finish();
    record.text("frame: bytes", text_of_bytes(bytes));
    trace::Record empty(RecordType::exit);
    record.text("frame: empty", text_of_bytes(empty.finish()));
    char filler[1200] = {};
    trace::Record full(RecordType::panic);
    record.number("frame: longest", full.text({filler, sizeof(filler)}).finish().size());
}

void record_symbols(Recorder& record, twofold::boot::Kernel& kernel) {
    record.truth("symbols: garbage is refused", !SymbolTable::open({}).has_value());
    record.truth("symbols: the image has some", kernel.symbols.has_value());
    if (kernel.symbols) {
        record.truth("symbols: offset 2^63 is unknown", !kernel.symbols->find(u64{1} << 63));
    }
}

} // namespace

void trace(Recorder& record, twofold::boot::Kernel& kernel) {
    record_slot_ring(record);
    record_events(record);
    record_log(record);
    record_encoder(record);
    record_symbols(record, kernel);
}

} // namespace twofold::scenarios
