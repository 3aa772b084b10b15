// Scratch buffers: the kernel's own, and some for processors that are not there.
#include "core/boot/pools.hpp"
#include "tests/core/memory/pools/support.hpp"

namespace twofold::memory::testing {
namespace {

using namespace twofold::literals;

ScratchBuffers& kernel_scratch() {
    return boot::current_kernel().pools->scratch;
}

TEST(ScratchBuffers, AreLentOneAtATime) {
    ScratchStatistics const before = kernel_scratch().statistics(hal::Cpu::id());
    {
        ScratchLease lease = kernel_scratch().take().value();
        EXPECT_EQ(lease.bytes().size(), 1024u);
        std::ranges::fill(lease.bytes(), std::byte{0xff});
        EXPECT_TRUE(kernel_scratch().statistics(hal::Cpu::id()).taken);
        EXPECT_EQ(kernel_scratch().take().error(), Error::busy); // nested
        ScratchLease moved(std::move(lease));
        // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): is what is tried
        EXPECT_EQ(lease.give_back().error(), Error::invalid_state);
        EXPECT_EQ(kernel_scratch().take().error(), Error::busy);
        EXPECT_EQ(moved.bytes()[1023], std::byte{0xff});
    }
    ScratchLease lease = kernel_scratch().take().value();
    EXPECT_TRUE(lease.give_back().has_value());
    EXPECT_EQ(lease.give_back().error(), Error::invalid_state);
    ScratchStatistics const after = kernel_scratch().statistics(hal::Cpu::id());
    EXPECT_FALSE(after.taken);
    EXPECT_EQ(after.leases, before.leases + 2);
    EXPECT_EQ(after.refused, before.refused + 2);
    EXPECT_TRUE(kernel_scratch().verify().has_value());
}

TEST(ScratchBuffers, FaultAtTheFirstByteBehindThem) {
    ScratchLease lease = kernel_scratch().take().value();
    std::byte* const end = lease.bytes().data() + lease.bytes().size();
    EXPECT_TRUE(is_aligned(heap::address_of(end), page_size.value));
    EXPECT_FALSE(try_write(end - 1).has_value());
    EXPECT_TRUE(is_absent(try_write(end)));
    EXPECT_TRUE(is_absent(try_read(end)));
    EXPECT_TRUE(is_absent(try_read(end + 4095)));
    // The page that the buffer lies in has a guard below it too.
    EXPECT_TRUE(is_absent(try_write(end - 4097)));
    EXPECT_TRUE(is_absent(try_read(end - 8192)));
    AddressSpace& space = kernel_space().space();
    for (std::byte* const guard : {end, end - 8192}) {
        auto const range = space.find(hal::kernel_address(guard));
        ASSERT_TRUE(range.has_value());
        EXPECT_TRUE(range->kind == RangeKind::guard);
        EXPECT_EQ(range->name, "scratch guard");
    }
    EXPECT_EQ(space.find(hal::kernel_address(end - 1))->name, "scratch");
}

TEST(ScratchBuffers, NoticeWhatWasWrittenBeforeThem) {
    for (usize const distance : {usize{1}, usize{64}}) {
        ScratchLease lease = kernel_scratch().take().value();
        std::byte* const before = lease.bytes().data() - distance;
        *before = std::byte{0x11};
        EXPECT_EQ(kernel_scratch().verify().error(), Error::corrupted);
        EXPECT_EQ(lease.give_back().error(), Error::corrupted);
        // It is mended, and the buffer free.
        EXPECT_TRUE(kernel_scratch().verify().has_value());
        ScratchLease again = kernel_scratch().take().value();
        EXPECT_TRUE(again.give_back().has_value());
    }
    ScratchLease lease = kernel_scratch().take().value();
    std::byte* const far = lease.bytes().data() - 3072;
    std::byte const saved = std::exchange(*far, std::byte{0x11});
    EXPECT_EQ(kernel_scratch().verify().error(), Error::corrupted);
    *far = saved;
    EXPECT_TRUE(lease.give_back().has_value());
    EXPECT_TRUE(kernel_scratch().verify().has_value());
}

TEST(ScratchBuffers, OfManyProcessorsAreAllGuarded) {
    NothingIsLost const lost;
    constexpr u32 cpus = 5;
    alignas(64) std::byte storage[ScratchBuffers::storage_for(cpus).value];
    StorageCursor cursor{std::span(storage)};
    auto buffers = ScratchBuffers::create(kernel_space(), cursor, cpus).value();
    EXPECT_EQ(buffers.cpus(), cpus);
    ScratchLease lease = buffers.take().value();
    std::byte* const first = lease.bytes().data() - 3072;
    for (u32 cpu = 0; cpu < cpus; ++cpu) {
        std::byte* const page = first + u64{8192} * cpu;
        EXPECT_FALSE(try_read(page).has_value());
        EXPECT_FALSE(try_write(page + 4095).has_value());
        EXPECT_TRUE(is_absent(try_read(page - 1)));
        EXPECT_TRUE(is_absent(try_read(page + 4096)));
    }
    EXPECT_TRUE(lease.give_back().has_value());
    ScratchBuffers moved(std::move(buffers));
    EXPECT_TRUE(moved.take().has_value());
}

TEST(ScratchBuffers, EveryAllocationFailsOnceAndFromThenOn) {
    static constexpr u64 size = ScratchBuffers::storage_for(3).value;
    u64 const needed = fail_each_frame([]() -> Result<void> {
        alignas(64) std::byte storage[size];
        StorageCursor cursor{std::span(storage)};
        auto buffers = TRY(ScratchBuffers::create(kernel_space(), cursor, 3));
        auto lease = TRY(buffers.take());
        return lease.give_back();
    });
    EXPECT_GE(needed, 3u);
    alignas(64) std::byte storage[size];
    StorageCursor cursor{std::span(storage)};
    EXPECT_EQ(ScratchBuffers::create(kernel_space(), cursor, 0).error(), Error::invalid_argument);
    EXPECT_EQ(ScratchBuffers::create(kernel_space(), cursor, 100).error(), Error::no_space);
}

} // namespace
} // namespace twofold::memory::testing
