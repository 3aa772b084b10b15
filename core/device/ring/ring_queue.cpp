// See ring_queue.hpp.
#include "core/device/ring/ring_queue.hpp"

#include "core/device/pci/messages.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

namespace twofold::device {

namespace {

constexpr u32 slot_bits = 8;
constexpr u32 slot_mask = (u32{1} << slot_bits) - 1;
constexpr u64 ring_pages = 2;
static_assert(RingQueue::entries <= slot_mask + 1);
static_assert(RingQueue::entries * sizeof(RingSubmission) <= page_size.value);
static_assert(RingQueue::entries * sizeof(RingCompletion) <= page_size.value);

constexpr u16 decode = 2, master = 4; // of a function's command register

void set_command(pci::FunctionSpace const& space, u16 cleared, u16 set) {
    u32 const before = space.read_16(pci::offset::command);
    space.write_16(pci::offset::command, static_cast<u16>((before & ~u32{cleared}) | set));
}

Result<u64> outcome_of(RingCompletion const& completion) {
    switch (completion.status) {
    case RingStatus::done:
        return completion.value;
    case RingStatus::invalid:
        return Error::invalid_argument;
    case RingStatus::memory:
        break;
    }
    return Error::io_failed;
}

} // namespace

RingQueue::RingQueue(
    DriverEnvironment const& environment, pci::Address function, VirtAddr registers, PhysAddr rings)
    : m_environment(environment),
      m_space(environment.configuration, function),
      m_registers(registers),
      m_rings(rings),
      m_dma(function) {}

Result<RingQueue*> RingQueue::open(
    DriverEnvironment const& environment,
    pci::Function const& function,
    u32 signature,
    std::string_view name) {
    auto const bar = std::ranges::find_if(
        function.bars, [](pci::Bar const& each) { return each.number == 0 && each.is_memory(); });
    if (bar == function.bars.end() || !function.msi || bar->size < page_size) {
        return Error::not_supported;
    }
    set_command(pci::FunctionSpace(environment.configuration, function.where), 0, decode);
    VirtAddr const registers = TRY(
        environment.space.map_device(PhysAddr{bar->address}, bar->size, hal::CacheMode::uncached));
    if (hal::Io::read_32(registers + ring_register::signature) != signature ||
        hal::Io::read_32(registers + ring_register::version) != ring_version) {
        TRY(environment.space.unmap_device(registers));
        return Error::not_supported;
    }
    auto const queue = make(environment, function.where, registers);
    if (!queue) {
        TRY(environment.space.unmap_device(registers));
        return queue.error();
    }
    if (auto const begun = queue.value()->begin(function, name); !begun) {
        queue.value()->close();
        return begun.error();
    }
    return queue.value();
}

/// A queue that has nothing yet but its memory.
Result<RingQueue*>
RingQueue::make(DriverEnvironment const& environment, pci::Address function, VirtAddr registers) {
    PhysAddr const rings = TRY(environment.frames.allocate(
        {.pages = ring_pages, .content = memory::FrameContent::zeroed}));
    auto const room = memory::allocate_room<RingQueue>(environment.heap, 1);
    if (!room) {
        TRY(environment.frames.free_pages(rings, ring_pages));
        return room.error();
    }
    return new (room.value()) RingQueue(environment, function, registers, rings);
}

Result<void> RingQueue::begin(pci::Function const& function, std::string_view name) {
    TRY(make_slots());
    TRY(map_rings());
    TRY(bind(function, name));
    set_command(m_space, 0, master);
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return start() ? Result<void>() : Error::io_failed;
}

Result<void> RingQueue::map_rings() {
    m_submissions = TRY(m_dma.map(m_rings, page_size, hal::DmaDirection::to_device));
    m_completions = TRY(m_dma.map(m_rings + page_size, page_size, hal::DmaDirection::from_device));
    return {};
}

/// The device has let go of the request's buffer, or was stopped.
void RingQueue::unmap(RingRequest& request) {
    if (request.bytes != Bytes{}) {
        m_dma.unmap(request.m_mapping);
    }
}

/// The device reaches no memory any more, whatever it does.
void RingQueue::stop_mastering() {
    if (m_msi) {
        m_msi->set_messages(pci::Switch::off);
    }
    set_command(m_space, master, 0);
}

void RingQueue::close() {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        CHECK(m_waiting.empty());
        hal::Io::write_32(m_registers + ring_register::control, 0);
        m_is_dead = true; // no timer or interrupt that is on its way restarts it
        for (Slot& slot : m_slots) {
            slot.state = State::free;
            if (slot.request != nullptr) {
                unmap(*std::exchange(slot.request, nullptr));
            }
        }
    }
    stop_mastering();
    for (Slot& slot : m_slots) {
        processor::TimerQueue::cancel_and_wait(slot.timer);
    }
    if (m_vector) {
        m_environment.interrupts.unbind(*m_vector).value(); // it is bound
    }
    for (auto const& mapping : {m_submissions, m_completions}) {
        if (mapping) {
            m_dma.unmap(*mapping);
        }
    }
    DriverEnvironment const environment = m_environment;
    std::destroy(m_slots.begin(), m_slots.end());
    if (!m_slots.empty()) {
        memory::free_room(environment.heap, m_slots.data());
    }
    environment.space.unmap_device(m_registers).value(); // each was taken by `open`
    environment.frames.free_pages(m_rings, ring_pages).value();
    this->~RingQueue();
    memory::free_room(environment.heap, this);
}

