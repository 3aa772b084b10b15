// One disk over several (RAID-0): chunk after chunk lies on member after member, so that a long
// transfer is all members' work. It is gone when one member is.
//
// A request inside of one chunk is passed on as it is. One of several is performed in pieces
// (pieces.hpp), a chunk each; what follows on a member its queue puts together again. A flush goes
// to all members.
#pragma once

#include "core/device/block/disks.hpp"
#include "core/device/block/pieces.hpp"
#include "core/device/block/stripe_format.hpp"

namespace twofold::block {

class Stripe final : public Device, private PieceMaker {
public:
    static constexpr u32 members_max = stripe_format::members_max;
    using Members = FixedVector<DiskUse, members_max>;

    /// Over the members in their order, which are used as long as it lives and were written by
    /// `write_members`, or say the same. In memory of the heap, until it is closed. Context thread.
    /// Errors: not_supported (their sectors are not of one length, or the chunk is no number of
    /// them), out_of_memory.
    static Result<Stripe*> open(
        memory::KernelHeap& heap,
        Completions& completions,
        stripe_format::Member const& format,
        Members members);

    Geometry const& geometry() const override { return m_geometry; }
    std::string_view name() const override { return m_name; }
    Result<void> submit(Request& request) override;
    void hold() override;
    void release() override;
    u32 poll() override;
    Nanos poll_time() const override;
    void close() override;

    stripe_format::Id const& id() const { return m_id; }
    /// The disks that it lies on, in their order.
    Members const& disks() const { return m_members; }
    u32 members() const { return static_cast<u32>(m_members.size()); }

private:
    Stripe(
        memory::KernelHeap& heap,
        Completions& completions,
        stripe_format::Member const& format,
        Members members);
    ~Stripe() = default;

    /// Where a sector lies, and how many follow it in its chunk, itself included.
    struct Place {
        u32 member = 0;
        u64 sector = 0;
        u64 left = 0;
    };
    Place place_of(u64 sector) const;
    bool is_in_one_chunk(Request const& request) const;
    Result<void> pass_on(Request& request);
    Device& next_piece(Request const& parent, PieceState& state, Child& child) override;

    memory::KernelHeap& m_heap;
    FixedString<32> m_name;
    stripe_format::Id m_id;
    Members m_members;
    Geometry m_geometry;
    u32 m_chunk_shift = 0; ///< from sectors to chunks
    u64 m_data_sector = 0; ///< of each member
    Pieces m_pieces;
};

/// Makes the disks members of a new stripe: what they hold is lost. `format` needs id, chunk and
/// name. Fills the rest of it, but for the number. Context thread. Errors: invalid_argument (too
/// few or many disks, a chunk that is none), no_space (a disk is too small), permission_denied,
/// out_of_memory, those of the disks.
Result<void> write_members(
    memory::BuddyFrames& frames, stripe_format::Member& format, Stripe::Members const& members);

/// What a disk says, where it is a member of a stripe. Context thread. Errors: those of
/// read_member, not_found where the disk is too small, those of the disk.
Result<stripe_format::Member> read_member(memory::BuddyFrames& frames, Device& disk);

} // namespace twofold::block
