// The device `edu` on the hosted machine, for the driver of docs/guides/write-a-driver.md: as QEMU
// has it, but that its identification says revision 2.0, in which its DMA reaches all addresses;
// those that the hosted machine has devices use lie above 2^46.
//
// A factorial is done at once. One of a device that holds them stays under way for good, for who
// wants to do something meanwhile.
//
// Invariant: beside its registers there is the 4 KiB buffer, and how many factorials are held.
//
// Source: QEMU, docs/specs/edu.rst.
#pragma once

#include "hal/hosted/devices/pci_device.hpp"

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

namespace edu {

using namespace twofold;

class EduTwin final : public hosted::PciDevice {
public:
    enum class Factorials : u8 { at_once, held };

    explicit EduTwin(Factorials factorials = Factorials::at_once) : m_factorials(factorials) {}

    /// How many were begun and are held. Any thread.
    u32 held() const { return m_held; }

    hosted::PciIdentity identity() const override {
        return {
            .device = 0x11e8,
            .class_and_revision = 0x00ff'0010,
            .register_bytes = page_size.value,
            .vendor = 0x1234};
    }
    void power_on(std::span<std::byte> registers) override {
        m_buffer = {};
        m_held = 0;
        put(registers, identification, 0x0200'00ed);
    }
    void written(hosted::DeviceBus& bus, u64 offset) override;
    void due(hosted::DeviceBus&, u64) override {} // it asks for no moments
    bool needs_simulation() const override { return false; }
    std::vector<std::byte> save() const override { return {m_buffer.begin(), m_buffer.end()}; }
    void load(std::span<std::byte const> state) override {
        std::memcpy(m_buffer.data(), state.data(), m_buffer.size());
    }

private:
    static constexpr u64 identification = 0x00, liveness = 0x04, factorial = 0x08, status = 0x20,
                         raised = 0x24, raise = 0x60, acknowledge = 0x64, dma_from = 0x80,
                         dma_to = 0x88, dma_bytes = 0x90, dma_command = 0x98;
    static constexpr u32 computing = 0x01, wants_interrupt = 0x80;
    static constexpr u32 of_factorial = 0x001, of_dma = 0x100;
    static constexpr u64 run = 1, to_memory = 2, interrupts = 4;
    static constexpr u64 buffer_at = 0x40000;

    template<class T>
    static T get(std::span<std::byte const> registers, u64 offset) {
        T value{};
        std::memcpy(&value, registers.data() + offset, sizeof(value));
        return value;
    }
    template<class T>
    static void put(std::span<std::byte> registers, u64 offset, T value) {
        std::memcpy(registers.data() + offset, &value, sizeof(value));
    }
    void interrupt(hosted::DeviceBus& bus, u32 bits) {
        auto const registers = bus.registers();
        put(registers, raised, get<u32>(registers, raised) | bits);
        bus.interrupt();
    }
    void compute(hosted::DeviceBus& bus);
    void move(hosted::DeviceBus& bus);

    Factorials m_factorials;
    std::array<std::byte, 4096> m_buffer{};
    std::atomic<u32> m_held = 0;
};

inline void EduTwin::written(hosted::DeviceBus& bus, u64 offset) {
    auto const registers = bus.registers();
    switch (offset) {
    case liveness:
        put(registers, liveness, ~get<u32>(registers, liveness));
        break;
    case factorial:
        compute(bus);
        break;
    case status: { // one bit of it can be written
        u32 const now = m_held != 0 ? computing : 0;
        put(registers, status, (get<u32>(registers, status) & wants_interrupt) | now);
        break;
    }
    case raise:
        interrupt(bus, get<u32>(registers, raise));
        break;
    case acknowledge:
        put(registers, raised, get<u32>(registers, raised) & ~get<u32>(registers, acknowledge));
        break;
    case dma_command:
        move(bus);
        break;
    case identification:
        put(registers, identification, 0x0200'00ed);
        break;
    default:
        break;
    }
}

inline void EduTwin::compute(hosted::DeviceBus& bus) {
    auto const registers = bus.registers();
    if (m_factorials == Factorials::held) {
        put(registers, status, get<u32>(registers, status) | computing);
        ++m_held;
        return;
    }
    u32 product = 1;
    for (u32 left = get<u32>(registers, factorial); left > 0; --left) {
        product *= left; // modulo 2^32, as that of QEMU
    }
    put(registers, factorial, product);
    if ((get<u32>(registers, status) & wants_interrupt) != 0) {
        interrupt(bus, of_factorial);
    }
}

/// What lies outside of its buffer, or what it does not reach, is not moved; QEMU ends itself then.
inline void EduTwin::move(hosted::DeviceBus& bus) {
    auto const registers = bus.registers();
    u64 const command = get<u64>(registers, dma_command);
    if ((command & run) == 0) {
        return;
    }
    bool const is_in = (command & to_memory) != 0;
    u64 const from = get<u64>(registers, dma_from), to = get<u64>(registers, dma_to);
    u64 const place = (is_in ? from : to) - buffer_at;
    u64 const bytes = get<u64>(registers, dma_bytes);
    put(registers, dma_command, command & ~run);
    if (place > m_buffer.size() || bytes > m_buffer.size() - place) {
        return;
    }
    auto const inside = std::span(m_buffer).subspan(place, bytes);
    bool const is_moved = is_in ? bus.write({to}, inside) : bus.read({from}, inside);
    if (is_moved && (command & interrupts) != 0) {
        interrupt(bus, of_dma);
    }
}

} // namespace edu

namespace twofold {

inline std::vector<std::shared_ptr<hosted::PciDevice>> make_twins() {
    return {std::make_shared<edu::EduTwin>()};
}

} // namespace twofold
