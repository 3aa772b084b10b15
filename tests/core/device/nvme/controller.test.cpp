// A controller that is brought up and down, is late, fails and is reset, and whose namespaces come
// and go.
#include "tests/support/running_nvme.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::test_nvme;
using block::Operation;

TEST(NvmeController, IsBroughtUpAndDown) {
    NotedDisks disks;
    {
        Running it;
        it.disks = &disks;
        it.scripted->blocks[3] = 8;
        ASSERT_TRUE(it.open().has_value());
        EXPECT_EQ(it.scripted->enabled_times, 1u);
        EXPECT_EQ(it.controller->facts().model.view(), "scripted");
        ASSERT_EQ(disks.devices.size(), 2u);
        EXPECT_EQ(disks.devices[0]->name(), "nvme0n1");
        EXPECT_EQ(disks.devices[1]->name(), "nvme0n3");
        EXPECT_EQ(disks.devices[1]->geometry().sectors, 8u);
        EXPECT_EQ(it.scripted->queues[1].entries, 128u);
        EXPECT_EQ(it.scripted->event_ids.size(), 4u);
        EXPECT_NE(it.scripted->features[0xb] & wants_namespace_notices, 0u);
        it.controller->remove(device::Removal::orderly);
        it.controller = nullptr;
        EXPECT_TRUE(disks.devices.empty());
        EXPECT_EQ(it.scripted->shut_down_times, 1u);
        EXPECT_EQ(it.scripted->get<u32>(reg::configuration) & cc::enable, 0u);
        EXPECT_TRUE(it.scripted->is_cut_off && it.scripted->is_unbound && it.scripted->is_closed);
    }
}

TEST(NvmeController, OneThatCannotBeUsedIsRefusedAndGivesAllBack) {
    struct Case {
        void (*spoil)(ScriptedController& scripted);
        Error error;
    };
    constexpr Case cases[] = {
        {[](ScriptedController& it) { it.never_ready = true; }, Error::timed_out},
        {[](ScriptedController& it) { it.fails_on_enable = true; }, Error::io_failed},
        {[](ScriptedController& it) { it.set_status(~u32{0}); }, Error::io_failed},
        {[](ScriptedController& it) { it.set<u64>(reg::capabilities, 0x7f); },
         Error::not_supported},
        {[](ScriptedController& it) {
             it.set<u64>(reg::capabilities, ScriptedController::capabilities(0, 1));
         },
         Error::not_supported},
        {[](ScriptedController& it) { it.said.submission_entry_log2 = 0x77; },
         Error::not_supported},
        {[](ScriptedController& it) { it.said.completion_entry_log2 = 0x47; }, Error::corrupted},
        {[](ScriptedController& it) { it.answers_admin = false; }, Error::timed_out},
        {[](ScriptedController& it) {
             it.admin_status = status::invalid_queue_size;
             it.admin_failing = AdminOpcode::create_submission_queue;
         },
         Error::out_of_range},
        {[](ScriptedController& it) {
             it.admin_status = status::internal_error;
             it.admin_failing = AdminOpcode::set_features;
         },
         Error::io_failed}};
    boot::Kernel& kernel = boot::current_kernel();
    // Less than a page is lost for each that is opened: the heap takes some for each processor that
    // the thread comes to, and tables of pages are made, all of them once.
    constexpr u32 rounds = 8;
    u64 before = 0;
    for (u32 round = 0; round <= rounds; ++round) {
        before = round == 1 ? kernel.frames->statistics().free_frames : before;
        for (Case const& each : cases) {
            Running it;
            each.spoil(*it.scripted);
            auto const opened = it.open();
            ASSERT_FALSE(opened.has_value());
            EXPECT_EQ(opened.error(), each.error);
            EXPECT_TRUE(it.scripted->is_closed);
        }
    }
    EXPECT_TRUE(
        kernel.frames->statistics().free_frames + rounds * std::size(cases) > before + rounds);
}

