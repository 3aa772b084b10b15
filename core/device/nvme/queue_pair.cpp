// See queue_pair.hpp. Here: how a request becomes a command. Completions are in completions.cpp.
#include "core/device/nvme/queue_pair.hpp"

#include "hal/clock.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace twofold::nvme {

using block::Operation;
using block::Request;
using block::Segment;
using hal::DmaDirection;

namespace {

constexpr u32 zeroes_max = 0x1'0000; // sectors of one command

DmaDirection direction_of(Operation operation) {
    return operation == Operation::read ? DmaDirection::from_device : DmaDirection::to_device;
}

Opcode opcode_of(Operation operation) {
    switch (operation) {
    case Operation::read:
        return Opcode::read;
    case Operation::write:
        return Opcode::write;
    case Operation::flush:
        return Opcode::flush;
    case Operation::deallocate:
        return Opcode::dataset_management;
    case Operation::write_zeroes:
        return Opcode::write_zeroes;
    }
    UNREACHABLE();
}

/// Word by word: what a compiler makes of a whole one that is assigned is a loop without vectors
/// that takes as long as all the rest.
void begin(Command& command, Opcode opcode, u16 id, u32 space) {
    command.opcode = static_cast<u8>(opcode);
    command.flags = 0;
    command.id = id;
    command.space = space;
    command.word2 = command.word3 = 0;
    command.metadata = 0;
    command.data[0] = command.data[1] = 0;
    command.word10 = command.word11 = 0;
    command.word12 = command.word13 = 0;
    command.word14 = command.word15 = 0;
}

/// The words of a command that say which sectors it is for.
void write_sectors(Command& command, Request const& request, IoRoom const& room) {
    u64 const first = request.sector + room.progress;
    u32 const count = std::min(request.count - room.progress, zeroes_max);
    command.word10 = static_cast<u32>(first);
    command.word11 = static_cast<u32>(first >> 32);
    bool const is_through = request.is_through && !mutant(Mutant::device_through_cached);
    command.word12 = (count - 1) | (is_through ? force_unit_access : 0);
}

} // namespace

/// The free slot at the front gets the request, and the controller its command, once that is rung.
Result<void> QueuePair::place(Request& request) {
    u16 const index = m_free_first;
    Slot& slot = m_slots[index];
    IoRoom& room = request.room<IoRoom>();
    Command& command = m_submissions[m_tail]; // which the controller does not look at yet
    begin(command, opcode_of(request.operation), slot.id, room.space);
    switch (request.operation) {
    case Operation::read:
    case Operation::write:
        TRY(map_data(request, slot, command));
        write_sectors(command, request, room);
        break;
    case Operation::write_zeroes:
        write_sectors(command, request, room);
        break;
    case Operation::deallocate:
        write_ranges(request, index, command);
        break;
    case Operation::flush:
        break;
    }
    note_time();
    m_free_first = slot.next;
    slot.request = &request;
    slot.state = SlotState::in_flight;
    slot.placed = m_now;
    room.sequence = m_sequence++;
    m_tail = m_tail + 1u == m_plan.entries ? u16{0} : static_cast<u16>(m_tail + 1);
    ++m_in_flight;
    ++m_unrung;
    ++m_counts.submitted;
    watch_until(due_of(slot));
    return {};
}

/// What is one piece in memory, as most requests are, is mapped without the slot's list of pieces.
Result<void> QueuePair::map_data(Request& request, Slot& slot, Command& command) {
    Segment const& first = request.segments[0];
    if (request.segments.size() != 1) {
        return map_pieces(request, slot, command);
    }
    auto const mapped =
        TRY(m_data.map(first.address, Bytes{first.bytes}, direction_of(request.operation)));
    slot.address = mapped.address;
    slot.bytes = first.bytes;
    slot.pieces = 1;
    u64 const at = mapped.address.value;
    constexpr u64 page_mask = page_size.value - 1;
    if (at % 4 == 0 && (at & page_mask) + first.bytes <= page_size.value) { // PRP 1 is enough
        command.data[0] = at;
        ++m_counts.descriptors;
        return {};
    }
    Piece const piece{mapped.address, first.bytes};
    return describe(request, slot, command, std::span(&piece, 1));
}

/// Has the command say where the pieces lie, which are mapped.
Result<void>
QueuePair::describe(Request& request, Slot& slot, Command& command, std::span<Piece const> pieces) {
    auto const data = point_to(command, pieces, m_plan.sgl, list_room(slot.id & slot_mask));
    if (!data) {
        unmap(slot, request);
        return data.error();
    }
    m_counts.descriptors += data.value().descriptors;
    m_counts.lists += data.value().has_list ? 1 : 0;
    return {};
}

