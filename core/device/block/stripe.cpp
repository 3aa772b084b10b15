// See stripe.hpp.
#include "core/device/block/stripe.hpp"

#include "core/device/block/transfer.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <bit>

namespace twofold::block {

namespace {

/// What all members bear. The first one's lengths are all the others'.
Geometry shared_by(Stripe::Members const& members, stripe_format::Member const& format) {
    Geometry shared = members[0]->geometry();
    for (DiskUse const& member : members) {
        Geometry const& each = member->geometry();
        shared.physical_sector_bytes =
            std::max(shared.physical_sector_bytes, each.physical_sector_bytes);
        shared.sectors_max = std::min(shared.sectors_max, each.sectors_max);
        shared.segments_max = std::min(shared.segments_max, each.segments_max);
        shared.segment_alignment = std::max(shared.segment_alignment, each.segment_alignment);
        shared.has_volatile_cache = shared.has_volatile_cache || each.has_volatile_cache;
        shared.can_deallocate = shared.can_deallocate && each.can_deallocate;
        shared.can_write_zeroes = shared.can_write_zeroes && each.can_write_zeroes;
        shared.is_read_only = shared.is_read_only || each.is_read_only;
    }
    shared.segments_max = std::min(shared.segments_max, Child::segments_max);
    shared.sectors = format.data_bytes / shared.sector_bytes * format.members;
    return shared;
}

/// A page to read and write what a member begins with.
class BlockPage {
public:
    explicit BlockPage(memory::BuddyFrames& frames)
        : m_frames(frames), m_place(frames.allocate({.pages = 1})) {}
    ~BlockPage() {
        if (m_place) {
            m_frames.free_pages(m_place.value(), 1).value(); // taken above
        }
    }
    BlockPage(BlockPage const&) = delete;
    BlockPage& operator=(BlockPage const&) = delete;

