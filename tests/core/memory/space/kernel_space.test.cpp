// The kernel's own space, touched as the processor touches it: what is allowed works, what is not
// arrives as the right fault.
#include "core/memory/memory.hpp"
#include "hal/layout.hpp"
#include "tests/core/memory/space/frames.hpp"

using namespace twofold;
using namespace twofold::literals;
using boot::CaughtFault;
using memory::AddressSpace;
using memory::KernelSpace;
using memory::PageAccess;

namespace {

KernelSpace& kernel_space() {
    return *boot::current_kernel().space;
}
AddressSpace& space() {
    return kernel_space().space();
}
u64 frames_in_use() {
    return boot::current_kernel().shared_frames->in_use();
}
std::byte* at(VirtAddr address) {
    return hal::kernel_pointer(address);
}

[[gnu::noinline]] u8 read_byte(VirtAddr address) {
    return __atomic_load_n(static_cast<u8*>(static_cast<void*>(at(address))), __ATOMIC_RELAXED);
}
[[gnu::noinline]] void write_byte(VirtAddr address, u8 value) {
    __atomic_store_n(static_cast<u8*>(static_cast<void*>(at(address))), value, __ATOMIC_RELAXED);
}

std::optional<CaughtFault> try_read(VirtAddr address) {
    return boot::catch_fault([address] { static_cast<void>(read_byte(address)); });
}
std::optional<CaughtFault> try_write(VirtAddr address) {
    return boot::catch_fault([address] { write_byte(address, 1); });
}
std::optional<CaughtFault> try_execute(VirtAddr address) {
    return boot::catch_fault([address] {
        // The address of the function is the data's: that is what is tried.
        void* const code = at(address);
        void (*call)() = nullptr;
        __builtin_memcpy(&call, &code, sizeof(call));
        call();
    });
}

bool is_fault(std::optional<CaughtFault> const& fault, hal::PageFaultCause const& cause) {
    return fault && fault->kind == hal::FaultKind::page && fault->cause.present == cause.present &&
           fault->cause.write == cause.write && fault->cause.execute == cause.execute &&
           !fault->cause.user && !fault->cause.reserved;
}

constexpr hal::PageFaultCause read_absent{false, false, false, false, false};
constexpr hal::PageFaultCause write_absent{false, true, false, false, false};
constexpr hal::PageFaultCause execute_absent{false, false, true, false, false};
constexpr hal::PageFaultCause write_present{true, true, false, false, false};
constexpr hal::PageFaultCause execute_present{true, false, true, false, false};

/// A place of the views window for one test, unmapped at its end, with no frame lost.
class Place {
public:
    explicit Place(Bytes size, Bytes alignment = page_size)
        : m_before(frames_in_use()),
          m_size(size),
          m_base(kernel_space().find_view(size, alignment).value()) {}
    ~Place() {
        static_cast<void>(space().unmap(m_base, m_size));
        EXPECT_EQ(frames_in_use(), m_before);
        EXPECT_TRUE(space().check().has_value());
    }
    VirtAddr base() const { return m_base; }

private:
    u64 m_before;
    Bytes m_size;
    VirtAddr m_base;
};

} // namespace

TEST(KernelSpace, HoldsTogether) {
    auto const census = space().check();
    ASSERT_TRUE(census.has_value());
    EXPECT_GE(census.value().ranges, 1u);
}

TEST(KernelSpace, PagesOfZerosComeWhenTheyAreTouched) {
    Place const place(64_KiB);
    ASSERT_TRUE(space().map_zero(place.base(), 64_KiB, PageAccess::read_write).has_value());
    u64 const before = space().statistics().zeroed;
    EXPECT_FALSE(space().translate(place.base()).has_value());
    EXPECT_EQ(read_byte(place.base() + 5_B), 0u);
    write_byte(place.base() + 60_KiB, 7);
    EXPECT_EQ(read_byte(place.base() + 60_KiB), 7u);
    EXPECT_EQ(space().statistics().zeroed, before + 2);
    EXPECT_TRUE(is_fault(try_execute(place.base()), execute_present));
    EXPECT_TRUE(is_fault(try_execute(place.base() + 8_KiB), execute_absent));
}

