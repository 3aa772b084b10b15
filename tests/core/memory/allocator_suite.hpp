// What every allocator must do, whichever it is: the suite that docs/guides/write-an-allocator.md
// promises to one's own. Kernel code, so that it runs on every machine.
//
//     check_bad_input        sizes and pointers that make no sense
//     check_resize           content and alignment survive every change of size
//     check_failures         every allocation of a workload of containers fails, once and from then
//                            on: nothing is lost, and nothing breaks
//     RandomTest             random operations against a model: blocks as disjoint intervals, each
//                            with a pattern of its own
#pragma once

#include "core/memory/memory.hpp"
#include "tests/core/memory/failing_allocator.hpp"
#include "tests/support/test.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace twofold::memory::testing {

inline constexpr u64 huge_sizes[] = {u64{1} << 40,   u64{1} << 52, (u64{1} << 63) - 1,
                                     ~u64{0} - 4096, ~u64{0} - 15, ~u64{0}};

/// The bytes [first, last) that a block's pattern is written to and read from: all of a small one,
/// both ends of a large one.
template<class Visitor>
void for_each_marked(std::byte* block, u64 size, Visitor const& visit) {
    std::span<std::byte> const bytes(block, size);
    for (u64 i = 0; i < size; ++i) {
        if (i == 48 && size > 96) {
            i = size - 48;
        }
        visit(bytes[i], i);
    }
}
inline std::byte mark_of(u64 key, u64 index) {
    return static_cast<std::byte>((key * 31 + index * 7 + 1) & 0xff);
}
inline void write_marks(std::byte* block, u64 size, u64 key) {
    for_each_marked(block, size, [key](std::byte& at, u64 i) { at = mark_of(key, i); });
}
inline bool has_marks(std::byte* block, u64 size, u64 key) {
    bool all = true;
    for_each_marked(
        block, size, [key, &all](std::byte const& at, u64 i) { all &= at == mark_of(key, i); });
    return all;
}

template<Allocator A>
void check_bad_input(A& allocator) {
    EXPECT_EQ(allocator.allocate({0}, {16}).error(), Error::invalid_argument);
    for (u64 const alignment : {u64{0}, u64{3}, u64{24}, u64{4095}, ~u64{0}}) {
        EXPECT_EQ(allocator.allocate({64}, {alignment}).error(), Error::invalid_argument);
    }
    for (u64 const size : huge_sizes) {
        EXPECT_EQ(allocator.allocate({size}, {16}).error(), Error::out_of_memory);
        EXPECT_EQ(allocator.allocate({size}, {4096}).error(), Error::out_of_memory);
    }
    for (unsigned shift = 42; shift < 64; ++shift) {
        EXPECT_EQ(allocator.allocate({64}, {u64{1} << shift}).error(), Error::out_of_memory);
    }
    std::byte* const block = allocator.allocate({200}, {16}).value();
    write_marks(block, 200, 1);
    EXPECT_EQ(allocator.resize(block, {0}, {16}).error(), Error::invalid_argument);
    for (u64 const alignment : {u64{0}, u64{3}, u64{24}, ~u64{0}}) {
        EXPECT_EQ(allocator.resize(block, {300}, {alignment}).error(), Error::invalid_argument);
        EXPECT_EQ(allocator.resize(block, {100}, {alignment}).error(), Error::invalid_argument);
    }
    EXPECT_EQ(allocator.resize(block, {300}, {u64{1} << 63}).error(), Error::out_of_memory);
    for (u64 const size : huge_sizes) {
        EXPECT_EQ(allocator.resize(block, {size}, {16}).error(), Error::out_of_memory);
    }
    std::byte outside{};
    EXPECT_EQ(allocator.free(&outside).error(), Error::out_of_range);
    EXPECT_EQ(allocator.free(nullptr).error(), Error::out_of_range);
    EXPECT_EQ(allocator.usable_size(&outside).error(), Error::out_of_range);
    EXPECT_EQ(allocator.usable_size(nullptr).error(), Error::out_of_range);
    EXPECT_EQ(allocator.resize(&outside, {8}, {16}).error(), Error::out_of_range);
    EXPECT_EQ(allocator.resize(nullptr, {8}, {16}).error(), Error::out_of_range);
    std::span<std::byte> const bytes(block, 200);
    for (u64 const inside : {1, 2, 8, 15, 16, 17, 32, 48, 64, 128, 192}) {
        EXPECT_EQ(allocator.free(&bytes[inside]).error(), Error::invalid_argument);
        EXPECT_EQ(allocator.resize(&bytes[inside], {8}, {16}).error(), Error::invalid_argument);
        EXPECT_EQ(allocator.usable_size(&bytes[inside]).error(), Error::invalid_argument);
    }
    EXPECT_TRUE(has_marks(block, 200, 1)); // nothing of this touched it
    EXPECT_TRUE(allocator.free(block).has_value());
    EXPECT_EQ(allocator.free(block).error(), Error::invalid_state);
    EXPECT_EQ(allocator.usable_size(block).error(), Error::invalid_state);
    EXPECT_EQ(allocator.resize(block, {8}, {16}).error(), Error::invalid_state);
    EXPECT_TRUE(allocator.verify().has_value());
}