TEST(NvmeController, ANameThatIsTakenIsNotUsedTwice) {
    NotedDisks disks;
    disks.taken_name = "nvme0n1";
    Running it;
    it.disks = &disks;
    it.scripted->blocks[2] = 5;
    ASSERT_TRUE(it.open().has_value());
    ASSERT_EQ(disks.devices.size(), 2u);
    EXPECT_EQ(disks.devices[0]->name(), "nvme1n1");
    EXPECT_EQ(disks.devices[1]->name(), "nvme1n2");
    it.controller->remove(device::Removal::orderly);
    it.controller = nullptr;
}

TEST(NvmeController, ItHasAsManyQueuesAsThereAre) {
    u32 const cpus = boot::current_kernel().cpus.online();
    struct Case {
        u32 vectors;
        u32 offered;
        u32 expected;
    };
    for (Case const& each :
         {Case{9, 8, std::min(cpus, 8u)}, Case{2, 8, 1}, Case{1, 8, 1}, Case{9, 1, 1},
          Case{3, 8, std::min(cpus, 2u)}}) {
        Running it;
        it.scripted->vector_count = each.vectors;
        it.scripted->queues_offered = each.offered;
        auto options = Running::patient();
        options.queues_max = 8;
        ASSERT_TRUE(it.open(options).has_value());
        EXPECT_EQ(it.controller->queues().size(), each.expected);
        Noted noted;
        ASSERT_TRUE(it.space->submit(noted).has_value());
        u16 number = 1;
        auto command = it.scripted->take(number);
        while (!command && number < ScriptedController::queues_max) {
            command = it.scripted->take(++number);
        }
        ASSERT_TRUE(command.has_value());
        it.scripted->complete(number, command->id);
        it.scripted->interrupt(each.vectors == 1 ? 0 : number);
        EXPECT_TRUE(noted.is_done());
    }
}

TEST(NvmeController, WhatIsOverdueIsAborted) {
    Running it;
    ASSERT_TRUE(it.open(Running::hasty()).has_value());
    Noted noted(Operation::read, 0, 1);
    Nanos const begun = hal::Clock::now();
    ASSERT_TRUE(it.space->submit(noted).has_value());
    it.wait_for_errand();
    EXPECT_TRUE(hal::Clock::now() - begun >= Nanos{4 * static_cast<i64>(ms) - 2048});
    EXPECT_TRUE(noted.has_failed(Error::timed_out));
    EXPECT_EQ(it.scripted->abort_count, 1u);
    EXPECT_EQ(it.controller->counts().aborts, 1u);
    EXPECT_EQ(it.controller->counts().resets, 0u);
    EXPECT_EQ(it.counts().timeouts, 1u);
    EXPECT_EQ(it.scripted->enabled_times, 1u);
}

TEST(NvmeController, ARequestCanBeInMoreOfAHurry) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    Noted patient(Operation::read, 0, 1), hasty(Operation::read, 1, 1);
    hasty.time_out = Nanos{3 * static_cast<i64>(ms)};
    ASSERT_TRUE(it.space->submit(patient).has_value());
    ASSERT_TRUE(it.space->submit(hasty).has_value());
    it.wait_for_errand();
    EXPECT_TRUE(hasty.has_failed(Error::timed_out));
    EXPECT_EQ(patient.times, 0u);
    EXPECT_EQ(it.answer(1), 1u);
    it.scripted->interrupt(1);
    EXPECT_TRUE(patient.is_done());
}

TEST(NvmeController, ALostInterruptIsNoFailure) {
    Running it;
    ASSERT_TRUE(it.open(Running::hasty()).has_value());
    Noted noted(Operation::read, 0, 1);
    ASSERT_TRUE(it.space->submit(noted).has_value());
    EXPECT_EQ(it.answer(1), 1u); // and nothing interrupts
    it.wait_for_errand();
    EXPECT_TRUE(noted.is_done());
    EXPECT_EQ(it.scripted->abort_count, 0u);
    EXPECT_EQ(it.controller->counts().lost_interrupts, 1u);
}