TEST(KernelSpace, AFaultLeavesInterruptsAsTheyWere) {
    Place const place(64_KiB);
    ASSERT_TRUE(space().map_zero(place.base(), 64_KiB, PageAccess::read_write).has_value());
    hal::InterruptState const before = hal::Interrupt::state();
    write_byte(place.base(), 1);
    EXPECT_TRUE(hal::Interrupt::state() == before);
    // The page is there, so that the next fault has little to do: interrupts are off meanwhile.
    ASSERT_TRUE(space().protect(place.base(), 64_KiB, PageAccess::read).has_value());
    ASSERT_TRUE(space().protect(place.base(), 64_KiB, PageAccess::read_write).has_value());
    {
        sync::InterruptGuard const guard;
        write_byte(place.base(), 2);
        EXPECT_TRUE(hal::Interrupt::state() == hal::InterruptState::disabled);
    }
    EXPECT_TRUE(hal::Interrupt::state() == before);
    EXPECT_EQ(read_byte(place.base()), 2u);
}

TEST(KernelSpace, EveryKindOfAccessToEveryKindOfPage) {
    Place const place(64_KiB);
    VirtAddr const base = place.base();
    EXPECT_TRUE(is_fault(try_read(base), read_absent));
    EXPECT_TRUE(is_fault(try_write(base), write_absent));
    EXPECT_TRUE(is_fault(try_execute(base), execute_absent));

    ASSERT_TRUE(space().map_guard(base, 4_KiB).has_value());
    EXPECT_TRUE(is_fault(try_read(base), read_absent));
    EXPECT_TRUE(is_fault(try_write(base + 4095_B), write_absent));
    EXPECT_TRUE(is_fault(try_execute(base), execute_absent));

    VirtAddr const page = base + 4_KiB;
    ASSERT_TRUE(space().map_zero(page, 4_KiB, PageAccess::read).has_value());
    EXPECT_TRUE(is_fault(try_write(page), write_absent));
    EXPECT_FALSE(try_read(page).has_value());
    EXPECT_TRUE(is_fault(try_write(page), write_present));
    EXPECT_TRUE(is_fault(try_execute(page), execute_present));

    ASSERT_TRUE(space().protect(page, 4_KiB, PageAccess::read_write).has_value());
    EXPECT_FALSE(try_write(page).has_value());
    write_byte(page, 0xc3); // returns
    EXPECT_TRUE(is_fault(try_execute(page), execute_present));
    ASSERT_TRUE(space().protect(page, 4_KiB, PageAccess::read_execute).has_value());
    EXPECT_FALSE(try_execute(page).has_value());
    EXPECT_TRUE(is_fault(try_write(page), write_present));
    ASSERT_TRUE(space().unmap(page, 4_KiB).has_value());
    EXPECT_TRUE(is_fault(try_read(page), read_absent));
}

TEST(KernelSpace, KernelPagesKeepTheirRights) {
    hal::BootInfo const& info = boot::current_kernel().boot_info;
    static constexpr u64 constant = 0x1234;
    EXPECT_TRUE(is_fault(try_write(hal::kernel_address(&constant)), write_present));
    EXPECT_TRUE(is_fault(try_write(info.image_base), write_present));
    u64 on_stack = 0;
    EXPECT_TRUE(is_fault(try_execute(hal::kernel_address(&on_stack)), execute_present));
    EXPECT_TRUE(is_fault(try_read({8}), read_absent));
    // None of it is anybody's to map or unmap.
    VirtAddr const image_page = align_down(info.image_base, page_size);
    EXPECT_EQ(space().map_guard(image_page, 4_KiB).error(), Error::permission_denied);
    EXPECT_EQ(space().unmap(image_page, 4_KiB).error(), Error::permission_denied);
    VirtAddr const linear = hal::Layout::current().linear.base;
    EXPECT_EQ(space().protect(linear, 4_KiB, PageAccess::read).error(), Error::permission_denied);
}

