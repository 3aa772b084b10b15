// Requests, magazines and misuse of the kernel's allocator of frames.
#include "core/memory/frames/buddy_frames.hpp"

#include "core/memory/debug/no_alloc.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

/// The order of the least block that holds `pages` and is aligned to `alignment`; may lie above
/// max_order.
unsigned order_for(u64 pages, Bytes alignment) {
    auto const size = static_cast<unsigned>(std::bit_width(pages - 1));
    auto const aligned = static_cast<unsigned>(std::countr_zero(alignment.value / page_size.value));
    return std::max(size, aligned);
}

constexpr FrameState single = FrameState::allocated(0);

/// Pieces of zones that one refill takes: where free frames lie scattered it takes fewer of them.
constexpr u32 runs_at_once = 8;

} // namespace

Result<PhysAddr> BuddyFrames::allocate(unsigned order) {
    note_allocation("frames", order <= max_order ? page_size * (u64{1} << order) : Bytes{});
    if (probe::fails(FaultPoint::frames_allocate)) {
        return Error::out_of_memory;
    }
    if (order == 0) [[likely]] {
        sync::NoPreemptGuard const guard;
        Magazine& magazine = m_magazines.local(guard);
        if (!magazine.empty() || refill(magazine)) [[likely]] {
            FrameNumber const frame = magazine.pop();
            BuddyZone* const zone = zone_of(frame);
            CHECK(zone != nullptr);
            bool const was_cached = zone->change_state(frame, FrameState::cached(), single);
            CHECK(was_cached);
            magazine.allocations.add_one();
            return address_of(frame);
        }
    }
    return allocate_order(order);
}

Result<void> BuddyFrames::free(PhysAddr address, unsigned order) {
    if (order == 0 && is_aligned(address, page_size)) [[likely]] {
        FrameNumber const frame = frame_of(address);
        BuddyZone* const zone = zone_of(frame);
        bool drains_all = false;
        bool keep = false;
        {
            sync::NoPreemptGuard const guard;
            Magazine& magazine = m_magazines.local(guard);
            keep = zone != nullptr && zone->is_cached_by(magazine.node()) &&
                   zone->change_state(frame, single, FrameState::cached());
            if (keep) [[likely]] {
                if (magazine.wants_drain()) [[unlikely]] {
                    drains_all = make_room(magazine);
                }
                magazine.push(frame);
                magazine.frees.add_one();
            }
        }
        if (drains_all) [[unlikely]] {
            drain();
        }
        if (keep) [[likely]] {
            return {};
        }
    }
    return free_order(address, order);
}

Result<PhysAddr> BuddyFrames::allocate_order(unsigned order) {
    if (order > max_order) {
        return Error::invalid_argument;
    }
    u64 const pages = u64{1} << order;
    return allocate_slowly({.pages = pages, .alignment = page_size * pages});
}

Result<void> BuddyFrames::free_order(PhysAddr address, unsigned order) {
    if (order > max_order) {
        return refuse(FrameMisuse::bad_order);
    }
    if (!is_aligned(address, page_size * (u64{1} << order))) {
        return refuse(FrameMisuse::misaligned);
    }
    return free_slowly(frame_of(address), u64{1} << order);
}

/// True: the rest of the magazine was asked for too.
bool BuddyFrames::make_room(Magazine& magazine) {
    bool const all = magazine.drain_asked();
    drain_oldest(magazine, Magazine::drained_at_once);
    magazine.drain_done();
    return all;
}

Result<PhysAddr> BuddyFrames::allocate(FrameRequest const& request) {
    note_allocation("frames", page_size * request.pages);
    if (!is_sensible(request)) {
        return Error::invalid_argument;
    }
    bool const plain = request.pages == 1 && request.alignment == page_size && !request.at &&
                       !request.node && request.limit.value == MemoryMap::address_end;
    if (!plain && probe::fails(FaultPoint::frames_allocate)) {
        return Error::out_of_memory;
    }
    PhysAddr const address = plain ? TRY(allocate(0u)) : TRY(allocate_slowly(request));
    if (request.content == FrameContent::zeroed) {
        zero_frames(address, request.pages);
    }
    return address;
}

