// Containers of the standard library on allocators of the kernel, through both adapters.
#include "apps/adapters/memory_resource.hpp"
#include "apps/adapters/standard_allocator.hpp"
#include "core/memory/bump_heap.hpp"
#include "core/memory/debug/debug_allocator.hpp"
#include "core/memory/heap/heap.hpp"
#include "core/memory/list_heap.hpp"
#include "tests/core/memory/failing_allocator.hpp"

#include <array>
#include <gtest/gtest.h>
#include <list>
#include <map>
#include <memory_resource>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

namespace twofold::adapters {
namespace {

using memory::Allocator;
using memory::BumpHeap;
using memory::ListHeap;
using memory::testing::FailingAllocator;

/// Memory of a test. Whatever a debugging layer has closed to the sanitizer is open afterwards.
class Arena {
public:
    Arena() : m_bytes(std::size_t{8} << 20) {}
    ~Arena() { unpoison(m_bytes.data(), m_bytes.size()); }
    Arena(Arena const&) = delete;
    Arena& operator=(Arena const&) = delete;
    std::span<std::byte> span() { return m_bytes; }

private:
    std::vector<std::byte> m_bytes;
};

/// The heap itself over such memory, in one thread.
class ArenaBacking {
public:
    explicit ArenaBacking(std::span<std::byte> memory) : m_memory(memory) {
        u64 const address = memory::heap::address_of(memory.data());
        m_memory = m_memory.subspan(align_up(address, page_size.value) - address);
        m_memory = m_memory.first(align_down(m_memory.size(), page_size.value));
    }
    memory::HeapRange range() const { return {m_memory.data(), Bytes{m_memory.size()}}; }
    Result<void> commit(Bytes offset, Bytes size) {
        std::ranges::fill(m_memory.subspan(offset.value, size.value), std::byte{0});
        return {};
    }
    void decommit(Bytes, Bytes) {}

private:
    std::span<std::byte> m_memory;
};
struct OneThread {
    static constexpr usize caches_max = 1;
    struct Scope {
        explicit Scope(OneThread&) {}
    };
    void* slot() const { return cache; }
    void set_slot(void* mine) { cache = mine; }
    void lock() {}
    void unlock() {}
    void* cache = nullptr;
};

template<Allocator A>
void use_pmr(A& allocator) {
    MemoryResource<A> resource(allocator);
    {
        std::pmr::vector<u64> numbers(&resource);
        std::pmr::map<int, std::pmr::string> names(&resource);
        std::pmr::unordered_map<std::pmr::string, u64> counts(&resource);
        for (u64 i = 0; i < 2000; ++i) {
            numbers.push_back(i * i);
            std::string const text = "the number of a name " + std::to_string(i % 300);
            names[static_cast<int>(i % 300)] = text;
            ++counts[std::pmr::string(text, &resource)];
        }
        EXPECT_EQ(numbers.size(), 2000u);
        EXPECT_EQ(numbers[1999], 1999u * 1999u);
        EXPECT_EQ(names.size(), 300u);
        EXPECT_EQ(names.at(299), "the number of a name 299");
        EXPECT_EQ(names.at(299).get_allocator().resource(), &resource); // handed down
        EXPECT_EQ(counts.at("the number of a name 7"), 7u);
        std::pmr::vector<u64> const copy(numbers, &resource);
        EXPECT_EQ(copy, numbers);
        EXPECT_GT(allocator.statistics().reserved, Bytes{32'000});
    }
    EXPECT_EQ(allocator.statistics().reserved, Bytes{0});
    EXPECT_TRUE(allocator.verify().has_value());
}

template<Allocator A>
void use_standard(A& allocator) {
    {
        using Pair = std::pair<int const, u64>;
        StandardAllocator<u64, A> const of_numbers(allocator);
        std::vector<u64, StandardAllocator<u64, A>> numbers(of_numbers);
        std::map<int, u64, std::less<>, StandardAllocator<Pair, A>> squares(of_numbers);
        std::list<u64, StandardAllocator<u64, A>> chain(of_numbers);
        for (int i = 0; i < 1000; ++i) {
            numbers.push_back(static_cast<u64>(i));
            squares[i] = static_cast<u64>(i) * static_cast<u64>(i);
            chain.push_front(static_cast<u64>(i));
        }
        EXPECT_EQ(numbers.back(), 999u);
        EXPECT_EQ(squares.at(31), 961u);
        EXPECT_EQ(chain.front(), 999u);
        auto const moved = std::move(numbers);
        EXPECT_EQ(moved.size(), 1000u);
        auto other = moved;
        EXPECT_EQ(other, moved);
        EXPECT_TRUE(other.get_allocator() == moved.get_allocator());
    }
    EXPECT_EQ(allocator.statistics().reserved, Bytes{0});
    EXPECT_TRUE(allocator.verify().has_value());
}

TEST(Adapters, ContainersOnTheHeap) {
    Arena arena;
    ArenaBacking backing(arena.span());
    OneThread environment;
    auto& heap = *memory::Heap<ArenaBacking, OneThread>::create(backing, environment).value();
    use_pmr(heap);
    use_standard(heap);
}

TEST(Adapters, ContainersOnTheBaselines) {
    Arena arena;
    ListHeap list(arena.span());
    use_pmr(list);
    use_standard(list);
    BumpHeap bump(arena.span());
    use_pmr(bump);
    use_standard(bump);
}

/// The environment of a debugging layer in a host program: call sites by return address.
struct HostDebugging {
    static constexpr bool free_blocks_stay_untouched = false;
    struct Scope {
        explicit Scope(HostDebugging&) {}
    };
    [[gnu::always_inline]] memory::CallStack call_stack() const {
        memory::CallStack stack;
        stack.addresses[0] = memory::heap::address_of(__builtin_return_address(0));
        return stack;
    }
    void before_allocation(Bytes) const {}
    void report(memory::Corruption const& found) const {
        ADD_FAILURE() << memory::corruption_name(found.kind);
    }
};

TEST(Adapters, ContainersOnTheDebuggingLayer) {
    Arena arena;
    ListHeap list(arena.span());
    using Layer = memory::DebugAllocator<ListHeap, HostDebugging>;
    Layer& layer = *Layer::create(list).value();
    use_pmr(layer);
    use_standard(layer);
    EXPECT_EQ(layer.live_blocks(), 0u);
    EXPECT_TRUE(Layer::destroy(layer).has_value());
    EXPECT_EQ(list.statistics().reserved, Bytes{0});
}

TEST(Adapters, OutOfMemoryIsAnException) {
    Arena arena;
    ListHeap list(arena.span().first(100'000));
    MemoryResource<ListHeap> resource(list);
    StandardAllocator<u64, ListHeap> standard(list);
    for (std::size_t const size : {std::size_t{100'001}, std::size_t{1} << 40, ~std::size_t{0}}) {
        EXPECT_THROW(static_cast<void>(resource.allocate(size)), std::bad_alloc);
    }
    EXPECT_THROW(static_cast<void>(standard.allocate(20'000)), std::bad_alloc);
    EXPECT_THROW(
        static_cast<void>(standard.allocate(~std::size_t{0} / 8 + 1)), std::bad_array_new_length);
    std::pmr::vector<u64> numbers(&resource);
    EXPECT_THROW(
        {
            while (true) {
                numbers.push_back(numbers.size());
            }
        },
        std::bad_alloc);
    EXPECT_GT(numbers.size(), 1000u); // what it had is still there
    EXPECT_EQ(numbers.back(), numbers.size() - 1);
    EXPECT_TRUE(list.verify().has_value());
}

TEST(Adapters, EveryAllocationFailsOnce) {
    Arena arena;
    ListHeap list(arena.span());
    FailingAllocator<ListHeap> failing(list);
    MemoryResource<FailingAllocator<ListHeap>> resource(failing);
    auto const work = [&resource] {
        std::pmr::map<std::pmr::string, std::pmr::vector<u64>> lists(&resource);
        for (u64 i = 0; i < 20; ++i) {
            std::pmr::string name("a name that is too long to lie inside ", &resource);
            name += static_cast<char>('a' + i);
            lists[name].push_back(i);
        }
        return lists.size();
    };
    EXPECT_EQ(work(), 20u);
    u64 const allocations = failing.asked();
    EXPECT_GE(allocations, 60u);
    for (u64 number = 1; number <= allocations; ++number) {
        for (bool const for_ever : {false, true}) {
            failing.fail_at(number, for_ever);
            EXPECT_THROW(work(), std::bad_alloc);
            EXPECT_EQ(failing.out(), 0);
        }
    }
    EXPECT_EQ(list.statistics().reserved, Bytes{0});
    EXPECT_TRUE(list.verify().has_value());
}

TEST(Adapters, BadInput) {
    Arena arena;
    ListHeap list(arena.span());
    ListHeap other(arena.span().last(1 << 20));
    MemoryResource<ListHeap> resource(list);
    MemoryResource<ListHeap> const same(list);
    MemoryResource<ListHeap> const foreign(other);
    EXPECT_TRUE(resource.is_equal(same));
    EXPECT_FALSE(resource.is_equal(foreign));
    EXPECT_FALSE(resource.is_equal(*std::pmr::new_delete_resource()));
    // Zero bytes are a block of their own, which goes back.
    void* const first = resource.allocate(0);
    void* const second = resource.allocate(0);
    EXPECT_NE(first, second);
    resource.deallocate(first, 0);
    resource.deallocate(second, 0);
    StandardAllocator<u64, ListHeap> standard(list);
    standard.deallocate(standard.allocate(0), 0);
    void* const aligned = resource.allocate(100, 4096);
    EXPECT_TRUE(is_aligned(memory::heap::address_of(aligned), 4096));
    resource.deallocate(aligned, 100, 4096);
    EXPECT_EQ(list.statistics().reserved, Bytes{0});
}

TEST(AdaptersDeath, WhatIsGivenBackWronglyEndsTheProgram) {
    Arena arena;
    ListHeap list(arena.span());
    MemoryResource<ListHeap> resource(list);
    StandardAllocator<u64, ListHeap> standard(list);
    u64 outside = 0;
    EXPECT_DEATH(resource.deallocate(&outside, 8), "check failed: freed.has_value");
    EXPECT_DEATH(standard.deallocate(&outside, 1), "check failed: freed.has_value");
    EXPECT_DEATH(
        {
            void* const block = resource.allocate(64);
            resource.deallocate(block, 64);
            resource.deallocate(block, 64);
        },
        "check failed: freed.has_value");
    // An alignment that is no power of two is refused by the allocator.
    EXPECT_THROW(static_cast<void>(standard.allocate(u64{1} << 50)), std::bad_alloc);
}

} // namespace
} // namespace twofold::adapters