Result<void> RingQueue::make_slots() {
    Slot* const room = TRY(memory::allocate_room<Slot>(m_environment.heap, entries));
    m_slots = {room, entries};
    u32 number = 0;
    for (Slot& slot : m_slots) {
        std::construct_at(&slot, *this, number++);
    }
    return {};
}

Result<void> RingQueue::bind(pci::Function const& function, std::string_view name) {
    auto const bound = TRY(m_environment.interrupts.bind_message(
        CpuId{0},
        {.handler = take_interrupt, .argument = this, .name = name, .second_half = work}));
    m_vector = bound.vector;
    pci::Msi& msi = m_msi.emplace(m_space, *function.msi);
    msi.set_messages(pci::Switch::off);
    TRY(msi.set_message({bound.message.address.value, bound.message.data}, 1));
    msi.set_messages(pci::Switch::on);
    return {};
}

/// Empties the rings and starts the device, which forgets what it had. Whether it runs.
bool RingQueue::start() {
    hal::Io::write_32(m_registers + ring_register::control, 0);
    std::memset(hal::Memory::linear(m_rings), 0, ring_pages * page_size.value);
    m_submitted = 0;
    m_taken = 0;
    hal::Memory::device_write_barrier();
    hal::Io::write_64(m_registers + ring_register::submissions, m_submissions->address.value);
    hal::Io::write_64(m_registers + ring_register::completions, m_completions->address.value);
    hal::Io::write_32(m_registers + ring_register::entries, entries);
    hal::Io::write_32(m_registers + ring_register::control, ring_run);
    m_is_dead = read_32(ring_register::state) != ring_state_running;
    return !m_is_dead;
}

RingQueue::Slot* RingQueue::free_slot() {
    for (Slot& slot : m_slots) {
        if (slot.state == State::free) {
            return &slot;
        }
    }
    return nullptr;
}

Result<void> RingQueue::submit(RingRequest& request) {
    CHECK(request.done != nullptr);
    if (request.bytes != Bytes{}) {
        request.m_mapping = TRY(m_dma.map(request.buffer, request.bytes, request.direction));
    }
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    Slot* const slot = m_waiting.empty() && !m_is_suspended ? free_slot() : nullptr;
    if (slot == nullptr) {
        m_waiting.push_back(request);
        return {};
    }
    slot->request = &request;
    place(*slot);
    return {};
}

/// The slot's time begins, and the device gets its request; where that is dead, the time is over.
void RingQueue::place(Slot& slot) {
    slot.state = m_is_dead ? State::overdue : State::in_flight;
    Nanos const time_out = m_is_dead ? Nanos{1} : slot.request->time_out;
    if (time_out != Nanos{}) {
        processor::start_timer(slot.timer, hal::Clock::now() + time_out).value();
    }
    if (!m_is_dead) {
        hand_over(slot);
    }
}

void RingQueue::hand_over(Slot const& slot) {
    RingRequest const& request = *slot.request;
    RingSubmission const entry{
        .operation = request.operation,
        .token = slot.token,
        .target = request.target,
        .count = request.count,
        .buffer = request.m_mapping.address.value};
    PhysAddr const at = m_rings + Bytes{(m_submitted & (entries - 1)) * sizeof(entry)};
    std::memcpy(hal::Memory::linear(at), &entry, sizeof(entry));
    hal::Memory::device_write_barrier();
    ++m_counts.submitted;
    hal::Io::write_32(m_registers + ring_register::submitted, ++m_submitted);
}

