// The interrupt controllers: adoption, routing, and interrupts between processors.
//
// Source: as devices/local_apic.hpp and devices/io_apic.hpp.
#include "hal/controller.hpp"

#include "hal/upcalls.hpp"
#include "hal/x86_64/devices/io_apic.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/local_access.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "hal/x86_64/kernel/vectors.hpp"
#include "hal/x86_64/kernel/word_lock.hpp"
#include "isa/cpuid.hpp"

#include <optional>

namespace metal {

namespace {

constexpr u64 base_fixed_bits = apic_base_bit::extended | apic_base_bit::enabled;

/// An index register and a window, 16 bytes apart.
struct MappedIoRegisters {
    VirtAddr base;

    u32 read(u32 index) {
        isa::DeviceAccess::write_32(base, index);
        return isa::DeviceAccess::read_32(base + Bytes{0x10});
    }
    void write(u32 index, u32 value) {
        isa::DeviceAccess::write_32(base, index);
        isa::DeviceAccess::write_32(base + Bytes{0x10}, value);
    }
};
static_assert(IoRegisters<MappedIoRegisters>);

ControllerState& controller_state() {
    return machine().controller;
}

IoApic<MappedIoRegisters> io_controller(u32 number) {
    return IoApic(MappedIoRegisters{controller_state().plan.io[number].view});
}

/// The controller that serves a line, and the line's number there.
struct Input {
    u32 controller;
    u32 number;
};

std::optional<Input> find_input(hal::Line line) {
    for (u32 i = 0; i < controller_state().plan.io_count; ++i) {
        u32 const number = line.value - controller_state().plan.io[i].first_line;
        if (number < controller_state().io_inputs[i]) {
            return Input{i, number};
        }
    }
    return std::nullopt;
}

LocalModeFacts local_mode_facts(hal::InterruptPlan const& plan) {
    hal::CpuDescription const cpu = hal::Cpu::describe();
    bool const has_apic = has(cpu, isa::Feature::apic) && has(cpu, isa::Feature::msr);
    return {
        .has_apic = has_apic,
        .has_extended = has(cpu, isa::Feature::x2apic),
        .is_emulated = has(cpu, isa::Feature::hypervisor),
        .has_window = plan.local != VirtAddr{},
        .base = has_apic ? read_msr(msr::apic_base) : 0};
}

/// Switches the running processor's local APIC to `mode`. From disabled to x2APIC there is no
/// direct way (SDM 3A, figure 11-27).
void enable_local_apic(LocalMode mode) {
    u64 const base = read_msr(msr::apic_base) & ~base_fixed_bits;
    if ((read_msr(msr::apic_base) & base_fixed_bits) != base_fixed_bits) {
        write_msr(msr::apic_base, base | apic_base_bit::enabled);
    }
    if (mode == LocalMode::extended) {
        write_msr(msr::apic_base, base | base_fixed_bits);
    }
}

/// Masks every line and counts them. Errors: corrupted.
Result<void> adopt_io_controllers() {
    WordLockGuard const lock(controller_state().io_busy);
    for (u32 i = 0; i < controller_state().plan.io_count; ++i) {
        IoApic io = io_controller(i);
        u32 const inputs = io.inputs();
        u32 const first_line = controller_state().plan.io[i].first_line;
        if (inputs == 0 || first_line > ~u32{0} - inputs) {
            return Error::corrupted;
        }
        io.mask_all();
        controller_state().io_inputs[i] = inputs;
        u32 const end = first_line + inputs;
        controller_state().lines = end > controller_state().lines ? end : controller_state().lines;
    }
    return {};
}

bool may_be_given_out(hal::Vector vector) {
    return vectors::kernel.contains(vector) && vector != vectors::deadline;
}

/// Whether the machine uses `line` itself.
bool is_own_line(hal::Line line) {
    ClockState const& clock = machine().clock;
    return (controller_state().has_console_line && line == controller_state().plan.console.line) ||
           (clock.deadlines == DeadlineKind::hpet && line == clock.hpet_line);
}

Result<u32> destination_id(CpuId cpu) {
    CpuBlock const* const target = find_processor(cpu);
    if (target == nullptr) {
        return Error::out_of_range;
    }
    if (target->hardware_id > destination_id_max) {
        return Error::not_supported;
    }
    return target->hardware_id;
}

Result<void> set_masked(hal::Line line, bool is_masked) {
    if (controller_state().mode == LocalMode::none) {
        return Error::invalid_state;
    }
    std::optional<Input> const input = find_input(line);
    if (!input) {
        return Error::out_of_range;
    }
    if (is_own_line(line)) {
        return Error::busy;
    }
    WordLockGuard const lock(controller_state().io_busy);
    return io_controller(input->controller).set_masked(input->number, is_masked);
}

} // namespace

Result<void> route_own_line(hal::LineInput const& input, hal::Vector vector) {
    std::optional<Input> const place = find_input(input.line);
    if (!place) {
        return Error::out_of_range;
    }
    u64 const entry = encode_redirection(
        vector, machine().boot_processor.hardware_id, input.trigger, input.polarity);
    WordLockGuard const lock(controller_state().io_busy);
    IoApic io = io_controller(place->controller);
    io.route(place->number, entry);
    return io.set_masked(place->number, false);
}

void join_interrupts(CpuBlock& processor) {
    enable_local_apic(controller_state().mode);
    LocalSetup const setup =
        local_setup(controller_state().plan, {processor.number}, vectors::spurious, vectors::error);
    processor.hardware_id = with_local_apic([&](auto& local) {
        local.prepare(setup);
        return local.id();
    });
    prepare_deadlines();
    machine().processors.blocks[processor.number].store(&processor, release);
}

void raise_on(CpuBlock const& target, hal::Vector vector) {
    bool const is_sent = with_local_apic([&](auto& local) {
        return &target == &this_processor()
                   ? local.raise(vector)
                   : local.command(target.hardware_id, local_command::fixed(vector));
    });
    CHECK(is_sent);
}

} // namespace metal