TEST(KernelSpace, ObjectsAreSharedOrCopiedWhenWritten) {
    Place const place(64_KiB);
    VirtAddr const first = place.base();
    VirtAddr const second = first + 16_KiB;
    VirtAddr const own = first + 32_KiB;
    auto object =
        memory::MemoryObject::create(*boot::current_kernel().shared_frames, 8_KiB).value();
    using memory::Sharing;
    auto const read_write = PageAccess::read_write;
    for (VirtAddr const where : {first, second}) {
        ASSERT_TRUE(
            space().map_object(where, 8_KiB, *object, 0, read_write, Sharing::shared).has_value());
    }
    ASSERT_TRUE(space().map_object(own, 4_KiB, *object, 1, read_write, Sharing::own).has_value());
    write_byte(first + 4_KiB, 42);
    EXPECT_EQ(read_byte(second + 4_KiB), 42u);
    EXPECT_EQ(read_byte(own), 42u);
    u64 const copied = space().statistics().copied;
    write_byte(own, 43);
    EXPECT_EQ(space().statistics().copied, copied + 1);
    EXPECT_EQ(read_byte(own), 43u);
    EXPECT_EQ(read_byte(first + 4_KiB), 42u);
    write_byte(second + 4_KiB, 44);
    EXPECT_EQ(read_byte(first + 4_KiB), 44u);
    EXPECT_EQ(read_byte(own), 43u);
    EXPECT_TRUE(space().check().has_value());
    EXPECT_EQ(object->references(), 4u);
}

TEST(KernelSpace, LargePagesAreMadeWholeAndDivided) {
    Place const place(4_MiB, 2_MiB);
    VirtAddr const base = place.base();
    ASSERT_TRUE(space().map_zero(base, 4_MiB, PageAccess::read_write, 1).has_value());
    u64 const before = space().statistics().large_pages;
    write_byte(base + 1_MiB, 9);
    EXPECT_EQ(space().statistics().large_pages, before + 1);
    EXPECT_EQ(space().translate(base)->level, 1u);
    ASSERT_TRUE(space().unmap(base + 4_KiB, 4_KiB).has_value());
    EXPECT_EQ(space().translate(base)->level, 0u);
    EXPECT_EQ(read_byte(base + 1_MiB), 9u);
    EXPECT_TRUE(is_fault(try_read(base + 4_KiB), read_absent));
    EXPECT_EQ(space().promote(base, 2_MiB).error(), Error::not_found);
    ASSERT_TRUE(space().map_zero(base + 4_KiB, 4_KiB, PageAccess::read_write, 1).has_value());
    EXPECT_EQ(read_byte(base + 4_KiB), 0u);
}

TEST(KernelSpace, SmallPagesAreGatheredIntoALargeOne) {
    Place const place(2_MiB, 2_MiB);
    VirtAddr const base = place.base();
    ASSERT_TRUE(space().map_zero(base, 2_MiB, PageAccess::read_write).has_value());
    for (u64 page = 0; page < 512; ++page) {
        EXPECT_EQ(space().promote(base, 2_MiB).value(), 0u);
        write_byte(base + page_size * page, static_cast<u8>(page));
    }
    EXPECT_EQ(space().promote(base, 2_MiB).value(), 1u);
    EXPECT_EQ(space().translate(base)->level, 1u);
    for (u64 page = 0; page < 512; ++page) {
        ASSERT_EQ(read_byte(base + page_size * page), static_cast<u8>(page));
    }
    EXPECT_EQ(space().promote(base, 2_MiB).value(), 0u);
}

TEST(KernelSpace, TheHeapWindowIsCommittedPageByPage) {
    u64 const before = frames_in_use();
    hal::Window const heap = kernel_space().heap();
    VirtAddr const base = align_up(heap.base + 1_GiB, 2_MiB);
    EXPECT_TRUE(is_fault(try_read(base), read_absent));
    ASSERT_TRUE(kernel_space().map_pages(base, 12_KiB).has_value());
    write_byte(base + 12_KiB - 1_B, 1);
    EXPECT_EQ(read_byte(base), 0u);
    EXPECT_TRUE(is_fault(try_read(base + 12_KiB), read_absent));
    EXPECT_TRUE(is_fault(try_execute(base), execute_present));
    EXPECT_EQ(kernel_space().map_pages(base + 8_KiB, 8_KiB).error(), Error::already_exists);
    EXPECT_TRUE(is_fault(try_read(base + 12_KiB), read_absent));
    ASSERT_TRUE(kernel_space().unmap_pages(base + 4_KiB, 4_KiB).has_value());
    EXPECT_TRUE(is_fault(try_read(base + 4_KiB), read_absent));
    EXPECT_EQ(read_byte(base + 12_KiB - 1_B), 1u);
    ASSERT_TRUE(kernel_space().map_pages(base + 4_KiB, 4_KiB).has_value());
    EXPECT_EQ(read_byte(base + 4_KiB), 0u);
    ASSERT_TRUE(kernel_space().unmap_pages(base, 2_MiB).has_value());
    EXPECT_EQ(frames_in_use(), before);
    EXPECT_TRUE(space().check().has_value());
}

