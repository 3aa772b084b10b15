// The registry of drivers: who is given a function, what becomes of a probe that fails at whichever
// step, and the order of all that follows.
#include "core/device/model/registry.hpp"
#include "core/boot/boot.hpp"
#include "core/boot/pci.hpp"
#include "core/device/dma.hpp"
#include "tests/support/test.hpp"

#include <memory>

using namespace twofold;
using device::BoundDevice;
using device::DeviceRecord;
using device::DeviceState;
using device::Driver;
using device::DriverEnvironment;
using device::DriverRegistry;
using device::Removal;

namespace {

constexpr u16 decodes = 2, masters = 4;
constexpr u16 msi_at = 0x50, msix_at = 0x60;
constexpr u32 removal_at = 0xf0; ///< where a driver leaves a note of it

/// The configuration spaces of a few functions on bus 0, in memory.
struct Spaces {
    static constexpr u8 count = 4;

    u8 bytes[count][256]{};
    u32 writes = 0;

    Spaces() {
        for (u8 i = 0; i < count; ++i) {
            put(i, 0, 2, 0x2f0d);
            put(i, 4, 2, decodes);
        }
    }
    void put(u8 device, u32 offset, u32 width, u32 value) {
        for (u32 i = 0; i < width; ++i) {
            bytes[device][offset + i] = static_cast<u8>(value >> 8 * i);
        }
    }
    u32 get(u8 device, u32 offset, u32 width) const {
        u32 value = 0;
        for (u32 i = width; i > 0; --i) {
            value = value << 8 | bytes[device][offset + i - 1];
        }
        return value;
    }
    u32 space_bytes(pci::Address) { return 256; }
    u32 read(pci::Address where, u32 offset, u32 width) {
        return where.device < count ? get(where.device, offset, width) : ~u32{0};
    }
    void write(pci::Address where, u32 offset, u32 width, u32 value) {
        if (where.device < count) {
            ++writes;
            put(where.device, offset, width, value);
        }
    }
    /// As the firmware has left it.
    bool is_contained(u8 device) const {
        return get(device, 4, 2) == decodes && (get(device, msi_at + 2, 2) & 1) == 0 &&
               (get(device, msix_at + 2, 2) & 0xc000) == 0;
    }
};

/// A function that drivers of the tests are for: `kind` is its device number, `step` where its
/// driver fails.
pci::Function function_of(u8 device, u16 kind, u16 step = 0) {
    pci::Function function;
    function.where = {0, 0, device, 0};
    function.header = {.vendor = 0x2f0d, .device = kind, .subsystem = step};
    function.msi = pci::MsiInfo{.offset = msi_at, .is_wide = true};
    function.msix = pci::MsixInfo{.offset = msix_at, .vectors = 4};
    return function;
}

constexpr u16 greedy_kind = 0x101, other_kind = 0x102, nobodys_kind = 0x103;

/// Takes one of each thing that there is. Fails at the step that its function names; 0: at none.
class Greedy final : public BoundDevice {
public:
    static constexpr u16 steps = 8;

    static bool matches(pci::Function const& function) {
        return function.header.device == greedy_kind;
    }
    static Result<BoundDevice*>
    probe(DriverEnvironment const& environment, pci::Function const& function) {
        auto* const room = TRY(memory::allocate_room<Greedy>(environment.heap, 1));
        auto* const self = std::construct_at(room, environment, function);
        if (auto const taken = self->take(function.header.subsystem); !taken) {
            self->give_back();
            return taken.error();
        }
        return self;
    }
    Greedy(DriverEnvironment const& environment, pci::Function const& function)
        : m_environment(environment),
          m_space(environment.configuration, function.where),
          m_function(function),
          m_dma(function.where) {}

    void remove(Removal how) override {
        m_space.write_8(removal_at, static_cast<u8>(static_cast<u8>(how) + 1));
        give_back();
    }
    Result<void> suspend() override {
        return m_function.revision_fails() ? Result<void>(Error::busy) : Result<void>();
    }
    Result<void> resume() override {
        return m_function.resume_fails() ? Result<void>(Error::io_failed) : Result<void>();
    }

private:
    /// What a function says of itself beyond its kind.
    struct Told : pci::Function {
        explicit Told(pci::Function const& of) : pci::Function(of) {}
        bool revision_fails() const { return header.revision == 1; }
        bool resume_fails() const { return header.revision == 2; }
    };

    static Result<void> fail_at(u16 step, u16 wanted) {
        return step == wanted ? Result<void>(Error::io_failed) : Result<void>();
    }

