// A driver of a device with rings (ring_queue.hpp) as the registry has it.
#pragma once

#include "core/device/model/driver.hpp"
#include "core/device/ring/ring_queue.hpp"

#include <memory>
#include <utility>

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

    /// The driver stays, until as many have let go of it. Of the registry's context.
    void hold() { m_users.fetch_add(1, relaxed); }
    /// Any context.
    void let_go() { m_users.fetch_sub(1, release); }

    /// Those who hold it are given errors, and waited for.
    void remove(Removal) override {
        m_driver.queue().abandon(); // which waits for no device
        while (m_users.load(acquire) != 0) {
            wait_a_little();
        }
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
    Atomic<u32> m_users{0};
};

/// A driver that does not go while this lives.
template<class D>
class HeldRing {
public:
    /// In the registry's context.
    explicit HeldRing(BoundRing<D>& bound) : m_bound(&bound) { bound.hold(); }
    HeldRing(HeldRing&& other) noexcept : m_bound(std::exchange(other.m_bound, nullptr)) {}
    HeldRing(HeldRing const&) = delete;
    HeldRing& operator=(HeldRing&& other) noexcept {
        std::swap(m_bound, other.m_bound);
        return *this;
    }
    HeldRing& operator=(HeldRing const&) = delete;
    ~HeldRing() { let_go(); }

    D& driver() const { return m_bound->driver(); }
    /// It may go from now on.
    void let_go() {
        if (auto* const bound = std::exchange(m_bound, nullptr)) {
            bound->let_go();
        }
    }

private:
    BoundRing<D>* m_bound;
};

} // namespace twofold::device