template<Allocator A>
void check_resize(A& allocator) {
    constexpr u64 sizes[] = {1,    40,   24,   600,  1024, 1025, 1008,  5000,
                             9000, 4100, 2000, 1500, 1040, 900,  16384, 16};
    for (u64 const alignment : {16, 64, 4096}) {
        std::byte* block = allocator.allocate({8}, {alignment}).value();
        u64 size = 8;
        write_marks(block, size, 9);
        for (u64 const next : sizes) {
            Result<std::byte*> const moved = allocator.resize(block, {next}, {alignment});
            ASSERT_TRUE(moved.has_value());
            block = moved.value();
            ASSERT_TRUE(is_aligned(heap::address_of(block), alignment));
            ASSERT_GE(allocator.usable_size(block).value().value, next);
            // What both sizes reach is still there; the first 48 bytes are marked in any size.
            ASSERT_TRUE(has_marks(block, std::min({size, next, u64{48}}), 9));
            size = next;
            write_marks(block, size, 9);
        }
        ASSERT_TRUE(allocator.free(block).has_value());
        ASSERT_TRUE(allocator.verify().has_value());
    }
}

/// What a program does with containers, on an allocator whose allocations may fail. The number of
/// operations that were refused.
template<Allocator A>
u64 use_containers(A& allocator) {
    u64 refused = 0;
    auto const try_to = [&refused](Result<void> const& outcome) { refused += outcome ? 0 : 1; };
    Vector<String<A>, A> texts(allocator);
    for (u64 i = 0; i < 6; ++i) {
        Result<String<A>> text = String<A>::create(allocator, "a text of some length");
        if (!text) {
            ++refused;
            continue;
        }
        try_to(text.value().append(text.value()));
        usize const before = texts.size();
        Result<void> const pushed = texts.emplace(std::move(text).value());
        try_to(pushed);
        EXPECT_EQ(texts.size(), before + (pushed ? 1 : 0));
    }
    for (String<A> const& text : texts) {
        EXPECT_TRUE(text.view().starts_with("a text of some length"));
    }
    struct alignas(128) Wide {
        u64 value = 7;
    };
    Result<Box<Wide, A>> const wide = Box<Wide, A>::create(allocator);
    refused += wide ? 0 : 1;
    if (wide) {
        EXPECT_EQ(wide.value()->value, 7u);
    }
    Result<std::byte*> block = allocator.allocate({100}, {16});
    if (!block) {
        return refused + 1;
    }
    write_marks(block.value(), 100, 5);
    for (u64 const size : {300, 9000, 200}) {
        Result<std::byte*> const moved = allocator.resize(block.value(), {size}, {16});
        refused += moved ? 0 : 1;
        block = moved ? moved.value() : block.value();
        EXPECT_TRUE(has_marks(block.value(), 48, 5));
    }
    EXPECT_TRUE(allocator.free(block.value()).has_value());
    return refused;
}

template<Allocator A>
void check_failures(A& allocator) {
    Bytes const before = allocator.statistics().reserved;
    FailingAllocator<A> failing(allocator);
    EXPECT_EQ(use_containers(failing), 0u);
    u64 const allocations = failing.asked();
    EXPECT_GT(allocations, 15u);
    for (u64 number = 1; number <= allocations; ++number) {
        for (bool const for_ever : {false, true}) {
            failing.fail_at(number, for_ever);
            EXPECT_GT(use_containers(failing), 0u);
            EXPECT_EQ(failing.out(), 0);
            EXPECT_EQ(allocator.statistics().reserved, before);
            ASSERT_TRUE(allocator.verify().has_value());
        }
    }
    failing.fail_at(0, false);
    EXPECT_EQ(use_containers(failing), 0u); // and all works again
}

