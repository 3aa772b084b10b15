// Performance counters on the kernel's side of the hosted machine.
#include "hal/counters.hpp"

#include "hal/hosted/guest/guest_cpu.hpp"

namespace hal {

using namespace hosted;

namespace {

/// Asks for something about `event`, on the running processor.
u64 ask(Undisturbed const& self, Request request, CounterEvent event) {
    CHECK(static_cast<usize>(event) < counter_event_count);
    exit_to_machine(self.cpu(), request, static_cast<u64>(event));
    return self.cpu().result;
}

} // namespace

bool Counters::has(CounterEvent event) {
    Undisturbed const self;
    return ask(self, Request::counter_has, event) != 0;
}

Result<void> Counters::start(CounterEvent event) {
    Undisturbed const self;
    return result_of(ask(self, Request::counter_start, event));
}

Result<u64> Counters::read(CounterEvent event) {
    Undisturbed const self;
    TRY(result_of(ask(self, Request::counter_read, event)));
    return self.cpu().arguments[0];
}

Result<void> Counters::stop(CounterEvent event) {
    Undisturbed const self;
    return result_of(ask(self, Request::counter_stop, event));
}

} // namespace hal
