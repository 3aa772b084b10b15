// Interrupts on the kernel's side of the hosted machine: raising them, delivering what is pending
// at safe points and from the signal handler's entry, and the controller of the contract.
#include "hal/clock.hpp"
#include "hal/controller.hpp"
#include "hal/cpu.hpp"
#include "hal/hosted/devices/line_controller.hpp"
#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/upcalls.hpp"

namespace hosted {

namespace {

/// Takes what may be taken, one after the other, each through the kernel's upcall. Interrupts are
/// disabled. The kernel may continue other contexts meanwhile, and this one on another processor.
void take_pending(hal::StackFrame frame) {
    // Before each look, so that a signal meanwhile is not forgotten.
    set_flag<attention_flag>(false);
    while (auto const vector = guest_cpu().interrupts.next()) {
        InterruptWords& words = guest_cpu().interrupts;
        words.in_service.set_own(*vector);
        words.take(*vector);
        kernel_interrupt({*vector, frame});
        CHECK(!read_flag<enabled_flag>());
        set_flag<attention_flag>(false);
    }
}

} // namespace

void deliver_pending() {
    if (!read_flag<enabled_flag>()) {
        return; // a safe point with interrupts disabled: `restore` will come
    }
    hal::StackFrame const frame = hal::Cpu::current_frame();
    do {
        set_flag<enabled_flag>(false);
        take_pending(frame);
        set_flag<enabled_flag>(true);
    } while (read_flag<attention_flag>());
}

/// Called by hosted_interrupt_entry, interrupts disabled, with the frame of what was interrupted.
extern "C" void hosted_interrupt_dispatch(FaultFrame const& frame);

extern "C" void hosted_interrupt_dispatch(FaultFrame const& frame) {
    take_pending({frame.rbp, frame.instruction});
}

} // namespace hosted

namespace hal {

using namespace hosted;

namespace {

bool may_be_given_out(Vector vector) {
    return hosted::vectors.contains(vector) && vector != deadline_vector;
}

GuestCpu* processor(GuestCpu const& self, CpuId cpu) {
    return cpu.value < cpus_max ? self.machine->processors[cpu.value] : nullptr;
}

Result<void> check_line(GuestCpu const& self, Line line) {
    if (!self.machine->has_controller) {
        return Error::invalid_state;
    }
    return line.value < line_count ? Result<void>() : Result<void>(Error::out_of_range);
}

} // namespace

Result<void> Controller::adopt(InterruptPlan const&) {
    Undisturbed const self;
    if (self.cpu().machine->has_controller) {
        return Error::invalid_state;
    }
    self.cpu().machine->has_controller = true;
    return {};
}

VectorRange Controller::vectors() {
    return hosted::vectors;
}

u32 Controller::lines() {
    return line_count;
}

Result<void> Controller::route(Line line, Route const& route) {
    Undisturbed const self;
    TRY(check_line(self.cpu(), line));
    GuestCpu const* const target = processor(self.cpu(), route.target);
    if (target == nullptr) {
        return Error::out_of_range;
    }
    if (!may_be_given_out(route.vector)) {
        return Error::invalid_argument;
    }
    LineRoute const packed{.vector = route.vector, .slot = target->slot, .trigger = route.trigger};
    exit_to_machine(self.cpu(), Request::line_route, line.value, pack(packed));
    return {};
}

Result<void> Controller::unmask(Line line) {
    Undisturbed const self;
    TRY(check_line(self.cpu(), line));
    exit_to_machine(self.cpu(), Request::line_mask, line.value, 0);
    return {};
}

Result<void> Controller::mask(Line line) {
    Undisturbed const self;
    TRY(check_line(self.cpu(), line));
    exit_to_machine(self.cpu(), Request::line_mask, line.value, 1);
    return {};
}

Result<Message> Controller::message(CpuId cpu, Vector vector) {
    Undisturbed const self;
    if (!self.cpu().machine->has_controller) {
        return Error::invalid_state;
    }
    GuestCpu const* const target = processor(self.cpu(), cpu);
    if (target == nullptr) {
        return Error::out_of_range;
    }
    if (!may_be_given_out(vector)) {
        return Error::invalid_argument;
    }
    return Message{{message_address | u64{target->slot} << 12}, vector.value};
}

void Controller::send(CpuId cpu, Vector vector) {
    CHECK(may_be_given_out(vector));
    Undisturbed const self;
    GuestCpu* const target = processor(self.cpu(), cpu);
    CHECK(target != nullptr && self.cpu().machine->has_controller);
    if (target == &self.cpu()) {
        target->interrupts.raised_here.set_own(vector);
        target->attention = true; // delivered at the end of this scope, if interrupts are enabled
    } else {
        target->interrupts.raised.set(vector);
        exit_to_machine(self.cpu(), Request::notify, target->slot, vector.value);
    }
}

bool Controller::send_non_maskable(CpuId cpu) {
    Undisturbed const self;
    GuestCpu* const target = processor(self.cpu(), cpu);
    if (target == nullptr) {
        return false; // no such processor, as on metal
    }
    CHECK(target != &self.cpu());
    __atomic_store_n(&target->interrupts.non_maskable, 1u, __ATOMIC_SEQ_CST);
    exit_to_machine(self.cpu(), Request::notify, target->slot);
    return true;
}

void Controller::acknowledge(Vector vector) {
    Undisturbed const self;
    InterruptWords& words = self.cpu().interrupts;
    CHECK(words.is_last_served(vector)); // once for each interrupt, the last one first
    words.in_service.take_own(vector);
    if (words.level.test(vector) && words.level.take(vector)) {
        exit_to_machine(self.cpu(), Request::line_end, vector.value);
    }
    if (words.any_vector()) {
        self.cpu().attention = true; // what was held back by this one's priority
    }
}

bool Controller::is_pending(Vector vector) {
    Undisturbed const self;
    return self.cpu().interrupts.is_pending(vector);
}

} // namespace hal