TEST(KernelSpace, ACommitOfMegabytesUsesLargePages) {
    u64 const before = frames_in_use();
    VirtAddr const base = align_up(kernel_space().heap().base + 1_GiB, 2_MiB);
    ASSERT_TRUE(kernel_space().map_pages(base - 8_KiB, 2_MiB + 16_KiB).has_value());
    EXPECT_EQ(space().translate(base)->level, 1u);
    EXPECT_EQ(space().translate(base - 4_KiB)->level, 0u);
    EXPECT_EQ(space().translate(base + 2_MiB)->level, 0u);
    write_byte(base, 1);
    write_byte(base + 2_MiB - 1_B, 2);
    ASSERT_TRUE(kernel_space().unmap_pages(base + 64_KiB, 1_MiB).has_value());
    EXPECT_EQ(read_byte(base), 1u);
    EXPECT_EQ(read_byte(base + 2_MiB - 1_B), 2u);
    EXPECT_TRUE(is_fault(try_write(base + 64_KiB), write_absent));
    ASSERT_TRUE(kernel_space().unmap_pages(base - 8_KiB, 2_MiB + 16_KiB).has_value());
    EXPECT_EQ(frames_in_use(), before);
}

TEST(KernelSpace, BacksAHeap) {
    u64 const before = frames_in_use();
    memory::KernelHeapBacking backing(kernel_space());
    memory::HeapRange const range = backing.range();
    EXPECT_EQ(hal::kernel_address(range.base), kernel_space().heap().base);
    Bytes const far = align_down(range.size, 2_MiB) - 1_GiB; // no test's or heap's so far up
    ASSERT_TRUE(backing.commit(far, 64_KiB).has_value());
    std::byte* const bytes = range.base + far.value;
    EXPECT_EQ(bytes[0], std::byte{0});
    bytes[(64_KiB).value - 1] = std::byte{1};
    EXPECT_EQ(backing.commit(far + 60_KiB, 8_KiB).error(), Error::already_exists);
    EXPECT_EQ(backing.commit(range.size, 4_KiB).error(), Error::permission_denied);
    backing.decommit(far, 32_KiB);
    EXPECT_EQ(bytes[(64_KiB).value - 1], std::byte{1});
    backing.decommit(far + 32_KiB, 32_KiB);
    EXPECT_EQ(frames_in_use(), before);
}

TEST(KernelSpace, AStackHasAGuardBelow) {
    u64 const before = frames_in_use();
    auto const stack = kernel_space().allocate_stack(16_KiB);
    auto const other = kernel_space().allocate_stack(8_KiB);
    ASSERT_TRUE(stack.has_value() && other.has_value());
    VirtAddr const base = stack.value().base;
    EXPECT_TRUE(hal::Layout::current().stacks.contains(base));
    EXPECT_EQ(stack.value().size, 16_KiB);
    for (u64 offset = 0; offset < (16_KiB).value; offset += 512) {
        ASSERT_EQ(read_byte(base + Bytes{offset}), 0u);
        write_byte(base + Bytes{offset}, 1);
    }
    EXPECT_TRUE(is_fault(try_write(base - 1_B), write_absent));
    EXPECT_TRUE(is_fault(try_read(base - 4_KiB), read_absent));
    EXPECT_FALSE(ranges_overlap(
        base.value - 4096, 16384 + 4096, other.value().base.value - 4096, 8192 + 4096));
    EXPECT_EQ(kernel_space().free_stack({base, 8_KiB}).error(), Error::not_found);
    EXPECT_EQ(kernel_space().free_stack({base + 4_KiB, 12_KiB}).error(), Error::not_found);
    EXPECT_TRUE(kernel_space().free_stack(stack.value()).has_value());
    EXPECT_TRUE(is_fault(try_read(base), read_absent));
    EXPECT_EQ(kernel_space().free_stack(stack.value()).error(), Error::not_found);
    EXPECT_TRUE(kernel_space().free_stack(other.value()).has_value());
    EXPECT_EQ(frames_in_use(), before);
    EXPECT_EQ(kernel_space().allocate_stack(0_B).error(), Error::invalid_argument);
    EXPECT_EQ(kernel_space().allocate_stack(100_B).error(), Error::invalid_argument);
    EXPECT_EQ(
        kernel_space().allocate_stack(Bytes{~u64{0} & ~u64{4095}}).error(),
        Error::invalid_argument);
}