    Result<void> take(u16 fails) {
        // Whoever fails leaves these as they are: the registry sees to that.
        m_space.write_16(pci::offset::command, decodes | masters | 0x400);
        m_space.write_16(msi_at + 2u, 1);
        m_space.write_16(msix_at + 2u, 0xc003);
        TRY(fail_at(1, fails));
        m_frame = TRY(m_environment.frames.allocate(memory::FrameRequest{}));
        TRY(fail_at(2, fails));
        m_room = TRY(memory::allocate_room<u64>(m_environment.heap, 100));
        TRY(fail_at(3, fails));
        m_view = TRY(m_environment.space.map_device(
            PhysAddr{0xfec0'0000}, page_size, hal::CacheMode::uncached));
        TRY(fail_at(4, fails));
        m_mapping = TRY(m_dma.map(m_frame, page_size, hal::DmaDirection::both));
        TRY(fail_at(5, fails));
        m_vector = TRY(m_environment.interrupts.bind_any(
            {.handler = [](void*, hal::Interruption const&) { return processor::Handling::wake; },
             .argument = this,
             .name = "greedy",
             .second_half = [](void*) {}}));
        TRY(fail_at(6, fails));
        return fail_at(7, fails);
    }
    void give_back() {
        if (m_vector) {
            m_environment.interrupts.unbind(*m_vector).value();
        }
        if (m_mapping) {
            m_dma.unmap(*m_mapping);
        }
        if (m_view != VirtAddr{}) {
            m_environment.space.unmap_device(m_view).value();
        }
        if (m_room != nullptr) {
            memory::free_room(m_environment.heap, m_room);
        }
        if (m_frame != PhysAddr{}) {
            m_environment.frames.free_pages(m_frame, 1).value();
        }
        memory::KernelHeap& heap = m_environment.heap;
        std::destroy_at(this);
        memory::free_room(heap, this);
    }

    DriverEnvironment m_environment;
    pci::FunctionSpace m_space;
    Told m_function;
    device::DmaSpace m_dma;
    PhysAddr m_frame{};
    u64* m_room = nullptr;
    VirtAddr m_view{};
    std::optional<device::DmaMapping> m_mapping;
    std::optional<hal::Vector> m_vector;
};

constexpr Driver greedy{"greedy", Greedy::matches, Greedy::probe};
constexpr Driver other{
    "other", [](pci::Function const& function) { return function.header.device == other_kind; },
    [](DriverEnvironment const&, pci::Function const&) -> Result<BoundDevice*> {
        return Error::not_supported;
    }};
/// Behind the others: it would be for everything but what is nobody's.
constexpr Driver late{
    "late", [](pci::Function const& function) { return function.header.device != nobodys_kind; },
    [](DriverEnvironment const&, pci::Function const&) -> Result<BoundDevice*> {
        return Error::truncated;
    }};
constexpr Driver const* all_drivers[] = {&other, &greedy, &late};

/// A registry over such spaces, and what the kernel has while nothing is bound.
struct Bench {
    ~Bench() { registry.remove_all(); }

    struct Taken {
        u64 frames = 0;
        u64 heap = 0;
    };
    static Taken taken() {
        boot::Kernel& kernel = boot::current_kernel();
        return {kernel.frames->statistics().free_frames, kernel.heap->statistics().reserved.value};
    }
    /// Why the driver has left last.
    bool has_left(u8 device, Removal how) const {
        return spaces.get(device, removal_at, 1) == static_cast<u32>(how) + 1;
    }
    DeviceState state(u8 device) const { return registry.find({0, 0, device, 0})->state; }

    Spaces spaces;
    DriverRegistry registry{
        {.configuration = pci::Configuration::of(spaces),
         .space = *boot::current_kernel().space,
         .frames = *boot::current_kernel().frames,
         .heap = *boot::current_kernel().heap,
         .interrupts = boot::current_kernel().interrupts},
        all_drivers};
};

bool fails_with(Result<void> const& outcome, Error error) {
    return !outcome && outcome.error() == error;
}

} // namespace

TEST(DriverRegistry, TheFirstDriverThatIsForItIsGivenAFunction) {
    Bench it;
    pci::Function const functions[] = {
        function_of(0, greedy_kind), function_of(1, other_kind), function_of(2, 0x200),
        function_of(3, nobodys_kind)};
    ASSERT_TRUE(it.registry.attach_all(functions).has_value());
    u32 seen = 0;
    it.registry.for_each([&](DeviceRecord const& record) {
        EXPECT_EQ(record.where.device, seen);
        ++seen;
    });
    EXPECT_EQ(seen, 4u);
    EXPECT_TRUE(it.state(0) == DeviceState::bound);
    EXPECT_TRUE(it.registry.find({0, 0, 0, 0})->driver == &greedy);
    EXPECT_TRUE(it.registry.first_of(greedy) != nullptr);
    EXPECT_TRUE(it.state(1) == DeviceState::failed);
    EXPECT_TRUE(it.registry.find({0, 0, 1, 0})->error == Error::not_supported);
    EXPECT_TRUE(it.state(2) == DeviceState::failed);
    EXPECT_TRUE(it.registry.find({0, 0, 2, 0})->driver == &late);
    EXPECT_TRUE(it.registry.failure_of(late) == Error::truncated);
    EXPECT_TRUE(it.state(3) == DeviceState::no_driver);
    EXPECT_FALSE(it.registry.failure_of(greedy).has_value());
    // A second time nothing happens to those that are known.
    u32 const writes = it.spaces.writes;
    ASSERT_TRUE(it.registry.attach_all(functions).has_value());
    EXPECT_EQ(it.spaces.writes, writes);
    EXPECT_TRUE(fails_with(it.registry.arrive(functions[0]), Error::already_exists));
}

TEST(DriverRegistry, AProbeThatFailsAtAnyStepIsContained) {
    // More often than there are vectors, over all steps. What is kept at one step is kept so often:
    // far more than the heaps of other processors take or give when the test wanders to them.
    constexpr u32 times = 1000;
    Bench it;
    // A first time, since heap and page tables keep what they have grown by.
    for (u16 step = 1; step < Greedy::steps; ++step) {
        static_cast<void>(it.registry.arrive(function_of(0, greedy_kind, step)));
    }
    auto const before = Bench::taken();
    for (u32 i = 0; i < times; ++i) {
        for (u16 step = 1; step < Greedy::steps; ++step) {
            auto const arrived = it.registry.arrive(function_of(0, greedy_kind, step));
            ASSERT_TRUE(fails_with(arrived, Error::io_failed));
            ASSERT_TRUE(it.state(0) == DeviceState::failed);
            ASSERT_TRUE(it.spaces.is_contained(0));
        }
    }
    auto const is_near = [&before](Bench::Taken const& now) {
        return now.frames + times / 4 > before.frames &&
               now.heap < before.heap + times * sizeof(Greedy) / 4;
    };
    EXPECT_TRUE(is_near(Bench::taken()));
    // And then it is taken.
    ASSERT_TRUE(it.registry.arrive(function_of(0, greedy_kind)).has_value());
    EXPECT_TRUE(it.state(0) == DeviceState::bound);
    EXPECT_FALSE(it.registry.find({0, 0, 0, 0})->error.has_value());
    EXPECT_EQ(it.spaces.get(0, 4, 2) & masters, u32{masters});
    ASSERT_TRUE(it.registry.depart({0, 0, 0, 0}, Removal::orderly).has_value());
    EXPECT_TRUE(it.spaces.is_contained(0));
    EXPECT_TRUE(is_near(Bench::taken()));
}

TEST(DriverRegistry, OneThatFailsKeepsNoOtherFromItsDriver) {
    Bench it;
    pci::Function const functions[] = {
        function_of(0, greedy_kind, 3), function_of(1, greedy_kind), function_of(2, greedy_kind, 6),
        function_of(3, greedy_kind)};
    ASSERT_TRUE(it.registry.attach_all(functions).has_value());
    EXPECT_TRUE(it.state(0) == DeviceState::failed && it.state(2) == DeviceState::failed);
    EXPECT_TRUE(it.state(1) == DeviceState::bound && it.state(3) == DeviceState::bound);
    EXPECT_TRUE(it.spaces.is_contained(0) && it.spaces.is_contained(2));
    // Who asks for the driver's devices has it try again.
    pci::Function const mended[] = {function_of(0, greedy_kind), function_of(1, greedy_kind)};
    ASSERT_TRUE(it.registry.attach(mended, greedy).has_value());
    EXPECT_TRUE(it.state(0) == DeviceState::bound);
    EXPECT_TRUE(it.state(2) == DeviceState::failed);
}

TEST(DriverRegistry, WhatIsGoneIsForgotten) {
    Bench it;
    pci::Function const functions[] = {
        function_of(0, greedy_kind), function_of(1, greedy_kind), function_of(2, nobodys_kind)};
    ASSERT_TRUE(it.registry.attach_all(functions).has_value());
    it.spaces.put(0, 4, 2, 0xffff); // as the space of what is not there reads
    ASSERT_TRUE(it.registry.depart({0, 0, 0, 0}, Removal::gone).has_value());
    EXPECT_TRUE(it.has_left(0, Removal::gone));
    EXPECT_TRUE(it.registry.find({0, 0, 0, 0}) == nullptr);
    EXPECT_EQ(it.spaces.get(0, 4, 2), 0xffffu); // nobody writes to it
    ASSERT_TRUE(it.registry.depart({0, 0, 2, 0}, Removal::gone).has_value());
    EXPECT_TRUE(it.state(1) == DeviceState::bound);
    EXPECT_TRUE(fails_with(it.registry.depart({0, 0, 0, 0}, Removal::gone), Error::not_found));
    it.spaces.put(0, 4, 2, decodes);
    ASSERT_TRUE(it.registry.arrive(functions[0]).has_value());
    EXPECT_TRUE(it.state(0) == DeviceState::bound);
}

TEST(DriverRegistry, ADriverLeavesAndComesBack) {
    Bench it;
    ASSERT_TRUE(it.registry.arrive(function_of(0, greedy_kind)).has_value());
    ASSERT_TRUE(it.registry.depart({0, 0, 0, 0}, Removal::orderly).has_value());
    EXPECT_TRUE(it.has_left(0, Removal::orderly));
    EXPECT_TRUE(it.state(0) == DeviceState::removed);
    EXPECT_TRUE(
        fails_with(it.registry.depart({0, 0, 0, 0}, Removal::orderly), Error::invalid_state));
    EXPECT_TRUE(fails_with(it.registry.suspend({0, 0, 0, 0}), Error::invalid_state));
    // It was removed on purpose: who only asks for such devices does not get it.
    pci::Function const functions[] = {function_of(0, greedy_kind)};
    ASSERT_TRUE(it.registry.attach(functions, greedy).has_value());
    EXPECT_TRUE(it.registry.first_of(greedy) == nullptr);
    ASSERT_TRUE(it.registry.arrive(functions[0]).has_value());
    EXPECT_TRUE(it.registry.first_of(greedy) != nullptr);
}

TEST(DriverRegistry, DevicesComeToRestAndGoOn) {
    Bench it;
    pci::Function stubborn = function_of(1, greedy_kind);
    stubborn.header.revision = 1;
    pci::Function lost = function_of(2, greedy_kind);
    lost.header.revision = 2;
    pci::Function const functions[] = {function_of(0, greedy_kind), stubborn, lost};
    ASSERT_TRUE(it.registry.attach_all(functions).has_value());
    ASSERT_TRUE(it.registry.suspend({0, 0, 0, 0}).has_value());
    EXPECT_TRUE(it.state(0) == DeviceState::suspended);
    EXPECT_TRUE(fails_with(it.registry.suspend({0, 0, 0, 0}), Error::invalid_state));
    ASSERT_TRUE(it.registry.resume({0, 0, 0, 0}).has_value());
    EXPECT_TRUE(it.state(0) == DeviceState::bound);
    EXPECT_TRUE(fails_with(it.registry.resume({0, 0, 0, 0}), Error::invalid_state));
    EXPECT_TRUE(fails_with(it.registry.suspend({0, 0, 1, 0}), Error::busy));
    EXPECT_TRUE(it.state(1) == DeviceState::bound);
    // One that does not come back is left.
    ASSERT_TRUE(it.registry.suspend({0, 0, 2, 0}).has_value());
    EXPECT_TRUE(fails_with(it.registry.resume({0, 0, 2, 0}), Error::io_failed));
    EXPECT_TRUE(it.state(2) == DeviceState::failed);
    EXPECT_TRUE(it.spaces.is_contained(2));
    EXPECT_TRUE(fails_with(it.registry.suspend({0, 0, 9, 0}), Error::not_found));
}

TEST(DriverRegistry, AtTheEndNothingMastersTheBus) {
    Bench it;
    pci::Function stubborn = function_of(1, greedy_kind);
    stubborn.header.revision = 1;
    pci::Function const functions[] = {function_of(0, greedy_kind), stubborn};
    ASSERT_TRUE(it.registry.attach_all(functions).has_value());
    it.registry.stop_all(); // of a panic
    EXPECT_EQ((it.spaces.get(0, 4, 2) | it.spaces.get(1, 4, 2)) & masters, 0u);
    it.spaces.put(0, 4, 2, decodes | masters);
    it.spaces.put(1, 4, 2, decodes | masters);
    it.registry.rest_all();
    EXPECT_EQ((it.spaces.get(0, 4, 2) | it.spaces.get(1, 4, 2)) & masters, 0u);
    EXPECT_TRUE(it.state(0) == DeviceState::suspended);
    EXPECT_TRUE(it.registry.find({0, 0, 1, 0})->error == Error::busy);
}

TEST(PciAddressText, IsReadAsItIsWritten) {
    EXPECT_TRUE(pci::parse_address("01:02.3") == (pci::Address{0, 1, 2, 3}));
    EXPECT_TRUE(pci::parse_address("12ab:fF:1f.7") == (pci::Address{0x12ab, 0xff, 0x1f, 7}));
    EXPECT_TRUE(pci::parse_address("0:0.0") == (pci::Address{}));
    for (std::string_view const wrong :
         {"", "01:02", "01.3", ":02.3", "01:.3", "01:02.", "01:20.0", "01:02.8", "001:02.3",
          "g1:02.3", "01:02.3 ", "12345:01:02.3", ":01:02.3", "1:2:3:4.0", "01.02:3"}) {
        EXPECT_FALSE(pci::parse_address(wrong).has_value());
    }
}