processor::Handling RingQueue::take_interrupt(void*, hal::Interruption const&) {
    return processor::Handling::wake;
}

void RingQueue::take_timer(void* slot) {
    Slot& self = *static_cast<Slot*>(slot);
    RingQueue& queue = self.owner;
    {
        sync::SpinLockGuard const guard(queue.m_lock, sync::save_interrupts);
        if (self.state == State::in_flight) {
            self.state = State::overdue;
        }
    }
    processor::request_work(processor::this_cpu(), *queue.m_vector);
}

void RingQueue::work(void* self) {
    auto& queue = *static_cast<RingQueue*>(self);
    queue.drain();
    queue.restart_if_overdue();
}

/// The slot of the next completion that somebody waits for; null: there is none.
RingQueue::Slot* RingQueue::take_completion(Result<u64>& outcome) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    u32 const taken_before = m_taken;
    Slot* found = nullptr;
    while (found == nullptr && !m_is_dead) {
        RingCompletion next;
        PhysAddr const at = m_rings + page_size + Bytes{(m_taken & (entries - 1)) * sizeof(next)};
        std::memcpy(&next, hal::Memory::linear(at), sizeof(next));
        hal::Memory::device_read_barrier();
        if (next.phase != ((m_taken & entries) == 0 ? 1 : 0)) {
            break;
        }
        // The rest was there when the phase was.
        std::memcpy(&next, hal::Memory::linear(at), sizeof(next));
        ++m_taken;
        u32 const number = next.token & slot_mask;
        bool const is_known =
            number < entries && m_slots[number].token == next.token &&
            (m_slots[number].state == State::in_flight || m_slots[number].state == State::overdue);
        if (is_known) {
            found = &m_slots[number];
            found->state = State::finishing;
            outcome = outcome_of(next);
            ++m_counts.completed;
        } else {
            ++m_counts.unexpected;
        }
    }
    if (m_taken != taken_before) {
        hal::Io::write_32(m_registers + ring_register::taken, m_taken);
    }
    return found;
}

void RingQueue::drain() {
    Result<u64> outcome = Error::io_failed;
    for (Slot* slot = take_completion(outcome); slot != nullptr; slot = take_completion(outcome)) {
        finish(*slot, std::move(outcome));
    }
}

void RingQueue::restart_if_overdue() {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        bool const is_overdue = std::ranges::any_of(
            m_slots, [](Slot const& slot) { return slot.state == State::overdue; });
        if (!is_overdue) {
            return;
        }
        restart();
    }
    while (give_back_one(Error::timed_out)) {
    }
}

/// Gives back one of those that the device has forgotten. False: there is none.
bool RingQueue::give_back_one(Error error) {
    Slot* found = nullptr;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        auto const slot = std::ranges::find(m_slots, State::abandoned, &Slot::state);
        if (slot == m_slots.end()) {
            return false;
        }
        found = &*slot;
        found->state = State::finishing;
        error = m_is_dead ? Error::io_failed : error;
    }
    finish(*found, error);
    return true;
}

/// Stops the device, so that it touches nothing any more, and submits again what is not overdue.
void RingQueue::restart() {
    bool is_stopped = m_is_ended;
    if (!m_is_ended) {
        static_cast<void>(start()); // where that fails all is given back
        is_stopped = true;
    }
    ++m_counts.restarts;
    for (Slot& slot : m_slots) {
        if (slot.state == State::overdue || (m_is_dead && slot.state == State::in_flight)) {
            slot.state = State::abandoned;
            ++m_counts.timed_out;
        } else if (slot.state == State::in_flight && is_stopped) {
            hand_over(slot);
        }
    }
}

/// Gives a slot's request back, and the slot to who waits.
void RingQueue::finish(Slot& slot, Result<u64> outcome) {
    processor::TimerQueue::cancel_and_wait(slot.timer);
    RingRequest& request = *slot.request;
    unmap(request);
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        slot.token += slot_mask + 1;
        slot.request = nullptr;
        slot.state = State::free;
        place_waiting();
    }
    request.done(request, std::move(outcome));
}

/// Those that wait get the slots that are free.
void RingQueue::place_waiting() {
    while (!m_waiting.empty() && !m_is_suspended) {
        Slot* const slot = free_slot();
        if (slot == nullptr) {
            return;
        }
        slot->request = &m_waiting.pop_front();
        place(*slot);
    }
}

RingCounts RingQueue::counts() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_counts;
}

} // namespace twofold::device
