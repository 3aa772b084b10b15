// Address spaces: ranges, rights, pages on demand, clones, shared objects, large pages, the
// kernel's own windows. Nothing recorded depends on where things lie.
#include "apps/scenarios/scenarios.hpp"
#include "core/memory/memory.hpp"
#include "hal/layout.hpp"

namespace twofold::scenarios {

namespace {

using namespace twofold::literals;
using memory::AddressSpace;
using memory::MemoryObject;
using memory::PageAccess;
using memory::Sharing;
using twofold::boot::Kernel;
using twofold::boot::Recorder;

constexpr VirtAddr base{0x4000'0000};

Result<void> put(AddressSpace& space, VirtAddr address, u64 value) {
    return space.copy_to(address, std::as_bytes(std::span(&value, 1)));
}
Result<u64> get(AddressSpace& space, VirtAddr address) {
    u64 value = 0;
    TRY(space.copy_from(std::as_writable_bytes(std::span(&value, 1)), address));
    return value;
}

void record_census(Recorder& record, std::string_view title, AddressSpace& space) {
    auto const census = space.check();
    char name[64];
    record.truth(format_to(std::span(name), "{}: sound", title), census.has_value());
    if (census) {
        record.number(format_to(std::span(name), "{}: ranges", title), census.value().ranges);
        record.number(format_to(std::span(name), "{}: pages", title), census.value().pages);
        record.number(format_to(std::span(name), "{}: tables", title), census.value().tables);
    }
    for (auto range = space.find(base); range; range = space.find(range->end())) {
        char text[64];
        record.text(
            format_to(std::span(name), "{}: {} KiB above", title, (range->base - base).value >> 10),
            format_to(
                std::span(text), "{} KiB {} {}", range->size.value >> 10,
                memory::range_kind_name(range->kind), memory::access_name(range->access)));
    }
}

void record_statistics(Recorder& record, std::string_view title, AddressSpace const& space) {
    memory::SpaceStatistics const seen = space.statistics();
    char name[64];
    auto const count = [&](std::string_view what, u64 value) {
        record.number(format_to(std::span(name), "{}: {}", title, what), value);
    };
    count("zeroed", seen.zeroed);
    count("from object", seen.from_object);
    count("copied", seen.copied);
    count("reused", seen.reused);
    count("stale", seen.stale);
    count("refused", seen.refused);
}

void refuse(Recorder& record, AddressSpace& space) {
    auto const zero = [&](std::string_view name, VirtAddr where, Bytes size) {
        record.result(name, space.map_zero(where, size, PageAccess::read));
    };
    zero("refuse: size 0", base, 0_B);
    zero("refuse: misaligned", base + 8_B, 4_KiB);
    zero("refuse: huge", base, Bytes{~u64{0} & ~u64{4095}});
    zero("refuse: around the end", {~u64{4095}}, 8_KiB);
    zero("refuse: not canonical", {0x8000'0000'0000'0000}, 4_KiB);
    zero("refuse: null", {0}, 4_KiB);
    zero("refuse: the heap's slot", hal::Layout::current().heap.base, 4_KiB);
    record.result("refuse: unmap nothing", space.unmap(base, 4_KiB));
    record.result("refuse: protect nothing", space.protect(base, 4_KiB, PageAccess::read));
    auto const all = hal::Access::read | hal::Access::write | hal::Access::execute;
    record.truth("refuse: write and execute", !memory::page_access(all).has_value());
}

void change_ranges(Recorder& record, AddressSpace& space) {
    record.result("map", space.map_zero(base, 64_KiB, PageAccess::read_write));
    record.result("map twice", space.map_zero(base + 60_KiB, 8_KiB, PageAccess::read));
    record.result("map guard", space.map_guard(base + 64_KiB, 4_KiB));
    record.result("read zero", get(space, base + 8_B));
    record.result("write", put(space, base + 8_B, 42));
    record.result("read back", get(space, base + 8_B));
    record.result("read guard", get(space, base + 64_KiB));
    record.result("read nothing", get(space, base + 1_MiB));
    record.result("protect", space.protect(base + 8_KiB, 8_KiB, PageAccess::read));
    record.result("write read-only", put(space, base + 8_KiB, 1));
    record.result("protect guard", space.protect(base + 60_KiB, 8_KiB, PageAccess::read));
    record.result("unmap middle", space.unmap(base + 32_KiB, 4_KiB));
    record_census(record, "ranges", space);
}

void clone_and_write(Recorder& record, AddressSpace& parent) {
    auto cloned = parent.clone();
    record.truth("clone", cloned.has_value());
    if (!cloned) {
        return;
    }
    AddressSpace& child = cloned.value();
    record.result("child reads", get(child, base + 8_B));
    record.result("child writes", put(child, base + 8_B, 43));
    record.result("parent reads", get(parent, base + 8_B));
    record.result("parent writes", put(parent, base + 8_B, 44));
    record.result("child reads again", get(child, base + 8_B));
    record.result("child unmaps", child.unmap(base, 16_KiB));
    record.result("parent keeps", get(parent, base + 8_B));
    record_census(record, "child", child);
    record_statistics(record, "child", child);
}

void share_objects(Recorder& record, Kernel& kernel, AddressSpace& space) {
    auto object = MemoryObject::create(*kernel.shared_frames, 32_KiB);
    record.truth("object", object.has_value());
    if (!object) {
        return;
    }
    MemoryObject& shared = *object.value();
    auto const rw = PageAccess::read_write;
    record.result(
        "object twice", space.map_object(base + 8_MiB, 32_KiB, shared, 0, rw, Sharing::shared));
    record.result(
        "object own", space.map_object(base + 9_MiB, 16_KiB, shared, 4, rw, Sharing::own));
    record.result(
        "object too far", space.map_object(base + 10_MiB, 32_KiB, shared, 1, rw, Sharing::own));
    record.number("object: references", shared.references());
    record.result("object: write", put(space, base + 8_MiB + 16_KiB, 7));
    record.result("object: read own", get(space, base + 9_MiB));
    record.result("object: write own", put(space, base + 9_MiB, 8));
    record.result("object: read shared", get(space, base + 8_MiB + 16_KiB));
    record.result("object: unmap", space.unmap(base + 8_MiB, 2_MiB));
    record.number("object: references left", shared.references());
}

void use_large_pages(Recorder& record, AddressSpace& space) {
    VirtAddr const large = base + 16_MiB;
    record.result("large: map", space.map_zero(large, 2_MiB, PageAccess::read_write));
    for (u64 page = 0; page < 512; ++page) {
        put(space, large + page_size * page, page).value();
    }
    record.result("large: promote", space.promote(large, 2_MiB));
    record.result("large: promote again", space.promote(large, 2_MiB));
    record.result("large: read", get(space, large + 4_KiB * 300));
    record.result("large: cut", space.unmap(large + 4_KiB * 300, 4_KiB));
    record.result("large: read beside", get(space, large + 4_KiB * 301));
    record.result("large: unmap", space.unmap(large, 2_MiB));
    record.result("pinned: map", space.map_pinned(large, 4_MiB, PageAccess::read_write, 1));
    record.result("pinned: read", get(space, large));
    record.result("pinned: commit", space.commit(large, 2_MiB + 8_KiB));
    record.result("pinned: commit again", space.commit(large + 2_MiB, 4_KiB));
    record.result("pinned: write", put(space, large + 4_KiB, 3));
    record.result("pinned: decommit", space.decommit(large + 8_KiB, 2_MiB));
    record.result("pinned: read left", get(space, large + 4_KiB));
    record.result("pinned: read gone", get(space, large + 8_KiB));
}

void use_kernel_windows(Recorder& record, Kernel& kernel) {
    memory::KernelSpace& space = *kernel.space;
    u64 const before = kernel.shared_frames->in_use();
    auto const stack = space.allocate_stack(16_KiB);
    record.truth("stack", stack.has_value());
    record.truth(
        "stack: guard",
        stack && space.space().find(stack.value().base - 1_B)->kind == memory::RangeKind::guard);
    record.result("stack: free", space.free_stack(stack.value()));
    record.result("stack: free twice", space.free_stack(stack.value()));
    VirtAddr const heap = space.heap().base + 1_GiB;
    record.result("heap: commit", space.map_pages(heap, 64_KiB));
    record.result("heap: commit twice", space.map_pages(heap + 60_KiB, 8_KiB));
    record.result("heap: decommit", space.unmap_pages(heap, 64_KiB));
    auto const view = space.map_device({u64{1} << 40}, 64_KiB, hal::CacheMode::uncached);
    record.truth("device", view.has_value());
    record.result("device: unmap", space.unmap_device(view.value()));
    record.result("device: unmap twice", space.unmap_device(view.value()));
    record.number("kernel: frames kept", kernel.shared_frames->in_use() - before);
    record.truth("kernel: sound", space.space().check().has_value());
    record.number("kernel: stale", hal::Mmu::count_stale());
}

} // namespace

void spaces(Recorder& record, Kernel& kernel) {
    u64 const before = kernel.shared_frames->in_use();
    {
        auto made = AddressSpace::create(*kernel.shared_frames, kernel.space->space().root());
        record.truth("create", made.has_value());
        if (!made) {
            return;
        }
        AddressSpace& space = made.value();
        refuse(record, space);
        change_ranges(record, space);
        clone_and_write(record, space);
        share_objects(record, kernel, space);
        use_large_pages(record, space);
        record_statistics(record, "space", space);
        record_census(record, "end", space);
    }
    record.number("frames kept", kernel.shared_frames->in_use() - before);
    use_kernel_windows(record, kernel);
}

} // namespace twofold::scenarios
