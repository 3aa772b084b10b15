// Allocators side by side in one kernel, under the same requests: what the simulator's ranking of
// them is held against the live machine's with (bench/sim/fidelity.py). One processor, one thread.
//
// Each round runs all of them in turns; shown is the least of the rounds, as others on the host
// only ever add to it. In virtual time all rounds behind the first are alike.
#include "bench/memory/commands/commands.hpp"
#include "bench/memory/commands/subjects.hpp"
#include "core/boot/measuring.hpp"

#include <algorithm>

namespace twofold::bench {

namespace {

using boot::CommandContext;

constexpr unsigned ground_order = 13; // 32 MiB
constexpr u64 seed = 1;
constexpr usize pieces_max = 2048;

struct Piece {
    std::byte* place = nullptr;
    u64 bytes = 0;
};

/// What a workload has taken, and from whom.
template<class Subject>
class Pieces {
public:
    Pieces(Subject& subject, std::span<Piece> room) : m_subject(subject), m_room(room) {}

    usize count() const { return m_count; }
    u64 pairs() const { return m_pairs; }
    bool is_whole() const { return m_is_whole; }

    void take(u64 bytes) { m_room[m_count++] = taken(bytes); }
    void give_last() { give(m_room[--m_count]); }
    void give_all_in_order() {
        for (Piece const& piece : m_room.first(std::exchange(m_count, 0))) {
            give(piece);
        }
    }
    /// Another one instead of the one at `index`.
    void replace(usize index, u64 bytes) {
        give(m_room[index]);
        m_room[index] = taken(bytes);
    }
    /// The one at `index` goes; the last takes its number.
    void give_any(usize index) {
        give(m_room[index]);
        m_room[index] = m_room[--m_count];
    }

private:
    Piece taken(u64 bytes) {
        std::byte* const place = m_subject.take(bytes);
        m_is_whole = m_is_whole && place != nullptr;
        if (place != nullptr) {
            *place = std::byte{1};
        }
        return {place, bytes};
    }
    void give(Piece const& piece) {
        if (piece.place != nullptr) {
            m_subject.give(piece.place, piece.bytes);
            ++m_pairs;
        }
    }

    Subject& m_subject;
    std::span<Piece> m_room;
    usize m_count = 0;
    u64 m_pairs = 0;
    bool m_is_whole = true; ///< no request was refused
};

// ---- the workloads: each gives back all that it takes ----

/// 512 blocks of 16 to 1,024 bytes; a random one is given back and replaced.
constexpr auto churn = [](auto& pieces) {
    Random random(seed);
    for (u32 i = 0; i < 512; ++i) {
        pieces.take(random.between(16, 1024));
    }
    for (u32 i = 0; i < 2000; ++i) {
        pieces.replace(random.below(512), random.between(16, 1024));
    }
    pieces.give_all_in_order();
};

/// 64 bytes, taken and given back at once.
constexpr auto lifo = [](auto& pieces) {
    for (u32 i = 0; i < 4000; ++i) {
        pieces.take(64);
        pieces.give_last();
    }
};

/// 1,500 blocks of 48 bytes, given back in the order in which they were taken.
constexpr auto bulk = [](auto& pieces) {
    for (u32 round = 0; round < 2; ++round) {
        for (u32 i = 0; i < 1500; ++i) {
            pieces.take(48);
        }
        pieces.give_all_in_order();
    }
};

/// Calls within calls: up to 200 blocks of random sizes, the last taken is the first that goes.
constexpr auto nested = [](auto& pieces) {
    Random random(seed);
    for (u32 i = 0; i < 4000; ++i) {
        if (pieces.count() > 0 && (pieces.count() == 200 || random.below(2) == 0)) {
            pieces.give_last();
        } else {
            pieces.take(random.between(16, 256));
        }
    }
    while (pieces.count() > 0) {
        pieces.give_last();
    }
};

/// Sizes change: 400 blocks are filled up again after nine tenths of them have gone, four times.
constexpr auto shift = [](auto& pieces) {
    struct Sizes {
        u64 least, most;
    };
    constexpr Sizes phases[] = {{16, 128}, {130, 256}, {500, 2000}, {16, 4000}};
    Random random(seed);
    for (Sizes const& sizes : phases) {
        while (pieces.count() > 40) {
            pieces.give_any(random.below(pieces.count()));
        }
        while (pieces.count() < 400) {
            pieces.take(random.between(sizes.least, sizes.most));
        }
    }
    pieces.give_all_in_order();
};

/// 128 blocks of one to eight pages; a random one is given back and replaced.
constexpr auto pages = [](auto& pieces) {
    Random random(seed);
    for (u32 i = 0; i < 128; ++i) {
        pieces.take(random.between(1, 8) * page_size.value);
    }
    for (u32 i = 0; i < 1000; ++i) {
        pieces.replace(random.below(128), random.between(1, 8) * page_size.value);
    }
    pieces.give_all_in_order();
};

// ---- the table ----

constexpr std::string_view allocators[] = {"heap",     "list",  "checked list", "bump",
                                           "selected", "buddy", "bitmap"};
constexpr boot::Column columns[] = {{"workload", 10}, {"allocator", 14}, {"pairs", 8}, {"ns", 0}};

struct Measured {
    u64 pairs = 0;
    u64 least_ns = ~u64{0};
    bool is_whole = true;
};

struct Bench {
    Ground ground;
    std::span<Piece> room;

