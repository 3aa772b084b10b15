// A hosted machine: a board (physical memory, virtual CPUs with their MMU, firmware, a PCI bus and
// a console) and the engine that makes it run, on which one kernel runs inside this process.
//
// The caller steps it: `run` enters the kernel and returns when its boot processor has nothing to
// do but wait, so a program decides itself how to wait for input, and several machines can take
// turns in one thread. What other processors do meanwhile is the engine's. Whichever ends the run,
// `run` says so and none is left running then.
// A process holds as many machines as there are windows (windows.hpp); their kernels share the code
// of this program and nothing else.
//
// Invariant: between two calls of `run` a kernel whose processors all rest is switched out of its
// own accord, and its whole state is the memory and some plain structs. `snapshot` copies them,
// `restore` puts them back, and the kernel goes on from there as if nothing had happened since.
//
// Neighbours: guest/ (the kernel's side of the contract), mmu.hpp, signals.hpp (faults), firmware/.
// A machine is used by one thread at a time, where nothing else is said.
#pragma once

#include "hal/hosted/board.hpp"
#include "hal/hosted/engine.hpp"

#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hosted {

/// A machine at rest.
struct Snapshot {
    unsigned window = 0;
    MemoryCopy memory;
    GuestMachine machine;
    std::vector<GuestCpu> cpus; ///< by slot
    std::shared_ptr<EngineState const> engine;
    PciBus pci;
    LineController lines;
    bool has_keyboard_controller = true;
    I8042 i8042;
    std::vector<std::vector<std::byte>> devices; ///< as each has saved itself
};

class Machine {
public:
    /// Makes a live machine (live/live_engine.hpp), its firmware done, the kernel not yet entered.
    /// `console` must outlive it. The error is one line that says what is wrong and what to do.
    static std::expected<std::unique_ptr<Machine>, std::string>
    create(MachineConfig config, ConsoleEndpoint& console);
    /// The same of a board and the engine that it is to run by.
    static std::expected<std::unique_ptr<Machine>, std::string>
    create(std::unique_ptr<Board> board, std::unique_ptr<Engine> engine);

    Machine(Machine const&) = delete;
    Machine& operator=(Machine const&) = delete;
    ~Machine();

    /// Enters or continues the kernel until the boot processor rests or the run ends, on whichever
    /// processor. Not after it has ended.
    Stop run();

    /// Waits until running on makes sense after `run` has answered `waiting_for_input`: there is
    /// input to be read at `input_descriptor` (-1: there is none), something is pending for the
    /// boot processor, or a signal handler of the program has run. May return early.
    void wait(int input_descriptor) { m_engine->wait(input_descriptor); }
    /// There may be input again, which `wait` has not been told of: the kernel hears of it, or the
    /// processor that looked for some last looks again. Any thread; a simulated machine hears of
    /// it between two turns, at a moment that its seed does not tell.
    void note_input() { m_engine->note_input(); }

    /// Starts over: cleared memory, firmware, the kernel not yet entered. Whatever state it was in.
    void reset();
    /// The same, for a kernel that is told something else, and with other devices of the same
    /// kinds: what fits into the memory as what was there before did.
    void reset(std::string command_line, std::vector<std::shared_ptr<PciDevice>> devices);

    /// A copy of the machine at rest: after `waiting_for_input` or `paused`. Refused where its
    /// engine cannot say that it is: a live one that has started other processors. O(memory in
    /// use).
    std::expected<Snapshot, std::string> snapshot() const;
    /// Makes the machine what it was; a snapshot of another window, memory size, number of
    /// processors, devices or engine is refused, and where copying is; devices have to be of the
    /// same kinds. The TLB is empty afterwards, which no kernel can see. Time goes on from where it
    /// was. O(memory in use).
    std::expected<void, std::string> restore(Snapshot const& snapshot);

    MmuStatistics const& mmu_statistics() const { return m_board->mmu().statistics(); }
    /// How often the kernel has met the point, where it is simulated.
    u64 point_reached(FaultPoint point) const {
        return m_board->guest().points_reached[static_cast<usize>(point)];
    }
    /// Of a machine at rest: what Mmu::count_stale says under the boot processor's tables.
    u64 stale_translations() { return m_board->mmu().count_stale(m_board->boot().cpu().root); }
    u32 cached_translations() const { return m_board->mmu().cached(); }
    /// What the machine saw when it ended the kernel; empty unless `run` answered `crashed` or
    /// `interrupted`.
    std::string_view crash_report() const { return m_engine->crash_report(); }
    /// Ends the kernel from a signal handler on the thread that runs it, as soon as that is
    /// possible: at once where the kernel computes, after the console's answer where it waits for
    /// one. `context` is what the signal interrupted. Asking again does no harm. `run` then answers
    /// `interrupted`.
    void request_stop(siginfo_t const& info, ucontext_t& context) {
        m_engine->request_stop(info, context);
    }
    /// Drives a line of the interrupt controller, as a device does. Any thread.
    void drive_line(u32 line, bool is_asserted) { m_board->drive_line(line, is_asserted); }
    /// Somebody hits a key of the machine's keyboard, by its usage of the page "Keyboard/Keypad" of
    /// USB HID (device::Key), or lets go of it. Down once more without coming up is a repeat.
    /// False: dropped, since the machine has no keyboard or that no such key, or the kernel does
    /// not take what has come before. Any thread; O(1).
    bool key(u8 hid_usage, bool pressed) {
        return m_board->add_input(KeyStroke{static_cast<device::Key>(hid_usage), pressed});
    }
    /// Somebody moves the mouse (to the right, downwards), turns its wheel (towards the body) and
    /// holds its buttons (1 the left one, 2 the right one, 4 that in the middle). The same.
    bool move_mouse(i32 dx, i32 dy, i32 wheel, u8 buttons) {
        return m_board->add_input(MouseMotion{dx, dy, wheel, buttons});
    }
    /// Something has come for a device of the configuration from outside: PciDevice::noticed is
    /// called soon, on a simulated machine between two turns. `wait` returns for it. Any thread but
    /// those of signal handlers.
    void notice_device(u32 number) { m_board->notice_device(number); }
    /// A device is plugged into a port (MachineConfig::hot_plug_ports) while the machine runs; the
    /// kernel hears of it where it listens to the port. Its number. Any thread but those of signal
    /// handlers, on a simulated machine between two turns. The error is one line.
    std::expected<u32, std::string> plug(std::shared_ptr<PciDevice> device);
    /// The device of that number is pulled out, whatever the kernel does with it: from when this
    /// returns on it reaches nothing, is told nothing, and all of it reads all ones. Null: there is
    /// none. The same threads.
    std::shared_ptr<PciDevice> unplug(u32 number) { return m_board->unplug(number); }
    /// Whether anything but input can still happen: a processor other than the boot processor runs,
    /// or one has a deadline. While the boot processor rests.
    bool can_wake() { return m_engine->can_wake(); }
    /// The kernel's layout, and the machine's own view of its memory.
    hal::KernelLayout const& layout() const { return m_board->boot().cpu().layout; }
    std::span<std::byte> memory() const { return m_board->memory(); }

private:
    Machine(std::unique_ptr<Board> board, std::unique_ptr<Engine> engine)
        : m_board(std::move(board)), m_engine(std::move(engine)) {}
    std::expected<void, std::string> power_on();
    void settle_devices() const;

    std::unique_ptr<Board> m_board;
    std::unique_ptr<Engine> m_engine;
    bool m_at_rest = true; ///< the kernel has not ended and no request of it is half answered
};

} // namespace hosted
