// What connects a controller to the machine beside its registers: interrupt vectors, and who does
// what takes long.
#pragma once

#include "core/processor/processor.hpp"

namespace twofold::nvme {

/// What takes long. A look at namespaces may wait for requests, which recovery has to end; so one
/// never waits for the other.
enum class ErrandKind : u8 { recovery, look };
inline constexpr usize errand_kinds = 2;
struct Errands {
    void (*run[errand_kinds])(void* object) = {}; ///< by kind
    void* object = nullptr;
};

/// An injected seam. Lives as long as the controller's driver, which ends it. Context thread, but
/// for request_errand.
class Connection {
public:
    Connection(Connection const&) = delete;
    Connection& operator=(Connection const&) = delete;

    /// How many the controller has; 1 at least. O(1).
    virtual u32 vectors() const = 0;
    /// Has a vector's interrupts taken on `cpu`. Errors: those of Interrupts::bind_message.
    virtual Result<void>
    bind(u32 vector, CpuId cpu, processor::InterruptBinding const& binding) = 0;
    /// Keeps a vector from interrupting, or lets it through again.
    virtual void mask(u32 vector) = 0;
    virtual void unmask(u32 vector) = 0;
    /// The controller has lost what it was told of vectors and of reaching memory: it is told
    /// again.
    virtual void restore() = 0;
    /// Has them called in context thread, each by a thread of its own, or in work where there are
    /// no threads. Before the first request.
    virtual Result<void> begin_errands(Errands const& errands) = 0;
    /// Once for however often it is said before they run. Any context up to irq.
    virtual void request_errand(ErrandKind kind) = 0;
    /// No vector is taken and no errand is run any more, when it returns.
    virtual void unbind() = 0;
    /// The controller reaches no memory any more, whatever it does.
    virtual void cut_off() = 0;
    virtual void close() = 0;

protected:
    Connection() = default;
    ~Connection() = default;
};

} // namespace twofold::nvme