TEST(KernelSpace, TheStackItRunsOnIsTheMachines) {
    hal::BootInfo const& info = boot::current_kernel().boot_info;
    if (!hal::Layout::current().stacks.contains(info.stack_base)) {
        return; // it lies in the image there
    }
    auto const range = space().find(info.stack_base);
    ASSERT_TRUE(range.has_value());
    EXPECT_TRUE(range->kind == memory::RangeKind::boot);
    EXPECT_EQ(space().unmap(info.stack_base, 4_KiB).error(), Error::permission_denied);
    EXPECT_EQ(
        space().protect(info.stack_base, 4_KiB, PageAccess::read).error(),
        Error::permission_denied);
}

TEST(KernelSpace, DevicesAreSeenWhereAndHowTheyAre) {
    u64 const before = frames_in_use();
    PhysAddr const frame = boot::current_kernel().shared_frames->allocate_zeroed(0).value();
    auto const view = kernel_space().map_device(frame + 0x123_B, 0x100_B, hal::CacheMode::uncached);
    ASSERT_TRUE(view.has_value());
    EXPECT_EQ(view.value().value % page_size.value, 0x123u);
    EXPECT_TRUE(hal::Layout::current().views.contains(view.value()));
    write_byte(view.value(), 5);
    EXPECT_EQ(hal::Memory::linear(frame)[0x123], std::byte{5});
    auto const found = space().translate(view.value());
    EXPECT_TRUE(found->leaf.cache == hal::CacheMode::uncached);
    EXPECT_TRUE(is_fault(try_execute(view.value()), execute_present));
    EXPECT_TRUE(kernel_space().unmap_device(view.value()).has_value());
    EXPECT_EQ(kernel_space().unmap_device(view.value()).error(), Error::not_found);
    boot::current_kernel().shared_frames->release(frame, 0);

    // Large pages where both addresses allow: a register file of 64 MiB costs a handful of tables.
    constexpr PhysAddr far{u64{3} << 38};
    auto const wide =
        kernel_space().map_device(far + 4_KiB, 64_MiB, hal::CacheMode::write_combining);
    ASSERT_TRUE(wide.has_value());
    EXPECT_EQ(space().translate(wide.value() + 32_MiB)->level, 1u);
    EXPECT_EQ(space().translate(wide.value() + 32_MiB)->address, far + 32_MiB + 4_KiB);
    EXPECT_TRUE(kernel_space().unmap_device(wide.value()).has_value());
    EXPECT_EQ(frames_in_use(), before);
    auto const uncached = hal::CacheMode::uncached;
    EXPECT_EQ(kernel_space().map_device(far, 0_B, uncached).error(), Error::invalid_argument);
    EXPECT_EQ(
        kernel_space().map_device({~u64{0}}, 8_KiB, uncached).error(), Error::invalid_argument);
    EXPECT_EQ(
        kernel_space().map_device({u64{1} << 52}, 8_KiB, uncached).error(),
        Error::invalid_argument);
    EXPECT_EQ(frames_in_use(), before);
}

TEST(KernelSpace, ItsTablesServeEveryOtherSpace) {
    Place const place(4_KiB);
    auto other = AddressSpace::create(*boot::current_kernel().shared_frames, space().root());
    ASSERT_TRUE(other.has_value());
    // What the kernel maps after the other space was made is seen there too.
    ASSERT_TRUE(space().map_zero(place.base(), 4_KiB, PageAccess::read_write).has_value());
    other.value().activate();
    bool const switched = other.value().is_active();
    write_byte(place.base(), 77);
    u8 const seen = read_byte(place.base());
    space().activate();
    EXPECT_TRUE(switched);
    EXPECT_EQ(seen, 77u);
    EXPECT_EQ(read_byte(place.base()), 77u);
}

namespace {

/// Tables of a kernel that never runs: a root, and what adoption puts below it.
struct OtherKernel : test::TestFrames {
    PhysAddr root = frames.allocate_zeroed(0).value();

