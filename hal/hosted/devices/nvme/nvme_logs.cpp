// Log pages of the NVMe controller. See nvme_controller.hpp.
#include "hal/hosted/devices/nvme/nvme_controller.hpp"

#include <algorithm>
#include <cstring>

namespace hosted {

namespace status = nvme::status;
using nvme::Command;
using nvme::do_not_retry;
using nvme::ErrorLogEntry;
using nvme::EventType;
using nvme::LogPage;

namespace {

constexpr u16 kelvin = 0x143; // there is nothing that could become warm
constexpr u16 more_bit = 1u << 13;

template<class T>
std::vector<std::byte> copy_of(T const& value) {
    auto const bytes = std::as_bytes(std::span(&value, 1));
    return {bytes.begin(), bytes.end()};
}

} // namespace

u16 NvmeController::get_log(DeviceBus& bus, Command const& command) {
    constexpr u32 keeps_event = u32{1} << 15;
    auto const page = static_cast<LogPage>(command.word10 & 0xff);
    u64 const words = (u64{command.word11 & 0xffff} << 16 | command.word10 >> 16) + 1;
    u64 const offset = u64{command.word13} << 32 | command.word12;
    u64 const wanted = words * sizeof(u32);
    bool const clears = (command.word10 & keeps_event) == 0;
    if (offset % sizeof(u32) != 0 || wanted > transfer_bytes_max()) {
        return status::invalid_field | do_not_retry;
    }
    std::vector<std::byte> content;
    std::optional<EventType> type;
    switch (page) {
    case LogPage::error:
        content = error_log();
        type = EventType::error;
        break;
    case LogPage::health:
        if (command.space != 0 && command.space != nvme::all_namespaces &&
            !has_namespace(command.space)) {
            return status::invalid_namespace | do_not_retry;
        }
        content = health_log(bus, command.space);
        type = EventType::health;
        break;
    case LogPage::firmware:
        content.resize(512);
        content[0] = std::byte{1};
        std::memcpy(&content[8], "1       ", 8);
        break;
    case LogPage::changed_namespaces:
        content = changed_log();
        type = EventType::notice;
        break;
    default:
        return status::invalid_field | do_not_retry;
    }
    if (offset >= content.size()) {
        return status::invalid_field | do_not_retry;
    }
    auto const from = std::span(content).subspan(offset);
    u16 const answer = answer_data(bus, command, from.first(std::min(wanted, from.size())));
    if (clears && type && answer == 0) {
        clear_events(static_cast<u8>(*type));
        if (page == LogPage::changed_namespaces) {
            m_changed.clear();
        }
    }
    return answer;
}

/// The latest first.
std::vector<std::byte> NvmeController::error_log() const {
    std::array<ErrorLogEntry, error_entries> entries{};
    u64 const count = std::min<u64>(m_error_count, error_entries);
    for (u64 i = 0; i < count; ++i) {
        entries[i] = m_errors[(m_error_count - 1 - i) % error_entries];
    }
    return copy_of(entries);
}

/// Of all namespaces where `space` is none.
std::vector<std::byte> NvmeController::health_log(DeviceBus& bus, u32 space) const {
    constexpr u64 unit_bytes = 1000 * 512;
    constexpr u64 hour_ns = u64{3600} * 1'000'000'000;
    Totals sum;
    bool is_read_only = false;
    for (u16 number = 0; number < m_totals.size(); ++number) {
        if (!has_namespace(space) || number == space - 1) {
            Totals const& each = m_totals[number];
            sum.bytes_read += each.bytes_read;
            sum.bytes_written += each.bytes_written;
            sum.reads += each.reads;
            sum.writes += each.writes;
            sum.media_errors += each.media_errors;
            is_read_only = is_read_only || medium(number).is_read_only();
        }
    }
    constexpr u8 warns_of_temperature = 2;
    nvme::HealthLog log{
        .critical_warning = has_wrong_temperature() ? warns_of_temperature : u8{0},
        .spare_percent = 100,
        .spare_threshold_percent = 10};
    std::memcpy(log.temperature_kelvin, &kelvin, sizeof(kelvin));
    log.units_read[0] = (sum.bytes_read + unit_bytes - 1) / unit_bytes;
    log.units_written[0] = (sum.bytes_written + unit_bytes - 1) / unit_bytes;
    log.reads[0] = sum.reads;
    log.writes[0] = sum.writes;
    log.power_cycles[0] = m_power_cycles;
    log.power_on_hours[0] = bus.now_ns() / hour_ns;
    log.unsafe_shutdowns[0] = m_unsafe_shutdowns;
    log.media_errors[0] = sum.media_errors;
    log.error_entries[0] = m_error_count;
    return copy_of(log);
}

/// Rising, without doubles, zeros behind.
std::vector<std::byte> NvmeController::changed_log() {
    std::array<u32, nvme::namespace_list_max> list{};
    std::ranges::sort(m_changed);
    std::ranges::copy(m_changed, list.begin());
    return copy_of(list);
}

bool NvmeController::has_wrong_temperature() const {
    return kelvin >= m_features.warm_kelvin || kelvin <= m_features.cold_kelvin;
}

/// An entry for a command that has failed. The answer is the bit of its status that says so.
u16 NvmeController::note_error(u16 queue, Command const& command, u16 answer) {
    note_error(
        {.submission_queue = queue,
         .command = command.id,
         .status = static_cast<u16>((answer | more_bit) << 1),
         .place = 0xffff,
         .first_block = queue == 0 ? 0 : u64{command.word11} << 32 | command.word10,
         .space = command.space});
    return more_bit;
}

void NvmeController::note_error(ErrorLogEntry entry) {
    entry.count = m_error_count + 1;
    m_errors[m_error_count % error_entries] = entry;
    ++m_error_count;
}

} // namespace hosted
