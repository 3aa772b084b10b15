// Address spaces on real host threads, each a processor with translations of its own: what one does
// with its pages is as if it were alone, whatever others do beside it; what all do with the same
// pages breaks no invariant; no frame goes back while anybody can reach it; ThreadSanitizer finds
// no race.
#include "tests/core/memory/space/thread_machine.hpp"

#include <gtest/gtest.h>

#include <barrier>
#include <mutex>
#include <thread>

namespace twofold::memory {
namespace {

using namespace literals;
using test::ThreadMachine;
using test::ThreadProcessor;

// No more than there are processors: a ticket's turn waits for its holder.
constexpr u32 threads = 2;
constexpr int operations = 2500;
constexpr u64 pages = 1024; // two large pages' worth
constexpr u64 chunk_pages = 8;
constexpr VirtAddr base{0x5000'0000'0000};
constexpr VirtAddr contended{0x6000'0000'0000};

enum class Kind : u8 { none, guard, present };
struct Page {
    Kind kind = Kind::none;
    PageAccess access = PageAccess::read;
    u64 value = 0;
};

/// Whether an operation was answered as the model says, or was refused for want of memory and has
/// changed nothing.
enum class Answer : u8 { right, wrong, refused };
template<class T>
Answer compare(Result<T> const& seen, bool expected, Error error) {
    if (!seen && seen.error() == Error::out_of_memory) {
        return Answer::refused;
    }
    bool const same = seen.has_value() == expected && (seen || seen.error() == error);
    return same ? Answer::right : Answer::wrong;
}

/// The pages of one thread: every second chunk, so that tables and large pages are shared with the
/// other's.
class OwnPages {
public:
    OwnPages(ThreadProcessor& processor, AddressSpace& space, u32 cpu)
        : m_processor(processor), m_space(space), m_random(cpu + 7), m_cpu(cpu) {}

    /// One random operation on one chunk or a part of it.
    void step() {
        u64 const chunk = m_random.below(pages / chunk_pages / threads) * threads + m_cpu;
        u64 const first = chunk * chunk_pages + m_random.below(chunk_pages);
        u64 const count = 1 + m_random.below(chunk_pages - first % chunk_pages);
        switch (m_random.below(10)) {
        case 0:
        case 1:
            map(first, count);
            break;
        case 2:
            unmap(first, count);
            break;
        case 3:
            protect(first, count);
            break;
        case 4:
        case 5:
        case 6:
            write(first);
            break;
        default:
            check(first, m_processor.read(m_space, where(first)));
        }
    }
    /// What a copy of the space must hold.
    void compare_with(AddressSpace& copy) {
        for (u64 page = 0; page < pages; ++page) {
            if (page / chunk_pages % threads == m_cpu) {
                u64 value = 0;
                auto const seen =
                    copy.copy_from(std::as_writable_bytes(std::span(&value, 1)), where(page));
                check(page, seen ? Result<u64>(value) : Result<u64>(seen.error()));
            }
        }
    }
    void compare_all() {
        for (u64 page = 0; page < pages; ++page) {
            if (page / chunk_pages % threads == m_cpu) {
                check(page, m_processor.read(m_space, where(page)));
            }
        }
    }

