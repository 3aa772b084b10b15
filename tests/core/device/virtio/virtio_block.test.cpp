// The driver of virtio-blk against a model: each operation is what the specification says, and
// whatever the device answers, each request ends once.
#include "tests/core/device/block/model_disk.hpp"
#include "tests/core/device/virtio/block_model.hpp"
#include "tests/support/test.hpp"

using namespace twofold;

namespace {

using device::VirtioBlock;
using test_block::comes;
using test_block::Noted;
using test_virtio::BlockModel;
using namespace twofold::block;
namespace blk = device::virtio::blk;

/// A driver that runs a model.
struct RunningBlock {
    RunningBlock() : kernel(boot::current_kernel()), model(kernel), memory(8) {}
    ~RunningBlock() {
        if (disk != nullptr) {
            disk->close();
        }
    }
    Result<void> open() {
        disk = TRY(VirtioBlock::open(
            test_virtio::environment(kernel, pci::Configuration::of(access)), model));
        model.asked.clear();
        return {};
    }

    boot::Kernel& kernel;
    boot::MachineAccess access;
    BlockModel model;
    test_block::Pages memory;
    VirtioBlock* disk = nullptr;
};

} // namespace

TEST(VirtioBlockDriver, SaysWhatTheDeviceIs) {
    RunningBlock it;
    it.model.offered |= blk::feature::block_size | blk::feature::topology;
    it.model.set(blk::configuration::block_size, 1024);
    it.model.set(blk::configuration::topology, 2);
    ASSERT_TRUE(it.open().has_value());
    Geometry const& geometry = it.disk->geometry();
    EXPECT_EQ(geometry.sectors, BlockModel::sectors / 2);
    EXPECT_EQ(geometry.sector_bytes, 1024u);
    EXPECT_EQ(geometry.physical_sector_bytes, 4096u);
    EXPECT_EQ(geometry.segments_max, 8u);
    EXPECT_TRUE(geometry.has_volatile_cache && geometry.can_deallocate && !geometry.is_read_only);
    EXPECT_EQ(it.disk->serial(), "model");
    EXPECT_EQ(it.disk->name(), "vda");
    EXPECT_TRUE(read_block(*it.disk, 5, {it.memory.place(), 2048}).has_value());
    EXPECT_EQ(it.model.asked[0].sector, 10u);
    EXPECT_TRUE(deallocate(*it.disk, 3, 1).has_value());
    EXPECT_EQ(it.model.asked[1].sector, 6u);
    EXPECT_EQ(it.model.asked[1].bytes, 2u);
}

TEST(VirtioBlockDriver, ReadsAndWrites) {
    RunningBlock it;
    ASSERT_TRUE(it.open().has_value());
    std::memset(it.memory.bytes().data(), 0x42, 4096);
    EXPECT_TRUE(write_block(*it.disk, 7, {it.memory.place(), 1024}).has_value());
    EXPECT_EQ(it.model.sector(8)[511], std::byte{0x42});
    EXPECT_EQ(it.model.sector(9)[0], std::byte{0});
    EXPECT_TRUE(read_block(*it.disk, 8, {it.memory.place(4096), 1024}).has_value());
    EXPECT_EQ(it.memory.bytes()[4096], std::byte{0x42});
    EXPECT_TRUE(flush(*it.disk).has_value());
    EXPECT_TRUE(it.model.asked[2].kind == blk::Kind::flush);
    EXPECT_EQ(read_block(*it.disk, 256, {it.memory.place(), 512}).error(), Error::out_of_range);
}

TEST(VirtioBlockDriver, AWriteThroughIsFollowedByAFlush) {
    RunningBlock it;
    ASSERT_TRUE(it.open().has_value());
    Transfer const transfer{
        .operation = Operation::write,
        .sector = 7,
        .count = 1,
        .memory = it.memory.place(),
        .is_through = true};
    EXPECT_TRUE(perform(*it.disk, transfer).has_value());
    ASSERT_EQ(it.model.asked.size(), 2u);
    EXPECT_TRUE(it.model.asked[0].kind == blk::Kind::out);
    EXPECT_TRUE(it.model.asked[1].kind == blk::Kind::flush);
}

TEST(VirtioBlockDriver, ALongDiscardIsPerformedInSteps) {
    RunningBlock it;
    ASSERT_TRUE(it.open().has_value());
    std::memset(it.model.sector(10).data(), 1, 512);
    std::memset(it.model.sector(49).data(), 1, 512);
    std::memset(it.model.sector(50).data(), 1, 512);
    EXPECT_TRUE(write_zeroes(*it.disk, 10, 40).has_value());
    ASSERT_EQ(it.model.asked.size(), 3u);
    EXPECT_EQ(it.model.asked[2].sector, 42u);
    EXPECT_EQ(it.model.asked[2].bytes, 8u);
    EXPECT_EQ(it.model.sector(49)[0], std::byte{0});
    EXPECT_EQ(it.model.sector(50)[0], std::byte{1});
}

TEST(VirtioBlockDriver, WithoutAFlushEverythingIsDurable) {
    RunningBlock it;
    it.model.offered &= ~(blk::feature::flush | blk::feature::discard | blk::feature::write_zeroes);
    ASSERT_TRUE(it.open().has_value());
    EXPECT_FALSE(it.disk->geometry().has_volatile_cache);
    EXPECT_TRUE(flush(*it.disk).has_value());
    EXPECT_EQ(deallocate(*it.disk, 0, 1).error(), Error::not_supported);
}

