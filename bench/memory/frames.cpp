// Measures allocators of frames: the kernel's own as shipped, on a host thread as processor, beside
// the bitmap. The kernel objects are those of the hosted machine, with guards and assertions.
//
// Times: a single frame through the magazine; the worst case of splitting and joining, a block of
// order 1 from one block of 1 GiB and back, 17 splits and 17 joins.
//
// Space, in figures that do not depend on time: J. Robson's adversary ("An estimate of the store
// size necessary for dynamic storage allocation", JACM 18(3), 1971; in the form of D. Bendersky and
// E. Petrank, "Space overhead bounds for dynamic memory management with partial compaction",
// POPL 2011, section 2.2) and D. Knuth's simulation of random sizes and lifetimes ("The art of
// computer programming", volume 1, section 2.5).
#include "tests/support/frame_machine.hpp"
#include "tests/support/instructions.hpp"

#include <benchmark/benchmark.h>

#include <queue>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::literals;
using namespace twofold::memory;

template<class F>
using Bench = bench::FrameMachine<F>;

template<class F>
void hot(benchmark::State& state) {
    Bench<F> bench(64_MiB);
    F& frames = bench.frames();
    for (auto _ : state) {
        auto const frame = frames.allocate(0);
        benchmark::DoNotOptimize(frame);
        if (!frame || !frames.free(frame.value(), 0)) {
            state.SkipWithError("a frame was refused");
            break;
        }
    }
    if (frames.validate().found()) {
        state.SkipWithError("the allocator is broken");
    }
}

/// Leaves one free block of `order` and nothing else.
template<class F>
void leave_one_block(F& frames, unsigned order) {
    PhysAddr const block = frames.allocate(order).value();
    for (unsigned rest = max_order + 1; rest > 0; --rest) {
        while (frames.allocate(rest - 1)) {
        }
    }
    frames.free(block, order).value();
}

template<class F>
void split_and_join(benchmark::State& state) {
    Bench<F> bench(2_GiB);
    F& frames = bench.frames();
    leave_one_block(frames, max_order);
    for (auto _ : state) {
        auto const pair = frames.allocate(1);
        benchmark::DoNotOptimize(pair);
        if (!pair || !frames.free(pair.value(), 1)) {
            state.SkipWithError("a pair was refused");
            break;
        }
    }
    if (frames.statistics().free_blocks[max_order] != 1) {
        state.SkipWithError("the block is not whole again");
    }
}

/// The instructions of the longest way of a block of order 1: cut from, and joined to, a block of
/// 2^order frames that is all there is.
template<unsigned order>
void worst_case(benchmark::State& state) {
    Bench<BuddyFrames> bench(2_GiB);
    BuddyFrames& frames = bench.frames();
    leave_one_block(frames, order);
    double allocated = 0;
    double freed = 0;
    for (auto _ : state) {
        try {
            allocated =
                static_cast<double>(bench::count_instructions([&] { frames.allocate(1).value(); }));
            PhysAddr const pair = frames.allocate(1).value();
            freed = static_cast<double>(
                bench::count_instructions([&] { frames.free(pair, 1).value(); }));
            frames.free(pair, 1).value();
        } catch (std::runtime_error const& problem) {
            state.SkipWithError(problem.what());
            break;
        }
    }
    state.counters["instructions"] = std::max(allocated, freed);
    state.counters["allocate"] = allocated;
    state.counters["free"] = freed;
}

/// Pieces that are alive, and the highest frame that was ever used.
template<class F>
class Pieces {
public:
    explicit Pieces(F& frames) : m_frames(frames) {}

