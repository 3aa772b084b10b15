// A compressed disk (core/device/block/compressed_disk.hpp): beside a plain model of what it should
// hold, with power that is cut at every operation of its device, and on damaged devices.
#include "core/device/block/compressed_disk.hpp"

#include "core/device/block/transfer.hpp"
#include "tests/core/device/block/cut_disk.hpp"
#include "tests/support/test.hpp"

namespace twofold::block {
namespace {

using codec::Algorithm;
using test_block::CutDisk;

constexpr u64 device_pages = 256;
constexpr u64 device_sectors = device_pages * 8;
constexpr u64 disk_bytes = u64{2} << 20; // twice its device
constexpr u64 blocks = disk_bytes / 4096;
constexpr codec::Parameters lz4{Algorithm::lz4, 0}, zstd{Algorithm::zstd, 1};

/// A block of 4 KiB that says what it is: half of it is noise, so that a cluster becomes about half
/// as long. Stamp 0: zeros.
void fill(std::span<std::byte> block, u64 number, u64 stamp) {
    std::ranges::fill(block, std::byte{});
    if (stamp == 0) {
        return;
    }
    Random random(number << 32 | stamp);
    for (usize i = 0; i < block.size() / 2; i += sizeof(u64)) {
        u64 const word = random.next();
        std::memcpy(block.data() + i, &word, sizeof(word));
    }
}

/// Pages of memory that requests go from and to.
struct Memory {
    explicit Memory(u64 count)
        : pages(count), place(boot::current_kernel().frames->allocate({.pages = count}).value()) {}
    ~Memory() { boot::current_kernel().frames->free_pages(place, pages).value(); }
    Memory(Memory const&) = delete;
    Memory& operator=(Memory const&) = delete;

    std::span<std::byte> page(u64 index) const {
        return {hal::Memory::linear(place + page_size * index), page_size.value};
    }

    u64 pages;
    PhysAddr place;
};

/// A compressed disk, and what each of its blocks may hold: what it held at the last flush, or
/// what was written since. Stamps rise, so all between the two are.
struct Bench {
    explicit Bench(CutDisk& device, u64 bytes = disk_bytes, u64 number = 1)
        : below(device), size(bytes), id(number), memory(2), stamps(heap()), flushed(heap()) {
        for (u64 i = 0; i < bytes / 4096; ++i) {
            stamps.emplace(u64{0}).value();
            flushed.emplace(u64{0}).value();
        }
    }
    ~Bench() {
        if (disk != nullptr) {
            disk->close();
        }
    }
    Bench(Bench const&) = delete;
    Bench& operator=(Bench const&) = delete;

    static memory::KernelHeap& heap() { return *boot::current_kernel().heap; }
    static memory::BuddyFrames& frames() { return *boot::current_kernel().frames; }

    Result<void> create(codec::Parameters const& parameters) {
        disk = TRY(CompressedDisk::create(
            heap(), frames(), "c0", below, {.size = size, .parameters = parameters, .id = id}));
        return {};
    }
    Result<void> reopen() {
        if (disk != nullptr) {
            disk->close();
            disk = nullptr;
        }
        disk = TRY(CompressedDisk::open(heap(), frames(), below));
        return {};
    }
    Result<void> write(u64 block, u64 stamp) {
        stamps[block] = stamp; // it may be there from now on, whatever becomes of the write
        fill(memory.page(0), block, stamp);
        return write_block(*disk, block * 8, {memory.place, 4096});
    }
    Result<void> flush_all() {
        TRY(flush(*disk));
        std::ranges::copy(stamps, flushed.begin());
        return {};
    }
    /// Whether a block reads as one of the stamps that it may have. It has none but that then.
    bool is_right(u64 block) {
        std::ranges::fill(memory.page(0), std::byte{0x77});
        if (!read_block(*disk, block * 8, {memory.place, 4096})) {
            return false;
        }
        for (u64 stamp = flushed[block]; stamp <= stamps[block]; ++stamp) {
            fill(memory.page(1), block, stamp);
            if (std::ranges::equal(memory.page(0), memory.page(1))) {
                stamps[block] = stamp;
                return true;
            }
        }
        return false;
    }
    u64 wrong_blocks(u64 first = 0, u64 end = blocks) {
        u64 wrong = 0;
        for (u64 block = first; block < end; ++block) {
            wrong += is_right(block) ? 0 : 1;
        }
        return wrong;
    }

