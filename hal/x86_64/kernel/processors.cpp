// Starting the other processors: INIT, SIPI, and what they find (trampoline.hpp).
//
// A processor that does not answer in time finds no offer any more when it does rise, and is sent
// another INIT, in which it stays: nothing that it was given is in use afterwards.
//
// Source: SDM volume 3A, section 9.4.4.1; Intel MultiProcessor Specification 1.4, appendix B.4.
#include "hal/processors.hpp"

#include "hal/clock.hpp"
#include "hal/controller.hpp"
#include "hal/memory.hpp"
#include "hal/mmu.hpp"
#include "hal/upcalls.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/local_access.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "hal/x86_64/kernel/trampoline.hpp"
#include "hal/x86_64/kernel/word_lock.hpp"
#include "isa/core_class.hpp"
#include "isa/cpuid.hpp"

#include <new>

extern "C" {
extern std::byte const metal_trampoline[], metal_trampoline_end[]; // trampoline.S
extern std::byte const metal_trampoline_protected[], metal_trampoline_long[];
void metal_processor_entry();
[[noreturn]] void metal_processor_start(metal::CpuBlock* block);
}

namespace metal {

namespace {

constexpr Bytes exception_stack_size{16384};
constexpr Bytes stack_size_min{4096};
constexpr i64 nanos_per_millisecond = 1'000'000;
constexpr Nanos answer_limit{2'000 * nanos_per_millisecond};
constexpr Nanos second_try{nanos_per_millisecond};

PhysAddr page_of(PhysAddr low, LowPage page) {
    return low + page_size * static_cast<u64>(page);
}

u64* entries_of(PhysAddr table) {
    // Sound: `table` is RAM that the kernel gave for this, page-aligned.
    return reinterpret_cast<u64*>(hal::Memory::linear(table));
}

TrampolineData& data_of(PhysAddr low) {
    // Sound: as above; the page was cleared when it was filled.
    return *reinterpret_cast<TrampolineData*>(hal::Memory::linear(page_of(low, LowPage::data)));
}

u32 low_address(PhysAddr low, std::byte const* label) {
    return static_cast<u32>(low.value + static_cast<u64>(label - metal_trampoline));
}

/// Tables that show the first two pages where they are, and the kernel's half.
void fill_tables(PhysAddr low, PhysAddr kernel_root) {
    using hal::Mmu;
    using enum hal::Access;
    PhysAddr const root = page_of(low, LowPage::root);
    PhysAddr const pointers = page_of(low, LowPage::pointers);
    PhysAddr const directory = page_of(low, LowPage::directory);
    PhysAddr const table = page_of(low, LowPage::table);
    PhysAddr const code = page_of(low, LowPage::code), data = page_of(low, LowPage::data);
    entries_of(root)[0] = Mmu::encode_table(pointers);
    entries_of(pointers)[0] = Mmu::encode_table(directory);
    entries_of(directory)[0] = Mmu::encode_table(table);
    entries_of(table)[Mmu::index({code.value}, 0)] = Mmu::encode_leaf({code, read | execute}, 0);
    entries_of(table)[Mmu::index({data.value}, 0)] = Mmu::encode_leaf({data, read | write}, 0);
    for (unsigned index = Mmu::entries / 2; index < Mmu::entries; ++index) {
        entries_of(root)[index] = entries_of(kernel_root)[index];
    }
}

/// Everything in the memory below 1 MiB but the offer.
void fill_low(hal::ProcessorStart const& start, CpuBlock& block) {
    constexpr u64 flat_code_32 = 0x00cf'9b00'0000'ffff, flat_data = 0x00cf'9300'0000'ffff;
    constexpr u64 code_64 = 0x00af'9b00'0000'ffff;
    PhysAddr const low = start.low;
    PhysAddr const root = hal::Mmu::root();
    __builtin_memset(hal::Memory::linear(low), 0, hal::Processors::low_bytes().value);
    usize const code_size = static_cast<usize>(metal_trampoline_end - metal_trampoline);
    CHECK(code_size <= page_size.value);
    __builtin_memcpy(hal::Memory::linear(page_of(low, LowPage::code)), metal_trampoline, code_size);
    fill_tables(low, root);

    TrampolineData& data = data_of(low);
    u64 const descriptors =
        page_of(low, LowPage::data).value + offsetof(TrampolineData, descriptors);
    data.descriptors[trampoline_selector::code_32 / 8] = flat_code_32;
    data.descriptors[trampoline_selector::data / 8] = flat_data;
    data.descriptors[trampoline_selector::code_64 / 8] = code_64;
    data.descriptors_limit = sizeof(data.descriptors) - 1;
    data.descriptors_base[0] = static_cast<u16>(descriptors);
    data.descriptors_base[1] = static_cast<u16>(descriptors >> 16);
    data.protected_offset = low_address(low, metal_trampoline_protected);
    data.protected_selector = trampoline_selector::code_32;
    data.long_offset = low_address(low, metal_trampoline_long);
    data.long_selector = trampoline_selector::code_64;
    data.low_root = static_cast<u32>(page_of(low, LowPage::root).value);
    data.hardware_id = start.hardware_id;
    data.kernel_root = root.value;
    data.stack = reinterpret_cast<u64>(start.stack.data() + start.stack.size());
    data.entry = reinterpret_cast<u64>(&metal_processor_entry);
    data.block = reinterpret_cast<u64>(&block);
}

CpuBlock& make_block(hal::ProcessorStart const& start) {
    auto& block = *new (start.area.data()) CpuBlock{};
    block.number = start.id.value;
    block.hardware_id = start.hardware_id;
    block.core = start.per_cpu;
    std::byte* ends[interrupt_stack::count];
    for (usize i = 0; i < interrupt_stack::count; ++i) {
        std::span<std::byte> const stack = start.exception_stacks[i];
        ends[i] = stack.data() + stack.size();
    }
    set_exception_stacks(block, ends);
    return block;
}

bool is_aligned_to(void const* pointer, Bytes alignment) {
    return is_aligned(reinterpret_cast<u64>(pointer), alignment.value);
}

Result<void> check_memory(hal::ProcessorStart const& start) {
    constexpr u64 one_mib = u64{1} << 20;
    bool is_sound = start.area.size() >= hal::Processors::area_bytes().value &&
                    is_aligned_to(start.area.data(), page_size) &&
                    start.stack.size() >= stack_size_min.value &&
                    is_aligned_to(start.stack.data() + start.stack.size(), {16});
    for (usize i = 0; i < interrupt_stack::count; ++i) {
        std::span<std::byte> const stack = start.exception_stacks[i];
        is_sound = is_sound && stack.size() >= exception_stack_size.value &&
                   is_aligned_to(stack.data() + stack.size(), {16});
    }
    is_sound = is_sound && start.low != PhysAddr{} && is_aligned(start.low, page_size) &&
               start.low.value <= one_mib - hal::Processors::low_bytes().value;
    return is_sound ? Result<void>{} : Result<void>{Error::invalid_argument};
}

Result<void> check_identity(hal::ProcessorStart const& start) {
    if (start.id.value >= ProcessorTable::count_max) {
        return Error::out_of_range;
    }
    for (Atomic<CpuBlock*> const& entry : machine().processors.blocks) {
        CpuBlock const* const block = entry.load(acquire);
        if (block != nullptr &&
            (block->number == start.id.value || block->hardware_id == start.hardware_id)) {
            return Error::already_exists;
        }
    }
    u32 const id_max = with_local_apic([](auto& local) { return local.id_max; });
    return start.hardware_id <= id_max ? Result<void>{} : Result<void>{Error::out_of_range};
}

void send_command(u32 hardware_id, u32 command) {
    InterruptsOff const off;
    bool const is_sent =
        with_local_apic([&](auto& local) { return local.command(hardware_id, command); });
    CHECK(is_sent);
}

bool is_taken(void* data) {
    return static_cast<TrampolineData*>(data)->offer.load(acquire) ==
           static_cast<u32>(OfferState::taken);
}

bool is_online(void* block) {
    return find_processor({static_cast<CpuBlock*>(block)->number}) == block;
}

bool never(void*) {
    return false;
}

/// How long a processor needs to obey INIT: older ones 10 ms, those since and emulated ones no time
/// (as Linux has it, arch/x86/kernel/smpboot.c, smp_quirk_init_udelay).
Nanos init_delay() {
    hal::CpuDescription const cpu = hal::Cpu::describe();
    bool const is_prompt =
        has(cpu, isa::Feature::hypervisor) || cpu.family == 6 || cpu.family >= 0xf;
    return {is_prompt ? nanos_per_millisecond / 10 : 10 * nanos_per_millisecond};
}

/// INIT, SIPI and, where nothing happens, a second SIPI. Whether the processor has begun with what
/// it was offered; if not, it never will.
bool wake(u32 hardware_id, PhysAddr low) {
    TrampolineData& data = data_of(low);
    data.offer.store(static_cast<u32>(OfferState::made), release);
    send_command(hardware_id, local_command::init);
    static_cast<void>(wait_for(init_delay(), never, nullptr));
    u32 const startup = local_command::startup(page_of(low, LowPage::code));
    send_command(hardware_id, startup);
    if (!wait_for(second_try, is_taken, &data)) {
        send_command(hardware_id, startup);
    }
    if (wait_for(answer_limit, is_taken, &data)) {
        return true;
    }
    u32 expected = static_cast<u32>(OfferState::made);
    return !data.offer.compare_exchange(
        expected, static_cast<u32>(OfferState::none), acquire_release, acquire);
}

} // namespace

} // namespace metal

/// Has no canary at first, as metal_start.
[[gnu::no_stack_protector]] void metal_processor_start(metal::CpuBlock* block) {
    using namespace metal;
    begin_processor(*block);
    join_interrupts(*block);
    kernel_processor_online();
}

namespace hal {

using namespace metal;

Bytes Processors::area_bytes() {
    static_assert(sizeof(CpuBlock) <= page_size.value);
    return page_size;
}

u32 Processors::exception_stack_count() {
    static_assert(interrupt_stack::count <= ProcessorStart::exception_stacks_max);
    return interrupt_stack::count;
}

Bytes Processors::exception_stack_bytes() {
    return exception_stack_size;
}

Bytes Processors::low_bytes() {
    return page_size * static_cast<u64>(LowPage::count);
}

u32 Processors::count_max() {
    return ProcessorTable::count_max;
}

void Processors::adopt_boot_processor(u32 hardware_id) {
    // Where a controller was adopted, the processor has read its own id, and firmware's tables may
    // list another processor first.
    if (machine().controller.mode == LocalMode::none) {
        machine().boot_processor.hardware_id = hardware_id;
    }
}

Result<void> Processors::start(ProcessorStart const& start) {
    bool const has_clock = machine().clock.counter.load(acquire) != CounterKind::none;
    if (machine().controller.mode == LocalMode::none || !has_clock) {
        return Error::not_supported; // it could be neither sent for nor waited for
    }
    TRY(check_identity(start));
    TRY(check_memory(start));
    CpuBlock& block = make_block(start);
    fill_low(start, block);
    if (wake(start.hardware_id, start.low) && wait_for(answer_limit, is_online, &block)) {
        return {};
    }
    send_command(start.hardware_id, local_command::init);
    return Error::timed_out;
}

CoreClass Processors::core_class() {
    u32 const highest = isa::cpuid(0, 0).eax;
    isa::CpuidLeaf const structured = highest >= 7 ? isa::cpuid(7, 0) : isa::CpuidLeaf{};
    isa::CpuidLeaf const model = highest >= 0x1a ? isa::cpuid(0x1a, 0) : isa::CpuidLeaf{};
    return isa::core_class(structured, model);
}

void Processors::halt() {
    stop();
}

} // namespace hal
