// The hosted block device of VIRTIO, by its own driver: what a kernel writes lies on the medium, a
// medium that fails is an error of the kernel's request and nothing else, and what is read only
// stays as it is.
#include "hal/hosted/devices/virtio_block.hpp"
#include "hal/hosted/sim/sim_engine.hpp"
#include "tests/hal/hosted/simulated_run.hpp"

#include <gtest/gtest.h>

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

/// A medium that fails where it is told to.
class BadMedium final : public DiskMedium {
public:
    explicit BadMedium(u64 bytes) : m_good(bytes) {}

    u64 size_bytes() const override { return m_good.size_bytes(); }
    bool is_read_only() const override { return only_read; }
    bool read(u64 offset, std::span<std::byte> to) override {
        return !hits(offset, to.size()) && m_good.read(offset, to);
    }
    bool write(u64 offset, std::span<std::byte const> from) override {
        ++writes;
        return !hits(offset, from.size()) && m_good.write(offset, from);
    }
    bool clear(u64 offset, u64 bytes) override { return m_good.clear(offset, bytes); }
    bool flush() override { return !no_flush && m_good.flush(); }

    bool only_read = false;
    bool no_flush = false;
    u64 bad_byte = ~u64{0};
    u64 writes = 0;

private:
    bool hits(u64 offset, u64 bytes) const { return bad_byte - offset < bytes; }

    MemoryMedium m_good;
};

TEST(VirtioBlock, WhatIsWrittenIsVerified) {
    for (u32 const block_bytes : {512u, 4096u}) {
        for (u32 const queues : {1u, 4u}) {
            MemoryMedium medium(u64{4} << 20);
            auto const disk = std::make_shared<VirtioBlock>(
                medium, VirtioBlockConfig{.block_bytes = block_bytes, .queues = queues});
            SeenDisks const seen = run_disks(
                {disk},
                "disks; block-bench filename=vda rw=randwrite bs=4k iodepth=16 size=1M "
                "fsync=8 verify=1; block-bench filename=vda rw=write bs=256k iodepth=4 "
                "size=2M verify=1; disks stats vda",
                3, 4);
            EXPECT_EQ(seen.stop.status, 0) << seen.text;
            EXPECT_TRUE(seen.says("verify: 0 blocks are wrong")) << seen.text;
            EXPECT_GE(medium.flushes, 256u / 8);
            EXPECT_EQ(disk->counts().failed, 0u);
        }
    }
}

TEST(VirtioBlock, AFailingMediumIsAnErrorOfTheRequest) {
    BadMedium medium(u64{1} << 20);
    medium.bad_byte = 600'000;
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
    BadMedium medium(u64{1} << 20);
    medium.no_flush = true;
    auto const disk = std::make_shared<VirtioBlock>(medium, VirtioBlockConfig{});
    SeenDisks const seen =
        run_disks({disk}, "block-bench filename=vda rw=write bs=4k size=64k fsync=4");
    EXPECT_EQ(seen.stop.status, 1);
    EXPECT_TRUE(seen.says("the first error: io_failed")) << seen.text;
}

TEST(VirtioBlock, WhatIsReadOnlyIsNotWritten) {
    BadMedium medium(u64{1} << 20);
    medium.only_read = true;
    auto const disk = std::make_shared<VirtioBlock>(medium, VirtioBlockConfig{});
    SeenDisks const seen =
        run_disks({disk}, "disks; block-bench filename=vda rw=write bs=4k size=64k");
    EXPECT_TRUE(seen.says("read-only")) << seen.text;
    EXPECT_TRUE(seen.says("vda: permission_denied")) << seen.text;
    EXPECT_EQ(medium.writes, 0u);
}

TEST(VirtioBlock, SeveralDisksHaveNamesOfTheirOwn) {
    MemoryMedium first(u64{1} << 20), second(u64{2} << 20);
    SeenDisks const seen = run_disks(
        {std::make_shared<VirtioBlock>(first, VirtioBlockConfig{}),
         std::make_shared<VirtioBlock>(second, VirtioBlockConfig{})},
        "disks; block-bench filename=vdb rw=write bs=4k size=64k verify=1");
    EXPECT_EQ(seen.stop.status, 0) << seen.text;
    EXPECT_TRUE(seen.says("vda")) << seen.text;
    EXPECT_EQ(first.bytes()[100], std::byte{0});
    EXPECT_NE(
        std::count(second.bytes().begin(), second.bytes().begin() + 4096, std::byte{0}), 4096);
}

} // namespace