    u64 wrong = 0;
    u64 refused = 0;

private:
    static VirtAddr where(u64 page) { return base + page_size * page; }
    std::span<Page> part(u64 first, u64 count) { return std::span(m_pages).subspan(first, count); }
    bool count(Answer answer) {
        wrong += answer == Answer::wrong ? 1 : 0;
        refused += answer == Answer::refused ? 1 : 0;
        return answer == Answer::right;
    }
    void map(u64 first, u64 number) {
        bool const is_guard = m_random.below(8) == 0;
        bool const expected = std::ranges::all_of(
            part(first, number), [](Page const& each) { return each.kind == Kind::none; });
        auto const mapped =
            is_guard
                ? m_space.map_guard(where(first), page_size * number)
                : m_space.map_zero(where(first), page_size * number, PageAccess::read_write, 1);
        if (count(compare(mapped, expected, Error::already_exists)) && expected) {
            Page const made{
                is_guard ? Kind::guard : Kind::present,
                is_guard ? PageAccess::read : PageAccess::read_write, 0};
            std::ranges::fill(part(first, number), made);
        }
    }
    void unmap(u64 first, u64 number) {
        bool const expected = std::ranges::any_of(
            part(first, number), [](Page const& each) { return each.kind != Kind::none; });
        auto const taken = m_space.unmap(where(first), page_size * number);
        if (count(compare(taken, expected, Error::not_found)) && expected) {
            std::ranges::fill(part(first, number), Page{});
        }
    }
    void protect(u64 first, u64 number) {
        PageAccess const access =
            m_random.below(3) == 0 ? PageAccess::read : PageAccess::read_write;
        bool const covered = std::ranges::all_of(
            part(first, number), [](Page const& each) { return each.kind != Kind::none; });
        bool const expected = std::ranges::all_of(
            part(first, number), [](Page const& each) { return each.kind == Kind::present; });
        // What lies lower is found first, so either error may come where both apply.
        auto const changed = m_space.protect(where(first), page_size * number, access);
        Error const error = covered || (!changed && changed.error() == Error::permission_denied)
                                ? Error::permission_denied
                                : Error::not_found;
        if (count(compare(changed, expected, error)) && expected) {
            for (Page& each : part(first, number)) {
                each.access = access;
            }
        }
    }
    void write(u64 page) {
        Page& model = m_pages[page];
        u64 const value = m_random.next();
        bool const expected = model.kind == Kind::present && model.access == PageAccess::read_write;
        Error const error = model.kind == Kind::none ? Error::not_found : Error::permission_denied;
        bool const by_copy = m_random.below(4) == 0;
        auto const written = by_copy
                                 ? m_space.copy_to(where(page), std::as_bytes(std::span(&value, 1)))
                                 : m_processor.write(m_space, where(page), value);
        if (count(compare(written, expected, error)) && expected) {
            model.value = value;
        }
    }
    void check(u64 page, Result<u64> const& seen) {
        Page const& model = m_pages[page];
        bool const expected = model.kind == Kind::present;
        Error const error = model.kind == Kind::none ? Error::not_found : Error::permission_denied;
        if (count(compare(seen, expected, error)) && expected && seen.value() != model.value) {
            ++wrong;
        }
    }

    ThreadProcessor& m_processor;
    AddressSpace& m_space;
    Random m_random;
    u32 m_cpu;
    Page m_pages[pages];
};

/// Pages that every thread does everything with. A page holds zeros or what was written to it.
class ContendedPages {
public:
    ContendedPages(ThreadProcessor& processor, AddressSpace& space, MemoryObject& object, u32 cpu)
        : m_processor(processor), m_space(space), m_object(object), m_random(cpu + 99) {}

    void step() {
        u64 const first = m_random.below(pages);
        u64 const most = m_random.below(16) == 0 ? 700 : 12;
        u64 const number = 1 + m_random.below(std::min(pages - first, most));
        VirtAddr const where = contended + page_size * first;
        Bytes const size = page_size * number;
        switch (m_random.below(10)) {
        case 0:
            expect(m_space.map_zero(where, size, PageAccess::read_write, 1), Error::already_exists);
            break;
        case 1:
            expect(
                m_space.map_object(
                    where, page_size * std::min<u64>(number, 8), m_object, 0,
                    PageAccess::read_write, Sharing::own),
                Error::already_exists);
            break;
        case 2:
            expect(m_space.unmap(where, size), Error::not_found);
            break;
        case 3:
            expect(
                m_space.protect(
                    where, size,
                    m_random.below(2) == 0 ? PageAccess::read : PageAccess::read_write),
                Error::not_found);
            break;
        case 4:
            pinned(first);
            break;
        case 5:
        case 6:
            expect(m_processor.write(m_space, where, where.value), Error::not_found);
            break;
        default:
            if (auto const seen = m_processor.read(m_space, where)) {
                wrong += seen.value() == 0 || seen.value() == where.value ? 0 : 1;
            }
        }
    }

    u64 wrong = 0;

private:
    template<class T>
    void expect(Result<T> const& seen, Error error) {
        bool const good = seen || seen.error() == error ||
                          seen.error() == Error::permission_denied ||
                          seen.error() == Error::out_of_memory;
        wrong += good ? 0 : 1;
    }
    /// A large page comes and loses a part, which needs no memory.
    void pinned(u64 first) {
        VirtAddr const where = contended + 4_MiB + 2_MiB * (first % 2);
        expect(m_space.map_pinned(where, 2_MiB, PageAccess::read_write, 1), Error::already_exists);
        auto const there = m_space.commit(where, 2_MiB);
        wrong += there || there.error() == Error::already_exists ||
                         there.error() == Error::not_found || there.error() == Error::out_of_memory
                     ? 0
                     : 1;
        auto const gone = m_space.decommit(where + page_size * (first % 512), page_size);
        wrong += gone || gone.error() == Error::not_found ? 0 : 1;
        if (first % 4 == 0) {
            expect(m_space.unmap(where, 2_MiB), Error::not_found);
        }
    }

