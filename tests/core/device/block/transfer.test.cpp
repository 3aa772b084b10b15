// Requests that are waited for: by a thread, and by tasks, which go on when the device has let go.
#include "core/async/async.hpp"
#include "tests/core/device/block/model_disk.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::test_block;

namespace {

struct Wired {
    explicit Wired(Room& room) : memory(2) {
        disk.answers_at_once = true;
        disk.completions = &room.completions;
    }

    ModelDisk disk;
    Pages memory;
};

/// Executors, and a scope that a thread waits for.
struct Tasks {
    Tasks() : executors(*boot::current_kernel().threads, *boot::current_kernel().heap) {
        executors.open().value();
        scope.emplace(executors.of(hal::Cpu::id()), executors.frames());
    }
    ~Tasks() {
        async::wait_for_end(waiting(), *scope);
        scope.reset();
        executors.close();
    }
    Tasks(Tasks const&) = delete;
    Tasks& operator=(Tasks const&) = delete;

    static task::KernelThreads& waiting() { return boot::current_kernel().threads->waiting(); }

    async::Executors executors;
    std::optional<async::Scope> scope;
};

Transfer read_of(u64 sector, PhysAddr memory) {
    return {.operation = Operation::read, .sector = sector, .count = 1, .memory = memory};
}

async::Task<Result<void>> read_one(async::Scope&, ModelDisk& disk, u64 sector, PhysAddr memory) {
    co_return co_await performing(disk, read_of(sector, memory));
}

} // namespace

TEST(BlockTransfer, AThreadWaitsForARequest) {
    Room room;
    Wired it(room);
    it.disk.bad_sector = 9;
    std::memset(it.disk.sector(3).data(), 0x77, 512);
    EXPECT_TRUE(read_block(it.disk, 3, {it.memory.place(), 512}).has_value());
    EXPECT_EQ(it.memory.bytes()[100], std::byte{0x77});
    EXPECT_TRUE(write_block(it.disk, 4, {it.memory.place(), 1024}).has_value());
    EXPECT_EQ(it.disk.sector(4)[100], std::byte{0x77});
    EXPECT_TRUE(deallocate(it.disk, 3, 1).has_value());
    EXPECT_TRUE(write_zeroes(it.disk, 4, 2).has_value());
    EXPECT_EQ(it.disk.sector(4)[100], std::byte{0});
    EXPECT_EQ(flush(it.disk).has_value(), true);
    EXPECT_EQ(read_block(it.disk, 9, {it.memory.place(), 512}).error(), Error::io_failed);
    EXPECT_EQ(read_block(it.disk, 9, {it.memory.place(), 513}).error(), Error::invalid_argument);
    EXPECT_EQ(read_block(it.disk, 9, {it.memory.place(), 0}).error(), Error::invalid_argument);
    EXPECT_EQ(perform(it.disk, {.count = ~u32{0}}).error(), Error::out_of_range);
}

TEST(BlockTransfer, WhatIsLeftWithInterruptsOffEndsSoon) {
    Room room;
    Wired it(room);
    Noted noted(Operation::read, 3, 1, it.memory.place());
    {
        sync::InterruptGuard const off;
        EXPECT_TRUE(it.disk.submit(noted.request).has_value());
        EXPECT_EQ(noted.times, 0u);
    }
    EXPECT_TRUE(comes([&] { return noted.times == 1; }));
    EXPECT_TRUE(noted.is_done());
}

TEST(BlockTransfer, ManyEndsLeaveThreadsTheirTurn) {
    Room room;
    Wired it(room);
    // Each end begins the next: without a bound the work would never end.
    struct Chain {
        ModelDisk& disk;
        Request request;
        Segment segment;
        u32 left = 1000;

        static void next(Request& self, Result<void>) {
            Chain& chain = *static_cast<Chain*>(self.context);
            if (--chain.left != 0) {
                chain.disk.submit(self).value();
            }
        }
    } chain{it.disk, {}, {it.memory.place(), 512}};
    chain.request.count = 1;
    chain.request.segments = {&chain.segment, 1};
    chain.request.done = Chain::next;
    chain.request.context = &chain;
    EXPECT_TRUE(it.disk.submit(chain.request).has_value());
    EXPECT_TRUE(comes([&] { return chain.left == 0; }));
    EXPECT_EQ(it.disk.ended, 1000u);
}

TEST(BlockTransfer, ATaskAwaitsARequest) {
    if (boot::current_kernel().threads == nullptr) {
        return; // no executors
    }
    Room room;
    Wired it(room);
    it.disk.bad_sector = 9;
    Tasks tasks;
    auto read = [&](u64 sector) {
        auto handle =
            async::spawn(*tasks.scope, read_one(*tasks.scope, it.disk, sector, it.memory.place()));
        return handle.wait(Tasks::waiting());
    };
    EXPECT_TRUE(read(3).has_value());
    EXPECT_EQ(read(9).error(), Error::io_failed);
    EXPECT_EQ(read(512).error(), Error::out_of_range);
}

TEST(BlockTransfer, ACancelledTaskWaitsUntilTheDeviceHasLetGo) {
    if (boot::current_kernel().threads == nullptr) {
        return;
    }
    Room room;
    Wired it(room);
    it.disk.answers_at_once = false;
    Tasks tasks;
    auto handle = async::spawn(*tasks.scope, read_one(*tasks.scope, it.disk, 3, it.memory.place()));
    EXPECT_TRUE(comes([&] { return it.disk.held() == 1; }));
    handle.cancel();
    Nanos const soon = hal::Clock::now() + Nanos{2'000'000};
    EXPECT_EQ(handle.wait(Tasks::waiting(), soon).error(), Error::timed_out);
    EXPECT_EQ(it.disk.held(), 1u);
    it.disk.end_all();
    EXPECT_TRUE(handle.wait(Tasks::waiting()).has_value()); // it was read, after all
    it.disk.answers_at_once = true;
    auto late = async::spawn(*tasks.scope, read_one(*tasks.scope, it.disk, 4, it.memory.place()));
    late.cancel();
    auto const outcome = late.wait(Tasks::waiting());
    it.disk.end_all();
    EXPECT_TRUE(outcome.has_value() || outcome.error() == Error::cancelled);
}
