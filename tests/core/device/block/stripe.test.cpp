// Stripes: the bytes against a plain disk, each error told once, and members that are found again,
// or are none.
#include "core/device/block/stripe.hpp"
#include "tests/core/device/block/model_disk.hpp"
#include "tests/support/test.hpp"

#include <algorithm>

using namespace twofold;
using namespace twofold::test_block;

namespace {

constexpr u64 data_sectors = 96; // of a member: twelve chunks
constexpr u64 chunk_bytes = 4096;
constexpr u64 first_sector = stripe_format::data_offset / 512;

/// A stripe over model disks.
struct Striped : Room {
    static constexpr u32 members_max = 3;

    explicit Striped(u32 count)
        : disks(*kernel.heap, *kernel.frames, completions),
          models{
              ModelDisk(first_sector + data_sectors), ModelDisk(first_sector + data_sectors),
              ModelDisk(first_sector + data_sectors)},
          memory(64) {
        constexpr std::string_view names[] = {"a", "b", "c"};
        Stripe::Members members;
        for (u32 i = 0; i < count; ++i) {
            models[i].called = names[i];
            models[i].answers_at_once = true;
            models[i].completions = &completions;
            EXPECT_TRUE(disks.add(models[i]).has_value());
            members.push_back(disks.find(names[i])).value();
        }
        format.chunk_bytes = chunk_bytes;
        format.name.append("fast").value();
        format.id[3] = 7;
        EXPECT_TRUE(write_members(*kernel.frames, format, members).has_value());
        stripe = Stripe::open(*kernel.heap, completions, format, std::move(members)).value();
        used = count;
    }
    ~Striped() {
        stripe->close();
        for (u32 i = 0; i < used; ++i) {
            disks.remove(models[i]);
        }
    }

    /// The byte that lies at sector `number` of the stripe, by a plain rule.
    std::byte const* sector(u64 number) {
        u64 const per_chunk = chunk_bytes / 512;
        u64 const chunk = number / per_chunk;
        return models[chunk % used]
            .sector(first_sector + chunk / used * per_chunk + number % per_chunk)
            .data();
    }

    Disks disks;
    ModelDisk models[members_max];
    Pages memory;
    stripe_format::Member format;
    Stripe* stripe = nullptr;
    u32 used = 0;
};

} // namespace

TEST(Stripe, BytesLieChunkByChunk) {
    for (u32 const count : {2u, 3u}) {
        Striped it(count);
        EXPECT_EQ(it.stripe->geometry().sectors, data_sectors * count);
        Random random(count);
        for (u32 round = 0; round < 60; ++round) {
            u64 const first = random.below(data_sectors * count);
            u32 const most = static_cast<u32>(std::min<u64>(data_sectors * count - first, 100));
            u32 const sectors = 1 + static_cast<u32>(random.below(most));
            auto const bytes = it.memory.bytes().first(u64{sectors} * 512);
            for (std::byte& byte : bytes) {
                byte = static_cast<std::byte>(random.next());
            }
            Segment const memory{it.memory.place(), sectors * 512};
            ASSERT_TRUE(write_block(*it.stripe, first, memory).has_value());
            for (u32 i = 0; i < sectors; ++i) {
                EXPECT_EQ(std::memcmp(it.sector(first + i), bytes.data() + i * 512, 512), 0);
            }
            std::ranges::copy(bytes, it.memory.bytes().subspan(0x20000).begin());
            std::ranges::fill(bytes, std::byte{});
            ASSERT_TRUE(read_block(*it.stripe, first, memory).has_value());
            EXPECT_TRUE(
                std::ranges::equal(bytes, it.memory.bytes().subspan(0x20000, bytes.size())));
        }
    }
}

TEST(Stripe, AFlushGoesToAllAndZerosToTheirPlaces) {
    Striped it(3);
    for (ModelDisk& model : it.models) {
        model.asked.clear();
    }
    EXPECT_TRUE(flush(*it.stripe).has_value());
    for (ModelDisk& model : it.models) {
        ASSERT_EQ(model.asked.size(), 1u);
        EXPECT_EQ(model.asked[0].operation, Operation::flush);
    }
    std::memset(it.memory.bytes().data(), 0xff, 0x10000);
    EXPECT_TRUE(write_block(*it.stripe, 0, {it.memory.place(), 0xc000}).has_value());
    EXPECT_TRUE(write_zeroes(*it.stripe, 5, 60).has_value());
    for (u64 i = 0; i < 96; ++i) {
        EXPECT_EQ(it.sector(i)[9], i >= 5 && i < 65 ? std::byte{} : std::byte{0xff});
    }
}

TEST(Stripe, AnErrorOfOneMemberIsOfTheRequest) {
    Striped it(2);
    it.models[1].bad_sector = first_sector + 9; // of the second row
    Segment const memory{it.memory.place(), 16 * 512};
    EXPECT_TRUE(read_block(*it.stripe, 0, memory).has_value());
    EXPECT_EQ(read_block(*it.stripe, 16, memory).error(), Error::io_failed);
    EXPECT_TRUE(read_block(*it.stripe, 16, {it.memory.place(), 8 * 512}).has_value());
    EXPECT_EQ(read_block(*it.stripe, 24, {it.memory.place(), 8 * 512}).error(), Error::io_failed);
    EXPECT_EQ(read_block(*it.stripe, 192, {it.memory.place(), 512}).error(), Error::out_of_range);
}

TEST(Stripe, MembersAreFoundAgain) {
    Striped it(3);
    for (u32 i = 0; i < 3; ++i) {
        auto const member = read_member(*it.kernel.frames, it.models[i]);
        ASSERT_TRUE(member.has_value());
        EXPECT_EQ(member.value().number, i);
        EXPECT_EQ(member.value().members, 3u);
        EXPECT_EQ(member.value().chunk_bytes, chunk_bytes);
        EXPECT_EQ(member.value().data_bytes, data_sectors * 512);
        EXPECT_EQ(member.value().name.view(), "fast");
        EXPECT_TRUE(member.value().id == it.format.id);
    }
}

TEST(Stripe, EachBitOfAMembersBlockCounts) {
    Striped it(2);
    auto const block = std::span(it.models[0].sector(0).data(), stripe_format::block_bytes);
    u64 const bytes = it.models[0].shape.sectors * 512;
    ASSERT_TRUE(stripe_format::read_member(block, 0, bytes).has_value());
    for (u32 bit = 0; bit < stripe_format::block_bytes * 8; bit += bit < 1024 ? 1 : 131) {
        block[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
        EXPECT_FALSE(stripe_format::read_member(block, 0, bytes).has_value());
        block[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    }
    // One that was copied to another place, or a disk that has shrunk.
    EXPECT_EQ(stripe_format::read_member(block, 4096, bytes).error(), Error::corrupted);
    EXPECT_EQ(stripe_format::read_member(block, 0, bytes - 1).error(), Error::corrupted);
}

TEST(Stripe, WhatMakesNoStripeIsRefused) {
    Striped it(2);
    Stripe::Members one;
    one.push_back(it.disks.find("a")).value();
    stripe_format::Member format;
    format.chunk_bytes = chunk_bytes;
    format.name.append("x").value();
    EXPECT_EQ(write_members(*it.kernel.frames, format, one).error(), Error::invalid_argument);
    one.push_back(it.disks.find("b")).value();
    format.chunk_bytes = 5000;
    EXPECT_EQ(write_members(*it.kernel.frames, format, one).error(), Error::invalid_argument);
    format.chunk_bytes = u64{1} << 20;
    EXPECT_EQ(write_members(*it.kernel.frames, format, one).error(), Error::no_space);
}
