// The controller of interrupts that each processor has for itself: the local APIC, whether its
// registers lie in memory (xAPIC) or are model-specific registers (x2APIC). One driver over an
// accessor of registers, so that a model of them can take the hardware's place.
//
// Invariant: a driver is used by the processor that it belongs to, with interrupts disabled where
// it says so.
//
// Source: SDM volume 3A, chapter 11 (10 before 2023): table 11-1 (registers), sections 11.5.1
// (local vector table), 11.5.4 (timer), 11.6 (interprocessor interrupts), 11.12 (x2APIC).
#pragma once

#include "hal/interrupt_types.hpp"

#include <concepts>

namespace metal {

using namespace twofold;

/// The registers by number: 16 bytes apart in memory, one after the other from 0x800 on as
/// model-specific registers.
enum class LocalRegister : u32 {
    id = 0x02,
    version = 0x03,
    task_priority = 0x08,
    end_of_interrupt = 0x0b,
    spurious = 0x0f,
    in_service = 0x10, ///< the first of 8
    request = 0x20,    ///< the first of 8
    error_status = 0x28,
    command_low = 0x30,
    command_high = 0x31, ///< xAPIC alone
    timer = 0x32,
    performance = 0x34,
    input_0 = 0x35,
    input_1 = 0x36,
    error = 0x37,
    initial_count = 0x38,
    current_count = 0x39,
    divide = 0x3e,
};

/// The register that is `distance` after `first`.
constexpr LocalRegister operator+(LocalRegister first, u32 distance) {
    return static_cast<LocalRegister>(static_cast<u32>(first) + distance);
}

/// A way to the registers. `write_command` exists on x2APIC alone: both halves at once.
template<class R>
concept LocalRegisters = requires(R& registers, LocalRegister name, u32 value, u64 command) {
    { R::is_extended } -> std::convertible_to<bool>;
    { registers.read(name) } -> std::same_as<u32>;
    { registers.write(name, value) } -> std::same_as<void>;
    { registers.write_command(command) } -> std::same_as<void>;
};

/// Bits of the local vector table's entries.
namespace local_bit {

inline constexpr u32 mode_non_maskable = 4u << 8;
inline constexpr u32 active_low = 1u << 13;
inline constexpr u32 level = 1u << 15;
inline constexpr u32 masked = 1u << 16;
inline constexpr u32 timer_deadline = 2u << 17; ///< the timer obeys IA32_TSC_DEADLINE

} // namespace local_bit

/// The low words of commands: what is sent, the destination stands in the high word.
namespace local_command {

inline constexpr u32 assert = 1u << 14;
inline constexpr u32 is_being_sent = 1u << 12;
inline constexpr u32 to_self = 1u << 18;
constexpr u32 fixed(hal::Vector vector) {
    return assert | vector.value;
}
inline constexpr u32 non_maskable = assert | 4u << 8;
inline constexpr u32 init = assert | 5u << 8;
/// The processor begins at `page`, below 1 MiB, in real mode.
constexpr u32 startup(PhysAddr page) {
    CHECK(is_aligned(page, page_size) && page.value < (1u << 20));
    return assert | 6u << 8 | static_cast<u32>(page.value / page_size.value);
}

} // namespace local_command

/// How a local APIC is set up.
struct LocalSetup {
    hal::Vector spurious;
    hal::Vector error;
    u32 inputs[2] = {local_bit::masked, local_bit::masked}; ///< entries for LINT 0 and 1
};

/// The entry of a local input that is a non-maskable interrupt. Its trigger is an edge whatever
/// firmware says (section 11.5.1); LINT 1 is wired so on PCs.
constexpr u32 non_maskable_input(hal::InterruptPlan::LocalNonMaskable const& input) {
    return local_bit::mode_non_maskable |
           (input.polarity == hal::Polarity::low ? local_bit::active_low : 0);
}

/// The set-up of processor `cpu` as firmware's plan has it.
constexpr LocalSetup
local_setup(hal::InterruptPlan const& plan, CpuId cpu, hal::Vector spurious, hal::Vector error) {
    LocalSetup setup{.spurious = spurious, .error = error};
    for (u32 i = 0; i < plan.non_maskable_count; ++i) {
        auto const& input = plan.non_maskable[i];
        bool const is_ours =
            input.processor == cpu.value ||
            input.processor == hal::InterruptPlan::LocalNonMaskable::all_processors;
        if (is_ours && input.input < 2) {
            setup.inputs[input.input] = non_maskable_input(input);
        }
    }
    return setup;
}

template<LocalRegisters Registers>
class LocalApic {
public:
    /// The largest id that a command can address; the next one means everybody.
    static constexpr u32 id_max = Registers::is_extended ? 0xffff'fffe : 0xfe;

    explicit LocalApic(Registers registers) : m_registers(registers) {}

    /// Whether something answers that looks like a local APIC of a processor.
    bool answers() {
        u32 const version = m_registers.read(LocalRegister::version);
        u32 const generation = version & 0xff;
        return generation >= 0x10 && generation <= 0x1f && (version >> 16 & 0xff) >= 3;
    }

    u32 id() {
        u32 const word = m_registers.read(LocalRegister::id);
        return Registers::is_extended ? word : word >> 24;
    }

