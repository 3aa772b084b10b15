// A driver of a device with rings (ring_queue.hpp) as the registry has it.
#pragma once

#include "core/device/model/driver.hpp"
#include "core/device/ring/ring_queue.hpp"

#include <memory>

namespace twofold::device {

/// `D` has a queue: D::open and close, queue(), device_id.
template<class D>
class BoundRing final : public BoundDevice {
public:
    static bool matches(pci::Function const& function) {
        return function.header.vendor == ring_vendor && function.header.device == D::device_id;
    }
    /// Errors: those of D::open, out_of_memory.
    static Result<BoundDevice*>
    probe(DriverEnvironment const& environment, pci::Function const& function) {
        auto* const room = TRY(memory::allocate_room<BoundRing>(environment.heap, 1));
        auto const opened = D::open(environment, function);
        if (!opened) {
            memory::free_room(environment.heap, room);
            return opened.error();
        }
        return std::construct_at(room, environment.heap, *opened.value());
    }

    BoundRing(memory::KernelHeap& heap, D& driver) : m_heap(heap), m_driver(driver) {}
    D& driver() { return m_driver; }

    void remove(Removal) override {
        m_driver.queue().abandon(); // which waits for no device
        m_driver.close();
        memory::KernelHeap& heap = m_heap;
        std::destroy_at(this);
        memory::free_room(heap, this);
    }
    Result<void> suspend() override { return m_driver.queue().suspend(); }
    Result<void> resume() override { return m_driver.queue().resume(); }

private:
    memory::KernelHeap& m_heap;
    D& m_driver;
};

} // namespace twofold::device
