// The hosted block device of VIRTIO, by its own driver: what a kernel writes lies on the medium, a
// medium that fails is an error of the kernel's request and nothing else, and what is read only
// stays as it is.
#include "hal/hosted/devices/virtio_block.hpp"
#include "hal/hosted/devices/nvme/memory_medium.hpp"
#include "hal/hosted/sim/devices/simulated_medium.hpp"
#include "hal/hosted/sim/sim_engine.hpp"
#include "tests/hal/hosted/simulated_run.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace {

using namespace hosted;
using namespace hosted::test;

struct SeenDisks : Trial {
    bool says(std::string_view what) const { return text.find(what) != std::string::npos; }
};

SeenDisks run_disks(
    std::vector<std::shared_ptr<VirtioBlock>> const& disks,
    std::string const& command,
    u64 seed = 1,
    u32 cpus = 2) {
    SeenDisks out;
    Keeper console(out);
    MachineConfig config;
    config.cpus = cpus;
    config.command_line = "console=pipe command=\"" + command + "\"";
    for (auto const& disk : disks) {
        config.devices.push_back(disk);
    }
    auto machine = create_simulated(std::move(config), console, {.seed = seed});
    EXPECT_TRUE(machine.has_value());
    out.stop = (*machine)->run();
    return out;
}

/// A medium in memory that fails where it is told to, and may hold answers back.
class BadMedium final : public NvmeMedium {
public:
    explicit BadMedium(u64 bytes, u32 block_bytes = 512)
        : m_good(bytes / block_bytes, block_bytes) {}

    u64 bytes() const override { return m_good.bytes(); }
    u32 block_bytes() const override { return m_good.block_bytes(); }
    bool is_read_only() const override { return only_read; }
    void submit(DeviceBus& bus, NvmeOperation const& operation) override {
        using Kind = NvmeOperation::Kind;
        writes += operation.kind == Kind::write ? 1 : 0;
        flushes += operation.kind == Kind::flush ? 1 : 0;
        bool const hits = operation.bytes != 0 && bad_byte - operation.offset < operation.bytes;
        if (hits || (no_flush && operation.kind == Kind::flush)) {
            m_failed.push_back({.tag = operation.tag, .status = nvme::status::write_fault});
        } else {
            m_good.submit(bus, operation);
        }
    }
    void reap(DeviceBus& bus, std::vector<NvmeOutcome>& outcomes) override {
        m_good.reap(bus, outcomes);
        outcomes.insert(outcomes.end(), m_failed.begin(), m_failed.end());
        m_failed.clear();
        std::ranges::reverse(outcomes); // the order is the medium's affair
    }
    bool withdraw(u32) override { return false; }
    bool withdraw_all() override {
        m_failed.clear();
        return m_good.withdraw_all();
    }
    void archive(StateArchive& state) override { m_good.archive(state); }

    std::span<std::byte> content() { return m_good.content(); }

    bool only_read = false;
    bool no_flush = false;
    u64 bad_byte = ~u64{0};
    u64 writes = 0;
    u64 flushes = 0;

private:
    MemoryMedium m_good;
    std::vector<NvmeOutcome> m_failed;
};

TEST(VirtioBlock, WhatIsWrittenIsVerified) {
    for (u32 const block_bytes : {512u, 4096u}) {
        for (u32 const queues : {1u, 4u}) {
            auto const medium = std::make_shared<BadMedium>(u64{4} << 20, block_bytes);
            auto const disk =
                std::make_shared<VirtioBlock>(medium, VirtioBlockConfig{.queues = queues});
            SeenDisks const seen = run_disks(
                {disk},
                "disks; block-bench filename=vda rw=randwrite bs=4k iodepth=16 size=1M "
                "fsync=8 verify=1; block-bench filename=vda rw=write bs=256k iodepth=4 "
                "size=2M verify=1; disks stats vda",
                3, 4);
            EXPECT_EQ(seen.stop.status, 0) << seen.text;
            EXPECT_TRUE(seen.says("verify: 0 blocks are wrong")) << seen.text;
            EXPECT_GE(medium->flushes, 256u / 8);
            EXPECT_EQ(disk->counts().failed, 0u);
        }
    }
}

