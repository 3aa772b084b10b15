// What the NVMe controller answers to commands: admin, I/O, in flight and wrong ones.
#include "tests/hal/hosted/nvme_bench.hpp"

namespace {

using namespace hosted;
using namespace hosted::test;
namespace status = nvme::status;
using nvme::AdminOpcode;
using nvme::Command;
using nvme::Feature;
using nvme::Opcode;

Command for_space(Command command, u32 space) {
    command.space = space;
    return command;
}

TEST_F(NvmeFixture, ItSaysWhatItIs) {
    ASSERT_EQ(host.admin_status(admin_command(AdminOpcode::identify, 1)), 0);
    auto const self = host.get<nvme::IdentifyController>(data_at);
    EXPECT_EQ(std::string_view(self.serial, 20), "bench               ");
    EXPECT_EQ(self.data_size_max_log2, 7);
    EXPECT_EQ(self.namespaces, 256u);
    EXPECT_EQ(self.submission_entry_log2, 0x66);
    EXPECT_EQ(self.completion_entry_log2, 0x44);
    EXPECT_EQ(self.volatile_cache & 1, 1);
    EXPECT_EQ(self.sgl_support & 3, 1u);
    EXPECT_EQ(self.optional_commands, nvme::has_dataset_management | nvme::has_write_zeroes);

    ASSERT_EQ(host.admin_status(for_space(admin_command(AdminOpcode::identify, 0), 2)), 0);
    auto const second_space = host.get<nvme::IdentifyNamespace>(data_at);
    EXPECT_EQ(second_space.blocks, 256u);
    EXPECT_EQ(second_space.format_list[0].data_log2, 12);
    EXPECT_EQ(second_space.deallocation & 7, 1);
    ASSERT_EQ(host.admin_status(for_space(admin_command(AdminOpcode::identify, 0), 3)), 0);
    EXPECT_EQ(host.get<nvme::IdentifyNamespace>(data_at).blocks, 0u); // not active

    ASSERT_EQ(host.admin_status(for_space(admin_command(AdminOpcode::identify, 2), 1)), 0);
    EXPECT_EQ((host.get<std::array<u32, 2>>(data_at)), (std::array<u32, 2>{2, 0}));
    ASSERT_EQ(host.admin_status(for_space(admin_command(AdminOpcode::identify, 3), 1)), 0);
    EXPECT_EQ((host.get<std::array<u8, 2>>(data_at)), (std::array<u8, 2>{1, 8}));
}

TEST_F(NvmeFixture, WhatIsWrittenIsRead) {
    host.fill(data_at, 512, 0x5a);
    ASSERT_EQ(host.io_status(io_command(Opcode::write, 7)), 0);
    EXPECT_EQ(first->content()[7 * 512], std::byte{0x5a});
    EXPECT_EQ(first->content()[8 * 512], std::byte{});
    host.fill(data_at, 1024, 0xff);
    ASSERT_EQ(host.io_status(io_command(Opcode::read, 7, 2)), 0);
    EXPECT_EQ(host.bytes(data_at, 512), std::vector<std::byte>(512, std::byte{0x5a}));
    EXPECT_EQ(host.bytes(data_at + 512, 512), std::vector<std::byte>(512));
    ASSERT_EQ(host.io_status(for_space(io_command(Opcode::write, 3), 2)), 0);
    EXPECT_EQ(second->content()[3 * 4096], std::byte{0x5a});
}

TEST_F(NvmeFixture, ZeroesAndDeallocatedBlocksReadZeros) {
    std::ranges::fill(first->content(), std::byte{9});
    ASSERT_EQ(host.io_status(io_command(Opcode::write_zeroes, 1, 2)), 0);
    host.put(data_at, std::array{nvme::Range{0, 2, 10}, nvme::Range{0, 1, blocks}});
    Command trim = io_command(Opcode::dataset_management);
    trim.word10 = 1; // two ranges, of which one is none
    trim.word11 = nvme::deallocate_attribute;
    ASSERT_EQ(host.io_status(trim), 0);
    for (u64 block = 0; block < 14; ++block) {
        bool const is_zero = block == 1 || block == 2 || block == 10 || block == 11;
        EXPECT_EQ(first->content()[block * 512], is_zero ? std::byte{} : std::byte{9}) << block;
    }
    trim.word11 = 0; // without the attribute it is advice that nobody needs
    ASSERT_EQ(host.io_status(trim), 0);
    ASSERT_EQ(host.io_status(io_command(Opcode::flush)), 0);
    ASSERT_EQ(host.io_status(for_space(io_command(Opcode::flush), nvme::all_namespaces)), 0);
}

TEST_F(NvmeFixture, WrongCommandsOfIO) {
    EXPECT_EQ(
        host.io_status(io_command(static_cast<Opcode>(0x7f))),
        status::invalid_opcode | never_again);
    EXPECT_EQ(
        host.io_status(for_space(io_command(Opcode::read), 0)),
        status::invalid_namespace | never_again);
    EXPECT_EQ(
        host.io_status(for_space(io_command(Opcode::read), 3)),
        status::invalid_field | never_again);
    EXPECT_EQ(
        host.io_status(for_space(io_command(Opcode::read), 300)),
        status::invalid_namespace | never_again);
    EXPECT_EQ(
        host.io_status(for_space(io_command(Opcode::read), nvme::all_namespaces)),
        status::invalid_field | never_again);
    for (Opcode const opcode : {Opcode::read, Opcode::write, Opcode::write_zeroes}) {
        for (u64 const block : {blocks, ~u64{0}}) {
            EXPECT_EQ(
                host.io_status(io_command(opcode, block)), status::lba_out_of_range | never_again);
        }
        EXPECT_EQ(
            host.io_status(io_command(opcode, blocks - 1, 2)),
            status::lba_out_of_range | never_again);
    }
    EXPECT_EQ(
        host.io_status(io_command(Opcode::read, 0, 1025)), status::invalid_field | never_again);
    Command fused = io_command(Opcode::read);
    fused.flags = 1;
    EXPECT_EQ(host.io_status(fused), status::invalid_field);
    Command reserved = io_command(Opcode::read);
    reserved.flags = 0xc0;
    EXPECT_EQ(host.io_status(reserved), status::invalid_field | never_again);
}

TEST_F(NvmeFixture, WrongCommandsOfQueues) {
    using H = NvmeHost;
    auto const changed = [](Command command, auto change) {
        change(command);
        return command;
    };
    EXPECT_EQ(host.admin_status(H::create_completions(0)), status::invalid_queue_id | never_again);
    EXPECT_EQ(host.admin_status(H::create_completions(1)), status::invalid_queue_id | never_again);
    EXPECT_EQ(host.admin_status(H::create_completions(64)), status::invalid_queue_id | never_again);
    EXPECT_EQ(
        host.admin_status(H::create_completions(2, 1)), status::invalid_queue_size | never_again);
    EXPECT_EQ(
        host.admin_status(H::create_completions(2, 2049)),
        status::invalid_queue_size | never_again);
    EXPECT_EQ(
        host.admin_status(H::create_completions(2, 16, 64)),
        status::invalid_interrupt_vector | never_again);
    EXPECT_EQ(
        host.admin_status(changed(H::create_completions(2), [](Command& c) { c.data[0] += 0x10; })),
        status::invalid_prp_offset | never_again);
    EXPECT_EQ(
        host.admin_status(changed(H::create_completions(2), [](Command& c) { c.word11 = 2; })),
        status::invalid_field | never_again);
    EXPECT_EQ(
        host.admin_status(H::create_submissions(2)),
        status::invalid_completion_queue | never_again);
    ASSERT_EQ(host.admin_status(H::create_completions(2)), 0);
    EXPECT_EQ(
        host.admin_status(
            changed(H::create_submissions(2), [](Command& c) { c.word10 = 15u << 16 | 1; })),
        status::invalid_queue_id | never_again);
    EXPECT_EQ(
        host.admin_status(H::create_submissions(2, 1)), status::invalid_queue_size | never_again);
    EXPECT_EQ(
        host.admin_status(admin_command(AdminOpcode::delete_completion_queue, 1)),
        status::invalid_queue_deletion); // its submission queue first
    EXPECT_EQ(
        host.admin_status(admin_command(AdminOpcode::delete_completion_queue, 9)),
        status::invalid_completion_queue | never_again);
    EXPECT_EQ(
        host.admin_status(admin_command(AdminOpcode::delete_submission_queue, 0)),
        status::invalid_queue_id | never_again);
    EXPECT_EQ(host.admin_status(admin_command(AdminOpcode::delete_submission_queue, 1)), 0);
    EXPECT_EQ(host.admin_status(admin_command(AdminOpcode::delete_completion_queue, 1)), 0);
    EXPECT_TRUE(host.open_queue(1));
}

TEST_F(NvmeFixture, WrongAdminCommands) {
    EXPECT_EQ(
        host.admin_status(admin_command(static_cast<AdminOpcode>(0x7e))),
        status::invalid_opcode | never_again);
    Command by_sgl = admin_command(AdminOpcode::identify, 1);
    by_sgl.flags = nvme::data_by_sgl;
    EXPECT_EQ(host.admin_status(by_sgl), status::invalid_field | never_again);
    EXPECT_EQ(
        host.admin_status(admin_command(AdminOpcode::identify, 0xee)),
        status::invalid_field | never_again);
    EXPECT_EQ(
        host.admin_status(for_space(admin_command(AdminOpcode::identify, 0), 0)),
        status::invalid_namespace | never_again);
    EXPECT_EQ(
        host.admin_status(for_space(admin_command(AdminOpcode::identify, 2), nvme::all_namespaces)),
        status::invalid_namespace | never_again);
    EXPECT_EQ(
        host.admin_status(for_space(admin_command(AdminOpcode::identify, 3), 9)),
        status::invalid_field | never_again);
    EXPECT_EQ(
        host.admin_status(admin_command(AdminOpcode::get_log_page, 0x7f)),
        status::invalid_field | never_again);
    EXPECT_EQ(
        host.admin_status(for_space(admin_command(AdminOpcode::get_log_page, 2), 9)),
        status::invalid_namespace | never_again);
    Command behind = admin_command(AdminOpcode::get_log_page, 2);
    behind.word12 = 512;
    EXPECT_EQ(host.admin_status(behind), status::invalid_field | never_again);
    Command elsewhere = admin_command(AdminOpcode::identify, 1);
    elsewhere.data[0] = NvmeHost::memory_bytes;
    EXPECT_EQ(host.admin_status(elsewhere), status::data_transfer_error);
}

TEST_F(NvmeFixture, FeaturesAreReadAndSet) {
    auto const feature = [](Feature which, u32 more = 0) { return static_cast<u32>(which) | more; };
    auto const set = [&](Feature which, u32 value, u32 more = 0) {
        return host.admin_status(
            admin_command(AdminOpcode::set_features, feature(which, more), value));
    };
    auto const read = [&](Feature which, u32 value = 0, u32 more = 0) {
        return host.admin(admin_command(AdminOpcode::get_features, feature(which, more), value));
    };
    EXPECT_EQ(read(Feature::volatile_write_cache).result, 1u);
    EXPECT_EQ(set(Feature::volatile_write_cache, 0), 0);
    EXPECT_EQ(read(Feature::volatile_write_cache).result, 0u);
    EXPECT_EQ(read(Feature::arbitration).result, 7u);
    EXPECT_EQ(read(Feature::number_of_queues).result, 62u << 16 | 62);
    EXPECT_EQ(read(Feature::temperature_threshold).result, 0x157u);
    EXPECT_EQ(set(Feature::temperature_threshold, 1u << 20 | 0x100), 0);
    EXPECT_EQ(read(Feature::temperature_threshold, 1u << 20).result, 0x100u);
    EXPECT_EQ(set(Feature::asynchronous_events, 0x1ff), 0);
    EXPECT_EQ(read(Feature::asynchronous_events).result, 0x1ffu);
    EXPECT_EQ(read(Feature::volatile_write_cache, 0, 3u << 8).result, 4u); // changeable
    EXPECT_EQ(read(Feature::interrupt_vector, 0).result, 1u << 16);
    EXPECT_EQ(read(Feature::interrupt_vector, 63).result, 63u);
    EXPECT_EQ(
        NvmeHost::status_of(read(Feature::interrupt_vector, 64)),
        status::invalid_field | never_again);
    EXPECT_EQ(
        set(Feature::number_of_queues, 0x0001'0001),
        status::command_sequence_error | never_again); // there are queues
    for (Feature const fixed :
         {Feature::arbitration, Feature::interrupt_coalescing, Feature::interrupt_vector,
          Feature::power_management, Feature::write_atomicity}) {
        EXPECT_EQ(set(fixed, 1), status::feature_not_changeable | never_again);
    }
    EXPECT_EQ(
        set(Feature::volatile_write_cache, 1, u32{1} << 31),
        status::feature_not_saveable | never_again);
    EXPECT_EQ(set(static_cast<Feature>(0x77), 1), status::invalid_field | never_again);
    ASSERT_TRUE(host.enable());
    Command queues = admin_command(
        AdminOpcode::set_features, static_cast<u32>(Feature::number_of_queues), 0x0003'0003);
    EXPECT_EQ(host.admin(queues).result, 62u << 16 | 62);
    queues.word11 = 0xffff;
    EXPECT_EQ(host.admin_status(queues), status::invalid_field | never_again);
}

TEST_F(NvmeFixture, TheHealthLogCounts) {
    ASSERT_EQ(host.io_status(io_command(Opcode::write, 0, 8)), 0);
    ASSERT_EQ(host.io_status(io_command(Opcode::read, 0, 8)), 0);
    ASSERT_EQ(host.io_status(for_space(io_command(Opcode::read), 2)), 0);
    host.io_status(io_command(Opcode::read, blocks));
    ASSERT_EQ(
        host.admin_status(for_space(
            admin_command(AdminOpcode::get_log_page, 127u << 16 | 2), nvme::all_namespaces)),
        0);
    auto const health = host.get<nvme::HealthLog>(data_at);
    EXPECT_EQ(health.reads[0], 2u);
    EXPECT_EQ(health.writes[0], 1u);
    EXPECT_EQ(health.units_read[0], 1u);
    EXPECT_EQ(health.media_errors[0], 0u);
    EXPECT_EQ(health.error_entries[0], 1u);
    EXPECT_EQ(health.critical_warning, 0);
    ASSERT_EQ(
        host.admin_status(for_space(admin_command(AdminOpcode::get_log_page, 127u << 16 | 2), 2)),
        0);
    EXPECT_EQ(host.get<nvme::HealthLog>(data_at).reads[0], 1u);
}

TEST_F(NvmeFixture, ErrorsAreLogged) {
    nvme::Completion const failed = host.perform(1, io_command(Opcode::read, blocks, 3));
    EXPECT_NE(failed.status >> 1 & 1u << 13, 0u); // there is more about it
    ASSERT_EQ(host.admin_status(admin_command(AdminOpcode::get_log_page, 31u << 16 | 1)), 0);
    auto const entry = host.get<nvme::ErrorLogEntry>(data_at);
    EXPECT_EQ(entry.count, 1u);
    EXPECT_EQ(entry.submission_queue, 1u);
    EXPECT_EQ(entry.command, failed.id);
    EXPECT_EQ(entry.status, failed.status & ~1u);
    EXPECT_EQ(entry.first_block, blocks);
    EXPECT_EQ(entry.space, 1u);
    EXPECT_EQ(host.get<nvme::ErrorLogEntry>(data_at + 64).count, 0u);
}

TEST_F(NvmeFixture, TheTemperatureIsAnEvent) {
    auto const threshold = static_cast<u32>(Feature::temperature_threshold);
    auto const events = static_cast<u32>(Feature::asynchronous_events);
    ASSERT_EQ(host.admin_status(admin_command(AdminOpcode::set_features, events, 2)), 0);
    u16 const request = host.submit(0, admin_command(AdminOpcode::asynchronous_event));
    host.submit(0, admin_command(AdminOpcode::set_features, threshold, 0x100));
    Answer const event = host.take(0);
    Answer const done = host.take(0);
    ASSERT_TRUE(event.has_value() && done.has_value());
    EXPECT_EQ(event->id, request);
    EXPECT_EQ(event->result, 0x02'01'01u);
    EXPECT_EQ(done->status >> 1, 0);
}

TEST_F(NvmeFixture, RequestsForEventsAreLimitedAndNotAborted) {
    u16 ids[4];
    for (u16& id : ids) {
        id = host.submit(0, admin_command(AdminOpcode::asynchronous_event));
    }
    EXPECT_EQ(
        host.admin_status(admin_command(AdminOpcode::asynchronous_event)),
        status::event_limit_exceeded);
    for (u16 const id : {ids[1], u16{0x7777}}) {
        nvme::Completion const abort = host.admin(admin_command(AdminOpcode::abort, u32{id} << 16));
        EXPECT_EQ(NvmeHost::status_of(abort), 0);
        EXPECT_EQ(abort.result, 1u);
    }
    EXPECT_EQ(
        host.admin_status(admin_command(AdminOpcode::abort, 40)),
        status::invalid_field | never_again);
}

TEST_F(NvmeFixture, ThePhaseTurnsWithEachRound) {
    for (u32 i = 0; i < 5 * NvmeHost::entries; ++i) {
        nvme::Completion const done = host.perform(1, io_command(Opcode::read, i % 64));
        ASSERT_EQ(NvmeHost::status_of(done), 0) << i;
        ASSERT_EQ(done.submission_head, host.tail(1));
    }
}

TEST_F(NvmeFixture, OneDoorbellAndOneInterruptServeABatch) {
    u64 const interrupts = bench.interrupts_of(0);
    u64 const doorbells = bench.controller.counts().doorbells;
    for (u32 i = 0; i < 12; ++i) {
        host.place(1, io_command(Opcode::read, i));
    }
    host.ring(1);
    EXPECT_EQ(bench.controller.counts().doorbells, doorbells + 1);
    EXPECT_EQ(bench.interrupts_of(0), interrupts + 1);
    for (u32 i = 0; i < 12; ++i) {
        ASSERT_TRUE(host.take(1).has_value());
    }
}

TEST_F(NvmeFixture, AFullCompletionQueueWaitsForRoom) {
    ASSERT_EQ(host.admin_status(admin_command(AdminOpcode::delete_submission_queue, 1)), 0);
    ASSERT_EQ(host.admin_status(admin_command(AdminOpcode::delete_completion_queue, 1)), 0);
    ASSERT_EQ(host.admin_status(NvmeHost::create_completions(1, 4)), 0);
    ASSERT_EQ(host.admin_status(NvmeHost::create_submissions(1, 16)), 0);
    host.fill(NvmeHost::submissions(1), 0x2000, 0);
    for (u16 i = 0; i < 10; ++i) {
        Command command = io_command(Opcode::read);
        command.id = i;
        host.put(NvmeHost::submissions(1) + i * sizeof(command), command);
    }
    bench.write<u32>(nvme::submission_doorbell(1, 4).value, 10);
    u16 phase = 1;
    u32 head = 0;
    for (u16 i = 0; i < 10; ++i) {
        auto const next = host.get<nvme::Completion>(NvmeHost::completions(1) + head * 16);
        ASSERT_EQ(next.status & 1, phase) << i;
        EXPECT_EQ(next.id, i);
        if (i % 3 == 2) { // it is full: what is behind is of the round before
            auto const behind =
                host.get<nvme::Completion>(NvmeHost::completions(1) + (head + 1) % 4 * 16);
            u16 const unseen = head == 3 ? phase : phase ^ 1;
            EXPECT_EQ(behind.status & 1, unseen);
        }
        if (++head == 4) {
            head = 0;
            phase ^= 1;
        }
        if (i % 3 == 2) {
            bench.write<u32>(nvme::completion_doorbell(1, 4).value, head);
        }
    }
}

TEST_F(HeldFixture, OperationsEndInAnyOrder) {
    u16 ids[3];
    for (u64 i = 0; i < 3; ++i) {
        ids[i] = host.submit(1, io_command(Opcode::read, i));
    }
    EXPECT_EQ(medium->starts, 3u);
    end_one(1);
    EXPECT_EQ(host.take(1)->id, ids[1]);
    end_one(1, status::unrecovered_read);
    Answer const failed = host.take(1);
    EXPECT_EQ(failed->id, ids[2]);
    EXPECT_EQ(NvmeHost::status_of(*failed), status::unrecovered_read);
    end_one();
    EXPECT_EQ(host.take(1)->id, ids[0]);
    ASSERT_EQ(host.admin_status(admin_command(AdminOpcode::get_log_page, 127u << 16 | 2)), 0);
    EXPECT_EQ(host.get<nvme::HealthLog>(data_at).media_errors[0], 1u);
}

TEST_F(HeldFixture, AQueueHasNoMoreInFlightThanEntries) {
    for (u32 i = 0; i < NvmeHost::entries - 1u; ++i) {
        host.submit(1, io_command(Opcode::read, i));
    }
    host.submit(1, io_command(Opcode::read)); // its entries have been fetched: there is room
    host.submit(1, io_command(Opcode::read));
    EXPECT_EQ(medium->held().size(), NvmeHost::entries);
    end_one();
    EXPECT_EQ(medium->held().size(), NvmeHost::entries); // the next one was fetched
}

TEST_F(HeldFixture, ACommandInFlightIsAborted) {
    u16 const id = host.submit(1, io_command(Opcode::read));
    nvme::Completion const late = host.admin(admin_command(AdminOpcode::abort, u32{id} << 16 | 1));
    EXPECT_EQ(late.result, 1u); // the medium does not give it up
    medium->can_withdraw = true;
    nvme::Completion const done = host.admin(admin_command(AdminOpcode::abort, u32{id} << 16 | 1));
    EXPECT_EQ(done.result, 0u);
    Answer const aborted = host.take(1);
    ASSERT_TRUE(aborted.has_value());
    EXPECT_EQ(NvmeHost::status_of(*aborted), status::aborted_by_request);
    EXPECT_TRUE(medium->held().empty());
}

TEST_F(HeldFixture, AQueueIsDeletedWhenNothingIsInFlight) {
    host.submit(1, io_command(Opcode::read));
    u16 const id = host.submit(0, admin_command(AdminOpcode::delete_submission_queue, 1));
    EXPECT_FALSE(host.take(0).has_value());
    end_one();
    Answer const deleted = host.take(0);
    ASSERT_TRUE(deleted.has_value());
    EXPECT_EQ(deleted->id, id);
    EXPECT_EQ(NvmeHost::status_of(*deleted), 0);
    EXPECT_EQ(host.admin_status(admin_command(AdminOpcode::delete_completion_queue, 1)), 0);
}

TEST_F(HeldFixture, WithoutCacheWritesAreThrough) {
    host.submit(1, io_command(Opcode::write));
    Command through = io_command(Opcode::write);
    through.word12 |= nvme::force_unit_access;
    host.submit(1, through);
    EXPECT_FALSE(medium->held()[0].is_through);
    EXPECT_TRUE(medium->held()[1].is_through);
    end_one();
    end_one();
    auto const cache = static_cast<u32>(Feature::volatile_write_cache);
    u16 const id = host.submit(0, admin_command(AdminOpcode::set_features, cache, 0));
    ASSERT_EQ(medium->held().size(), 1u); // what was written before becomes durable first
    EXPECT_EQ(medium->held()[0].kind, NvmeOperation::Kind::flush);
    end_one();
    EXPECT_EQ(host.take(0)->id, id);
    host.submit(1, io_command(Opcode::write));
    EXPECT_TRUE(medium->held()[0].is_through);
}

TEST_F(HeldFixture, WhatIsReadOnlyIsNotWritten) {
    medium->read_only = true;
    for (Opcode const opcode : {Opcode::write, Opcode::write_zeroes}) {
        EXPECT_EQ(
            host.io_status(io_command(opcode)), status::namespace_write_protected | never_again);
    }
    EXPECT_TRUE(medium->held().empty());
}

TEST_F(HeldFixture, ANamespaceThatShrinksIsAnEvent) {
    auto const events = static_cast<u32>(Feature::asynchronous_events);
    ASSERT_EQ(
        host.admin_status(
            admin_command(AdminOpcode::set_features, events, nvme::wants_namespace_notices)),
        0);
    host.submit(0, admin_command(AdminOpcode::asynchronous_event));
    medium->shrink(512 * 100);
    bench.controller.noticed(bench);
    Answer const event = host.take(0);
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->result, 0x04'00'02u);
    ASSERT_EQ(host.admin_status(admin_command(AdminOpcode::get_log_page, 1023u << 16 | 4)), 0);
    EXPECT_EQ(host.get<u32>(data_at), 1u);
    ASSERT_EQ(host.admin_status(for_space(admin_command(AdminOpcode::identify, 0), 1)), 0);
    EXPECT_EQ(host.get<nvme::IdentifyNamespace>(data_at).blocks, 100u);
    EXPECT_EQ(
        host.io_status(io_command(Opcode::read, 100)), status::lba_out_of_range | never_again);
}

TEST_F(NvmeFixture, ASnapshotGoesOn) {
    host.fill(data_at, 512, 0x31);
    ASSERT_EQ(host.io_status(io_command(Opcode::write, 3)), 0);
    std::vector<std::byte> const saved = bench.controller.save();
    std::ranges::fill(first->content(), std::byte{});
    ASSERT_EQ(host.admin_status(admin_command(AdminOpcode::delete_submission_queue, 1)), 0);
    bench.controller.load(saved);
    EXPECT_EQ(first->content()[3 * 512], std::byte{0x31});
    EXPECT_EQ(bench.controller.save(), saved);
    EXPECT_EQ(host.io_status(io_command(Opcode::read, 3)), 0);
}

} // namespace
