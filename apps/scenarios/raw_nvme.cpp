// See raw_nvme.hpp.
#include "apps/scenarios/raw_nvme.hpp"

#include "hal/clock.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <bit>
#include <new>

namespace twofold::scenarios {

namespace {

using nvme::Command;
using nvme::Completion;

constexpr u32 doorbell_stride = 4;

} // namespace

Result<RawNvme*> RawNvme::open(boot::Kernel& kernel, pci::Function const& function) {
    auto const environment = TRY(boot::driver_environment(kernel));
    auto const bar = std::ranges::find_if(function.bars, [](pci::Bar const& each) {
        return each.number == 0 && each.is_memory() && each.address != 0;
    });
    if (bar == function.bars.end()) {
        return Error::not_supported;
    }
    auto* const room = TRY(memory::allocate_room<RawNvme>(*kernel.heap, 1));
    auto* const raw = new (room) RawNvme(kernel, environment, function.where);
    if (auto const begun = raw->begin(*bar); !begun) {
        raw->close();
        return begun.error();
    }
    return raw;
}

Result<void> RawNvme::begin(pci::Bar const& registers) {
    constexpr u16 decode_and_master = 6, no_line = 1u << 10;
    m_view = TRY(m_kernel.space->map_device(
        PhysAddr{registers.address}, registers.size, hal::CacheMode::uncached));
    m_registers = nvme::Registers(m_view, registers.size);
    m_frames = TRY(m_kernel.frames->allocate(
        memory::FrameRequest{.pages = memory_pages, .content = memory::FrameContent::zeroed}));
    m_mapping = TRY(m_dma.map(m_frames, page_size * memory_pages, hal::DmaDirection::both));
    m_space.write_16(
        pci::offset::command, static_cast<u16>(m_command | decode_and_master | no_line));
    m_registers.write_32(nvme::reg::mask_set, ~u32{0});
    return {};
}

void RawNvme::close() {
    if (m_mapping.size != Bytes{}) {
        configure(0);
        static_cast<void>(await_status(nvme::csts::ready, 0)); // it reaches nothing below
    }
    m_space.write_16(pci::offset::command, m_command);
    if (m_mapping.size != Bytes{}) {
        m_dma.unmap(m_mapping);
    }
    if (m_frames != PhysAddr{}) {
        m_kernel.frames->free_pages(m_frames, memory_pages).value(); // of `begin`
    }
    if (m_view != VirtAddr{}) {
        m_kernel.space->unmap_device(m_view).value();
    }
    memory::KernelHeap& heap = *m_kernel.heap;
    this->~RawNvme();
    memory::free_room(heap, this);
}

bool RawNvme::await_status(u32 mask, u32 wanted) const {
    Nanos const end = hal::Clock::now() + patience;
    while ((status() & mask) != wanted) {
        if (hal::Clock::now() >= end) {
            return false;
        }
        sync::relax();
    }
    return true;
}

void RawNvme::place_admin_queues(u64 submissions, u64 completions) const {
    using namespace nvme;
    m_registers.write_32(reg::admin_attributes, (entries - 1u) << 16 | (entries - 1u));
    m_registers.write_64(reg::admin_submission, submissions);
    m_registers.write_64(reg::admin_completion, completions);
}

bool RawNvme::disable() const {
    configure(0);
    return await_status(nvme::csts::ready, 0);
}

bool RawNvme::enable() {
    if (!disable()) {
        return false;
    }
    std::ranges::fill(m_queues, Queue{});
    std::ranges::fill(bytes(0, submissions(queues)), std::byte{});
    place_admin_queues(seen(submissions(0)), seen(completions(0)));
    configure(enabled);
    return await_status(nvme::csts::ready, nvme::csts::ready);
}

bool RawNvme::open_queue(u16 queue) {
    return perform(0, create_completions(queue)) == 0 && perform(0, create_submissions(queue)) == 0;
}

std::span<std::byte> RawNvme::bytes(u64 offset, u64 size) const {
    return std::span(hal::Memory::linear(m_frames), memory_pages * page_size.value)
        .subspan(offset, size);
}

Command RawNvme::admin_command(nvme::AdminOpcode opcode, u32 word10, u32 word11) const {
    return {
        .opcode = static_cast<u8>(opcode),
        .data = {seen(data), 0},
        .word10 = word10,
        .word11 = word11};
}

Command RawNvme::io_command(nvme::Opcode opcode, u64 block, u32 blocks) const {
    return {
        .opcode = static_cast<u8>(opcode),
        .space = 1,
        .data = {seen(data), seen(data) + page_size.value},
        .word10 = static_cast<u32>(block),
        .word11 = static_cast<u32>(block >> 32),
        .word12 = blocks - 1};
}

Command RawNvme::create_completions(u16 queue, u32 size, u32 vector) const {
    return {
        .opcode = static_cast<u8>(nvme::AdminOpcode::create_completion_queue),
        .data = {seen(completions(queue)), 0},
        .word10 = (size - 1) << 16 | queue,
        .word11 = vector << 16 | nvme::queue_contiguous | nvme::queue_interrupts};
}

Command RawNvme::create_submissions(u16 queue, u32 size) const {
    return {
        .opcode = static_cast<u8>(nvme::AdminOpcode::create_submission_queue),
        .data = {seen(submissions(queue)), 0},
        .word10 = (size - 1) << 16 | queue,
        .word11 = u32{queue} << 16 | nvme::queue_contiguous};
}

u16 RawNvme::place(u16 queue, Command command) {
    Queue& q = m_queues[queue];
    command.id = q.next_id++;
    put(submissions(queue) + u64{q.tail} * sizeof(command), command);
    q.tail = static_cast<u16>((q.tail + 1) % entries);
    return command.id;
}

void RawNvme::ring_tail(u16 queue, u32 value) const {
    hal::Memory::device_write_barrier();
    m_registers.write_32(nvme::submission_doorbell(queue, doorbell_stride), value);
}

void RawNvme::ring_head(u16 queue, u32 value) const {
    m_registers.write_32(nvme::completion_doorbell(queue, doorbell_stride), value);
}

u16 RawNvme::submit(u16 queue, Command const& command) {
    u16 const id = place(queue, command);
    ring_tail(queue, tail(queue));
    return id;
}

Completion RawNvme::look(u16 queue) const {
    u64 const at = completions(queue) + u64{head(queue)} * sizeof(Completion);
    std::span const words(room_for<Atomic<u64>>(bytes(at, sizeof(Completion)).data()), 2);
    u64 const last = words[1].load(acquire); // with the phase; the rest was there before it
    return std::bit_cast<Completion>(std::array{words[0].load(relaxed), last});
}

bool RawNvme::is_new(u16 queue) const {
    return (look(queue).status & 1) == m_queues[queue].phase;
}

NvmeAnswer RawNvme::await(u16 queue, bool gives_back) {
    Nanos const end = hal::Clock::now() + patience;
    while (!is_new(queue)) {
        if (hal::Clock::now() >= end) {
            return std::nullopt;
        }
        sync::relax();
    }
    Completion const answer = look(queue);
    Queue& q = m_queues[queue];
    q.head = static_cast<u16>((q.head + 1) % entries);
    q.phase ^= q.head == 0 ? 1 : 0;
    if (gives_back) {
        ring_head(queue, q.head);
    }
    return answer;
}

bool RawNvme::is_silent(u16 queue) const {
    Nanos const end = hal::Clock::now() + silence;
    while (hal::Clock::now() < end) {
        if (is_new(queue)) {
            return false;
        }
        sync::relax();
    }
    return true;
}

u16 RawNvme::perform(u16 queue, Command const& command) {
    u16 const id = submit(queue, command);
    NvmeAnswer const answer = await(queue);
    bool const is_its_own = answer && answer->id == id && answer->submission_queue == queue;
    return is_its_own ? status_of(answer) : no_answer;
}

u16 RawNvme::status_of(NvmeAnswer const& answer) {
    constexpr u16 more = 1u << 13;
    return answer ? static_cast<u16>(answer->status >> 1 & ~more) : no_answer;
}

} // namespace twofold::scenarios