    /// One run on a fresh allocator.
    template<class Subject, class Workload>
    void run(Measured& measured, Workload const& workload) const {
        auto const subject =
            memory::Box<Subject, memory::KernelHeap>::create(*ground.kernel.heap, ground).value();
        Pieces<Subject> pieces(*subject, room);
        u64 const took_ns = boot::time_of(1, [&] { workload(pieces); });
        measured.pairs = pieces.pairs();
        measured.least_ns = std::min(measured.least_ns, took_ns);
        measured.is_whole = measured.is_whole && pieces.is_whole();
    }

    template<class Workload>
    bool
    measure(CommandContext& context, std::string_view name, u32 rounds, Workload const& workload)
        const {
        Measured seen[std::size(allocators)];
        for (u32 round = 0; round < rounds; ++round) {
            run<HeapSubject>(seen[0], workload);
            run<BlockSubject<memory::ListHeap>>(seen[1], workload);
            run<CheckedSubject>(seen[2], workload);
            run<BlockSubject<memory::BumpHeap>>(seen[3], workload);
            run<BlockSubject<ChosenAllocator>>(seen[4], workload);
            run<FrameSubject<memory::BuddyFrames>>(seen[5], workload);
            run<FrameSubject<memory::BitmapFrames>>(seen[6], workload);
        }
        bool is_whole = true;
        for (usize i = 0; i < std::size(allocators); ++i) {
            context.out.row({name, allocators[i], seen[i].pairs, seen[i].least_ns});
            is_whole = is_whole && seen[i].is_whole && seen[i].pairs == seen[0].pairs;
        }
        return is_whole;
    }
};

} // namespace

u8 measure_allocators(CommandContext& context) {
    auto const rounds = boot::number_argument(context, "allocator-bench", 8, 10'000);
    if (!rounds) {
        return boot::status::usage;
    }
    boot::Kernel& kernel = context.kernel;
    auto const place = kernel.frames->allocate(ground_order);
    auto const room = memory::allocate_room<Piece>(*kernel.heap, pieces_max);
    if (!kernel.has_clock || !place || !room) {
        context.out.line("allocator-bench: it needs a clock and 33 MiB of memory");
        return boot::status::failure;
    }
    Bench const bench{
        {kernel, place.value(), page_size * (u64{1} << ground_order)},
        std::span(room.value(), pieces_max)};
    context.out.table(columns);
    bool const is_whole = bench.measure(context, "churn", *rounds, churn) &&
                          bench.measure(context, "lifo", *rounds, lifo) &&
                          bench.measure(context, "bulk", *rounds, bulk) &&
                          bench.measure(context, "nested", *rounds, nested) &&
                          bench.measure(context, "shift", *rounds, shift) &&
                          bench.measure(context, "pages", *rounds, pages);
    memory::free_room(*kernel.heap, room.value());
    kernel.frames->free(place.value(), ground_order).value();
    if (!is_whole) {
        context.out.line("allocator-bench: an allocator ran out of memory");
        return boot::status::failure;
    }
    return boot::status::success;
}

std::span<boot::Command const> memory_bench_commands() {
    static constexpr boot::Command table[] = {
        {"allocator-bench",
         "times allocators side by side",
         measure_allocators,
         {{"ROUNDS", "how often", boot::ArgumentKind::number, boot::ArgumentCount::optional}}},
    };
    return table;
}

} // namespace twofold::bench
