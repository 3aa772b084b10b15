// See registry.hpp.
#include "core/device/model/registry.hpp"

#include <algorithm>

namespace twofold::device {

std::string_view device_state_name(DeviceState state) {
    switch (state) {
    case DeviceState::no_driver:
        return "no driver";
    case DeviceState::failed:
        return "failed";
    case DeviceState::bound:
        return "bound";
    case DeviceState::suspended:
        return "suspended";
    case DeviceState::removed:
        return "removed";
    }
    UNREACHABLE();
}

DriverRegistry::~DriverRegistry() {
    for_each([](DeviceRecord const& each) { CHECK(each.device == nullptr); });
}

DeviceRecord* DriverRegistry::find_record(pci::Address where) const {
    auto const records = m_records.items();
    auto const found = std::ranges::find(records, where, &DeviceRecord::where);
    return found == records.end() ? nullptr : &*found;
}

DeviceRecord const* DriverRegistry::find(pci::Address where) const {
    return find_record(where);
}

BoundDevice* DriverRegistry::first_of(Driver const& driver) const {
    for (DeviceRecord const& each : m_records.items()) {
        if (each.driver == &driver && each.device != nullptr) {
            return each.device;
        }
    }
    return nullptr;
}

std::optional<Error> DriverRegistry::failure_of(Driver const& driver) const {
    for (DeviceRecord const& each : m_records.items()) {
        if (each.driver == &driver && each.error) {
            return each.error;
        }
    }
    return std::nullopt;
}

Driver const* DriverRegistry::driver_for(pci::Function const& function) const {
    auto const found = std::ranges::find_if(
        m_drivers, [&](Driver const* driver) { return driver->matches(function); });
    return found == m_drivers.end() ? nullptr : *found;
}

Result<void> DriverRegistry::attach_all(std::span<pci::Function const> functions) {
    Result<void> outcome;
    for (pci::Function const& function : functions) {
        bool const is_known = find_record(function.where) != nullptr;
        auto const arrived = is_known ? Result<void>() : arrive(function);
        if (!arrived && find_record(function.where) == nullptr) {
            outcome = arrived.error();
        }
    }
    return outcome;
}

Result<void>
DriverRegistry::attach(std::span<pci::Function const> functions, Driver const& driver) {
    Result<void> outcome;
    for (pci::Function const& function : functions) {
        DeviceRecord const* const known = find_record(function.where);
        bool const is_due = known == nullptr || known->state == DeviceState::failed;
        if (!is_due || driver_for(function) != &driver) {
            continue;
        }
        auto const arrived = arrive(function);
        if (!arrived && find_record(function.where) == nullptr) {
            outcome = arrived.error();
        }
    }
    return outcome;
}

Result<void> DriverRegistry::arrive(pci::Function const& function) {
    DeviceRecord* record = find_record(function.where);
    if (record != nullptr && record->device != nullptr) {
        return Error::already_exists;
    }
    if (record == nullptr) {
        TRY(m_records.push(DeviceRecord{.where = function.where}));
        record = find_record(function.where);
    }
    record->header = function.header;
    record->driver = driver_for(function);
    record->error.reset();
    record->state = DeviceState::no_driver;
    return record->driver == nullptr ? Result<void>() : probe(*record, function);
}

/// Gives the function to the record's driver, and takes it back where that fails.
Result<void> DriverRegistry::probe(DeviceRecord& record, pci::Function const& function) {
    Containment const before(m_environment.configuration, function);
    auto const device = record.driver->probe(m_environment, function);
    if (!device) {
        before.restore(m_environment.configuration);
        record.state = DeviceState::failed;
        record.error = device.error();
        return device.error();
    }
    CHECK(device.value() != nullptr);
    record.before = before;
    record.device = device.value();
    record.state = DeviceState::bound;
    record.turn = ++m_turn;
    return {};
}

/// The record's driver leaves its device.
void DriverRegistry::leave(DeviceRecord& record, Removal how, DeviceState state) {
    record.device->remove(how);
    if (how == Removal::orderly) {
        record.before->restore(m_environment.configuration);
    }
    record.device = nullptr;
    record.before.reset();
    record.state = state;
}

void DriverRegistry::forget(DeviceRecord& record) {
    pci::Address const where = record.where;
    auto const records = m_records.items();
    auto const after = std::ranges::remove(records, where, &DeviceRecord::where);
    CHECK(after.size() == 1);
    static_cast<void>(m_records.pop()); // what is left of it
}

Result<void> DriverRegistry::depart(pci::Address where, Removal how) {
    DeviceRecord* const record = find_record(where);
    if (record == nullptr) {
        return Error::not_found;
    }
    if (record->device == nullptr && how == Removal::orderly) {
        return Error::invalid_state;
    }
    if (record->device != nullptr) {
        leave(*record, how, DeviceState::removed);
    }
    if (how == Removal::gone) {
        forget(*record);
    }
    return {};
}

Result<void> DriverRegistry::suspend(pci::Address where) {
    DeviceRecord* const record = find_record(where);
    if (record == nullptr || record->state != DeviceState::bound) {
        return record == nullptr ? Error::not_found : Error::invalid_state;
    }
    TRY(record->device->suspend());
    record->state = DeviceState::suspended;
    return {};
}

Result<void> DriverRegistry::resume(pci::Address where) {
    DeviceRecord* const record = find_record(where);
    if (record == nullptr || record->state != DeviceState::suspended) {
        return record == nullptr ? Error::not_found : Error::invalid_state;
    }
    if (auto const resumed = record->device->resume(); !resumed) {
        record->error = resumed.error();
        leave(*record, Removal::orderly, DeviceState::failed);
        return resumed.error();
    }
    record->state = DeviceState::bound;
    return {};
}

/// The record in that state that was bound last; null: there is none.
DeviceRecord* DriverRegistry::last_in(DeviceState state) {
    DeviceRecord* last = nullptr;
    for (DeviceRecord& each : m_records.items()) {
        if (each.state == state && (last == nullptr || each.turn > last->turn)) {
            last = &each;
        }
    }
    return last;
}

void DriverRegistry::remove_all() {
    for (DeviceState const state : {DeviceState::bound, DeviceState::suspended}) {
        while (DeviceRecord* const last = last_in(state)) {
            leave(*last, Removal::orderly, DeviceState::removed);
        }
    }
}

void DriverRegistry::rest_all() {
    while (DeviceRecord* const last = last_in(DeviceState::bound)) {
        // One that does not come to rest masters the bus no more either.
        auto const rests = last->device->suspend();
        last->error = rests ? std::nullopt : std::optional(rests.error());
        last->state = DeviceState::suspended;
        stop(*last);
    }
}

/// The device masters the bus no more; a bridge goes on, for those behind it.
void DriverRegistry::stop(DeviceRecord const& record) const {
    if (record.header.kind != pci::HeaderKind::bridge) {
        Containment::stop(pci::FunctionSpace(m_environment.configuration, record.where));
    }
}

void DriverRegistry::stop_all() const {
    for (DeviceRecord const& each : m_records.items()) {
        if (each.device != nullptr) {
            stop(each);
        }
    }
}

} // namespace twofold::device
