// The operations of the contract that are no single instruction.
#include "hal/console.hpp"
#include "hal/controller.hpp"
#include "hal/cpu.hpp"
#include "hal/entropy.hpp"
#include "hal/interrupt.hpp"
#include "hal/power.hpp"
#include "hal/x86_64/debug_exit.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "hal/x86_64/kernel/word_lock.hpp"

namespace hal {

u32 Cpu::count() {
    return metal::machine().handover->processors;
}

void Cpu::idle() {
    CHECK(Interrupt::state() == InterruptState::disabled);
    metal::Machine& machine = metal::machine();
    bool const is_reader = machine.console_reader.load(relaxed) == id().value;
    bool const hears_input = machine.controller.has_console_line || !machine.serial.is_present();
    if (machine.controller.mode == metal::LocalMode::none) {
        pause(); // nothing would end the wait
        return;
    }
    if (is_reader && (!hears_input || machine.serial.has_input())) {
        metal::take_pending_interrupts(); // whoever reads may wait for one
        pause();
        return;
    }
    metal::sleep_until_interrupt();
}

void Console::write(std::string_view text) {
    metal::machine().serial.write(text);
}

ConsoleInput Console::read() {
    metal::Machine& machine = metal::machine();
    if (machine.console_reader.load(relaxed) != Cpu::id().value) {
        machine.console_reader.store(Cpu::id().value, relaxed);
    }
    std::optional<char> const byte = machine.serial.read();
    return byte ? ConsoleInput{InputStatus::byte, *byte} : ConsoleInput{InputStatus::none, '\0'};
}

Result<void> Console::raise_on_input(Vector vector) {
    metal::Machine& machine = metal::machine();
    if (!machine.controller.has_console_line) {
        return Error::not_supported;
    }
    machine.console_vector.store(vector.value, relaxed);
    Controller::send({0}, vector);
    return {};
}

void Console::raise_nothing() {
    metal::machine().console_vector.store(0, relaxed);
}

void Console::write_result(std::span<std::byte const> record) {
    constexpr u16 port = 0xe9; // Bochs' and QEMU's debug console
    // Far longer than a record takes: its writer was stopped for good.
    constexpr u32 longest_hold_polls = 100'000;
    metal::InterruptsOff const off;
    Atomic<u32>& busy = metal::machine().results_busy;
    for (u32 poll = 0; busy.exchange(1, acquire) != 0 && poll < longest_hold_polls; ++poll) {
        Cpu::pause();
    }
    metal::write_port_bytes(port, record.data(), record.size());
    busy.store(0, release);
}

namespace {

constexpr unsigned random_tries = 10; // what Intel's guide asks for

/// 64 bits from the differences between readings of the time-stamp counter: poor, but all that a
/// machine without RDRAND offers.
u64 jitter() {
    constexpr unsigned readings = 64;
    u64 mixed = metal::read_time_stamp();
    for (unsigned reading = 0; reading < readings; ++reading) {
        asm volatile("pause");
        mixed = (mixed ^ metal::read_time_stamp()) * 0x9e37'79b9'7f4a'7c15;
        mixed ^= mixed >> 29;
    }
    return mixed;
}

/// The instructions that the processor has, the better one first.
struct RandomInstructions {
    bool has_seed;
    bool has_random;
};

u64 random_word(RandomInstructions const& has) {
    u64 word;
    for (unsigned attempt = 0; has.has_seed && attempt < random_tries; ++attempt) {
        if (metal::read_seed(word)) {
            return word;
        }
    }
    for (unsigned attempt = 0; has.has_random && attempt < random_tries; ++attempt) {
        if (metal::read_random(word)) {
            return word;
        }
    }
    return jitter();
}

} // namespace

void Entropy::fill(std::span<std::byte> bytes) {
    constexpr u32 rdrand_bit = u32{1} << 30, rdseed_bit = u32{1} << 18;
    RandomInstructions const instructions{
        .has_seed = isa::cpuid(0, 0).eax >= 7 && (isa::cpuid(7, 0).ebx & rdseed_bit) != 0,
        .has_random = (isa::cpuid(1, 0).ecx & rdrand_bit) != 0};
    while (!bytes.empty()) {
        u64 const word = random_word(instructions);
        usize const count = bytes.size() < sizeof(word) ? bytes.size() : sizeof(word);
        __builtin_memcpy(bytes.data(), &word, count);
        bytes = bytes.subspan(count);
    }
}

} // namespace hal