Result<void> BuddyFrames::free_pages(PhysAddr address, u64 pages) {
    if (pages == 1) {
        return free(address, 0);
    }
    if (pages == 0 || pages > MemoryMap::address_end / page_size.value) {
        return refuse(FrameMisuse::bad_order);
    }
    if (!is_aligned(address, page_size)) {
        return refuse(FrameMisuse::misaligned);
    }
    return free_slowly(frame_of(address), pages);
}

Result<void> BuddyFrames::split(PhysAddr address, unsigned order) {
    u64 const pages = order <= max_order ? u64{1} << order : 0;
    if (FrameMisuse const misuse = examine(address, pages); misuse != FrameMisuse::none) {
        return refuse(misuse);
    }
    FrameNumber const first = frame_of(address);
    BuddyZone& zone = *zone_of(first);
    for (FrameNumber frame = first; frame < first + pages; ++frame) {
        zone.set_state(frame, FrameState::allocated(0));
    }
    sync::NoPreemptGuard const guard;
    m_magazines.local(guard).allocations.add(pages - 1); // one was counted
    return {};
}

Result<PhysAddr> BuddyFrames::allocate_slowly(FrameRequest const& request) {
    Result<FrameNumber> taken = take(request);
    if (!taken && taken.error() != Error::out_of_range) {
        sync::note_edge(trace::Edge::frames_exhausted);
        // What the magazines hold may be what is missing: this processor's is emptied at once, the
        // others' when they free next.
        ask_all_to_drain();
        drain();
        taken = take(request);
    }
    sync::NoPreemptGuard const guard;
    Magazine& magazine = m_magazines.local(guard);
    (taken ? magazine.allocations : magazine.failures).add_one();
    return address_of(TRY(taken));
}

Result<FrameNumber> BuddyFrames::take(FrameRequest const& request) {
    if (request.at) {
        return take_there(request);
    }
    if (!std::has_single_bit(request.pages)) {
        if (auto const run = take_run(request, RunSearch::lowest)) {
            return run;
        }
    } else if (order_for(request.pages, request.alignment) <= max_order) {
        if (auto const block = take_block(request)) {
            return block;
        }
    }
    return take_run(request, RunSearch::any);
}

/// Offers zones to `attempt` in the order of preference until it succeeds: the running processor's
/// node, the other nodes, the first mebibyte; of each the highest zone first.
template<class Attempt>
Result<FrameNumber> BuddyFrames::from_zones(std::optional<u32> only, Attempt&& attempt) {
    u32 home;
    {
        sync::NoPreemptGuard const guard;
        home = m_magazines.local(guard).node();
    }
    constexpr int passes = 3;
    for (int pass = 0; pass < passes; ++pass) {
        for (usize i = m_zones.size(); i > 0; --i) {
            BuddyZone& zone = *m_zones[i - 1];
            bool const low = zone.reach() == ZoneReach::first_mebibyte;
            int const turn = low ? 2 : zone.node() == home ? 0 : 1;
            if (turn == pass && (!only || zone.node() == *only)) {
                if (Result<FrameNumber> const frame = attempt(zone)) {
                    return frame;
                }
            }
        }
    }
    return Error::out_of_memory;
}

Result<FrameNumber> BuddyFrames::take_block(FrameRequest const& request) {
    unsigned const order = order_for(request.pages, request.alignment);
    FrameNumber const limit = frame_of(request.limit);
    return from_zones(request.node, [&](BuddyZone& zone) -> Result<FrameNumber> {
        sync::SpinLockGuard const guard(zone.lock(), sync::interrupts_stay_on);
        FrameNumber const block = TRY(zone.take(order, limit));
        if (!mutant(Mutant::frames_rest_lost)) {
            zone.put_range(block + request.pages, block + (u64{1} << order));
        }
        zone.mark_allocated(block, block + request.pages);
        return block;
    });
}