TEST(VirtioBlockDriver, MoreRequestsThanSlotsWaitInTheirOrder) {
    RunningBlock it;
    ASSERT_TRUE(it.open().has_value());
    it.model.is_silent = true;
    constexpr u32 count = VirtioBlock::slots + 20;
    struct All {
        Noted each[count];
    };
    auto all = memory::Box<All, memory::KernelHeap>::create(*it.kernel.heap).value();
    for (u32 i = 0; i < count; ++i) {
        Noted& noted = all->each[i];
        noted.ask(Operation::read, i, 1);
        noted.add(it.memory.place(), 512);
        EXPECT_TRUE(it.disk->submit(noted.request).has_value());
    }
    it.model.is_silent = false;
    it.model.serve();
    EXPECT_TRUE(comes([&] { return all->each[count - 1].times == 1; }));
    for (u32 i = 0; i < count; ++i) {
        EXPECT_TRUE(all->each[i].is_done());
        EXPECT_EQ(it.model.asked[i].sector, i);
    }
}

TEST(VirtioBlockDriver, EachStatusIsAnErrorOfTheRequest) {
    RunningBlock it;
    ASSERT_TRUE(it.open().has_value());
    Segment const memory{it.memory.place(), 512};
    struct Case {
        u8 status;
        Error error;
    };
    for (Case const each :
         {Case{1, Error::io_failed}, Case{2, Error::not_supported}, Case{77, Error::io_failed}}) {
        it.model.status = each.status;
        EXPECT_EQ(read_block(*it.disk, 3, memory).error(), each.error);
    }
    it.model.status.reset();
    it.model.is_lazy = true; // what lies there is no status
    EXPECT_EQ(read_block(*it.disk, 3, memory).error(), Error::io_failed);
    it.model.is_lazy = false;
    EXPECT_TRUE(read_block(*it.disk, 3, memory).has_value());
}

TEST(VirtioBlockDriver, ADeviceThatWritesTooMuchIsNotBelieved) {
    RunningBlock it;
    ASSERT_TRUE(it.open().has_value());
    it.model.written = 100'000;
    EXPECT_EQ(read_block(*it.disk, 3, {it.memory.place(), 512}).error(), Error::corrupted);
    it.model.written.reset();
    EXPECT_TRUE(read_block(*it.disk, 3, {it.memory.place(), 512}).has_value());
}

TEST(VirtioBlockDriver, AChainThatWasNotGivenBreaksTheDevice) {
    RunningBlock it;
    ASSERT_TRUE(it.open().has_value());
    it.model.head = 77;
    EXPECT_FALSE(read_block(*it.disk, 3, {it.memory.place(), 512}).has_value());
    it.model.head.reset();
    EXPECT_EQ(read_block(*it.disk, 3, {it.memory.place(), 512}).error(), Error::io_failed);
    EXPECT_EQ(it.model.resets, 2u);
}

TEST(VirtioBlockDriver, ADeviceThatIsGoneLeavesNobodyWaiting) {
    RunningBlock it;
    ASSERT_TRUE(it.open().has_value());
    it.model.is_silent = true;
    constexpr u32 count = VirtioBlock::slots + 5;
    struct All {
        Noted each[count];
    };
    auto all = memory::Box<All, memory::KernelHeap>::create(*it.kernel.heap).value();
    for (Noted& noted : all->each) {
        noted.ask(Operation::read, 1, 1);
        noted.add(it.memory.place(), 512);
        EXPECT_TRUE(it.disk->submit(noted.request).has_value());
    }
    it.disk->fail();
    for (Noted& noted : all->each) {
        EXPECT_TRUE(noted.has_failed(Error::io_failed));
    }
    EXPECT_EQ(read_block(*it.disk, 3, {it.memory.place(), 512}).error(), Error::io_failed);
}

TEST(VirtioBlockDriver, AConfigurationThatMakesNoSenseIsRefused) {
    using Change = void (*)(BlockModel&);
    constexpr Change changes[] = {
        [](BlockModel& model) { model.set(blk::configuration::capacity, 0); },
        [](BlockModel& model) { model.set(blk::configuration::segments_max, 0); },
        [](BlockModel& model) {
            model.offered |= blk::feature::block_size;
            model.set(blk::configuration::block_size, 1000);
        },
        [](BlockModel& model) {
            model.offered |= blk::feature::block_size;
            model.set(blk::configuration::block_size, 256);
        },
        [](BlockModel& model) {
            model.offered |= blk::feature::size_max;
            model.set(Bytes{8}, 100);
        },
        [](BlockModel& model) {
            model.offered |= blk::feature::several_queues;
            model.set(blk::configuration::queues, 1);
        },
        [](BlockModel& model) { model.entries_max = 2; },
        [](BlockModel& model) { model.entries_max = 0; },
    };
    for (Change const change : changes) {
        RunningBlock it;
        change(it.model);
        EXPECT_FALSE(it.open().has_value());
        EXPECT_TRUE(it.model.is_closed);
    }
}

TEST(VirtioBlockDriver, WhatIsAnnouncedIsRemoved) {
    test_block::Room room;
    Disks disks(*room.kernel.heap, *room.kernel.frames, room.completions);
    BlockModel first(room.kernel);
    BlockModel second(room.kernel);
    boot::MachineAccess access;
    auto environment = test_virtio::environment(room.kernel, pci::Configuration::of(access));
    environment.disks = &disks;
    auto* const a = device::run_virtio_block(environment, first).value();
    auto* const b = device::run_virtio_block(environment, second).value();
    EXPECT_TRUE(static_cast<bool>(disks.find("vda")) && static_cast<bool>(disks.find("vdb")));
    a->remove(device::Removal::orderly);
    EXPECT_TRUE(!disks.find("vda") && static_cast<bool>(disks.find("vdb")));
    b->remove(device::Removal::gone);
    EXPECT_FALSE(static_cast<bool>(disks.at(0)));
    EXPECT_TRUE(first.is_closed && second.is_closed);
}
