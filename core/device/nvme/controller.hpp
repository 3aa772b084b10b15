// A controller: from reset to shutdown, its queues and namespaces, and what is done about one that
// misbehaves.
//
// There is one pair of queues for each processor, each with an interrupt of its own that comes to
// that processor; where the controller has fewer, processors share. What takes long are errands
// (connection.hpp), requested from anywhere, run in context thread: recovery (aborts, resets,
// events), one after the other, and looks for namespaces. Who looks tells the disks, which wait for
// requests of their own and of others; recovery goes on meanwhile.
//
// A command that is overdue is first looked for, in case an interrupt was lost; then it is aborted;
// then the controller is reset, and so it is at once where it says that it has failed. After a
// reset all that was in flight is given to it again: reads, writes, flushes and the rest come to
// the same when they are done twice, since a request is given back to its owner, who might go on
// from its end, once only, and no order was promised among those in flight together. What does not
// come back after some resets fails; a controller that does not become ready again is dead, and
// with it all requests.
//
// Source: NVM Express Base Specification 1.4, sections 3.1, 5, 7.3 (reset), 7.6 (initialisation and
// shutdown).
#pragma once

#include "core/device/model/driver.hpp"
#include "core/device/nvme/admin_queue.hpp"
#include "core/device/nvme/connection.hpp"
#include "core/device/nvme/namespace_device.hpp"

