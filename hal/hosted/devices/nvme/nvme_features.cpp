// Features of the NVMe controller. See nvme_controller.hpp.
#include "hal/hosted/devices/nvme/nvme_controller.hpp"

namespace hosted {

namespace status = nvme::status;
using nvme::Command;
using nvme::do_not_retry;
using nvme::Feature;

namespace {

constexpr u16 not_of_a_namespace = 0x10f; // "Feature Not Namespace Specific"
constexpr u32 save_bit = u32{1} << 31;
constexpr u32 no_limit = 7; // of the arbitration burst
constexpr u32 warm_kelvin_default = 0x157;
constexpr u32 changeable = 4, of_a_namespace = 2; // as "supported capabilities" has them

bool is_feature(u8 feature) {
    return feature >= static_cast<u8>(Feature::arbitration) &&
           feature <= static_cast<u8>(Feature::asynchronous_events) && feature != 0x03;
}

u32 capabilities_of(u8 feature) {
    switch (static_cast<Feature>(feature)) {
    case Feature::error_recovery:
        return changeable | of_a_namespace;
    case Feature::temperature_threshold:
    case Feature::volatile_write_cache:
    case Feature::number_of_queues:
    case Feature::asynchronous_events:
        return changeable;
    default:
        return 0;
    }
}

// Word 11 of the temperature threshold.
constexpr u32 sensor_of(u32 word) {
    return word >> 16 & 0xf;
}
constexpr u32 direction_of(u32 word) {
    return word >> 20 & 3;
}

} // namespace

/// Of a feature that each namespace has for itself, or none.
u16 NvmeController::check_feature_namespace(u8 feature, u32 space) const {
    if ((capabilities_of(feature) & of_a_namespace) == 0) {
        return 0;
    }
    if (!is_valid_space(space) || space == nvme::all_namespaces) {
        return status::invalid_namespace | do_not_retry;
    }
    return has_namespace(space) ? u16{0} : static_cast<u16>(status::invalid_field | do_not_retry);
}

NvmeController::Answer NvmeController::get_features(Command const& command) const {
    auto const feature = static_cast<u8>(command.word10);
    u32 const select = command.word10 >> 8 & 7;
    constexpr u32 current = 0, supported = 3;
    if (!is_feature(feature)) {
        return {status::invalid_field | do_not_retry};
    }
    if (u16 const failed = check_feature_namespace(feature, command.space); failed != 0) {
        return {failed};
    }
    if (select == supported) {
        return {0, capabilities_of(feature)};
    }
    bool const is_current = select == current;
    u32 const pairs = m_config.queue_pairs_max - u32{1};
    switch (static_cast<Feature>(feature)) {
    case Feature::arbitration:
        return {0, no_limit};
    case Feature::temperature_threshold:
        if (sensor_of(command.word11) != 0) {
            return {};
        }
        if (direction_of(command.word11) > 1) {
            return is_current ? Answer{status::invalid_field | do_not_retry} : Answer{};
        }
        if (direction_of(command.word11) == 0) {
            return {0, is_current ? m_features.warm_kelvin : warm_kelvin_default};
        }
        return {0, is_current ? m_features.cold_kelvin : u32{0}};
    case Feature::volatile_write_cache:
        return {0, is_current ? m_features.has_cache : u32{0}};
    case Feature::number_of_queues:
        return {0, pairs << 16 | pairs};
    case Feature::interrupt_vector: {
        u32 const vector = command.word11 & 0xffff;
        if (vector >= vectors) {
            return {status::invalid_field | do_not_retry};
        }
        constexpr u32 not_coalesced = u32{1} << 16;
        return {0, vector | (vector == 0 ? not_coalesced : 0)};
    }
    case Feature::asynchronous_events:
        return {0, is_current ? m_features.events : u32{0}};
    default:
        return {};
    }
}

NvmeController::Answer NvmeController::set_features(DeviceBus& bus, u32 tag) {
    Command const command = m_requests[tag].command;
    auto const feature = static_cast<u8>(command.word10);
    u32 const capabilities = capabilities_of(feature);
    u32 const value = command.word11;
    if ((command.word10 & save_bit) != 0) {
        return {status::feature_not_saveable | do_not_retry};
    }
    if (!is_feature(feature)) {
        return {status::invalid_field | do_not_retry};
    }
    if ((capabilities & of_a_namespace) != 0) {
        bool const is_one = command.space != nvme::all_namespaces;
        if (u16 const failed = is_one ? check_feature_namespace(feature, command.space) : u16{0};
            failed != 0) {
            return {failed};
        }
    } else if (command.space != 0 && command.space != nvme::all_namespaces) {
        bool const is_valid = is_valid_space(command.space);
        return {static_cast<u16>(
            (is_valid ? not_of_a_namespace : status::invalid_namespace) | do_not_retry)};
    }
    if ((capabilities & changeable) == 0) {
        return {status::feature_not_changeable | do_not_retry};
    }
    switch (static_cast<Feature>(feature)) {
    case Feature::temperature_threshold:
        return set_temperature(bus, value);
    case Feature::volatile_write_cache:
        return set_cache(bus, tag, (value & 1) != 0);
    case Feature::number_of_queues: {
        if (m_has_made_queues != 0) {
            return {status::command_sequence_error | do_not_retry};
        }
        if ((value & 0xffff) == 0xffff || value >> 16 == 0xffff) {
            return {status::invalid_field | do_not_retry};
        }
        u32 const pairs = m_config.queue_pairs_max - u32{1};
        return {0, pairs << 16 | pairs};
    }
    case Feature::asynchronous_events:
        m_features.events = value;
        return {};
    default:
        return {}; // error recovery: no namespace has what it could switch on
    }
}

NvmeController::Answer NvmeController::set_temperature(DeviceBus& bus, u32 value) {
    constexpr u8 health = static_cast<u8>(nvme::EventType::health);
    constexpr u8 temperature_passed = 1;
    constexpr u32 wants_temperature = 2;
    if (sensor_of(value) != 0) {
        return {}; // there is one
    }
    if (direction_of(value) > 1) {
        return {status::invalid_field | do_not_retry};
    }
    auto const kelvin = static_cast<u16>(value);
    (direction_of(value) == 0 ? m_features.warm_kelvin : m_features.cold_kelvin) = kelvin;
    if (has_wrong_temperature() && (m_features.events & wants_temperature) != 0) {
        add_event(bus, {health, temperature_passed, static_cast<u8>(nvme::LogPage::health)});
    }
    return {};
}

/// Without the cache each write is durable when it is done; what was written before becomes so.
NvmeController::Answer NvmeController::set_cache(DeviceBus& bus, u32 tag, bool is_on) {
    bool const was_on = m_features.has_cache != 0;
    m_features.has_cache = is_on ? 1 : 0;
    if (!was_on || is_on) {
        return {};
    }
    m_requests[tag].parts = 0;
    for (u16 number = 0; number < m_medium_parts.size(); ++number) {
        submit(bus, tag, number, {.kind = NvmeOperation::Kind::flush});
    }
    return {pending};
}

} // namespace hosted
