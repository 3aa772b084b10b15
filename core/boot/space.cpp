// See space.hpp.
#include "core/boot/space.hpp"

#include "core/boot/kernel.hpp"
#include "hal/mmu.hpp"

namespace twofold::boot {

namespace {

using memory::Range;
using memory::SharedFrames;

constexpr Column range_columns[] = {{"start", 18}, {"end", 18}, {"KiB", 12},
                                    {"rights", 6}, {"kind", 7}, {"name", 0}};
constexpr Column space_columns[] = {{"of the kernel's space", 24}, {"count", 0}};

/// One count for every frame that can ever be given out.
Result<std::span<SharedFrames::Count>> make_counts(memory::BuddyFrames& source) {
    u64 const frames = source.zones().back()->end();
    Bytes const size = align_up(Bytes{frames * sizeof(SharedFrames::Count)}, page_size);
    PhysAddr const place =
        TRY(source.allocate({.pages = size / page_size, .content = memory::FrameContent::zeroed}));
    return std::span(memory::frame_object<SharedFrames::Count>(place), frames);
}

} // namespace

Result<void> open_kernel_space(Kernel& kernel) {
    auto const counts = TRY(make_counts(*kernel.frames));
    kernel.shared_frames.emplace(memory::FrameSupply(*kernel.frames), counts);
    kernel.space.emplace(TRY(memory::KernelSpace::adopt(
        *kernel.shared_frames, hal::Mmu::root(), hal::Layout::current())));
    auto const census = TRY(kernel.space->space().check());
    kernel.log(
        trace::LogLevel::info, "the kernel's space has {} ranges and {} KiB mapped in its windows",
        census.ranges, census.pages * page_size.value >> 10);
    return {};
}

u8 show_kernel_space(CommandContext& context) {
    memory::AddressSpace& space = context.kernel.space->space();
    context.out.table(range_columns);
    space.for_each_range([&](Range const& range) {
        bool const is_guard = range.kind == memory::RangeKind::guard;
        context.out.row(
            {range.base, range.end(), Bytes{range.size.value >> 10},
             is_guard ? std::string_view("---") : memory::access_name(range.access),
             memory::range_kind_name(range.kind), range.name});
    });
    auto const census = space.check();
    if (!census) {
        context.out.line("vm: ranges and page tables disagree");
        return status::failure;
    }
    memory::SpaceStatistics const seen = space.statistics();
    context.out.table(space_columns);
    context.out.row({"ranges", census.value().ranges});
    context.out.row({"pages of 4 KiB mapped", census.value().pages});
    context.out.row({"larger pages", census.value().large_pages});
    context.out.row({"page tables added", census.value().tables});
    context.out.row({"frames of range nodes", census.value().node_frames});
    context.out.row({"faults: zeroed", seen.zeroed});
    context.out.row({"faults: from an object", seen.from_object});
    context.out.row({"faults: copied", seen.copied});
    context.out.row({"faults: reused", seen.reused});
    context.out.row({"faults: stale", seen.stale});
    context.out.row({"faults: refused", seen.refused});
    context.out.row({"large pages made", seen.large_pages});
    context.out.row({"flushes", seen.flushes});
    context.out.row({"frames in use", context.kernel.shared_frames->in_use()});
    return status::success;
}

} // namespace twofold::boot
