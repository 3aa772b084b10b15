// What is retired is let go when no reader can reach it, not before and not never.
#include "core/sync/sync.hpp"

#include "core/boot/boot.hpp"
#include "tests/support/test.hpp"

namespace twofold::sync {
namespace {

struct Object : Retired {
    static void let_go(Retired& node) { ++static_cast<Object&>(node).released; }
    u32 released = 0;
};

/// Epochs for all processors of the machine.
struct Opened {
    static constexpr u32 cpus_max = 16;

    Opened() {
        StorageCursor storage(bytes);
        epochs.open(storage, hal::Cpu::count()).value();
    }

    alignas(cache_line_bytes) std::byte bytes[Epochs::storage_for(cpus_max).value];
    Epochs epochs;
};

TEST(Epochs, LetGoWhatNobodyReads) {
    Opened opened;
    Object object;
    EXPECT_EQ(opened.epochs.waiting(), 0u);
    EXPECT_TRUE(opened.epochs.retire(object, Object::let_go).has_value());
    EXPECT_EQ(opened.epochs.waiting(), 1u);
    EXPECT_EQ(object.released, 0u); // never by the call that retires
    EXPECT_EQ(opened.epochs.collect(), 0u);
    EXPECT_EQ(object.released, 0u); // one epoch later a reader may still have it
    EXPECT_EQ(opened.epochs.collect(), 1u);
    EXPECT_EQ(object.released, 1u);
    EXPECT_EQ(opened.epochs.waiting(), 0u);
    EXPECT_EQ(opened.epochs.collect(), 0u);
    EXPECT_EQ(object.released, 1u);
}

TEST(Epochs, AReaderHoldsThemBack) {
    Opened opened;
    Object object;
    {
        EpochGuard const outer(opened.epochs);
        EXPECT_EQ(current_context(), ExecutionContext::no_preempt);
        u64 const pinned = opened.epochs.current();
        EXPECT_TRUE(opened.epochs.retire(object, Object::let_go).has_value());
        {
            InterruptGuard const off;
            EpochGuard const inner(opened.epochs, off);
        }
        for (int round = 0; round < 10; ++round) {
            EXPECT_EQ(opened.epochs.collect(), 0u); // the inner end was not the outer one's
        }
        EXPECT_EQ(opened.epochs.current(), pinned + 1); // the one after it, and no further
    }
    EXPECT_EQ(current_context(), ExecutionContext::thread);
    EXPECT_EQ(opened.epochs.collect(), 1u);
    EXPECT_EQ(object.released, 1u);
}

TEST(Epochs, ReleaseInTheOrderOfRetirement) {
    struct Numbered : Retired {
        u32* next_turn = nullptr;
        u32 turn = 0;
        static void let_go(Retired& node) {
            auto& self = static_cast<Numbered&>(node);
            self.turn = ++*self.next_turn;
        }
    };
    Opened opened;
    u32 turn = 0;
    Numbered objects[12];
    for (Numbered& object : objects) { // over several epochs, whose lists are taken up again
        object.next_turn = &turn;
        EXPECT_TRUE(opened.epochs.retire(object, Numbered::let_go).has_value());
        opened.epochs.collect();
    }
    opened.epochs.collect();
    opened.epochs.collect();
    for (u32 index = 0; index < std::size(objects); ++index) {
        EXPECT_EQ(objects[index].turn, index + 1);
    }
    EXPECT_EQ(opened.epochs.waiting(), 0u);
}

TEST(Epochs, HowMuchMayWaitIsBounded) {
    Opened opened;
    auto const room =
        memory::allocate_room<Object>(*boot::current_kernel().heap, Epochs::waiting_max + 1);
    ASSERT_TRUE(room.has_value());
    std::span const objects(room.value(), Epochs::waiting_max + 1);
    for (Object& object : objects) {
        std::construct_at(&object);
    }
    for (Object& object : objects.first(Epochs::waiting_max)) {
        ASSERT_TRUE(opened.epochs.retire(object, Object::let_go).has_value());
    }
    Object& last = objects.back();
    EXPECT_EQ(opened.epochs.retire(last, Object::let_go).error(), Error::no_space);
    EXPECT_EQ(opened.epochs.waiting(), Epochs::waiting_max);
    u32 const released = opened.epochs.collect() + opened.epochs.collect();
    EXPECT_EQ(released, Epochs::waiting_max);
    EXPECT_TRUE(opened.epochs.retire(last, Object::let_go).has_value()); // it was not taken before
    EXPECT_EQ(opened.epochs.collect() + opened.epochs.collect(), 1u);
    for (Object const& object : objects) {
        EXPECT_EQ(object.released, 1u);
    }
    boot::current_kernel().heap->free(room_for<std::byte>(objects.data())).value();
}

} // namespace
} // namespace twofold::sync
