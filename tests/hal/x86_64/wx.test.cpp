// W^X on the metal machine: each violation is tried and must be refused, and the tables are
// searched for any page that would permit one.
#include "core/boot/boot.hpp"
#include "hal/layout.hpp"
#include "hal/memory.hpp"
#include "hal/mmu.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "tests/support/test.hpp"

namespace {

using namespace twofold;
using hal::FaultKind;

// In assembly, since the compiler may not know that they fault; `catch_fault` recovers.
void write_byte(u64 address) {
    asm volatile("movb $1, (%0)" : : "r"(address) : "memory");
}
u8 read_byte(u64 address) {
    u8 byte;
    asm volatile("movb (%1), %0" : "=q"(byte) : "r"(address) : "memory");
    return byte;
}
void execute(u64 address) {
    asm volatile("call *%0" : : "r"(address) : "memory");
}

constexpr u64 constant = 0xc3c3'c3c3'c3c3'c3c3; // "ret", if it could run
u64 volatile variable = 0xc3c3'c3c3'c3c3'c3c3;
u64 address_of(u64 const volatile& word) {
    return reinterpret_cast<u64>(&word);
}

template<class Function>
void expect_refused(Function function, u64 address, hal::PageFaultCause expected) {
    auto const fault = boot::catch_fault(function);
    ASSERT_TRUE(fault.has_value());
    EXPECT_EQ(fault->kind, FaultKind::page);
    EXPECT_EQ(fault->address.value, address);
    EXPECT_EQ(fault->cause.present, expected.present);
    EXPECT_EQ(fault->cause.write, expected.write);
    EXPECT_EQ(fault->cause.execute, expected.execute);
    EXPECT_FALSE(fault->cause.user);
    EXPECT_FALSE(fault->cause.reserved);
}

constexpr hal::PageFaultCause write_to_present{true, true, false, false, false};
constexpr hal::PageFaultCause execute_present{true, false, true, false, false};
constexpr hal::PageFaultCause read_absent{false, false, false, false, false};
constexpr hal::PageFaultCause write_absent{false, true, false, false, false};
constexpr hal::PageFaultCause execute_absent{false, false, true, false, false};

u64 const* entries_of(PhysAddr table) {
    // Sound: tables lie in RAM, which the linear window shows.
    return reinterpret_cast<u64 const*>(hal::Memory::linear(table));
}

struct Census {
    u64 leaves = 0, executable = 0, both = 0, user = 0, image_aliases = 0;
    u64 strays = 0; ///< in the lower half, where the heap alone may lie
};

void count_leaf(Census& census, hal::PageMapping page, unsigned level, u64 address) {
    metal::Handover const& handover = *metal::machine().handover;
    bool const is_writable = includes(page.access, hal::Access::write);
    bool const is_executable = includes(page.access, hal::Access::execute);
    bool const is_image = address - handover.info.image_base.value < handover.info.image_size.value;
    ++census.leaves;
    census.executable += is_executable;
    census.both += is_writable && is_executable;
    census.user += includes(page.access, hal::Access::user);
    bool const is_heap = hal::Layout::current().heap.contains({address});
    census.strays += address < u64{1} << 63 && !is_heap;
    census.image_aliases +=
        !is_image && ranges_overlap(
                         page.frame.value, hal::Mmu::span(level).value,
                         handover.image_physical.value, handover.info.image_size.value);
}

// Recurses once a level.
void search(Census& census, PhysAddr table, unsigned level, u64 base) {
    for (unsigned index = 0; index < hal::Mmu::entries; ++index) {
        u64 const entry = entries_of(table)[index];
        u64 address = base + index * hal::Mmu::span(level).value;
        if (level == hal::Mmu::levels - 1 && index >= hal::Mmu::entries / 2) {
            address |= 0xffff'0000'0000'0000;
        }
        if (hal::Mmu::is_leaf(entry, level)) {
            count_leaf(census, hal::Mmu::decode_leaf(entry, level), level, address);
        } else if (hal::Mmu::is_present(entry)) {
            search(census, hal::Mmu::decode_table(entry), level - 1, address);
        }
    }
}

} // namespace

