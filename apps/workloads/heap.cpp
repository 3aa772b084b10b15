// The heap: blocks of all sizes come, grow, shrink and go, on the processor that took them or on
// another one. No block overlaps another, what is written stays, and nothing is lost.
#include "apps/workloads/rooms.hpp"
#include "core/memory/memory.hpp"

namespace twofold::workloads {

namespace {

using memory::KernelHeap;

class HeapWorkload {
public:
    explicit HeapWorkload(Run& run) : m_run(run), m_heap(run.heap()) {}
    HeapWorkload(HeapWorkload const&) = delete;
    HeapWorkload& operator=(HeapWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    void perform(Step& step) {
        Block& block = m_slots[step.thread][step.random.below(slots_of_thread)];
        u64 const what = step.random.below(100);
        if (what < 45) {
            block.place == nullptr ? take(step, block) : give(step, block);
        } else if (what < 65) {
            block.place == nullptr ? take(step, block) : resize(step, block);
        } else if (what < 75) {
            exchange(step, block);
        } else if (what < 90) {
            hand_over_row(step);
        } else if (what < 92) {
            flood(step);
        } else if (what < 98) {
            misuse(step, block);
        } else {
            m_heap.trim();
        }
    }

    void end(Check& check) {
        for (auto& slots : m_slots) {
            for (Block& block : slots) {
                give(check, block);
            }
        }
        for (Atomic<Block*>& mailbox : m_mailboxes) {
            if (Block* const last = mailbox.exchange(nullptr, acquire)) {
                give(check, *last);
                memory::free_room(m_heap, last);
            }
        }
        for (Atomic<Link*>& row : m_rows) {
            give_row(check, row.exchange(nullptr, acquire));
        }
        give_twice(check);
        check.equal("the walk over the heap", answer_ok, m_heap.verify());
    }

private:
    static constexpr usize slots_of_thread = 24;
    static constexpr usize mailboxes = 4;
    static constexpr u64 flood_blocks = 1'300;
    static constexpr u64 row_least = 64,
                         row_most = 90; ///< blocks of one size that go from hand to hand

    struct Block {
        std::byte* place = nullptr;
        u64 size = 0;
        u64 pattern = 0;
    };
    /// At the beginning of each block of a row.
    struct Link {
        Link* next;
        u64 pattern;
    };

    static std::byte byte_at(Block const& block, u64 index) {
        return static_cast<std::byte>(block.pattern >> index % 8 * 8 ^ index);
    }
    static void fill(Block const& block, u64 from) {
        for (u64 i = from; i < block.size; ++i) {
            std::span(block.place, block.size)[i] = byte_at(block, i);
        }
    }
    static bool is_whole(Block const& block, u64 size) {
        for (u64 i = 0; i < size; ++i) {
            if (std::span(block.place, size)[i] != byte_at(block, i)) {
                return false;
            }
        }
        return true;
    }
    static u64 random_size(Step& step) {
        u64 const most = step.chance(70) ? 400 : step.chance(80) ? 4'000 : 40'000;
        return 1 + step.random.below(most);
    }

    void take(Step& step, Block& block) {
        u64 const size = random_size(step);
        u64 const alignment = step.chance(80) ? 16 : u64{16} << step.random.below(9);
        auto const taken = m_heap.allocate({size}, {alignment});
        if (!step.well("a block is taken", taken) || !taken) {
            return;
        }
        block = {taken.value(), size, step.random.next()};
        step.equal(
            "place below the alignment", 0, hal::kernel_address(block.place).value % alignment);
        auto const usable = m_heap.usable_size(block.place);
        step.holds("it is as large as was asked", usable && usable.value().value >= size);
        fill(block, 0);
    }
    void give(Check& check, Block& block) {
        if (block.place == nullptr) {
            return;
        }
        check.holds("content of a block that goes back", is_whole(block, block.size));
        check.equal("a block goes back", answer_ok, m_heap.free(block.place));
        block = {};
    }
    void resize(Step& step, Block& block) {
        u64 const size = random_size(step);
        auto const moved = m_heap.resize(block.place, {size}, memory::default_alignment);
        if (step.well("a block gets another size", moved) && moved) {
            u64 const before = std::exchange(block.size, size);
            block.place = moved.value();
            u64 const kept = std::min(before, size);
            step.holds("content of a block that was resized", is_whole(block, kept));
            fill(block, kept);
        }
    }
    /// Another thread goes on with the block.
    void exchange(Step& step, Block& block) {
        auto const room = memory::allocate_room<Block>(m_heap, 1);
        if (!room) {
            step.well("room for a message", room);
            return;
        }
        Block* const sent = new (room.value()) Block(block);
        Atomic<Block*>& mailbox = m_mailboxes[step.random.below(mailboxes)];
        Block* const received = mailbox.exchange(sent, acquire_release);
        block = received != nullptr ? *received : Block{};
        if (received != nullptr) {
            memory::free_room(m_heap, received);
        }
    }
    /// Takes a row of blocks of one size, and gives the one back that somebody left before: so
    /// whole magazines go from processor to processor.
    void hand_over_row(Step& step) {
        Link* const row = take_row(
            step, 16 * (1 + step.random.below(3)), step.random.between(row_least, row_most));
        give_row(step, m_rows[step.random.below(mailboxes)].exchange(row, acquire_release));
    }
    /// More blocks than caches and depot keep of a size.
    void flood(Step& step) { give_row(step, take_row(step, 16, flood_blocks)); }

    Link* take_row(Step& step, u64 size, u64 count) {
        u64 const pattern = step.random.next();
        Link* first = nullptr;
        for (u64 i = 0; i < count; ++i) {
            auto const taken = m_heap.allocate({size}, memory::default_alignment);
            if (!step.well("a block of a row", taken) || !taken) {
                break;
            }
            first = new (static_cast<void*>(taken.value())) Link{first, pattern};
        }
        for (Link const* link = first; link != nullptr; link = link->next) {
            if (!step.equal("content of a block of a row", pattern, link->pattern)) {
                return nullptr;
            }
        }
        return first;
    }
    void give_row(Check& check, Link* link) {
        u64 const pattern = link != nullptr ? link->pattern : 0;
        while (link != nullptr) {
            if (!check.equal("content of a row that goes back", pattern, link->pattern)) {
                return; // what it leads to is somebody else's
            }
            Link* const next = link->next;
            check.equal(
                "a block of a row goes back", answer_ok,
                m_heap.free(room_for<std::byte>(static_cast<void*>(link))));
            link = next;
        }
    }
    void misuse(Step& step, Block const& block) {
        if (block.place == nullptr) {
            auto const nothing = m_heap.allocate({0}, memory::default_alignment);
            if (nothing || nothing.error() != Error::out_of_memory) {
                step.equal("no bytes", Error::invalid_argument, nothing);
            }
            std::byte outside[32]{};
            step.equal("a foreign block", Error::out_of_range, m_heap.free(outside));
        } else if (block.size > 16) {
            step.equal(
                "the middle of a block", Error::invalid_argument,
                m_heap.free(std::span(block.place, block.size).subspan(16).data()));
        }
    }
    void give_twice(Check& check) {
        for (u64 const size : {u64{48}, u64{500}, u64{3'000}, u64{20'000}}) {
            auto const taken = m_heap.allocate({size}, memory::default_alignment);
            if (check.well("a last block", taken) && taken) {
                check.equal("it goes back", answer_ok, m_heap.free(taken.value()));
                check.equal("it goes back again", Error::invalid_state, m_heap.free(taken.value()));
            }
        }
    }

    Run& m_run;
    KernelHeap& m_heap;
    Block m_slots[threads_max][slots_of_thread];
    Atomic<Block*> m_mailboxes[mailboxes];
    Atomic<Link*> m_rows[mailboxes];
};

} // namespace

constinit Workload const heap_workload = workload_of<HeapWorkload>(
    {.name = "heap",
     .about = "blocks that come, grow, shrink and go, also on another processor than they came",
     .operations = 80});

} // namespace twofold::workloads
