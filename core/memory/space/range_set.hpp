// The ranges of an address space: ordered, none overlapping another, found in O(log n).
//
// A skip list: nodes carry links to later nodes at several heights, each height skipping more, and
// heights are drawn with a fixed seed. No rebalancing, no recursion, and a moved list stays whole,
// since nodes never point back to their head. Nodes lie in frames (node_store.hpp).
//
// Source: W. Pugh, "Skip lists: a probabilistic alternative to balanced trees", CACM 33(6), 1990.
#pragma once

#include "core/memory/space/access.hpp"
#include "core/memory/space/memory_object.hpp"
#include "core/memory/space/node_store.hpp"

#include <array>
#include <optional>

namespace twofold::memory {

enum class RangeKind : u8 {
    guard,  ///< no access at all
    zero,   ///< pages of zeros, made when they are touched
    object, ///< pages of a memory object
    device, ///< given physical addresses, which nobody owns
    pinned, ///< pages come and go only by commit and decommit
    boot,   ///< mapped by the machine before the kernel ran; stays for ever
};
std::string_view range_kind_name(RangeKind kind);

/// Whether writes to a range are seen by others that map the same pages.
enum class Sharing : u8 { own, shared };

struct Range {
    VirtAddr base{};
    Bytes size{};
    RangeKind kind = RangeKind::guard;
    PageAccess access = PageAccess::read;
    Sharing sharing = Sharing::own;
    hal::CacheMode cache = hal::CacheMode::write_back;
    unsigned level_max = 0;         ///< of the pages that may be used: 0 is 4 KiB, 1 is 2 MiB
    MemoryObject* object = nullptr; ///< kind object
    u64 object_page = 0;            ///< of the object, where the range begins
    PhysAddr device{};              ///< kind device: where the range begins
    std::string_view name;          ///< for people; lives as long as the kernel

    VirtAddr end() const { return base + size; }
    bool contains(VirtAddr address) const { return address.value - base.value < size.value; }
    /// Moves the beginning up by `by` bytes, a multiple of a page below the size.
    void drop_front(Bytes by);
    /// Whether `next` goes on where this ends and is the same in every other respect.
    bool continues_in(Range const& next) const;
};

/// Memory objects that ranges no longer refer to: released behind the lock, since the last release
/// gives all their frames back.
using DroppedObjects = FixedVector<MemoryObject*, 4>;

/// A place to be found for a range: [from, end) is searched, from its beginning on.
struct GapSearch {
    VirtAddr from;
    VirtAddr end;
    Bytes size;
    Bytes alignment;
    bool is_over = false; ///< there is none
};

/// Not thread-safe. A range keeps its address until it is removed.
class RangeSet {
public:
    RangeSet() = default;
    RangeSet(RangeSet&& other);
    RangeSet& operator=(RangeSet&&) = delete;
    ~RangeSet() { CHECK(m_nodes.used() == 0); }

    /// The range that holds `address`, or null. O(log n) expected, as all that follows.
    Range* find(VirtAddr address) const;
    /// The first range that ends after `address`, or null.
    Range* lower_bound(VirtAddr address) const;
    Range* first() const { return m_first[0]; }
    /// The range after `range`, or null. O(1).
    static Range* next(Range const& range);

    /// Adds a range. Errors: already_exists (it overlaps another), busy (the stock is short).
    Result<Range*> insert(Range const& range, FrameStock& stock);
    void remove(Range& range, FlushBatch& batch);
    /// Cuts the range that crosses `boundary`, if one does. A second range of the same object
    /// retains it. Errors: busy (the stock is short).
    Result<void> split(VirtAddr boundary, FrameStock& stock);
    /// Joins `range` with those around it that continue it.
    void merge_around(Range& range, FlushBatch& batch, DroppedObjects& dropped);

    /// Looks for the lowest place over the next `ranges_max` ranges: the place, or nothing, and
    /// then the search is over or goes on with the next call. O(log n + ranges_max).
    std::optional<VirtAddr> find_gap(GapSearch& search, unsigned ranges_max) const;

    u64 size() const { return m_nodes.used(); }
    u64 frames() const { return m_nodes.frames(); } ///< that hold the nodes

private:
    static constexpr unsigned height_max = 10; // a quarter each: good for a million ranges
    struct Node;
    using Links = std::array<Node*, height_max>;
    struct Node : Range {
        u64 height = 1;
        Links next{};
    };
    /// The link to change at each height, and what follows the place.
    using Path = std::array<Node**, height_max>;

    Path path_to(VirtAddr address);
    Range* absorb(Range& range, Range& following, FlushBatch& batch, DroppedObjects& dropped);

    NodeStore<Node> m_nodes;
    Links m_first{};
    SplitMix64 m_random{0x5ea1};
};

} // namespace twofold::memory
