// What a driver maps for its device: the machine's contract (hal/dma.hpp), and a count of what is
// still mapped.
//
//     DmaSpace dma(function.where);
//     DmaMapping const rings = TRY(dma.map(memory, size, hal::DmaDirection::both));
//     ... the device is told rings.address ...
//     dma.unmap(rings);
#pragma once

#include "core/sync/sync.hpp"
#include "hal/cpu.hpp"
#include "hal/dma.hpp"

namespace twofold::device {

/// A piece of memory that a device reaches. A value; who holds it undoes it.
struct DmaMapping {
    hal::DmaAddress address{};
    Bytes size{};
    hal::DmaDirection direction{};
};

/// The view of one device. Its operations: any context up to irq, O(pages), several at a time.
class DmaSpace {
public:
    /// Of a device that is on no bus which the machine watches.
    DmaSpace() = default;
    explicit DmaSpace(hal::PciAddress function) : m_domain(hal::Dma::domain(function)) {}
    /// A device must not keep what its driver gave up; a seeded bug lets one.
    ~DmaSpace() { CHECK(mapped() == 0 || mutant(Mutant::device_stop_missing)); }
    DmaSpace(DmaSpace const&) = delete;
    DmaSpace& operator=(DmaSpace const&) = delete;

    /// Errors: out_of_range, no_space.
    Result<DmaMapping> map(PhysAddr memory, Bytes size, hal::DmaDirection direction) {
        auto const address = TRY(hal::Dma::map(m_domain, memory, size, direction));
        counter().fetch_add(1, relaxed);
        return DmaMapping{address, size, direction};
    }
    void unmap(DmaMapping const& mapping) {
        hal::Dma::unmap(m_domain, mapping.address, mapping.size, mapping.direction);
        counter().fetch_sub(1, relaxed);
    }
    /// Mappings that are not undone; exact while nobody maps or unmaps. O(1).
    u64 mapped() const {
        u64 sum = 0;
        for (Counter const& each : m_counters) {
            sum += each.mapped.load(relaxed); // one alone may be below 0, modulo 2^64
        }
        return sum;
    }

private:
    /// Processors that do it at the same time do not meet.
    struct alignas(sync::cache_line_bytes) Counter {
        Atomic<u64> mapped{0};
    };
    static constexpr u32 counters = 8;

    Atomic<u64>& counter() { return m_counters[hal::Cpu::id().value % counters].mapped; }

    hal::DmaDomain m_domain{};
    Counter m_counters[counters];
};

} // namespace twofold::device
