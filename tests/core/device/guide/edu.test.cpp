// The test of docs/guides/write-a-driver.md: its driver in a kernel of each machine that has the
// device, on QEMU or as its twin.
#include "edu.hpp"

#include "tests/support/test.hpp"

namespace {

using namespace twofold;

/// The registry as it is when nobody has asked for a device yet.
struct Fresh {
    Fresh() = default;
    ~Fresh() {
        boot::close_device_model(kernel);
        boot::forget_pci(kernel);
    }
    Fresh(Fresh const&) = delete;
    Fresh& operator=(Fresh const&) = delete;

    bool has_edu() {
        auto const bus = boot::pci_bus(kernel);
        return bus && std::ranges::any_of(bus.value()->functions.functions(), edu::Edu::matches);
    }
    /// Where it is.
    pci::Address where() {
        auto const all = boot::pci_bus(kernel).value()->functions.functions();
        return std::ranges::find_if(all, edu::Edu::matches)->where;
    }
    template<class Use>
    auto registry(Use const& use) {
        return boot::with_registry(*boot::device_model(kernel).value(), use);
    }

    boot::Kernel& kernel = boot::current_kernel();
};

} // namespace

TEST(Edu, ComputesFactorials) {
    Fresh it;
    SKIP_IF(!it.has_edu(), "the machine has no device edu");
    auto const edu = edu::HeldEdu::find(it.kernel);
    ASSERT_TRUE(edu.has_value());
    u32 product = 1;
    for (u32 number = 1; number <= edu::Edu::number_max; ++number) {
        product *= number;
        auto const computed = edu.value()->factorial(number);
        ASSERT_TRUE(computed.has_value());
        EXPECT_EQ(computed.value(), product);
    }
    EXPECT_TRUE(edu.value()->factorial(0).value() == 1);
    EXPECT_TRUE(edu.value()->factorial(13).error() == Error::out_of_range);
}

TEST(Edu, KeepsWhatIsMovedIntoIt) {
    Fresh it;
    SKIP_IF(!it.has_edu(), "the machine has no device edu");
    auto const edu = edu::HeldEdu::find(it.kernel);
    ASSERT_TRUE(edu.has_value());
    std::byte bytes[edu::registers::buffer_bytes.value];
    auto const at = [](usize i) { return static_cast<std::byte>(i * 7 >> 2); };
    for (usize i = 0; i < sizeof(bytes); ++i) {
        bytes[i] = at(i);
    }
    ASSERT_TRUE(edu.value()->store(bytes).has_value());
    std::ranges::fill(bytes, std::byte{0xee});
    ASSERT_TRUE(edu.value()->load(bytes).has_value());
    for (usize i = 0; i < sizeof(bytes); ++i) {
        ASSERT_EQ(bytes[i], at(i));
    }
    EXPECT_TRUE(edu.value()->store({}).error() == Error::out_of_range);
    EXPECT_TRUE(edu.value()->load(std::span(bytes, 0)).error() == Error::out_of_range);
}

TEST(Edu, WaitsWhileItIsSuspendedAndComesBack) {
    Fresh it;
    SKIP_IF(!it.has_edu(), "the machine has no device edu");
    auto const edu = edu::HeldEdu::find(it.kernel);
    ASSERT_TRUE(edu.has_value());
    struct Asking {
        static void run(void* self) {
            auto& asking = *static_cast<Asking*>(self);
            auto const computed = (*asking.edu)->factorial(5);
            asking.product = computed ? computed.value() : 0;
            asking.is_done.store(1, release);
        }
        edu::HeldEdu const* edu;
        u32 product = 0;
        Atomic<u32> is_done{0};
    };
    Asking asking{.edu = &edu.value()};
    auto const where = it.where();
    ASSERT_TRUE(it.registry([&](auto& registry) { return registry.suspend(where); }).has_value());
    auto const thread = it.kernel.threads->spawn({}, Asking::run, &asking);
    ASSERT_TRUE(thread.has_value());
    it.kernel.threads->sleep_for({20'000'000});
    EXPECT_EQ(asking.is_done.load(acquire), 0u);
    EXPECT_TRUE(it.registry([&](auto& registry) { return registry.resume(where); }).has_value());
    EXPECT_TRUE(it.kernel.threads->join(*thread.value()).has_value());
    EXPECT_EQ(asking.product, 120u);
}

TEST(Edu, IsLeftAndTakenAgain) {
    Fresh it;
    SKIP_IF(!it.has_edu(), "the machine has no device edu");
    ASSERT_TRUE(edu::HeldEdu::find(it.kernel).has_value());
    auto const where = it.where();
    auto const left = it.registry(
        [&](auto& registry) { return registry.depart(where, device::Removal::orderly); });
    ASSERT_TRUE(left.has_value());
    pci::FunctionSpace const space(
        pci::Configuration::of(boot::pci_bus(it.kernel).value()->access), where);
    EXPECT_EQ(space.read_16(pci::offset::command) & 4, 0); // it does not master the bus
    EXPECT_TRUE(edu::HeldEdu::find(it.kernel).error() == Error::not_found); // on purpose
    auto const& function = *boot::pci_bus(it.kernel).value()->functions.find(where);
    ASSERT_TRUE(it.registry([&](auto& r) { return r.arrive(function); }).has_value());
    EXPECT_TRUE(edu::HeldEdu::find(it.kernel).value()->factorial(4).value() == 24);
}

TEST(Edu, AProbeThatFailsGivesBackWhatItTook) {
    Fresh it;
    SKIP_IF(!it.has_edu(), "the machine has no device edu");
    auto const function = *boot::pci_bus(it.kernel).value()->functions.find(it.where());
    auto const environment = it.registry([](auto& registry) { return registry.environment(); });
    pci::FunctionSpace const space(environment.configuration, function.where);
    auto const fails = [&](pci::Function const& with) {
        auto const probed = edu::Edu::probe(environment, with);
        if (probed) {
            probed.value()->remove(device::Removal::orderly);
        }
        return !probed;
    };
    ASSERT_FALSE(fails(function)); // once, since heap and page tables keep what they have grown by
    u64 const frames = it.kernel.frames->statistics().free_frames;
    for (u32 i = 0; i < 300; ++i) { // more often than there are vectors
        auto without_registers = function;
        without_registers.bars[0].address = 0;
        ASSERT_TRUE(fails(without_registers));
        auto without_messages = function;
        without_messages.msi.reset();
        ASSERT_TRUE(fails(without_messages));
        // Messages that are on cannot be set, which is the last that it does.
        pci::Msi(space, *function.msi).set_messages(pci::Switch::on);
        ASSERT_TRUE(fails(function));
    }
    EXPECT_GE(it.kernel.frames->statistics().free_frames + 16, frames);
    EXPECT_FALSE(fails(function));
}
