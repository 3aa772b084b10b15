// The memory management unit, with page tables written by hand.
#include "hal/mmu.hpp"

#include "hal/conformance/page_tables.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using conformance::entry_of;
using conformance::flush_everywhere;
using conformance::test_page;
using conformance::word_at;
using conformance::zeroed_frame;
using hal::Access;
using hal::CacheMode;
using hal::Mmu;

namespace {

constexpr Access read_write = Access::read | Access::write;

/// Maps `frame` at `address` in the active space.
void map(VirtAddr address, PhysAddr frame, Access access) {
    auto const entry = entry_of(Mmu::root(), address);
    CHECK(entry.has_value());
    *entry.value() = Mmu::encode_leaf({.frame = frame, .access = access}, 0);
    flush_everywhere(address, page_size);
}

void unmap(VirtAddr address) {
    auto const entry = entry_of(Mmu::root(), address);
    CHECK(entry.has_value());
    *entry.value() = 0;
    flush_everywhere(address, page_size);
}

std::optional<boot::CaughtFault> try_write(VirtAddr address) {
    return boot::catch_fault([address] { *word_at(address) = 7; });
}

std::optional<boot::CaughtFault> try_read(VirtAddr address) {
    return boot::catch_fault([address] { static_cast<void>(*word_at(address)); });
}

} // namespace

TEST(MmuCodec, LeavesSurviveARoundTrip) {
    EXPECT_FALSE(Mmu::is_present(0));
    Access const accesses[] = {
        Access::read,
        read_write,
        Access::read | Access::execute,
        Access::read | Access::user,
        read_write | Access::user,
        Access::read | Access::execute | Access::user};
    CacheMode const caches[] = {
        CacheMode::write_back, CacheMode::write_combining, CacheMode::uncached};
    for (unsigned level = 0; level <= Mmu::highest_leaf_level(); ++level) {
        u64 const size = u64{4096} << (9 * level);
        for (Access const access : accesses) {
            for (CacheMode const cache : caches) {
                hal::PageMapping const mapping{
                    .frame = {size * 5}, .access = access, .cache = cache, .global = level == 1};
                u64 const entry = Mmu::encode_leaf(mapping, level);
                ASSERT_TRUE(Mmu::is_present(entry));
                ASSERT_TRUE(Mmu::is_leaf(entry, level));
                hal::PageMapping const decoded = Mmu::decode_leaf(entry, level);
                EXPECT_EQ(decoded.frame, mapping.frame);
                EXPECT_EQ(decoded.access, mapping.access);
                EXPECT_EQ(decoded.cache, mapping.cache);
                EXPECT_EQ(decoded.global, mapping.global);
            }
        }
    }
}

TEST(MmuCodec, TablesAreNoLeaves) {
    u64 const entry = Mmu::encode_table({0x1234000});
    EXPECT_TRUE(Mmu::is_present(entry));
    EXPECT_FALSE(Mmu::is_leaf(entry, 1));
    EXPECT_EQ(Mmu::decode_table(entry), PhysAddr{0x1234000});
}

