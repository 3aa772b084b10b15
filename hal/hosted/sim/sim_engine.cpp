// See sim_engine.hpp.
#include "hal/hosted/sim/sim_engine.hpp"

#include "hal/hosted/gs_base.hpp"
#include "hal/hosted/machine.hpp"
#include "hal/hosted/signal_context.hpp"
#include "hal/hosted/sim/device_fault_kinds.hpp"

#include <fmt/format.h>
#include <isa/extended_state.hpp>

#include <algorithm>
#include <poll.h>
#include <utility>

namespace hosted {

namespace {

/// So far a processor may be ahead of the one that is furthest behind.
constexpr i64 lead_ns = 2'000;
/// The longest that one runs before the next choice.
constexpr u32 turn_bits_max = 12;
/// How long a processor that is started may take to answer.
constexpr i64 answer_ns_max = 1'000'000'000;

/// What the answers to a kernel's request take.
std::optional<SimOperation> operation_of(Request request) {
    switch (request) {
    case Request::console_write:
    case Request::console_read:
    case Request::result_write:
    case Request::entropy:
        return SimOperation::console;
    case Request::mmu_activate:
    case Request::mmu_flush:
        return SimOperation::translation;
    case Request::pci_read:
    case Request::pci_write:
    case Request::device_write:
    case Request::line_route:
    case Request::line_mask:
    case Request::line_end:
        return SimOperation::device;
    case Request::notify:
        return SimOperation::message;
    default:
        return std::nullopt;
    }
}

} // namespace

std::expected<std::unique_ptr<Machine>, std::string> create_simulated(
    MachineConfig config, ConsoleEndpoint& console, SimConfig const& sim, SimEngine const** made) {
    auto board = Board::create(std::move(config), console);
    if (!board) {
        return std::unexpected(board.error());
    }
    auto engine = SimEngine::create(**board, sim);
    if (!engine) {
        return std::unexpected(engine.error());
    }
    if (made != nullptr) {
        *made = engine->get();
    }
    return Machine::create(std::move(*board), std::move(*engine));
}

std::expected<std::unique_ptr<SimEngine>, std::string>
SimEngine::create(Board& board, SimConfig config) {
    auto signal_stack = SignalStack::create();
    if (!signal_stack) {
        return std::unexpected(signal_stack.error());
    }
    std::unique_ptr<SimEngine> engine(new SimEngine(board, config, std::move(*signal_stack)));
    board.connect(*engine);
    return engine;
}

SimEngine::SimEngine(Board& board, SimConfig config, std::unique_ptr<SignalStack> signal_stack)
    : m_board(board),
      m_config(config),
      m_signal_stack(std::move(signal_stack)),
      m_random(config.seed),
      m_entropy(SplitMix64(config.seed).next()) {
    for (auto const& processor : board.processors()) {
        m_slots.push_back({.processor = processor.get()});
    }
}

void SimEngine::power_on() {
    forget_end();
    m_events.clear();
    m_next_event = 0;
    m_random = Random(m_config.seed);
    m_entropy = Random(SplitMix64(m_config.seed).next());
    m_faults = FaultInjector(FaultKinds(device_fault_kinds()), m_config.faults, m_config.seed);
    m_now_ns = 0;
    m_is_paused = false;
    m_counts = {};
    m_running = nullptr;
    m_crash_report.clear();
    isa::ExtendedFormat const oldest = isa::extended_format(0);
    for (Slot& slot : m_slots) {
        GuestCpu& cpu = slot.processor->cpu();
        slot.state = State::off;
        slot.now_ns = 0;
        std::ranges::copy(m_config.costs.costs_ns, cpu.time.costs_ns);
        // As its description says, and not as the host's are.
        cpu.has_clzero = false;
        cpu.extended_mask = static_cast<u32>(oldest.mask);
        cpu.extended_bytes = oldest.bytes;
        cpu.extended_instruction = oldest.instruction;
    }
    m_slots.front().state = State::ready;
}

void SimEngine::forget_end() {
    m_end.reset();
}

void SimEngine::set_time(u64 now_ns) {
    m_now_ns = static_cast<i64>(now_ns);
    m_slots.front().now_ns = m_now_ns;
    m_slots.front().state = State::ready;
}

Stop SimEngine::run() {
    SignalScope const signals(m_board.boot().signals(), *m_signal_stack);
    GsBase gs(&m_board.boot().cpu());
    if (m_board.input_reader() != nullptr && !std::exchange(m_is_paused, false)) {
        wake(m_slots[m_board.input_reader()->slot], m_now_ns); // there may be input
    }
    while (!m_end) {
        Slot* const next = choose();
        if (next == nullptr) {
            m_is_paused = next_ns() != never_ns;
            return {m_is_paused ? Stop::Kind::paused : Stop::Kind::waiting_for_input};
        }
        SignalScope::turn_to(next->processor->signals());
        gs.turn_to(&next->processor->cpu());
        turn(*next);
    }
    return finish();
}

/// The one that is ready and furthest behind.
SimEngine::Slot* SimEngine::first_ready() {
    Slot* first = nullptr;
    for (Slot& slot : m_slots) {
        if (slot.state == State::ready && (first == nullptr || slot.now_ns < first->now_ns)) {
            first = &slot;
        }
    }
    return first;
}

/// The sleeping one with the first deadline, if any has one.
SimEngine::Slot* SimEngine::first_deadline() {
    Slot* first = nullptr;
    for (Slot& slot : m_slots) {
        if (slot.state == State::sleeping && slot.wanted_ns() != Deadline::never &&
            (first == nullptr || slot.wanted_ns() < first->wanted_ns())) {
            first = &slot;
        }
    }
    return first;
}

/// Lets the next thing happen that is to happen at `limit_ns` or before; false: there is none.
bool SimEngine::happen_before(i64 limit_ns) {
    Slot* const sleeper = first_deadline();
    i64 const deadline_ns = sleeper == nullptr ? Deadline::never : sleeper->wanted_ns();
    i64 const event_ns = m_events.empty() ? Deadline::never : m_events.front().at_ns;
    if (std::min(deadline_ns, event_ns) > limit_ns ||
        std::min(deadline_ns, event_ns) == Deadline::never) {
        return false;
    }
    if (deadline_ns <= event_ns) {
        m_now_ns = std::max(m_now_ns, deadline_ns);
        wake(*sleeper, deadline_ns);
        return true;
    }
    Event const event = m_events.front();
    std::ranges::pop_heap(m_events, is_later);
    m_events.pop_back();
    m_now_ns = std::max(m_now_ns, event.at_ns);
    if (event.device) {
        mix(u64{*event.device} << 32 ^ event.tag);
        m_board.device_due(*event.device, event.tag);
        return true;
    }
    Slot& target = m_slots[event.slot];
    if (event.vector) {
        target.processor->cpu().interrupts.raised.set(*event.vector);
        ++m_counts.interrupts;
        mix(event.slot << 8 | event.vector->value);
    }
    wake(target, event.at_ns);
    return true;
}

i64 SimEngine::next_ns() {
    Slot const* const ready = first_ready();
    Slot const* const sleeper = first_deadline();
    i64 const event_ns = m_events.empty() ? never_ns : m_events.front().at_ns;
    i64 const deadline_ns = sleeper == nullptr ? never_ns : sleeper->wanted_ns();
    return std::min({ready == nullptr ? never_ns : ready->now_ns, deadline_ns, event_ns});
}

/// Who runs next; null: nobody can before there is input, or before the pause.
SimEngine::Slot* SimEngine::choose() {
    Slot* first = first_ready();
    while (happen_before(first == nullptr ? m_pause_ns : std::min(first->now_ns, m_pause_ns))) {
        first = first_ready();
    }
    if (first != nullptr && first->now_ns >= m_pause_ns) {
        return nullptr;
    }
    if (first == nullptr || m_slots.size() == 1) {
        return first;
    }
    u32 among = 0;
    Slot* chosen = nullptr;
    for (Slot& slot : m_slots) {
        if (slot.state == State::ready && slot.now_ns <= first->now_ns + lead_ns &&
            m_random.below(++among) == 0) {
            chosen = &slot;
        }
    }
    return chosen;
}

/// Lets a processor run for a while.
void SimEngine::turn(Slot& slot) {
    GuestCpu& cpu = slot.processor->cpu();
    if (slot.wanted_ns() <= slot.now_ns) {
        cpu.deadline.wanted_ns = Deadline::never;
        cpu.interrupts.raised_here.set_own(deadline_vector);
        ++m_counts.interrupts;
    }
    if (cpu.interrupts.any_vector()) {
        cpu.attention = true;
    }
    // Short turns and long ones: two processors may meet at any two of their points.
    u64 const bits = m_random.below(turn_bits_max + 1);
    i64 until_ns = slot.now_ns + static_cast<i64>(m_random.below(u64{1} << bits));
    until_ns = std::min(until_ns, slot.wanted_ns());
    if (!m_events.empty()) {
        until_ns = std::min(until_ns, std::max(m_events.front().at_ns, slot.now_ns));
    }
    cpu.time.until_ns = until_ns;
    cpu.time.left_ns = until_ns - slot.now_ns;
    m_running = &slot;
    slot.processor->enter_kernel();
    slot.now_ns = cpu.time.now_ns();
    m_now_ns = std::max(m_now_ns, slot.now_ns);
    ++m_counts.turns;
    mix(static_cast<u64>(cpu.request) << 56 ^ static_cast<u64>(cpu.slot) << 48 ^
        static_cast<u64>(slot.now_ns));
    if (slot.processor->signals().stop_requested) {
        end_run(slot, {Stop::Kind::interrupted});
        return;
    }
    answer(slot);
}

void SimEngine::answer(Slot& slot) {
    GuestCpu& cpu = slot.processor->cpu();
    auto const operation = operation_of(cpu.request);
    slot.now_ns += operation ? m_config.costs.of(*operation) : 0;
    if (m_board.answer(cpu)) {
        return;
    }
    switch (cpu.request) {
    case Request::yield:
        break;
    case Request::idle:
        fall_asleep(slot);
        break;
    case Request::notify: {
        // It is on its way: what the sender has written arrives later.
        hal::Vector const vector{static_cast<u8>(cpu.arguments[1])};
        auto const target = static_cast<u32>(cpu.arguments[0]);
        bool const is_vector = vectors.contains(vector);
        if (is_vector) {
            m_slots[target].processor->cpu().interrupts.raised.take(vector);
        }
        post(
            target, slot.now_ns + m_config.costs.message_delay_ns,
            is_vector ? std::optional(vector) : std::nullopt);
        break;
    }
    case Request::processor_start:
        cpu.result = answer_of(start_processor(slot));
        break;
    case Request::processor_halt:
        halt(slot);
        break;
    case Request::counter_has:
    case Request::probe_fails:
        cpu.result = 0;
        break;
    case Request::probe_note:
        break;
    case Request::counter_start:
    case Request::counter_read:
    case Request::counter_stop:
        cpu.result = answer_of(Error::not_supported);
        break;
    default:
        end_run(slot, stop_of(cpu));
        break;
    }
}

/// Something is there for a processor: if it sleeps, it goes on at `at_ns`.
void SimEngine::wake(Slot& slot, i64 at_ns) {
    if (slot.state == State::sleeping) {
        slot.state = State::ready;
        slot.now_ns = std::max(slot.now_ns, at_ns);
    }
}

void SimEngine::fall_asleep(Slot& slot) {
    if (!slot.processor->cpu().interrupts.any()) {
        slot.state = State::sleeping;
    }
}

Result<void> SimEngine::start_processor(Slot& by) {
    Result<Processor*> const prepared = m_board.prepare_start(by.processor->cpu());
    if (!prepared) {
        by.now_ns += prepared.error() == Error::timed_out ? answer_ns_max : 0;
        return prepared.error();
    }
    Slot& started = slot_of(*prepared.value());
    started.state = State::ready;
    started.now_ns = by.now_ns + m_config.costs.start_delay_ns;
    return {};
}

void SimEngine::halt(Slot& slot) {
    slot.state = State::halted;
    m_board.mmu().remove_processor(slot.processor->slot());
    bool const is_last = std::ranges::all_of(m_slots, [](Slot const& each) {
        return each.state == State::off || each.state == State::halted;
    });
    if (is_last) {
        m_crash_report = "every processor has halted\n";
        end_run(slot, {Stop::Kind::crashed});
    }
}

void SimEngine::raise(Processor& target, hal::Vector vector) {
    target.cpu().interrupts.raised.set(vector);
    ++m_counts.interrupts;
    mix(target.slot() << 8 | vector.value);
    wake(slot_of(target), m_now_ns);
}

void SimEngine::fill_random(std::span<std::byte> bytes) {
    for (std::byte& byte : bytes) {
        byte = static_cast<std::byte>(m_entropy.next() >> 56);
    }
}

void SimEngine::call_later(u32 device, u64 delay_ns, u64 tag) {
    call_at(device, m_now_ns + static_cast<i64>(delay_ns), tag);
}

void SimEngine::call_at(u32 device, i64 at_ns, u64 tag) {
    post({at_ns, m_next_event++, 0, std::nullopt, device, tag});
}

std::optional<u64> SimEngine::device_fault(DeviceFault fault) {
    FaultId const id = fault_id(fault);
    if (!m_faults.can_fire(id)) {
        return std::nullopt;
    }
    u32 const cpu = m_running == nullptr ? 0 : m_running->processor->slot();
    return m_faults.fires(id, cpu, m_now_ns);
}

void SimEngine::post(u32 slot, i64 at_ns, std::optional<hal::Vector> vector) {
    post({at_ns, m_next_event++, slot, vector});
}

void SimEngine::post(Event const& event) {
    m_events.push_back(event);
    std::ranges::push_heap(m_events, is_later);
}

void SimEngine::mix(u64 word) {
    m_counts.hash = SplitMix64(m_counts.hash ^ word).next();
}

void SimEngine::end_run(Slot const& slot, Stop stop) {
    m_end = RunEnd{stop, slot.processor->slot(), nullptr};
}

Stop SimEngine::finish() {
    if (m_end->has_report()) {
        write_crash_report();
    }
    return m_end->stop;
}

/// Where the processors stand: the one on which the run has ended first.
void SimEngine::write_crash_report() {
    auto const add = [this](Slot const& slot) {
        SignalTarget const& signals = slot.processor->signals();
        if (signals.report_size != 0) {
            m_crash_report += fmt::format("processor {}: ", signals.cpu.id);
            m_crash_report.append(signals.report, signals.report_size);
        }
    };
    add(m_slots[m_end->slot]);
    for (Slot const& slot : m_slots) {
        if (slot.processor->slot() != m_end->slot) {
            add(slot);
        }
    }
}

void SimEngine::wait(int input_descriptor) {
    pollfd polled{input_descriptor, POLLIN, 0};
    ppoll(&polled, input_descriptor < 0 ? 0 : 1, nullptr, nullptr);
}

void SimEngine::note_input() {}

bool SimEngine::can_wake() {
    return std::ranges::any_of(m_slots, [](Slot const& slot) {
        return slot.state == State::ready || slot.processor->signals().stop_requested;
    });
}

void SimEngine::request_stop(siginfo_t const& info, ucontext_t& context) {
    Slot const& slot = m_running == nullptr ? m_slots.front() : *m_running;
    stop_kernel(slot.processor->signals(), info, context);
}

std::string_view SimEngine::why_it_cannot_be_copied() const {
    if (!m_events.empty()) {
        return "a simulated machine for which something is on its way cannot be copied yet";
    }
    bool const is_alone = std::ranges::all_of(m_slots, [](Slot const& slot) {
        return slot.state == State::off || slot.processor->slot() == 0;
    });
    return is_alone ? "" : "a simulated machine whose other processors run cannot be copied yet";
}

} // namespace hosted
