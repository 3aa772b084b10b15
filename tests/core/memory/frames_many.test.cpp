// Frames on every processor at once: none has two owners, those freed elsewhere return, and the
// walker finds nothing.
#include "core/memory/memory.hpp"
#include "tests/core/memory/many.hpp"

using namespace twofold;
using memory::BuddyFrames;
using test::Mailbox;

namespace {

constexpr u64 frame_operations = 300;
constexpr usize frame_pieces_max = 24;
constexpr unsigned order_bits = 4;

/// A piece as one word: the order in the bits that an address of a frame does not have.
u64 pack(PhysAddr address, unsigned order) {
    return address.value | order;
}

/// What one processor holds; each piece begins with a word that says whose it is.
class FrameHolder {
public:
    FrameHolder(BuddyFrames& frames, Mailbox& mail, u32 cpu)
        : m_frames(frames), m_mail(mail), m_random(cpu + 1) {}

    void run() {
        for (u64 i = 0; i < frame_operations; ++i) {
            u64 const choice = m_random.below(8);
            if (choice < 4 && m_pieces.size() < frame_pieces_max) {
                allocate();
            } else if (choice < 7 && !m_pieces.empty()) {
                free(m_pieces.back());
                m_pieces.pop_back();
            } else if (!m_pieces.empty()) {
                u64 const other = m_mail.exchange(m_random.next(), m_pieces.back());
                m_pieces.pop_back();
                if (other != 0) {
                    free(other);
                }
            }
            sync::relax();
        }
        while (!m_pieces.empty()) {
            free(m_pieces.back());
            m_pieces.pop_back();
        }
        m_frames.drain();
    }
    void free(u64 piece) {
        auto const order = static_cast<unsigned>(piece & ((u64{1} << order_bits) - 1));
        PhysAddr const address{piece - order};
        wrong += *memory::frame_object<u64>(address) == mark(piece) ? 0 : 1;
        wrong += m_frames.free(address, order).has_value() ? 0 : 1;
    }

    u64 wrong = 0;

private:
    static u64 mark(u64 piece) { return ~piece * 0x9e37'79b9'7f4a'7c15; }
    void allocate() {
        auto const order = m_random.below(3) == 0 ? static_cast<unsigned>(m_random.below(5)) : 0u;
        auto const address = m_frames.allocate(order);
        if (!address) {
            wrong += address.error() == Error::out_of_memory ? 0 : 1;
            return;
        }
        u64 const piece = pack(address.value(), order);
        *memory::frame_object<u64>(address.value()) = mark(piece);
        m_pieces.push_back(piece).value();
    }

    BuddyFrames& m_frames;
    Mailbox& m_mail;
    Random m_random;
    FixedVector<u64, frame_pieces_max> m_pieces;
};

} // namespace

namespace {

/// Where every frame is once this processor holds none back. No second half takes any meanwhile.
auto drained_statistics(BuddyFrames& frames) {
    sync::NoPreemptGuard const undisturbed;
    frames.drain();
    return frames.statistics();
}

} // namespace

TEST(FramesMany, NoFrameHasTwoOwners) {
    BuddyFrames& frames = *boot::current_kernel().frames;
    test::on_every_cpu([&](u32) { frames.drain(); });
    auto const before = drained_statistics(frames);
    Mailbox mail;
    Atomic<u64> wrong{0};
    test::on_every_cpu([&](u32 index) {
        FrameHolder holder(frames, mail, index);
        holder.run();
        wrong.fetch_add(holder.wrong, relaxed);
    });
    FrameHolder last(frames, mail, 0);
    for (u64 slot = 0; slot < Mailbox::slots; ++slot) {
        if (u64 const piece = mail.exchange(slot, 0); piece != 0) {
            last.free(piece);
        }
    }
    auto const after = drained_statistics(frames);
    EXPECT_EQ(wrong.load(relaxed) + last.wrong, 0u);
    EXPECT_FALSE(frames.validate().found());
    EXPECT_EQ(after.free_frames, before.free_frames);
    EXPECT_EQ(after.cached_frames, 0u);
    EXPECT_EQ(after.allocations - before.allocations, after.frees - before.frees);
    for (unsigned order = 0; order < memory::order_count; ++order) {
        EXPECT_EQ(after.free_blocks[order], before.free_blocks[order]);
    }
}