TEST(MmuCodec, IndexesCutTheAddress) {
    u64 rebuilt = 0;
    VirtAddr const address{0x0000'7abc'def1'2345};
    for (unsigned level = 0; level < Mmu::levels; ++level) {
        EXPECT_LT(Mmu::index(address, level), Mmu::entries);
        rebuilt |= u64{Mmu::index(address, level)} << (12 + 9 * level);
    }
    EXPECT_EQ(rebuilt, address.value & ~u64{0xfff});
    EXPECT_TRUE(Mmu::is_canonical({0}));
    EXPECT_TRUE(Mmu::is_canonical({0x0000'7fff'ffff'ffff}));
    EXPECT_TRUE(Mmu::is_canonical({~u64{0}}));
    EXPECT_FALSE(Mmu::is_canonical({0x4000'0000'0000'0000}));
}

TEST(Mmu, AMappedPageIsItsFrame) {
    auto const frame = zeroed_frame();
    ASSERT_TRUE(frame.has_value());
    VirtAddr const page = test_page(16);
    map(page, frame.value(), read_write);
    *word_at(page) = 0xabcdef;
    EXPECT_EQ(*conformance::table_at(frame.value()), 0xabcdefu);
    unmap(page);
    auto const fault = try_read(page);
    ASSERT_TRUE(fault.has_value());
    EXPECT_FALSE(fault->cause.present);
    EXPECT_EQ(fault->address, page);
}

TEST(Mmu, ReadOnlyPagesRefuseWrites) {
    auto const frame = zeroed_frame();
    ASSERT_TRUE(frame.has_value());
    VirtAddr const page = test_page(17);
    map(page, frame.value(), Access::read);
    EXPECT_FALSE(try_read(page).has_value());
    auto const fault = try_write(page + Bytes{8});
    ASSERT_TRUE(fault.has_value());
    EXPECT_TRUE(fault->cause.present);
    EXPECT_TRUE(fault->cause.write);
    EXPECT_EQ(fault->address, page + Bytes{8});
    map(page, frame.value(), read_write);
    EXPECT_FALSE(try_write(page).has_value());
    map(page, frame.value(), Access::read);
    EXPECT_TRUE(try_write(page).has_value());
    unmap(page);
}

TEST(Mmu, ExecutionNeedsItsRight) {
    auto const frame = zeroed_frame();
    ASSERT_TRUE(frame.has_value());
    VirtAddr const page = test_page(18);
    map(page, frame.value(), read_write);
    *word_at(page) = 0xc3c3c3c3c3c3c3c3; // returns
    auto const call = [page] { reinterpret_cast<void (*)()>(page.value)(); };
    auto const fault = boot::catch_fault(call);
    ASSERT_TRUE(fault.has_value());
    EXPECT_TRUE(fault->cause.present);
    EXPECT_TRUE(fault->cause.execute);
    map(page, frame.value(), Access::read | Access::execute);
    EXPECT_FALSE(boot::catch_fault(call).has_value());
    unmap(page);
}

TEST(Mmu, TwoPagesMayShareAFrame) {
    auto const frame = zeroed_frame();
    ASSERT_TRUE(frame.has_value());
    map(test_page(19), frame.value(), read_write);
    map(test_page(20), frame.value(), Access::read);
    *word_at(test_page(19)) = 99;
    EXPECT_EQ(*word_at(test_page(20)), 99u);
    unmap(test_page(19));
    EXPECT_EQ(*word_at(test_page(20)), 99u);
    unmap(test_page(20));
}

TEST(Mmu, AFlushCoversEveryPageOfItsRange) {
    constexpr u64 pages = 8;
    auto const first = zeroed_frame();
    auto const second = zeroed_frame();
    ASSERT_TRUE(first.has_value() && second.has_value());
    for (u64 i = 0; i < pages; ++i) {
        map(test_page(32 + i), first.value(), read_write);
        *word_at(test_page(32 + i)) = i;
    }
    for (u64 i = 0; i < pages; ++i) {
        auto const entry = entry_of(Mmu::root(), test_page(32 + i));
        ASSERT_TRUE(entry.has_value());
        *entry.value() = Mmu::encode_leaf({.frame = second.value(), .access = read_write}, 0);
    }
    flush_everywhere(test_page(32), page_size * pages);
    for (u64 i = 0; i < pages; ++i) {
        EXPECT_EQ(*word_at(test_page(32 + i)), 0u);
        unmap(test_page(32 + i));
    }
    Mmu::flush(test_page(32), Bytes{0}); // nothing to flush is no harm
}

TEST(Mmu, WhatWasFlushedIsNotStale) {
    auto const frame = zeroed_frame();
    ASSERT_TRUE(frame.has_value());
    VirtAddr const page = test_page(40);
    EXPECT_EQ(Mmu::count_stale(), 0u);
    map(page, frame.value(), read_write);
    EXPECT_FALSE(try_write(page).has_value());
    EXPECT_EQ(Mmu::count_stale(), 0u);
    auto const entry = entry_of(Mmu::root(), page);
    ASSERT_TRUE(entry.has_value());
    for (u64 const changed :
         {Mmu::encode_leaf({.frame = frame.value(), .access = Access::read}, 0), u64{0}}) {
        *entry.value() = changed;
        EXPECT_LE(Mmu::count_stale(), 1u); // exactly 1 on a machine that can tell
        flush_everywhere(page, page_size);
        EXPECT_EQ(Mmu::count_stale(), 0u);
    }
}

TEST(Mmu, AnotherSpaceIsReachedThroughItsView) {
    constexpr VirtAddr address{0x0000'1000'0000'0000}; // no window of the kernel's
    PhysAddr const kernel_root = Mmu::root();
    auto const other_root = zeroed_frame();
    auto const theirs = zeroed_frame();
    ASSERT_TRUE(other_root.has_value() && theirs.has_value());
    for (unsigned i = 0; i < Mmu::entries; ++i) {
        conformance::table_at(other_root.value())[i] = conformance::table_at(kernel_root)[i];
    }
    auto const entry = entry_of(other_root.value(), address);
    ASSERT_TRUE(entry.has_value());
    *entry.value() = Mmu::encode_leaf({.frame = theirs.value(), .access = read_write}, 0);
    conformance::table_at(theirs.value())[1] = 0x7e57;

    auto const seen = [&] {
        return static_cast<u64*>(Mmu::view(other_root.value(), address + Bytes{8}));
    };
    ASSERT_TRUE(seen() != nullptr);
    EXPECT_EQ(*seen(), 0x7e57u);
    EXPECT_TRUE(Mmu::view(kernel_root, address) == nullptr);
    EXPECT_TRUE(Mmu::view(other_root.value(), address + page_size) == nullptr);

    Mmu::activate(other_root.value());
    bool const switched = Mmu::root() == other_root.value();
    u64* const inside = seen();
    u64 const value = inside != nullptr ? *inside : 0;
    Mmu::activate(kernel_root);
    EXPECT_TRUE(switched);
    EXPECT_EQ(value, 0x7e57u);
    EXPECT_EQ(Mmu::root(), kernel_root);
}

TEST(Mmu, APageOfUsersIsReachedThroughItsViewAlone) {
    constexpr VirtAddr address{0x0000'1000'0000'0000};
    PhysAddr const kernel_root = Mmu::root();
    auto const other_root = zeroed_frame();
    auto const theirs = zeroed_frame();
    ASSERT_TRUE(other_root.has_value() && theirs.has_value());
    for (unsigned i = 0; i < Mmu::entries; ++i) {
        conformance::table_at(other_root.value())[i] = conformance::table_at(kernel_root)[i];
    }
    auto const entry = entry_of(other_root.value(), address);
    ASSERT_TRUE(entry.has_value());
    *entry.value() =
        Mmu::encode_leaf({.frame = theirs.value(), .access = read_write | Access::user}, 0);
    // Active or not, the view is a pointer that the kernel may follow.
    for (bool const active : {false, true}) {
        Mmu::activate(active ? other_root.value() : kernel_root);
        auto* const seen = static_cast<u64*>(Mmu::view(other_root.value(), address + Bytes{16}));
        auto const fault = boot::catch_fault([seen] { ++*seen; });
        Mmu::activate(kernel_root);
        EXPECT_FALSE(fault.has_value());
    }
    EXPECT_EQ(conformance::table_at(theirs.value())[2], 2u);
}

TEST_EXCEPT_ON(
    "metal",
    "the processor reads open bus beyond memory and raises nothing",
    Mmu,
    AMappingBeyondMemoryIsItsOwnFault) {
    VirtAddr const page = test_page(50);
    map(page, {u64{1} << 40}, read_write);
    auto const fault = try_read(page);
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, hal::FaultKind::physical);
    unmap(page);
}
