// Frames: an allocator of frames of its own, on a block of the kernel's. Nobody gets a frame that
// somebody else has; at the end every frame is back and joined with its buddies.
#include "apps/workloads/on_cpus.hpp"
#include "apps/workloads/rooms.hpp"
#include "core/memory/memory.hpp"
#include "hal/memory.hpp"

namespace twofold::workloads {

namespace {

using memory::BuddyFrames;
using memory::FrameContent;
using memory::FrameRequest;
using memory::FrameStatistics;

constexpr unsigned block_order = 8;
constexpr u64 block_pages = u64{1} << block_order;

class FramesWorkload {
public:
    explicit FramesWorkload(Run& run) : m_run(run) {}
    ~FramesWorkload() {
        if (m_block) {
            m_run.kernel.frames->free(*m_block, block_order).value();
        }
    }
    FramesWorkload(FramesWorkload const&) = delete;
    FramesWorkload& operator=(FramesWorkload const&) = delete;

    Result<void> begin(Check&) {
        m_block = TRY(m_run.kernel.frames->allocate(block_order));
        hal::MemoryRange const free[] = {
            {*m_block, page_size * block_pages, hal::MemoryKind::usable}};
        m_frames = TRY(BuddyFrames::create({.free = free, .cpus = m_run.cpus}));
        m_before = m_frames->statistics();
        return {};
    }

    void perform(Step& step) {
        Slot& slot = m_slots[step.thread][step.random.below(slots_of_thread)];
        u64 const what = step.random.below(100);
        if (what < 60) {
            slot.pages == 0 ? take_block(step, slot) : give(step, slot);
        } else if (what < 80) {
            slot.pages == 0 ? take_request(step, slot) : give(step, slot);
        } else if (what < 86) {
            exchange(step, slot);
        } else if (what < 93) {
            misuse(step, slot);
        } else if (what < 97) {
            m_frames->drain();
        } else {
            m_frames->ask_all_to_drain();
        }
    }

    void end(Check& check) {
        for (auto& slots : m_slots) {
            for (Slot& slot : slots) {
                give(check, slot);
            }
        }
        for (Atomic<u64>& mailbox : m_mailboxes) {
            Slot last = unpack(mailbox.exchange(0, acquire_release));
            give(check, last);
        }
        give_twice(check);
        on_each_cpu(m_run, [this] { m_frames->drain(); });
        FrameStatistics const now = m_frames->statistics();
        check.equal("free frames", m_before.free_frames, now.free_frames);
        check.equal("frames in magazines", 0, now.cached_frames);
        for (unsigned order = 0; order < memory::order_count; ++order) {
            if (now.free_blocks[order] != m_before.free_blocks[order]) {
                m_run.fail(
                    "free blocks of order {}: expected {}, came {}", order,
                    m_before.free_blocks[order], now.free_blocks[order]);
            }
        }
        check.equal("frees", now.allocations, now.frees);
        count_misuses(check, now);
        auto const defect = m_frames->validate();
        check.equal("defect of the zones", Answer(std::string_view()), Answer(defect.problem));
    }

private:
    static constexpr u32 misuses_in_a_row = 20;
    static constexpr usize slots_of_thread = 12;
    static constexpr usize mailboxes = 4;

    struct Slot {
        PhysAddr address{};
        u64 pages = 0; ///< 0: nothing
    };

    u64 index_of(PhysAddr address) const { return (address - *m_block) / page_size; }
    static u64& word_of(PhysAddr page) {
        return *room_for<u64>(hal::Memory::linear(page)); // frames hold whatever somebody writes
    }
    static u64 pack(Slot const& slot) { return slot.address.value | slot.pages; }
    static Slot unpack(u64 word) {
        return {{align_down(word, page_size.value)}, word % page_size.value};
    }

    /// Each page is marked, and has to be nobody's.
    void own(Check& check, Slot const& slot) {
        for (u64 page = 0; page < slot.pages; ++page) {
            PhysAddr const address = slot.address + page_size * page;
            u8 const before = m_owned[index_of(address)].exchange(1, relaxed);
            check.equal("owners of a frame that was given out", 0, before);
            word_of(address) = address.value;
        }
    }
    void disown(Check& check, Slot const& slot) {
        for (u64 page = 0; page < slot.pages; ++page) {
            PhysAddr const address = slot.address + page_size * page;
            check.equal("content of a frame", address.value, word_of(address));
            m_owned[index_of(address)].store(0, relaxed);
        }
    }
    /// What was given out lies in the block, aligned.
    bool is_sound(Check& check, Slot const& slot, Bytes alignment) {
        bool const lies_in = slot.address >= *m_block && index_of(slot.address) < block_pages &&
                             slot.pages <= block_pages - index_of(slot.address);
        return check.holds("frames lie in the block", lies_in) &&
               check.equal("place below the alignment", 0, slot.address.value % alignment.value);
    }

