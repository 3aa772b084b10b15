// The NVMe controller in virtual time: each fault of data and protocol alone, power cuts, copies.
#include "tests/hal/hosted/simulated_nvme.hpp"

namespace {

using namespace hosted;
using namespace hosted::test;
namespace csts = nvme::csts;
namespace status = nvme::status;
using nvme::AdminOpcode;
using nvme::Opcode;

constexpr u64 ms = 1'000'000;

SimulatedMediumConfig config(PowerCut cut = PowerCut::draw) {
    return {.blocks = 1024, .cached_writes_max = 4, .seed = 11, .power_cut = cut};
}

struct NvmeSimulated : testing::Test, SimulatedNvme {
    explicit NvmeSimulated(PowerCut cut = PowerCut::draw) : SimulatedNvme(config(cut)) {}
};

struct NvmeSimulatedLoss : NvmeSimulated {
    NvmeSimulatedLoss() : NvmeSimulated(PowerCut::none_survives) {}
};

TEST_F(NvmeSimulated, TimePassesAndDataIsRead) {
    EXPECT_TRUE(bench.controller.needs_simulation());
    u64 const before = bench.simulated.now_ns;
    ASSERT_EQ(write(5, "ab"), 0);
    EXPECT_GE(bench.simulated.now_ns, before + MediumLatency{}.write_ns);
    EXPECT_EQ(read(4, 4), ".ab.");
    EXPECT_EQ(on_medium(5, 2), ".."); // in the cache
    ASSERT_EQ(flush(), 0);
    EXPECT_EQ(on_medium(5, 2), "ab");
    ASSERT_EQ(host.io_status(io_command(Opcode::write_zeroes, 5)), 0);
    EXPECT_EQ(read(5, 2), ".b");
    EXPECT_EQ(read(0, 1024), "status " + std::to_string(nvme::do_not_retry | 0x13)); // needs a list
}

TEST_F(NvmeSimulatedLoss, WhatWasFlushedOrWrittenThroughIsDurable) {
    ASSERT_EQ(write(1, "f"), 0);
    ASSERT_EQ(flush(), 0);
    ASSERT_EQ(write(2, "t", nvme::force_unit_access), 0);
    ASSERT_EQ(write(3, "c"), 0);
    cut_power();
    EXPECT_EQ(read(1, 3), "ft.");
    auto const cache = static_cast<u32>(nvme::Feature::volatile_write_cache);
    ASSERT_EQ(write(4, "d"), 0);
    ASSERT_EQ(host.admin_status(admin_command(AdminOpcode::set_features, cache, 0)), 0);
    ASSERT_EQ(write(5, "e"), 0);
    cut_power();
    EXPECT_EQ(read(4, 2), "de");
}

TEST_F(NvmeSimulated, AWriteThroughLeavesNothingOlderBehind) {
    ASSERT_EQ(write(5, "oo"), 0);
    ASSERT_EQ(write(4, "nn"), 0); // over half of it
    ASSERT_EQ(write(4, "t", nvme::force_unit_access), 0);
    EXPECT_EQ(read(4, 3), "tno");
    ASSERT_EQ(flush(), 0);
    EXPECT_EQ(read(4, 3), "tno");
    EXPECT_EQ(on_medium(4, 3), "tno");
}

TEST_F(NvmeSimulatedLoss, AShutdownMakesAllDurable) {
    ASSERT_EQ(write(1, "s"), 0);
    host.configure(NvmeHost::enabled | nvme::cc::shutdown_normal);
    EXPECT_TRUE(host.await_status(csts::shutdown_mask, csts::shutdown_complete));
    cut_power();
    EXPECT_EQ(read(1, 1), "s");
}

TEST_F(NvmeSimulatedLoss, AnIgnoredFlushIsNoticedByAPowerCut) {
    plan(DeviceFault::nvme_flush_ignored);
    ASSERT_EQ(write(1, "x"), 0);
    ASSERT_EQ(flush(), 0);
    cut_power();
    EXPECT_EQ(read(1, 1), ".");
    medium().lift_faults();
    EXPECT_EQ(read(1, 1), "x");
}

TEST_F(NvmeSimulated, FaultsOfWrites) {
    ASSERT_EQ(write(0, "oooo"), 0);
    ASSERT_EQ(flush(), 0);
    plan(DeviceFault::nvme_lost_write);
    ASSERT_EQ(write(0, "n"), 0);
    ASSERT_EQ(flush(), 0);
    EXPECT_EQ(on_medium(0, 1), "o");
    plan(DeviceFault::nvme_misdirected_write);
    ASSERT_EQ(write(1, "m"), 0);
    ASSERT_EQ(flush(), 0);
    EXPECT_EQ(on_medium(1, 1), "o");
    EXPECT_EQ(medium().damaged(), 3u); // where it is missing, and where it came
    plan(DeviceFault::nvme_torn_write);
    ASSERT_EQ(write(2, "tt"), 0);
    ASSERT_EQ(flush(), 0);
    EXPECT_NE(on_medium(2, 2), "tt");
    plan(DeviceFault::nvme_shorn_write);
    ASSERT_EQ(write(8, "ss", nvme::force_unit_access), 0);
    EXPECT_NE(on_medium(8, 2), "ss");
    plan(DeviceFault::nvme_repeated_write);
    ASSERT_EQ(write(16, "1"), 0);
    ASSERT_EQ(write(16, "2", nvme::force_unit_access), 0);
    ASSERT_EQ(flush(), 0);
    EXPECT_EQ(on_medium(16, 1), "1");
    plan(DeviceFault::nvme_write_error);
    EXPECT_EQ(write(20, "e"), status::write_fault);
    EXPECT_EQ(read(20, 1), ".");
    medium().lift_faults();
    EXPECT_EQ(read(0, 4), "nmtt");
}

TEST_F(NvmeSimulated, FaultsOfReads) {
    ASSERT_EQ(write(0, "o"), 0);
    ASSERT_EQ(flush(), 0);
    ASSERT_EQ(write(0, "abcd"), 0);
    ASSERT_EQ(flush(), 0);
    plan(DeviceFault::nvme_stale_read);
    EXPECT_EQ(read(0, 1), "o");
    plan(DeviceFault::nvme_read_error);
    EXPECT_EQ(read(0, 1), "status " + std::to_string(status::unrecovered_read));
    plan(DeviceFault::nvme_misdirected_read);
    EXPECT_NE(read(0, 4), "abcd");
    plan(DeviceFault::nvme_short_transfer);
    EXPECT_EQ(read(0, 4), "ab~~");
    EXPECT_EQ(read(0, 4), "abcd");
    plan(DeviceFault::nvme_bit_rot, {1}, 3);
    EXPECT_EQ(read(0, 1), "?");
    plan(DeviceFault::nvme_zeroed);
    EXPECT_EQ(read(1, 1), ".");
    plan(DeviceFault::nvme_filled);
    EXPECT_EQ(read(2, 1), "#");
    medium().lift_faults();
    EXPECT_EQ(read(0, 4), "abcd");
}

TEST_F(NvmeSimulated, ACommandIsLateOrOvertaken) {
    plan(DeviceFault::nvme_late, {1}, 10'000 * ms);
    u64 const before = bench.simulated.now_ns;
    u16 const late = host.submit(1, io_command(Opcode::read, 0));
    u16 const next = host.submit(1, io_command(Opcode::read, 1));
    EXPECT_EQ(host.await(1)->id, next);
    EXPECT_EQ(host.await(1)->id, late);
    EXPECT_GE(bench.simulated.now_ns, before + 10'000 * ms);
    plan(DeviceFault::nvme_reordered);
    u16 const first = host.submit(1, io_command(Opcode::read, 0));
    u16 const second = host.submit(1, io_command(Opcode::read, 1));
    EXPECT_EQ(host.await(1)->id, second);
    EXPECT_EQ(host.await(1)->id, first);
}

TEST_F(NvmeSimulated, ALateCommandIsAborted) {
    plan(DeviceFault::nvme_late, {1}, 10'000 * ms);
    u16 const late = host.submit(1, io_command(Opcode::read, 0));
    nvme::Completion const abort =
        host.admin(admin_command(AdminOpcode::abort, u32{late} << 16 | 1));
    EXPECT_EQ(abort.result, 0u);
    EXPECT_EQ(NvmeHost::status_of(host.take(1).value()), status::aborted_by_request);
    EXPECT_EQ(read(0, 1), "."); // its moment comes, and nobody minds
    while (bench.step()) {
    }
    EXPECT_FALSE(host.take(1).has_value());
}

TEST_F(NvmeSimulated, FaultsOfCompletions) {
    u64 const before = bench.interrupts_of(0);
    plan(DeviceFault::nvme_dropped_completion);
    EXPECT_FALSE((host.submit(1, io_command(Opcode::read)), host.await(1)).has_value());
    EXPECT_EQ(bench.interrupts_of(0), before);
    plan(DeviceFault::nvme_duplicate_completion);
    u16 const twice = host.submit(1, io_command(Opcode::read));
    EXPECT_EQ(host.await(1)->id, twice);
    EXPECT_EQ(host.await(1)->id, twice);
    plan(DeviceFault::nvme_status, {1}, status::internal_error);
    EXPECT_EQ(host.io_status(io_command(Opcode::read)), status::internal_error);
    plan(DeviceFault::nvme_lost_interrupt);
    u64 const so_far = bench.interrupts_of(0);
    EXPECT_EQ(host.io_status(io_command(Opcode::read)), 0);
    EXPECT_EQ(bench.interrupts_of(0), so_far);
    plan(DeviceFault::nvme_spurious_interrupt);
    host.submit(1, io_command(Opcode::read));
    EXPECT_EQ(bench.interrupts_of(0), so_far + 1);
    EXPECT_FALSE(host.take(1).has_value());
    EXPECT_TRUE(host.await(1).has_value());
    plan(DeviceFault::nvme_wrong_phase);
    host.submit(1, io_command(Opcode::read));
    EXPECT_FALSE(host.await(1).has_value());
    ASSERT_TRUE(host.enable()); // what helps
    ASSERT_TRUE(host.open_queue(1));
    EXPECT_EQ(host.io_status(io_command(Opcode::read)), 0);
}

TEST_F(NvmeSimulated, ADoorbellIsHeardLater) {
    plan(DeviceFault::nvme_doorbell_stall);
    u64 const before = bench.simulated.now_ns;
    EXPECT_EQ(host.io_status(io_command(Opcode::read)), 0);
    EXPECT_GE(bench.simulated.now_ns, before + 10 * ms);
    EXPECT_EQ(fired(DeviceFault::nvme_doorbell_stall), 1u);
}

TEST_F(NvmeSimulated, TheControllerBreaksDown) {
    plan(DeviceFault::nvme_fatal, {2});
    host.submit(1, io_command(Opcode::read));
    host.submit(1, io_command(Opcode::read));
    EXPECT_NE(host.status() & csts::fatal, 0u);
    open();
    EXPECT_EQ(read(0, 1), ".");
    plan(DeviceFault::nvme_reset, {2});
    host.submit(1, io_command(Opcode::read));
    host.submit(1, io_command(Opcode::read));
    EXPECT_EQ(host.status(), 0u);
    EXPECT_NE(bench.read<u32>(nvme::reg::configuration.value) & nvme::cc::enable, 0u);
    EXPECT_FALSE(host.await(1).has_value());
    open();
    EXPECT_EQ(read(0, 1), ".");
}

TEST_F(NvmeSimulated, ANamespaceShrinks) {
    auto const events = static_cast<u32>(nvme::Feature::asynchronous_events);
    ASSERT_EQ(
        host.admin_status(
            admin_command(AdminOpcode::set_features, events, nvme::wants_namespace_notices)),
        0);
    host.submit(0, admin_command(AdminOpcode::asynchronous_event));
    plan(DeviceFault::nvme_shrunk);
    EXPECT_EQ(
        host.io_status(io_command(Opcode::read, 1000)), status::lba_out_of_range | never_again);
    EXPECT_EQ(host.take(0)->result, 0x04'00'02u);
    EXPECT_EQ(host.io_status(io_command(Opcode::read, 511)), 0);
}

TEST_F(NvmeSimulated, ACopyGoesOnWithWhatIsInFlight) {
    ASSERT_EQ(write(7, "k"), 0);
    host.fill(data_at, 512, 0);
    u16 const id = host.submit(1, io_command(Opcode::read, 7));
    std::vector<std::byte> const saved = bench.controller.save();
    ASSERT_TRUE(host.await(1).has_value());

    NvmeBench other{{.media = {std::make_shared<SimulatedMedium>(config())}, .serial = "sim"}};
    std::ranges::copy(bench.registers(), other.registers().begin());
    std::ranges::copy(bench.memory(), other.memory().begin());
    other.host.fill(data_at, 512, 0);
    other.host.fill(NvmeHost::completions(1), 512, 0);
    other.controller.load(saved);
    EXPECT_EQ(other.controller.save(), saved);
    other.controller.due(other, 1); // the moment that the first machine waited for
    auto const done = other.host.get<nvme::Completion>(NvmeHost::completions(1) + 16);
    EXPECT_EQ(done.id, id);
    EXPECT_EQ(other.host.get<u8>(data_at), 'k');
}

} // namespace
