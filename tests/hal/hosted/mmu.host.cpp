// The hosted MMU is a TLB: filled by walking the kernel's tables, stale until flushed, bounded.
#include "hal/mmu.hpp"

#include "hal/cpu.hpp"
#include "hal/memory.hpp"
#include "hal/power.hpp"
#include "tests/hal/hosted/probe.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace {

using namespace hosted;
using namespace hosted::test;
using namespace twofold;

u64 heap_address(u64 offset = 0) {
    return hal::Layout::current().heap.base.value + offset;
}

u64 volatile& word_at(u64 address) {
    return *reinterpret_cast<u64 volatile*>(address);
}
void read_word(void* address) {
    u64 word;
    asm volatile("movq (%1), %0" : "=r"(word) : "r"(address) : "memory");
}
u64& physical_word(u64 frame) {
    return *reinterpret_cast<u64*>(hal::Memory::linear({frame}));
}

usize host_mappings() {
    std::ifstream file("/proc/self/maps");
    usize count = 0;
    for (std::string line; std::getline(file, line);) {
        ++count;
    }
    return count;
}

TEST(HostedMmu, AChangedEntryStaysStaleUntilItIsFlushed) {
    struct Seen : Probe {
        u64 first, stale, fresh, gone_stale;
        bool gone;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const&) {
        auto& out = static_cast<Seen&>(self);
        u64 const a = out.take_frame();
        u64 const b = out.take_frame();
        physical_word(a) = 1;
        physical_word(b) = 2;
        u64 const address = heap_address();
        out.map(address, a, hal::Access::write);
        out.first = word_at(address);
        out.map(address, b, hal::Access::write);
        out.stale = word_at(address);
        hal::Mmu::flush({address}, page_size);
        out.fresh = word_at(address);
        out.set_entry(address, 0);
        out.gone_stale = word_at(address);
        hal::Mmu::flush({address}, page_size);
        out.gone = !out.guarded(read_word, reinterpret_cast<void*>(address));
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_EQ(seen.first, 1u);
    EXPECT_EQ(seen.stale, 1u);
    EXPECT_EQ(seen.fresh, 2u);
    EXPECT_EQ(seen.gone_stale, 2u);
    EXPECT_TRUE(seen.gone);
}

TEST(HostedMmu, TheOracleFindsEveryKindOfStaleTranslation) {
    struct Seen : Probe {
        u64 fresh, more_rights, fewer_rights, other_frame, gone, other_size, flushed;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const&) {
        auto& out = static_cast<Seen&>(self);
        u64 const large = u64{2} << 20;
        u64 const a = align_up(out.take_frame(), large);
        out.next_frame = a + large;
        u64 const b = out.take_frame();
        u64 const address = align_up(heap_address(), large);
        out.map(address, a, hal::Access::read);
        read_word(reinterpret_cast<void*>(address));
        out.fresh = hal::Mmu::count_stale();
        out.map(address, a, hal::Access::write);
        out.more_rights = hal::Mmu::count_stale();
        word_at(address) = 1;
        out.map(address, a, hal::Access::read);
        out.fewer_rights = hal::Mmu::count_stale();
        out.map(address, b, hal::Access::write);
        out.other_frame = hal::Mmu::count_stale();
        out.set_entry(address, 0);
        out.gone = hal::Mmu::count_stale();
        out.map(address, a, hal::Access::write, 1);
        out.other_size = hal::Mmu::count_stale();
        hal::Mmu::flush({address}, page_size);
        out.flushed = hal::Mmu::count_stale();
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_EQ(seen.fresh, 0u);
    EXPECT_EQ(seen.more_rights, 0u) << "fewer than there are is no harm";
    EXPECT_EQ(seen.fewer_rights, 1u);
    EXPECT_EQ(seen.other_frame, 1u);
    EXPECT_EQ(seen.gone, 1u);
    EXPECT_EQ(seen.other_size, 1u);
    EXPECT_EQ(seen.flushed, 0u);
}

TEST(HostedMmu, MoreRightsNeedNoFlushFewerDo) {
    struct Seen : Probe {
        bool upgraded, stale_write, denied;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const&) {
        auto& out = static_cast<Seen&>(self);
        u64 const frame = out.take_frame();
        u64 const address = heap_address();
        auto const try_write = [&] {
            return out.guarded(
                [](void* at) { word_at(reinterpret_cast<u64>(at)) = 5; },
                reinterpret_cast<void*>(address));
        };
        out.map(address, frame, hal::Access::read);
        read_word(reinterpret_cast<void*>(address));
        out.map(address, frame, hal::Access::write);
        out.upgraded = try_write();
        out.map(address, frame, hal::Access::read);
        out.stale_write = try_write();
        hal::Mmu::flush({address}, page_size);
        out.denied = !try_write();
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_TRUE(seen.upgraded);
    EXPECT_TRUE(seen.stale_write);
    EXPECT_TRUE(seen.denied);
}

TEST(HostedMmu, ALeafIsFilledWhole) {
    Probe probe;
    probe.body = [](Probe& self, hal::BootInfo const&) {
        u64 const large = u64{2} << 20;
        u64 const frame = align_up(self.take_frame(), large);
        u64 const address = align_up(heap_address(), large);
        self.map(address, frame, hal::Access::write, 1);
        for (u64 offset = 0; offset < large; offset += page_size.value) {
            word_at(address + offset) = offset;
        }
        hal::Cpu::idle();
        hal::Mmu::flush({address + 5 * page_size.value}, page_size); // drops the whole leaf
        hal::Cpu::idle();
        if (word_at(address + large - 8) != 0 || word_at(address + large - 4096) != large - 4096) {
            hal::Power::exit(1);
        }
    };
    MemoryConsole console;
    auto const machine = make_machine(probe, console);
    ASSERT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    EXPECT_LT(machine->mmu_statistics().fills, 20u) << "512 pages, one translation";
    u32 const cached = machine->cached_translations();
    u64 const fills = machine->mmu_statistics().fills;
    ASSERT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    EXPECT_EQ(machine->cached_translations(), cached - 1);
    EXPECT_EQ(machine->mmu_statistics().flushes, 1u);
    EXPECT_EQ(machine->run().status, 0);
    EXPECT_EQ(machine->mmu_statistics().fills, fills + 1);
}

TEST(HostedMmu, ALeafAcrossTheEndOfMemoryIsFilledAsFarAsItGoes) {
    struct Seen : Probe {
        bool inside, outside;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const&) {
        auto& out = static_cast<Seen&>(self);
        u64 const large = u64{2} << 20;
        u64 const address = align_up(heap_address(), large);
        out.map(address, u64{32} << 20, hal::Access::write, 1);
        auto const touch = [](void* at) { word_at(reinterpret_cast<u64>(at)) = 1; };
        out.inside = out.guarded(touch, reinterpret_cast<void*>(address + (u64{1} << 20) - 8));
        out.outside = out.guarded(touch, reinterpret_cast<void*>(address + (u64{1} << 20)));
    };
    MachineConfig config;
    config.memory_bytes = u64{33} << 20;
    ASSERT_EQ(run_probe(seen, config).kind, Stop::Kind::exited);
    EXPECT_TRUE(seen.inside);
    EXPECT_FALSE(seen.outside);
    EXPECT_EQ(seen.kind, hal::FaultKind::physical);
}

TEST(HostedMmu, EvictsLongBeforeTheHostsLimit) {
    Probe probe;
    constexpr u64 pages = 20'000;
    probe.body = [](Probe& self, hal::BootInfo const&) {
        // Adjacent pages of distant frames, so that the host cannot merge the mappings.
        u64 const frames = self.next_frame;
        self.next_frame += pages / 2 * page_size.value;
        for (u64 page = 0; page < pages; ++page) {
            u64 const frame = frames + (page * 7919 % (pages / 2)) * page_size.value;
            self.map(heap_address(page * page_size.value), frame, hal::Access::write);
            word_at(heap_address(page * page_size.value)) = page * 7919 % (pages / 2);
        }
        hal::Cpu::idle();
        for (u64 page = 0; page < pages; ++page) {
            if (word_at(heap_address(page * page_size.value)) != page * 7919 % (pages / 2)) {
                hal::Power::exit(1);
            }
        }
        hal::Mmu::flush({heap_address()}, Bytes{pages * page_size.value});
    };
    MemoryConsole console;
    MachineConfig config;
    config.memory_bytes = u64{128} << 20;
    usize const before = host_mappings();
    auto const machine = make_machine(probe, console, config);
    ASSERT_EQ(machine->run().kind, Stop::Kind::waiting_for_input);
    EXPECT_GT(machine->mmu_statistics().evictions, u64{5'000});
    EXPECT_LT(host_mappings() - before, 20'000u);
    EXPECT_GT(machine->cached_translations(), 4'000u);
    EXPECT_LE(
        machine->cached_translations(),
        tlb_ways_default * (tlb_sets_4k + tlb_sets_2m + tlb_sets_1g));
    EXPECT_EQ(machine->run().status, 0);
    EXPECT_LT(machine->cached_translations(), 200u);
    EXPECT_LT(host_mappings() - before, 400u);
}

TEST(HostedMmu, WorksWithTheFewestWays) {
    Probe probe;
    probe.body = [](Probe& self, hal::BootInfo const&) {
        // Copies between pages of the same set, over and over.
        constexpr u64 stride = tlb_sets_4k * 4096;
        for (u64 i = 0; i < 16; ++i) {
            self.map(heap_address(i * stride), self.take_frame(), hal::Access::write);
            word_at(heap_address(i * stride)) = i;
        }
        for (u64 i = 0; i + 1 < 16; ++i) {
            u64 from = heap_address(i * stride);
            u64 to = heap_address((i + 1) * stride);
            u64 words = 8;
            asm volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(words)::"memory");
        }
        hal::Power::exit(word_at(heap_address(15 * stride)) == 0 ? 0 : 1);
    };
    MachineConfig config;
    config.tlb_ways = tlb_ways_min;
    Stop const stop = run_probe(probe, config);
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(stop.status, 0);
}

TEST(HostedMmu, ActivateDropsWhatIsNotGlobal) {
    struct Seen : Probe {
        u64 global_before, local_before, global_after, local_after, same_root;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const&) {
        auto& out = static_cast<Seen&>(self);
        u64 const a = out.take_frame();
        u64 const b = out.take_frame();
        physical_word(a) = 1;
        physical_word(b) = 2;
        u64 const global = heap_address();
        u64 const local = heap_address(page_size.value);
        out.map(global, a, hal::Access::write, 0, true);
        out.map(local, a, hal::Access::write, 0, false);
        out.global_before = word_at(global);
        out.local_before = word_at(local);
        out.map(global, b, hal::Access::write, 0, true);
        out.map(local, b, hal::Access::write, 0, false);
        PhysAddr const root = hal::Mmu::root();
        hal::Mmu::activate(root);
        out.same_root = hal::Mmu::root() == root;
        out.global_after = word_at(global);
        out.local_after = word_at(local);
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_EQ(seen.global_before, 1u);
    EXPECT_EQ(seen.local_before, 1u);
    EXPECT_EQ(seen.same_root, 1u);
    EXPECT_EQ(seen.global_after, 1u) << "stale, as on hardware";
    EXPECT_EQ(seen.local_after, 2u);
}

TEST(HostedMmu, ViewsASpaceThatIsNotActive) {
    struct Seen : Probe {
        bool unmapped_is_null, non_canonical_is_null, seen_word, active_agrees;
    };
    Seen seen{};
    seen.body = [](Probe& self, hal::BootInfo const&) {
        auto& out = static_cast<Seen&>(self);
        u64 const tables[4] = {
            out.take_frame(), out.take_frame(), out.take_frame(), out.take_frame()};
        u64 const frame = out.take_frame();
        constexpr VirtAddr address{0x40'0000'1000};
        for (u64 const table : tables) {
            __builtin_memset(hal::Memory::linear({table}), 0, page_size.value);
        }
        for (unsigned level = 3; level > 0; --level) {
            (&physical_word(tables[3 - level]))[hal::Mmu::index(address, level)] =
                hal::Mmu::encode_table({tables[4 - level]});
        }
        (&physical_word(tables[3]))[hal::Mmu::index(address, 0)] =
            hal::Mmu::encode_leaf({{frame}, hal::Access::read | hal::Access::user}, 0);
        PhysAddr const root{tables[0]};
        physical_word(frame + 16) = 77;
        auto const* const word = static_cast<u64 const*>(hal::Mmu::view(root, address + Bytes{16}));
        out.seen_word = word != nullptr && *word == 77;
        out.unmapped_is_null = hal::Mmu::view(root, address + page_size) == nullptr &&
                               hal::Mmu::view(hal::Mmu::root(), address) == nullptr;
        out.non_canonical_is_null = hal::Mmu::view(root, {u64{1} << 60}) == nullptr;
        void const* const linear = hal::Memory::linear({frame});
        out.active_agrees =
            hal::Mmu::view(hal::Mmu::root(), {reinterpret_cast<u64>(linear)}) == linear;
    };
    ASSERT_EQ(run_probe(seen).kind, Stop::Kind::exited);
    EXPECT_TRUE(seen.seen_word);
    EXPECT_TRUE(seen.unmapped_is_null);
    EXPECT_TRUE(seen.non_canonical_is_null);
    EXPECT_TRUE(seen.active_agrees);
}

TEST(HostedMmu, FlushTakesAnyRange) {
    Probe probe;
    probe.body = [](Probe& self, hal::BootInfo const&) {
        hal::Mmu::flush({0}, Bytes{0});
        hal::Mmu::flush({0}, Bytes{~u64{0}});
        hal::Mmu::flush({~u64{0} - 4095}, page_size);
        hal::Mmu::flush({~u64{0} - 100}, Bytes{1 << 20}); // wraps: nothing is there
        hal::Mmu::flush(hal::Layout::current().linear.base, hal::Layout::current().linear.size);
        physical_word(self.take_frame()) = 1;
    };
    MemoryConsole console;
    auto const machine = make_machine(probe, console);
    Stop const stop = machine->run();
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(stop.status, 0);
}

TEST(HostedMmu, TheLayoutIsTheWindows) {
    struct Seen : Probe {
        hal::KernelLayout layout;
    };
    for (unsigned const window : {0u, 1u, window_count - 1}) {
        Seen seen{};
        seen.body = [](Probe& self, hal::BootInfo const&) {
            static_cast<Seen&>(self).layout = hal::Layout::current();
            physical_word(0x1000) = 1;
        };
        MachineConfig config;
        config.window = window;
        ASSERT_EQ(run_probe(seen, config).kind, Stop::Kind::exited);
        EXPECT_EQ(seen.layout.heap.base.value, heap_base_default - window * window_bytes);
        hal::Window const windows[] = {
            seen.layout.linear, seen.layout.heap, seen.layout.stacks, seen.layout.views};
        for (usize i = 0; i < 4; ++i) {
            EXPECT_TRUE(is_aligned(windows[i].base, page_size));
            for (usize j = i + 1; j < 4; ++j) {
                EXPECT_FALSE(ranges_overlap(
                    windows[i].base.value, windows[i].size.value, windows[j].base.value,
                    windows[j].size.value));
            }
        }
    }
}

} // namespace
