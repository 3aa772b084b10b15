// The driver of local APICs against a model of their registers: x2APIC, which no emulator here has,
// by the same tests as xAPIC.
#include "tests/hal/x86_64/models/local_apic_model.hpp"

#include "hal/x86_64/devices/deadline.hpp"

namespace twofold::local_apic_tests {

using hal::Polarity;
using hal::Vector;
using metal::LocalApic;
using metal::LocalMode;
using metal::LocalRegister;
using metal::local_command::fixed;
using models::LocalApicModel;
namespace local_bit = metal::local_bit;
namespace local_command = metal::local_command;

constexpr Vector spurious{0xff}, error{0xfe};

template<class Registers>
class LocalApicOf : public testing::Test {
protected:
    LocalApicOf() { model.is_extended = Registers::is_extended; }

    u32 at(LocalRegister name) { return model.registers[LocalApicModel::word(name)]; }

    LocalApicModel model;
    LocalApic<Registers> local{Registers{&model}};
};

using Ways = testing::Types<models::XapicRegisters, models::X2apicRegisters>;
TYPED_TEST_SUITE(LocalApicOf, Ways);

TYPED_TEST(LocalApicOf, KnowsWhatAnswers) {
    EXPECT_TRUE(this->local.answers());
    this->model.version = 0;
    EXPECT_FALSE(this->local.answers());
    this->model.version = ~u32{0};
    EXPECT_FALSE(this->local.answers());
    this->model.version = 0x0003'0004; // an 82489DX, outside of the processor
    EXPECT_FALSE(this->local.answers());
}

TYPED_TEST(LocalApicOf, ReadsItsId) {
    this->model.id = 5;
    EXPECT_EQ(this->local.id(), 5u);
    this->model.id = 0xfe;
    EXPECT_EQ(this->local.id(), 0xfeu);
}

TYPED_TEST(LocalApicOf, IsEnabledAndSilentAfterItWasPrepared) {
    this->local.prepare({.spurious = spurious, .error = error});
    EXPECT_EQ(this->at(LocalRegister::spurious), 0x1ffu);
    EXPECT_EQ(this->at(LocalRegister::timer) & local_bit::masked, local_bit::masked);
    EXPECT_EQ(this->at(LocalRegister::performance) & local_bit::masked, local_bit::masked);
    EXPECT_EQ(this->at(LocalRegister::input_0), local_bit::masked);
    EXPECT_EQ(this->at(LocalRegister::input_1), local_bit::masked);
    EXPECT_EQ(this->at(LocalRegister::error), 0xfeu); // in force: it was enabled before
    EXPECT_EQ(this->at(LocalRegister::task_priority), 0u);
    EXPECT_EQ(this->at(LocalRegister::initial_count), 0u);
    EXPECT_TRUE(this->model.sent.empty());
}

TYPED_TEST(LocalApicOf, OneWithoutCountersHasNoEntryForThem) {
    this->model.version = 0x0003'0011;
    this->local.prepare({.spurious = spurious, .error = error});
    for (u32 const name : this->model.order) {
        EXPECT_NE(name, LocalApicModel::word(LocalRegister::performance));
    }
}

TYPED_TEST(LocalApicOf, FinishesWhatFirmwareLeftInService) {
    this->model.in_service = {0x21, 0x60, 0xff};
    this->local.prepare({.spurious = spurious, .error = error});
    EXPECT_TRUE(this->model.in_service.empty());
    EXPECT_EQ(this->model.finished, 3u);
}

TYPED_TEST(LocalApicOf, PassesNonMaskableInputsOn) {
    hal::InterruptPlan plan;
    plan.non_maskable[0] = {
        .processor = hal::InterruptPlan::LocalNonMaskable::all_processors, .input = 1};
    plan.non_maskable[1] = {.processor = 2, .input = 0, .polarity = Polarity::low};
    plan.non_maskable[2] = {.processor = 3, .input = 7}; // there is no such input
    plan.non_maskable_count = 3;
    this->local.prepare(metal::local_setup(plan, {0}, spurious, error));
    EXPECT_EQ(this->at(LocalRegister::input_0), local_bit::masked);
    EXPECT_EQ(this->at(LocalRegister::input_1), 0x400u);
    this->local.prepare(metal::local_setup(plan, {2}, spurious, error));
    EXPECT_EQ(this->at(LocalRegister::input_0), 0x2400u);
    EXPECT_EQ(this->at(LocalRegister::input_1), 0x400u);
}

TYPED_TEST(LocalApicOf, SendsToOneProcessor) {
    EXPECT_TRUE(this->local.command(3, fixed({0x40})));
    EXPECT_TRUE(this->local.command(0xfe, local_command::non_maskable));
    EXPECT_TRUE(this->local.command(0, local_command::init));
    EXPECT_TRUE(this->local.command(7, local_command::startup({0x9'f000})));
    std::vector<LocalApicModel::Sent> const expected = {
        {3, 0x4040}, {0xfe, 0x4400}, {0, 0x4500}, {7, 0x469f}};
    EXPECT_EQ(this->model.sent, expected);
}

TYPED_TEST(LocalApicOf, RaisesOnItsOwnProcessor) {
    EXPECT_TRUE(this->local.raise({0x80}));
    ASSERT_EQ(this->model.sent.size(), 1u);
    EXPECT_EQ(this->model.sent[0].command, 0x4'4080u);
}

TYPED_TEST(LocalApicOf, AcknowledgesByOneWrite) {
    this->local.finish();
    EXPECT_EQ(this->model.finished, 1u);
    EXPECT_EQ(this->model.order.size(), 1u);
}

TYPED_TEST(LocalApicOf, TakesErrorsOnce) {
    this->model.errors_gathered = 0x40;
    EXPECT_EQ(this->local.take_errors(), 0x40u);
    EXPECT_EQ(this->local.take_errors(), 0u);
}

TYPED_TEST(LocalApicOf, SeesWhatIsRequested) {
    this->model.registers[0x20 + 0x41 / 32] = u32{1} << (0x41 % 32);
    EXPECT_TRUE(this->local.is_requested({0x41}));
    EXPECT_FALSE(this->local.is_requested({0x40}));
    EXPECT_FALSE(this->local.is_requested({0x61}));
}

TYPED_TEST(LocalApicOf, ItsTimerCountsEveryTick) {
    this->local.prepare({.spurious = spurious, .error = error});
    this->local.set_timer(metal::timer_entry(metal::DeadlineKind::local_timer, {0xfb}));
    this->local.start_timer(12345);
    EXPECT_EQ(this->at(LocalRegister::divide), 0xbu);
    EXPECT_EQ(this->at(LocalRegister::timer), 0xfbu);
    EXPECT_EQ(this->at(LocalRegister::initial_count), 12345u);
}

TYPED_TEST(LocalApicOf, ItsTimerObeysTheDeadlineRegister) {
    this->local.prepare({.spurious = spurious, .error = error});
    this->local.set_timer(metal::timer_entry(metal::DeadlineKind::deadline_register, {0xfb}));
    EXPECT_EQ(this->at(LocalRegister::timer), 0x4'00fbu);
    this->local.set_timer(metal::timer_entry(metal::DeadlineKind::hpet, {0xfb}));
    EXPECT_EQ(this->at(LocalRegister::timer), 0x1'00fbu);
}

TEST(Xapic, WaitsUntilTheLastCommandHasLeft) {
    LocalApicModel model;
    model.polls_until_sent = 1000;
    LocalApic local(models::XapicRegisters{&model});
    for (u32 id = 0; id < 3; ++id) {
        EXPECT_TRUE(local.command(id, fixed({0x40})));
    }
    EXPECT_EQ(model.sent.size(), 3u);
}

TEST(Xapic, GivesUpOnACommandThatNeverLeaves) {
    LocalApicModel model;
    model.polls_until_sent = ~u32{0};
    LocalApic local(models::XapicRegisters{&model});
    EXPECT_TRUE(local.command(1, fixed({0x40})));
    EXPECT_FALSE(local.command(2, fixed({0x40})));
    EXPECT_FALSE(local.raise({0x40}));
    EXPECT_EQ(model.sent.size(), 1u);
}

TEST(X2apic, AddressesMoreThan255Processors) {
    LocalApicModel model;
    model.is_extended = true;
    LocalApic local(models::X2apicRegisters{&model});
    EXPECT_TRUE(local.command(0x1'0000, fixed({0x40})));
    ASSERT_EQ(model.sent.size(), 1u);
    EXPECT_EQ(model.sent[0].id, 0x1'0000u);
    model.id = 0x1'0000;
    EXPECT_EQ(local.id(), 0x1'0000u);
}

TEST(LocalMode, StaysWithWhatFirmwareChose) {
    u64 const enabled = 0xfee0'0800, extended = 0xfee0'0c00;
    auto const choose = metal::choose_local_mode;
    EXPECT_EQ(choose({.has_window = true, .base = enabled}), LocalMode::none);
    EXPECT_EQ(choose({.has_apic = true, .has_window = true, .base = enabled}), LocalMode::mapped);
    EXPECT_EQ(
        choose({.has_apic = true, .has_extended = true, .has_window = true, .base = enabled}),
        LocalMode::mapped);
    EXPECT_EQ(
        choose({.has_apic = true, .has_extended = true, .has_window = true, .base = extended}),
        LocalMode::extended);
    EXPECT_EQ(
        choose(
            {.has_apic = true,
             .has_extended = true,
             .is_emulated = true,
             .has_window = true,
             .base = enabled}),
        LocalMode::extended);
    EXPECT_EQ(
        choose({.has_apic = true, .has_extended = true, .base = enabled}), LocalMode::extended);
    EXPECT_EQ(choose({.has_apic = true, .base = enabled}), LocalMode::none);
}

} // namespace twofold::local_apic_tests