TEST(NvmeController, WhatCannotBeAbortedIsReplayedAfterAReset) {
    Running it;
    ASSERT_TRUE(it.open(Running::hasty()).has_value());
    it.scripted->aborts_commands = false;
    Noted first(Operation::read, 1, 1), second(Operation::write, 2, 1), third;
    ASSERT_TRUE(it.space->submit(first).has_value());
    ASSERT_TRUE(it.space->submit(second).has_value());
    ASSERT_TRUE(it.space->submit(third).has_value());
    u16 const late = it.scripted->take(1)->id;
    it.wait_for_errand(); // aborts them
    EXPECT_EQ(it.scripted->abort_count, 3u);
    EXPECT_EQ(it.controller->counts().resets, 0u);
    it.wait_for_errand(); // resets it
    EXPECT_EQ(it.controller->counts().resets, 1u);
    EXPECT_EQ(it.scripted->enabled_times, 2u);
    EXPECT_EQ(first.times + second.times + third.times, 0u);
    auto const again = it.scripted->take(1);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->word10, 1u); // in the order in which they were submitted
    EXPECT_EQ(it.scripted->take(1)->word10, 2u);
    EXPECT_EQ(it.scripted->take(1)->opcode, static_cast<u8>(Opcode::flush));
    it.scripted->complete(1, late); // of before
    it.scripted->queues[1].head = 0;
    EXPECT_EQ(it.answer(3), 3u);
    it.scripted->interrupt(1);
    EXPECT_TRUE(first.is_done() && second.is_done() && third.is_done());
    EXPECT_EQ(it.counts().spurious, 1u);
    EXPECT_EQ(it.counts().replays, 3u);
}

TEST(NvmeController, WhatIsDoneBeforeAResetIsNotDoneAgain) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    Noted done(Operation::write, 1, 1), flying(Operation::write, 2, 1);
    ASSERT_TRUE(it.space->submit(done).has_value());
    ASSERT_TRUE(it.space->submit(flying).has_value());
    EXPECT_EQ(it.answer(1), 1u); // and nobody was interrupted
    ASSERT_TRUE(it.controller->reset().has_value());
    EXPECT_TRUE(done.is_done());
    EXPECT_EQ(it.counts().replays, 1u);
    EXPECT_EQ(it.answer(5), 1u);
    it.scripted->interrupt(1);
    EXPECT_TRUE(flying.is_done());
}

TEST(NvmeController, WhatNeverComesBackFailsAfterSomeReplays) {
    Running it;
    ASSERT_TRUE(it.open(Running::hasty()).has_value());
    it.scripted->aborts_commands = false;
    Noted noted(Operation::read, 0, 1), waiting;
    ASSERT_TRUE(it.space->submit(noted).has_value());
    for (u32 i = 0; i <= QueuePair::replays_max; ++i) {
        EXPECT_EQ(noted.times, 0u);
        it.wait_for_errand(); // aborts it
        it.wait_for_errand(); // resets the controller
    }
    EXPECT_EQ(it.controller->counts().resets, QueuePair::replays_max + 1u);
    EXPECT_TRUE(noted.has_failed(Error::timed_out));
    ASSERT_TRUE(it.space->submit(waiting).has_value());
    EXPECT_EQ(it.answer(1), 1u);
    it.scripted->interrupt(1);
    EXPECT_TRUE(waiting.is_done());
}

TEST(NvmeController, ResetsThatSomebodyWantsFailNothing) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    Noted noted(Operation::read, 0, 1);
    ASSERT_TRUE(it.space->submit(noted).has_value());
    for (u32 i = 0; i < QueuePair::replays_max + 3u; ++i) {
        ASSERT_TRUE(it.controller->reset().has_value());
        EXPECT_EQ(noted.times, 0u);
    }
    EXPECT_EQ(it.answer(1), 1u);
    it.scripted->interrupt(1);
    EXPECT_TRUE(noted.is_done());
}

TEST(NvmeController, OneThatSaysThatItHasFailedIsReset) {
    Running it;
    ASSERT_TRUE(it.open(Running::hasty()).has_value());
    Noted noted(Operation::read, 0, 1);
    ASSERT_TRUE(it.space->submit(noted).has_value());
    it.scripted->set_status(csts::ready | csts::fatal);
    it.wait_for_errand();
    EXPECT_EQ(it.controller->counts().resets, 1u);
    EXPECT_EQ(it.answer(1), 1u);
    it.scripted->interrupt(1);
    EXPECT_TRUE(noted.is_done());
}