/// Random operations on an allocator and on a model of it: the blocks that are handed out, as
/// intervals in the order of their addresses. Fails where blocks overlap or lie badly, where the
/// content of one changes, or where the allocator's own walk finds something.
template<Allocator A, usize BlocksMax = 512>
class RandomTest {
public:
    RandomTest(A& allocator, u64 seed) : m_allocator(allocator), m_random(seed) {}

    /// `count` operations with sizes up to `size_max`; `between` runs before each.
    template<class Between>
    void run(u64 count, u64 size_max, Between const& between) {
        for (u64 i = 0; i < count; ++i) {
            between(m_random);
            u64 const choice = m_random.below(16);
            bool const grow = choice < (m_filling ? 9 : 5);
            if (m_count == BlocksMax || (m_random.below(4000) == 0)) {
                m_filling = false;
            } else if (m_count == 0 || m_random.below(4000) == 0) {
                m_filling = true;
            }
            if (m_count == 0 || (grow && m_count < BlocksMax)) {
                ASSERT_TRUE(allocate(size_max));
            } else if (choice == 15) {
                ASSERT_TRUE(resize(size_max));
            } else {
                ASSERT_TRUE(free_one(m_random.below(m_count)));
            }
            if (i % 4096 == 4095) {
                ASSERT_TRUE(m_allocator.verify().has_value());
            }
        }
        ASSERT_TRUE(m_allocator.verify().has_value());
    }

    void free_all() {
        while (m_count > 0) {
            ASSERT_TRUE(free_one(m_count - 1));
        }
        ASSERT_TRUE(m_allocator.verify().has_value());
    }
    u64 refused() const { return m_refused; }

private:
    struct Block {
        std::byte* start;
        u64 size;
        u64 key;
    };

    u64 random_size(u64 size_max) {
        switch (m_random.below(8)) {
        case 0:
            return 1 + m_random.below(size_max);
        case 1:
            return 1 + m_random.below(std::min<u64>(size_max, 4096));
        default:
            return 1 + m_random.below(std::min<u64>(size_max, 512));
        }
    }
    u64 random_alignment() {
        return m_random.below(8) == 0 ? u64{1} << m_random.below(13) : u64{16};
    }

    /// Enters a block; false if it overlaps another or lies badly.
    bool enter(std::byte* start, u64 size, u64 alignment) {
        u64 const address = heap::address_of(start);
        usize at = m_count;
        while (at > 0 && heap::address_of(m_blocks[at - 1].start) > address) {
            m_blocks[at] = m_blocks[at - 1];
            --at;
        }
        m_blocks[at] = {start, size, ++m_keys};
        ++m_count;
        Bytes const usable = m_allocator.usable_size(start).value();
        bool const after =
            at == 0 || heap::address_of(m_blocks[at - 1].start) + m_blocks[at - 1].size <= address;
        bool const before =
            at + 1 == m_count || address + usable.value <= heap::address_of(m_blocks[at + 1].start);
        write_marks(start, size, m_keys);
        return after && before && usable.value >= size && is_aligned(address, alignment);
    }
    void leave(usize index) {
        --m_count;
        for (usize i = index; i < m_count; ++i) {
            m_blocks[i] = m_blocks[i + 1];
        }
    }

    bool allocate(u64 size_max) {
        u64 const size = random_size(size_max);
        u64 const alignment = random_alignment();
        Result<std::byte*> const block = m_allocator.allocate({size}, {alignment});
        if (!block) {
            ++m_refused;
            m_filling = false;
            return block.error() == Error::out_of_memory;
        }
        return enter(block.value(), size, alignment);
    }
    bool free_one(usize index) {
        Block const block = m_blocks[index];
        leave(index);
        return has_marks(block.start, block.size, block.key) &&
               m_allocator.free(block.start).has_value();
    }
    bool resize(u64 size_max) {
        usize const index = m_random.below(m_count);
        Block const block = m_blocks[index];
        u64 const size = random_size(size_max);
        if (!has_marks(block.start, block.size, block.key)) {
            return false;
        }
        Result<std::byte*> const moved = m_allocator.resize(block.start, {size}, {16});
        if (!moved) {
            ++m_refused;
            return moved.error() == Error::out_of_memory &&
                   has_marks(block.start, block.size, block.key);
        }
        leave(index);
        u64 const kept = std::min({size, block.size, u64{48}});
        return has_marks(moved.value(), kept, block.key) && enter(moved.value(), size, 16);
    }

    A& m_allocator;
    Random m_random;
    std::array<Block, BlocksMax> m_blocks{};
    usize m_count = 0;
    u64 m_keys = 0;
    u64 m_refused = 0;
    bool m_filling = true;
};

} // namespace twofold::memory::testing