/// The lowest of the runs that lie around the two lowest free blocks of each order, so that the odd
/// rest that one run left behind begins the next one, however they are aligned; or any run at all.
/// The lock is taken for one block at a time.
Result<FrameNumber>
BuddyFrames::find_run(BuddyZone& zone, BuddyZone::RunShape const& run, RunSearch search) {
    constexpr unsigned low_candidates = 2;
    bool const any = search == RunSearch::any;
    std::optional<FrameNumber> lowest;
    BuddyZone::RunSearch state = BuddyZone::start_search(run);
    while (!BuddyZone::is_over(state)) {
        sync::SpinLockGuard const guard(zone.lock(), sync::interrupts_stay_on);
        auto const begin =
            zone.look_around_next(run, state, any ? BuddyZone::candidates_max : low_candidates);
        if (begin && (!lowest || begin.value() < *lowest)) {
            lowest = begin.value();
            if (any) {
                break;
            }
        }
    }
    return lowest ? Result<FrameNumber>(*lowest) : Error::out_of_memory;
}

Result<FrameNumber> BuddyFrames::take_run(FrameRequest const& request, RunSearch search) {
    constexpr int attempts = 4; // others may take what was found
    BuddyZone::RunShape const run{
        request.pages, request.alignment / page_size, frame_of(request.limit)};
    return from_zones(request.node, [&](BuddyZone& zone) -> Result<FrameNumber> {
        for (int attempt = 0; attempt < attempts; ++attempt) {
            FrameNumber const begin = TRY(find_run(zone, run, search));
            sync::SpinLockGuard const guard(zone.lock(), sync::interrupts_stay_on);
            if (zone.take_at(begin, begin + run.pages)) {
                zone.mark_allocated(begin, begin + run.pages);
                return begin;
            }
        }
        return Error::out_of_memory;
    });
}

Result<FrameNumber> BuddyFrames::take_there(FrameRequest const& request) {
    FrameNumber const begin = frame_of(*request.at);
    BuddyZone* const zone = zone_of(begin);
    if (zone == nullptr || (request.node && zone->node() != *request.node)) {
        return Error::out_of_range;
    }
    sync::SpinLockGuard const guard(zone->lock(), sync::interrupts_stay_on);
    TRY(zone->take_at(begin, begin + request.pages));
    zone->mark_allocated(begin, begin + request.pages);
    return begin;
}

bool BuddyFrames::refill(Magazine& magazine) {
    for (usize i = m_zones.size(); i > 0; --i) {
        BuddyZone& zone = *m_zones[i - 1];
        if (!zone.is_cached_by(magazine.node())) {
            continue;
        }
        BuddyZone::Run taken[runs_at_once];
        u32 runs = 0;
        {
            sync::SpinLockGuard const guard(zone.lock(), sync::interrupts_stay_on);
            for (u32 count = 0; count < magazine.batch() && runs < runs_at_once; ++runs) {
                taken[runs] = zone.take_singles(magazine.batch() - count, FrameState::cached());
                if (taken[runs].count == 0) {
                    break;
                }
                count += taken[runs].count;
            }
        }
        while (runs > 0) { // the lowest is pushed last and handed out first
            BuddyZone::Run const& run = taken[--runs];
            for (u32 left = run.count; left > 0; --left) {
                magazine.push(run.first + left - 1);
            }
        }
        if (!magazine.empty()) {
            magazine.refills.add_one();
            return true;
        }
    }
    return false;
}

void BuddyFrames::drain_oldest(Magazine& magazine, u32 number) {
    std::span<FrameNumber const> rest = magazine.oldest(number);
    u32 const drained = static_cast<u32>(rest.size());
    while (!rest.empty()) {
        BuddyZone* const zone = zone_of(rest.front());
        CHECK(zone != nullptr);
        sync::SpinLockGuard const guard(zone->lock(), sync::interrupts_stay_on);
        while (!rest.empty() && rest.front() >= zone->first() && rest.front() < zone->end()) {
            FrameNumber const frame = rest.front();
            CHECK(zone->state(frame) == FrameState::cached());
            zone->set_state(frame, FrameState::inside());
            zone->put(frame, 0);
            rest = rest.subspan(1);
        }
    }
    if (drained != 0) {
        magazine.forget(mutant(Mutant::frames_drained_twice) ? drained - 1 : drained);
        magazine.drains.add_one();
    }
}

