// See stepper.hpp.
#include "tests/hal/x86_64/stepper.hpp"

#include <algorithm>

namespace twofold::test {

namespace {

constexpr greg_t trap_flag = greg_t{1} << 8;

Stepper* current_stepper = nullptr;

} // namespace

bool Step::is_call() const {
    u64 const bytes = peek(instruction());
    bool const is_near = (bytes & 0xff) == 0xe8;
    u64 const behind_prefix = (bytes & 0xf0) == 0x40 ? bytes >> 8 : bytes; // REX
    return is_near || (behind_prefix & 0xf8ff) == 0xd0ff;                  // FF /2, a register
}

void Step::set_trap_flag(bool is_set) const {
    greg_t& flags = m_context.uc_mcontext.gregs[REG_EFL];
    flags = is_set ? flags | trap_flag : flags & ~trap_flag;
}

Stepper::Stepper(Function function, void* object) : m_function(function), m_object(object) {
    CHECK(current_stepper == nullptr);
    current_stepper = this;
    struct sigaction action{};
    action.sa_sigaction = &Stepper::handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigfillset(&action.sa_mask);
    for (int const fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
        sigdelset(&action.sa_mask, fault);
    }
    int const failed = sigaction(SIGTRAP, &action, &m_before);
    CHECK(failed == 0);
}

Stepper::~Stepper() {
    sigaction(SIGTRAP, &m_before, nullptr);
    current_stepper = nullptr;
}

void Stepper::handle(int, siginfo_t*, void* context) {
    Stepper& self = *current_stepper;
    self.m_function(self.m_object, Step(*static_cast<ucontext_t*>(context)));
}

bool SteppedCall::is_kept() const {
    return stack_after == stack && std::ranges::equal(kept, kept_after);
}

} // namespace twofold::test
