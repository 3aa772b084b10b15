// See pieces.hpp.
#include "core/device/block/pieces.hpp"

namespace twofold::block {

PieceLane::PieceLane(Pieces& its_owner) : owner(its_owner) {
    for (Child& child : all) {
        child.lane = this;
        free.push_back(child);
    }
}

Result<void> Pieces::open(memory::KernelHeap& heap) {
    return m_lanes.open(heap, *this);
}

void Pieces::close(memory::KernelHeap& heap) {
    m_lanes.for_each([](PieceLane& lane) {
        sync::SpinLockGuard const guard(lane.lock, sync::save_interrupts);
        CHECK(lane.waiting.empty() && lane.free.size() == children);
        while (!lane.free.empty()) {
            lane.free.pop_front();
        }
    });
    m_lanes.close(heap);
}

u64 Pieces::begun() const {
    u64 sum = 0;
    m_lanes.for_each([&](PieceLane& lane) { sum += lane.begun.load(relaxed); });
    return sum;
}

u64 Pieces::waited() const {
    u64 sum = 0;
    m_lanes.for_each([&](PieceLane& lane) { sum += lane.waited.load(relaxed); });
    return sum;
}

void Pieces::send(Device& device, Request& request) {
    if (auto const begun = device.submit(request); !begun) {
        m_completions.leave(request, begun);
    }
}

Child* Pieces::take() {
    PieceLane& lane = m_lanes.any();
    sync::SpinLockGuard const guard(lane.lock, sync::save_interrupts);
    bool const has_one = lane.waiting.empty() && !lane.free.empty();
    return has_one ? static_cast<Child*>(&lane.free.pop_front()) : nullptr;
}

void Pieces::give_back(Child& child) {
    PieceLane& lane = *child.lane;
    {
        sync::SpinLockGuard const guard(lane.lock, sync::save_interrupts);
        lane.free.push_back(child);
        if (lane.is_cutting || lane.waiting.empty()) {
            return;
        }
        lane.is_cutting = true;
    }
    go_on(lane);
}

void Pieces::begin(Request& parent, u32 pieces) {
    CHECK(pieces != 0);
    PieceState& state = parent.make_room<PieceState>();
    state.pieces = pieces;
    state.left.store(pieces, relaxed);
    PieceLane& lane = m_lanes.any();
    lane.begun.fetch_add(1, relaxed);
    {
        sync::SpinLockGuard const guard(lane.lock, sync::save_interrupts);
        lane.waiting.push_back(parent);
        if (lane.is_cutting) {
            return;
        }
        lane.is_cutting = true;
    }
    go_on(lane);
}

/// Cuts pieces off those who wait while there are children. One context at a time.
void Pieces::go_on(PieceLane& lane) {
    Device* device = nullptr;
    while (Child* const child = next(lane, device)) {
        send(*device, *child);
    }
}

/// The next piece, in a child, and where it goes; null: nobody waits, or no child is free, and the
/// caller goes on no more.
Child* Pieces::next(PieceLane& lane, Device*& device) {
    sync::SpinLockGuard const guard(lane.lock, sync::save_interrupts);
    if (lane.waiting.empty() || lane.free.empty()) {
        lane.waited.fetch_add(lane.waiting.empty() ? 0 : 1, relaxed);
        lane.is_cutting = false;
        return nullptr;
    }
    Request& parent = lane.waiting.front();
    auto& child = static_cast<Child&>(lane.free.pop_front());
    PieceState& state = parent.room<PieceState>();
    child.operation = parent.operation;
    child.is_through = parent.is_through;
    child.time_out = parent.time_out;
    child.parent = &parent;
    child.done = finish;
    child.context = this;
    device = &m_maker.next_piece(parent, state, child);
    if (++state.begun == state.pieces) {
        lane.waiting.remove(parent); // from here on its pieces may end it
    }
    return &child;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
void Pieces::finish(Request& request, Result<void> outcome) {
    auto& child = static_cast<Child&>(request);
    Pieces& self = *static_cast<Pieces*>(child.context);
    Request& parent = *child.parent;
    PieceState& state = parent.room<PieceState>();
    if (!outcome) {
        u32 none = 0;
        static_cast<void>(state.error.compare_exchange(
            none, static_cast<u32>(outcome.error()) + 1, relaxed, relaxed));
    }
    self.give_back(child);
    if (state.left.fetch_sub(1, acquire_release) == 1) {
        u32 const error = state.error.load(relaxed);
        parent.done(parent, error == 0 ? Result<void>() : static_cast<Error>(error - 1));
    }
}

} // namespace twofold::block
