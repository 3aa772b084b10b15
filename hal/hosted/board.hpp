// What a machine is made of, whatever makes it run: physical memory and its MMU, processors with
// their kernels' side, firmware, the PCI bus, interrupt lines, console and result channel; and the
// answers to those requests of a kernel (guest/guest_cpu.hpp) that concern nothing else.
//
// Processors may ask at the same time: what they share here has locks, which are taken one at a
// time and in no signal handler.
#pragma once

#include "hal/hosted/devices/i8042.hpp"
#include "hal/hosted/devices/line_controller.hpp"
#include "hal/hosted/devices/pci_bus.hpp"
#include "hal/hosted/devices/port_access.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/hosted/machine_config.hpp"
#include "hal/hosted/physical_memory.hpp"
#include "hal/hosted/processor.hpp"

#include <atomic>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace hosted {

struct BoardLocks;

/// What a board asks of the engine that makes it run. On the thread of any processor.
class BoardOwner {
public:
    virtual ~BoardOwner() = default;
    /// A device or a line raises an interrupt.
    virtual void raise(Processor& target, hal::Vector vector) = 0;
    virtual void fill_random(std::span<std::byte> bytes) = 0;
    /// Somebody has looked for input on another processor than the boot one, and there was none.
    virtual void input_is_awaited() = 0;
    /// On the machine's clock.
    virtual u64 time_ns() const = 0;
    /// Board::tell_noticed is to be called soon. Any thread.
    virtual void device_is_noticed() = 0;
    /// Board::device_due is to be called in `delay_ns`. Asked for by machines alone that may have
    /// such devices.
    virtual void call_later(u32 device, u64 delay_ns, u64 tag) = 0;
    /// There is an occasion for a fault of a device: whether it happens, and then its amount.
    virtual std::optional<u64> device_fault(DeviceFault fault) = 0;
    /// Somebody has hit a key or moved the mouse: Board::advance_input is to be called, on this
    /// thread or another. Any thread.
    virtual void input_is_there() = 0;
};

/// Why a machine cannot have these devices; empty: it can.
std::string problem_of(std::span<std::shared_ptr<PciDevice> const> devices);

class Board {
public:
    /// The error is one line that says what is wrong and what to do.
    static std::expected<std::unique_ptr<Board>, std::string>
    create(MachineConfig config, ConsoleEndpoint& console);
    Board(Board const&) = delete;
    Board& operator=(Board const&) = delete;
    ~Board();

    /// Once, before any processor runs.
    void connect(BoardOwner& owner) { m_owner = &owner; }

    /// Brings the board, whose memory is zero, to where its kernel can be entered. The engine's
    /// power_on comes behind it.
    std::expected<void, std::string> power_on();
    /// Empties the TLB, and what a sanitizer holds against the stacks.
    void forget_translations();

    /// Answers the request that `cpu` makes. False: it is none that concerns the board.
    bool answer(GuestCpu& cpu);
    void drive_line(u32 line, bool is_asserted);
    /// What a device has asked for by BoardOwner::call_later.
    void device_due(u32 device, u64 tag);
    /// Somebody hits a key, or moves the mouse. False: it is dropped, since there is no such
    /// controller or key, or what waits is too much. Any thread; O(1).
    bool add_input(KeyStroke const& stroke) { return add_any_input(stroke); }
    bool add_input(MouseMotion const& motion) { return add_any_input(motion); }
    /// Passes on what has come by add_input since the last call, and has the controller's lines
    /// driven.
    void advance_input();
    bool has_input() const { return m_has_input.load(std::memory_order_relaxed); }
    /// The device is to be told (PciDevice::noticed) that something has come from outside the
    /// machine. Any thread but those of signal handlers.
    void notice_device(u32 number);
    /// Tells those that are to be.
    void tell_noticed();
    bool has_noticed() const { return m_noticed.load(std::memory_order_relaxed) != 0; }
    /// Checks what a kernel wants to start, and prepares the processor; `by` asks. Errors:
    /// out_of_range, already_exists; timed_out (there is none that answers).
    Result<Processor*> prepare_start(GuestCpu& by);
    /// What was prepared is not to be: the engine cannot have it run.
    void undo_start(Processor& processor);
    /// All processors of a machine at rest, by slot, become these. Its translations are forgotten.
    void restore_processors(std::span<GuestCpu const> cpus);

