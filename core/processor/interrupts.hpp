// Interrupts as drivers know them: a handler bound to a vector, to a line of the interrupt
// controllers, or to a message that a device sends; masking by line; and what is done about an
// interrupt that leaves the processor no time (storm.hpp): it is silenced for a while, and that is
// said once.
#pragma once

#include "core/processor/cpu_set.hpp"
#include "core/processor/interrupt_table.hpp"
#include "core/processor/storm.hpp"
#include "hal/controller.hpp"

#include <optional>

namespace twofold::processor {

/// Which line, how it is driven, and who takes its interrupts.
struct LineRequest {
    hal::Line line;
    hal::Trigger trigger = hal::Trigger::edge;
    hal::Polarity polarity = hal::Polarity::high;
    CpuId target{};
};

struct MessageBinding {
    hal::Vector vector;
    hal::Message message;
};

/// What is told of a storm when it begins.
struct StormReport {
    hal::Vector vector;
    std::string_view name;
    std::optional<hal::Line> line;
    Storm storm;
    CpuId cpu;
};

class Interrupts {
public:
    static constexpr usize lines_max = 64;
    static constexpr usize storms_max = 8;

    struct LineRecord {
        hal::Line line;
        hal::Vector vector;
        hal::Route route;
        u32 mask_depth = 0; ///< 0: let through
        bool is_stormy = false;
    };
    using Reporter = void (*)(void* object, StormReport const& report);

    Interrupts() = default;
    Interrupts(Interrupts const&) = delete;
    Interrupts& operator=(Interrupts const&) = delete;

    /// The machine's controllers have been adopted. `reporter` is called in context work. Once.
    void open(CpuSet& cpus, Reporter reporter, void* object);
    /// Takes a vector for what tells of storms; once the kernel's fixed ones are bound, before
    /// interrupts come. Errors: those of bind_any.
    Result<void> tell_of_storms();
    bool is_open() const { return m_table.is_open(); }

    /// Binding of vectors; see InterruptTable.
    Result<hal::Vector> bind(hal::Vector vector, InterruptBinding const& binding) {
        return m_table.bind(vector, binding);
    }
    Result<hal::Vector> bind_any(InterruptBinding const& binding) {
        return m_table.bind_any(binding);
    }
    /// Routes a line to a handler by a vector of its own. The line stays masked until unmask_line.
    /// Errors: those of bind_any and of Controller::route; already_exists (the line is bound or is
    /// not maskable); no_space. Context thread or work; O(lines).
    Result<hal::Vector> bind_line(LineRequest const& request, InterruptBinding const& binding);
    /// What a device has to send for the handler to run on `target`. Errors: those of bind_any and
    /// of Controller::message. Any context but nmi.
    Result<MessageBinding> bind_message(CpuId target, InterruptBinding const& binding);
    /// Masks the line, if there is one, and takes the vector back; when it returns the handler runs
    /// nowhere any more. Errors: not_found. Context thread or work; no locks held.
    Result<void> unbind(hal::Vector vector);

    /// Lines that firmware says are non-maskable are not given out. O(1).
    Result<void> reserve_line(hal::Line line) { return m_reserved.push_back(line); }
    /// Masking nests. An edge that comes meanwhile is lost, a level stays. Errors: not_found (not
    /// bound), invalid_state (let through more often than held back). Any context but nmi;
    /// O(lines).
    Result<void> mask_line(hal::Line line);
    Result<void> unmask_line(hal::Line line);

    InterruptTable const& table() const { return m_table; }
    /// Calls visit(LineRecord const&) for each bound line, under the lock.
    template<class Visit>
    void for_each_line(Visit&& visit) {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        for (LineRecord const& record : m_lines) {
            visit(record);
        }
    }
    /// How many storms there were. O(1).
    u64 storms() const { return m_storms_seen.load(relaxed); }

    /// A window of `vector` has ended on `cpu` in a storm: silences what raises it. In context irq.
    void silence(CpuLocal& cpu, hal::Vector vector, Storm storm);

private:
    /// A vector that had a storm, until it is unbound.
    struct Silenced {
        Silenced() : timer(resume, this) {}

        Timer timer;
        Interrupts* owner = nullptr;
        hal::Vector vector;
        Nanos pause{};
        bool is_used = false;
        bool is_silent = false;
        std::optional<StormReport> report; ///< that has not been told yet
    };

    static void tell(void* self);
    static void resume(void* silenced);
    Silenced* silenced_for(hal::Vector vector) REQUIRES(m_lock);
    LineRecord* record_of(hal::Line line) REQUIRES(m_lock);
    LineRecord* record_of(hal::Vector vector) REQUIRES(m_lock);
    void silence_line(LineRecord& record) REQUIRES(m_lock);
    void forget(hal::Vector vector);
    void wait_until_idle(hal::Vector vector) const;

    InterruptTable m_table;
    CpuSet* m_cpus = nullptr;
    Reporter m_reporter = nullptr;
    hal::Vector m_teller; ///< whose second half tells of storms; nobody raises it
    void* m_reporter_object = nullptr;
    sync::SpinLock m_lock{sync::LockRank::interrupt_lines};
    FixedVector<LineRecord, lines_max> m_lines GUARDED_BY(m_lock);
    FixedVector<hal::Line, hal::InterruptPlan::local_inputs_max> m_reserved;
    Silenced m_silenced[storms_max] GUARDED_BY(m_lock);
    std::optional<StormReport> m_last_report GUARDED_BY(m_lock); ///< of more storms than are kept
    Atomic<u64> m_storms_seen{0};
};

/// A bound line is masked while one lives.
class [[nodiscard]] LineGuard {
public:
    LineGuard(Interrupts& interrupts, hal::Line line) : m_interrupts(interrupts), m_line(line) {
        m_interrupts.mask_line(line).value();
    }
    ~LineGuard() { m_interrupts.unmask_line(m_line).value(); }
    LineGuard(LineGuard const&) = delete;
    LineGuard& operator=(LineGuard const&) = delete;

private:
    Interrupts& m_interrupts;
    hal::Line m_line;
};

} // namespace twofold::processor
