// The beginning and the end of a pair of queues (queue_pair.hpp): its frames and its slots.
#include "core/device/nvme/queue_pair.hpp"

#include "hal/memory.hpp"

#include <algorithm>
#include <bit>
#include <new>

namespace twofold::nvme {

namespace {

constexpr Bytes whole_pages(Bytes size) {
    return align_up(size, page_size);
}

/// Of a slot's list: for PRPs of so many pages, or an SGL. Lists lie in pages one behind the other,
/// and none crosses the end of one.
constexpr Bytes list_bytes(u32 pages_max) {
    constexpr u64 sgl_bytes = QueuePair::segments_max * sizeof(SglDescriptor);
    u64 const prp_bytes = std::bit_ceil(u64{pages_max} * sizeof(u64));
    return {std::max(sgl_bytes, prp_bytes)};
}
static_assert(page_size.value % (QueuePair::segments_max * sizeof(SglDescriptor)) == 0);

} // namespace

QueuePair::QueuePair(
    device::DriverEnvironment const& environment,
    device::DmaSpace& dma,
    Registers const& registers,
    QueuePlan const& plan)
    : m_environment(environment),
      m_dma(dma),
      m_registers(registers),
      m_plan(plan),
      m_tail_doorbell(submission_doorbell(plan.number, plan.doorbell_stride)),
      m_head_doorbell(completion_doorbell(plan.number, plan.doorbell_stride)),
      m_time_out(ticks(plan.time_out)),
      m_abort_time(ticks(plan.abort_time)),
      m_data(dma),
      m_timer(watch, this) {}

Result<QueuePair*> QueuePair::open(
    device::DriverEnvironment const& environment,
    device::DmaSpace& dma,
    Registers const& registers,
    QueuePlan const& plan) {
    CHECK(plan.entries >= entries_min && plan.entries <= entries_max);
    CHECK(plan.pages_max != 0 && plan.pages_max <= page_size.value / sizeof(u64));
    auto* const room = TRY(memory::allocate_room<QueuePair>(environment.heap, 1));
    auto* const queue = new (room) QueuePair(environment, dma, registers, plan);
    if (auto const taken = queue->take_memory(); !taken) {
        queue->close();
        return taken.error();
    }
    queue->make_slots();
    return queue;
}

Result<void> QueuePair::take_memory() {
    u16 const slots = static_cast<u16>(m_plan.entries - 1);
    Bytes const submissions = whole_pages({u64{m_plan.entries} * sizeof(Command)});
    Bytes const completions = whole_pages({u64{m_plan.entries} * sizeof(Completion)});
    m_memory.list_bytes = list_bytes(m_plan.pages_max);
    Bytes const lists = whole_pages(m_memory.list_bytes * slots);
    u64 const pages = (submissions + completions + lists) / page_size;
    m_memory.frames = TRY(
        m_environment.frames.allocate({.pages = pages, .content = memory::FrameContent::zeroed}));
    m_memory.pages = pages;
    PhysAddr at = m_memory.frames;
    m_memory.submissions = TRY(m_dma.map(at, submissions, hal::DmaDirection::to_device));
    m_submissions = {room_for<Command>(hal::Memory::linear(at)), m_plan.entries};
    at += submissions;
    m_memory.completions = TRY(m_dma.map(at, completions, hal::DmaDirection::from_device));
    m_completions = {room_for<Atomic<u64>>(hal::Memory::linear(at)), usize{m_plan.entries} * 2};
    at += completions;
    m_memory.lists = TRY(m_dma.map(at, lists, hal::DmaDirection::to_device));
    m_lists = {room_for<u64>(hal::Memory::linear(at)), lists.value / sizeof(u64)};
    m_pieces = {
        TRY(memory::allocate_room<Piece>(m_environment.heap, u64{slots} * segments_max)),
        usize{slots} * segments_max};
    std::uninitialized_value_construct(m_pieces.begin(), m_pieces.end());
    m_slots = {TRY(memory::allocate_room<Slot>(m_environment.heap, slots)), slots};
    std::uninitialized_value_construct(m_slots.begin(), m_slots.end());
    return {};
}

/// All of them free, the first one in front.
void QueuePair::make_slots() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    for (usize index = m_slots.size(); index-- > 0;) {
        m_slots[index].id = static_cast<u16>(index);
        m_slots[index].next = m_free_first;
        m_free_first = static_cast<u16>(index);
    }
}

void QueuePair::close() {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        CHECK(m_in_flight == 0 && m_waiting.empty() && m_failed.empty());
        m_gate = Gate::dead;
    }
    processor::TimerQueue::cancel_and_wait(m_timer);
    for (auto const* const mapping :
         {&m_memory.submissions, &m_memory.completions, &m_memory.lists}) {
        if (mapping->size != Bytes{}) {
            m_dma.unmap(*mapping);
        }
    }
    device::DriverEnvironment const environment = m_environment;
    if (m_memory.pages != 0) {
        environment.frames.free_pages(m_memory.frames, m_memory.pages).value(); // of take_memory
    }
    if (!m_pieces.empty()) {
        memory::free_room(environment.heap, m_pieces.data());
    }
    if (!m_slots.empty()) {
        memory::free_room(environment.heap, m_slots.data());
    }
    this->~QueuePair();
    memory::free_room(environment.heap, this);
}

} // namespace twofold::nvme
