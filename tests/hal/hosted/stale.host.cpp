// The oracle of stale translations: alone, and on a kernel with two processors of which one changes
// the tables and does or does not tell the other.
#include "hal/controller.hpp"
#include "hal/cpu.hpp"
#include "hal/hosted/stale_oracle.hpp"
#include "hal/interrupt.hpp"
#include "hal/mmu.hpp"
#include "hal/power.hpp"
#include "tests/hal/hosted/probe.hpp"

#include <gtest/gtest.h>

namespace {

using namespace hosted;
using namespace hosted::test;
using namespace twofold;
using hal::Access;

constexpr u64 page = u64{1} << 30, other_page = page + (u64{1} << 20);
constexpr Access read_write = Access::read | Access::write;

Translation translation(u64 at, u64 frame, Access access = read_write) {
    return {
        .page = at, .span = 4096, .frame = frame, .access = access, .root = 0x1000, .global = true};
}

bool leads_nowhere(Translation const&) {
    return false;
}
bool leads_there(Translation const&) {
    return true;
}

TEST(StaleOracle, FindsAPageThatLeadsElsewhereTooEarly) {
    for (u32 const user : {0u, 1u}) {
        StaleOracle oracle;
        oracle.note_flush(translation(page, 0x5000), 0b10);
        oracle.check(user, page + 8, Access::read, translation(page, 0x5000), false, leads_there);
        EXPECT_EQ(oracle.take_failures(), 0u) << "the same frame";
        oracle.check(
            user, page + 8, Access::write, translation(page, 0x6000), false, leads_nowhere);
        EXPECT_EQ(oracle.take_failures(), 1u);
        oracle.check(
            user, page + 8, Access::write, translation(page, 0x6000), false, leads_nowhere);
        EXPECT_EQ(oracle.take_failures(), 0u) << "told once";
    }
}

TEST(StaleOracle, AnAccessThatTheOldEntryForbadeDropsIt) {
    StaleOracle oracle;
    oracle.note_flush(translation(page, 0x5000, Access::read), 0b10);
    oracle.check(1, page, Access::write, translation(page, 0x6000), false, leads_nowhere);
    EXPECT_EQ(oracle.take_failures(), 0u) << "on metal it faults";
    oracle.note_flush(translation(page, 0x5000, Access::read), 0b110);
    oracle.check(1, page, Access::write, translation(page, 0x6000), false, leads_nowhere);
    EXPECT_EQ(oracle.take_failures(), 1u) << "another still reads the old frame";
}

TEST(StaleOracle, AFlushOrAnotherSpacePays) {
    StaleOracle oracle;
    oracle.note_flush(translation(page, 0x5000), 0b110);
    EXPECT_EQ(oracle.debts(), 1u);
    oracle.pay(1, page + 4096, 4096);
    oracle.pay(1, page - 4096, 4096);
    oracle.pay_local(1); // it is global
    EXPECT_EQ(oracle.debts(), 1u);
    oracle.pay(1, page + 100, 1);
    EXPECT_EQ(oracle.debts(), 1u);
    oracle.pay_all(2);
    EXPECT_EQ(oracle.debts(), 0u);
    oracle.check(1, page, Access::read, translation(page, 0x6000), false, leads_nowhere);
    EXPECT_EQ(oracle.take_failures(), 0u);
    Translation local = translation(page, 0x5000);
    local.global = false;
    oracle.note_flush(local, 0b10);
    oracle.pay_local(1);
    EXPECT_EQ(oracle.debts(), 0u);
}

TEST(StaleOracle, FindsAFrameThatIsUsedAnewTooEarly) {
    StaleOracle oracle;
    auto const reuse = [&](Translation const& used, bool alias, auto leads) {
        oracle.forget();
        oracle.note_flush(translation(page, 0x5000), 0b10);
        oracle.check(0, used.page, Access::read, used, alias, leads);
        return oracle.take_failures();
    };
    EXPECT_EQ(reuse(translation(other_page, 0x5000), false, leads_nowhere), 1u);
    EXPECT_EQ(reuse(translation(other_page, 0x5000), true, leads_nowhere), 0u);
    EXPECT_EQ(reuse(translation(other_page, 0x5000), false, leads_there), 0u) << "it is shared";
    EXPECT_EQ(reuse(translation(other_page, 0x5000, Access::read), false, leads_nowhere), 0u);
    EXPECT_EQ(reuse(translation(other_page, 0x6000), false, leads_nowhere), 0u);
    Translation large = translation(other_page, 0);
    large.span = u64{2} << 20;
    EXPECT_EQ(reuse(large, false, leads_nowhere), 1u);
}

TEST(StaleOracle, ForgivesTheOldestWhenThereAreTooMany) {
    StaleOracle oracle;
    for (u64 i = 0; i <= StaleOracle::debts_max; ++i) {
        oracle.note_flush(translation(page + i * 4096, 0x10'0000 + i * 4096), 0b10);
    }
    EXPECT_EQ(oracle.debts(), StaleOracle::debts_max);
    EXPECT_EQ(oracle.forgiven(), 1u);
    oracle.check(1, page, Access::read, translation(page, 0x6000), false, leads_nowhere);
    EXPECT_EQ(oracle.take_failures(), 0u) << "the first is forgotten";
    u64 const last = page + StaleOracle::debts_max * 4096;
    oracle.check(1, last, Access::read, translation(last, 0x6000), false, leads_nowhere);
    EXPECT_EQ(oracle.take_failures(), 1u);
    oracle.pay_all(1);
    EXPECT_EQ(oracle.debts(), 0u);
}

/// Processor 0 makes a page lead elsewhere; processor 1 uses it before and after.
struct Change : Probe {
    bool tells = false; ///< the other processor, which then flushes, too
    u64 address = 0;
    u64 step = 0;
    u64 first_seen = 0, then_seen = 0, stale = ~u64{0};

    void reach(u64 wanted) {
        while (__atomic_load_n(&step, __ATOMIC_ACQUIRE) < wanted) {
            hal::Cpu::pause();
        }
    }
    void advance(u64 to) { __atomic_store_n(&step, to, __ATOMIC_RELEASE); }
    u64 volatile& word() const { return *reinterpret_cast<u64 volatile*>(address); }
};

void change_page(Probe& probe, hal::BootInfo const& info) {
    auto& it = static_cast<Change&>(probe);
    it.open_interrupts();
    it.address = info.stack_base.value + (u64{256} << 20);
    u64 const frames[] = {it.take_frame(), it.take_frame()};
    it.map(it.address, frames[0], Access::write);
    it.word() = 1;
    if (!it.start_processor(1, info)) {
        hal::Power::exit(1);
    }
    it.reach(1); // it has seen the first frame
    it.set_entry(it.address, 0);
    hal::Mmu::flush({it.address}, page_size);
    if (it.tells) {
        it.advance(2);
        it.reach(3);
    }
    it.map(it.address, frames[1], Access::write);
    it.word() = 2;
    it.advance(4);
    it.reach(5);
    it.stale = hal::Mmu::count_stale();
}

void use_page(Probe& probe) {
    auto& it = static_cast<Change&>(probe);
    it.first_seen = it.word();
    it.advance(1);
    if (it.tells) {
        it.reach(2);
        hal::Mmu::flush({it.address}, page_size);
        it.advance(3);
    }
    it.reach(4);
    hal::Mmu::flush({it.address + page_size.value}, page_size); // another page: of no use
    it.then_seen = it.word();
    it.advance(5);
}

TEST(HostedStale, AKernelThatTellsTheOtherProcessorIsSound) {
    Change change;
    change.tells = true;
    change.body = change_page;
    change.on_processor = use_page;
    MachineConfig config;
    config.cpus = 2;
    Stop const stop = run_probe(change, config);
    EXPECT_EQ(stop.kind, Stop::Kind::exited);
    EXPECT_EQ(stop.status, 0);
    EXPECT_EQ(change.first_seen, 1u);
    EXPECT_EQ(change.then_seen, 2u);
    EXPECT_EQ(change.stale, 0u);
}

TEST(HostedStale, OneThatForgetsToIsFoundOut) {
    Change change;
    change.body = change_page;
    change.on_processor = use_page;
    MachineConfig config;
    config.cpus = 2;
    EXPECT_EQ(run_probe(change, config).kind, Stop::Kind::exited);
    EXPECT_EQ(change.stale, 1u);
}

} // namespace