    bool allocate(u64 pages) {
        auto const address = m_frames.allocate({.pages = pages});
        if (address) {
            m_pieces.push_back({frame_of(address.value()), pages});
            m_live += pages;
            m_end = std::max(m_end, frame_of(address.value()) + pages);
        }
        return address.has_value();
    }
    template<class Condition>
    void free_if(Condition const& condition) {
        std::erase_if(m_pieces, [&](Piece const& piece) {
            bool const goes = condition(piece.first, piece.pages);
            if (goes) {
                m_frames.free_pages(address_of(piece.first), piece.pages).value();
                m_live -= piece.pages;
            }
            return goes;
        });
    }
    template<class Value>
    u64 sum(Value const& value) const {
        u64 total = 0;
        for (Piece const& piece : m_pieces) {
            total += value(piece.first, piece.pages);
        }
        return total;
    }
    u64 live() const { return m_live; }
    FrameNumber end() const { return m_end; }

private:
    struct Piece {
        FrameNumber first;
        u64 pages;
    };

    F& m_frames;
    std::vector<Piece> m_pieces;
    u64 m_live = 0;
    FrameNumber m_end = 0;
};

/// Whether a piece covers a frame at `offset` modulo `period`.
bool covers(FrameNumber first, u64 pages, u64 offset, u64 period) {
    return (offset + period - first % period) % period < pages;
}

/// Whether all is free again in the blocks that there were at first.
template<class F>
bool is_whole(F& frames, FrameStatistics const& before) {
    frames.drain();
    return std::ranges::equal(frames.statistics().free_blocks, before.free_blocks) &&
           !frames.validate().found();
}

/// Robson's adversary with `live_max` frames alive at once and blocks of up to 2^steps frames. The
/// figure is the memory that it drives the allocator to use, as a multiple of what it can force
/// from every allocator: live_max (steps / 2 + 1).
template<class F>
void robson(benchmark::State& state) {
    constexpr u64 live_max = 16384;
    constexpr unsigned steps = 10;
    double used = 0;
    bool whole = true;
    for (auto _ : state) {
        Bench<F> bench(2_GiB);
        FrameStatistics const before = bench.frames().statistics();
        FrameNumber const first = before.metadata / page_size + (1u << 8);
        Pieces<F> pieces(bench.frames());
        while (pieces.live() < live_max && pieces.allocate(1)) {
        }
        u64 offset = 0;
        for (unsigned step = 1; step <= steps; ++step) {
            u64 const period = u64{1} << step;
            auto const worth = [&](u64 candidate) {
                return pieces.sum([&](FrameNumber at, u64 pages) {
                    return covers(at, pages, candidate, period) ? period - pages : 0;
                });
            };
            u64 const other = offset + period / 2;
            offset = worth(other) > worth(offset) ? other : offset;
            pieces.free_if(
                [&](FrameNumber at, u64 pages) { return !covers(at, pages, offset, period); });
            while (live_max - pieces.live() >= period && pieces.allocate(period)) {
            }
        }
        used = static_cast<double>(pieces.end() - first);
        pieces.free_if([](FrameNumber, u64) { return true; });
        whole = whole && is_whole(bench.frames(), before);
    }
    state.counters["multiple"] = used / (live_max * (steps / 2.0 + 1));
    if (!whole) {
        state.SkipWithError("free memory is not whole again after the workload");
    }
}

