// Disks by name: figures, partitions of a table that is whole or damaged, uses that a withdrawal
// waits for, and what a disk in memory holds.
#include "tests/core/device/block/gpt_image.hpp"
#include "tests/core/device/block/model_disk.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::test_block;

namespace {

struct Store : Room {
    Store() : disks(*kernel.heap, *kernel.frames, completions), memory(16) {}

    /// A disk in memory, added. It is to be removed.
    MemoryDisk* make(std::string_view name, u64 bytes) {
        auto* const disk =
            MemoryDisk::create(*kernel.heap, *kernel.frames, completions, name, Bytes{bytes})
                .value();
        EXPECT_TRUE(disks.add(*disk).has_value());
        return disk;
    }
    void end(MemoryDisk* disk) {
        disks.remove(*disk);
        disk->close();
    }
    void fill(u8 value) { std::memset(memory.bytes().data(), value, memory.bytes().size()); }
    bool all_are(u64 bytes, u8 value) {
        for (std::byte const byte : memory.bytes().first(bytes)) {
            if (byte != std::byte{value}) {
                return false;
            }
        }
        return true;
    }

    Disks disks;
    Pages memory;
};

constexpr u64 image_bytes = u64{256} * 512;

/// A model disk with a partition table of two.
struct Divided : Store {
    Divided() : model(256), image(medium()) {
        model.answers_at_once = true;
        model.completions = &completions;
        model.called = "nvme0n1";
        image.add({40, 99, "root"});
        image.add({100, 199, "data"});
        image.seal();
        disks.set_reporter(
            [](void* self, Disk&, TableState const& state) {
                static_cast<Divided*>(self)->told = state;
                ++static_cast<Divided*>(self)->reports;
            },
            this);
    }
    std::span<std::byte> medium() { return {model.sector(0).data(), image_bytes}; }

    ModelDisk model;
    GptImage image;
    TableState told;
    u32 reports = 0;
};

} // namespace

TEST(MemoryDisk, KeepsWhatIsWritten) {
    Store it;
    auto* const disk = it.make("ram0", u64{1} << 20);
    it.fill(0x5a);
    // Over a seam between two pieces of its memory.
    u64 const sector = MemoryDisk::chunk_bytes / 512 - 3;
    Segment const memory{it.memory.place(), 8 * 512};
    EXPECT_TRUE(write_block(*disk, sector, memory).has_value());
    it.fill(0);
    EXPECT_TRUE(read_block(*disk, sector, memory).has_value());
    EXPECT_TRUE(it.all_are(8 * 512, 0x5a));
    EXPECT_TRUE(write_zeroes(*disk, sector, 8).has_value());
    EXPECT_TRUE(read_block(*disk, sector, memory).has_value());
    EXPECT_TRUE(it.all_are(8 * 512, 0));
    EXPECT_TRUE(flush(*disk).has_value());
    EXPECT_TRUE(deallocate(*disk, 0, 2048).has_value());
    EXPECT_EQ(read_block(*disk, 2048, memory).error(), Error::out_of_range);
    EXPECT_EQ(read_block(*disk, 2041, memory).error(), Error::out_of_range);
    EXPECT_EQ(read_block(*disk, 0, {it.memory.place(), 100}).error(), Error::invalid_argument);
    it.end(disk);
}

TEST(MemoryDisk, OverAModuleIsOnlyRead) {
    Store it;
    it.fill(3);
    auto* const disk =
        MemoryDisk::over(*it.kernel.heap, it.completions, "module0", it.memory.bytes().first(1500))
            .value();
    EXPECT_EQ(disk->geometry().sectors, 2u);
    Segment const memory{it.memory.place(0x2000), 512};
    EXPECT_TRUE(read_block(*disk, 1, memory).has_value());
    EXPECT_EQ(write_block(*disk, 1, memory).error(), Error::permission_denied);
    disk->close();
    auto const none =
        MemoryDisk::over(*it.kernel.heap, it.completions, "x", it.memory.bytes().first(511));
    EXPECT_FALSE(none.has_value());
}