TEST(NvmeController, OneThatDoesNotComeBackIsDead) {
    struct Case {
        void (*spoil)(ScriptedController& scripted);
    };
    constexpr Case cases[] = {
        {[](ScriptedController& it) { it.never_ready = true; }},
        {[](ScriptedController& it) { it.never_disabled = true; }},
        {[](ScriptedController& it) { it.fails_on_enable = true; }},
        {[](ScriptedController& it) { it.set_status(~u32{0}); }},
        {[](ScriptedController& it) {
            it.queues_offered = 1;
            it.said.model[0] = 's';
            it.answers_admin = false;
        }}};
    for (Case const& each : cases) {
        Running it;
        auto options = Running::patient();
        options.entries = 4;
        ASSERT_TRUE(it.open(options).has_value());
        Many<6> requests;
        for (u32 i = 0; i < 6; ++i) {
            ASSERT_TRUE(it.space->submit(requests[i]).has_value());
        }
        each.spoil(*it.scripted);
        EXPECT_EQ(it.controller->reset().error(), Error::io_failed);
        EXPECT_TRUE(it.controller->state() == ControllerState::dead);
        EXPECT_TRUE(it.scripted->is_cut_off);
        for (u32 i = 0; i < 6; ++i) {
            EXPECT_TRUE(requests[i].has_failed(Error::io_failed));
        }
        Noted late;
        EXPECT_EQ(it.space->submit(late).error(), Error::io_failed);
        EXPECT_EQ(late.times, 0u);
    }
}

TEST(NvmeController, OneThatIsGoneIsNotWaitedFor) {
    NotedDisks disks;
    Running it;
    it.disks = &disks;
    ASSERT_TRUE(it.open().has_value());
    Noted noted;
    ASSERT_TRUE(it.space->submit(noted).has_value());
    it.scripted->set_status(~u32{0});
    it.scripted->never_disabled = it.scripted->never_shut_down = true;
    Nanos const begun = hal::Clock::now();
    it.controller->remove(device::Removal::gone);
    it.controller = nullptr;
    EXPECT_TRUE(hal::Clock::now() - begun < Nanos{500 * static_cast<i64>(ms)});
    EXPECT_TRUE(noted.has_failed(Error::io_failed));
    EXPECT_TRUE(disks.devices.empty());
    EXPECT_TRUE(it.scripted->is_closed);
}

TEST(NvmeController, WhatIsSubmittedWhileItSleepsWaits) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    ASSERT_TRUE(it.controller->suspend().has_value());
    EXPECT_EQ(it.scripted->shut_down_times, 1u);
    EXPECT_EQ(it.controller->suspend().error(), Error::invalid_state);
    Noted noted(Operation::read, 3, 1);
    ASSERT_TRUE(it.space->submit(noted).has_value());
    EXPECT_FALSE(it.scripted->take(1).has_value());
    ASSERT_TRUE(it.controller->resume().has_value());
    EXPECT_EQ(it.scripted->restored, 1u);
    EXPECT_EQ(it.answer(1), 1u);
    it.scripted->interrupt(1);
    EXPECT_TRUE(noted.is_done());
    EXPECT_EQ(it.counts().replays, 0u);
}

TEST(NvmeController, ItSleepsWhenWhatIsInFlightHasCome) {
    Running it;
    ASSERT_TRUE(it.open(Running::hasty()).has_value());
    Noted noted(Operation::read, 3, 1);
    ASSERT_TRUE(it.space->submit(noted).has_value());
    EXPECT_EQ(it.controller->suspend().error(), Error::timed_out);
    EXPECT_TRUE(it.controller->state() == ControllerState::running);
    EXPECT_TRUE(noted.has_failed(Error::timed_out)); // it was overdue, and aborted
}

