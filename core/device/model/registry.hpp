// The registry of drivers: which functions there are, which driver has which, and the order in
// which all that changes.
//
// A function that has come is given to the first driver, in their order, that is for it. One whose
// probe fails is as it was before (containment.hpp), with the error kept; other functions go on,
// and it may be given to its driver again. A driver leaves its device because it is asked to, or
// because the device is gone; then it is asked too, and waits for nothing.
//
// One context at a time, and never from inside of a driver.
//
// Neighbours: driver.hpp is what drivers keep; who knows what is plugged in (core/boot, a port of
// PCI Express) tells of arrivals and departures.
#pragma once

#include "core/device/model/containment.hpp"
#include "core/device/model/driver.hpp"

#include <span>

namespace twofold::device {

enum class DeviceState : u8 {
    no_driver, ///< none is for it
    failed,    ///< its driver could not take it, or not go on after it was suspended
    bound,
    suspended,
    removed, ///< it is there, and its driver has left it
};
std::string_view device_state_name(DeviceState state);

/// What the registry knows of a function.
struct DeviceRecord {
    pci::Address where{};
    pci::Header header{};
    DeviceState state = DeviceState::no_driver;
    Driver const* driver = nullptr;         ///< that is for it; null: none
    std::optional<Error> error = {};        ///< why its driver failed
    BoundDevice* device = nullptr;          ///< while it is bound or suspended
    u64 turn = 0;                           ///< when it was bound: a later one is removed first
    std::optional<Containment> before = {}; ///< its driver had it
};

class DriverRegistry {
public:
    /// The drivers live for ever; what the environment names outlives this.
    DriverRegistry(DriverEnvironment const& environment, std::span<Driver const* const> drivers)
        : m_environment(environment), m_drivers(drivers), m_records(environment.heap) {}
    ~DriverRegistry();
    DriverRegistry(DriverRegistry const&) = delete;
    DriverRegistry& operator=(DriverRegistry const&) = delete;

    // Context thread, interrupts on, where nothing else is said. Complexity is that of the drivers,
    // and O(functions).

    /// Each function that is not known yet arrives. What fails at one does not keep others from
    /// it. Errors: out_of_memory (some are not known).
    Result<void> attach_all(std::span<pci::Function const> functions);
    /// The same for those that `driver`, one of the registry's, would be given; one whose probe has
    /// failed before is given to it again.
    Result<void> attach(std::span<pci::Function const> functions, Driver const& driver);
    /// A function is there: it is given to its driver, also where it was before and has none now.
    /// That there is none is no error. Errors: already_exists (a driver has it), out_of_memory,
    /// those of the driver's probe.
    Result<void> arrive(pci::Function const& function);
    /// The function's driver leaves it; where it is gone, it is forgotten. Errors: not_found,
    /// invalid_state (it is not gone, and no driver has it).
    Result<void> depart(pci::Address where, Removal how);
    /// Errors: not_found, invalid_state (it is not bound), those of the driver: it stays bound.
    Result<void> suspend(pci::Address where);
    /// Errors: not_found, invalid_state (it is not suspended), those of the driver: it has left.
    Result<void> resume(pci::Address where);
    /// Every driver leaves its device, the one that came last first.
    void remove_all();
    /// Every device comes to rest, the one that came last first, and masters the bus no more: for
    /// the end of the machine. What uses devices goes on to wait for them.
    void rest_all();
    /// The latter alone, for the end of a panic: any context. O(functions).
    void stop_all() const;

    /// Calls visit(record) in the order of arrival.
    template<class Visit>
    void for_each(Visit&& visit) const {
        for (DeviceRecord const& each : m_records.items()) {
            visit(each);
        }
    }
    /// Null: not known. Any context, as long as nothing changes.
    DeviceRecord const* find(pci::Address where) const;
    /// The first device that `driver` has; null: there is none.
    BoundDevice* first_of(Driver const& driver) const;
    /// Why the first device that `driver` was given and does not have is not its; nothing where it
    /// was given none.
    std::optional<Error> failure_of(Driver const& driver) const;
    DriverEnvironment const& environment() const { return m_environment; }

private:
    using Records = memory::Vector<DeviceRecord, memory::KernelHeap>;

    DeviceRecord* find_record(pci::Address where) const;
    Driver const* driver_for(pci::Function const& function) const;
    Result<void> probe(DeviceRecord& record, pci::Function const& function);
    void leave(DeviceRecord& record, Removal how, DeviceState state);
    void forget(DeviceRecord& record);
    DeviceRecord* last_in(DeviceState state);
    void stop(DeviceRecord const& record) const;

    DriverEnvironment m_environment;
    std::span<Driver const* const> m_drivers;
    Records m_records; ///< in the order of arrival
    u64 m_turn = 0;
};

} // namespace twofold::device
