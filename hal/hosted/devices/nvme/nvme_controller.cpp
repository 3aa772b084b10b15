// The registers of the NVMe controller, and its life. See nvme_controller.hpp.
#include "hal/hosted/devices/nvme/nvme_controller.hpp"

#include <algorithm>
#include <cstring>

namespace hosted {

namespace reg = nvme::reg;
namespace cc = nvme::cc;
namespace csts = nvme::csts;

namespace {

constexpr u32 version_1_4 = 0x0001'0400;
constexpr u32 reset_word = 0x4e56'4d65; // "NVMe"
constexpr u32 configuration_bits = 0x00ff'fff1, attribute_bits = 0x0fff'0fff;
constexpr u32 page_log2_most = 4; // CAP.MPSMAX: 64 KiB
constexpr u32 submission_log2 = 6, completion_log2 = 4;
constexpr u64 registers_end = 0x38;

template<class T>
T get_register(std::span<std::byte const> registers, Bytes at) {
    T value;
    std::memcpy(&value, registers.data() + at.value, sizeof(T));
    return value;
}
template<class T>
void put_register(std::span<std::byte> registers, Bytes at, T value) {
    std::memcpy(registers.data() + at.value, &value, sizeof(T));
}

} // namespace

NvmeController::NvmeController(NvmeConfig config)
    : m_config(std::move(config)),
      m_medium_parts(m_config.media.size()),
      m_totals(m_config.media.size()) {
    CHECK(!m_config.media.empty() && m_config.media.size() <= namespaces_max);
    CHECK(m_config.queue_pairs_max >= 1 && m_config.queue_pairs_max < vectors);
    CHECK(m_config.entries_max >= 2 && m_config.serial.size() <= 20);
    for (u16 number = 0; number < m_config.media.size(); ++number) {
        auto const& each = m_config.media[number];
        each->placed(number);
        u32 const block = each->block_bytes();
        CHECK((block == 512 || block == 4096) && each->bytes() % block == 0 && each->bytes() != 0);
        m_is_simulated = m_is_simulated || each->needs_simulation();
    }
}

PciIdentity NvmeController::identity() const {
    return {
        .device = device_id,
        .class_and_revision = nvme::pci_class << 8 | 1,
        .subsystem = device_id,
        .register_bytes = register_bytes,
        .messages = {.vectors = vectors, .table = table_at, .pending = pending_at}};
}

u64 NvmeController::capabilities(NvmeConfig const& config) {
    constexpr u64 contiguous = u64{1} << 16, time_out = u64{0x1e} << 24; // 15 s
    constexpr u64 subsystem_reset = u64{1} << 36, nvm_commands = u64{1} << 37;
    return (u64{config.entries_max} - 1) | contiguous | time_out | subsystem_reset | nvm_commands |
           u64{page_log2_most} << 52;
}

void NvmeController::connected(std::function<void()> notice) {
    m_notice = notice;
    for (auto const& each : m_config.media) {
        each->connected(notice);
    }
}

void NvmeController::add_events(std::vector<int>& events) const {
    for (auto const& each : m_config.media) {
        if (each->descriptor() >= 0) {
            events.push_back(each->descriptor());
        }
    }
}

/// What is in flight may still be written to the kernel's memory: it ends first.
void NvmeController::pulled() {
    settle();
    for (auto const& each : m_config.media) {
        each->forget();
    }
    std::ranges::fill(m_medium_parts, 0);
    forget();
}

void NvmeController::settle() {
    for (auto const& each : m_config.media) {
        each->settle();
    }
}

void NvmeController::power_on(std::span<std::byte> registers) {
    bool const was_shut_down = (m_status & csts::shutdown_mask) == csts::shutdown_complete;
    m_unsafe_shutdowns += m_has_run != 0 && !was_shut_down ? 1 : 0;
    ++m_power_cycles;
    for (auto const& each : m_config.media) {
        each->cut_power();
    }
    std::ranges::fill(m_medium_parts, 0);
    forget();
    m_has_run = 0;
    m_configuration = 0;
    m_status = 0;
    m_admin_attributes = 0;
    m_admin_submissions = 0;
    m_admin_completions = 0;
    for (u16 number = 0; number < m_totals.size(); ++number) {
        m_totals[number].known_bytes = medium(number).bytes();
    }
    publish(registers);
}

/// The registers as the controller holds them, without the doorbells.
void NvmeController::publish(std::span<std::byte> registers) const {
    std::ranges::fill(registers.first(doorbells_at), std::byte{});
    put_register(registers, reg::capabilities, capabilities(m_config));
    put_register(registers, reg::version, version_1_4);
    put_register(registers, reg::mask_set, m_interrupt_mask);
    put_register(registers, reg::mask_clear, m_interrupt_mask);
    put_register(registers, reg::configuration, m_configuration);
    put_register(registers, reg::status, m_status);
    put_register(registers, reg::admin_attributes, m_admin_attributes);
    put_register(registers, reg::admin_submission, m_admin_submissions);
    put_register(registers, reg::admin_completion, m_admin_completions);
}

void NvmeController::publish_status(DeviceBus& bus) const {
    put_register(bus.registers(), reg::status, m_status);
}

void NvmeController::written(DeviceBus& bus, u64 offset) {
    u64 const in_doorbells = offset - doorbells_at;
    if (offset >= doorbells_at && offset < table_at) {
        // The neighbours are other processors', which may have written there just now and wait to
        // tell of it: nothing but the doorbell itself is touched.
        auto const doorbell =
            bus.registers().subspan(offset, std::min<u64>(sizeof(u32), table_at - offset));
        u32 value = 0;
        std::memcpy(&value, doorbell.data(), doorbell.size());
        std::ranges::fill(doorbell, std::byte{});
        if (in_doorbells % sizeof(u32) == 0) {
            ring(bus, static_cast<u32>(in_doorbells / sizeof(u32)), value);
        }
    } else if (offset < doorbells_at) {
        if (offset < registers_end) {
            write_register(bus, offset, bus.registers());
        }
        publish(bus.registers());
    }
}

void NvmeController::write_register(DeviceBus& bus, u64 offset, std::span<std::byte const> seen) {
    switch (offset) {
    case reg::mask_set.value:
        m_interrupt_mask |= get_register<u32>(seen, reg::mask_set);
        break;
    case reg::mask_clear.value:
        m_interrupt_mask &= ~get_register<u32>(seen, reg::mask_clear);
        break;
    case reg::configuration.value:
        write_configuration(bus, get_register<u32>(seen, reg::configuration) & configuration_bits);
        break;
    case reg::status.value:
        m_status &= ~(get_register<u32>(seen, reg::status) & csts::subsystem_reset_occurred);
        break;
    case reg::subsystem_reset.value:
        if (get_register<u32>(seen, reg::subsystem_reset) == reset_word) {
            reset_subsystem(bus);
        }
        break;
    case reg::admin_attributes.value:
        m_admin_attributes = get_register<u32>(seen, reg::admin_attributes) & attribute_bits;
        break;
    case reg::admin_submission.value:
    case reg::admin_submission.value + sizeof(u32):
        m_admin_submissions = get_register<u64>(seen, reg::admin_submission);
        break;
    case reg::admin_completion.value:
    case reg::admin_completion.value + sizeof(u32):
        m_admin_completions = get_register<u64>(seen, reg::admin_completion);
        break;
    default:
        break; // what cannot be written
    }
}

void NvmeController::write_configuration(DeviceBus& bus, u32 wanted) {
    u32 const before = m_configuration;
    m_configuration = wanted;
    bool const wants_shutdown = (wanted & cc::shutdown_mask) != 0;
    if (wants_shutdown && (before & cc::shutdown_mask) == 0) {
        begin_shutdown(bus);
    } else if (!wants_shutdown) {
        m_status &= ~csts::shutdown_mask;
    }
    bool const is_enabled = (wanted & cc::enable) != 0;
    if (is_enabled && (before & cc::enable) == 0 && m_is_stopping == 0) {
        start();
    } else if (!is_enabled && (before & cc::enable) != 0) {
        begin_stop(bus);
    }
}

bool NvmeController::can_start() const {
    u32 const page_log2 = m_configuration >> cc::page_size_shift & 0xf;
    u64 const mask = page_bytes() - 1;
    return page_log2 <= page_log2_most && (m_admin_submissions & mask) == 0 &&
           (m_admin_completions & mask) == 0 &&
           (m_configuration >> cc::command_set_shift & 7) == 0 &&
           (m_configuration >> cc::completion_size_shift & 0xf) == completion_log2 &&
           (m_configuration >> cc::submission_size_shift & 0xf) == submission_log2 &&
           (m_admin_attributes & 0xfff) != 0 && (m_admin_attributes >> 16 & 0xfff) != 0;
}

void NvmeController::start() {
    if (!can_start()) {
        m_status = csts::fatal;
        return;
    }
    m_submissions.assign(m_config.queue_pairs_max + u32{1}, {});
    m_completions.assign(m_config.queue_pairs_max + u32{1}, {});
    m_waiting.assign(m_completions.size(), {});
    m_submissions[0] = {.at = m_admin_submissions, .entries = (m_admin_attributes & 0xfff) + 1};
    m_completions[0] = {
        .at = m_admin_completions,
        .entries = (m_admin_attributes >> 16 & 0xfff) + 1,
        .has_interrupts = 1,
        .users = 1};
    m_has_run = 1;
    m_status = (m_status & csts::subsystem_reset_occurred) | csts::ready;
}

/// Nothing is taken any more, and what is in flight ends or is given up. Only then is the
/// controller not ready: no data arrives in memory afterwards.
void NvmeController::begin_stop(DeviceBus& bus) {
    m_is_stopping = 1;
    for (u16 number = 0; number < m_medium_parts.size(); ++number) {
        if (medium(number).withdraw_all()) {
            m_medium_parts[number] = 0;
        }
    }
    reap(bus); // ends it, if nothing is left
}

void NvmeController::end_stop(DeviceBus& bus) {
    forget();
    m_status &= csts::subsystem_reset_occurred;
    if ((m_configuration & cc::enable) != 0) {
        start();
    }
    publish(bus.registers());
}

/// What a controller reset forgets.
void NvmeController::forget() {
    m_is_stopping = 0;
    m_is_shutting_down = 0;
    m_has_made_queues = 0;
    m_masked_events = 0;
    m_interrupt_mask = 0;
    m_submissions.clear();
    m_completions.clear();
    m_waiting.clear();
    m_requests.clear();
    m_data.clear();
    m_free = nobody;
    m_event_requests.clear();
    m_events.clear();
    m_features = {};
    m_gathered = 0;
}

/// All that is written becomes durable. No more commands are to come, by the specification.
void NvmeController::begin_shutdown(DeviceBus& bus) {
    m_status = (m_status & ~csts::shutdown_mask) | csts::shutdown_occurring;
    m_is_shutting_down = 1;
    m_shutdown_parts = static_cast<u32>(m_medium_parts.size());
    for (u16 number = 0; number < m_medium_parts.size(); ++number) {
        ++m_medium_parts[number];
        medium(number).submit(bus, {.kind = NvmeOperation::Kind::flush, .tag = shutdown_tag});
    }
    start_media(bus);
}

void NvmeController::end_shutdown(DeviceBus& bus) {
    m_is_shutting_down = 0;
    if ((m_configuration & cc::shutdown_mask) != 0) {
        m_status = (m_status & ~csts::shutdown_mask) | csts::shutdown_complete;
        publish_status(bus);
    }
}

void NvmeController::reset_subsystem(DeviceBus& bus) {
    m_status |= csts::subsystem_reset_occurred;
    m_admin_attributes = 0;
    m_admin_submissions = 0;
    m_admin_completions = 0;
    m_configuration = 0;
    begin_stop(bus);
}

/// Queues cannot be reached: only a reset helps.
void NvmeController::fail(DeviceBus& bus) {
    m_status |= csts::fatal;
    publish_status(bus);
}

void NvmeController::archive(StateArchive& state) {
    state(m_configuration);
    state(m_status);
    state(m_admin_attributes);
    state(m_admin_submissions);
    state(m_admin_completions);
    state(m_interrupt_mask);
    state(m_is_stopping);
    state(m_is_shutting_down);
    state(m_has_made_queues);
    state(m_has_run);
    state(m_masked_events);
    state(m_shutdown_parts);
    state(m_submissions);
    state(m_completions);
    u64 queues = m_waiting.size();
    state(queues);
    m_waiting.resize(queues);
    for (std::vector<Waiting>& each : m_waiting) {
        state(each);
    }
    state(m_requests);
    m_data.resize(m_requests.size());
    for (NvmeData& each : m_data) {
        state(each.segments);
    }
    state(m_free);
    state(m_medium_parts);
    state(m_event_requests);
    state(m_events);
    state(m_features);
    state(m_totals);
    state(m_changed);
    state(m_errors);
    state(m_error_count);
    state(m_power_cycles);
    state(m_unsafe_shutdowns);
    state(m_counts);
    for (auto const& each : m_config.media) {
        each->archive(state);
    }
}

std::vector<std::byte> NvmeController::save() const {
    StateArchive state;
    // It only reads what it is given: one description serves both directions.
    const_cast<NvmeController&>(*this).archive(state);
    return state.take();
}

void NvmeController::load(std::span<std::byte const> saved) {
    settle(); // of the machine that this was
    for (auto const& each : m_config.media) {
        each->forget();
    }
    StateArchive in(saved);
    archive(in);
    CHECK(!in.has_failed() && in.is_at_end() && m_totals.size() == m_config.media.size());
    if (m_notice) {
        m_notice(); // outcomes may wait for their completions
    }
}

} // namespace hosted