namespace twofold::nvme {

struct ControllerOptions {
    Nanos time_out{i64{5} * 1'000'000'000}; ///< of requests that say none
    Nanos admin_time_out{i64{5} * 1'000'000'000};
    Nanos abort_time{i64{1} * 1'000'000'000}; ///< from an abort to a reset
    Nanos shutdown_time{i64{5} * 1'000'000'000};
    CompletionMode mode = CompletionMode::hybrid;
    u16 entries = QueuePair::entries_max; ///< of a queue, where the controller has as many
    u32 queues_max = 64;
    u32 number = 0; ///< of the first controller; the next that is free where it is taken
};

enum class ControllerState : u8 { running, resetting, suspended, dead };

/// What has happened to a controller, beside what its queues count.
struct ControllerCounts {
    u64 resets = 0;
    u64 aborts = 0;
    u64 events = 0;
    u64 lost_interrupts = 0; ///< completions that were found when their time was over
    u64 admin_spurious = 0;
};

class Controller final : public device::BoundDevice {
public:
    static constexpr u32 queues_max = 64;
    static constexpr u64 transfer_bytes_max = u64{512} << 10;

    struct Plan {
        device::DriverEnvironment const& environment;
        Registers registers;
        std::optional<hal::PciAddress> function; ///< whose view of memory it is
        Connection& connection;                  ///< taken over, also where `open` fails
        ControllerOptions options;
    };
    /// Starts a controller. In memory of the heap, until it is removed. Context thread, interrupts
    /// on. Errors: not_supported (it is none that this driver can use; there is no clock),
    /// corrupted (it says what makes no sense), timed_out, io_failed (it fails), out_of_memory,
    /// those of Connection::bind.
    static Result<Controller*> open(Plan const& plan);
    Controller(Controller const&) = delete;
    Controller& operator=(Controller const&) = delete;

    void remove(device::Removal how) override;
    Result<void> suspend() override;
    Result<void> resume() override;

    /// The queue of the running processor. Any context; O(1).
    QueuePair& queue_here() const {
        return *m_queue_of_cpu[hal::Cpu::id().value % processor::CpuSet::cpus_max];
    }
    std::span<QueuePair* const> queues() const { return m_queues.items(); }
    ControllerFacts const& facts() const { return m_facts; }
    u32 number() const { return m_number; }
    ControllerState state() const { return m_state.load(acquire); }
    ControllerCounts counts() const;
    ControllerOptions const& options() const { return m_options; }

    /// The namespaces, which last until the next look for them. Context thread.
    FixedVector<NamespaceDevice*, namespaces_max> namespaces();

    /// How completions are found from now on. Context thread.
    void set_mode(CompletionMode mode);
    CompletionMode mode() const { return m_mode.load(relaxed); }
    /// Polls the running processor's queue. Where nothing interrupts and that has nothing, another
    /// one, each in turn: whoever waits may have been on another processor when it asked. As
    /// QueuePair::drain.
    u32 poll();
    /// How long who waits had better poll before it sleeps. In the mode hybrid about what a sleep
    /// costs, where commands take less, else half of what they take; for ever while it polls (Nanos
    /// max). Source: D. Le Moal, "I/O latency optimization with polling", Vault 2017 (hybrid
    /// polling in Linux's blk-mq). Any context; O(1).
    Nanos poll_time() const;

    // Management. Context thread. Errors of all: those of AdminQueue::perform, those of the
    // controller.
    Result<u32> feature(Feature feature, u32 word11 = 0);
    Result<u32> set_feature(Feature feature, u32 value);
    Result<void> read_log(LogPage page, u32 space, std::span<std::byte> into);
    Result<void> identify(IdentifyKind kind, u32 space, std::span<std::byte> into);
    /// Resets the controller, as if it had failed. Errors: io_failed (it is dead afterwards).
    Result<void> reset();

    /// Does what is to be done, if nobody does it just now. Context thread or work.
    void run_errands();
    /// Whether an errand waits or is under way.
    bool has_errands() const {
        return m_errands.load(acquire) != 0 || m_is_on_errand.load(acquire) != 0 ||
               m_look_wanted.load(acquire) != 0 || m_is_looking.load(acquire) != 0;
    }

private:
    /// Of recovery.
    enum Errand : u32 { overdue = 1, events = 2, reset_due = 4, reset_wanted = 8 };

    Controller(Plan const& plan);
    ~Controller() = default;

    // controller.cpp: bringing it up and down
    Result<void> begin();
    Result<void> disable();
    Result<void> enable();
    Result<void> wait_for(u32 mask, u32 value, Nanos time);
    Result<void> identify_controller();
    Result<u32> ask_for_queues(u32 wanted);
    Result<void> make_queues(u32 count);
    void assign_processors();
    Result<void> create_queues();
    Result<void> create_queue(QueuePair const& queue);
    Result<void> bind_vectors();
    void start_events();
    void shut_down();
    void close();
    Nanos ready_time() const;
    Result<u32> doorbells_for_queues() const;
    Result<Answer> checked(Result<Answer> answer);

    // recovery.cpp: what goes wrong
    void request(Errand errand);
    void request_look();
    void recover();
    void look();
    void do_errands(u32 wanted);
    void take_errands();
    void take_recovery();
    void give_errands();
    Result<void> wait_until_ebbed();
    void look_for_overdue();
    bool abort(QueuePair const& queue, u16 id);
    void restart(ResetCause cause);
    Result<void> start_again(ResetCause cause);
    void die();
    void take_events();
    static void take_overdue(void* self);

    // namespaces.cpp
    void look_for_namespaces();
    Result<NamespaceList> list_namespaces();
    using NamespacePage = memory::Box<IdentifyNamespace, memory::KernelHeap>;
    Result<NamespacePage> identify_namespace(u32 number);
    void add_namespace(u32 number);
    void announce(NamespaceDevice& device);
    void withdraw(NamespaceDevice& device);
    NamespaceDevice* find(u32 number);
    block::Geometry geometry_for(NamespaceFacts const& facts);

    struct QueueInterrupt {
        Controller* owner = nullptr;
        QueuePair* queue = nullptr;
    };
    static processor::Handling take_queue(void* interrupt, hal::Interruption const&);
    static void drain_queue(void* interrupt);
    static processor::Handling take_admin(void* self, hal::Interruption const&);
    static void drain_admin(void* self);
    static void drain_all(void* self);

    device::DriverEnvironment m_environment;
    Registers m_registers;
    Connection& m_connection;
    ControllerOptions m_options;
    device::DmaSpace m_dma;
    AdminQueue m_admin;
    Capabilities m_capabilities;
    ControllerFacts m_facts;
    TransferLimits m_limits;
    VolatileCache m_cache = VolatileCache::off;
    u32 m_number = 0;
    bool m_is_named = false; ///< a namespace goes by the number
    FixedVector<QueuePair*, queues_max> m_queues;
    QueueInterrupt m_interrupts[queues_max];
    QueuePair* m_queue_of_cpu[processor::CpuSet::cpus_max]{};
    Atomic<ControllerState> m_state{ControllerState::running};
    Atomic<CompletionMode> m_mode;
    Atomic<u32> m_next_polled{0};
    Atomic<u32> m_errands{0};
    Atomic<u32> m_is_on_errand{0}; ///< of recovery
    Atomic<u32> m_look_wanted{0};
    Atomic<u32> m_is_looking{0};
    Atomic<u64> m_resets{0};
    Atomic<u64> m_aborts{0};
    Atomic<u64> m_event_count{0};
    Atomic<u64> m_lost_interrupts{0};

    sync::SpinLock m_lock{sync::LockRank::device};
    FixedVector<NamespaceDevice*, namespaces_max> m_spaces GUARDED_BY(m_lock);
};

} // namespace twofold::nvme
