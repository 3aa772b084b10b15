// Disks that lie on others end with what they lie on, and hold nothing back when a run ends.
#include "core/boot/disks.hpp"
#include "tests/core/device/block/gpt_image.hpp"
#include "tests/core/device/block/model_disk.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::test_block;
using boot::DiskRoom;
using boot::Under;

namespace {

struct Layers : Room {
    Layers() : room(kernel, completions), memory(16) {}
    ~Layers() {
        boot::close_disk_layers(room);
        while (!room.memory_disks.empty()) {
            MemoryDisk& disk = *room.memory_disks.back();
            room.memory_disks.pop_back();
            end(disk);
        }
    }

    MemoryDisk& make(std::string_view name) {
        auto* const disk =
            MemoryDisk::create(*kernel.heap, *kernel.frames, completions, name, Bytes{disk_bytes})
                .value();
        EXPECT_TRUE(room.disks.add(*disk).has_value());
        EXPECT_TRUE(room.memory_disks.push_back(disk).has_value());
        return *disk;
    }
    /// As a driver's disk leaves.
    void leave(MemoryDisk& disk) {
        auto const at = std::ranges::find(room.memory_disks, &disk) - room.memory_disks.begin();
        room.memory_disks.erase(static_cast<usize>(at));
        room.disks.hide(disk);
        boot::close_layers_over(room, disk, Under::disk_and_parts);
        end(disk);
    }
    void end(MemoryDisk& disk) {
        room.disks.remove(disk);
        disk.close();
    }
    void stripe(std::string_view name, std::string_view first, std::string_view second) {
        Stripe::Members members;
        members.push_back(room.disks.find(first)).value();
        members.push_back(room.disks.find(second)).value();
        stripe_format::Member format{.chunk_bytes = 65536};
        format.name.append(name).value();
        format.id[0] = static_cast<u8>(name[0]);
        ASSERT_TRUE(write_members(*kernel.frames, format, members).has_value());
        auto* const made =
            Stripe::open(*kernel.heap, completions, format, std::move(members)).value();
        EXPECT_TRUE(boot::add_layer(room, {.device = made, .stripe = made}).has_value());
    }
    CompressedDisk* compress(std::string_view name, std::string_view below) {
        DiskUse disk = room.disks.find(below);
        auto* const made =
            CompressedDisk::create(
                *kernel.heap, *kernel.frames, name, *disk,
                {.size = disk_bytes, .parameters = {codec::Algorithm::lz4, 0}, .id = 7})
                .value();
        EXPECT_TRUE(
            boot::add_layer(room, {.device = made, .compressed = made, .below = std::move(disk)})
                .has_value());
        return made;
    }
    /// One partition, which is known.
    void divide(MemoryDisk& disk) {
        Pages const pages(disk_bytes / page_size.value);
        GptImage image(pages.bytes());
        image.add({64, 8000, "data"});
        image.seal();
        for (u64 const first : {u64{0}, disk_bytes / 512 - 64}) {
            Segment const part{pages.place() + Bytes{first * 512}, 64 * 512};
            ASSERT_TRUE(write_block(disk, first, part).has_value());
        }
        room.disks.changed(disk);
    }
    bool has(std::string_view name) { return static_cast<bool>(room.disks.find(name)); }

    static constexpr u64 disk_bytes = u64{4} << 20;
    DiskRoom room;
    Pages memory;
};

} // namespace

TEST(Layers, EndWithADiskThatLeaves) {
    SKIP_IF(boot::current_kernel().threads == nullptr, "compressed disks need threads");
    Layers it;
    MemoryDisk& first = it.make("first");
    it.make("second");
    it.make("third");
    it.stripe("both", "first", "second");
    it.compress("over", "both");
    it.compress("other", "third");
    it.leave(first);
    EXPECT_FALSE(it.has("first"));
    EXPECT_FALSE(it.has("both"));
    EXPECT_FALSE(it.has("over"));
    EXPECT_TRUE(it.has("second"));
    EXPECT_TRUE(it.has("other"));
    ASSERT_EQ(it.room.layers.size(), 1u);
    EXPECT_TRUE(boot::layer_over(it.room, *it.room.disks.find("second")) == nullptr);
    EXPECT_TRUE(boot::layer_over(it.room, *it.room.disks.find("third")) == &it.room.layers[0]);
}

TEST(Layers, OverPartsAloneEndWithTheParts) {
    SKIP_IF(boot::current_kernel().threads == nullptr, "compressed disks need threads");
    Layers it;
    MemoryDisk& divided = it.make("divided");
    MemoryDisk& plain = it.make("plain");
    it.divide(divided);
    ASSERT_TRUE(it.has("divided1"));
    it.compress("part", "divided1");
    it.compress("whole", "plain");
    EXPECT_TRUE(boot::layer_over(it.room, *it.room.disks.find("divided")) != nullptr);
    boot::close_layers_over(it.room, plain, Under::parts);
    EXPECT_TRUE(it.has("whole"));
    boot::close_layers_over(it.room, divided, Under::parts);
    EXPECT_FALSE(it.has("part"));
    it.room.disks.changed(divided); // nobody uses a part of it
    EXPECT_TRUE(it.has("divided1"));
    EXPECT_TRUE(it.has("whole"));
}

TEST(Layers, HoldNothingBackOnceTheyAreFlushed) {
    SKIP_IF(boot::current_kernel().threads == nullptr, "compressed disks need threads");
    Layers it;
    it.make("below");
    CompressedDisk* const over = it.compress("over", "below");
    u64 const before = over->counts().commits;
    Segment const memory{it.memory.place(), 4096};
    ASSERT_TRUE(write_block(*it.room.disks.find("over"), 0, memory).has_value());
    EXPECT_EQ(over->counts().commits, before);
    EXPECT_EQ(boot::flush_layers(it.room), 0u);
    EXPECT_EQ(over->counts().commits, before + 1);
}
