// The page-table engine: one suite for four and five levels, through the linear window and through
// a recursive slot.
#include "core/memory/memory.hpp"
#include "tests/core/memory/space/frames.hpp"

#include <isa/page_entry.hpp>

using namespace twofold;
using namespace twofold::literals;
using memory::FlushBatch;
using memory::Leaf;
using memory::PageAccess;
using memory::PageTable;
using test::TestFrames;

namespace {

constexpr VirtAddr somewhere{0x0000'7abc'4000'0000}; // at a multiple of 1 GiB
constexpr VirtAddr window{0x0000'1234'5678'9000};
constexpr unsigned recursive_slot = 200;
constexpr PhysAddr device_page{u64{1} << 40}; // no frame of anybody: never touched

/// Follows the tables of any codec to where an address leads.
template<class Codec>
struct WalkingView {
    PhysAddr root;

    void* operator()(VirtAddr address) const {
        PhysAddr at = root;
        for (unsigned level = Codec::levels; level-- > 0;) {
            auto const entries =
                std::span(memory::frame_object<memory::TableEntry>(at), usize{Codec::entries});
            u64 const entry = entries[Codec::index(address, level)].load(relaxed);
            CHECK(Codec::is_present(entry));
            at = level > 0 ? Codec::decode_table(entry) : Codec::decode_leaf(entry, 0).frame;
        }
        return hal::Memory::linear(at + Bytes{address.value % page_size.value});
    }
};

template<class Codec, class Body>
void with_linear(Body& body) {
    TestFrames test;
    PhysAddr const root = test.frames.allocate_zeroed(0).value();
    PageTable<Codec> table(test.frames, root, PageTable<Codec>::Root::free);
    body(table, test);
    EXPECT_EQ(table.tables(), 0u);
    test.frames.release(root, 0);
}

template<class Codec, class Body>
void with_recursive(Body& body) {
    using Access = memory::RecursiveTables<Codec, WalkingView<Codec>>;
    using Table = PageTable<Codec, Access>;
    TestFrames test;
    PhysAddr const root = test.frames.allocate_zeroed(0).value();
    PageTable<Codec> scaffold(test.frames, root, PageTable<Codec>::Root::free);
    EXPECT_TRUE(scaffold.map(window, {.frame = device_page}, 0).has_value());
    auto const entries =
        std::span(memory::frame_object<memory::TableEntry>(root), usize{Codec::entries});
    entries[recursive_slot].store(Codec::encode_table(root), relaxed);

    Table table(
        test.frames, root, Table::Root::free,
        Access(WalkingView<Codec>{root}, recursive_slot, window));
    body(table, test);
    EXPECT_EQ(table.tables(), 0u);
    {
        FlushBatch batch(test.frames, FlushBatch::Reach::nowhere);
        scaffold.unmap(window, page_size, batch, [](VirtAddr, Leaf, unsigned) {});
    }
    EXPECT_EQ(scaffold.tables(), 0u);
    test.frames.release(root, 0);
}

/// Runs `body(table, frames)` on every kind of engine.
template<class Body>
void on_every_engine(Body body) {
    with_linear<hal::Mmu>(body);
    with_linear<isa::PageEntry5>(body);
    with_recursive<hal::Mmu>(body);
    with_recursive<isa::PageEntry5>(body);
}

template<class Table>
u64 unmap(Table& table, TestFrames& test, VirtAddr address, Bytes size) {
    u64 removed = 0;
    FlushBatch batch(test.frames, FlushBatch::Reach::nowhere);
    EXPECT_TRUE(table.split_at(address, batch).has_value());
    EXPECT_TRUE(table.split_at(address + size, batch).has_value());
    table.unmap(address, size, batch, [&](VirtAddr, Leaf, unsigned level) {
        removed += Table::span(level) / page_size;
    });
    return removed;
}

} // namespace

TEST(PageTable, MapsPagesOfEverySize) {
    on_every_engine([](auto& table, TestFrames& test) {
        Bytes const sizes[] = {4_KiB, 2_MiB, 1_GiB};
        for (unsigned level = 0; level < 3; ++level) {
            EXPECT_EQ(table.span(level), sizes[level]);
            if (level > hal::Mmu::highest_leaf_level()) {
                continue;
            }
            Leaf const leaf{
                .frame = device_page,
                .access = PageAccess::read_write,
                .user = true,
                .cache = hal::CacheMode::write_combining};
            ASSERT_TRUE(table.map(somewhere, leaf, level).has_value());
            EXPECT_EQ(table.map(somewhere, leaf, level).error(), Error::already_exists);
            EXPECT_EQ(table.map(somewhere, leaf, 0).error(), Error::already_exists);
            VirtAddr const last = somewhere + (sizes[level] - 1_B);
            auto const found = table.translate(last);
            ASSERT_TRUE(found.has_value());
            EXPECT_EQ(found->address, device_page + (sizes[level] - 1_B));
            EXPECT_TRUE(found->leaf == leaf);
            EXPECT_EQ(found->level, level);
            EXPECT_EQ(found->page, somewhere);
            EXPECT_FALSE(table.translate(last + 1_B).has_value());
            EXPECT_FALSE(table.translate(somewhere - 1_B).has_value());
            EXPECT_EQ(unmap(table, test, somewhere, sizes[level]), sizes[level] / 4_KiB);
            EXPECT_FALSE(table.translate(somewhere).has_value());
            EXPECT_EQ(table.tables(), 0u);
        }
    });
}

TEST(PageTable, RefusesWhatCannotBeMapped) {
    on_every_engine([](auto& table, TestFrames&) {
        Leaf const leaf{.frame = device_page};
        EXPECT_EQ(table.map(somewhere + 8_B, leaf, 0).error(), Error::invalid_argument);
        EXPECT_EQ(table.map(somewhere + 4_KiB, leaf, 1).error(), Error::invalid_argument);
        EXPECT_EQ(
            table.map(somewhere, {.frame = device_page + 4_KiB}, 1).error(),
            Error::invalid_argument);
        EXPECT_EQ(table.map(somewhere, leaf, 3).error(), Error::invalid_argument);
        EXPECT_EQ(table.map(somewhere, leaf, 99).error(), Error::invalid_argument);
        EXPECT_EQ(table.map({0x4000'0000'0000'0000}, leaf, 0).error(), Error::out_of_range);
        EXPECT_FALSE(table.translate({0x4000'0000'0000'0000}).has_value());
        EXPECT_EQ(table.tables(), 0u);
    });
}

TEST(PageTable, AFailedAllocationLeavesNothing) {
    on_every_engine([](auto& table, TestFrames& test) {
        // Fewer tables than levels where the scaffold of a recursive slot has some already.
        Leaf const leaf{.frame = device_page};
        constexpr unsigned levels = std::remove_reference_t<decltype(table)>::levels;
        unsigned call = 0;
        for (bool done = false; !done; ++call) {
            ASSERT_LT(call, levels);
            u64 const before = test.frames.in_use();
            test.source.fail_from(call);
            Result<void> const mapped = table.map(somewhere, leaf, 0);
            test.source.recover();
            done = mapped.has_value();
            if (!done) {
                EXPECT_EQ(mapped.error(), Error::out_of_memory);
                EXPECT_EQ(test.frames.in_use(), before);
                EXPECT_EQ(table.tables(), 0u);
            }
        }
        EXPECT_GE(call, 4u);
        EXPECT_EQ(table.tables(), u64{call - 1});
        unmap(table, test, somewhere, 4_KiB);
    });
}

TEST(PageTable, DividesALargePageWhereARangeEnds) {
    on_every_engine([](auto& table, TestFrames& test) {
        Leaf const leaf{.frame = device_page, .access = PageAccess::read_write};
        ASSERT_TRUE(table.map(somewhere, leaf, 1).has_value());
        u64 const before = table.tables();
        EXPECT_EQ(unmap(table, test, somewhere + 12_KiB, 8_KiB), 2u);
        EXPECT_EQ(table.tables(), before + 1);
        for (u64 page = 0; page < 512; ++page) {
            auto const found = table.translate(somewhere + page_size * page);
            ASSERT_EQ(found.has_value(), page != 3 && page != 4);
            if (found) {
                EXPECT_EQ(found->address, device_page + page_size * page);
                EXPECT_EQ(found->level, 0u);
            }
        }
        EXPECT_EQ(unmap(table, test, somewhere, 2_MiB), 510u);
        FlushBatch batch(test.frames, FlushBatch::Reach::nowhere);
        ASSERT_TRUE(table.map(somewhere, leaf, 1).has_value());
        test.source.fail_from(0);
        EXPECT_EQ(table.split_at(somewhere + 4_KiB, batch).error(), Error::out_of_memory);
        test.source.recover();
        EXPECT_EQ(table.translate(somewhere + 4_KiB)->level, 1u);
        EXPECT_TRUE(table.split_at(somewhere, batch).has_value()); // crosses nothing
        EXPECT_EQ(table.translate(somewhere)->level, 1u);
        EXPECT_EQ(unmap(table, test, somewhere, 2_MiB), 512u);
    });
}

TEST(PageTable, DividesAGigabyteTwice) {
    if (hal::Mmu::highest_leaf_level() < 2) {
        return; // such a processor has none to divide
    }
    on_every_engine([](auto& table, TestFrames& test) {
        ASSERT_TRUE(table.map(somewhere, {.frame = device_page}, 2).has_value());
        EXPECT_EQ(unmap(table, test, somewhere + 1_GiB - 4_KiB, 4_KiB), 1u);
        EXPECT_EQ(table.translate(somewhere)->level, 1u);
        EXPECT_EQ(table.translate(somewhere + 1_GiB - 8_KiB)->level, 0u);
        EXPECT_FALSE(table.translate(somewhere + 1_GiB - 4_KiB).has_value());
        EXPECT_EQ(unmap(table, test, somewhere, 1_GiB), 262143u);
    });
}

TEST(PageTable, JoinsSmallPagesThatLieSideBySide) {
    on_every_engine([](auto& table, TestFrames& test) {
        FlushBatch batch(test.frames, FlushBatch::Reach::nowhere);
        for (u64 page = 0; page < 512; ++page) {
            EXPECT_FALSE(table.promote(somewhere, 1, batch));
            Leaf const leaf{
                .frame = device_page + page_size * page, .access = PageAccess::read_write};
            ASSERT_TRUE(table.map(somewhere + page_size * page, leaf, 0).has_value());
        }
        auto const set_access = [&](PageAccess access) {
            table.rewrite(
                somewhere + 4_KiB * 100, 4_KiB, batch, [&](VirtAddr, Leaf& leaf, unsigned) {
                    leaf.access = access;
                    return true;
                });
        };
        set_access(PageAccess::read);
        EXPECT_FALSE(table.promote(somewhere, 1, batch));
        set_access(PageAccess::read_write);
        u64 const before = table.tables();
        EXPECT_TRUE(table.promote(somewhere + 12_KiB, 1, batch));
        EXPECT_EQ(table.tables(), before - 1);
        auto const found = table.translate(somewhere + 2_MiB - 1_B);
        ASSERT_TRUE(found.has_value());
        EXPECT_EQ(found->level, 1u);
        EXPECT_EQ(found->address, device_page + 2_MiB - 1_B);
        EXPECT_FALSE(table.promote(somewhere, 1, batch));
        EXPECT_FALSE(table.promote(somewhere, 0, batch));
        EXPECT_FALSE(table.promote(somewhere, 3, batch));
        batch.finish();
        unmap(table, test, somewhere, 2_MiB);
    });
}

TEST(PageTable, VisitsLeavesInOrderAndNothingElse) {
    on_every_engine([](auto& table, TestFrames& test) {
        VirtAddr const pages[] = {
            somewhere, somewhere + 8_KiB, somewhere + 2_MiB - 4_KiB, somewhere + 6_MiB,
            somewhere + 1_GiB};
        u64 number = 0;
        for (VirtAddr const page : pages) {
            ASSERT_TRUE(table.map(page, {.frame = device_page + 4_KiB * number++}, 0).has_value());
        }
        u64 seen = 0;
        table.for_each_leaf(somewhere, 1_GiB, [&](VirtAddr page, Leaf leaf, unsigned level) {
            ASSERT_LT(seen, 4u);
            EXPECT_EQ(page, pages[seen]);
            EXPECT_EQ(leaf.frame, device_page + 4_KiB * seen);
            EXPECT_EQ(level, 0u);
            ++seen;
        });
        EXPECT_EQ(seen, 4u);
        // Each unmapping takes exactly the tables away that it empties.
        for (VirtAddr const page : pages) {
            EXPECT_EQ(unmap(table, test, page, 4_KiB), 1u);
            EXPECT_EQ(unmap(table, test, page, 4_KiB), 0u);
        }
        EXPECT_EQ(table.tables(), 0u);
    });
}

TEST(PageTable, OneSweepTakesManyTablesAway) {
    on_every_engine([](auto& table, TestFrames& test) {
        for (u64 part = 0; part < 24; ++part) {
            VirtAddr const page = somewhere + 2_MiB * part + 4_KiB * (part * 21 % 512);
            ASSERT_TRUE(table.map(page, {.frame = device_page}, 0).has_value());
        }
        EXPECT_GE(table.tables(), 24u);
        EXPECT_EQ(unmap(table, test, somewhere - 1_GiB, 3_GiB), 24u);
        EXPECT_EQ(table.tables(), 0u);
    });
}