TEST(VirtioBlock, AFailingMediumIsAnErrorOfTheRequest) {
    auto const medium = std::make_shared<BadMedium>(u64{1} << 20);
    medium->bad_byte = 600'000;
    auto const disk = std::make_shared<VirtioBlock>(medium, VirtioBlockConfig{});
    SeenDisks const seen = run_disks(
        {disk}, "block-bench rw=read bs=4k iodepth=4; block-bench rw=read bs=4k size=512k; "
                "disks stats vda");
    EXPECT_EQ(seen.stop.kind, Stop::Kind::exited);
    EXPECT_TRUE(seen.says("the first error: io_failed")) << seen.text;
    // Once among requests that were merged, and then alone.
    EXPECT_GE(disk->counts().failed, 1u);
    EXPECT_LE(disk->counts().failed, 2u);
}

TEST(VirtioBlock, AFailingFlushIsAnError) {
    auto const medium = std::make_shared<BadMedium>(u64{1} << 20);
    medium->no_flush = true;
    auto const disk = std::make_shared<VirtioBlock>(medium, VirtioBlockConfig{});
    SeenDisks const seen =
        run_disks({disk}, "block-bench filename=vda rw=write bs=4k size=64k fsync=4");
    EXPECT_EQ(seen.stop.status, 1);
    EXPECT_TRUE(seen.says("the first error: io_failed")) << seen.text;
}

TEST(VirtioBlock, WhatIsReadOnlyIsNotWritten) {
    auto const medium = std::make_shared<BadMedium>(u64{1} << 20);
    medium->only_read = true;
    auto const disk = std::make_shared<VirtioBlock>(medium, VirtioBlockConfig{});
    SeenDisks const seen =
        run_disks({disk}, "disks; block-bench filename=vda rw=write bs=4k size=64k");
    EXPECT_TRUE(seen.says("read-only")) << seen.text;
    EXPECT_TRUE(seen.says("vda: permission_denied")) << seen.text;
    EXPECT_EQ(medium->writes, 0u);
}

TEST(VirtioBlock, SeveralDisksHaveNamesOfTheirOwn) {
    auto const first = std::make_shared<MemoryMedium>(u64{2} << 10, 512);
    auto const second = std::make_shared<MemoryMedium>(u64{4} << 10, 512);
    SeenDisks const seen = run_disks(
        {std::make_shared<VirtioBlock>(first, VirtioBlockConfig{}),
         std::make_shared<VirtioBlock>(second, VirtioBlockConfig{})},
        "disks; block-bench filename=vdb rw=write bs=4k size=64k verify=1");
    EXPECT_EQ(seen.stop.status, 0) << seen.text;
    EXPECT_TRUE(seen.says("vda")) << seen.text;
    EXPECT_EQ(first->content()[100], std::byte{0});
    EXPECT_NE(
        std::count(second->content().begin(), second->content().begin() + 4096, std::byte{0}),
        4096);
}

/// Requests that take their time end later and in another order, by moments of the medium.
TEST(VirtioBlock, AMediumThatTakesItsTimeLosesNothing) {
    for (u64 const seed : {1u, 2u, 3u}) {
        auto const medium =
            std::make_shared<SimulatedMedium>(SimulatedMediumConfig{.blocks = 8192, .seed = seed});
        auto const disk = std::make_shared<VirtioBlock>(medium, VirtioBlockConfig{.queues = 2});
        SeenDisks const seen = run_disks(
            {disk},
            "block-bench filename=vda rw=randwrite bs=4k iodepth=32 size=1M fsync=16 verify=1; "
            "disks stats vda",
            seed);
        EXPECT_EQ(seen.stop.status, 0) << seen.text;
        EXPECT_TRUE(seen.says("verify: 0 blocks are wrong")) << seen.text;
        EXPECT_TRUE(seen.says("0 in flight")) << seen.text;
        EXPECT_EQ(disk->counts().failed, 0u);
    }
}

} // namespace
