// Frames that wander between processors: through magazines and the zones behind them, and by being
// given back elsewhere than they were taken. Whoever has a frame writes to it without any lock, so
// each hand-over must order what was written before.
#include "tests/relacy/explore.hpp"

#include "core/memory/frames/buddy_frames.hpp"
#include "hal/memory.hpp"

#include <array>

namespace {

using namespace twofold;
using namespace twofold::literals;
using memory::BuddyFrames;

constexpr u64 tables_pages = 48;
constexpr u64 free_pages = 12; ///< less than both magazines would like, so they starve each other
constexpr u64 memory_pages = tables_pages + free_pages;
constexpr PhysAddr memory_base{4u << 20};

alignas(page_size.value) std::array<std::byte, memory_pages * page_size.value> physical_memory;

struct Wandering : rl::test_suite<Wandering, 2> {
    static constexpr usize held_max = 6;

    BuddyFrames* frames = nullptr;
    std::array<rl::var<int>, memory_pages> content;
    Atomic<u64> handed_over{0}; ///< a frame that the first thread took and the second gives back

    void before() {
        physical_memory.fill(std::byte{0});
        hal::MemoryRange const free[] = {
            {memory_base, page_size * memory_pages, hal::MemoryKind::usable}};
        frames = BuddyFrames::create({.free = free, .cpus = 2}).value();
        for (auto& value : content) {
            value(RL_INFO) = 0;
        }
        u64 const too_many = frames->statistics().free_frames - free_pages;
        frames->allocate({.pages = too_many}).value();
    }

    rl::var<int>& content_of(PhysAddr frame) {
        return content[(frame.value - memory_base.value) / page_size.value];
    }
    void give(PhysAddr frame) {
        RL_ASSERT(content_of(frame)(RL_INFO) == 1);
        content_of(frame)(RL_INFO) = 0;
        frames->free(frame, 0).value();
    }

    void thread(unsigned number) {
        std::array<PhysAddr, held_max> held{};
        usize count = 0;
        while (count < held_max) {
            auto const frame = frames->allocate(0u);
            if (!frame) {
                break; // the other has what there is
            }
            RL_ASSERT(content_of(frame.value())(RL_INFO) == 0);
            content_of(frame.value())(RL_INFO) = 1;
            held[count++] = frame.value();
        }
        if (number == 0 && count > 0) {
            handed_over.store(held[--count].value, release);
        } else if (u64 const other = handed_over.load(acquire); other != 0) {
            handed_over.store(0, relaxed);
            give({other});
        }
        while (count > 0) {
            give(held[--count]);
        }
    }

    void after() {
        if (u64 const left = handed_over.load(relaxed); left != 0) {
            give({left});
        }
        RL_ASSERT(!frames->validate().found());
    }
};

} // namespace

std::byte* hal::Memory::linear(PhysAddr address) {
    return physical_memory.data() + (address.value - memory_base.value);
}
void hal::Memory::zero_pages(void* target, Bytes size) {
    __builtin_memset(target, 0, size.value);
}

int main(int count, char** arguments) {
    return relacy::explore<Wandering>(
        {{"spin_lock_acquire", OrderSite::spin_lock_acquire},
         {"spin_lock_release", OrderSite::spin_lock_release}},
        count, arguments);
}
