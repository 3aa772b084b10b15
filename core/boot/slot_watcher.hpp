// Looks at slots that devices are plugged into, when their ports say that something has happened
// there: a thread of its own, since drivers take their time to come and to go.
#pragma once

#include "core/device/drivers.hpp"
#include "core/task/task.hpp"

#include <optional>

namespace twofold::boot {

class Kernel;

class SlotWatcher final : public device::SlotListener {
public:
    explicit SlotWatcher(Kernel& kernel) : m_kernel(kernel) {}
    SlotWatcher(SlotWatcher const&) = delete;
    SlotWatcher& operator=(SlotWatcher const&) = delete;

    Result<void> begin() override;
    void changed() override { m_changed->set(); }
    /// The thread ends, if it has begun. No port is bound. Context thread, and not in the registry.
    void end();

private:
    static constexpr usize ports_max = 64;

    void run();
    void look();

    Kernel& m_kernel;
    std::optional<task::Event<task::KernelThreads>> m_changed; ///< from `begin` on
    task::Thread* m_thread = nullptr;
    Atomic<u32> m_is_over{0};
};

} // namespace twofold::boot