    Result<void> is_there() const { return m_place ? Result<void>() : m_place.error(); }
    Segment segment() const { return {m_place.value(), stripe_format::block_bytes}; }
    std::span<std::byte> bytes() const {
        return {hal::Memory::linear(m_place.value()), stripe_format::block_bytes};
    }

private:
    memory::BuddyFrames& m_frames;
    Result<PhysAddr> m_place;
};
static_assert(stripe_format::block_bytes == page_size.value);

u64 bytes_of(Device& device) {
    return device.geometry().sectors * device.geometry().sector_bytes;
}

} // namespace

Stripe::Stripe(
    memory::KernelHeap& heap,
    Completions& completions,
    stripe_format::Member const& format,
    Members members)
    : m_heap(heap),
      m_name(format.name),
      m_id(format.id),
      m_members(std::move(members)),
      m_geometry(shared_by(m_members, format)),
      m_chunk_shift(static_cast<u32>(
          std::countr_zero(format.chunk_bytes) - std::countr_zero(m_geometry.sector_bytes))),
      m_data_sector(stripe_format::data_offset / m_geometry.sector_bytes),
      m_pieces(completions, *this) {}

Result<Stripe*> Stripe::open(
    memory::KernelHeap& heap,
    Completions& completions,
    stripe_format::Member const& format,
    Members members) {
    CHECK(members.size() == format.members);
    u32 const sector_bytes = members[0]->geometry().sector_bytes;
    for (DiskUse const& member : members) {
        Geometry const& each = member->geometry();
        // So that what lies in a chunk is always one piece.
        bool const takes_any = each.segment_boundary == 1 && each.segment_alignment <= sector_bytes;
        if (each.sector_bytes != sector_bytes || !takes_any || format.chunk_bytes < sector_bytes) {
            return Error::not_supported;
        }
    }
    auto* const room = TRY(memory::allocate_room<Stripe>(heap, 1));
    auto* const stripe = new (room) Stripe(heap, completions, format, std::move(members));
    if (auto const opened = stripe->m_pieces.open(heap); !opened) {
        stripe->close();
        return opened.error();
    }
    return stripe;
}

void Stripe::close() {
    memory::KernelHeap& heap = m_heap;
    m_pieces.close(heap);
    this->~Stripe();
    memory::free_room(heap, this);
}

Stripe::Place Stripe::place_of(u64 sector) const {
    u64 const inside = sector & ((u64{1} << m_chunk_shift) - 1);
    u64 const chunk = sector >> m_chunk_shift;
    u32 const count = members();
    // A power of two of members is the usual number, and needs no division.
    bool const is_power = is_power_of_two(count);
    u64 const row = is_power ? chunk >> std::countr_zero(count) : chunk / count;
    return {
        .member = static_cast<u32>(chunk - row * count),
        .sector = m_data_sector + (row << m_chunk_shift) + inside,
        .left = (u64{1} << m_chunk_shift) - inside};
}

bool Stripe::is_in_one_chunk(Request const& request) const {
    return (request.sector & ((u64{1} << m_chunk_shift) - 1)) + request.count <=
           u64{1} << m_chunk_shift;
}

Result<void> Stripe::submit(Request& request) {
    TRY(check(request, m_geometry));
    if (request.operation == Operation::flush) {
        m_pieces.begin(request, members());
        return {};
    }
    if (is_in_one_chunk(request) && request.layers_left() > Request::layers_of_disk) {
        return pass_on(request);
    }
    u64 const first = request.sector >> m_chunk_shift;
    u64 const last = (request.sector + request.count - 1) >> m_chunk_shift;
    m_pieces.begin(request, static_cast<u32>(last - first + 1));
    return {};
}

Result<void> Stripe::pass_on(Request& request) {
    Place const place = place_of(request.sector);
    // NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
    auto const finish = [](Request& ended, Result<void> outcome) {
        ended.sector = ended.pop();
        ended.done(ended, outcome);
    };
    request.push(finish, nullptr, request.sector);
    request.sector = place.sector;
    auto const begun = m_members[place.member]->submit(request);
    if (!begun) {
        request.sector = request.pop();
    }
    return begun;
}

Device& Stripe::next_piece(Request const& parent, PieceState& state, Child& child) {
    if (parent.operation == Operation::flush) {
        child.sector = 0;
        child.count = 0;
        child.segments = {};
        return *m_members[state.begun];
    }
    Place const place = place_of(parent.sector + state.place.sectors);
    child.sector = place.sector;
    u32 const most =
        static_cast<u32>(std::min<u64>(place.left, parent.count - state.place.sectors));
    if (has_data(parent.operation)) {
        Geometry chunk = m_geometry;
        chunk.sectors_max = most;
        Piece const piece = cut(parent, chunk, state.place, child.pieces).value();
        child.count = piece.sectors;
        child.segments = std::span(child.pieces).first(piece.segments);
    } else {
        state.place.sectors += most;
        child.count = most;
        child.segments = {};
    }
    return *m_members[place.member];
}

void Stripe::hold() {
    for (DiskUse const& member : m_members) {
        member->hold();
    }
}

void Stripe::release() {
    for (DiskUse const& member : m_members) {
        member->release();
    }
}

u32 Stripe::poll() {
    u32 count = 0;
    for (DiskUse const& member : m_members) {
        count += member->poll();
    }
    return count;
}

/// As long as any of them wants: those that are done meanwhile are taken, too.
Nanos Stripe::poll_time() const {
    Nanos longest{};
    for (DiskUse const& member : m_members) {
        longest = std::max(longest, member->poll_time());
    }
    return longest;
}

Result<void> write_members(
    memory::BuddyFrames& frames, stripe_format::Member& format, Stripe::Members const& members) {
    bool const is_sane =
        members.size() >= stripe_format::members_min && is_power_of_two(format.chunk_bytes) &&
        format.chunk_bytes >= stripe_format::chunk_min &&
        format.chunk_bytes <= stripe_format::chunk_max && !format.name.view().empty();
    if (!is_sane) {
        return Error::invalid_argument;
    }
    u64 least = ~u64{0};
    for (DiskUse const& member : members) {
        least = std::min(least, bytes_of(*member));
    }
    if (least < stripe_format::data_offset + format.chunk_bytes) {
        return Error::no_space;
    }
    format.members = static_cast<u32>(members.size());
    format.data_bytes = align_down(least - stripe_format::data_offset, format.chunk_bytes);
    format.generation = std::max<u64>(format.generation, 1);
    BlockPage page(frames);
    TRY(page.is_there());
    for (usize i = 0; i < members.size(); ++i) {
        format.number = static_cast<u32>(i);
        stripe_format::write_member(format, 0, page.bytes());
        TRY(write_block(*members[i], 0, page.segment()));
        TRY(flush(*members[i]));
    }
    return {};
}

Result<stripe_format::Member> read_member(memory::BuddyFrames& frames, Device& disk) {
    if (bytes_of(disk) < stripe_format::data_offset) {
        return Error::not_found;
    }
    BlockPage page(frames);
    TRY(page.is_there());
    TRY(read_block(disk, 0, page.segment()));
    return stripe_format::read_member(page.bytes(), 0, bytes_of(disk));
}

} // namespace twofold::block
