// The live engine: the boot processor runs on the thread that calls Machine::run, each other one,
// which the kernel starts, on a thread of its own that runs on while the boot processor rests. Time
// is the host's, and interrupts are signals (live_processor.hpp).
//
// The first end of the run counts, whichever processor it happens on. Whoever brings it about asks
// the others to leave their kernels; where one cannot leave just then, since it is between two
// stacks, it is asked again. The thread of Machine::run waits for all of them.
#pragma once

#include "hal/hosted/engine.hpp"
#include "hal/hosted/live/live_processor.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>

namespace hosted {

class LiveEngine final : public Engine {
public:
    /// The error is one line.
    static std::expected<std::unique_ptr<LiveEngine>, std::string> create(Board& board);

    ~LiveEngine() override { forget_devices(); }

    void power_on() override;
    Stop run() override;
    void end_others() override;
    void wait(int input_descriptor) override;
    void note_input() override;
    bool can_wake() override;
    bool is_simulated() const override { return false; }
    void request_stop(siginfo_t const& info, ucontext_t& context) override;
    u64 time_ns() const override;
    std::string_view why_it_cannot_be_copied() const override;
    std::shared_ptr<EngineState const> copy_state() const override;
    bool accepts(EngineState const& state) const override;
    void assign_state(EngineState const& state) override;
    std::string_view crash_report() const override { return m_crash_report; }

    void raise(Processor& target, hal::Vector vector) override;
    void fill_random(std::span<std::byte> bytes) override;
    void input_is_awaited() override;
    void input_is_there() override { m_board.advance_input(); }
    void device_is_noticed() override { m_board.tell_noticed(); }
    // There are no devices that could ask.
    void call_later(u32, u64, u64) override { UNREACHABLE(); }
    std::optional<u64> device_fault(DeviceFault) override { UNREACHABLE(); }

private:
    /// What becomes of a processor whose request has been answered.
    enum class Next : u8 { kernel, rest, halt, end };

    /// Whose event a descriptor tells of.
    struct Watched {
        int descriptor = -1;
        u32 device = 0;

        bool operator==(Watched const&) const = default;
    };

    explicit LiveEngine(Board& board) : m_board(board) {}

    LiveProcessor& boot() const { return *m_processors.front(); }
    /// The machine's time is `now_ns`, and goes on from there.
    void set_time(u64 now_ns);
    void forget_end();
    bool has_started_others() const;
    Next run_kernel(LiveProcessor& processor);
    Next run_guarded(LiveProcessor& processor);
    void run_thread(LiveProcessor& processor);
    Result<void> start_processor(LiveProcessor& by);
    void wait_in_vain(LiveProcessor& by);
    void halt_processor(LiveProcessor& processor);
    void end_run(LiveProcessor& by, Stop stop, std::exception_ptr error);
    void ask_boot_processor();
    void join_others();
    void write_crash_report(bool several);
    Next answer(LiveProcessor& processor);
    Next answer_idle(LiveProcessor& processor);
    void answer_clock(LiveProcessor& processor);
    void answer_counter(LiveProcessor& processor);
    void distrust_counter();
    void watch_devices();
    void forget_devices();
    bool wait_for_devices(timespec const* limit);

    Board& m_board;
    std::vector<std::unique_ptr<LiveProcessor>> m_processors; ///< by slot
    std::atomic<u32> m_running = 1;                           ///< processors that have not halted
    std::atomic<bool> m_all_halted = false;
    std::string m_crash_report;
    int m_watch = -1; ///< of epoll; -1: no device has a descriptor
    std::vector<Watched> m_watched;

    std::mutex m_start;             ///< one processor is started after the other; before `m_ending`
    std::mutex m_ending;            ///< how the run has ended, and who has left
    std::condition_variable m_done; ///< of `m_ending`: somebody has left, or the run has ended
    std::optional<RunEnd> m_end;    ///< under `m_ending`
};

} // namespace hosted
