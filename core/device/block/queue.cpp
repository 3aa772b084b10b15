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

Queue::Queue(memory::KernelHeap& heap, Completions& completions, Device& device)
    : m_heap(heap),
      m_device(device),
      m_geometry(upper(device.geometry())),
      m_pieces(completions, *this) {}

Result<Queue*> Queue::open(memory::KernelHeap& heap, Completions& completions, Device& device) {
    auto* const room = TRY(memory::allocate_room<Queue>(heap, 1));
    auto* const queue = new (room) Queue(heap, completions, device);
    auto const opened = [&]() -> Result<void> {
        TRY(queue->m_pieces.open(heap));
        return queue->m_stages.open(heap);
    }();
    if (!opened) {
        queue->close();
        return opened.error();
    }
    return queue;
}

void Queue::close() {
    m_stages.for_each([](Stage& stage) { CHECK(stage.count == 0); });
    memory::KernelHeap& heap = m_heap;
    m_pieces.close(heap);
    m_stages.close(heap);
    this->~Queue();
    memory::free_room(heap, this);
}

void Queue::adopt_geometry() {
    m_geometry = upper(m_device.geometry());
}

QueueCounts Queue::counts() const {
    QueueCounts sum{.split = m_pieces.begun(), .waited = m_pieces.waited()};
    m_stages.for_each([&](Stage& stage) { sum.merged += stage.merged.load(relaxed); });
    return sum;
}

/// What goes straight through is checked by the device below alone.
Result<void> Queue::submit(Request& request) {
    Geometry const& below = m_device.geometry();
    bool const is_whole = !has_data(request.operation) || fits(request, below);
    if (is_whole && !is_held()) {
        return m_device.submit(request);
    }
    TRY(check(request, m_geometry));
    if (!is_whole) {
        m_pieces.begin(request, TRY(count_pieces(request, below, Child::segments_max)));
        return {};
    }
    return stage(request) ? Result<void>() : m_device.submit(request);
}

/// Whether this processor holds; where the caller does not stay on it, it did a moment ago.
bool Queue::is_held() const {
    sync::InterruptGuard const off;
    return m_stages.here(off).held != 0;
}

Device& Queue::next_piece(Request const& parent, PieceState& state, Child& child) {
    child.sector = parent.sector + state.place.sectors;
    // The whole request was cut once, to see that it can be.
    Piece const piece = cut(parent, m_device.geometry(), state.place, child.pieces).value();
    child.count = piece.sectors;
    child.segments = std::span(child.pieces).first(piece.segments);
    return m_device;
}

/// Keeps the request where this processor holds.
bool Queue::stage(Request& request) {
    Request* full[staged_max];
    {
        sync::InterruptGuard const off;
        Stage& here = m_stages.here(off);
        if (here.held == 0) {
            return false;
        }
        here.requests[here.count++] = &request;
        if (here.count < staged_max) {
            return true;
        }
        std::ranges::copy(here.requests, full);
        here.count = 0;
    }
    dispatch(full);
    return true;
}

void Queue::hold() {
    sync::InterruptGuard const off;
    ++m_stages.here(off).held;
}

void Queue::release() {
    Request* staged[staged_max];
    u32 count = 0;
    {
        sync::InterruptGuard const off;
        Stage& here = m_stages.here(off);
        CHECK(here.held > 0);
        if (--here.held == 0) {
            count = std::exchange(here.count, 0);
            std::copy_n(here.requests, count, staged);
        }
    }
    if (count != 0) {
        dispatch(std::span(staged).first(count));
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
            m_pieces.send(m_device, **barrier);
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
                m_pieces.send(m_device, *request);
            }
        }
        requests = requests.subspan(count);
    }
}

/// How many of the first requests one child can stand for. They are sorted.
usize Queue::mergeable(std::span<Request* const> requests) const {
    Geometry const& below = m_device.geometry();
    u32 const most = std::min(Child::segments_max, below.segments_max);
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
    Child* const child = m_pieces.take();
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
                CHECK(count < Child::segments_max);
                child->pieces[count++] = segment;
            }
        }
        child->originals.push_back(*request);
    }
    child->segments = std::span(child->pieces).first(count);
    child->done = finish_merged;
    child->context = this;
    m_stages.any().merged.fetch_add(requests.size(), relaxed);
    m_pieces.send(m_device, *child);
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
    queue.m_pieces.give_back(child);
    while (!originals.empty()) {
        Request& original = originals.pop_front();
        if (is_unclear) {
            queue.m_pieces.send(queue.m_device, original);
        } else {
            original.done(original, outcome);
        }
    }
}

} // namespace twofold::block
