// See namespace_device.hpp.
#include "core/device/nvme/namespace_device.hpp"

#include "core/device/nvme/controller.hpp"

#include <new>

namespace twofold::nvme {

Result<NamespaceDevice*> NamespaceDevice::open(
    Controller& controller,
    memory::KernelHeap& heap,
    u32 number,
    u32 controller_number,
    NamespaceFacts const& facts,
    block::Geometry const& geometry) {
    auto* const room = TRY(memory::allocate_room<NamespaceDevice>(heap, 1));
    auto* const device = new (room) NamespaceDevice(controller, heap, number, facts, geometry);
    device->rename(controller_number);
    return device;
}

void NamespaceDevice::rename(u32 controller_number) {
    char text[Name::capacity()];
    m_name.clear();
    m_name.append(format_to(std::span(text), "nvme{}n{}", controller_number, m_number).text)
        .value(); // two numbers of 32 bits have no more digits
}

void NamespaceDevice::close() {
    memory::KernelHeap& heap = m_heap;
    this->~NamespaceDevice();
    memory::free_room(heap, this);
}

Result<void> NamespaceDevice::submit(block::Request& request) {
    TRY(block::check(request, geometry()));
    if (m_is_gone.load(acquire) != 0) {
        return Error::io_failed;
    }
    if (request.operation == block::Operation::flush && mutant(Mutant::device_flush_skipped)) {
        request.done(request, {});
        return {};
    }
    IoRoom& room = request.make_room<IoRoom>();
    room.space = m_number;
    return m_controller.queue_here().submit(request);
}

void NamespaceDevice::hold() {
    m_controller.queue_here().hold();
}

void NamespaceDevice::release() {
    m_controller.queue_here().release();
}

u32 NamespaceDevice::poll() {
    return m_controller.poll();
}

Nanos NamespaceDevice::poll_time() const {
    return m_controller.poll_time();
}

void NamespaceDevice::change(NamespaceFacts const& facts, block::Geometry const& geometry) {
    bool const is_first = m_geometry.load(relaxed) == &m_geometries[0];
    block::Geometry& other = m_geometries[is_first ? 1 : 0];
    other = geometry;
    m_facts = facts;
    m_geometry.store(&other, twofold::release);
}

} // namespace twofold::nvme