void BuddyFrames::drain() {
    bool is_empty = false;
    while (!is_empty) { // others may come between
        sync::NoPreemptGuard const guard;
        Magazine& magazine = m_magazines.local(guard);
        drain_oldest(magazine, Magazine::drained_at_once);
        magazine.drain_done();
        is_empty = magazine.empty();
    }
}

void BuddyFrames::ask_all_to_drain() {
    for (u32 cpu = 0; cpu < m_magazines.count(); ++cpu) {
        m_magazines.of({cpu}).ask_to_drain();
    }
}

Result<void> BuddyFrames::refuse(FrameMisuse misuse) {
    sync::note_edge(trace::Edge::frames_misused);
    Atomic<u64>& count = m_misuses[static_cast<usize>(misuse)];
    if (mutant(Mutant::frames_count_torn)) {
        count.store(count.load(relaxed) + 1, relaxed);
    } else {
        count.fetch_add(1, relaxed);
    }
    return misuse_error(misuse);
}

Result<void> BuddyFrames::free_slowly(FrameNumber frame, u64 pages) {
    BuddyZone* const zone = zone_of(frame);
    if (zone == nullptr) {
        return refuse(FrameMisuse::foreign);
    }
    FrameMisuse misuse;
    {
        sync::SpinLockGuard const guard(zone->lock(), sync::interrupts_stay_on);
        misuse = zone->check_allocated(frame, pages);
        if (misuse == FrameMisuse::none) {
            zone->unmark(frame, frame + pages);
            zone->put_range(frame, frame + pages);
        }
    }
    if (misuse != FrameMisuse::none) {
        return refuse(misuse);
    }
    sync::NoPreemptGuard const guard;
    m_magazines.local(guard).frees.add_one();
    return {};
}

FrameMisuse BuddyFrames::examine(PhysAddr address, u64 pages) const {
    if (pages == 0 || pages > MemoryMap::address_end / page_size.value) {
        return FrameMisuse::bad_order;
    }
    if (!is_aligned(address, page_size)) {
        return FrameMisuse::misaligned;
    }
    BuddyZone const* const zone = zone_of(frame_of(address));
    return zone == nullptr ? FrameMisuse::foreign : zone->check_allocated(frame_of(address), pages);
}

FrameStatistics BuddyFrames::statistics() const {
    FrameStatistics total;
    for (BuddyZone const* const zone : m_zones) {
        sync::SpinLockGuard const guard(zone->lock(), sync::interrupts_stay_on);
        zone->add_statistics(total);
    }
    for (u32 cpu = 0; cpu < m_magazines.count(); ++cpu) {
        Magazine const& magazine = m_magazines.of({cpu});
        total.cached_frames += magazine.count();
        total.allocations += magazine.allocations.read();
        total.frees += magazine.frees.read();
        total.failures += magazine.failures.read();
        total.refills += magazine.refills.read();
        total.drains += magazine.drains.read();
    }
    total.free_frames += total.cached_frames;
    for (usize i = 0; i < frame_misuse_count; ++i) {
        total.misuses[i] = m_misuses[i].load(relaxed);
    }
    total.metadata = m_metadata;
    return total;
}

FrameDefect BuddyFrames::validate() const {
    u64 cached = 0;
    for (BuddyZone const* const zone : m_zones) {
        if (FrameDefect const defect = zone->validate(); defect.found()) {
            return defect;
        }
        for (FrameNumber frame = zone->first(); frame < zone->end(); ++frame) {
            cached += zone->state(frame) == FrameState::cached() ? 1 : 0;
        }
    }
    for (u32 cpu = 0; cpu < m_magazines.count(); ++cpu) {
        cached -= m_magazines.of({cpu}).count();
    }
    return cached == 0 ? FrameDefect{} : FrameDefect{"magazines and states disagree", {0}};
}

} // namespace twofold::memory
