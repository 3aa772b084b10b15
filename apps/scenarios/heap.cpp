// The first light of a heap, Box(42) and Vector.push(1); then every operation of the heap, of the
// containers and of the baselines, in memory of the kernel's own.
#include "apps/scenarios/scenarios.hpp"
#include "hal/memory.hpp"

namespace twofold::scenarios {

namespace {

using twofold::boot::Recorder;
using namespace twofold::memory;
using namespace twofold::literals;

constexpr Bytes arena_size = 1_MiB;

/// Frames of the linear window as the backing of a heap. At most `limit` bytes at once.
class FrameBacking {
public:
    explicit FrameBacking(std::span<std::byte> frames) : m_frames(frames) {}

    HeapRange range() const { return {m_frames.data(), {m_frames.size()}}; }
    Result<void> commit(Bytes offset, Bytes size) {
        if (committed + size > limit) {
            return Error::out_of_memory;
        }
        committed += size;
        std::ranges::fill(m_frames.subspan(offset.value, size.value), std::byte{0});
        return {};
    }
    void decommit(Bytes, Bytes size) { committed = committed - size; }

    Bytes committed{};
    Bytes limit = arena_size;

private:
    std::span<std::byte> m_frames;
};

/// Two processors that one context plays.
struct TwoProcessors {
    static constexpr usize caches_max = 2;
    struct Scope {
        explicit Scope(TwoProcessors&) {}
    };
    void* slot() const { return slots[running]; }
    void set_slot(void* cache) { slots[running] = cache; }
    void lock() { CHECK(!std::exchange(locked, true)); }
    void unlock() { CHECK(std::exchange(locked, false)); }

    void* slots[caches_max] = {};
    usize running = 0;
    bool locked = false;
};

using ScenarioHeap = Heap<FrameBacking, TwoProcessors>;

class Steps {
public:
    Steps(Recorder& record, std::string_view title) : m_record(record), m_title(title) {}

    template<class T>
    void result(std::string_view what, Result<T> const& outcome) {
        m_record.result(name(what), outcome);
    }
    /// Where a block lies must not show; that there is one, or why not, does.
    void block(std::string_view what, Result<std::byte*> const& outcome) {
        m_record.result(name(what), outcome ? Result<void>() : Result<void>(outcome.error()));
    }
    void size(std::string_view what, Result<Bytes> const& outcome) {
        m_record.result(
            name(what),
            outcome ? Result<u64>(outcome.value().value) : Result<u64>(outcome.error()));
    }
    void number(std::string_view what, u64 value) { m_record.number(name(what), value); }

private:
    std::string_view name(std::string_view what) {
        return format_to(std::span(m_name), "{}: {}", m_title, what).text;
    }

