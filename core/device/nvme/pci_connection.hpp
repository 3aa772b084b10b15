// A controller on the PCI bus: its registers in base address 0, its vectors by MSI-X, and a thread
// for each kind of errand, where there are threads.
#pragma once

#include "core/device/environment.hpp"
#include "core/device/nvme/connection.hpp"
#include "core/device/nvme/registers.hpp"
#include "core/task/task.hpp"

#include <optional>

namespace twofold::nvme {

class PciConnection final : public Connection {
public:
    /// Has the function decode and reach memory. In memory of the heap, until it is closed. Context
    /// thread. Errors: not_supported (no such registers, or no MSI-X), out_of_memory, no_space.
    static Result<PciConnection*>
    open(device::DriverEnvironment const& environment, pci::Function const& function);

    Registers registers() const { return {m_registers, m_register_bytes}; }

    u32 vectors() const override { return m_msix.vectors; }
    Result<void> bind(u32 vector, CpuId cpu, processor::InterruptBinding const& binding) override;
    void mask(u32 vector) override;
    void unmask(u32 vector) override;
    void restore() override;
    Result<void> begin_errands(Errands const& errands) override;
    void request_errand(ErrandKind kind) override;
    void unbind() override;
    void cut_off() override;
    void close() override;

private:
    static constexpr usize bound_max = 65;

    PciConnection(device::DriverEnvironment const& environment, pci::Function const& function)
        : m_environment(environment),
          m_space(environment.configuration, function.where),
          m_msix(*function.msix) {}
    ~PciConnection() = default;

    Result<void> map(pci::Function const& function, pci::Bar const& registers);
    Result<VirtAddr> show(pci::Function const& function, u8 bar, u32 offset, Bytes size);
    void let_master(pci::Switch wanted);
    void allow_messages();
    Result<void> set_message(u32 vector);
    static void work(void* desk);
    static void errand_work(void* self);

    device::DriverEnvironment m_environment;
    pci::FunctionSpace m_space;
    pci::MsixInfo m_msix;
    VirtAddr m_registers{};
    Bytes m_register_bytes{};
    VirtAddr m_table{};
    VirtAddr m_pending{};
    FixedVector<processor::MessageBinding, bound_max> m_bound; ///< by the controller's vectors
    /// Where errands of a kind are done.
    struct Desk {
        void (*run)(void* object) = nullptr;
        void* object = nullptr;
        Atomic<u32> ends{0};
        task::Thread* worker = nullptr;
        std::optional<task::Event<task::KernelThreads>> wake{};
    };
    Desk m_desks[errand_kinds];
    std::optional<hal::Vector> m_errand_vector; ///< whose second half runs errands without threads
};

} // namespace twofold::nvme
