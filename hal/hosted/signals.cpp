// See signals.hpp.
#include "hal/hosted/signals.hpp"

#include "hal/hosted/fault_decode.hpp"
#include "hal/hosted/report.hpp"
#include "hal/hosted/signal_context.hpp"

#include <fmt/format.h>
#include <sanitizer_choice.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

namespace hosted {

namespace {

constexpr std::array all_fault_signals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
constexpr usize signal_stack_bytes = usize{128} << 10;
/// So often may one access be answered by filling, in a row, before it is called hopeless.
constexpr u32 repetitions_max = 16;
constexpr u64 page_fault_vector = 14;
constexpr u64 double_fault_vector = 8;

thread_local SignalTarget* current_target = nullptr;
std::array<struct sigaction, all_fault_signals.size()> actions_before;
void (*before_crash_report)() = nullptr;
bool crash_report_installed = false;
bool crashing = false;

void write_all(int file, std::string_view text) {
    while (!text.empty()) {
        ssize_t const written = write(file, text.data(), text.size());
        if (written <= 0 && errno != EINTR) {
            return;
        }
        text.remove_prefix(written > 0 ? static_cast<usize>(written) : 0);
    }
}

Output const standard_error{
    nullptr, [](void*, std::string_view text) { write_all(STDERR_FILENO, text); }};

/// Makes the interrupted context continue in the kernel's fault upcall with what `slot` says.
void enter_upcall(GuestCpu& cpu, ucontext_t& context, u64 stack) {
    redirect(
        context, reinterpret_cast<u64>(&hosted_fault_entry), reinterpret_cast<u64>(&cpu.fault),
        stack);
}

struct Raised {
    ExceptionFacts facts;
    u64 code = 0;
    u64 address = 0;
    hal::PageFaultCause cause{};
};

void raise_fault(
    SignalTarget& target, ucontext_t& context, siginfo_t const& info, Raised const& raised) {
    GuestCpu& cpu = target.cpu;
    FaultSlot& slot = cpu.fault;
    if (slot.busy) {
        // The entry itself faulted: the interrupted stack cannot hold what it saves.
        if (slot.emergency || cpu.on_emergency_stack) {
            end_kernel(target, context, info, "a fault on the emergency stack (triple fault)");
            return;
        }
        ExceptionFacts const facts = exception_facts(double_fault_vector);
        slot.emergency = true;
        cpu.on_emergency_stack = true;
        slot.kind = facts.kind;
        slot.name = facts.name;
        slot.code = 0;
        enter_upcall(cpu, context, cpu.emergency_stack.base + cpu.emergency_stack.size);
        return;
    }
    slot.frame = frame_of(context);
    slot.busy = true;
    slot.interrupts_enabled = cpu.interrupts_enabled;
    cpu.interrupts_enabled = false; // as an interrupt gate does
    slot.kind = raised.facts.kind;
    slot.name = raised.facts.name;
    slot.code = raised.code;
    slot.address = raised.address;
    slot.cause = raised.cause;
    enter_upcall(cpu, context, slot.frame.stack_pointer - red_zone_bytes);
}

/// Whether the same access was answered by filling too often in a row, and nothing was flushed in
/// between.
bool is_hopeless(SignalTarget& target, u64 instruction, u64 address) {
    u64 const generation = target.mmu.generation();
    bool const same = target.repeated_instruction == instruction &&
                      target.repeated_address == address &&
                      target.repeated_generation == generation;
    target.repeated_generation = generation;
    target.repetitions = same ? target.repetitions + 1 : 0;
    target.repeated_instruction = instruction;
    target.repeated_address = address;
    return target.repetitions > repetitions_max;
}

void handle_page_fault(SignalTarget& target, ucontext_t& context, siginfo_t const& info) {
    auto const code = static_cast<u64>(context.uc_mcontext.gregs[REG_ERR]);
    bool const write = (code & isa::page_fault_bit::write) != 0;
    bool const execute = (code & isa::page_fault_bit::execute) != 0;
    u64 const address = reinterpret_cast<u64>(info.si_addr);
    if (info.si_signo == SIGBUS) {
        end_kernel(target, context, info, "the host has no memory left for it");
        return;
    }
    // The image itself is no part of simulated memory; the host knows that it is there.
    bool const in_image = address - target.image.base < target.image.size;
    bool const present = in_image && info.si_code == SEGV_ACCERR;
    Raised raised{
        exception_facts(page_fault_vector),
        0,
        address,
        {.present = present, .write = write, .execute = execute, .user = false, .reserved = false}};
    if (target.mmu.covers(address)) {
        Walk walk;
        switch (
            target.mmu.fill(target.cpu.slot, target.cpu.root, address, {write, execute}, walk)) {
        case Mmu::Fill::filled:
            if (is_hopeless(target, interrupted_point(context).instruction, address)) {
                end_kernel(
                    target, context, info, "an access that its tables allow faults for ever");
            }
            return;
        case Mmu::Fill::host_failed:
            end_kernel(target, context, info, "the host refused a mapping");
            return;
        case Mmu::Fill::denied:
            break;
        }
        raised.cause = page_fault_cause(walk, write, execute);
        if (walk.outcome == Walk::Outcome::outside) {
            raised.facts = {hal::FaultKind::physical, "access beyond physical memory"};
        }
    }
    raised.code = page_fault_code(raised.cause);
    raise_fault(target, context, info, raised);
}

void handle_kernel_fault(SignalTarget& target, ucontext_t& context, siginfo_t const& info) {
    auto const vector = static_cast<u64>(context.uc_mcontext.gregs[REG_TRAPNO]);
    if (vector == page_fault_vector) {
        handle_page_fault(target, context, info);
        return;
    }
    auto const code = static_cast<u64>(context.uc_mcontext.gregs[REG_ERR]);
    raise_fault(target, context, info, {exception_facts(vector), code, 0, {}});
}

[[noreturn]] void report_crash(siginfo_t const& info, ucontext_t const& context) {
    if (crashing) {
        write_all(STDERR_FILENO, "a second crash while reporting the first\n");
        _exit(crash_status);
    }
    crashing = true;
    if (before_crash_report != nullptr) {
        before_crash_report();
    }
    SignalTarget const* const target = current_target;
    bool const in_kernel = target != nullptr && target->cpu.in_kernel;
    format_to(
        standard_error,
        "twofold: the machine crashed: {} ({}) at instruction {:#018x}, address {:#018x}, {} "
        "kernel code\n",
        signal_name(info.si_signo), info.si_signo, interrupted_point(context).instruction,
        reinterpret_cast<u64>(info.si_addr), in_kernel ? "in" : "outside");
    Image const image = Image::self();
    standard_error.write("stack, innermost first:\n");
    WordReader const reader = target != nullptr ? reader_of(*target) : WordReader{};
    write_backtrace(standard_error, image, reader, interrupted_point(context));
    if (target != nullptr && !in_kernel) {
        write_suspended_kernel(standard_error, *target);
    }
    _exit(crash_status);
}

/// Lets whoever handled the signal before have it: the access happens again when this returns.
void leave_to_previous_handler(int signal) {
    for (usize index = 0; index < all_fault_signals.size(); ++index) {
        if (all_fault_signals[index] == signal) {
            sigaction(signal, &actions_before[index], nullptr);
        }
    }
}

void handle_signal(int signal, siginfo_t* info, void* raw_context) {
    int const errno_before = errno;
    auto& context = *static_cast<ucontext_t*>(raw_context);
    SignalTarget* const target = current_target;
    bool const synchronous = info->si_code > 0; // else another process or a raise() sent it
    if (target != nullptr && target->cpu.in_kernel && synchronous) {
        target->cpu.in_kernel = false; // a fault of this handler itself is none of the kernel
        handle_kernel_fault(*target, context, *info);
        target->cpu.in_kernel = true;
    } else if (crash_report_installed) {
        report_crash(*info, context);
    } else {
        leave_to_previous_handler(signal);
        if (!synchronous) {
            raise(signal);
        }
    }
    errno = errno_before;
}

void install_handlers() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction const action = signal_action(handle_signal);
        for (usize index = 0; index < all_fault_signals.size(); ++index) {
            int const failed = sigaction(all_fault_signals[index], &action, &actions_before[index]);
            CHECK(failed == 0);
        }
    });
}

} // namespace

