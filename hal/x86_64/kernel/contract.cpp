// The operations of the contract that are no single instruction.
#include "hal/console.hpp"
#include "hal/cpu.hpp"
#include "hal/entropy.hpp"
#include "hal/interrupt.hpp"
#include "hal/power.hpp"
#include "hal/x86_64/debug_exit.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"

namespace hal {

u32 Cpu::count() {
    return metal::machine().handover->processors;
}

void Cpu::idle() {
    if (Interrupt::state() == InterruptState::enabled) {
        asm volatile("hlt" : : : "memory");
    } else {
        pause();
    }
}

void Console::write(std::string_view text) {
    metal::machine().serial.write(text);
}

ConsoleInput Console::read() {
    std::optional<char> const byte = metal::machine().serial.read();
    return byte ? ConsoleInput{InputStatus::byte, *byte} : ConsoleInput{InputStatus::none, '\0'};
}

void Console::write_result(std::span<std::byte const> record) {
    constexpr u16 port = 0xe9; // Bochs' and QEMU's debug console
    metal::write_port_bytes(port, record.data(), record.size());
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

u64 random_word(bool has_instruction) {
    for (unsigned attempt = 0; has_instruction && attempt < random_tries; ++attempt) {
        u64 word;
        if (metal::read_random(word)) {
            return word;
        }
    }
    return jitter();
}

} // namespace

void Entropy::fill(std::span<std::byte> bytes) {
    constexpr u32 rdrand_bit = u32{1} << 30;
    bool const has_instruction = (isa::cpuid(1, 0).ecx & rdrand_bit) != 0;
    while (!bytes.empty()) {
        u64 const word = random_word(has_instruction);
        usize const count = bytes.size() < sizeof(word) ? bytes.size() : sizeof(word);
        __builtin_memcpy(bytes.data(), &word, count);
        bytes = bytes.subspan(count);
    }
}

} // namespace hal
