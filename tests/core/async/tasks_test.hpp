// A test with an executor that the test turns itself, a clock that it moves, and frames that it
// counts and may refuse.
#pragma once

#include "core/async/channel.hpp"
#include "core/async/group.hpp"
#include "core/async/sleep.hpp"
#include "core/async/spawn.hpp"
#include "core/async/waits.hpp"
#include "tests/support/processor.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace twofold::async {

class Tasks : public testing::Test {
public:
    ~Tasks() override { EXPECT_EQ(frames_live, 0u) << "frames were not given back"; }

protected:
    /// Until nothing is to be done at this moment.
    void run() {
        while (executor.turn()) {
        }
    }
    /// Moves the clock from deadline to deadline, up to `moment`.
    void run_until(Nanos moment) {
        run();
        for (auto next = executor.next_deadline(); next && *next <= moment;
             next = executor.next_deadline()) {
            clock = std::max(clock, *next);
            run();
        }
        clock = std::max(clock, moment);
    }
    /// Runs `task` to its end, or until it waits for what does not come by itself.
    template<class T>
    Awaited<T> result_of(Task<T> task) {
        auto handle = spawn(scope, std::move(task));
        run();
        while (auto const next = executor.next_deadline()) {
            run_until(*next);
        }
        EXPECT_TRUE(handle.has_ended());
        return handle_result(handle);
    }
    /// What a task that has ended returned.
    template<class T>
    Awaited<T> handle_result(JoinHandle<T>& handle) {
        std::optional<Awaited<T>> result;
        auto join = [&result, &handle](Scope&) -> Task<void> {
            result.emplace(co_await handle.join());
        };
        Task<void> joiner = join(scope);
        spawn(scope, std::move(joiner)).detach();
        run();
        return result ? std::move(*result) : Awaited<T>(Error::busy);
    }

    test::Processor processor{0, 1, nullptr};
    Nanos clock{1000};
    u32 rouses = 0;
    u64 frames_live = 0;
    u64 frames_ever = 0;
    u64 frames_max = ~u64{0}; ///< that may live at once
    FrameSource frames{
        .allocate = [](void* self, Bytes size) -> std::byte* {
            auto& test = *static_cast<Tasks*>(self);
            if (test.frames_live >= test.frames_max) {
                return nullptr;
            }
            ++test.frames_live;
            ++test.frames_ever;
            return static_cast<std::byte*>(std::malloc(size.value));
        },
        .free =
            [](void* self, std::byte* block, Bytes) {
                --static_cast<Tasks*>(self)->frames_live;
                std::free(block);
            },
        .object = this};
    Executor executor{
        {.now = [](void* self) { return static_cast<Tasks*>(self)->clock; },
         .wake = [](void* self) { ++static_cast<Tasks*>(self)->rouses; },
         .object = this}};
    Scope scope{executor, frames};
    std::string order;
};

} // namespace twofold::async