TEST(NvmeController, NamespacesComeGoAndGrow) {
    NotedDisks disks;
    Running it;
    it.disks = &disks;
    it.scripted->blocks[2] = 64;
    ASSERT_TRUE(it.open().has_value());
    ASSERT_EQ(disks.devices.size(), 2u);
    block::Device& first = *disks.devices[0];
    it.scripted->blocks[1] = 100;
    it.scripted->blocks[2] = 0;
    it.scripted->blocks[5] = 32;
    constexpr u32 changed = static_cast<u32>(EventType::notice) | notice_namespaces_changed << 8 |
                            static_cast<u32>(LogPage::changed_namespaces) << 16;
    ASSERT_TRUE(it.scripted->tell(changed));
    it.scripted->run_errands();
    ASSERT_EQ(disks.devices.size(), 2u);
    EXPECT_TRUE(disks.devices[0] == &first);
    EXPECT_EQ(first.geometry().sectors, 100u);
    EXPECT_EQ(disks.changes, 1u);
    EXPECT_EQ(disks.devices[1]->name(), "nvme0n5");
    EXPECT_EQ(disks.removed, 1u);
    EXPECT_EQ(it.scripted->event_ids.size(), 4u); // it may tell of more
    EXPECT_EQ(it.controller->counts().events, 1u);
    Noted outside(Operation::read, 100, 1);
    EXPECT_EQ(first.submit(outside).error(), Error::out_of_range);
    it.controller->remove(device::Removal::orderly);
    it.controller = nullptr;
}

TEST(NvmeController, ANamespaceOfWhichNothingIsSaidStaysAsItIs) {
    NotedDisks disks;
    Running it;
    it.disks = &disks;
    ASSERT_TRUE(it.open().has_value());
    ASSERT_EQ(disks.devices.size(), 1u);
    u64 const before = disks.devices[0]->geometry().sectors;
    it.scripted->name_space_status = status::invalid_field;
    ASSERT_TRUE(it.controller->reset().has_value()); // after which it looks for namespaces
    it.scripted->run_errands();
    EXPECT_EQ(disks.removed, 0u);
    ASSERT_EQ(disks.devices.size(), 1u);
    EXPECT_EQ(disks.devices[0]->geometry().sectors, before);
    it.scripted->name_space_status = 0;
    it.scripted->blocks[1] = before + 1;
    ASSERT_TRUE(it.controller->reset().has_value());
    it.scripted->run_errands();
    EXPECT_EQ(disks.devices[0]->geometry().sectors, before + 1);
    it.controller->remove(device::Removal::orderly);
    it.controller = nullptr;
}

TEST(NvmeController, OneThatDoesNotAnswerAbortsIsReset) {
    Running it;
    ASSERT_TRUE(it.open(Running::hasty()).has_value());
    it.scripted->answers_aborts = false;
    Noted noted(Operation::read, 0, 1);
    ASSERT_TRUE(it.space->submit(noted).has_value());
    it.wait_for_errand();
    EXPECT_EQ(it.scripted->abort_count, 1u);
    EXPECT_EQ(it.controller->counts().resets, 1u);
    EXPECT_EQ(it.answer(1), 1u);
    it.scripted->interrupt(1);
    EXPECT_TRUE(noted.is_done());
}

TEST(NvmeController, CommandsThatManageItSayWhatWentWrong) {
    Running it;
    ASSERT_TRUE(it.open().has_value());
    EXPECT_TRUE(it.controller->set_feature(Feature::interrupt_coalescing, 0x0a05).has_value());
    EXPECT_EQ(it.controller->feature(Feature::interrupt_coalescing).value(), 0x0a05u);
    it.scripted->admin_failing = AdminOpcode::get_log_page;
    it.scripted->admin_status = status::invalid_log_page;
    std::byte log[64];
    EXPECT_EQ(
        it.controller->read_log(LogPage::error, all_namespaces, log).error(), Error::not_supported);
    it.scripted->answers_admin = false;
    EXPECT_EQ(it.controller->feature(Feature::arbitration).error(), Error::timed_out);
    it.scripted->answers_admin = true;
    it.scripted->admin_status = 0;
    ASSERT_TRUE(it.controller->reset().has_value()); // after which the slot is free again
    EXPECT_TRUE(it.controller->feature(Feature::arbitration).has_value());
}
