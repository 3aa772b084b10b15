// See thread_machine.hpp.
#include "tests/core/memory/space/thread_machine.hpp"

#include "hal/layout.hpp"
#include "hal/mmu.hpp"

#include <thread>

namespace twofold::test {

namespace {

thread_local ThreadProcessor* running = nullptr;

using Table = memory::PageTable<>;

/// Tables and pages from 1 MiB on.
constexpr u64 first_frame_address = u64{1} << 20;

} // namespace

Result<PhysAddr> CountedSource::allocate(unsigned order) {
    u64 const one_in = m_refused_one_in.load();
    if (one_in != 0 && m_calls.fetch_add(1) % one_in == one_in - 1) {
        return Error::out_of_memory;
    }
    PhysAddr const block = TRY(m_frames.allocate(order));
    m_out += u64{1} << order;
    return block;
}

Result<void> CountedSource::free(PhysAddr frame, unsigned order) {
    CHECK(order == 0);
    m_returns[frame.value / page_size.value].fetch_add(1, std::memory_order_release);
    m_out -= 1;
    return m_frames.free(frame, 0);
}

ThreadMachine::ThreadMachine(u32 processors, Bytes memory_size)
    : m_processors(processors),
      m_memory(memory_size),
      m_counts(memory_size.value / page_size.value) {
    CHECK(processors <= processors_max);
    Processor const here(0, processors, m_memory.bytes());
    std::array const free{hal::MemoryRange{
        {first_frame_address}, memory_size - Bytes{first_frame_address}, hal::MemoryKind::usable}};
    memory::BuddyFrames& frames =
        *memory::BuddyFrames::create({.free = free, .cpus = processors}).value();
    m_source.emplace(frames, memory_size.value / page_size.value);
    m_shared.emplace(memory::FrameSupply(*m_source), m_counts);
    m_shared->use_remote_flush(&m_flush);
    m_kernel_root = frames.allocate({.content = memory::FrameContent::zeroed}).value();
}

void ThreadMachine::tell_others(void* object, VirtAddr first, Bytes size) {
    auto& machine = *static_cast<ThreadMachine*>(object);
    struct Request {
        VirtAddr first;
        Bytes size;
    } request{first, size};
    std::array<sync::Call, processors_max> calls;
    for (u32 id = 0; id < machine.m_processors; ++id) {
        ThreadProcessor* const other = machine.m_running[id].load(std::memory_order_acquire);
        if (other == nullptr || other == running) {
            continue;
        }
        calls[id].set(
            [](void* argument) {
                auto const& asked = *static_cast<Request*>(argument);
                running->flush(asked.first, asked.size);
            },
            &request);
        other->m_state->urgent.add(calls[id]);
    }
    for (sync::Call const& call : calls) {
        while (call.is_pending()) {
            sync::relax();
            std::this_thread::yield();
        }
    }
}

ThreadProcessor::ThreadProcessor(ThreadMachine& machine, u32 id)
    : m_machine(machine),
      m_processor(id, machine.processors(), machine.memory()),
      m_id(id),
      m_root(machine.kernel_root()),
      m_state(sync::cpu_state()) {
    running = this;
    m_state->serve = [](sync::CpuState& state) { state.urgent.run(); };
    machine.m_running[id].store(this, std::memory_order_release);
}

/// The other threads have come to their ends too, or wait there: see the tests.
ThreadProcessor::~ThreadProcessor() {
    m_machine.m_running[m_id].store(nullptr, std::memory_order_release);
    running = nullptr;
}

ThreadProcessor* ThreadProcessor::current() {
    return running;
}

void ThreadProcessor::activate(PhysAddr root) {
    m_root = root;
    m_cached.clear();
}

void ThreadProcessor::flush(VirtAddr first, Bytes size) {
    u64 const last = first.value + (size.value - 1);
    std::erase_if(m_cached, [&](auto const& each) {
        return each.first + (page_size.value - 1) >= first.value && each.first <= last;
    });
}

/// What a walk of the tables finds is cached, as far as it permits the access.
ThreadProcessor::Cached const* ThreadProcessor::look_up(VirtAddr page, bool write) {
    auto const cached = m_cached.find(page.value);
    if (cached != m_cached.end() && (cached->second.writable || !write)) {
        return &cached->second;
    }
    PhysAddr at = m_root;
    for (unsigned level = hal::Mmu::levels; level-- > 0;) {
        auto const entries =
            std::span(memory::frame_object<memory::TableEntry>(at), usize{hal::Mmu::entries});
        u64 const entry = entries[hal::Mmu::index(page, level)].load(acquire);
        if (!hal::Mmu::is_present(entry)) {
            return nullptr;
        }
        if (!hal::Mmu::is_leaf(entry, level)) {
            at = hal::Mmu::decode_table(entry);
            continue;
        }
        auto const leaf = hal::Mmu::decode_leaf(entry, level);
        bool const writable = hal::includes(leaf.access, hal::Access::write);
        if (write && !writable) {
            return nullptr;
        }
        PhysAddr const frame = leaf.frame + Bytes{page.value % Table::span(level).value};
        return &(m_cached[page.value] = {frame, writable, m_machine.source().returns_of(frame)});
    }
    return nullptr;
}

Result<Atomic<u64>*>
ThreadProcessor::reach(memory::AddressSpace& space, VirtAddr address, bool write) {
    CHECK(m_root == space.root());
    while (true) {
        Cached const* const found = look_up(align_down(address, page_size), write);
        if (found == nullptr) {
            TRY(space.resolve(address, {.write = write}));
            continue;
        }
        if (m_machine.source().returns_of(found->frame) != found->returns) {
            m_machine.count_stale();
        }
        return memory::frame_object<Atomic<u64>>(
            found->frame + Bytes{address.value % page_size.value});
    }
}

Result<u64> ThreadProcessor::read(memory::AddressSpace& space, VirtAddr address) {
    return TRY(reach(space, address, false))->load(relaxed);
}

Result<void> ThreadProcessor::write(memory::AddressSpace& space, VirtAddr address, u64 value) {
    TRY(reach(space, address, true))->store(value, relaxed);
    return {};
}

} // namespace twofold::test

namespace hal {

using twofold::test::ThreadProcessor;

PhysAddr Mmu::root() {
    return ThreadProcessor::current() != nullptr ? ThreadProcessor::current()->root() : PhysAddr{};
}
void Mmu::activate(PhysAddr root) {
    ThreadProcessor::current()->activate(root);
}
void Mmu::flush(VirtAddr address, Bytes size) {
    ThreadProcessor::current()->flush(address, size);
}
void* Mmu::view(PhysAddr root, VirtAddr address) {
    PhysAddr at = root;
    for (unsigned level = levels; level-- > 0;) {
        auto const tables = std::span(
            twofold::memory::frame_object<twofold::memory::TableEntry>(at), usize{entries});
        u64 const entry = tables[index(address, level)].load(twofold::acquire);
        if (!is_present(entry)) {
            return nullptr;
        }
        if (is_leaf(entry, level)) {
            u64 const offset = address.value % (page_size.value << (9 * level));
            return Memory::linear(decode_leaf(entry, level).frame + Bytes{offset});
        }
        at = decode_table(entry);
    }
    return nullptr;
}

KernelLayout Layout::current() {
    constexpr u64 gib = u64{1} << 30;
    return {
        {{0xffff'8000'0000'0000}, {gib}},
        {{0x4444'4444'0000}, {gib}},
        {{0xffff'a000'0000'0000}, {gib}},
        {{0xffff'b000'0000'0000}, {gib}}};
}

} // namespace hal