TEST(WriteOrExecute, TextCannotBeWritten) {
    u64 const text = reinterpret_cast<u64>(&write_byte);
    expect_refused([text] { write_byte(text); }, text, write_to_present);
}

TEST(WriteOrExecute, ConstantsCannotBeWritten) {
    u64 const at = address_of(constant);
    expect_refused([at] { write_byte(at); }, at, write_to_present);
    EXPECT_EQ(read_byte(at), 0xc3);
}

TEST(WriteOrExecute, ConstantsCannotBeExecuted) {
    u64 const at = address_of(constant);
    expect_refused([at] { execute(at); }, at, execute_present);
}

TEST(WriteOrExecute, DataCannotBeExecuted) {
    u64 const at = address_of(variable);
    expect_refused([at] { execute(at); }, at, execute_present);
}

TEST(WriteOrExecute, TheStackCannotBeExecuted) {
    u64 volatile code = 0xc3c3'c3c3'c3c3'c3c3;
    u64 const at = address_of(code);
    expect_refused([at] { execute(at); }, at, execute_present);
}

TEST(WriteOrExecute, TheLinearWindowCannotBeExecuted) {
    u64 const at = reinterpret_cast<u64>(hal::Memory::linear(metal::machine().handover->root));
    EXPECT_EQ(read_byte(at), read_byte(at)); // it can be read
    expect_refused([at] { execute(at); }, at, execute_present);
}

TEST(WriteOrExecute, TheFirstPageIsNotMapped) {
    expect_refused([] { read_byte(0); }, 0, read_absent);
    expect_refused([] { write_byte(8); }, 8, write_absent);
    expect_refused([] { execute(16); }, 16, execute_absent);
}

TEST(WriteOrExecute, PhysicalAddressesAreNotMapped) {
    u64 const image = metal::machine().handover->image_physical.value;
    constexpr u64 stub = 0x10'0000;
    expect_refused([] { read_byte(stub); }, stub, read_absent);
    expect_refused([image] { read_byte(image); }, image, read_absent);
}

TEST(WriteOrExecute, TheLinearWindowLeavesOutTheImage) {
    u64 const at =
        reinterpret_cast<u64>(hal::Memory::linear(metal::machine().handover->image_physical));
    expect_refused([at] { read_byte(at); }, at, read_absent);
    expect_refused([at] { write_byte(at); }, at, write_absent);
}

TEST(WriteOrExecute, StacksHaveGuards) {
    hal::BootInfo const& info = metal::machine().handover->info;
    u64 const below = info.stack_base.value - 8;
    u64 const above = (info.stack_base + info.stack_size).value;
    expect_refused([below] { write_byte(below); }, below, write_absent);
    expect_refused([above] { write_byte(above); }, above, write_absent);
}

TEST(WriteOrExecute, NoPagePermitsBoth) {
    Census census;
    search(census, hal::Mmu::root(), hal::Mmu::levels - 1, 0);
    EXPECT_GT(census.leaves, 100u);
    EXPECT_GT(census.executable, 0u);
    EXPECT_EQ(census.both, 0u);
    EXPECT_EQ(census.user, 0u);
    EXPECT_EQ(census.strays, 0u);
    EXPECT_EQ(census.image_aliases, 0u);
}

TEST(WriteOrExecute, TheProcessorEnforcesIt) {
    hal::CpuDescription const processor = hal::Cpu::describe();
    constexpr u32 extended_features = 0xc000'0080;
    constexpr u64 no_execute_enabled = u64{1} << 11, write_protect = u64{1} << 16;
    EXPECT_NE(metal::read_msr(extended_features) & no_execute_enabled, 0u);
    EXPECT_NE(metal::read_cr0() & write_protect, 0u);
    u64 const bits = metal::read_cr4();
    EXPECT_EQ((bits & metal::cr4::smep) != 0, has(processor, isa::Feature::smep));
    EXPECT_EQ((bits & metal::cr4::smap) != 0, has(processor, isa::Feature::smap));
    EXPECT_EQ((bits & metal::cr4::umip) != 0, has(processor, isa::Feature::umip));
}
