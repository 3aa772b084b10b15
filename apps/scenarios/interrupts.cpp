// Interrupts that arrive: the order of those that are held back, nested and doubled, both halves of
// handlers, and what is refused. Vectors are the machine's own and are not recorded.
#include "apps/scenarios/scenarios.hpp"
#include "hal/controller.hpp"

namespace twofold::scenarios {

namespace {

using twofold::boot::Kernel;
using twofold::boot::Recorder;
using namespace twofold::processor;

using Name = FixedString<64>;

std::string_view name_of(Name& name, std::string_view what, u64 number) {
    char text[Name::capacity()];
    name.clear();
    name.append(format_to(std::span(text), "{} {}", what, number).text).value();
    return name.view();
}

/// What happened, as letters, in its order.
struct Journal {
    FixedString<200> text;

    void note(char letter) { text.append(letter).value(); } // scenarios note few
};

/// One handler: 'a' for its first half, 'A' and '.' for the beginning and the end of its second.
struct Handler {
    Journal* journal = nullptr;
    char letter = 'a';
    Handling answer = Handling::handled;
    hal::Vector vector;
    hal::Vector raised_in_second_half{}; ///< 0: none

    static Handling first_half(void* self, hal::Interruption const&) {
        auto& handler = *static_cast<Handler*>(self);
        handler.journal->note(handler.letter);
        return handler.answer;
    }
    static void second_half(void* self) {
        auto& handler = *static_cast<Handler*>(self);
        handler.journal->note(static_cast<char>(handler.letter - 'a' + 'A'));
        if (handler.raised_in_second_half != hal::Vector{}) {
            hal::Controller::send(twofold::boot::this_cpu().id, handler.raised_in_second_half);
            while (hal::Controller::is_pending(handler.raised_in_second_half)) {
                hal::Interrupt::poll();
            }
        }
        handler.journal->note('.');
    }
    InterruptBinding binding() {
        return {
            .handler = first_half,
            .argument = this,
            .name = "scenario",
            .second_half = second_half};
    }
    void raise() const { hal::Controller::send(twofold::boot::this_cpu().id, vector); }
    void settle() const {
        while (hal::Controller::is_pending(vector)) {
            hal::Interrupt::poll();
        }
    }
};

constexpr usize handlers = 3;

void record_orders(Recorder& record, std::span<Handler> all, Journal& journal) {
    auto const take = [&](std::string_view name) {
        for (Handler const& handler : all) {
            handler.settle();
        }
        record.text(name, journal.text.view());
        journal.text.clear();
    };
    for (Handler const& handler : all) {
        handler.raise();
        handler.settle();
    }
    take("each alone");
    {
        sync::InterruptGuard const off;
        for (usize const which : {1, 0, 2, 1, 1}) {
            all[which].raise();
        }
        record.truth("held back", journal.text.empty());
    }
    take("pending together, some twice");
    {
        sync::InterruptGuard const outer;
        {
            sync::InterruptGuard const inner;
            all[0].raise();
        }
        record.truth("held back by the outer guard", journal.text.empty());
    }
    take("let through by the outer guard");
    all[0].answer = Handling::wake;
    all[0].raised_in_second_half = all[2].vector;
    all[0].raise();
    take("a second half is interrupted");
    all[2].answer = Handling::wake;
    all[0].raise();
    take("second halves do not nest");
    {
        sync::NoPreemptGuard const here;
        all[0].raise();
        all[0].settle();
        all[2].raise();
        all[2].settle();
        record.text("first halves alone without preemption", journal.text.view());
    }
    take("second halves behind it");
}

void record_refusals(Recorder& record, Interrupts& interrupts, Handler& bound) {
    InterruptBinding const binding = bound.binding();
    hal::Vector const below{
        static_cast<u8>(interrupts.table().given_out().first.value - 1)}; // an exception's
    record.result("bound twice", interrupts.bind(bound.vector, binding));
    record.result("not one that is given out", interrupts.bind(below, binding));
    record.result("the spurious one", interrupts.bind(interrupts.table().spurious(), binding));
    record.result("no handler", interrupts.bind_any({}));
    for (u8 exception = 0; exception < 8; ++exception) {
        char name[24];
        record.result(
            format_to(std::span(name), "exception {}", u32{exception}).text,
            interrupts.bind({exception}, binding));
    }
    record.result("never bound", interrupts.unbind(below));
    hal::Line const beyond{hal::Controller::lines()};
    record.result("no such line", interrupts.bind_line({.line = beyond, .target = {}}, binding));
    record.result("no such line to mask", interrupts.mask_line(beyond));
    record.result("no such line to let through", interrupts.unmask_line(beyond));
}

} // namespace

void interrupts(Recorder& record, Kernel& kernel) {
    record.truth("there are interrupts", kernel.interrupts.is_open());
    if (!kernel.interrupts.is_open()) {
        return;
    }
    Journal journal;
    Name name;
    Handler all[handlers];
    for (usize i = 0; i < handlers; ++i) {
        all[i].journal = &journal;
        all[i].letter = static_cast<char>('a' + i);
        auto const vector = kernel.interrupts.bind_any(all[i].binding());
        record.truth(name_of(name, "bound", i), vector.has_value());
        if (!vector) {
            return;
        }
        all[i].vector = vector.value();
    }
    record_orders(record, all, journal);
    record_refusals(record, kernel.interrupts, all[1]);
    VectorCounts const before = this_cpu().counts[all[1].vector.value];
    for (usize i = 0; i < handlers; ++i) {
        record.result(name_of(name, "unbound", i), kernel.interrupts.unbind(all[i].vector));
    }
    all[1].raise();
    all[1].settle();
    VectorCounts const& after = this_cpu().counts[all[1].vector.value];
    record.number("taken though nobody is bound", after.taken - before.taken);
    record.number("and not handled", after.not_handled - before.not_handled);
    record.truth("nothing was called", journal.text.empty());
}

} // namespace twofold::scenarios