    void take_block(Step& step, Slot& slot) {
        unsigned const order = step.chance(70) ? 0 : static_cast<unsigned>(step.random.below(5));
        keep(step, slot, m_frames->allocate(order), u64{1} << order, page_size * (u64{1} << order));
    }
    void take_request(Step& step, Slot& slot) {
        FrameRequest request{
            .pages = 1 + step.random.below(11),
            .alignment = page_size * (u64{1} << step.random.below(4)),
            .content = step.chance(50) ? FrameContent::zeroed : FrameContent::undefined};
        if (step.chance(40)) {
            request.limit = *m_block + page_size * (4 + step.random.below(block_pages / 2));
        }
        auto const taken = m_frames->allocate(request);
        if (taken && request.content == FrameContent::zeroed) {
            for (u64 page = 0; page < request.pages; ++page) {
                step.equal("first word of zeros", 0, word_of(taken.value() + page_size * page));
            }
        }
        if (taken) {
            u64 const end = (taken.value() + page_size * request.pages).value;
            step.holds("frames end below the limit", end <= request.limit.value);
        }
        keep(step, slot, taken, request.pages, request.alignment);
    }
    void keep(Step& step, Slot& slot, Result<PhysAddr> const& taken, u64 pages, Bytes alignment) {
        if (!step.well("frames are taken", taken) || !taken) {
            return;
        }
        slot = {taken.value(), pages};
        if (is_sound(step, slot, alignment)) {
            own(step, slot);
        } else {
            slot = {};
        }
    }
    void give(Check& check, Slot& slot) {
        if (slot.pages == 0) {
            return;
        }
        disown(check, slot);
        Slot const given = std::exchange(slot, {});
        check.equal("frames go back", answer_ok, m_frames->free_pages(given.address, given.pages));
    }
    /// Another thread gives back what this one has taken.
    void exchange(Step& step, Slot& slot) {
        Atomic<u64>& mailbox = m_mailboxes[step.random.below(mailboxes)];
        slot = unpack(mailbox.exchange(pack(slot), acquire_release));
    }
    /// What is refused changes nothing: the model stays as it is.
    void misuse(Step& step, Slot& slot) {
        if (slot.pages == 0) {
            for (u32 i = 0; i < misuses_in_a_row; ++i) {
                refuse(
                    step, "a frame of nobody", Error::out_of_range, m_frames->free(PhysAddr{}, 0));
            }
            refuse(step, "no frames", Error::invalid_argument, m_frames->free_pages(*m_block, 0));
            return;
        }
        refuse(
            step, "a frame too many", Error::invalid_argument,
            m_frames->free_pages(slot.address, slot.pages + 1));
        if (slot.pages > 1) {
            refuse(
                step, "all but the first frame", Error::invalid_argument,
                m_frames->free_pages(slot.address + page_size, slot.pages - 1));
        }
    }
    void refuse(Check& check, std::string_view what, Error expected, Result<void> const& came) {
        check.equal(what, expected, came);
        m_misuses.fetch_add(1, relaxed);
    }
    void give_twice(Check& check) {
        auto const taken = m_frames->allocate(2);
        if (check.well("a last block", taken) && taken) {
            check.equal("it goes back", answer_ok, m_frames->free(taken.value(), 2));
            refuse(
                check, "it goes back again", Error::invalid_state,
                m_frames->free(taken.value(), 2));
        }
    }
    void count_misuses(Check& check, FrameStatistics const& now) {
        u64 counted = 0;
        for (u64 const misuses : now.misuses) {
            counted += misuses;
        }
        check.equal("misuses counted", m_misuses.load(relaxed), counted);
    }

    Run& m_run;
    std::optional<PhysAddr> m_block;
    BuddyFrames* m_frames = nullptr;
    FrameStatistics m_before;
    Slot m_slots[threads_max][slots_of_thread];
    Atomic<u64> m_mailboxes[mailboxes];
    Atomic<u64> m_misuses{0};
    Atomic<u8> m_owned[block_pages];
};

} // namespace

constinit Workload const frames_workload = workload_of<FramesWorkload>(
    {.name = "frames",
     .about = "blocks and single frames, magazines and draining, from an allocator of its own",
     .operations = 96});

} // namespace twofold::workloads
