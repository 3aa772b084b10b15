// See track_writer.hpp.
#include "apps/perfetto/track_writer.hpp"

#include "apps/perfetto/protobuf.hpp"

namespace twofold::perfetto {

namespace {

/// Numbers of fields, by message.
namespace trace {
constexpr u32 packet = 1;
}
namespace packet {
constexpr u32 timestamp = 8;
constexpr u32 sequence = 10;
constexpr u32 track_event = 11;
constexpr u32 track_descriptor = 60;
} // namespace packet
namespace descriptor {
constexpr u32 uuid = 1;
constexpr u32 name = 2;
constexpr u32 parent = 5;
constexpr u32 child_ordering = 11;
constexpr u32 rank = 12;
} // namespace descriptor
namespace event {
constexpr u32 type = 9;
constexpr u32 track = 11;
constexpr u32 name = 23;
constexpr u32 flow = 47;
constexpr u32 terminating_flow = 48;
} // namespace event

constexpr u64 type_slice_begin = 1;
constexpr u64 type_slice_end = 2;
constexpr u64 type_instant = 3;
constexpr u64 order_explicit = 3;

void write(std::ostream& out, ProtobufMessage const& packet) {
    ProtobufMessage whole;
    whole.add_message(trace::packet, packet);
    out.write(whole.bytes().data(), static_cast<std::streamsize>(whole.bytes().size()));
}

ProtobufMessage event_of(u64 type, u64 track) {
    ProtobufMessage made;
    made.add_number(event::type, type);
    made.add_number(event::track, track);
    return made;
}

} // namespace

void TrackWriter::write_event(ProtobufMessage const& event, i64 now_ns) {
    ProtobufMessage packet;
    packet.add_number(packet::timestamp, static_cast<u64>(now_ns));
    packet.add_number(packet::sequence, m_sequence);
    packet.add_message(packet::track_event, event);
    write(m_out, packet);
}

void TrackWriter::add_track(u64 track, std::string_view name, u64 parent, int rank) {
    ProtobufMessage made;
    made.add_number(descriptor::uuid, track);
    made.add_text(descriptor::name, name);
    if (parent != 0) {
        made.add_number(descriptor::parent, parent);
    } else {
        made.add_number(descriptor::child_ordering, order_explicit);
    }
    made.add_number(descriptor::rank, static_cast<u64>(rank));
    ProtobufMessage packet;
    packet.add_number(packet::sequence, m_sequence);
    packet.add_message(packet::track_descriptor, made);
    write(m_out, packet);
}

void TrackWriter::begin(u64 track, std::string_view name, i64 now_ns, u64 arrow_end) {
    ProtobufMessage made = event_of(type_slice_begin, track);
    made.add_text(event::name, name);
    if (arrow_end != 0) {
        made.add_fixed(event::terminating_flow, arrow_end);
    }
    write_event(made, now_ns);
}

void TrackWriter::end(u64 track, i64 now_ns) {
    write_event(event_of(type_slice_end, track), now_ns);
}

void TrackWriter::mark(u64 track, std::string_view name, i64 now_ns, u64 arrow) {
    ProtobufMessage made = event_of(type_instant, track);
    made.add_text(event::name, name);
    if (arrow != 0) {
        made.add_fixed(event::flow, arrow);
    }
    write_event(made, now_ns);
}

} // namespace twofold::perfetto
