// See controller.hpp. Here: how a controller is brought up and down. What goes wrong is in
// recovery.cpp, namespaces are in namespaces.cpp.
#include "core/device/nvme/controller.hpp"

#include "hal/clock.hpp"
#include "hal/cpu.hpp"

#include <algorithm>
#include <new>

namespace twofold::nvme {

namespace {

constexpr Nanos time_unit{500'000'000}; ///< of CAP.TO
constexpr u32 submission_log2 = 6, completion_log2 = 4;
constexpr u32 enabled = cc::enable | submission_log2 << cc::submission_size_shift |
                        completion_log2 << cc::completion_size_shift; // and pages of 4 KiB
constexpr std::string_view interrupt_name = "nvme";

bool has_clock() {
    sync::InterruptGuard const off;
    return processor::this_cpu().timers.is_open();
}

/// The processors that run, at most `count`.
FixedVector<CpuId, Controller::queues_max> running_cpus(u32 count) {
    processor::CpuSet const* set = nullptr;
    {
        sync::InterruptGuard const off;
        set = processor::this_cpu().set;
    }
    FixedVector<CpuId, Controller::queues_max> cpus;
    for (u32 id = 0; id < set->known() && cpus.size() < count && !cpus.full(); ++id) {
        if (set->is_online(CpuId{id})) {
            cpus.push_back(CpuId{id}).value(); // it is not full
        }
    }
    return cpus;
}

} // namespace

Controller::Controller(Plan const& plan)
    : m_environment(plan.environment),
      m_registers(plan.registers),
      m_connection(plan.connection),
      m_options(plan.options),
      m_dma(plan.function ? device::DmaSpace(*plan.function) : device::DmaSpace()),
      m_admin(plan.environment, m_dma, plan.registers),
      m_number(plan.options.number),
      m_mode(plan.options.mode) {}

Result<Controller*> Controller::open(Plan const& plan) {
    auto const room = memory::allocate_room<Controller>(plan.environment.heap, 1);
    if (!room) {
        plan.connection.unbind();
        plan.connection.close();
        return room.error();
    }
    auto* const controller = new (room.value()) Controller(plan);
    if (auto const begun = controller->begin(); !begun) {
        controller->take_errands();
        controller->close();
        return begun.error();
    }
    return controller;
}

Result<void> Controller::begin() {
    if (!has_clock()) {
        return Error::not_supported;
    }
    if (m_registers.are_gone()) {
        return Error::io_failed;
    }
    m_capabilities = m_registers.capabilities();
    if (!m_capabilities.has_nvm_commands() || m_capabilities.page_bytes_min() > page_size.value ||
        m_capabilities.entries_max() < QueuePair::entries_min) {
        return Error::not_supported;
    }
    TRY(m_admin.open());
    TRY(disable());
    m_admin.start(m_capabilities.doorbell_stride());
    TRY(enable());
    TRY(identify_controller());
    auto const cpus = running_cpus(m_options.queues_max);
    u32 const own_vectors = std::max(m_connection.vectors(), 2u) - 1;
    u32 const with_doorbells = TRY(doorbells_for_queues());
    u32 const wanted = std::min({static_cast<u32>(cpus.size()), own_vectors, with_doorbells});
    u32 const count = TRY(ask_for_queues(wanted));
    TRY(make_queues(count));
    assign_processors();
    TRY(m_connection.begin_errands(
        {.run = {
             [](void* self) { static_cast<Controller*>(self)->recover(); },
             [](void* self) { static_cast<Controller*>(self)->look(); }},
         .object = this}));
    TRY(bind_vectors());
    TRY(create_queues());
    for (QueuePair* const queue : m_queues) {
        queue->resume();
    }
    set_mode(m_options.mode);
    start_events();
    m_look_wanted.store(1, release);
    look();
    return {};
}

/// How many queues beside the admin queue have doorbells inside the registers.
Result<u32> Controller::doorbells_for_queues() const {
    Bytes const pair{u64{m_capabilities.doorbell_stride()} * 2};
    if (m_registers.size() < reg::doorbells + pair * 2) {
        return Error::corrupted;
    }
    u64 const pairs = (m_registers.size() - reg::doorbells) / pair;
    return static_cast<u32>(std::min<u64>(pairs - 1, queues_max));
}

/// CAP.TO says how long it takes; one that says nothing gets a unit.
Nanos Controller::ready_time() const {
    return {time_unit.value * std::max(m_capabilities.time_out_units(), 1u)};
}

Result<void> Controller::wait_for(u32 mask, u32 value, Nanos time) {
    constexpr u32 looks = 64; ///< before it sleeps
    constexpr Nanos nap_min{50'000}, nap_max{10'000'000};
    Nanos const deadline = hal::Clock::now() + time;
    Nanos nap = nap_min;
    for (u32 look = 0;; ++look) {
        u32 const status = m_registers.status();
        if (status == ~u32{0}) {
            return Error::io_failed;
        }
        if ((status & mask) == value) {
            return {};
        }
        if ((status & csts::fatal) != 0 && (mask & csts::ready) != 0 && value != 0) {
            return Error::io_failed; // it will not become ready
        }
        if (look < looks) {
            sync::relax();
            continue;
        }
        if (hal::Clock::now() >= deadline) {
            return Error::timed_out;
        }
        pause_for(nap);
        nap = std::min(nap + nap, nap_max);
    }
}

/// When it returns well, the controller reaches no memory and has forgotten all commands.
Result<void> Controller::disable() {
    u32 const configuration = m_registers.read_32(reg::configuration);
    if (m_registers.are_gone()) {
        return Error::io_failed;
    }
    m_registers.write_32(reg::configuration, configuration & ~(cc::enable | cc::shutdown_mask));
    return wait_for(csts::ready, 0, ready_time());
}

Result<void> Controller::enable() {
    m_registers.write_32(reg::configuration, enabled);
    return wait_for(csts::ready, csts::ready, ready_time());
}

/// A command that has failed is an error of its status.
Result<Answer> Controller::checked(Result<Answer> answer) {
    if (answer && !answer.value().status.is_success()) {
        return verdict_of(answer.value().status).error;
    }
    return answer;
}

Result<void> Controller::identify(IdentifyKind kind, u32 space, std::span<std::byte> into) {
    CHECK(into.size() == identify_bytes);
    TRY(checked(m_admin.perform(
        {.opcode = static_cast<u8>(AdminOpcode::identify),
         .space = space,
         .word10 = static_cast<u32>(kind)},
        m_options.admin_time_out, AdminQueue::Data::from_controller, into)));
    return {};
}

Result<void> Controller::identify_controller() {
    auto const page =
        TRY((memory::Box<IdentifyController, memory::KernelHeap>::create(m_environment.heap)));
    TRY(identify(
        IdentifyKind::controller, 0, std::as_writable_bytes(std::span(page.operator->(), 1))));
    ControllerFacts const facts = TRY(parse_controller(*page, m_capabilities));
    u64 const bytes = std::min(facts.transfer_bytes_max, transfer_bytes_max);
    VolatileCache cache = VolatileCache::off;
    if (facts.has_volatile_cache) {
        auto const is_on = feature(Feature::volatile_write_cache);
        cache = !is_on || (is_on.value() & 1) != 0 ? VolatileCache::on : VolatileCache::off;
    }
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts); // somebody may look meanwhile
    m_facts = facts;
    m_limits = {
        .bytes_max = align_down(bytes, page_size.value), .segments_max = QueuePair::segments_max};
    m_cache = cache;
    return {};
}

/// How many pairs of I/O queues there may be; at most `wanted`.
Result<u32> Controller::ask_for_queues(u32 wanted) {
    u32 const less_one = wanted - 1;
    u32 const said = TRY(set_feature(Feature::number_of_queues, less_one << 16 | less_one));
    u32 const submissions = (said & 0xffff) + 1, completions = (said >> 16) + 1;
    return std::min({wanted, submissions, completions});
}

Result<void> Controller::make_queues(u32 count) {
    auto const cpus = running_cpus(count);
    u16 const entries = static_cast<u16>(std::clamp<u32>(
        m_options.entries, QueuePair::entries_min,
        std::min<u32>(m_capabilities.entries_max(), QueuePair::entries_max)));
    bool const has_own_vectors = m_connection.vectors() > 1;
    for (u32 i = 0; i < count; ++i) {
        QueuePlan const plan{
            .number = static_cast<u16>(i + 1),
            .entries = entries,
            .vector = static_cast<u16>(has_own_vectors ? i + 1 : 0),
            .cpu = cpus[i],
            .doorbell_stride = m_capabilities.doorbell_stride(),
            .sgl = m_facts.sgl,
            .pages_max = static_cast<u32>(m_limits.bytes_max / page_size.value) + 1,
            .time_out = m_options.time_out,
            .abort_time = m_options.abort_time,
            .overdue = take_overdue,
            .owner = this};
        auto* const queue = TRY(QueuePair::open(m_environment, m_dma, m_registers, plan));
        m_queues.push_back(queue).value(); // `count` is at most so many
    }
    return {};
}

/// Each processor has a queue: its own, or one that it shares.
void Controller::assign_processors() {
    for (u32 cpu = 0; cpu < processor::CpuSet::cpus_max; ++cpu) {
        auto const own = std::ranges::find_if(
            m_queues, [&](QueuePair const* queue) { return queue->plan().cpu.value == cpu; });
        m_queue_of_cpu[cpu] = own != m_queues.end() ? *own : m_queues[cpu % m_queues.size()];
    }
}

Result<void> Controller::bind_vectors() {
    CpuId const first = m_queues[0]->plan().cpu;
    bool const is_shared = m_connection.vectors() == 1;
    TRY(m_connection.bind(
        0, first,
        {.handler = take_admin,
         .argument = this,
         .name = interrupt_name,
         .second_half = is_shared ? drain_all : drain_admin}));
    for (usize i = 0; i < m_queues.size() && !is_shared; ++i) {
        m_interrupts[i] = {this, m_queues[i]};
        TRY(m_connection.bind(
            m_queues[i]->plan().vector, m_queues[i]->plan().cpu,
            {.handler = take_queue,
             .argument = &m_interrupts[i],
             .name = interrupt_name,
             .second_half = drain_queue}));
    }
    return {};
}

Result<void> Controller::create_queues() {
    for (QueuePair const* const queue : m_queues) {
        TRY(create_queue(*queue));
    }
    return {};
}

Result<void> Controller::create_queue(QueuePair const& queue) {
    QueuePlan const& plan = queue.plan();
    u32 const shape = (plan.entries - 1u) << 16 | plan.number;
    Command completions{.opcode = static_cast<u8>(AdminOpcode::create_completion_queue)};
    completions.data[0] = queue.completions().value;
    completions.word10 = shape;
    completions.word11 = u32{plan.vector} << 16 | queue_interrupts | queue_contiguous;
    TRY(checked(m_admin.perform(completions, m_options.admin_time_out)));
    Command submissions{.opcode = static_cast<u8>(AdminOpcode::create_submission_queue)};
    submissions.data[0] = queue.submissions().value;
    submissions.word10 = shape;
    submissions.word11 = u32{plan.number} << 16 | queue_contiguous;
    TRY(checked(m_admin.perform(submissions, m_options.admin_time_out)));
    return {};
}

/// What the controller does not offer is done without.
void Controller::start_events() {
    constexpr u32 health_warnings = 0x1f;
    u32 const notices = m_facts.events_supported & wants_namespace_notices;
    static_cast<void>(set_feature(Feature::asynchronous_events, health_warnings | notices));
    m_admin.ask_for_events(m_facts.event_limit);
}

Result<u32> Controller::feature(Feature feature, u32 word11) {
    auto const answer = TRY(checked(m_admin.perform(
        {.opcode = static_cast<u8>(AdminOpcode::get_features),
         .word10 = static_cast<u32>(feature),
         .word11 = word11},
        m_options.admin_time_out)));
    return answer.result;
}

Result<u32> Controller::set_feature(Feature feature, u32 value) {
    auto const answer = TRY(checked(m_admin.perform(
        {.opcode = static_cast<u8>(AdminOpcode::set_features),
         .word10 = static_cast<u32>(feature),
         .word11 = value},
        m_options.admin_time_out)));
    return answer.result;
}

Result<void> Controller::read_log(LogPage page, u32 space, std::span<std::byte> into) {
    u32 const words = static_cast<u32>(into.size() / sizeof(u32));
    CHECK(words != 0 && into.size() % sizeof(u32) == 0);
    TRY(checked(m_admin.perform(
        {.opcode = static_cast<u8>(AdminOpcode::get_log_page),
         .space = space,
         .word10 = (words - 1) << 16 | static_cast<u32>(page)},
        m_options.admin_time_out, AdminQueue::Data::from_controller, into)));
    return {};
}

void Controller::set_mode(CompletionMode mode) {
    m_mode.store(mode, relaxed);
    bool const is_polled = mode == CompletionMode::polling;
    for (QueuePair* const queue : m_queues) {
        if (queue->plan().vector != 0) { // the admin queue's stays: it tells of events
            is_polled ? m_connection.mask(queue->plan().vector)
                      : m_connection.unmask(queue->plan().vector);
        }
        while (queue->drain() >= QueuePair::drain_max) { // what nobody was interrupted for
        }
    }
}

u32 Controller::poll() {
    u32 const found = queue_here().poll();
    if (found != 0 || mode() != CompletionMode::polling || m_queues.size() == 1) {
        return found;
    }
    u32 const next = m_next_polled.fetch_add(1, relaxed);
    return m_queues[next % m_queues.size()]->drain();
}

Nanos Controller::poll_time() const {
    constexpr Nanos longest{100'000};
    constexpr Nanos sleep_cost{20'000}; // to look on for so long is at most twice the best
    switch (mode()) {
    case CompletionMode::interrupt:
        return {};
    case CompletionMode::polling:
        return {INT64_MAX};
    case CompletionMode::hybrid:
        break;
    }
    Nanos const mean = queue_here().mean_latency();
    return mean <= sleep_cost ? sleep_cost : std::min(Nanos{mean.value / 2}, longest);
}

ControllerCounts Controller::counts() const {
    return {
        .resets = m_resets.load(relaxed),
        .aborts = m_aborts.load(relaxed),
        .events = m_event_count.load(relaxed),
        .lost_interrupts = m_lost_interrupts.load(relaxed),
        .admin_spurious = m_admin.spurious()};
}

/// Tells the controller that its power may go, and waits until it has said that it is ready to.
void Controller::shut_down() {
    u32 const configuration = m_registers.read_32(reg::configuration);
    m_registers.write_32(
        reg::configuration, (configuration & ~cc::shutdown_mask) | cc::shutdown_normal);
    static_cast<void>(
        wait_for(csts::shutdown_mask, csts::shutdown_complete, m_options.shutdown_time));
    static_cast<void>(disable()); // one that does not obey is cut off
}

/// No errand runs any more.
void Controller::close() {
    m_connection.unbind();
    m_connection.cut_off();
    m_admin.stop();
    for (QueuePair* const queue : m_queues) {
        queue->kill(Error::io_failed);
        queue->close();
    }
    m_queues.clear();
    m_admin.close();
    memory::KernelHeap& heap = m_environment.heap;
    Connection& connection = m_connection;
    this->~Controller();
    connection.close();
    memory::free_room(heap, this);
}

} // namespace twofold::nvme