Result<void> QueuePair::map_pieces(Request& request, Slot& slot, Command& command) {
    auto const pieces = pieces_of(slot.id & slot_mask);
    auto const segments = request.segments;
    slot.pieces = 0;
    for (usize i = 0; i < segments.size();) {
        PhysAddr const begin = segments[i].address;
        u32 bytes = 0;
        while (i < segments.size() && segments[i].address == begin + Bytes{bytes}) {
            bytes += segments[i++].bytes; // one piece, as far as they lie one behind the other
        }
        CHECK(slot.pieces < segments_max); // the geometry says so
        auto const mapped = m_data.map(begin, Bytes{bytes}, direction_of(request.operation));
        if (!mapped) {
            unmap(slot, request);
            return mapped.error();
        }
        pieces[slot.pieces++] = {mapped.value().address, bytes};
    }
    slot.address = pieces[0].address;
    slot.bytes = pieces[0].bytes;
    return describe(request, slot, command, pieces.first(slot.pieces));
}

void QueuePair::write_ranges(Request const& request, u16 index, Command& command) {
    ListRoom const list = list_room(index);
    Range const range{.blocks = request.count, .first = request.sector};
    std::memcpy(list.words.data(), &range, sizeof(range));
    command.data[0] = list.address.value;
    command.word10 = 0; // one range
    command.word11 = deallocate_attribute;
    ++m_counts.descriptors;
}

ListRoom QueuePair::list_room(u16 index) const {
    usize const words = m_memory.list_bytes.value / sizeof(u64);
    return {
        m_lists.subspan(words * index, words),
        m_memory.lists.address + m_memory.list_bytes * index};
}

Result<void> QueuePair::submit(Request& request) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (m_gate == Gate::dead) {
        return Error::io_failed;
    }
    if (m_gate != Gate::open || m_free_first == no_slot || !m_waiting.empty()) {
        m_waiting.push_back(request);
        ++m_counts.waited;
        return {};
    }
    TRY(place(request));
    ring_if_due();
    return {};
}

void QueuePair::hold() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    ++m_holds;
}

void QueuePair::release() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    CHECK(m_holds > 0);
    --m_holds;
    ring_if_due();
}

void QueuePair::ring_if_due() {
    if ((m_holds == 0 && !m_is_draining) || m_unrung >= batch_max) {
        ring();
    }
}

void QueuePair::ring() {
    if (m_unrung == 0 || m_gate != Gate::open) {
        return;
    }
    m_unrung = 0;
    m_knows_time = false;
    ++m_counts.submission_doorbells;
    hal::Memory::device_write_barrier();
    m_registers.write_32(m_tail_doorbell, m_tail);
}

bool QueuePair::can_place_waiting() const {
    return m_gate == Gate::open && m_free_first != no_slot && !m_waiting.empty();
}

/// As many of those that wait as there are slots, a few under each hold of the lock: nothing
/// interrupts while it is held. One whose memory cannot be mapped fails.
void QueuePair::place_all_waiting() {
    bool has_more = true;
    while (has_more) {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        u32 pieces = 0;
        for (u32 i = 0; i < place_max && pieces < pieces_max && can_place_waiting(); ++i) {
            Request& request = m_waiting.pop_front();
            pieces += static_cast<u32>(request.segments.size());
            if (auto const placed = place(request); !placed) {
                fail(request, placed.error());
            }
        }
        has_more = can_place_waiting();
    }
}

/// It is given back when completions are taken next.
void QueuePair::fail(Request& request, Error error) {
    request.room<IoRoom>().error = error;
    m_failed.push_back(request);
}

void QueuePair::unmap(Slot& slot, Request const& request) {
    DmaDirection const direction = direction_of(request.operation);
    if (slot.pieces == 1) {
        m_data.unmap({slot.address, Bytes{slot.bytes}, direction});
    } else {
        for (Piece const& piece : pieces_of(slot.id & slot_mask).first(slot.pieces)) {
            m_data.unmap({piece.address, Bytes{piece.bytes}, direction});
        }
    }
    slot.pieces = 0;
}

void QueuePair::read_time() {
    m_now = ticks(hal::Clock::now());
    m_knows_time = true;
}

u32 QueuePair::due_of(Slot const& slot) const {
    if (slot.state == SlotState::aborting) {
        return slot.placed + m_abort_time;
    }
    Nanos const own = slot.request->time_out;
    return slot.placed + (own == Nanos{} ? m_time_out : std::max(ticks(own), 1u));
}

void QueuePair::watch_sooner(u32 due) {
    if (mutant(Mutant::device_time_unlimited)) {
        return;
    }
    if (m_is_watched && !processor::TimerQueue::cancel(m_timer)) {
        return; // it is about to look
    }
    m_is_watched = true;
    m_watch_due = due;
    i64 const left = std::max<i64>(static_cast<i32>(due - m_now), 0);
    // `open` has seen that there is a clock.
    processor::start_timer(m_timer, hal::Clock::now() + Nanos{(left + 1) << 10}).value();
}

} // namespace twofold::nvme
