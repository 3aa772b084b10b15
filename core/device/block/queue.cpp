// See queue.hpp.
#include "core/device/block/queue.hpp"

#include <algorithm>
#include <bit>

namespace twofold::block {

namespace {

/// Whether a request stays where it is in the order of those around it.
bool is_barrier(Request const& request) {
    return !has_data(request.operation) || request.is_through;
}

/// What may be asked for at once where the device below sets no limit: so much that lengths stay
/// small numbers.
constexpr u64 bytes_max = u64{1} << 30;
constexpr u32 upper_segments_max = 1024;

Geometry upper(Geometry const& below) {
    Geometry above = below;
    u64 const sectors = bytes_max >> std::countr_zero(below.sector_bytes);
    above.sectors_max = static_cast<u32>(std::max<u64>(sectors, below.sectors_max));
    above.segments_max = std::max(upper_segments_max, below.segments_max);
    above.segment_boundary = 1;
    return above;
}

} // namespace

Queue::Lane::Lane(Queue& of) : queue(of) {
    for (Child& child : all) {
        child.lane = this;
        free.push_back(child);
    }
}

Queue::Queue(memory::KernelHeap& heap, Completions& completions, Device& device)
    : m_heap(heap),
      m_completions(completions),
      m_device(device),
      m_geometry(upper(device.geometry())) {}

Result<Queue*> Queue::open(memory::KernelHeap& heap, Completions& completions, Device& device) {
    auto* const room = TRY(memory::allocate_room<Queue>(heap, 1));
    auto* const queue = new (room) Queue(heap, completions, device);
    if (auto const opened = queue->m_lanes.open(heap, *queue); !opened) {
        queue->~Queue();
        memory::free_room(heap, room);
        return opened.error();
    }
    return queue;
}

void Queue::close() {
    m_lanes.for_each([](Lane& lane) {
        sync::SpinLockGuard const guard(lane.lock, sync::save_interrupts);
        CHECK(lane.waiting.empty() && lane.staged_count == 0 && lane.free.size() == children);
        while (!lane.free.empty()) {
            lane.free.pop_front();
        }
    });
    memory::KernelHeap& heap = m_heap;
    m_lanes.close(heap);
    this->~Queue();
    memory::free_room(heap, this);
}

void Queue::adopt_geometry() {
    m_geometry = upper(m_device.geometry());
}

QueueCounts Queue::counts() const {
    QueueCounts sum;
    m_lanes.for_each([&](Lane& lane) {
        sum.merged += lane.merged.load(relaxed);
        sum.split += lane.split.load(relaxed);
        sum.waited += lane.waited.load(relaxed);
    });
    return sum;
}

Result<void> Queue::submit(Request& request) {
    TRY(check(request, m_geometry));
    if (has_data(request.operation) && !fits(request, m_device.geometry())) {
        return begin_cut(request);
    }
    return stage(request) ? Result<void>() : m_device.submit(request);
}

// ---- held requests ----

/// Keeps the request where this processor holds.
bool Queue::stage(Request& request) {
    Request* full[staged_max];
    {
        sync::InterruptGuard const off;
        Lane& lane = m_lanes.here(off);
        if (lane.held == 0) {
            return false;
        }
        lane.staged[lane.staged_count++] = &request;
        if (lane.staged_count < staged_max) {
            return true;
        }
        std::ranges::copy(lane.staged, full);
        lane.staged_count = 0;
    }
    dispatch(full);
    return true;
}

void Queue::hold() {
    sync::InterruptGuard const off;
    ++m_lanes.here(off).held;
}

void Queue::release() {
    Request* staged[staged_max];
    u32 count = 0;
    {
        sync::InterruptGuard const off;
        Lane& lane = m_lanes.here(off);
        CHECK(lane.held > 0);
        if (--lane.held == 0) {
            count = std::exchange(lane.staged_count, 0);
            std::copy_n(lane.staged, count, staged);
        }
    }
    if (count != 0) {
        dispatch(std::span(staged).first(count));
    }
}

/// Hands a request to the device; what it does not take ends soon.
void Queue::send(Request& request) {
    if (auto const begun = m_device.submit(request); !begun) {
        m_completions.leave(request, begun);
    }
}

void Queue::dispatch(std::span<Request*> requests) {
    m_device.hold();
    while (!requests.empty()) {
        auto const barrier = std::ranges::find_if(
            requests, [](Request const* request) { return is_barrier(*request); });
        auto const length = static_cast<usize>(barrier - requests.begin());
        dispatch_run(requests.first(length));
        if (length != requests.size()) {
            send(**barrier);
        }
        requests = requests.subspan(std::min(length + 1, requests.size()));
    }
    m_device.release();
}

/// Requests that may be sent in any order.
void Queue::dispatch_run(std::span<Request*> requests) {
    auto const key = [](Request const* request) {
        return std::pair(request->operation, request->sector);
    };
    std::ranges::sort(requests, {}, key);
    while (!requests.empty()) {
        usize const count = mergeable(requests);
        if (count == 1 || !merge(requests.first(count))) {
            for (Request* const request : requests.first(count)) {
                send(*request);
            }
        }
        requests = requests.subspan(count);
    }
}

/// How many of the first requests one child can stand for. They are sorted.
usize Queue::mergeable(std::span<Request* const> requests) const {
    Geometry const& below = m_device.geometry();
    u32 const most = std::min(segments_max, below.segments_max);
    Request const* last = requests.front();
    u64 sectors = last->count;
    usize segments = last->segments.size();
    Segment tail = last->segments.back();
    usize count = 1;
    for (; count < requests.size(); ++count) {
        Request const& next = *requests[count];
        Segment const& head = next.segments.front();
        u64 const end = tail.address.value + tail.bytes;
        bool const is_one_piece =
            end == head.address.value && u64{tail.bytes} + head.bytes < bytes_max;
        bool const may_meet =
            is_one_piece || (is_aligned(end, u64{below.segment_boundary}) &&
                             is_aligned(head.address.value, u64{below.segment_boundary}));
        sectors += next.count;
        segments += next.segments.size() - (is_one_piece ? 1 : 0);
        if (next.operation != last->operation || next.sector != last->sector + last->count ||
            next.time_out != last->time_out || sectors > below.sectors_max || segments > most ||
            !may_meet) {
            break;
        }
        bool const is_joined = is_one_piece && next.segments.size() == 1;
        tail = is_joined ? Segment{tail.address, tail.bytes + head.bytes} : next.segments.back();
        last = &next;
    }
    return count;
}

/// Sends a child in the place of the requests; false: there is none.
bool Queue::merge(std::span<Request* const> requests) {
    Lane& lane = m_lanes.any();
    Child* const child = take_child(lane);
    if (child == nullptr) {
        return false;
    }
    child->operation = requests.front()->operation;
    child->is_through = false;
    child->sector = requests.front()->sector;
    child->time_out = requests.front()->time_out;
    child->count = 0;
    usize count = 0;
    for (Request* const request : requests) {
        child->count += request->count;
        for (Segment const& segment : request->segments) {
            Segment* const last = count != 0 ? &child->pieces[count - 1] : nullptr;
            bool const is_one_piece = last != nullptr &&
                                      last->address + Bytes{last->bytes} == segment.address &&
                                      u64{last->bytes} + segment.bytes < bytes_max;
            if (is_one_piece) {
                last->bytes += segment.bytes;
            } else {
                CHECK(count < segments_max);
                child->pieces[count++] = segment;
            }
        }
        child->originals.push_back(*request);
    }
    child->segments = std::span(child->pieces).first(count);
    child->done = finish_merged;
    child->context = this;
    lane.merged.fetch_add(requests.size(), relaxed);
    send(*child);
    return true;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
void Queue::finish_merged(Request& request, Result<void> outcome) {
    auto& child = static_cast<Child&>(request);
    Queue& queue = *static_cast<Queue*>(child.context);
    // Which of them the device has failed at it does not say.
    bool const is_unclear =
        !outcome && (outcome.error() == Error::io_failed || outcome.error() == Error::corrupted);
    IntrusiveList<Request, RequestsTag> originals;
    while (!child.originals.empty()) {
        originals.push_back(child.originals.pop_front());
    }
    queue.give_back(child);
    while (!originals.empty()) {
        Request& original = originals.pop_front();
        if (is_unclear) {
            queue.send(original);
        } else {
            original.done(original, outcome);
        }
    }
}

// ---- requests that are cut ----

/// A child for nobody who waits.
Queue::Child* Queue::take_child(Lane& lane) {
    sync::SpinLockGuard const guard(lane.lock, sync::save_interrupts);
    bool const has_one = lane.waiting.empty() && !lane.free.empty();
    return has_one ? static_cast<Child*>(&lane.free.pop_front()) : nullptr;
}

/// The child is free again, and whoever waits for one goes on.
void Queue::give_back(Child& child) {
    Lane& lane = *child.lane;
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

Result<void> Queue::begin_cut(Request& request) {
    u32 const pieces = TRY(count_pieces(request, m_device.geometry(), segments_max));
    Cut& state = request.make_room<Cut>();
    state.pieces = pieces;
    state.left.store(pieces, relaxed);
    Lane& lane = m_lanes.any();
    lane.split.fetch_add(1, relaxed);
    {
        sync::SpinLockGuard const guard(lane.lock, sync::save_interrupts);
        lane.waiting.push_back(request);
        if (lane.is_cutting) {
            return {};
        }
        lane.is_cutting = true;
    }
    go_on(lane);
    return {};
}

/// Cuts pieces off those who wait while there are children. One context at a time.
void Queue::go_on(Lane& lane) {
    while (Child* const child = next_piece(lane)) {
        send(*child);
    }
}

/// The next piece, in a child; null: nobody waits, or no child is free, and the caller goes on no
/// more.
Queue::Child* Queue::next_piece(Lane& lane) {
    sync::SpinLockGuard const guard(lane.lock, sync::save_interrupts);
    if (lane.waiting.empty() || lane.free.empty()) {
        lane.waited.fetch_add(lane.waiting.empty() ? 0 : 1, relaxed);
        lane.is_cutting = false;
        return nullptr;
    }
    Request& parent = lane.waiting.front();
    auto& child = static_cast<Child&>(lane.free.pop_front());
    Cut& state = parent.room<Cut>();
    child.operation = parent.operation;
    child.is_through = parent.is_through;
    child.time_out = parent.time_out;
    child.sector = parent.sector + state.place.sectors;
    // The whole request was cut once, to see that it can be.
    Piece const piece = cut(parent, m_device.geometry(), state.place, child.pieces).value();
    child.count = piece.sectors;
    child.segments = std::span(child.pieces).first(piece.segments);
    child.parent = &parent;
    child.done = finish_piece;
    child.context = this;
    if (++state.begun == state.pieces) {
        lane.waiting.remove(parent); // from here on its pieces may end it
    }
    return &child;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
void Queue::finish_piece(Request& request, Result<void> outcome) {
    auto& child = static_cast<Child&>(request);
    Queue& queue = *static_cast<Queue*>(child.context);
    Request& parent = *child.parent;
    Cut& state = parent.room<Cut>();
    if (!outcome) {
        u32 none = 0;
        static_cast<void>(state.error.compare_exchange(
            none, static_cast<u32>(outcome.error()) + 1, relaxed, relaxed));
    }
    queue.give_back(child);
    if (state.left.fetch_sub(1, acquire_release) == 1) {
        u32 const error = state.error.load(relaxed);
        parent.done(parent, error == 0 ? Result<void>() : static_cast<Error>(error - 1));
    }
}

} // namespace twofold::block