    Result<KernelSpace> adopt() { return KernelSpace::adopt(frames, root, hal::Layout::current()); }
    ~OtherKernel() {
        auto const entries =
            std::span(memory::frame_object<memory::TableEntry>(root), usize{hal::Mmu::entries});
        for (memory::TableEntry const& entry : entries) {
            if (hal::Mmu::is_present(entry.load(relaxed))) {
                frames.release(hal::Mmu::decode_table(entry.load(relaxed)), 0);
            }
        }
        frames.release(root, 0);
    }
};

VirtAddr far_in(KernelSpace const& space) {
    return align_up(space.heap().base + 2_GiB, 2_MiB);
}

Result<void> use_windows(KernelSpace& space) {
    auto const stack = TRY(space.allocate_stack(16_KiB));
    auto const first = TRY(space.allocate_stack(4_KiB));
    TRY(space.free_stack(first));
    VirtAddr const view = TRY(space.map_device({0xfee0'0000}, 4_KiB, hal::CacheMode::uncached));
    TRY(space.map_pages(far_in(space) - 4_KiB, 2_MiB + 12_KiB));
    TRY(space.unmap_pages(far_in(space) + 4_KiB, 1_MiB));
    TRY(space.unmap_pages(far_in(space) - 4_KiB, 2_MiB + 12_KiB));
    TRY(space.unmap_device(view));
    return space.free_stack(stack);
}

} // namespace

TEST(KernelSpace, EveryAllocationMayFailOnceOrForGood) {
    u64 needed = 0;
    {
        OtherKernel kernel;
        auto space = kernel.adopt();
        ASSERT_TRUE(space.has_value());
        ASSERT_TRUE(use_windows(space.value()).has_value());
        needed = kernel.source.calls();
    }
    EXPECT_GE(needed, 10u);
    for (u64 call = 1; call < needed; ++call) { // the first is the root's
        for (bool const for_good : {false, true}) {
            OtherKernel kernel;
            for_good ? kernel.source.fail_from(call - 1) : kernel.source.fail_at(call - 1);
            {
                auto space = kernel.adopt();
                if (!space) {
                    EXPECT_EQ(space.error(), Error::out_of_memory);
                    continue;
                }
                u64 const before = kernel.frames.in_use();
                Result<void> const outcome = use_windows(space.value());
                kernel.source.recover();
                EXPECT_TRUE(outcome.has_value() || outcome.error() == Error::out_of_memory);
                EXPECT_TRUE(space.value().space().check().has_value());
                // What a later step could not go on with is taken back by hand.
                AddressSpace& inner = space.value().space();
                hal::KernelLayout const layout = hal::Layout::current();
                static_cast<void>(inner.unmap(layout.stacks.base, 1_GiB));
                static_cast<void>(inner.unmap(layout.views.base, 1_GiB));
                VirtAddr const heap = far_in(space.value()) - 4_KiB;
                ASSERT_TRUE(space.value().unmap_pages(heap, 2_MiB + 12_KiB).has_value());
                EXPECT_LE(kernel.frames.in_use(), before);
            }
        }
    }
}

TEST(KernelSpace, TablesThatBreakWriteXorExecuteAreNotAdopted) {
    OtherKernel kernel;
    memory::PageTable<> tables(kernel.frames, kernel.root, memory::PageTable<>::Root::free);
    VirtAddr const page = hal::Layout::current().linear.base;
    ASSERT_TRUE(
        tables.map(page, {.frame = {0x5000}, .access = PageAccess::read_execute}, 0).has_value());
    // By hand: the engine has no word for it.
    auto const entries = [](PhysAddr table) {
        return std::span(memory::frame_object<memory::TableEntry>(table), usize{hal::Mmu::entries});
    };
    PhysAddr table = kernel.root;
    for (unsigned level = hal::Mmu::levels - 1; level > 0; --level) {
        table = hal::Mmu::decode_table(entries(table)[hal::Mmu::index(page, level)].load(relaxed));
    }
    auto const all = hal::Access::read | hal::Access::write | hal::Access::execute;
    memory::TableEntry& leaf = entries(table)[hal::Mmu::index(page, 0)];
    leaf.store(hal::Mmu::encode_leaf({.frame = {0x5000}, .access = all}, 0), relaxed);
    EXPECT_EQ(kernel.adopt().error(), Error::corrupted);
    leaf.store(hal::Mmu::encode_leaf({.frame = {0x5000}, .access = hal::Access::read}, 0), relaxed);
    EXPECT_TRUE(kernel.adopt().has_value());
    memory::FlushBatch batch(kernel.frames, memory::FlushBatch::Reach::nowhere);
    tables.unmap(page, page_size, batch, [](VirtAddr, memory::Leaf, unsigned) {});
}