struct sigaction signal_action(void (*handler)(int, siginfo_t*, void*)) {
    struct sigaction action{};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigfillset(&action.sa_mask);
    for (int const signal : all_fault_signals) {
        sigdelset(&action.sa_mask, signal);
    }
    return action;
}

std::span<int const> fault_signals() {
    return all_fault_signals;
}

void raise_non_maskable(SignalTarget& target, ucontext_t& context, siginfo_t const& info) {
    raise_fault(target, context, info, {exception_facts(non_maskable_vector), 0, 0, {}});
}

std::expected<std::unique_ptr<SignalStack>, std::string> SignalStack::create() {
    usize const size =
        page_size.value + align_up(signal_stack_bytes + getauxval(AT_MINSIGSTKSZ), page_size.value);
    void* const at =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return std::unexpected(fmt::format("cannot map a signal stack: {}", std::strerror(errno)));
    }
    std::unique_ptr<SignalStack> stack(new SignalStack({static_cast<std::byte*>(at), size}));
    if (mprotect(at, page_size.value, PROT_NONE) != 0) {
        return std::unexpected(
            fmt::format("cannot guard a signal stack: {}", std::strerror(errno)));
    }
    return stack;
}

SignalStack::~SignalStack() {
    munmap(m_whole.data(), m_whole.size());
}

stack_t SignalStack::description() const {
    stack_t out{};
    out.ss_sp = m_whole.data() + page_size.value;
    out.ss_size = m_whole.size() - page_size.value;
    return out;
}

SignalScope::SignalScope(SignalTarget& target, SignalStack const& stack)
    : m_target_before(current_target), m_stack_before{} {
    if (m_target_before == nullptr) {
        install_handlers();
        stack_t const description = stack.description();
        int const failed = sigaltstack(&description, &m_stack_before);
        CHECK(failed == 0);
    }
    current_target = &target;
}

SignalScope::~SignalScope() {
    current_target = m_target_before;
    if (m_target_before == nullptr) {
        sigaltstack(&m_stack_before, nullptr);
    }
}

void SignalScope::turn_to(SignalTarget& target) {
    current_target = &target;
}

void install_crash_report(void (*before)()) {
    before_crash_report = before;
    if (before != nullptr) {
        sanitizer::on_death(before);
    }
    crash_report_installed = true;
    install_handlers();
    struct sigaction const action = signal_action(handle_signal);
    sigaction(SIGABRT, &action, nullptr);
}

} // namespace hosted
