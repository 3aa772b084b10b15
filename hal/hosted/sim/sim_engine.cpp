// See sim_engine.hpp.
#include "hal/hosted/sim/sim_engine.hpp"

#include "hal/hosted/gs_base.hpp"
#include "hal/hosted/machine.hpp"
#include "hal/hosted/signal_context.hpp"
#include "hal/hosted/sim/device_fault_kinds.hpp"

#include <fmt/format.h>
#include <isa/extended_state.hpp>

#include <algorithm>

namespace hosted {

namespace {

/// How long a processor that is started may take to answer.
constexpr i64 answer_ns_max = 1'000'000'000;

/// The canary of stack protectors, which the C library draws anew for each process, is the same in
/// all that simulate: it lies on the kernel's stacks, which are part of a copy of the machine and
/// must be those of a repeated run. Before `main`: no function that has seen the other one returns.
[[gnu::constructor, gnu::no_stack_protector]] void settle_canary() {
    asm volatile("movq %0, %%fs:40" : : "r"(u64{0x7477'6f66'6f6c'6400}) : "memory");
}

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
    case Request::port_read:
    case Request::port_write:
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
    MachineConfig config, ConsoleEndpoint& console, SimConfig const& sim, SimEngine** made) {
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
    std::unique_ptr<SimEngine> engine(
        new SimEngine(board, std::move(config), std::move(*signal_stack)));
    board.connect(*engine);
    return engine;
}

SimEngine::SimEngine(Board& board, SimConfig config, std::unique_ptr<SignalStack> signal_stack)
    : m_board(board), m_config(std::move(config)), m_signal_stack(std::move(signal_stack)) {
    for (auto const& each : m_board.processors()) {
        m_cpus.push_back(&each->cpu());
    }
}

void SimEngine::power_on() {
    m_end.reset();
    m_running = nullptr;
    m_crash_report.clear();
    m_complaint.clear();
    if (m.is_cut) {
        // Power has come back: the run goes on, and with it all that chance decides.
        m.is_cut = false;
        m.is_marked = false;
        m.open_turn.reset();
        m.events = {};
    } else {
        m = SimRun();
        m.random = RandomSchedule(m_config.seed);
        m.entropy = Random(SplitMix64(m_config.seed).next());
        m.faults = FaultInjector(FaultKinds(device_fault_kinds()), m_config.faults, m_config.seed);
        m.explored = m_config.explored.get();
        m.saved = m_config.saved.get();
    }
    m.slots.assign(m_board.processors().size(), {.now_ns = m.now_ns});
    arm_points();
    isa::ExtendedFormat const oldest = isa::extended_format(0);
    for (auto const& each : m_board.processors()) {
        GuestCpu& cpu = each->cpu();
        cpu.time = {};
        std::ranges::copy(m_config.costs.costs, cpu.time.costs);
        // As its description says, and not as the host's are.
        cpu.has_clzero = false;
        cpu.extended_mask = static_cast<u32>(oldest.mask);
        cpu.extended_bytes = oldest.bytes;
        cpu.extended_instruction = oldest.instruction;
    }
    m.slots.front().state = State::ready;
}

void SimEngine::configure(SimConfig config) {
    m_config = std::move(config);
    m.is_cut = false; // what comes is not the same run
}

void SimEngine::begin_at(i64 now_ns) {
    m.now_ns = now_ns;
    m.slots.front().now_ns = now_ns;
}

std::shared_ptr<EngineState const> SimEngine::copy_state() const {
    return std::make_shared<SimRun>(m);
}

bool SimEngine::accepts(EngineState const& state) const {
    auto const* const run = dynamic_cast<SimRun const*>(&state);
    return run != nullptr && run->slots.size() == m_board.processors().size();
}

void SimEngine::assign_state(EngineState const& state) {
    m = dynamic_cast<SimRun const&>(state);
    m_end.reset();
    m_running = nullptr;
    m_crash_report.clear();
    m_complaint.clear();
    for (u32 slot = 1; slot < m.slots.size(); ++slot) {
        if (m.slots[slot].state == State::halted) {
            m_board.mmu().remove_processor(slot);
        }
    }
}

Stop SimEngine::run() {
    SignalScope const signals(m_board.boot().signals(), *m_signal_stack);
    GsBase gs(&m_board.boot().cpu());
    if (!std::exchange(m_is_paused, false)) {
        hear_input(); // there may be some
    }
    while (!m_end) {
        if (!m.open_turn && m_has_input.exchange(false, std::memory_order_relaxed)) [[unlikely]] {
            hear_input();
        }
        if (m_board.has_input()) [[unlikely]] {
            m_board.advance_input();
        }
        if (!m.open_turn && m_board.has_noticed()) {
            m_board.tell_noticed();
        }
        Overview const now = m.open_turn ? Overview() : look();
        m_is_paused = m.open_turn ? is_cut() : is_at_limit(now);
        if (m_is_paused) {
            return {Stop::Kind::paused};
        }
        if (!m.open_turn) {
            std::optional<Grant> const grant = choose(now);
            if (!grant && is_to_stop()) {
                end_run(0, {Stop::Kind::interrupted}); // while all slept
                break;
            }
            if (!grant && !is_at_limit(look())) {
                return {Stop::Kind::waiting_for_input};
            }
            if (grant) {
                begin_turn(*grant);
            }
        }
        if (m.open_turn) {
            Processor& next = processor(m.open_turn->slot);
            SignalScope::turn_to(next.signals());
            gs.turn_to(&next.cpu());
            take_turn(next);
        }
    }
    return finish();
}

/// Whoever has asked for input in vain looks once more.
void SimEngine::hear_input() {
    if (m_board.input_reader() != nullptr) {
        wake(m_board.input_reader()->slot, m.now_ns);
        m_board.raise_input();
    }
}

/// Whether the limit has come within a turn, which goes on behind it.
bool SimEngine::is_cut() const {
    return m.open_turn->is_alone && m.slots[m.open_turn->slot].now_ns >= m_limit.time_ns;
}

/// The same between two turns.
bool SimEngine::is_at_limit(Overview const& now) const {
    i64 const first_ns = now.first_ns();
    bool const is_late = first_ns >= m_limit.time_ns && first_ns != EventQueue::never;
    return is_late || m.counts.moments >= m_limit.moments;
}

SimEngine::Overview SimEngine::look() const {
    Overview now{.event_ns = m.events.first_ns()};
    for (u32 slot = 0; slot < m.slots.size(); ++slot) {
        SimRun::Slot const& each = m.slots[slot];
        if (each.state == State::ready && each.now_ns < now.ready_ns) {
            now.ready = slot;
            now.ready_ns = each.now_ns;
        } else if (each.state == State::sleeping && wanted_ns(slot) < now.deadline_ns) {
            now.sleeper = slot;
            now.deadline_ns = wanted_ns(slot);
        }
    }
    return now;
}

i64 SimEngine::next_ns() const {
    return look().first_ns();
}

Schedule& SimEngine::schedule() {
    if (m.saved.get() != nullptr) {
        return *m.saved.get();
    }
    return m.is_marked && m.explored.get() != nullptr ? *m.explored.get() : m.random;
}

std::string_view SimEngine::objection() const {
    return m.saved.get() == nullptr ? std::string_view() : m.saved->objection();
}

/// Who runs next; none: nobody can before there is input, or before the limit.
std::optional<Grant> SimEngine::choose(Overview now) {
    auto const frontier = [&] {
        return now.ready == Overview::nobody ? EventQueue::never : frontier_ns(now.ready);
    };
    while (happen_before(frontier(), now)) {
        now = look();
    }
    if (now.ready == Overview::nobody || now.ready_ns >= m_limit.time_ns) {
        return std::nullopt; // what has happened has brought it to the limit
    }
    m_others_ns = std::min(now.deadline_ns, now.event_ns);
    m_ready.clear();
    for (u32 slot = 0; slot < m.slots.size(); ++slot) {
        if (m.slots[slot].state == State::ready) {
            m_ready.push_back({slot, m.slots[slot].now_ns});
        }
    }
    Grant const grant = schedule().choose({m_ready, m.last, m.last_spun, m.last_ran_ns});
    CHECK(m.slots[grant.slot].state == State::ready && grant.stretch_ns >= 0);
    if (m_observer != nullptr) {
        m_observer->on_grant(grant);
    }
    return grant;
}

/// Until when the turn goes at most: somebody else may have to have one then.
i64 SimEngine::end_of_turn(Grant const& grant) const {
    i64 const now_ns = m.slots[grant.slot].now_ns;
    return std::min(
        {now_ns + grant.stretch_ns, wanted_ns(grant.slot), std::max(m_others_ns, now_ns)});
}

/// Whether a fault keeps the processor from its turn, and for a while from all others.
bool SimEngine::stalls(u32 slot) {
    auto const stall_ns = fault(fault_id(EngineFault::cpu_stalled), slot);
    m.slots[slot].now_ns += static_cast<i64>(stall_ns.value_or(0));
    return stall_ns.has_value();
}

/// Gives a processor the turn, unless it stalls.
void SimEngine::begin_turn(Grant const& grant) {
    SimRun::Slot& slot = m.slots[grant.slot];
    GuestCpu& cpu = *m_cpus[grant.slot];
    slot.now_ns = frontier_ns(grant.slot);
    // Not twice in a row, or it might never come back.
    slot.has_stalled = !slot.has_stalled && stalls(grant.slot);
    if (slot.has_stalled) {
        return;
    }
    if (wanted_ns(grant.slot) <= slot.now_ns && !is_put_off(grant.slot)) {
        cpu.deadline.wanted_ns = Deadline::never;
        cpu.interrupts.raised_here.set_own(deadline_vector);
        ++m.counts.interrupts;
    }
    if (cpu.interrupts.any_vector()) {
        cpu.attention = true;
    }
    m.open_turn = {grant.slot, m_ready.size() == 1, slot.now_ns, end_of_turn(grant)};
}

/// Lets a processor run until its turn ends, or the limit comes.
void SimEngine::take_turn(Processor& running) {
    SimRun::OpenTurn const turn = *m.open_turn;
    SimRun::Slot& slot = m.slots[turn.slot];
    GuestCpu& cpu = running.cpu();
    // A long turn is cut where the limit comes; a short one, which others wait for, is not.
    i64 const limit_ns = turn.is_alone ? m_limit.time_ns : EventQueue::never;
    i64 const until_ns = std::min(end_of(turn), limit_ns);
    constexpr i64 grant_max_ns = i64{1} << 53; // then it goes on
    cpu.time.grant(slot.now_ns, std::clamp(until_ns, slot.now_ns, slot.now_ns + grant_max_ns));
    m_running = &running;
    running.enter_kernel();
    slot.now_ns = cpu.time.now_ns();
    m.now_ns = std::max(m.now_ns, slot.now_ns);
    // Where it comes back too early, it had armed a deadline and then a later one: it goes on.
    bool const goes_on =
        cpu.request == Request::yield && cpu.arguments[0] == 0 && slot.now_ns < end_of(turn);
    if (!goes_on || running.signals().stop_requested) {
        m.open_turn.reset();
        end_turn(turn);
    }
}

/// When a turn is over, as it stands: the end may come nearer by what comes from outside, or by a
/// deadline of the processor's own.
i64 SimEngine::end_of(SimRun::OpenTurn const& turn) const {
    return std::min({turn.until_ns, m.events.first_ns(), wanted_ns(turn.slot)});
}

/// What a processor has come back with, and what becomes of it.
void SimEngine::end_turn(SimRun::OpenTurn const& turn) {
    SimRun::Slot& slot = m.slots[turn.slot];
    GuestCpu const& cpu = *m_cpus[turn.slot];
    if (auto const times = fault(fault_id(EngineFault::cpu_slow), turn.slot)) {
        slot.now_ns += (slot.now_ns - turn.since_ns) * static_cast<i64>(*times - 1);
        m.now_ns = std::max(m.now_ns, slot.now_ns);
    }
    ++m.counts.turns;
    note_moment(
        SimMoment::Kind::turn, turn.slot, static_cast<u64>(cpu.request), slot.now_ns,
        turn.since_ns);
    m.last = turn.slot;
    m.last_spun = cpu.request == Request::yield && cpu.arguments[0] != 0;
    m.last_ran_ns = slot.now_ns - turn.since_ns;
    if (processor(turn.slot).signals().stop_requested) {
        end_run(turn.slot, {Stop::Kind::interrupted});
        return;
    }
    answer(turn.slot);
    if (fault(fault_id(EngineFault::power_cut), turn.slot) && !m_end) {
        m.is_cut = true;
        end_run(turn.slot, {Stop::Kind::power_cut});
    }
    if (m_config.has_oracles && !m_end) {
        m_complaint = ask_oracles(turn.slot);
        if (!m_complaint.empty()) {
            end_run(turn.slot, {Stop::Kind::objected});
        }
    }
    if (m.is_marked && m.now_ns - m.progress_ns > m_config.stall_ns && !m_end) {
        end_run(turn.slot, {Stop::Kind::stalled});
    }
}

void SimEngine::answer(u32 slot) {
    GuestCpu& cpu = *m_cpus[slot];
    if (cpu.request == Request::yield) {
        return; // as most do
    }
    auto const operation = operation_of(cpu.request);
    m.slots[slot].now_ns += operation ? m_config.costs.ns_of(*operation) : 0;
    if (m_board.answer(cpu)) {
        return;
    }
    switch (cpu.request) {
    case Request::idle:
        if (!cpu.interrupts.any()) {
            m.slots[slot].state = State::sleeping;
        }
        break;
    case Request::notify:
        notify(slot, cpu);
        break;
    case Request::processor_start:
        cpu.result = answer_of(start_processor(slot));
        break;
    case Request::processor_halt:
        halt(slot);
        break;
    case Request::counter_has:
        cpu.result = 0;
        break;
    case Request::probe_fails: {
        auto const point = static_cast<FaultPoint>(cpu.arguments[0]);
        cpu.result = fault(fault_id(point), slot) ? 1 : 0;
        break;
    }
    case Request::counter_start:
    case Request::counter_read:
    case Request::counter_stop:
        cpu.result = answer_of(Error::not_supported);
        break;
    case Request::probe_note:
        answer_note(slot, cpu);
        break;
    default:
        end_run(slot, stop_of(cpu));
        break;
    }
}

Result<void> SimEngine::start_processor(u32 by) {
    Result<Processor*> const prepared = m_board.prepare_start(processor(by).cpu());
    if (!prepared) {
        m.slots[by].now_ns += prepared.error() == Error::timed_out ? answer_ns_max : 0;
        return prepared.error();
    }
    SimRun::Slot& started = m.slots[prepared.value()->slot()];
    started.state = State::ready;
    started.now_ns = m.slots[by].now_ns + m_config.costs.start_delay_ns;
    return {};
}

void SimEngine::halt(u32 slot) {
    m.slots[slot].state = State::halted;
    m_board.mmu().remove_processor(slot);
    bool const is_last = std::ranges::all_of(m.slots, [](SimRun::Slot const& each) {
        return each.state == State::off || each.state == State::halted;
    });
    if (is_last) {
        m_crash_report = "every processor has halted\n";
        end_run(slot, {Stop::Kind::crashed});
    }
}

void SimEngine::end_run(u32 slot, Stop stop) {
    m_end = RunEnd{stop, slot, nullptr};
}

Stop SimEngine::finish() {
    if (m_end->has_report()) {
        write_crash_report();
    }
    return m_end->stop;
}

bool SimEngine::can_wake() {
    return look().ready != Overview::nobody || is_to_stop();
}

/// Whether somebody has asked for the end of the run.
bool SimEngine::is_to_stop() const {
    return std::ranges::any_of(m_board.processors(), [](auto const& each) {
        return each->signals().stop_requested.load();
    });
}

void SimEngine::request_stop(siginfo_t const& info, ucontext_t& context) {
    Processor& stopped = m_running == nullptr ? m_board.boot() : *m_running;
    stop_kernel(stopped.signals(), info, context);
}

} // namespace hosted