    ThreadProcessor& m_processor;
    AddressSpace& m_space;
    MemoryObject& m_object;
    Random m_random;
};

struct Outcome {
    u64 wrong = 0;
    u64 refused = 0;
};

/// What one thread does. Promotes and clones all the time, its own pages and those of others.
void work(
    ThreadMachine& machine,
    AddressSpace& space,
    MemoryObject& object,
    u32 cpu,
    std::atomic<u32>& at_work,
    Outcome& outcome) {
    ThreadProcessor processor(machine, cpu);
    space.activate();
    OwnPages own(processor, space, cpu);
    ContendedPages all(processor, space, object, cpu);
    Random random(cpu);
    for (int i = 0; i < operations; ++i) {
        own.step();
        all.step();
        if (random.below(64) == 0) {
            VirtAddr const where = random.below(2) == 0 ? base : contended;
            auto const promoted = space.promote(where + 2_MiB * random.below(2), 2_MiB);
            outcome.wrong += promoted || promoted.error() == Error::not_found ||
                                     promoted.error() == Error::out_of_memory
                                 ? 0
                                 : 1;
        }
        if (random.below(256) == 0) {
            auto cloned = space.clone();
            if (cloned) {
                own.compare_with(cloned.value());
                outcome.wrong += cloned.value().check() ? 0 : 1;
            } else {
                outcome.wrong += cloned.error() == Error::out_of_memory ? 0 : 1;
            }
        }
        sync::relax();
    }
    own.compare_all();
    outcome.wrong += own.wrong + all.wrong;
    outcome.refused = own.refused;
    --at_work;
    while (at_work.load() != 0) { // the others still tell this one
        sync::relax();
        std::this_thread::yield();
    }
}

void run_all(u64 refuse_one_in) {
    ThreadMachine machine(threads, 64_MiB);
    std::optional<ThreadProcessor> here;
    here.emplace(machine, 0);
    u64 const before = machine.source().out();
    {
        AddressSpace space = AddressSpace::create(machine.frames(), machine.kernel_root()).value();
        auto const object = MemoryObject::create(machine.frames(), page_size * 8).value();
        here.reset();
        machine.source().refuse(refuse_one_in);
        std::atomic<u32> at_work = threads;
        std::array<Outcome, threads> outcomes{};
        std::vector<std::thread> running;
        for (u32 cpu = 0; cpu < threads; ++cpu) {
            running.emplace_back(
                [&, cpu] { work(machine, space, *object, cpu, at_work, outcomes[cpu]); });
        }
        for (std::thread& thread : running) {
            thread.join();
        }
        here.emplace(machine, 0);
        machine.source().refuse(0);
        u64 refused = 0;
        for (Outcome const& outcome : outcomes) {
            EXPECT_EQ(outcome.wrong, 0u);
            refused += outcome.refused;
        }
        EXPECT_EQ(refused != 0, refuse_one_in != 0);
        EXPECT_TRUE(space.check().has_value());
        SpaceStatistics const seen = space.statistics();
        EXPECT_GT(seen.zeroed, 100u);
        EXPECT_GT(seen.copied, 10u);
        EXPECT_GT(seen.large_pages, 0u);
        EXPECT_GT(seen.flushes, 100u);
    }
    EXPECT_EQ(machine.stale(), 0u);
    EXPECT_EQ(machine.frames().in_use(), 0u);
    EXPECT_EQ(machine.source().out(), before);
    for (SharedFrames::Count const& count : machine.frames().counts()) {
        ASSERT_EQ(count.load(relaxed), 0u);
    }
}

TEST(SpacesOnThreads, EachIsAsIfItWereAlone) {
    run_all(0);
}

TEST(SpacesOnThreads, NothingBreaksWhereMemoryIsRefused) {
    run_all(37);
}

TEST(SpacesOnThreads, APageOfAnObjectIsMadeOnce) {
    ThreadMachine machine(threads, 64_MiB);
    constexpr u64 object_pages = 2048; // two levels of tables
    std::array<std::vector<PhysAddr>, threads> seen;
    std::optional<ThreadProcessor> here;
    here.emplace(machine, 0);
    {
        auto const object =
            MemoryObject::create(machine.frames(), page_size * object_pages).value();
        here.reset();
        std::vector<std::thread> running;
        for (u32 cpu = 0; cpu < threads; ++cpu) {
            running.emplace_back([&, cpu] {
                test::Processor const processor(cpu, threads, machine.memory());
                for (u64 page = 0; page < object_pages; ++page) {
                    seen[cpu].push_back(object->frame(page).value());
                }
            });
        }
        for (std::thread& thread : running) {
            thread.join();
        }
        here.emplace(machine, 0);
        EXPECT_EQ(seen[0], seen[1]);
        EXPECT_EQ(machine.frames().in_use(), object_pages + 1 + 5); // itself, and its tables
    }
    EXPECT_EQ(machine.frames().in_use(), 0u);
}

} // namespace
} // namespace twofold::memory
