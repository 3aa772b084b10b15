// What the tests of the heap stand on: a backing over an array of pages that checks every call and
// can be made to fail, and an environment with several slots that one context switches between.
#pragma once

#include "core/memory/memory.hpp"

#include <array>
#include <cstring>
#include <span>

namespace twofold::memory::testing {

/// Pages of an array as the backing of a heap. A page's content is lost when it is given back, and
/// a page that was not committed holds `lost` in each byte, so that reading it shows.
class ArenaBacking {
public:
    static constexpr usize pages_max = 4096;
    static constexpr std::byte lost{0xdb};

    /// `memory` is aligned to a page.
    explicit ArenaBacking(std::span<std::byte> memory) : m_memory(memory) {
        CHECK(memory.size() / page_size.value <= pages_max);
        std::memset(memory.data(), static_cast<int>(lost), memory.size());
    }
    ArenaBacking(ArenaBacking const&) = delete;
    ArenaBacking& operator=(ArenaBacking const&) = delete;

    HeapRange range() const { return {m_memory.data(), {m_memory.size()}}; }

    Result<void> commit(Bytes offset, Bytes size) {
        check_range(offset, size);
        ++m_commits;
        if (m_fail_at != 0 && m_commits >= m_fail_at &&
            (m_fail_for_ever || m_commits == m_fail_at)) {
            ++m_failures;
            return Error::out_of_memory;
        }
        if (m_committed + size.value > m_limit) {
            ++m_failures;
            return Error::out_of_memory;
        }
        for (u64 page = first(offset); page < first(offset) + size / page_size; ++page) {
            CHECK(!m_pages[page]);
            m_pages[page] = true;
        }
        unpoison(m_memory.subspan(offset.value).data(), size.value);
        std::memset(m_memory.subspan(offset.value).data(), 0, size.value);
        m_committed += size.value;
        return {};
    }
    void decommit(Bytes offset, Bytes size) {
        check_range(offset, size);
        for (u64 page = first(offset); page < first(offset) + size / page_size; ++page) {
            CHECK(m_pages[page]);
            m_pages[page] = false;
        }
        unpoison(m_memory.subspan(offset.value).data(), size.value); // as the machine's MMU does
        std::memset(m_memory.subspan(offset.value).data(), static_cast<int>(lost), size.value);
        m_committed -= size.value;
    }

    /// The n-th commit from now on fails, or it and every later one; 0: none.
    void fail_at(u64 number) { set_failure(number, false); }
    void fail_from(u64 number) { set_failure(number, true); }
    /// At most so much may be committed at once.
    void set_limit(Bytes limit) { m_limit = limit.value; }

    Bytes committed() const { return {m_committed}; }
    u64 commits() const { return m_commits; }
    u64 failures() const { return m_failures; }
    bool is_committed(std::byte const* address) const {
        u64 const offset = heap::address_of(address) - heap::address_of(m_memory.data());
        return offset < m_memory.size() && m_pages[offset / page_size.value];
    }

private:
    static u64 first(Bytes offset) { return offset / page_size; }
    void check_range(Bytes offset, Bytes size) const {
        CHECK(is_aligned(offset.value, page_size.value) && is_aligned(size.value, page_size.value));
        CHECK(size.value != 0 && offset.value <= m_memory.size());
        CHECK(size.value <= m_memory.size() - offset.value);
    }
    void set_failure(u64 number, bool for_ever) {
        m_fail_at = number == 0 ? 0 : m_commits + number;
        m_fail_for_ever = for_ever;
    }

    std::span<std::byte> m_memory;
    std::array<bool, pages_max> m_pages{};
    u64 m_committed = 0;
    u64 m_limit = ~u64{0};
    u64 m_commits = 0;
    u64 m_failures = 0;
    u64 m_fail_at = 0;
    bool m_fail_for_ever = false;
};

/// One context that plays several processors: `run_on` says which.
class TestEnvironment {
public:
    static constexpr usize caches_max = 8;
    struct Scope {
        explicit Scope(TestEnvironment& environment) : owner(environment) {
            CHECK(!owner.m_inside);
            owner.m_inside = true;
        }
        ~Scope() { owner.m_inside = false; }
        Scope(Scope const&) = delete;
        Scope& operator=(Scope const&) = delete;
        TestEnvironment& owner;
    };

    void run_on(usize cpu) { m_cpu = cpu; }
    void* slot() const { return m_slots[m_cpu]; }
    void set_slot(void* cache) { m_slots[m_cpu] = cache; }
    void lock() {
        CHECK(m_inside && !m_locked);
        m_locked = true;
        ++m_locks;
    }
    void unlock() {
        CHECK(m_locked);
        m_locked = false;
    }
    u64 locks() const { return m_locks; }

private:
    std::array<void*, caches_max + 1> m_slots{};
    usize m_cpu = 0;
    bool m_inside = false;
    bool m_locked = false;
    u64 m_locks = 0;
};
static_assert(HeapBacking<ArenaBacking> && HeapEnvironment<TestEnvironment>);

using TestHeap = Heap<ArenaBacking, TestEnvironment>;
static_assert(Allocator<TestHeap>);

/// The arena of all tests of one image: they run one after the other. What a test before has closed
/// to the sanitizer is open again.
std::span<std::byte> arena();

/// A heap in the arena.
struct HeapUnderTest {
    explicit HeapUnderTest(Bytes size = Bytes{arena().size()})
        : backing(arena().first(size.value)),
          heap(*TestHeap::create(backing, environment).value()) {}

    ArenaBacking backing;
    TestEnvironment environment;
    TestHeap& heap;
};

} // namespace twofold::memory::testing
