// Where the data of NVMe commands lies: PRP and SGL shapes, right and wrong.
#include "tests/hal/hosted/nvme_bench.hpp"

namespace {

using namespace hosted;
using namespace hosted::test;
namespace status = nvme::status;
using nvme::Command;
using nvme::Opcode;
using nvme::SglDescriptor;

constexpr u64 lists_at = NvmeHost::lists_at;

struct NvmeShapes : NvmeFixture {
    /// A read of so many blocks of 512 bytes, whose data lies as `change` says.
    template<class Change>
    u16 read(u32 count, Change change) {
        Command command = io_command(Opcode::read, 0, count);
        change(command);
        return host.io_status(command);
    }
    u16 read_by_sgl(u32 count, SglDescriptor const& descriptor) {
        return read(count, [&](Command& c) {
            c.flags = nvme::data_by_sgl;
            std::memcpy(c.data, &descriptor, sizeof(descriptor));
        });
    }
    void SetUp() override {
        NvmeFixture::SetUp();
        for (u64 i = 0; i < first->content().size(); ++i) {
            first->content()[i] = static_cast<std::byte>(i / 512 * 7 + i);
        }
        host.fill(data_at, 0x100000, 0xee);
    }
    /// Whether `bytes` of memory are those of the medium from `offset` on.
    bool holds(u64 at, u64 offset, u64 bytes) {
        auto const seen = host.bytes(at, bytes);
        return std::ranges::equal(seen, first->content().subspan(offset, bytes));
    }
    bool is_untouched(u64 at, u64 bytes) {
        return std::ranges::all_of(
            host.bytes(at, bytes), [](std::byte b) { return b == std::byte{0xee}; });
    }
};

TEST_F(NvmeShapes, OneEntryWithAnOffset) {
    ASSERT_EQ(read(2, [](Command& c) { c.data[0] = data_at + 0xc00; }), 0);
    EXPECT_TRUE(holds(data_at + 0xc00, 0, 1024));
    EXPECT_TRUE(is_untouched(data_at, 0xc00));
    EXPECT_TRUE(is_untouched(data_at + 0x1000, 0x1000));
}

TEST_F(NvmeShapes, TwoEntriesAcrossAPage) {
    ASSERT_EQ(
        read(
            8,
            [](Command& c) {
                c.data[0] = data_at + 0xa00;
                c.data[1] = data_at + 0x5000;
            }),
        0);
    EXPECT_TRUE(holds(data_at + 0xa00, 0, 0x600));
    EXPECT_TRUE(holds(data_at + 0x5000, 0x600, 0xa00));
    EXPECT_TRUE(is_untouched(data_at + 0x5a00, 0x600));
}

TEST_F(NvmeShapes, AListOfEntries) {
    host.put(
        lists_at + 0x100,
        std::array<u64, 4>{data_at + 0x8000, data_at, data_at + 0x4000, NvmeHost::memory_bytes});
    ASSERT_EQ(
        read(
            29,
            [](Command& c) {
                c.data[0] = data_at + 0x10e00;
                c.data[1] = lists_at + 0x100;
            }),
        status::data_transfer_error | never_again); // the fourth entry is none that can be reached
    host.put(lists_at + 0x118, u64{data_at + 0x20000});
    ASSERT_EQ(
        read(
            29,
            [](Command& c) {
                c.data[0] = data_at + 0x10e00;
                c.data[1] = lists_at + 0x100;
            }),
        0);
    EXPECT_TRUE(holds(data_at + 0x10e00, 0, 0x200));
    EXPECT_TRUE(holds(data_at + 0x8000, 0x200, 0x1000));
    EXPECT_TRUE(holds(data_at, 0x1200, 0x1000));
    EXPECT_TRUE(holds(data_at + 0x4000, 0x2200, 0x1000));
    EXPECT_TRUE(holds(data_at + 0x20000, 0x3200, 0x800));
}

TEST_F(NvmeShapes, AListThatLeadsToAnother) {
    // Two entries are left on the list's page: the second leads on.
    u64 const from = lists_at + 0x1000 - 16;
    host.put(from, std::array<u64, 2>{data_at + 0x1000, lists_at + 0x2000});
    host.put(lists_at + 0x2000, std::array<u64, 2>{data_at + 0x6000, data_at + 0x3000});
    auto const lies = [&](Command& c) {
        c.data[0] = data_at;
        c.data[1] = from;
    };
    ASSERT_EQ(read(32, lies), 0);
    EXPECT_TRUE(holds(data_at, 0, 0x2000));
    EXPECT_TRUE(holds(data_at + 0x6000, 0x2000, 0x1000));
    EXPECT_TRUE(holds(data_at + 0x3000, 0x3000, 0x1000));
    // Three pages need no more than the two entries: then the last is data.
    host.put(from, std::array<u64, 2>{data_at + 0x1000, data_at + 0x9000});
    ASSERT_EQ(read(24, lies), 0);
    EXPECT_TRUE(holds(data_at + 0x9000, 0x2000, 0x1000));
    host.put(from, std::array<u64, 2>{data_at + 0x1000, lists_at + 0x2008});
    EXPECT_EQ(read(32, lies), status::invalid_prp_offset | never_again);
}

TEST_F(NvmeShapes, TheLargestTransferNeedsOnePieceWhereItIsOne) {
    std::array<u64, 127> list;
    for (u64 i = 0; i < list.size(); ++i) {
        list[i] = data_at + (i + 1) * 0x1000;
    }
    host.put(lists_at, list);
    u64 const pieces = bench.controller.counts().pieces;
    ASSERT_EQ(read(1024, [](Command& c) { c.data[1] = lists_at; }), 0);
    EXPECT_EQ(bench.controller.counts().pieces, pieces + 1);
    EXPECT_TRUE(holds(data_at, 0, 0x80000));
}

TEST_F(NvmeShapes, WrongEntries) {
    EXPECT_EQ(
        read(16, [](Command& c) { c.data[1] = data_at + 0x1004; }),
        status::invalid_prp_offset | never_again);
    host.put(lists_at, std::array<u64, 2>{data_at + 0x1200, data_at});
    EXPECT_EQ(
        read(24, [](Command& c) { c.data[1] = lists_at; }),
        status::invalid_prp_offset | never_again);
    EXPECT_EQ(
        read(24, [](Command& c) { c.data[1] = lists_at + 4; }),
        status::invalid_prp_offset | never_again);
    for (u64 const nowhere : {NvmeHost::memory_bytes, u64{1} << 52, ~u64{0xfff}}) {
        EXPECT_EQ(
            read(8, [&](Command& c) { c.data[0] = nowhere; }),
            status::data_transfer_error | never_again);
        EXPECT_EQ(
            read(24, [&](Command& c) { c.data[1] = nowhere; }),
            status::data_transfer_error | never_again);
    }
    EXPECT_TRUE(is_untouched(data_at, 0x10000));
}

TEST_F(NvmeShapes, OneDataBlockOfAnyAlignment) {
    ASSERT_EQ(read_by_sgl(20, {.address = data_at + 3, .bytes = 20 * 512}), 0);
    EXPECT_TRUE(holds(data_at + 3, 0, 20 * 512));
    EXPECT_TRUE(is_untouched(data_at, 3));
}

TEST_F(NvmeShapes, SegmentsThatLeadOn) {
    host.put(
        lists_at,
        std::array<SglDescriptor, 3>{
            SglDescriptor{.address = data_at + 5, .bytes = 1000},
            SglDescriptor{.address = data_at + 0x9000, .bytes = 24},
            SglDescriptor{
                .address = lists_at + 0x800, .bytes = 32, .type = nvme::sgl_last_segment}});
    host.put(
        lists_at + 0x800, std::array<SglDescriptor, 2>{
                              SglDescriptor{.address = data_at + 0xa001, .bytes = 0},
                              SglDescriptor{.address = data_at + 0xa001, .bytes = 512}});
    SglDescriptor const segment{.address = lists_at, .bytes = 48, .type = nvme::sgl_segment};
    ASSERT_EQ(read_by_sgl(3, segment), 0);
    EXPECT_TRUE(holds(data_at + 5, 0, 1000));
    EXPECT_TRUE(holds(data_at + 0x9000, 1000, 24));
    EXPECT_TRUE(holds(data_at + 0xa001, 1024, 512));
    EXPECT_EQ(read_by_sgl(4, segment), status::invalid_data_sgl_length | never_again);
    EXPECT_EQ(read_by_sgl(2, segment), status::invalid_data_sgl_length | never_again);
}

TEST_F(NvmeShapes, WrongLists) {
    SglDescriptor const good{.address = data_at, .bytes = 512};
    auto const list = [&](std::array<SglDescriptor, 2> const& all, u8 type = nvme::sgl_segment) {
        host.put(lists_at, all);
        return read_by_sgl(1, {.address = lists_at, .bytes = 32, .type = type});
    };
    EXPECT_EQ(
        read_by_sgl(1, {.address = data_at, .bytes = 512, .type = 0x10}),
        status::invalid_sgl_segment | never_again);
    EXPECT_EQ(
        read_by_sgl(2, {.address = data_at, .bytes = 512}),
        status::invalid_data_sgl_length | never_again);
    for (u32 const bytes : {0u, 8u, 17u}) {
        EXPECT_EQ(
            read_by_sgl(1, {.address = lists_at, .bytes = bytes, .type = nvme::sgl_segment}),
            status::invalid_sgl_segment | never_again);
    }
    EXPECT_EQ(
        list({SglDescriptor{.address = lists_at, .bytes = 32, .type = nvme::sgl_segment}, good}),
        status::invalid_sgl_count | never_again);
    EXPECT_EQ(
        list({SglDescriptor{.address = data_at, .bytes = 32, .type = 0x40}, good}),
        status::invalid_sgl_type | never_again);
    EXPECT_EQ(list({good, good}), status::invalid_data_sgl_length | never_again);
    EXPECT_EQ(
        list(
            {good, SglDescriptor{.address = lists_at, .bytes = 32, .type = nvme::sgl_segment}},
            nvme::sgl_last_segment),
        status::invalid_sgl_segment | never_again);
    // One that leads to itself and finds nothing.
    EXPECT_EQ(
        list(
            {SglDescriptor{},
             SglDescriptor{.address = lists_at, .bytes = 32, .type = nvme::sgl_segment}}),
        status::invalid_sgl_segment | never_again);
    EXPECT_EQ(
        read_by_sgl(1, {.address = u64{1} << 50, .bytes = 32, .type = nvme::sgl_segment}),
        status::data_transfer_error | never_again);
    EXPECT_EQ(
        read_by_sgl(1, {.address = ~u64{0} - 5, .bytes = 512}),
        status::invalid_data_sgl_length | never_again);
    EXPECT_TRUE(is_untouched(data_at, 0x10000));
}

} // namespace