    CutDisk& below;
    u64 size;
    u64 id; ///< of no disk before on the same device
    Memory memory;
    memory::Vector<u64, memory::KernelHeap> stamps;
    memory::Vector<u64, memory::KernelHeap> flushed;
    CompressedDisk* disk = nullptr;
};

TEST(CompressedDisk, HoldsWhatWasWrittenAndTakesLess) {
    for (codec::Parameters const& parameters : {lz4, zstd}) {
        CutDisk device(device_sectors);
        Bench bench(device);
        ASSERT_TRUE(bench.create(parameters).has_value());
        EXPECT_EQ(bench.disk->geometry().sectors, disk_bytes / 512);
        Random random(5);
        for (u32 i = 0; i < 300; ++i) {
            u64 const block = random.below(blocks / 2);
            ASSERT_TRUE(bench.write(block, bench.stamps[block] + 1).has_value());
            if (i % 50 == 49) {
                ASSERT_TRUE(bench.flush_all().has_value());
            }
        }
        ASSERT_TRUE(bench.flush_all().has_value());
        EXPECT_EQ(bench.wrong_blocks(), 0u);
        auto const counts = bench.disk->counts();
        EXPECT_TRUE(counts.used_clusters > 10);
        EXPECT_TRUE(counts.stored_pages < counts.used_clusters * 10); // of 16
        ASSERT_TRUE(bench.reopen().has_value());
        EXPECT_EQ(bench.disk->parameters().algorithm, parameters.algorithm);
        EXPECT_EQ(bench.wrong_blocks(), 0u);
    }
}

TEST(CompressedDisk, LetsGoOfClusters) {
    CutDisk device(device_sectors);
    Bench bench(device);
    ASSERT_TRUE(bench.create(lz4).has_value());
    for (u64 block = 0; block < 48; ++block) {
        ASSERT_TRUE(bench.write(block, 1).has_value());
    }
    ASSERT_TRUE(bench.flush_all().has_value());
    EXPECT_EQ(bench.disk->counts().used_clusters, 3u);
    ASSERT_TRUE(deallocate(*bench.disk, 128, 128).has_value());
    ASSERT_TRUE(write_zeroes(*bench.disk, 32 * 8 + 1, 7).has_value());
    for (u64 block = 16; block < 32; ++block) {
        bench.stamps[block] = bench.flushed[block] = 0;
    }
    ASSERT_TRUE(flush(*bench.disk).has_value());
    EXPECT_EQ(bench.disk->counts().used_clusters, 2u);
    ASSERT_TRUE(read_block(*bench.disk, 256, {bench.memory.place, 4096}).has_value());
    fill(bench.memory.page(1), 32, 1);
    EXPECT_TRUE(
        std::ranges::equal(bench.memory.page(0).first(512), bench.memory.page(1).first(512)));
    EXPECT_TRUE(std::ranges::all_of(
        bench.memory.page(0).subspan(512), [](std::byte each) { return each == std::byte{}; }));
    ASSERT_TRUE(bench.write(32, 1).has_value());
    EXPECT_EQ(bench.wrong_blocks(), 0u);
}

/// What is written until the device dies, always the same.
void work(Bench& bench) {
    Random random(9);
    for (u32 i = 0; i < 40; ++i) {
        u64 const block = random.below(5) * 16 + random.below(3);
        if (!bench.write(block, bench.stamps[block] + 1) || (i % 8 == 7 && !bench.flush_all())) {
            return;
        }
    }
}

TEST(CompressedDisk, SurvivesPowerCutsAtEveryOperation) {
    // Of two map pages, work changes the first; the second one is changed when it goes on.
    constexpr u64 size = (compressed::entries_per_page + 2) * compressed::cluster_bytes;
    constexpr u64 far = compressed::entries_per_page * 16, touched = 80;
    u64 operations = 0;
    {
        CutDisk device(device_sectors);
        Bench bench(device, size);
        ASSERT_TRUE(bench.create(lz4).has_value());
        device.operations = 0;
        work(bench);
        operations = device.operations;
    }
    ASSERT_TRUE(operations > 50);
    u64 wrong = 0, not_opened = 0;
    CutDisk device(device_sectors);
    for (u64 cut = 1; cut <= operations; ++cut) {
        Bench bench(device, size, cut);
        ASSERT_TRUE(bench.create(lz4).has_value());
        device.operations = 0;
        device.dies_at = cut;
        work(bench);
        bench.disk->close();
        bench.disk = nullptr;
        Random random(cut);
        u64 const kind = cut % 4;
        device.cut_power(
            [&](u64) { return kind == 0 ? false : kind == 1 || random.below(2) != 0; });
        if (!bench.reopen()) {
            ++not_opened;
            continue;
        }
        wrong += bench.wrong_blocks(0, touched);
        // It goes on from there: what a commit that was cut off has left is not believed later.
        ASSERT_TRUE(bench.write(far, 1).has_value());
        ASSERT_TRUE(bench.flush_all().has_value());
        ASSERT_TRUE(bench.reopen().has_value());
        wrong += bench.wrong_blocks(far, far + 1) + bench.wrong_blocks(0, touched);
    }
    EXPECT_EQ(not_opened, 0u);
    EXPECT_EQ(wrong, 0u);
}

TEST(CompressedDisk, SaysThatItIsFullAndKeepsWhatIsThere) {
    CutDisk device(device_sectors);
    Bench bench(device);
    ASSERT_TRUE(bench.create(lz4).has_value());
    u64 block = 0;
    Result<void> outcome;
    for (; block < blocks && outcome; ++block) {
        outcome = bench.write(block, 1);
    }
    ASSERT_FALSE(outcome.has_value());
    EXPECT_EQ(outcome.error(), Error::no_space);
    bench.stamps[block - 1] = 0; // the one that was refused
    ASSERT_TRUE(deallocate(*bench.disk, (block - 17) / 16 * 16 * 8, u64{16} * 8).has_value());
    u64 const gone = (block - 17) / 16 * 16;
    for (u64 i = gone; i < gone + 16; ++i) {
        bench.stamps[i] = 0;
    }
    ASSERT_TRUE(bench.flush_all().has_value());
    for (u64 old = 0; old < gone; old += 7) {
        ASSERT_TRUE(bench.write(old, 2).has_value()); // what is there can be written over
    }
    ASSERT_TRUE(bench.flush_all().has_value());
    ASSERT_TRUE(bench.reopen().has_value());
    EXPECT_EQ(bench.wrong_blocks(), 0u);
}

TEST(CompressedDisk, NeverAnswersWithDamage) {
    CutDisk device(device_sectors);
    Bench bench(device);
    ASSERT_TRUE(bench.create(zstd).has_value());
    for (u64 block = 0; block < 64; ++block) {
        ASSERT_TRUE(bench.write(block, 1).has_value());
    }
    ASSERT_TRUE(bench.flush_all().has_value());
    // One byte of each page that holds data; the map and what is free are elsewhere.
    u64 const first =
        compressed::Shape{.clusters = 32, .device_pages = device_pages}.first_data_page();
    u64 refused = 0, answered_wrong = 0;
    for (u64 page = first; page < first + bench.disk->counts().stored_pages; ++page) {
        device.sector(page * 8)[5] ^= std::byte{0x10};
        ASSERT_TRUE(bench.reopen().has_value());
        for (u64 block = 0; block < 64; ++block) {
            auto const read = read_block(*bench.disk, block * 8, {bench.memory.place, 4096});
            fill(bench.memory.page(1), block, 1);
            refused += read ? 0 : 1;
            answered_wrong +=
                read && !std::ranges::equal(bench.memory.page(0), bench.memory.page(1)) ? 1 : 0;
        }
        EXPECT_TRUE(bench.disk->counts().damaged != 0);
        device.sector(page * 8)[5] ^= std::byte{0x10};
    }
    EXPECT_EQ(answered_wrong, 0u);
    EXPECT_TRUE(refused > 64);
}

TEST(CompressedDisk, FindsItsOtherSuperblockAndRefusesWhatIsNone) {
    CutDisk device(device_sectors);
    Bench bench(device);
    EXPECT_EQ(bench.reopen().error(), Error::not_found);
    ASSERT_TRUE(bench.create(lz4).has_value());
    ASSERT_TRUE(bench.write(3, 1).has_value());
    ASSERT_TRUE(bench.flush_all().has_value()); // generation 2, in page 0
    ASSERT_TRUE(bench.reopen().has_value());
    device.sector(0)[40] ^= std::byte{1};
    ASSERT_TRUE(bench.reopen().has_value()); // generation 1, in page 1: an empty disk
    bench.flushed[3] = 0;
    EXPECT_EQ(bench.wrong_blocks(), 0u);
    bench.disk->close();
    bench.disk = nullptr;
    device.sector(0)[40] ^= std::byte{1}; // it was written anew when the disk was closed
    device.sector(8)[40] ^= std::byte{1};
    EXPECT_EQ(bench.reopen().error(), Error::corrupted);
    CutDisk tiny(64);
    Bench small(tiny);
    EXPECT_EQ(small.create(lz4).error(), Error::no_space);
    EXPECT_EQ(small.create({Algorithm::none, 0}).error(), Error::invalid_argument);
}

TEST(CompressedDisk, KeepsItsNameAndBelievesNoneThatIsNot) {
    auto const made = [](std::string_view name) {
        return compressed::make_super(1, device_pages, 32, lz4, name);
    };
    EXPECT_EQ(made("").error(), Error::invalid_argument);
    EXPECT_EQ(made("two words").error(), Error::invalid_argument);
    EXPECT_EQ(made("1234567890123456789012345").error(), Error::no_space);
    compressed::Super super = made("123456789012345678901234").value();
    EXPECT_EQ(compressed::name_of(super), "123456789012345678901234");
    auto const checked = [&super]() -> Result<compressed::Super> {
        compressed::seal(super, 2);
        return compressed::check_super(std::as_bytes(std::span(&super, 1)), 0, device_pages);
    };
    EXPECT_TRUE(checked().has_value());
    super.name[23] = '\n';
    EXPECT_EQ(checked().error(), Error::corrupted);
    super.name[0] = '\0';
    EXPECT_EQ(checked().error(), Error::corrupted);

    CutDisk device(device_sectors);
    Bench bench(device);
    EXPECT_EQ(
        CompressedDisk::find(Bench::heap(), Bench::frames(), device).error(), Error::not_found);
    ASSERT_TRUE(bench.create(lz4).has_value());
    ASSERT_TRUE(bench.reopen().has_value());
    EXPECT_EQ(bench.disk->name(), "c0");
    auto const found = CompressedDisk::find(Bench::heap(), Bench::frames(), device);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(compressed::name_of(found.value()), "c0");
}

TEST(CompressedDisk, TellsOfErrorsOfItsDevice) {
    CutDisk device(device_sectors);
    Bench bench(device);
    ASSERT_TRUE(bench.create(lz4).has_value());
    ASSERT_TRUE(bench.write(0, 1).has_value());
    device.dies_at = 1;
    EXPECT_EQ(bench.flush_all().error(), Error::io_failed);
    EXPECT_EQ(bench.write(16, 1).error(), Error::io_failed); // block 0 has no other place
    device.dies_at = 0;
    ASSERT_TRUE(bench.write(16, 1).has_value());
    ASSERT_TRUE(bench.flush_all().has_value());
    EXPECT_EQ(bench.wrong_blocks(), 0u);
}

} // namespace
} // namespace twofold::block
