// What is flushed, who is told, and that frames go back only after both.
#include "core/memory/memory.hpp"
#include "tests/core/memory/space/frames.hpp"

using namespace twofold;
using namespace twofold::literals;
using memory::AddressSpace;
using memory::FlushBatch;
using memory::PageAccess;
using memory::RemoteFlush;
using test::put;
using test::TestFrames;

namespace {

constexpr VirtAddr batch_base{0x4000'0000};

/// The other processors, as a batch sees them.
struct Others {
    explicit Others(memory::SharedFrames& frames)
        : m_frames(frames), m_before(frames.remote_flush()) {
        m_frames.use_remote_flush(&flush);
    }
    ~Others() { m_frames.use_remote_flush(m_before); }

    static void tell(void* object, VirtAddr first, Bytes size) {
        auto& self = *static_cast<Others*>(object);
        ++self.told;
        self.first = first;
        self.size = size;
        self.in_use = self.m_frames.in_use();
        if (self.m_before != nullptr) {
            (*self.m_before)(first, size);
        }
    }

    RemoteFlush const flush{this, tell};
    u64 told = 0;
    VirtAddr first{};
    Bytes size{};
    u64 in_use = 0; ///< frames, when they were told

private:
    memory::SharedFrames& m_frames;
    RemoteFlush const* m_before;
};

} // namespace

TEST(FlushBatch, TellsOthersBeforeFramesGoBack) {
    TestFrames test;
    Others others(test.frames);
    PhysAddr const block = test.frames.allocate(1).value();
    {
        FlushBatch batch(test.frames, FlushBatch::Reach::cached);
        batch.note(batch_base + 8_KiB, 4_KiB);
        batch.note(batch_base, 4_KiB);
        batch.release(block, 1);
        EXPECT_EQ(others.told, 0u);
        EXPECT_EQ(test.frames.in_use(), 2u);
    }
    EXPECT_EQ(others.told, 1u);
    EXPECT_EQ(others.first, batch_base);
    EXPECT_EQ(others.size, 12_KiB);
    EXPECT_EQ(others.in_use, 2u);
    EXPECT_EQ(test.frames.in_use(), 0u);
    {
        FlushBatch nothing(test.frames, FlushBatch::Reach::cached);
        FlushBatch nowhere(test.frames, FlushBatch::Reach::nowhere);
        nowhere.note(batch_base, 4_KiB);
    }
    EXPECT_EQ(others.told, 1u);
}

TEST(FlushBatch, ASpaceThatWasNeverActiveIsNowhere) {
    TestFrames test;
    Others others(test.frames);
    PhysAddr const kernel_root = boot::current_kernel().space->space().root();
    AddressSpace space = AddressSpace::create(test.frames, kernel_root).value();
    ASSERT_TRUE(space.map_zero(batch_base, 64_KiB, PageAccess::read_write).has_value());
    ASSERT_TRUE(put(space, batch_base, 1).has_value());
    ASSERT_TRUE(space.unmap(batch_base, 4_KiB).has_value());
    EXPECT_EQ(others.told, 0u);
    // Once it was active somewhere, other processors may run in it, or have it cached.
    ASSERT_TRUE(put(space, batch_base + 8_KiB, 1).has_value());
    space.activate();
    boot::current_kernel().space->space().activate();
    ASSERT_TRUE(space.unmap(batch_base + 8_KiB, 4_KiB).has_value());
    EXPECT_EQ(others.told, 1u);
    EXPECT_TRUE(others.first <= batch_base + 8_KiB);
    EXPECT_TRUE(batch_base + 12_KiB <= others.first + others.size);
}
