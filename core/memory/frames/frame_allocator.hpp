// The interface of an allocator of physical frames, as a concept: what a request can ask for, how a
// wrong one is named, what is counted. BuddyFrames is the kernel's; BitmapFrames is a baseline;
// FailingFrames wraps any of them.
#pragma once

#include "core/base/base.hpp"
#include "core/memory/memory_map.hpp"

#include <concepts>
#include <optional>

namespace twofold::memory {

/// The largest block: 2^18 frames, 1 GiB. A block of order n is 2^n frames, naturally aligned.
inline constexpr unsigned max_order = 18;
inline constexpr unsigned order_count = max_order + 1;

/// The number of a frame: its physical address by the page size.
using FrameNumber = u64;
/// Where the first mebibyte ends, which early devices alone can reach.
inline constexpr FrameNumber mebibyte_end = (u64{1} << 20) / page_size.value;
constexpr FrameNumber frame_of(PhysAddr address) {
    return address.value / page_size.value;
}
constexpr PhysAddr address_of(FrameNumber frame) {
    return {frame * page_size.value};
}

inline constexpr u32 nodes_max = 64;

/// Memory of one NUMA node. Nodes are numbered densely from 0.
struct NodeRange {
    PhysAddr base;
    Bytes size;
    u32 node;
};

/// What an allocator is made of, for the `create` of each; read there and not kept.
struct FrameConfig {
    std::span<hal::MemoryRange const> free; ///< disjoint, whole pages, in any order
    std::span<NodeRange const> nodes{};     ///< none: one node
    std::span<u32 const> node_of_cpu{};     ///< processors beyond it belong to node 0
    u32 cpus = 1;
};

/// What a frame holds when it is handed out.
enum class FrameContent : u8 {
    undefined, ///< whatever was there
    zeroed,
};

/// Physically contiguous frames. The members that are not named keep their defaults:
/// `allocate({.pages = 3, .limit = {u64{1} << 32}})`.
struct FrameRequest {
    u64 pages = 1;                          ///< any number but 0; what is not needed is not taken
    Bytes alignment = page_size;            ///< a power of two, at least a page
    std::optional<PhysAddr> at{};           ///< exactly there, or not at all
    PhysAddr limit{MemoryMap::address_end}; ///< the frames end at or below, for devices
    FrameContent content = FrameContent::undefined;
    std::optional<u32> node{}; ///< from this NUMA node, or not at all
};

/// What is wrong with frames that are given back. The allocator's state is as it was.
enum class FrameMisuse : u8 {
    none,
    misaligned,   ///< not at a multiple of the block's size
    bad_order,    ///< an order above max_order, or no pages, or more than there can be
    foreign,      ///< no frame that this allocator manages: a device, or nothing at all
    reserved,     ///< a frame that was never free: the image, firmware, a hole, defective memory
    double_free,  ///< free already
    wrong_size,   ///< allocated, but as a larger or smaller piece
    inside_block, ///< within a larger piece that is allocated, not at its start
};
inline constexpr usize frame_misuse_count = 8;

/// The stable name of a misuse. O(1); any context.
std::string_view misuse_name(FrameMisuse misuse);
/// The error that it is answered with: out_of_range where there is no such frame, invalid_state
/// where it is free already, else invalid_argument.
Error misuse_error(FrameMisuse misuse);

/// Counts since the start; each is exact once nobody is inside the allocator.
struct FrameStatistics {
    u64 frames = 0;                 ///< managed, free or not
    u64 free_frames = 0;            ///< those in magazines included
    u64 cached_frames = 0;          ///< in magazines
    u64 free_blocks[order_count]{}; ///< by order, outside of magazines
    u64 allocations = 0;            ///< that succeeded
    u64 frees = 0;
    u64 failures = 0; ///< allocations that found nothing
    u64 refills = 0;  ///< of a magazine from its zones
    u64 drains = 0;   ///< of a magazine to its zones
    u64 misuses[frame_misuse_count]{};
    Bytes metadata; ///< what the allocator keeps for itself

    /// The share of free memory that a request of `order` cannot use, in parts per million: 0 if
    /// any free frame lies in a block large enough (M. Gorman and A. Whitcroft, "The what, the why
    /// and the where to of anti-fragmentation", OLS 2006: the unusable free space index). Frames
    /// in magazines count as blocks of order 0. O(orders).
    u64 fragmentation_ppm(unsigned order) const;
    /// The highest order of which a block is free; nothing if none is.
    std::optional<unsigned> largest_order() const;
};

/// What a walk over an allocator's state found broken first.
struct FrameDefect {
    std::string_view problem; ///< empty if nothing is
    PhysAddr where;

    bool found() const { return !problem.empty(); }
};

/// An allocator of frames. Contexts up to no_preempt, and no fault inside it; safe on all
/// processors at once.
template<class F>
concept FrameAllocator = requires(
    F& frames, F const& seen, unsigned order, PhysAddr address, u64 pages, FrameRequest request) {
    /// 2^order frames, naturally aligned, content undefined. Errors: invalid_argument above
    /// max_order, out_of_memory.
    { frames.allocate(order) } -> std::same_as<Result<PhysAddr>>;
    /// What `request` asks for. Errors: invalid_argument for a request that makes no sense,
    /// out_of_range for a place that no managed frame has, busy for a place that is taken,
    /// out_of_memory.
    { frames.allocate(request) } -> std::same_as<Result<PhysAddr>>;
    /// Gives back what `allocate(order)` returned. Errors: see misuse_error.
    { frames.free(address, order) } -> std::same_as<Result<void>>;
    /// Gives back what a request of `pages` frames returned.
    { frames.free_pages(address, pages) } -> std::same_as<Result<void>>;
    /// Gives what is set aside for the running processor back to all.
    { frames.drain() } -> std::same_as<void>;
    { seen.statistics() } -> std::same_as<FrameStatistics>;
    /// Walks everything. Exact while nobody is inside the allocator. O(frames).
    { seen.validate() } -> std::same_as<FrameDefect>;
};

/// Fills frames with zeros through the linear window. O(pages).
void zero_frames(PhysAddr address, u64 pages);

/// Whether a request makes sense by itself: pages, alignment, place and limit.
bool is_sensible(FrameRequest const& request);

} // namespace twofold::memory
