// See range_set.hpp.
#include "core/memory/space/range_set.hpp"

#include <algorithm>
#include <iterator>

namespace twofold::memory {

std::string_view range_kind_name(RangeKind kind) {
    constexpr std::string_view names[] = {"guard", "zero", "object", "device", "pinned", "boot"};
    auto const index = static_cast<usize>(kind);
    CHECK(index < std::size(names));
    return names[index];
}

void Range::drop_front(Bytes by) {
    CHECK(by < size && is_aligned(by.value, page_size.value));
    base += by;
    size = size - by;
    object_page += kind == RangeKind::object ? by / page_size : 0;
    device += kind == RangeKind::device ? by : Bytes{0};
}

bool Range::continues_in(Range const& next) const {
    Range tail = *this;
    tail.base = next.base;
    tail.object_page += kind == RangeKind::object ? size / page_size : 0;
    tail.device += kind == RangeKind::device ? size : Bytes{0};
    return end() == next.base && kind == next.kind && access == next.access &&
           sharing == next.sharing && cache == next.cache && level_max == next.level_max &&
           object == next.object && tail.object_page == next.object_page &&
           tail.device == next.device && name == next.name;
}

RangeSet::RangeSet(RangeSet&& other)
    : m_nodes(std::move(other.m_nodes)),
      m_first(std::exchange(other.m_first, Links{})),
      m_random(other.m_random) {}

RangeSet::Path RangeSet::path_to(VirtAddr address) {
    Path path{};
    Links* links = &m_first;
    for (unsigned height = height_max; height-- > 0;) {
        while ((*links)[height] != nullptr && (*links)[height]->end() <= address) {
            links = &(*links)[height]->next;
        }
        path[height] = &(*links)[height];
    }
    return path;
}

Range* RangeSet::lower_bound(VirtAddr address) const {
    Links const* links = &m_first;
    for (unsigned height = height_max; height-- > 0;) {
        while ((*links)[height] != nullptr && (*links)[height]->end() <= address) {
            links = &(*links)[height]->next;
        }
    }
    return (*links)[0];
}

Range* RangeSet::find(VirtAddr address) const {
    Range* const range = lower_bound(address);
    return range != nullptr && range->contains(address) ? range : nullptr;
}

Range* RangeSet::next(Range const& range) {
    return static_cast<Node const&>(range).next[0];
}

Result<Range*> RangeSet::insert(Range const& range, FrameStock& stock) {
    CHECK(range.size.value != 0 && range.base < range.end());
    Path const path = path_to(range.base);
    Node* const following = *path[0];
    if (following != nullptr && following->base < range.end()) {
        return Error::already_exists;
    }
    Node* const node = TRY(m_nodes.create({}, stock));
    static_cast<Range&>(*node) = range;
    // Each two zero bits at the end of a random word: a quarter as likely.
    auto const zeros = static_cast<unsigned>(std::countr_zero(m_random.next()));
    node->height = std::min(height_max, 1 + zeros / 2);
    for (unsigned height = 0; height < node->height; ++height) {
        node->next[height] = *path[height];
        *path[height] = node;
    }
    return node;
}

void RangeSet::remove(Range& range, FlushBatch& batch) {
    Node& node = static_cast<Node&>(range);
    Path const path = path_to(node.base);
    for (unsigned height = 0; height < node.height; ++height) {
        CHECK(*path[height] == &node);
        *path[height] = node.next[height];
    }
    m_nodes.destroy(&node, batch);
}

Result<void> RangeSet::split(VirtAddr boundary, FrameStock& stock) {
    Range* const range = find(boundary);
    if (range == nullptr || range->base == boundary) {
        return {};
    }
    Range upper = *range;
    Bytes const lower_size = boundary - range->base;
    upper.drop_front(lower_size);
    range->size = lower_size;
    auto const inserted = insert(upper, stock);
    if (!inserted) {
        range->size = lower_size + upper.size;
        return inserted.error();
    }
    if (upper.object != nullptr) {
        upper.object->retain();
    }
    return {};
}

Range*
RangeSet::absorb(Range& range, Range& following, FlushBatch& batch, DroppedObjects& dropped) {
    if (following.object != nullptr) {
        dropped.push_back(following.object).value(); // `range` holds it too
    }
    Bytes const added = following.size;
    remove(following, batch);
    range.size += added;
    return &range;
}

void RangeSet::merge_around(Range& range, FlushBatch& batch, DroppedObjects& dropped) {
    Range* whole = &range;
    if (whole->base.value != 0) {
        Range* const before = find(whole->base - Bytes{1});
        if (before != nullptr && before->continues_in(*whole)) {
            whole = absorb(*before, *whole, batch, dropped);
        }
    }
    Range* const after = next(*whole);
    if (after != nullptr && whole->continues_in(*after)) {
        absorb(*whole, *after, batch, dropped);
    }
}

std::optional<VirtAddr> RangeSet::find_gap(GapSearch& search, unsigned ranges_max) const {
    CHECK(search.size.value != 0 && search.from < search.end && !search.is_over);
    VirtAddr candidate = align_up(search.from, search.alignment);
    Range const* range = lower_bound(candidate);
    for (unsigned passed = 0; range != nullptr && range->base < search.end;
         range = next(*range), ++passed) {
        if (candidate < range->base && range->base - candidate >= search.size) {
            break;
        }
        if (passed == ranges_max && candidate < search.end) {
            search.from = candidate;
            return std::nullopt;
        }
        candidate = std::max(candidate, align_up(range->end(), search.alignment));
    }
    bool const fits =
        candidate >= search.from && candidate < search.end && search.end - candidate >= search.size;
    search.is_over = !fits;
    return fits ? std::optional(candidate) : std::nullopt;
}

} // namespace twofold::memory
