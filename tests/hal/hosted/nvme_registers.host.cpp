// The NVMe controller's registers and life: enabling, resets, shutdown, doorbells.
#include "tests/hal/hosted/nvme_bench.hpp"

namespace {

using namespace hosted;
using namespace hosted::test;
namespace cc = nvme::cc;
namespace csts = nvme::csts;
namespace reg = nvme::reg;
namespace status = nvme::status;
using nvme::AdminOpcode;
using nvme::Opcode;

struct NvmeRegisters : testing::Test {
    std::shared_ptr<MemoryMedium> medium = std::make_shared<MemoryMedium>(64, 512);
    NvmeBench bench{{.media = {medium}}};
    NvmeHost& host = bench.host;
};

TEST_F(NvmeRegisters, SayWhatIsOffered) {
    nvme::Capabilities const offered{bench.read<u64>(reg::capabilities.value)};
    EXPECT_EQ(offered.entries_max(), 2048u);
    EXPECT_TRUE(offered.needs_contiguous_queues());
    EXPECT_GE(offered.time_out_units(), 2u);
    EXPECT_EQ(offered.doorbell_stride(), 4u);
    EXPECT_TRUE(offered.has_subsystem_reset());
    EXPECT_TRUE(offered.has_nvm_commands());
    EXPECT_EQ(offered.page_bytes_min(), 4096u);
    EXPECT_EQ(offered.page_bytes_max(), 65536u);
    EXPECT_EQ(bench.read<u32>(reg::version.value), 0x10400u);
    EXPECT_EQ(host.status(), 0u);
    EXPECT_EQ(bench.controller.identity().class_and_revision >> 8, nvme::pci_class);
    EXPECT_TRUE(bench.controller.identity().is_sound());
    EXPECT_FALSE(bench.controller.needs_simulation());
}

TEST_F(NvmeRegisters, WhatCannotBeWrittenIsAsBefore) {
    std::vector<std::byte> const before(
        bench.registers().begin(), bench.registers().begin() + 0x1000);
    for (u64 offset : {0x00, 0x04, 0x08, 0x1c, 0x20, 0x38, 0x3c, 0x100, 0xff8, 0xffc}) {
        bench.write<u32>(offset, 0xffff'ffff);
        EXPECT_TRUE(std::ranges::equal(before, bench.registers().first(0x1000))) << offset;
    }
    bench.write<u64>(0x00, ~u64{0});
    bench.write<u16>(0x0a, 0x1234);
    EXPECT_TRUE(std::ranges::equal(before, bench.registers().first(0x1000)));
    bench.write<u32>(reg::admin_attributes.value, 0xffff'ffff);
    EXPECT_EQ(bench.read<u32>(reg::admin_attributes.value), 0x0fff'0fffu);
}

TEST_F(NvmeRegisters, TheInterruptMaskIsSetAndCleared) {
    bench.write<u32>(reg::mask_set.value, 0xf0);
    bench.write<u32>(reg::mask_set.value, 0x0f);
    bench.write<u32>(reg::mask_clear.value, 0x3c);
    EXPECT_EQ(bench.read<u32>(reg::mask_set.value), 0xc3u);
    EXPECT_EQ(bench.read<u32>(reg::mask_clear.value), 0xc3u);
}

TEST_F(NvmeRegisters, AddressesAreWrittenInHalvesOrWhole) {
    bench.write<u64>(reg::admin_submission.value, 0x1'2345'6000);
    bench.write<u32>(reg::admin_completion.value + 4, 7);
    bench.write<u32>(reg::admin_completion.value, 0x9000);
    EXPECT_EQ(bench.read<u64>(reg::admin_submission.value), 0x1'2345'6000u);
    EXPECT_EQ(bench.read<u64>(reg::admin_completion.value), 0x7'0000'9000u);
}

TEST_F(NvmeRegisters, AWrongConfigurationIsFatal) {
    constexpr u32 good = NvmeHost::enabled;
    struct Wrong {
        u32 configuration;
        u64 submissions = NvmeHost::submissions(0);
        u64 completions = NvmeHost::completions(0);
        u32 attributes = 0x000f'000f;
    };
    for (Wrong const& each : {
             Wrong{good | 5u << cc::page_size_shift},
             Wrong{good | 1u << cc::command_set_shift},
             Wrong{good & ~(0xfu << cc::submission_size_shift)},
             Wrong{good | 7u << cc::submission_size_shift},
             Wrong{good & ~(0xfu << cc::completion_size_shift)},
             Wrong{good | 5u << cc::completion_size_shift},
             Wrong{.configuration = good, .submissions = 0x100800},
             Wrong{.configuration = good, .completions = 0x100004},
             Wrong{.configuration = good, .attributes = 0x000f'0000},
             Wrong{.configuration = good, .attributes = 0x0000'000f},
         }) {
        host.configure(0);
        ASSERT_EQ(host.status(), 0u);
        host.place_admin_queues(each.submissions, each.completions);
        bench.write<u32>(reg::admin_attributes.value, each.attributes);
        host.configure(each.configuration);
        EXPECT_EQ(host.status(), csts::fatal) << std::hex << each.configuration;
    }
    EXPECT_TRUE(host.enable()); // a reset helps
    EXPECT_EQ(host.status(), csts::ready);
}

TEST_F(NvmeRegisters, LargerPagesAreTaken) {
    host.place_admin_queues(0x110000, 0x120000);
    host.configure(NvmeHost::enabled | 4u << cc::page_size_shift);
    EXPECT_TRUE(host.is_ready());
}

TEST_F(NvmeRegisters, DoorbellsReadZerosAndAreNotHeardBeforeItIsReady) {
    bench.write<u32>(0x1000, 1);
    bench.write<u32>(0x1ffc, 0xffff'ffff);
    bench.write<u8>(0x1001, 0xff);
    EXPECT_TRUE(std::ranges::all_of(
        bench.registers().subspan(0x1000, 0x1000), [](std::byte b) { return b == std::byte{}; }));
    EXPECT_EQ(bench.controller.counts().commands, 0u);
}

TEST_F(NvmeRegisters, AResetForgetsQueues) {
    ASSERT_TRUE(host.enable());
    ASSERT_TRUE(host.open_queue(1));
    host.configure(NvmeHost::enabled & ~cc::enable);
    EXPECT_EQ(host.status(), 0u);
    EXPECT_NE(bench.read<u64>(reg::admin_submission.value), 0u);
    ASSERT_TRUE(host.enable());
    EXPECT_EQ(
        host.admin_status(admin_command(AdminOpcode::delete_submission_queue, 1)),
        status::invalid_queue_id | nvme::do_not_retry);
}

TEST_F(NvmeRegisters, ASubsystemResetIsRemembered) {
    ASSERT_TRUE(host.enable());
    bench.write<u32>(reg::subsystem_reset.value, 1);
    EXPECT_TRUE(host.is_ready());
    bench.write<u32>(reg::subsystem_reset.value, 0x4e56'4d65);
    EXPECT_EQ(host.status(), csts::subsystem_reset_occurred);
    EXPECT_EQ(bench.read<u32>(reg::configuration.value), 0u);
    EXPECT_EQ(bench.read<u64>(reg::admin_submission.value), 0u);
    ASSERT_TRUE(host.enable());
    EXPECT_EQ(host.status(), csts::ready | csts::subsystem_reset_occurred);
    bench.write<u32>(reg::status.value, csts::subsystem_reset_occurred);
    EXPECT_EQ(host.status(), csts::ready);
}

TEST_F(NvmeRegisters, AShutdownIsComplete) {
    ASSERT_TRUE(host.enable());
    host.configure(NvmeHost::enabled | cc::shutdown_normal);
    EXPECT_EQ(host.status(), csts::ready | csts::shutdown_complete);
    host.configure(NvmeHost::enabled);
    EXPECT_EQ(host.status(), csts::ready);
}

TEST_F(NvmeRegisters, QueuesThatCannotBeReachedAreFatal) {
    ASSERT_TRUE(host.enable());
    bench.set_master(false);
    host.submit(0, admin_command(AdminOpcode::identify, 1));
    EXPECT_NE(host.status() & csts::fatal, 0u);
    bench.set_master(true);
    EXPECT_TRUE(host.enable());
}

TEST_F(HeldFixture, AShutdownWaitsForTheMedium) {
    host.configure(NvmeHost::enabled | cc::shutdown_normal);
    EXPECT_EQ(host.status(), csts::ready | csts::shutdown_occurring);
    ASSERT_EQ(medium->held().size(), 1u);
    EXPECT_EQ(medium->held()[0].kind, NvmeOperation::Kind::flush);
    end_one();
    EXPECT_EQ(host.status(), csts::ready | csts::shutdown_complete);
}

TEST_F(HeldFixture, AResetWaitsForWhatCannotBeWithdrawn) {
    host.submit(1, io_command(Opcode::read));
    host.configure(0);
    EXPECT_TRUE(host.is_ready());
    host.ring(0); // nothing is heard any more
    end_one();
    EXPECT_EQ(host.status(), 0u);
    EXPECT_FALSE(host.take(1).has_value());
    EXPECT_TRUE(host.enable());
}

TEST_F(HeldFixture, AResetGivesUpWhatCanBeWithdrawn) {
    medium->can_withdraw = true;
    host.fill(data_at, 512, 0xab);
    std::ranges::fill(medium->inner().content(), std::byte{1});
    host.submit(1, io_command(Opcode::read));
    host.configure(0);
    EXPECT_EQ(host.status(), 0u);
    EXPECT_TRUE(medium->held().empty());
    EXPECT_EQ(host.bytes(data_at, 512), std::vector<std::byte>(512, std::byte{0xab}));
    EXPECT_TRUE(host.enable());
}

TEST_F(HeldFixture, EnabledAgainWhileItStopsItStartsAfterwards) {
    host.submit(1, io_command(Opcode::read));
    host.configure(0);
    host.configure(NvmeHost::enabled);
    end_one();
    EXPECT_EQ(host.status(), csts::ready);
}

TEST_F(HeldFixture, PowerThatGoesForgetsWhatIsInFlight) {
    host.submit(1, io_command(Opcode::write));
    bench.switch_on();
    EXPECT_EQ(host.status(), 0u);
    ASSERT_TRUE(host.enable());
    EXPECT_EQ(host.admin_status(admin_command(AdminOpcode::get_log_page, 127u << 16 | 2)), 0u);
    auto const health = host.get<nvme::HealthLog>(data_at);
    EXPECT_EQ(health.power_cycles[0], 2u);
    EXPECT_EQ(health.unsafe_shutdowns[0], 1u);
}

TEST_F(NvmeFixture, WrongDoorbellsAreEventsAndErrors) {
    u16 const request = host.submit(0, admin_command(AdminOpcode::asynchronous_event));
    bench.write<u32>(nvme::submission_doorbell(5, 4).value, 1);
    Answer answer = host.take(0);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->id, request);
    EXPECT_EQ(answer->result, 0x01'00'00u); // an error: there is no such doorbell, see its log
    // The next one waits until the log has been read, and there must be a request for it.
    host.submit(0, admin_command(AdminOpcode::asynchronous_event));
    bench.write<u32>(nvme::completion_doorbell(1, 4).value, NvmeHost::entries);
    EXPECT_FALSE(host.take(0).has_value());
    host.submit(0, admin_command(AdminOpcode::get_log_page, 31u << 16 | 1));
    ASSERT_TRUE(host.take(0).has_value());
    auto const entry = host.get<nvme::ErrorLogEntry>(data_at);
    EXPECT_EQ(entry.count, 2u);
    EXPECT_EQ(entry.submission_queue, 1u);
    EXPECT_EQ(entry.command, 0xffffu);
    bench.write<u32>(nvme::completion_doorbell(1, 4).value, NvmeHost::entries);
    answer = host.take(0);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->result, 0x01'01'00u);
}

/// Another processor has stored to its doorbell, and tells of it after this one.
TEST_F(NvmeFixture, DoorbellsOfOthersAreLeftAlone) {
    constexpr u32 stored = 7;
    std::byte* const place = bench.registers().data() + nvme::submission_doorbell(2, 4).value;
    auto const seen = [&] {
        u32 value = 0;
        std::memcpy(&value, place, sizeof(value));
        return value;
    };
    std::memcpy(place, &stored, sizeof(stored));
    bench.write<u32>(nvme::completion_doorbell(1, 4).value, 0);
    EXPECT_EQ(seen(), stored);
    bench.write<u32>(nvme::reg::mask_set.value, 0);
    EXPECT_EQ(seen(), stored);
}

} // namespace
