// A namespace of a controller as a block device: "nvme0n1".
#pragma once

#include "core/device/nvme/queue_pair.hpp"

namespace twofold::nvme {

class Controller; // NOLINT(cppcoreguidelines-virtual-class-destructor): it is final

class NamespaceDevice final : public block::Device {
public:
    using Name = FixedString<24>;

    /// Of number `number`, in memory of the heap, until it is closed. Errors: out_of_memory.
    static Result<NamespaceDevice*> open(
        Controller& controller,
        memory::KernelHeap& heap,
        u32 number,
        u32 controller_number,
        NamespaceFacts const& facts,
        block::Geometry const& geometry);

    block::Geometry const& geometry() const override { return *m_geometry.load(acquire); }
    std::string_view name() const override { return m_name; }
    Result<void> submit(block::Request& request) override;
    void hold() override;
    void release() override;
    u32 poll() override;
    Nanos poll_time() const override;
    void close() override;

    u32 number() const { return m_number; }
    NamespaceFacts const& facts() const { return m_facts; }
    Controller& controller() { return m_controller; }
    /// It goes by another number of its controller from now on. Nobody uses it yet.
    void rename(u32 controller_number);
    /// Whether others have been told of it.
    bool is_announced() const { return m_is_announced; }
    void note_announced() { m_is_announced = true; }
    /// It is of another size. One context at a time.
    void change(NamespaceFacts const& facts, block::Geometry const& geometry);
    /// It is no longer there: what is submitted is refused. Any context.
    void forsake() { m_is_gone.store(1, twofold::release); }

private:
    NamespaceDevice(
        Controller& controller,
        memory::KernelHeap& heap,
        u32 number,
        NamespaceFacts const& facts,
        block::Geometry const& geometry)
        : m_controller(controller),
          m_heap(heap),
          m_number(number),
          m_facts(facts),
          m_geometries{geometry, geometry},
          m_geometry(&m_geometries[0]) {}
    ~NamespaceDevice() = default;

    Controller& m_controller;
    memory::KernelHeap& m_heap;
    u32 m_number;
    NamespaceFacts m_facts;
    block::Geometry m_geometries[2]; ///< of which one is looked at while the other changes
    Atomic<block::Geometry const*> m_geometry;
    Atomic<u32> m_is_gone{0};
    Name m_name;
    bool m_is_announced = false;
};

} // namespace twofold::nvme
