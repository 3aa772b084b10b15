// Address spaces of a kernel on the hosted machine, seen from the host: however many pages it maps,
// the process stays under the host's limit on mappings.
#include "core/memory/memory.hpp"
#include "hal/cpu.hpp"
#include "hal/memory.hpp"
#include "hal/power.hpp"
#include "tests/hal/hosted/probe.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <vector>

namespace {

using namespace hosted;
using namespace hosted::test;
using namespace twofold;

constexpr u64 pages = (u64{512} << 20) / page_size.value;
constexpr usize host_limit = 65'530;

usize host_mappings() {
    std::ifstream file("/proc/self/maps");
    usize count = 0;
    for (std::string line; std::getline(file, line);) {
        ++count;
    }
    return count;
}

/// The page numbers, shuffled.
std::vector<u32> shuffled(u64 seed) {
    std::vector<u32> order(pages);
    std::iota(order.begin(), order.end(), 0);
    Random random(seed);
    for (usize i = order.size(); i > 1; --i) {
        std::swap(order[i - 1], order[random.below(i)]);
    }
    return order;
}

/// The probe's frames, upwards; freed ones are not used again.
struct ProbeFrames {
    Probe& probe;
    Result<PhysAddr> allocate(unsigned order) {
        return order == 0 ? Result<PhysAddr>(PhysAddr{probe.take_frame()})
                          : Result<PhysAddr>(Error::not_supported);
    }
    Result<void> free(PhysAddr, unsigned) { return {}; }
};

struct Seen : Probe {
    std::vector<u32> first = shuffled(1), second = shuffled(2);
    memory::KernelSpace* space = nullptr;
    u64 wrong = 0, stale = 0, zeroed = 0;
    bool mapped = false, sound = false, unmapped = false;
};

u64 volatile& word_at(VirtAddr page) {
    return *reinterpret_cast<u64 volatile*>(page.value);
}

void touch_everything(Seen& out) {
    memory::AddressSpace& space = out.space->space();
    VirtAddr const base = out.space->find_view(page_size * pages, page_size).value();
    out.mapped =
        space.map_zero(base, page_size * pages, memory::PageAccess::read_write).has_value();
    for (u32 const page : out.first) {
        auto& word = word_at(base + page_size * page);
        word = word + page + 1;
    }
    hal::Cpu::idle();
    for (u32 const page : out.second) {
        out.wrong += word_at(base + page_size * page) == page + 1 ? 0 : 1;
    }
    out.stale = hal::Mmu::count_stale();
    out.sound = space.check().has_value();
    out.zeroed = space.statistics().zeroed;
    out.unmapped = space.unmap(base, page_size * pages).has_value();
    out.stale += hal::Mmu::count_stale();
}

TEST(HostedSpaces, SingleFramesInRandomOrderStayUnderTheHostsLimit) {
    Seen seen;
    seen.body = [](Probe& self, hal::BootInfo const&) {
        auto& out = static_cast<Seen&>(self);
        using Count = memory::SharedFrames::Count;
        u64 const counts = out.end_of_frames / page_size.value;
        PhysAddr const place{out.next_frame};
        for (u64 taken = 0; taken < counts * sizeof(Count); taken += page_size.value) {
            out.take_frame();
        }
        ProbeFrames source{out};
        memory::SharedFrames frames(
            memory::FrameSupply(source), {memory::frame_object<Count>(place), counts});
        auto adopted = memory::KernelSpace::adopt(frames, hal::Mmu::root(), hal::Layout::current());
        if (!adopted) {
            hal::Power::exit(1);
        }
        out.space = &adopted.value();
        touch_everything(out);
        hal::Power::exit(0);
    };
    seen.on_fault = [](Probe& self, hal::Fault const& fault) {
        auto& out = static_cast<Seen&>(self);
        if (!out.space->resolve(fault.address, {.write = fault.cause.write})) {
            hal::Power::exit(2);
        }
        return hal::FaultAction{hal::FaultAction::Kind::retry, nullptr};
    };
    MachineConfig config;
    config.memory_bytes = u64{560} << 20;
    MemoryConsole console;
    auto const machine = make_machine(seen, console, config);
    ASSERT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    usize const mappings = host_mappings();
    EXPECT_GT(mappings, 8000u) << "the pages were mapped one by one";
    EXPECT_LT(mappings, host_limit);
    EXPECT_GT(machine->mmu_statistics().evictions, pages / 2);
    Stop const stop = machine->run();
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(stop.status, 0);
    EXPECT_TRUE(seen.mapped && seen.sound && seen.unmapped);
    EXPECT_EQ(seen.zeroed, pages);
    EXPECT_EQ(seen.wrong, 0u);
    EXPECT_EQ(seen.stale, 0u);
    EXPECT_LT(host_mappings(), host_limit);
}

} // namespace