    /// From whatever state firmware left to one in which every source is silent but the inputs of
    /// `setup`, and interrupts of other processors arrive. Interrupts disabled. O(1).
    void prepare(LocalSetup const& setup) {
        constexpr u32 enabled = 1u << 8;
        m_registers.write(LocalRegister::spurious, enabled | setup.spurious.value);
        m_registers.write(LocalRegister::timer, local_bit::masked);
        m_registers.write(LocalRegister::initial_count, 0);
        u32 const last_entry = m_registers.read(LocalRegister::version) >> 16 & 0xff;
        if (last_entry >= 4) {
            m_registers.write(LocalRegister::performance, local_bit::masked);
        }
        m_registers.write(LocalRegister::input_0, setup.inputs[0]);
        m_registers.write(LocalRegister::input_1, setup.inputs[1]);
        finish_all();
        take_errors();
        m_registers.write(LocalRegister::error, setup.error.value);
        m_registers.write(LocalRegister::task_priority, 0);
    }

    /// The interrupt that is in service is dealt with.
    void finish() { m_registers.write(LocalRegister::end_of_interrupt, 0); }

    /// Reads and clears what went wrong since (section 11.5.3). Interrupts disabled.
    u32 take_errors() {
        m_registers.write(LocalRegister::error_status, 0); // shows what has gathered
        u32 const errors = m_registers.read(LocalRegister::error_status);
        m_registers.write(LocalRegister::error_status, 0);
        return errors;
    }

    bool is_requested(hal::Vector vector) {
        return (m_registers.read(LocalRegister::request + vector.value / 32u) >>
                    vector.value % 32u &
                1) != 0;
    }

    /// Sends `command` to the processor with that id. Interrupts disabled. False if the one before
    /// is still not sent after very long, and this one is not either.
    bool command(u32 id, u32 command) {
        CHECK(id <= id_max);
        if constexpr (Registers::is_extended) {
            m_registers.write_command(u64{id} << 32 | command);
        } else {
            if (!wait_until_sent()) {
                return false;
            }
            m_registers.write(LocalRegister::command_high, id << 24);
            m_registers.write(LocalRegister::command_low, command);
        }
        return true;
    }

    /// Sends `vector` to the caller's own processor. Interrupts disabled. As `command`.
    bool raise(hal::Vector vector) {
        u32 const low = local_command::fixed(vector) | local_command::to_self;
        if constexpr (Registers::is_extended) {
            m_registers.write_command(low);
        } else {
            if (!wait_until_sent()) {
                return false;
            }
            m_registers.write(LocalRegister::command_low, low);
        }
        return true;
    }

    /// Waits until the last command has left. Interrupts disabled. A bounded wait, microseconds at
    /// most on what works.
    bool wait_until_sent() {
        if constexpr (!Registers::is_extended) {
            for (u32 poll = 0; poll < polls_max; ++poll) {
                if ((m_registers.read(LocalRegister::command_low) & local_command::is_being_sent) ==
                    0) {
                    return true;
                }
            }
            return false;
        }
        return true;
    }

    /// Lets the timer count down from `count`, each tick of its clock one; 0 stops it.
    void start_timer(u32 count) { m_registers.write(LocalRegister::initial_count, count); }
    u32 timer_count() { return m_registers.read(LocalRegister::current_count); }

    /// What the timer does when it has counted to 0; `entry` as local_bit and a vector.
    void set_timer(u32 entry) {
        constexpr u32 by_one = 0b1011;
        m_registers.write(LocalRegister::divide, by_one);
        m_registers.write(LocalRegister::timer, entry);
    }

private:
    static constexpr u32 polls_max = 1'000'000;

    /// Firmware may have left interrupts in service; they would hold back all that are not more
    /// urgent, for good.
    void finish_all() {
        constexpr u32 words = 8;
        for (u32 vector = 0; vector < 256; ++vector) {
            bool is_any = false;
            for (u32 word = 0; word < words; ++word) {
                is_any = is_any || m_registers.read(LocalRegister::in_service + word) != 0;
            }
            if (!is_any) {
                return;
            }
            finish();
        }
    }

    Registers m_registers;
};

/// By which registers the local APICs are driven.
enum class LocalMode : u8 { none, mapped, extended };

/// What decides it.
struct LocalModeFacts {
    bool has_apic = false;     ///< CPUID says so
    bool has_extended = false; ///< CPUID says x2APIC
    bool is_emulated = false;  ///< CPUID says hypervisor
    bool has_window = false;   ///< the kernel has mapped the registers
    u64 base = 0;              ///< IA32_APIC_BASE
};

/// Bits of IA32_APIC_BASE (SDM 3A, figure 11-26).
namespace apic_base_bit {

inline constexpr u64 extended = u64{1} << 10;
inline constexpr u64 enabled = u64{1} << 11;

} // namespace apic_base_bit

/// Stays with what firmware chose: without remapping of interrupts, silicon need not deliver those
/// of lines and devices to an x2APIC that firmware has not switched on. Emulators do, and model-
/// specific registers are far cheaper there.
constexpr LocalMode choose_local_mode(LocalModeFacts const& facts) {
    if (!facts.has_apic) {
        return LocalMode::none;
    }
    bool const is_extended = (facts.base & apic_base_bit::extended) != 0;
    if (facts.has_extended && (is_extended || facts.is_emulated || !facts.has_window)) {
        return LocalMode::extended;
    }
    return facts.has_window && !is_extended ? LocalMode::mapped : LocalMode::none;
}

} // namespace metal
