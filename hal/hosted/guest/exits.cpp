// The kernel's way out to the machine, and the operations of the contract that take it.
#include "hal/console.hpp"
#include "hal/controller.hpp"
#include "hal/cpu.hpp"
#include "hal/entropy.hpp"
#include "hal/hosted/devices/port_access.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/io.hpp"
#include "hal/layout.hpp"
#include "hal/power.hpp"

#include <isa/context.hpp>
#include <sanitizer_choice.hpp>

namespace hosted {

void exit_to_machine(GuestCpu& cpu, Request request, u64 first, u64 second) {
    if (!cpu.in_kernel) [[unlikely]] {
        __builtin_trap(); // the machine's own code must not end up here: report it as a crash
    }
    CHECK(request != Request::none && !cpu.interrupts_enabled);
    CHECK(cpu.machine_stack != 0);
    cpu.request = request;
    cpu.arguments[0] = first;
    cpu.arguments[1] = second;
    void* state = nullptr;
    cpu.switching = true;
    sanitizer::take_signals();
    sanitizer::start_switch(&state, cpu.machine_bounds);
    isa_switch_context(&cpu.kernel_stack, cpu.machine_stack);
    cpu.machine_bounds = sanitizer::finish_switch(state);
    end_switch();
}

void guest_start(void* boot_info) {
    GuestCpu& cpu = guest_cpu();
    cpu.machine_bounds = sanitizer::finish_switch(nullptr);
    cpu.switching = false;
    kernel_start(*static_cast<hal::BootInfo const*>(boot_info));
}

void tell_device(VirtAddr address) {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::device_write, address.value);
}

u32 read_port(u16 port, u32 width) {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::port_read, pack(PortAccess{port, width}));
    return static_cast<u32>(self.cpu().result);
}

void write_port(u16 port, u32 width, u32 value) {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::port_write, pack(PortAccess{port, width}), value);
}

namespace {

/// Hands `size` bytes to the machine, through the transfer buffer: the machine cannot follow the
/// kernel's pointers, and copying here lets their faults be the kernel's own.
void transfer_out(Request request, char const* bytes, usize size) {
    while (size > 0) {
        Undisturbed const self;
        usize const taken = size < transfer_bytes ? size : transfer_bytes;
        __builtin_memcpy(self.cpu().transfer, bytes, taken);
        exit_to_machine(self.cpu(), request, taken);
        bytes += taken;
        size -= taken;
    }
}

} // namespace

} // namespace hosted

namespace hal {

using namespace hosted;

void Console::write(std::string_view text) {
    transfer_out(Request::console_write, text.data(), text.size());
}

ConsoleInput Console::read() {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::console_read);
    auto const status = static_cast<InputStatus>(self.cpu().result >> 8);
    CHECK(status <= InputStatus::end);
    return {status, static_cast<char>(self.cpu().result)};
}

Result<void> Console::raise_on_input(Vector vector) {
    if (!guest_cpu().machine->has_controller) {
        return Error::not_supported;
    }
    __atomic_store_n(&guest_cpu().machine->console_vector, vector.value, __ATOMIC_RELEASE);
    Controller::send({0}, vector);
    return {};
}

void Console::raise_nothing() {
    __atomic_store_n(&guest_cpu().machine->console_vector, 0u, __ATOMIC_RELEASE);
}

void Console::write_result(std::span<std::byte const> record) {
    transfer_out(
        Request::result_write, reinterpret_cast<char const*>(record.data()), record.size());
}

void Cpu::idle() {
    CHECK(Interrupt::state() == InterruptState::disabled);
    exit_to_machine(guest_cpu(), Request::idle);
    // What ended the wait, or came before it, is taken now. A signal after that comes again.
    Interrupt::restore(InterruptState::enabled);
    static_cast<void>(Interrupt::disable());
}

void Entropy::fill(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        Undisturbed const self;
        usize const taken = bytes.size() < transfer_bytes ? bytes.size() : transfer_bytes;
        exit_to_machine(self.cpu(), Request::entropy, taken);
        __builtin_memcpy(bytes.data(), self.cpu().transfer, taken);
        bytes = bytes.subspan(taken);
    }
}

KernelLayout Layout::current() {
    return guest_cpu().layout;
}

void Power::exit(u8 status) {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::power_exit, status);
    UNREACHABLE();
}

void Power::reset() {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::power_reset);
    UNREACHABLE();
}

} // namespace hal