extern "C" void metal_local_error(hal::Interruption const&);
extern "C" void metal_console_input(hal::Interruption const&);

void metal_local_error(hal::Interruption const&) {
    metal::with_local_apic([](auto& local) {
        metal::this_processor().local_errors |= local.take_errors();
        local.finish();
    });
}

/// Whoever sleeps has been woken by the interrupt itself; the one who waits for input may be
/// another, and the kernel may want to hear of it.
void metal_console_input(hal::Interruption const&) {
    using namespace metal;
    CpuId const reader{machine().console_reader.load(relaxed)};
    CpuBlock const* const target = find_processor(reader);
    CpuBlock const& self = this_processor();
    if (self.number == 0 && target != nullptr && target != &self) {
        raise_on(*target, vectors::console);
    }
    if (u32 const wanted = machine().console_vector.load(relaxed);
        self.number == 0 && wanted != 0) {
        raise_on(self, {static_cast<u8>(wanted)});
    }
    with_local_apic([](auto& local) { local.finish(); });
}

namespace hal {

using namespace metal;

Result<void> Controller::adopt(InterruptPlan const& plan) {
    CHECK(Interrupt::state() == InterruptState::disabled);
    CHECK(plan.io_count <= InterruptPlan::io_controllers_max);
    CHECK(plan.non_maskable_count <= InterruptPlan::local_inputs_max);
    ControllerState& controller = metal::controller_state();
    if (controller.mode != LocalMode::none) {
        return Error::invalid_state;
    }
    LocalMode const mode = choose_local_mode(local_mode_facts(plan));
    if (mode == LocalMode::none) {
        return Error::not_supported;
    }
    controller.plan = plan;
    controller.mode = mode;
    enable_local_apic(mode);
    bool const answers = with_local_apic([](auto& local) { return local.answers(); });
    Result<void> const io = answers ? adopt_io_controllers() : Result<void>{Error::corrupted};
    if (!io) {
        controller.mode = LocalMode::none;
        return io;
    }
    join_interrupts(machine().boot_processor);
    if (machine().serial.is_present() &&
        route_own_line(controller.plan.console, vectors::console)) {
        controller.has_console_line = true;
        machine().serial.interrupt_on_input();
    }
    return {};
}

std::string_view Controller::kind() {
    switch (metal::controller_state().mode) {
    case LocalMode::mapped:
        return "xAPIC";
    case LocalMode::extended:
        return "x2APIC";
    case LocalMode::none:
        break;
    }
    return "none";
}

VectorRange Controller::vectors() {
    return vectors::kernel;
}

Vector Controller::spurious() {
    return vectors::spurious;
}

u32 Controller::lines() {
    return metal::controller_state().lines;
}

Result<void> Controller::route(Line line, Route const& route) {
    if (metal::controller_state().mode == LocalMode::none) {
        return Error::invalid_state;
    }
    std::optional<Input> const input = find_input(line);
    if (!input) {
        return Error::out_of_range;
    }
    if (!may_be_given_out(route.vector)) {
        return Error::invalid_argument;
    }
    if (is_own_line(line)) {
        return Error::busy;
    }
    u32 const id = TRY(destination_id(route.target));
    WordLockGuard const lock(metal::controller_state().io_busy);
    io_controller(input->controller)
        .route(input->number, encode_redirection(route.vector, id, route.trigger, route.polarity));
    return {};
}

Result<void> Controller::unmask(Line line) {
    return set_masked(line, false);
}

Result<void> Controller::mask(Line line) {
    return set_masked(line, true);
}

Result<Message> Controller::message(CpuId cpu, Vector vector) {
    if (metal::controller_state().mode == LocalMode::none) {
        return Error::invalid_state;
    }
    if (!may_be_given_out(vector)) {
        return Error::invalid_argument;
    }
    return encode_message(vector, TRY(destination_id(cpu)));
}

void Controller::send(CpuId cpu, Vector vector) {
    CHECK(may_be_given_out(vector));
    CpuBlock const* const target = find_processor(cpu);
    CHECK(target != nullptr);
    InterruptsOff const off;
    raise_on(*target, vector);
}

bool Controller::send_non_maskable(CpuId cpu) {
    CpuBlock const* const target = find_processor(cpu);
    if (target == nullptr) {
        return false;
    }
    InterruptsOff const off;
    return with_local_apic([&](auto& local) {
        return local.command(target->hardware_id, local_command::non_maskable);
    });
}

void Controller::acknowledge(Vector) {
    with_local_apic([](auto& local) { local.finish(); });
}

bool Controller::is_pending(Vector vector) {
    return metal::controller_state().mode != LocalMode::none &&
           with_local_apic([&](auto& local) { return local.is_requested(vector); });
}

} // namespace hal
