// Pools: slots and handles, scratch buffers, arenas, and blocks of tensors with their views.
// Nothing recorded depends on where things lie or on how much memory there is.
#include "core/boot/pools.hpp"

#include "apps/scenarios/scenarios.hpp"

namespace twofold::scenarios {

namespace {

using namespace twofold::literals;
using namespace twofold::memory;
using twofold::boot::Kernel;
using twofold::boot::Recorder;

struct Node {
    explicit Node(u64 number) : value(number) {}
    u64 value;
    u64 rest[5] = {};
};
using Nodes = LazyPool<Node, PoolWindow, ManyContexts>;
constexpr u64 nodes_max = 200;

std::byte* bytes_of(void* object) {
    return static_cast<std::byte*>(object);
}

/// A pointer that leads to the middle of an object.
Node* inside(Node* object) {
    return room_for<Node>(std::span(bytes_of(object), 16).last(8).data());
}

void use_slots(Recorder& record, Kernel& kernel) {
    PoolWindow window =
        PoolWindow::create(*kernel.space, {.size = Nodes::range_for(nodes_max), .name = "scenario"})
            .value();
    record.error("slots: none", Nodes::create(window, 0).error());
    record.error("slots: more than the range holds", Nodes::create(window, 1'000'000).error());
    Nodes& nodes = *Nodes::create(window, nodes_max).value();
    Node* objects[nodes_max] = {};
    for (u64 i = 0; i < nodes_max; ++i) {
        objects[i] = nodes.make(i).value();
    }
    record.error("slots: one too many", nodes.make(u64{0}).error());
    PoolHandle const handle = nodes.handle_of(objects[7]).value();
    record.number("slots: found by handle", nodes.find(handle).value()->value);
    Node outside(0);
    record.result("slots: a foreign pointer", nodes.destroy(&outside));
    record.result("slots: an interior pointer", nodes.destroy(inside(objects[3])));
    record.result("slots: close while in use", Nodes::close(nodes));
    record.result("slots: destroy", nodes.destroy(objects[7]));
    record.result("slots: destroy again", nodes.destroy(objects[7]));
    record.error("slots: a dead handle", nodes.find(handle).error());
    record.result("slots: destroy by a dead handle", nodes.destroy(handle));
    objects[7] = nodes.make(u64{1000}).value();
    record.error("slots: the handle stays dead", nodes.find(handle).error());
    u64 sum = 0;
    nodes.for_each([&](Node const& node) { sum += node.value; });
    record.number("slots: sum", sum);
    record.result("slots: verify", nodes.verify());
    PoolStatistics const full = nodes.statistics();
    record.number("slots: chunks", full.chunks);
    record.number("slots: bytes a slot", full.slot.value);
    for (Node* const object : objects) {
        nodes.destroy(object).value();
    }
    record.number("slots: chunks kept", nodes.statistics().chunks);
    nodes.trim();
    PoolStatistics const empty = nodes.statistics();
    record.number("slots: chunks after trim", empty.chunks);
    record.number("slots: most at once", empty.live_max);
    record.number("slots: made ever", empty.made_ever);
    record.number("slots: misuses", empty.misuses);
    record.result("slots: close", Nodes::close(nodes));
}

void use_scratch(Recorder& record, Kernel& kernel) {
    ScratchBuffers& buffers = kernel.pools->scratch;
    {
        auto lease = buffers.take();
        record.truth("scratch: taken", lease.has_value());
        record.error("scratch: nested", buffers.take().error());
        record.number("scratch: bytes", lease.value().bytes().size());
        std::byte* const end = std::to_address(lease.value().bytes().end());
        auto const guard = kernel.space->space().find(hal::kernel_address(end));
        record.truth("scratch: guard behind", guard->kind == RangeKind::guard);
        auto const fault = boot::catch_fault(
            [end] { __atomic_store_n(room_for<u8>(end), u8{1}, __ATOMIC_RELAXED); });
        record.truth("scratch: overflow faults", fault && fault->cause.write);
        record.result("scratch: give back", lease.value().give_back());
        record.result("scratch: give back again", lease.value().give_back());
    }
    record.truth("scratch: taken again", buffers.take().has_value());
    record.truth("scratch: free", !buffers.statistics(hal::Cpu::id()).taken);
    record.result("scratch: verify", buffers.verify());
}

void use_arena(Recorder& record, Kernel& kernel) {
    BumpArena<KernelHeap> arena(*kernel.heap, 1_KiB);
    BumpArena<KernelHeap> other(*kernel.heap);
    record.error("arena: size 0", arena.allocate(0_B).error());
    record.error("arena: alignment 24", arena.allocate(8_B, 24_B).error());
    record.error("arena: huge", arena.allocate({~u64{0}}).error());
    record.number("arena: object", *arena.make<u64>(u64{42}).value());
    auto const mark = arena.checkpoint().value();
    record.number("arena: array", arena.make_array<u32>(1000).value().size());
    record.number("arena: chunks", arena.statistics().chunks);
    record.number("arena: held", arena.statistics().held.value);
    record.result("arena: another's checkpoint", other.rewind(mark));
    record.result("arena: rewind", arena.rewind(mark));
    record.result("arena: rewind again", arena.rewind(mark));
    record.number("arena: chunks left", arena.statistics().chunks);
    ArenaAllocator allocator(arena);
    {
        Vector<u64, ArenaAllocator<KernelHeap>> numbers(allocator);
        for (u64 i = 0; i < 100; ++i) {
            numbers.push(i * i).value();
        }
        record.number("arena: vector", numbers.back());
    }
    std::byte* const block = allocator.allocate(100_B, 16_B).value();
    record.number("arena: usable", allocator.usable_size(block).value().value);
    record.truth("arena: resized in place", allocator.resize(block, 50_B, 16_B).value() == block);
    record.result("arena: free", allocator.free(block));
    record.result("arena: free again", allocator.free(block));
    record.number("arena: reserved", allocator.statistics().reserved.value);
    record.result("arena: allocator verify", allocator.verify());
    record.truth("arena: holds", arena.holds(block));
    arena.reset();
    record.truth("arena: holds after reset", arena.holds(block));
    record.number("arena: chunks after reset", arena.statistics().chunks);
    record.result("arena: verify", arena.verify());
}

void record_class(Recorder& record, std::string_view when, TensorPool const& pool) {
    TensorStatistics const seen = pool.statistics(TensorClass::activations);
    char name[64];
    auto const number = [&](std::string_view what, u64 value) {
        record.number(format_to(std::span(name), "tensors: {}: {}", when, what), value);
    };
    number("committed", seen.committed.value);
    number("used", seen.used.value);
    number("blocks", seen.blocks);
    number("extents", seen.extents);
    number("largest free", seen.largest_free.value);
}

void use_blocks(Recorder& record, TensorPool& pool) {
    constexpr auto kind = TensorClass::activations;
    auto const error = [&](std::string_view name, TensorRequest const& request) {
        record.error(name, pool.allocate(request).error());
    };
    error("tensors: size 0", {.kind = kind, .size = 0_B});
    error("tensors: alignment 96", {.kind = kind, .size = 1_B, .alignment = 96_B});
    error("tensors: alignment 4 MiB", {.kind = kind, .size = 1_B, .alignment = 4_MiB});
    error("tensors: no such class", {.kind = TensorClass{7}, .size = 1_B});
    error("tensors: larger than its region", {.kind = kind, .size = 9_MiB});
    record.result("tensors: prefault", pool.prefault(kind, 3_MiB));
    record_class(record, "prefaulted", pool);
    TensorHandle handle;
    {
        TensorBytes const a = pool.allocate({.kind = kind, .size = 1_MiB, .zeroed = true}).value();
        TensorBytes const b = pool.allocate({.kind = kind, .size = 100_B}).value();
        TensorBytes const c =
            pool.allocate({.kind = kind, .size = 1000_B, .alignment = 1_MiB}).value();
        record_class(record, "three blocks", pool);
        handle = b.handle();
        record.number("tensors: zeroed", static_cast<u64>(a.bytes()[1000]));
        b.fill(0x0101'0101'0101'0101);
        record.result("tensors: write", a.write(10_B, b.bytes()));
        record.number("tensors: written", static_cast<u64>(a.bytes()[109]));
        record.result("tensors: write past the end", a.write(1_MiB, b.bytes()));
        std::byte four[4] = {};
        record.result("tensors: read", a.read(four, 108_B));
        record.number("tensors: read last of it", static_cast<u64>(four[2]));
        TensorBytes const part = a.part(10_B, 100_B).value();
        record.number("tensors: shares", part.shares());
        record.error("tensors: part too long", a.part(10_B, 1_MiB).error());
        record.number("tensors: opened", pool.open(handle).value().size().value);
        record.truth("tensors: aligned", is_aligned(hal::kernel_address(c.bytes().data()), 1_MiB));
        TensorBytes const again = b.share();
        record.number("tensors: shared", again.shares());
    }
    record_class(record, "none left", pool);
    record.error("tensors: a dead handle", pool.open(handle).error());
    record.number("tensors: trimmed of weights", pool.trim(TensorClass::weights).value);
    record.number("tensors: trimmed", pool.trim().value);
    std::byte file[64] = {};
    record.number("tensors: adopted", pool.adopt(file).value().size().value);
    record.error("tensors: adopt nothing", pool.adopt({}).error());
    record.number("tensors: records", pool.records().live);
    record.text("tensors: name", tensor_class_name(kind));
    record.result("tensors: verify", pool.verify());
}

void use_views(Recorder& record, TensorPool& pool) {
    u64 const extents[] = {4, 6};
    u64 const flat[] = {24};
    TensorShape const shape = TensorShape::of(8_B, extents).value();
    record.number("views: reach", shape.reach().value().value);
    record.error("views: no dimension", TensorShape::of(8_B, {}).error());
    auto const make = [&](TensorShape const& wanted) {
        return TensorView::create(
                   pool.allocate({.kind = TensorClass::scratch, .size = shape.reach().value()})
                       .value(),
                   wanted)
            .value();
    };
    auto const at = [&](TensorView const& view, u64 row, u64 column) {
        u64 const index[] = {row, column};
        return *room_for<u64>(view.at(index).value().data());
    };
    TensorView const view = make(shape);
    for (u64 i = 0; i < shape.elements(); ++i) {
        TensorView const line = view.reshape(flat).value();
        u64 const index[] = {i};
        *room_for<u64>(line.at(index).value().data()) = i;
    }
    record.number("views: element", at(view, 3, 2));
    TensorView const turned = view.transpose(0, 1).value();
    record.number("views: transposed", at(turned, 2, 3));
    record.error("views: reshape of transposed", turned.reshape(flat).error());
    TensorView const part = view.narrow(1, 2, 3).value();
    record.number("views: narrowed", at(part, 1, 0));
    record.number("views: bytes of narrowed", part.bytes().size().value);
    record.error("views: narrow too far", view.narrow(1, 5, 2).error());
    record.number("views: rank of selected", view.select(0, 1).value().shape().rank);
    u64 const outside[] = {4, 0};
    record.error("views: outside", view.at(outside).error());
    u64 const turned_extents[] = {6, 4};
    TensorView const copy = make(TensorShape::of(8_B, turned_extents).value());
    record.result("views: copy", copy.copy_from(turned));
    record.number("views: copied", at(copy, 5, 1));
    record.truth("views: side by side", copy.shape().is_contiguous());
    record.result("views: copy of another shape", copy.copy_from(view));
    record.number("views: shares", view.share().bytes().shares());
}

} // namespace

void pools(Recorder& record, Kernel& kernel) {
    u64 const before = kernel.shared_frames->in_use();
    use_slots(record, kernel);
    record.number("slots: frames kept", kernel.shared_frames->in_use() - before);
    use_scratch(record, kernel);
    use_arena(record, kernel);
    u64 const now = kernel.shared_frames->in_use();
    {
        record.error("tensors: no region", TensorPool::create(*kernel.space, 0_B).error());
        TensorPool pool = TensorPool::create(*kernel.space, 8_MiB).value();
        use_blocks(record, pool);
        use_views(record, pool);
        record.truth("tensors: sound", pool.verify().has_value());
    }
    record.number("tensors: frames kept", kernel.shared_frames->in_use() - now);
    record.truth("pools: space sound", kernel.space->space().check().has_value());
}

} // namespace twofold::scenarios