TEST(Disks, AreFoundByNameAndCounted) {
    Store it;
    auto* const disk = it.make("ram0", u64{1} << 16);
    {
        DiskUse const use = it.disks.find("ram0");
        ASSERT_TRUE(static_cast<bool>(use));
        EXPECT_FALSE(static_cast<bool>(it.disks.find("ram1")));
        Segment const memory{it.memory.place(), 1024};
        auto before = memory::Box<DiskFigures, memory::KernelHeap>::create(*it.kernel.heap).value();
        use->figures(*before);
        EXPECT_TRUE(write_block(*use, 3, memory).has_value());
        EXPECT_TRUE(write_block(*use, 5, memory).has_value());
        EXPECT_TRUE(flush(*use).has_value());
        EXPECT_FALSE(read_block(*use, 127, memory).has_value()); // refused: no request
        auto after = memory::Box<DiskFigures, memory::KernelHeap>::create(*it.kernel.heap).value();
        use->figures(*after);
        ActionFigures const& writes = after->action(DiskAction::write);
        EXPECT_EQ(writes.done, 2u);
        EXPECT_EQ(writes.sectors, 4u);
        EXPECT_EQ(writes.latency.total(), 2u);
        EXPECT_EQ(after->action(DiskAction::flush).done, 1u);
        EXPECT_EQ(after->action(DiskAction::read).done, before->action(DiskAction::read).done);
        EXPECT_EQ(after->in_flight, 0u);
    }
    it.end(disk);
    EXPECT_FALSE(static_cast<bool>(it.disks.find("ram0")));
}

TEST(Disks, OneNameIsOneDisk) {
    Store it;
    auto* const disk = it.make("ram0", u64{1} << 16);
    auto* const other =
        MemoryDisk::create(*it.kernel.heap, *it.kernel.frames, it.completions, "ram0", Bytes{4096})
            .value();
    EXPECT_EQ(it.disks.add(*other).error(), Error::already_exists);
    other->close();
    it.end(disk);
}

TEST(Disks, PartitionsAreDisksOfTheirOwn) {
    Divided it;
    ASSERT_TRUE(it.disks.add(it.model).has_value());
    EXPECT_EQ(it.reports, 0u);
    {
        DiskUse const part = it.disks.find("nvme0n1p2");
        ASSERT_TRUE(static_cast<bool>(part));
        EXPECT_EQ(part->geometry().sectors, 100u);
        it.fill(9);
        Segment const memory{it.memory.place(), 512};
        EXPECT_TRUE(write_block(*part, 1, memory).has_value());
        EXPECT_EQ(it.model.sector(101)[5], std::byte{9});
        EXPECT_EQ(write_block(*part, 100, memory).error(), Error::out_of_range);
        EXPECT_TRUE(flush(*part).has_value());
        Noted noted(Operation::read, 7, 1, it.memory.place());
        EXPECT_TRUE(part->submit(noted.request).has_value());
        EXPECT_TRUE(comes([&] { return noted.times == 1; }));
        EXPECT_EQ(noted.request.sector, 7u); // as who asked has it
        DiskUse const whole = it.disks.find("nvme0n1");
        auto sum = memory::Box<DiskFigures, memory::KernelHeap>::create(*it.kernel.heap).value();
        whole->figures(*sum);
        EXPECT_EQ(sum->action(DiskAction::write).done, 1u);
    }
    EXPECT_TRUE(static_cast<bool>(it.disks.find("nvme0n1p1")));
    it.disks.remove(it.model);
    EXPECT_FALSE(static_cast<bool>(it.disks.at(0)));
}

TEST(Disks, ADamagedTableIsReadFromItsBackup) {
    Divided it;
    it.image.sector(1)[70] ^= std::byte{1};
    ASSERT_TRUE(it.disks.add(it.model).has_value());
    EXPECT_TRUE(static_cast<bool>(it.disks.find("nvme0n1p2")));
    EXPECT_EQ(it.reports, 1u);
    EXPECT_TRUE(it.told.is_backup && !it.told.is_damaged);
    it.disks.remove(it.model);
}

