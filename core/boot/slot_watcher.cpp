// See slot_watcher.hpp.
#include "core/boot/slot_watcher.hpp"

#include "core/boot/bus_changes.hpp"
#include "core/boot/kernel.hpp"
#include "hal/clock.hpp"

namespace twofold::boot {

namespace {

using device::DriverRegistry;
using device::HotPlugPort;
using device::Removal;
using trace::LogLevel;

constexpr Nanos between_looks{i64{10} * 1'000'000};
/// What a device may take after its link runs (PCI Express Base Specification 5.0, section 6.6.1).
constexpr Nanos after_link{i64{100} * 1'000'000};

/// A device is in the slot, and nobody knows it.
Result<void> take_in(Rescan& rescan, HotPlugPort const& port, u16 segment, task::Threads& threads) {
    pci::Slot const& slot = port.slot();
    if (!slot.is_powered()) {
        slot.set_power(pci::Switch::on);
    }
    Nanos const deadline = hal::Clock::now() + pci::Slot::patience;
    while (!slot.has_link() && hal::Clock::now() < deadline) {
        threads.sleep_for(between_looks);
    }
    threads.sleep_for(after_link);
    return rescan.scan_bus(segment, port.bus());
}

/// What follows from what has happened to the slot of a port.
Result<void>
settle(Kernel& kernel, DriverRegistry& registry, HotPlugPort const& port, u16 segment) {
    Rescan rescan(*kernel.pci, registry);
    pci::SlotNews const news = port.slot().take_news();
    u8 const first = port.bus();
    u8 const last = port.last_bus();
    bool const is_known = rescan.is_known(segment, first);
    if (is_known && news.is_present && news.is_pressed) {
        rescan.take_away(segment, first, last, Removal::orderly);
        port.slot().set_power(pci::Switch::off);
        return {};
    }
    if (is_known && (!news.is_present || news.has_changed)) {
        rescan.take_away(segment, first, last, Removal::gone);
    }
    bool const is_new = news.is_present && !rescan.is_known(segment, first);
    return is_new ? take_in(rescan, port, segment, *kernel.threads) : Result<void>();
}

} // namespace

Result<void> SlotWatcher::begin() {
    if (m_thread != nullptr) {
        return {};
    }
    if (m_kernel.threads == nullptr) {
        return Error::not_supported;
    }
    m_changed.emplace(m_kernel.threads->waiting());
    m_is_over.store(0, relaxed);
    task::ThreadAttributes attributes;
    attributes.name = "slots";
    m_thread = TRY(m_kernel.threads->spawn(
        attributes, [](void* self) { static_cast<SlotWatcher*>(self)->run(); }, this));
    return {};
}

void SlotWatcher::end() {
    if (m_thread == nullptr) {
        return;
    }
    m_is_over.store(1, release);
    m_changed->set();
    m_kernel.threads->join(*m_thread).value(); // nobody else joins it
    m_thread = nullptr;
    m_changed.reset();
}

void SlotWatcher::run() {
    while (true) {
        m_changed->wait();
        if (m_is_over.load(acquire) != 0) {
            return;
        }
        m_changed->reset(); // before looking: what comes meanwhile is looked at again
        look();
    }
}

void SlotWatcher::look() {
    with_registry(*m_kernel.device_model, [this](DriverRegistry& registry) {
        FixedVector<pci::Address, ports_max> ports;
        registry.for_each([&](device::DeviceRecord const& record) {
            if (record.driver == &device::hot_plug_port_driver &&
                record.state == device::DeviceState::bound && ports.size() < ports_max) {
                ports.push_back(record.where).value();
            }
        });
        for (pci::Address const where : ports) {
            auto const& port = static_cast<HotPlugPort&>(*registry.find(where)->device);
            if (auto const done = settle(m_kernel, registry, port, where.segment); !done) {
                m_kernel.log(LogLevel::warning, "a slot's device is not known: {}", done.error());
            }
        }
    });
}

} // namespace twofold::boot
