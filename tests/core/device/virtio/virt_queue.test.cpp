// Virtqueues and the order of a device's start, with a device in memory that does what it should,
// and one that does not.
#include "core/boot/pci.hpp"
#include "hal/clock.hpp"
#include "tests/core/device/virtio/scripted_device.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::test_virtio;

namespace {

constexpr Nanos long_time{60'000'000'000};

/// A request that notes what became of it.
struct Noted : QueueRequest {
    explicit Noted(std::span<Segment const> out, std::span<Segment const> in = {}) {
        to_device = out;
        to_driver = in;
        done = [](QueueRequest& self, Result<u32> written) {
            auto& noted = static_cast<Noted&>(self);
            ++noted.times;
            noted.outcome = std::move(written);
        };
    }
    u32 times = 0;
    Result<u32> outcome = Error::busy;

    bool is_done_with(Result<u32> const& wanted) const {
        return times == 1 && outcome.has_value() == wanted.has_value() &&
               (wanted ? outcome.value() == wanted.value() : outcome.error() == wanted.error());
    }
};

constexpr Segment one_page[] = {{PhysAddr{0x1000}, 512}};
constexpr Segment two_parts[] = {{PhysAddr{0x2000}, 100}, {PhysAddr{0x3000}, 28}};

/// A device with one queue, running.
struct Running {
    explicit Running(Nanos time_out = long_time) {
        auto const begun = [&]() -> Result<VirtQueue*> {
            TRY(device.negotiate(0, 0));
            TRY(device.bind({.changed = changed, .object = this}, "scripted"));
            auto* const opened = TRY(device.open_queue(0, 64, time_out));
            device.run();
            return opened;
        }();
        queue = begun ? begun.value() : nullptr;
    }
    ~Running() { device.close(); }

    static void changed(void* self) { ++static_cast<Running*>(self)->changes; }

    boot::MachineAccess access;
    ScriptedDevice scripted;
    Device device{environment(boot::current_kernel(), pci::Configuration::of(access)), scripted};
    VirtQueue* queue = nullptr;
    u32 changes = 0;
};

} // namespace

TEST(VirtQueue, AChainIsWhatWasAskedFor) {
    Running it;
    ASSERT_TRUE(it.queue != nullptr);
    EXPECT_EQ(it.queue->entries(), 8u);
    EXPECT_EQ(it.scripted.status_now, 15u);
    Noted request(one_page, two_parts);
    EXPECT_TRUE(it.queue->submit(request).has_value());
    EXPECT_EQ(it.scripted.notifications, 1u);
    auto const chain = it.scripted.take();
    ASSERT_TRUE(chain.has_value());
    ASSERT_EQ(chain->descriptors.size(), 3u);
    EXPECT_EQ(chain->descriptors[0].address, 0x1000u);
    EXPECT_EQ(chain->descriptors[0].bytes, 512u);
    EXPECT_EQ(chain->descriptors[0].flags, descriptor_has_next);
    EXPECT_EQ(chain->descriptors[1].address, 0x2000u);
    EXPECT_EQ(chain->descriptors[1].flags, descriptor_has_next | descriptor_is_written);
    EXPECT_EQ(chain->descriptors[2].bytes, 28u);
    EXPECT_EQ(chain->descriptors[2].flags, descriptor_is_written);
    it.scripted.tell_of_queues(); // a spurious one
    EXPECT_EQ(request.times, 0u);
    it.scripted.give_back(chain->head, 128);
    it.scripted.tell_of_queues();
    EXPECT_TRUE(request.is_done_with(128u));
    EXPECT_FALSE(it.scripted.take().has_value());
}

TEST(VirtQueue, WhoFindsNoRoomWaitsInOrder) {
    Running it;
    ASSERT_TRUE(it.queue != nullptr);
    Noted three[] = {
        Noted(one_page, two_parts), Noted(one_page, two_parts), Noted(one_page, two_parts)};
    Noted small(one_page);
    for (Noted& each : three) { // nine descriptors of eight
        EXPECT_TRUE(it.queue->submit(each).has_value());
    }
    EXPECT_TRUE(it.queue->submit(small).has_value()); // which would fit, but is not first
    auto const first = it.scripted.take();
    auto const second = it.scripted.take();
    ASSERT_TRUE(first.has_value() && second.has_value());
    EXPECT_FALSE(it.scripted.take().has_value());
    it.scripted.give_back(second->head, 0); // out of order
    it.scripted.tell_of_queues();
    EXPECT_EQ(three[0].times, 0u);
    EXPECT_EQ(three[1].times, 1u);
    auto const third = it.scripted.take();
    auto const fourth = it.scripted.take();
    ASSERT_TRUE(third.has_value() && fourth.has_value());
    EXPECT_EQ(third->descriptors.size(), 3u);
    EXPECT_EQ(fourth->descriptors.size(), 1u);
    for (u16 const head : {fourth->head, first->head, third->head}) {
        it.scripted.give_back(head, 1);
    }
    it.scripted.tell_of_queues();
    for (Noted const& each : three) {
        EXPECT_EQ(each.times, 1u);
    }
    EXPECT_EQ(small.times, 1u);
    EXPECT_FALSE(it.device.is_broken());
}

TEST(VirtQueue, RunsRoundItsRingsForEver) {
    Running it;
    ASSERT_TRUE(it.queue != nullptr);
    for (u32 i = 0; i < 70'000; ++i) { // more than an index holds
        Noted request(one_page, two_parts);
        ASSERT_TRUE(it.queue->submit(request).has_value());
        auto const chain = it.scripted.take();
        ASSERT_TRUE(chain.has_value());
        it.scripted.give_back(chain->head, i % 129);
        it.scripted.tell_of_queues();
        ASSERT_TRUE(request.is_done_with(i % 129));
    }
    EXPECT_EQ(it.queue->counts().completed, 70'000u);
    EXPECT_EQ(it.queue->counts().corrupted, 0u);
}

TEST(VirtQueue, RefusesWhatIsNoRequest) {
    Running it;
    ASSERT_TRUE(it.queue != nullptr);
    constexpr Segment empty[] = {{PhysAddr{0x1000}, 0}};
    constexpr Segment huge[] = {{PhysAddr{0x1000}, UINT32_MAX}, {PhysAddr{0x1000}, 1}};
    Segment many[9];
    for (Segment& each : many) {
        each = one_page[0];
    }
    for (std::span<Segment const> const out :
         {std::span<Segment const>(), std::span<Segment const>(empty),
          std::span<Segment const>(huge), std::span<Segment const>(many)}) {
        Noted request(out);
        auto const submitted = it.queue->submit(request);
        ASSERT_FALSE(submitted.has_value());
        EXPECT_EQ(submitted.error(), Error::invalid_argument);
    }
    EXPECT_EQ(it.scripted.notifications, 0u);
}

TEST(VirtQueue, ALengthThatCannotBeIsAnError) {
    Running it;
    ASSERT_TRUE(it.queue != nullptr);
    Noted request(one_page, two_parts);
    ASSERT_TRUE(it.queue->submit(request).has_value());
    it.scripted.give_back(it.scripted.take()->head, 129);
    it.scripted.tell_of_queues();
    EXPECT_TRUE(request.is_done_with(Error::corrupted));
    EXPECT_EQ(it.queue->counts().corrupted, 1u);
    EXPECT_FALSE(it.device.is_broken());
}

TEST(VirtQueue, ADeviceThatGivesBackWhatItWasNotGivenIsReset) {
    for (u32 const head : {8u, 1000u, ~0u, 5u}) { // outside, and of no chain
        Running it;
        ASSERT_TRUE(it.queue != nullptr);
        Noted flying(one_page, two_parts), other(one_page);
        ASSERT_TRUE(it.queue->submit(flying).has_value());
        ASSERT_TRUE(it.queue->submit(other).has_value());
        u32 const resets = it.scripted.resets;
        it.scripted.give_back(head, 1);
        it.scripted.tell_of_queues();
        EXPECT_TRUE(it.device.is_broken());
        EXPECT_EQ(it.scripted.resets, resets + 1);
        EXPECT_TRUE(flying.is_done_with(Error::corrupted));
        EXPECT_TRUE(other.is_done_with(Error::corrupted));
        Noted late(one_page);
        auto const submitted = it.queue->submit(late);
        ASSERT_FALSE(submitted.has_value());
        EXPECT_EQ(submitted.error(), Error::io_failed);
        it.scripted.tell_of_queues();
        EXPECT_EQ(it.queue->counts().corrupted, 1u);
        EXPECT_EQ(it.queue->counts().abandoned, 2u);
    }
}

TEST(VirtQueue, ADeviceThatGivesBackTwiceIsReset) {
    Running it;
    ASSERT_TRUE(it.queue != nullptr);
    Noted request(one_page), flying(one_page);
    ASSERT_TRUE(it.queue->submit(request).has_value());
    ASSERT_TRUE(it.queue->submit(flying).has_value());
    u16 const head = it.scripted.take()->head;
    it.scripted.give_back(head, 0);
    it.scripted.give_back(head, 0);
    it.scripted.tell_of_queues();
    EXPECT_TRUE(request.is_done_with(0u));
    EXPECT_TRUE(flying.is_done_with(Error::corrupted));
}

TEST(VirtQueue, AnIndexThatRunsAheadIsAnError) {
    Running it;
    ASSERT_TRUE(it.queue != nullptr);
    Noted request(one_page);
    ASSERT_TRUE(it.queue->submit(request).has_value());
    it.scripted.set_used_index(2);
    it.scripted.tell_of_queues();
    EXPECT_TRUE(request.is_done_with(Error::corrupted));
    EXPECT_TRUE(it.device.is_broken());
}

TEST(VirtQueue, WhatTheDeviceWritesToItsDescriptorsIsNotRead) {
    Running it;
    ASSERT_TRUE(it.queue != nullptr);
    Noted request(one_page, two_parts);
    ASSERT_TRUE(it.queue->submit(request).has_value());
    auto const chain = it.scripted.take();
    for (u16 i = 0; i < 8; ++i) {
        ScriptedDevice::write(
            it.scripted.queue->descriptors + Bytes{i * sizeof(Descriptor)},
            Descriptor{.address = ~u64{0}, .bytes = ~u32{0}, .flags = 0xffff, .next = 0xffff});
    }
    it.scripted.give_back(chain->head, 3);
    it.scripted.tell_of_queues();
    EXPECT_TRUE(request.is_done_with(3u));
    Noted next(two_parts, one_page);
    ASSERT_TRUE(it.queue->submit(next).has_value());
    auto const again = it.scripted.take();
    ASSERT_EQ(again->descriptors.size(), 3u);
    EXPECT_EQ(again->descriptors[1].address, 0x3000u);
    it.scripted.give_back(again->head, 512);
    it.scripted.tell_of_queues();
    EXPECT_TRUE(next.is_done_with(512u));
}

TEST(VirtQueue, ADeviceThatDoesNotAnswerIsReset) {
    Running it(Nanos{2'000'000});
    ASSERT_TRUE(it.queue != nullptr);
    Noted request(one_page);
    Nanos const begun = hal::Clock::now();
    ASSERT_TRUE(it.queue->submit(request).has_value());
    it.scripted.tell_of_queues();
    EXPECT_EQ(request.times, 0u); // not that early
    while (it.scripted.work_requests.load(acquire) == 0) {
        ASSERT_TRUE(processor::sleep_for(Nanos{100'000}).has_value());
    }
    EXPECT_TRUE(hal::Clock::now() - begun >= Nanos{2'000'000});
    it.scripted.tell_of_queues();
    EXPECT_TRUE(request.is_done_with(Error::timed_out));
    EXPECT_TRUE(it.device.is_broken());
    EXPECT_EQ(it.scripted.status_now, 0u);
}

TEST(VirtQueue, WhoAnswersInTimeIsNotOverdue) {
    Running it(Nanos{5'000'000});
    ASSERT_TRUE(it.queue != nullptr);
    for (u32 i = 0; i < 6; ++i) { // each in its time, all together not
        Noted request(one_page);
        ASSERT_TRUE(it.queue->submit(request).has_value());
        it.scripted.give_back(it.scripted.take()->head, 0);
        it.scripted.tell_of_queues();
        EXPECT_TRUE(request.is_done_with(0u));
        ASSERT_TRUE(processor::sleep_for(Nanos{2'000'000}).has_value());
    }
    it.scripted.tell_of_queues();
    EXPECT_FALSE(it.device.is_broken());
}

TEST(VirtioDevice, FeaturesAreThoseThatBothHave) {
    Running it;
    EXPECT_EQ(it.scripted.accepted, feature::version_1);
    boot::MachineAccess access;
    ScriptedDevice scripted;
    Device device(environment(boot::current_kernel(), pci::Configuration::of(access)), scripted);
    scripted.offered = feature::version_1 | feature::access_platform | 0b1100;
    ASSERT_TRUE(device.negotiate(0b0110, 0b1000).has_value());
    EXPECT_EQ(scripted.accepted, feature::version_1 | feature::access_platform | 0b1100);
    EXPECT_EQ(device.features(), scripted.accepted);
    device.close();
}

TEST(VirtioDevice, WhatCannotBeAgreedOnIsNotSupported) {
    struct Case {
        u64 offered;
        u64 not_taken;
        u64 required;
    };
    for (Case const& each :
         {Case{0b1, 0, 0}, Case{feature::version_1, 0, 0b1},
          Case{feature::version_1, feature::version_1, 0}}) {
        boot::MachineAccess access;
        ScriptedDevice scripted;
        scripted.offered = each.offered;
        scripted.not_taken = each.not_taken;
        Device device(
            environment(boot::current_kernel(), pci::Configuration::of(access)), scripted);
        auto const agreed = device.negotiate(0, each.required);
        ASSERT_FALSE(agreed.has_value());
        EXPECT_EQ(agreed.error(), Error::not_supported);
        device.close();
    }
}

TEST(VirtioDevice, QueuesThatMakeNoSenseAreRefused) {
    for (u16 const entries : {u16{0}, u16{6}}) {
        boot::MachineAccess access;
        ScriptedDevice scripted;
        scripted.entries_max = entries;
        Device device(
            environment(boot::current_kernel(), pci::Configuration::of(access)), scripted);
        ASSERT_TRUE(device.negotiate(0, 0).has_value());
        auto const queue = device.open_queue(0, 64, long_time);
        ASSERT_FALSE(queue.has_value());
        EXPECT_EQ(queue.error(), entries == 0 ? Error::not_found : Error::corrupted);
        device.close();
    }
}

TEST(VirtioDevice, OneThatNeedsAResetGetsIt) {
    Running it;
    ASSERT_TRUE(it.queue != nullptr);
    it.scripted.tell_of_configuration();
    EXPECT_EQ(it.changes, 1u);
    Noted request(one_page);
    ASSERT_TRUE(it.queue->submit(request).has_value());
    it.scripted.status_now |= status::needs_reset;
    it.scripted.tell_of_configuration();
    EXPECT_TRUE(request.is_done_with(Error::io_failed));
    EXPECT_EQ(it.changes, 1u);
    EXPECT_TRUE(it.device.is_broken());
}

TEST(VirtioDevice, OneThatDoesNotResetIsKnown) {
    Running it;
    ASSERT_TRUE(it.queue != nullptr);
    it.scripted.never_resets = true;
    it.scripted.give_back(7, 0);
    it.scripted.tell_of_queues();
    EXPECT_TRUE(it.device.is_broken());
    EXPECT_FALSE(it.device.is_stopped());
    it.scripted.never_resets = false;
}

TEST(VirtioDevice, AConfigurationIsReadInOnePiece) {
    Running it;
    u32 reads = 0;
    EXPECT_TRUE(it.device.read_configuration([&] { ++reads; }).has_value());
    EXPECT_EQ(reads, 1u);
    auto const once =
        it.device.read_configuration([&] { it.scripted.generation += ++reads == 2 ? 1 : 0; });
    EXPECT_TRUE(once.has_value());
    EXPECT_EQ(reads, 3u);
    it.scripted.generation_step = 1;
    auto const never = it.device.read_configuration([&] { ++reads; });
    ASSERT_FALSE(never.has_value());
    EXPECT_EQ(never.error(), Error::busy);
}

TEST(VirtQueue, APanicPassesOverWhatIsInFlight) {
    Running it;
    ASSERT_TRUE(it.queue != nullptr);
    Noted first(one_page), second(two_parts);
    ASSERT_TRUE(it.queue->submit(first).has_value());
    ASSERT_TRUE(it.queue->submit(second).has_value());
    it.scripted.answers_at_once = true;
    {
        sync::InterruptGuard const off;
        EXPECT_EQ(it.queue->perform_in_panic({}, {}, long_time).error(), Error::invalid_argument);
        auto const written = it.queue->perform_in_panic(one_page, two_parts, long_time);
        ASSERT_TRUE(written.has_value());
        EXPECT_EQ(written.value(), 0u);
    }
    EXPECT_EQ(first.times + second.times, 0u); // nobody is called in a panic
    EXPECT_EQ(it.queue->counts().completed, 3u);
}

TEST(VirtQueue, APanicWithoutDescriptorsIsRefused) {
    Running it;
    ASSERT_TRUE(it.queue != nullptr);
    Noted all[8] = {Noted(one_page), Noted(one_page), Noted(one_page), Noted(one_page),
                    Noted(one_page), Noted(one_page), Noted(one_page), Noted(one_page)};
    for (Noted& each : all) {
        ASSERT_TRUE(it.queue->submit(each).has_value());
    }
    {
        sync::InterruptGuard const off;
        EXPECT_EQ(
            it.queue->perform_in_panic(one_page, {}, long_time).error(), Error::invalid_state);
    }
    it.device.close();
    for (Noted const& each : all) {
        EXPECT_EQ(each.times, 1u);
    }
}