    Recorder& m_record;
    std::string_view m_title;
    char m_name[96];
};

/// What every allocator answers.
template<Allocator A>
void record_allocator(Recorder& record, std::string_view title, A& allocator) {
    Steps step(record, title);
    step.block("size 0", allocator.allocate({0}, {16}));
    step.block("alignment 24", allocator.allocate({8}, {24}));
    step.block("huge", allocator.allocate({~u64{0}}, {16}));
    step.block("more than there is", allocator.allocate({u64{1} << 40}, {16}));
    std::byte* const small = allocator.allocate({100}, {16}).value();
    std::byte* const page = allocator.allocate({100}, {4096}).value();
    step.number("aligned", heap::address_of(page) % 4096);
    step.size("usable", allocator.usable_size(small));
    std::span(small, 100)[99] = std::byte{77};
    step.block("resize to 0", allocator.resize(small, {0}, {16}));
    std::byte* const moved = allocator.resize(small, {3000}, {16}).value();
    step.number("content after resize", static_cast<u64>(std::span(moved, 3000)[99]));
    step.size("usable after resize", allocator.usable_size(moved));
    step.number("reserved", allocator.statistics().reserved.value);
    step.number("requested ever", allocator.statistics().requested_ever.value);
    std::byte outside{};
    step.result("free of a foreign pointer", allocator.free(&outside));
    step.result("free of an interior pointer", allocator.free(&std::span(moved, 3000)[64]));
    step.result("free", allocator.free(moved));
    step.result("free again", allocator.free(moved));
    step.result("free of the aligned block", allocator.free(page));
    step.number("reserved at the end", allocator.statistics().reserved.value);
    step.result("verify", allocator.verify());
}

/// The debugging layer's environment: what it finds is recorded.
struct Finder {
    static constexpr bool free_blocks_stay_untouched = false;
    struct Scope {
        explicit Scope(Finder&) {}
    };
    explicit Finder(Corruption& corruption) : last(corruption) {}
    CallStack call_stack() const { return {}; }
    void before_allocation(Bytes) const {}
    void report(Corruption const& found) const { last = found; }
    Corruption& last;
};

/// A write that nobody but the layer sees.
void stray_write(std::byte* at) {
    unpoison(at, 1);
    *at ^= std::byte{1};
}

void record_debugging(Recorder& record, ListHeap& below) {
    using Layer = DebugAllocator<ListHeap, Finder>;
    Corruption last;
    Layer& layer = *Layer::create(below, last).value();
    record_allocator(record, "debugging layer", layer);
    Steps step(record, "damage");
    auto const found = [&](std::string_view what) {
        record.text(what, corruption_name(std::exchange(last, {}).kind));
    };
    std::byte* const block = layer.allocate({50}, {16}).value();
    step.number("fresh memory", static_cast<u64>(*heap::byte_at(block, 49)));
    stray_write(heap::byte_at(block, 50));
    step.result("free of an overflowed block", layer.free(block));
    found("damage: behind");
    stray_write(heap::byte_at(block, 50)); // as it was
    stray_write(heap::byte_at(block, 0 - u64{7}));
    step.result("verify of an underflowed block", layer.verify());
    found("damage: before");
    stray_write(heap::byte_at(block, 0 - u64{7}));
    step.number("blocks in use", layer.live_blocks());
    step.number("bytes in use", layer.live_bytes().value);
    layer.for_each_site([&](auto const& site) { step.number("blocks of the site", site.blocks); });
    step.result("end with a block in use", Layer::destroy(layer));
    step.result("free", layer.free(block));
    stray_write(heap::byte_at(block, 20));
    step.result("verify after a write after free", layer.verify());
    found("damage: after free");
    layer.trim();
    found("damage: at the end of the quarantine");
    step.result("end", Layer::destroy(layer));
    step.number("reserved below", below.statistics().reserved.value);
}

void record_containers(Recorder& record, ScenarioHeap& heap) {
    Steps step(record, "containers");
    {
        auto const box = Box<u64, ScenarioHeap>::create(heap, u64{42});
        step.number("Box(42)", box ? *box.value() : 0);
        Vector<u64, ScenarioHeap> numbers(heap);
        step.result("Vector.push(1)", numbers.push(1));
        for (u64 i = 2; i <= 1000; ++i) {
            numbers.push(numbers.back() + i).value();
        }
        step.number("last of a thousand", numbers.back());
        step.number("popped", numbers.pop());
        step.number("size", numbers.size());
        step.result("room for more than there is", numbers.reserve(u64{1} << 40));
        auto text = String<ScenarioHeap>::create(heap, "two").value();
        step.result("append", text.append("fold"));
        record.text("containers: text", text);
        step.number("reserved", heap.statistics().reserved.value);
    }
    step.number("reserved at the end", heap.statistics().reserved.value);
}

void record_processors(Recorder& record, ScenarioHeap& heap, TwoProcessors& processors) {
    Steps step(record, "processors");
    std::byte* blocks[64];
    for (std::byte*& block : blocks) {
        block = heap.allocate({200}).value();
    }
    processors.running = 1;
    u64 freed = 0;
    for (std::byte* const block : blocks) {
        freed += heap.free(block).has_value() ? 1 : 0;
    }
    step.number("freed by another", freed);
    step.result("freed by another again", heap.free(blocks[63]));
    step.number("cached", heap.statistics().cached.value);
    heap.detach();
    processors.running = 0;
    heap.trim();
    step.number("cached after trim", heap.statistics().cached.value);
    step.result("freed before trim", heap.free(blocks[0]));
    step.result("verify", heap.verify());
}

void record_exhaustion(Recorder& record, ScenarioHeap& heap, FrameBacking& backing) {
    Steps step(record, "exhaustion");
    backing.limit = backing.committed + 64_KiB;
    std::byte* last = nullptr;
    u64 count = 0;
    Result<std::byte*> block = heap.allocate({1500}, {16});
    while (block) { // each block holds the address of the one before
        std::ranges::copy(std::as_bytes(std::span(&last, 1)), block.value());
        last = block.value();
        ++count;
        block = heap.allocate({1500}, {16});
    }
    step.block("refused", block);
    step.number("blocks of 1500 bytes in 64 KiB", count);
    while (last != nullptr) {
        std::byte* const here = last;
        std::ranges::copy(
            std::span(here, sizeof(last)), std::as_writable_bytes(std::span(&last, 1)).data());
        heap.free(here).value();
    }
    step.block("and given again", heap.allocate({1500}, {16}));
    step.result("verify", heap.verify());
}

} // namespace

void heap(Recorder& record, twofold::boot::Kernel& kernel) {
    u64 const pages = arena_size / page_size;
    PhysAddr const frames = kernel.frames->allocate({.pages = pages}).value();
    std::span<std::byte> const arena(hal::Memory::linear(frames), arena_size.value);
    {
        BumpHeap bump(arena);
        record_allocator(record, "bump heap", bump);
        ListHeap list(arena);
        record_allocator(record, "list heap", list);
        record_debugging(record, list);
    }
    TwoProcessors processors;
    FrameBacking tiny(arena.first(64 << 10));
    record.error("heap: too small a range", ScenarioHeap::create(tiny, processors).error());
    FrameBacking backing(arena);
    ScenarioHeap& made = *ScenarioHeap::create(backing, processors).value();
    record_containers(record, made);
    record_allocator(record, "heap", made);
    record_processors(record, made, processors);
    record_exhaustion(record, made, backing);
    kernel.frames->free_pages(frames, pages).value();
}

} // namespace twofold::scenarios