/// Knuth's simulation: at each tick what is due is freed, then a block of order 0 to 5, the smaller
/// the likelier, lives for a random time. The figure is the share of memory that is in use when the
/// first allocation fails, in per cent.
template<class F>
void random_lifetimes(benchmark::State& state) {
    constexpr u64 lifetime_max = 60'000;
    double share = 0;
    bool whole = true;
    for (auto _ : state) {
        Bench<F> bench(257_MiB);
        F& frames = bench.frames();
        FrameStatistics const before = frames.statistics();
        struct Due {
            u64 time;
            PhysAddr address;
            unsigned order;
            bool operator<(Due const& other) const { return time > other.time; }
        };
        std::priority_queue<Due> due;
        Random random(42);
        u64 live = 0;
        bool failed = false;
        // Lifetimes grow until memory does not suffice any more.
        for (u64 tick = 0; !failed; ++tick) {
            while (!due.empty() && due.top().time <= tick) {
                frames.free(due.top().address, due.top().order).value();
                live -= u64{1} << due.top().order;
                due.pop();
            }
            auto const order = static_cast<unsigned>(std::countr_zero(random.next() | u64{1} << 5));
            auto const address = frames.allocate(order);
            failed = !address;
            if (address) {
                u64 const lifetime = 1 + random.below(lifetime_max + tick / 4);
                due.push({tick + lifetime, address.value(), order});
                live += u64{1} << order;
            }
        }
        share = 100.0 * static_cast<double>(live) / static_cast<double>(before.frames);
        for (; !due.empty(); due.pop()) {
            frames.free(due.top().address, due.top().order).value();
        }
        whole = whole && is_whole(frames, before);
    }
    state.counters["percent"] = share;
    if (!whole) {
        state.SkipWithError("free memory is not whole again after the workload");
    }
}

/// The share of free memory, in per cent, that a request of 2 MiB cannot use although it could
/// before, after Knuth's and Robson's workloads have given back all but what lives for ever: the
/// first tenth of what they took.
template<class F>
void fragmentation_after(benchmark::State& state) {
    double unusable = 0;
    for (auto _ : state) {
        Bench<F> bench(513_MiB);
        F& frames = bench.frames();
        u64 const before = frames.statistics().fragmentation_ppm(9);
        Pieces<F> lasting(frames);
        Pieces<F> passing(frames);
        Random random(1);
        u64 const pages_max = frames.statistics().frames * 9 / 10;
        while (lasting.live() + passing.live() < pages_max) {
            bool const lasts = lasting.live() < pages_max / 10;
            if (!(lasts ? lasting : passing).allocate(1 + random.below(64))) {
                break;
            }
        }
        // Half of what passes goes at random and is replaced by other sizes, ten times.
        for (int round = 0; round < 10; ++round) {
            passing.free_if([&](FrameNumber, u64) { return random.below(2) == 0; });
            while (lasting.live() + passing.live() < pages_max &&
                   passing.allocate(1 + random.below(u64{1} << round))) {
            }
        }
        passing.free_if([](FrameNumber, u64) { return true; });
        frames.drain();
        u64 const after = frames.statistics().fragmentation_ppm(9);
        unusable = (static_cast<double>(after) - static_cast<double>(before)) / 10000.0;
        lasting.free_if([](FrameNumber, u64) { return true; });
    }
    state.counters["percent"] = unusable;
}

BENCHMARK(hot<BuddyFrames>)->Name("frame_hot/ours");
BENCHMARK(hot<BuddyFrames>)->Name("frame_hot_beside_bitmap/ours");
BENCHMARK(hot<BitmapFrames>)->Name("frame_hot_beside_bitmap/bitmap");
BENCHMARK(split_and_join<BuddyFrames>)->Name("frame_split_and_join/ours");
BENCHMARK(split_and_join<BitmapFrames>)->Name("frame_split_and_join/bitmap");
BENCHMARK(worst_case<max_order>)->Name("frame_worst_case/ours")->Iterations(1);
BENCHMARK(worst_case<9>)->Name("frame_worst_case_order_9/ours")->Iterations(1);
BENCHMARK(robson<BuddyFrames>)->Name("frame_space_robson/ours")->Iterations(1);
BENCHMARK(robson<BitmapFrames>)->Name("frame_space_robson/bitmap")->Iterations(1);
BENCHMARK(random_lifetimes<BuddyFrames>)->Name("frame_utilisation/ours")->Iterations(1);
BENCHMARK(random_lifetimes<BitmapFrames>)
    ->Name("frame_utilisation_beside_bitmap/bitmap")
    ->Iterations(1);
BENCHMARK(fragmentation_after<BuddyFrames>)->Name("frame_fragmentation_after/ours")->Iterations(1);

} // namespace