    MachineConfig const& config() const { return m_config; }
    /// From the next power_on on.
    void reconfigure(std::string command_line, std::vector<std::shared_ptr<PciDevice>> devices) {
        m_config.command_line = std::move(command_line);
        m_config.devices = std::move(devices);
        take_devices();
    }
    PhysicalMemory& physical_memory() const { return *m_memory; }
    std::span<std::byte> memory() const { return {m_memory->span().base, m_memory->size()}; }
    Mmu& mmu() const { return *m_mmu; }
    GuestMachine& guest() const { return *m_guest; }
    std::span<std::unique_ptr<Processor> const> processors() const { return m_processors; }
    Processor& boot() const { return *m_processors.front(); }
    /// The kernel is told that there may be input, if it wants to know. Any thread. False: it does
    /// not.
    bool raise_input();
    /// The processor that looked for input last.
    GuestCpu const* input_reader() const { return m_input_reader; }
    /// Of a board at rest.
    PciBus& pci() { return m_pci; }
    /// While that lives no device comes, goes or does anything.
    std::unique_lock<std::mutex> hold_devices() const;
    /// The keyboard controller as it is, and another in its place.
    I8042 copy_i8042() const;
    void assign_i8042(I8042 const& controller);
    /// By number; null: pulled out, or a port that has none. Of a board at rest.
    std::span<std::shared_ptr<PciDevice> const> devices() const { return m_devices; }
    /// A device comes to a port that has none; its number. Any thread. The error is one line.
    std::expected<u32, std::string> plug(std::shared_ptr<PciDevice> device);
    /// The device of that number is pulled out; null: there is none. Any thread.
    std::shared_ptr<PciDevice> unplug(u32 number);
    LineController& lines() { return m_lines; }

private:
    class Port;

    Board(
        MachineConfig config,
        ConsoleEndpoint& console,
        std::unique_ptr<PhysicalMemory> memory,
        std::unique_ptr<Mmu> mmu);

    void make_processors();
    void prepare_processor(u32 slot);
    void answer_console(GuestCpu& cpu);
    void answer_entropy(GuestCpu& cpu);
    void answer_device(GuestCpu& cpu);
    u32 read_port(PortAccess const& access);
    void write_port(PortAccess const& access, u32 value);
    template<class What>
    bool add_any_input(What const& what);
    void drive_input_lines();
    void settle_input();
    void tell_devices(GuestCpu const& cpu, u64 address);
    void take_devices();
    void connect(u32 number);
    void plug_all();
    void start_devices();
    void note(u64 bits);
    std::span<std::byte> registers_of(u32 number) const;
    void write_device(PciRegister const& where);
    void deliver_message(PhysAddr address, u32 data);
    PciBus::Sender sender();
    void raise(std::optional<LineRoute> const& route);

    MachineConfig m_config;
    ConsoleEndpoint& m_console;
    std::unique_ptr<PhysicalMemory> m_memory;
    std::unique_ptr<Mmu> m_mmu;
    GuestMachine* m_guest; ///< in the memory's CPU area, the processors behind it
    std::vector<std::unique_ptr<Processor>> m_processors; ///< by slot; the first is the boot one
    BoardOwner* m_owner = nullptr;

    std::unique_ptr<BoardLocks> m_locks;
    PciBus m_pci;           ///< under the lock `device`, as the devices
    LineController m_lines; ///< the same
    I8042 m_i8042;          ///< the same; of no use where the configuration has none
    std::atomic<bool> m_has_input = false;
    std::atomic<GuestCpu const*> m_input_reader = nullptr;
    std::vector<std::shared_ptr<PciDevice>> m_devices; ///< the same; as many as there are slots
    std::atomic<u64> m_noticed = 0;                    ///< devices, a bit each, and the ports
    static constexpr u64 ports_noticed = u64{1} << 63;
    static_assert(pci_devices_max + pci_ports_max < 63);
    static_assert(pci_devices_max + pci_ports_max <= dma_domains);
};

} // namespace hosted
