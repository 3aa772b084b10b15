// What a driver maps for its device: the machine's contract (hal/dma.hpp), and a count of what is
// still mapped. A queue, which maps for each request, has a lane: there is no count that others
// change, too.
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
        m_mapped.fetch_add(1, relaxed);
        return DmaMapping{address, size, direction};
    }
    void unmap(DmaMapping const& mapping) {
        hal::Dma::unmap(m_domain, mapping.address, mapping.size, mapping.direction);
        m_mapped.fetch_sub(1, relaxed);
    }
    /// Mappings that are not undone; exact while nobody maps or unmaps. O(1).
    u64 mapped() const { return m_mapped.load(relaxed); }

private:
    friend class DmaLane;

    hal::DmaDomain m_domain{};
    Atomic<u64> m_mapped{0};
};

/// The mappings of one holder in a space, which outlives it. Under a lock of the holder's; else as
/// the space's own.
class DmaLane {
public:
    explicit DmaLane(DmaSpace const& space) : m_domain(space.m_domain) {}
    ~DmaLane() { CHECK(m_mapped == 0 || mutant(Mutant::device_stop_missing)); }
    DmaLane(DmaLane const&) = delete;
    DmaLane& operator=(DmaLane const&) = delete;

    Result<DmaMapping> map(PhysAddr memory, Bytes size, hal::DmaDirection direction) {
        auto const address = TRY(hal::Dma::map(m_domain, memory, size, direction));
        ++m_mapped;
        return DmaMapping{address, size, direction};
    }
    void unmap(DmaMapping const& mapping) {
        hal::Dma::unmap(m_domain, mapping.address, mapping.size, mapping.direction);
        --m_mapped;
    }

private:
    hal::DmaDomain m_domain;
    u64 m_mapped = 0;
};

} // namespace twofold::device