TEST(Disks, ADamagedListOfEntriesIsReadFromItsBackup) {
    Divided it;
    it.image.table(2)[40] ^= std::byte{1};
    ASSERT_TRUE(it.disks.add(it.model).has_value());
    {
        DiskUse const part = it.disks.find("nvme0n1p1");
        ASSERT_TRUE(static_cast<bool>(part));
        EXPECT_EQ(part->geometry().sectors, 60u);
    }
    EXPECT_TRUE(it.told.is_backup);
    it.disks.remove(it.model);
}

TEST(Disks, TwoDamagedTablesAreSaid) {
    Divided it;
    it.image.sector(1)[70] ^= std::byte{1};
    it.image.sector(255)[70] ^= std::byte{1};
    ASSERT_TRUE(it.disks.add(it.model).has_value());
    EXPECT_FALSE(static_cast<bool>(it.disks.find("nvme0n1p1")));
    EXPECT_TRUE(it.told.is_damaged && !it.told.is_backup);
    it.disks.remove(it.model);
}

TEST(Disks, AnErrorAtEveryRequestOfTheSearchIsBorne) {
    for (u32 at = 0; at < 8; ++at) {
        Divided it;
        it.model.fails_at = at;
        ASSERT_TRUE(it.disks.add(it.model).has_value());
        bool const has_parts = static_cast<bool>(it.disks.find("nvme0n1p1"));
        EXPECT_EQ(has_parts, at != 0); // without the first sector nobody knows of a table
        it.disks.remove(it.model);
    }
}

TEST(Disks, AChangedDiskIsLookedAtAgain) {
    Divided it;
    ASSERT_TRUE(it.disks.add(it.model).has_value());
    std::memset(it.medium().data(), 0, it.medium().size());
    it.disks.changed(it.model);
    EXPECT_FALSE(static_cast<bool>(it.disks.find("nvme0n1p1")));
    it.disks.remove(it.model);
}

TEST(Disks, ADefaultTimeOutIsTheDisksAlone) {
    Divided it;
    ASSERT_TRUE(it.disks.add(it.model).has_value());
    it.model.answers_at_once = false;
    {
        DiskUse const disk = it.disks.find("nvme0n1");
        disk->set_time_out(Nanos{5'000'000});
        Noted plain(Operation::read, 7, 1, it.memory.place());
        Noted own(Operation::read, 9, 1, it.memory.place());
        own.request.time_out = Nanos{1'000};
        EXPECT_TRUE(disk->submit(plain.request).has_value());
        EXPECT_TRUE(disk->submit(own.request).has_value());
        EXPECT_EQ(plain.request.time_out, Nanos{5'000'000});
        EXPECT_EQ(own.request.time_out, Nanos{1'000});
        it.model.end_all();
        EXPECT_TRUE(plain.is_done() && own.is_done());
        EXPECT_EQ(plain.request.time_out, Nanos{0});
        EXPECT_EQ(own.request.time_out, Nanos{1'000});
    }
    it.disks.remove(it.model);
}

TEST(Disks, AWithdrawalWaitsForWhoUsesTheDisk) {
    auto* const threads = boot::current_kernel().threads;
    if (threads == nullptr) {
        return; // nobody else could end a use
    }
    Store it;
    auto* const disk = it.make("ram0", u64{1} << 16);
    struct Remover {
        Store& store;
        MemoryDisk& disk;
        Atomic<u32> is_over{0};
    } remover{it, *disk};
    auto use = std::optional(it.disks.find("ram0"));
    task::ThreadAttributes attributes;
    attributes.name = "remover";
    auto* const thread = threads
                             ->spawn(
                                 attributes,
                                 [](void* self) {
                                     auto& own = *static_cast<Remover*>(self);
                                     own.store.disks.remove(own.disk);
                                     own.is_over.store(1, release);
                                 },
                                 &remover)
                             .value();
    // From when it has begun nobody finds the disk any more, and who has it goes on.
    EXPECT_TRUE(comes([&] { return !it.disks.find("ram0"); }));
    Segment const memory{it.memory.place(), 512};
    EXPECT_TRUE(write_block(**use, 3, memory).has_value());
    EXPECT_EQ(remover.is_over.load(acquire), 0u);
    use.reset();
    EXPECT_TRUE(threads->join(*thread).has_value());
    EXPECT_EQ(remover.is_over.load(acquire), 1u);
    disk->close();
}
