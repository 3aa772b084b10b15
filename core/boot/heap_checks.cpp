// The debugging layer of the kernel's heap: who holds blocks, what becomes of damage, and both on
// purpose. See heap.hpp; the twin for builds without is heap_no_checks.cpp.
#include "core/boot/devices.hpp"
#include "core/boot/heap.hpp"
#include "core/boot/kernel.hpp"
#include "core/boot/panic.hpp"
#include "core/boot/pci.hpp"
#include "core/boot/provoke.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

using memory::CallStack;
using memory::Corruption;
using memory::debug::CallSite;

constexpr Column site_columns[] = {{"blocks", 8}, {"bytes", 12}, {"oldest", 8}, {"call site", 0}};
constexpr usize sites_shown = 32;
constexpr std::string_view damages[] = {"overflow",       "underflow",       "use-after-free",
                                        "stray-overflow", "stray-underflow", "stray-write"};
constexpr std::string_view misuses =
    "overflow underflow use-after-free stray-overflow stray-underflow stray-write double-free leak "
    "no-alloc no-frames";

/// A return address as "function+0x12", or as a number.
void write_call(Output const& out, Kernel const& kernel, u64 address) {
    u64 const offset = address - 1 - kernel.boot_info.image_base.value;
    auto const symbol = kernel.symbols ? kernel.symbols->find(offset) : std::nullopt;
    if (symbol) {
        format_to(out, "{}+{:#x}", symbol->name, symbol->offset + 1);
    } else {
        format_to(out, "{:#x}", address);
    }
}

/// The calls of a stack in one line, innermost first.
void write_calls(Output const& out, Kernel const& kernel, CallStack const& stack) {
    std::string_view separator = "";
    for (u64 const address : stack.known()) {
        out.write(separator);
        write_call(out, kernel, address);
        separator = " < ";
    }
    if (stack.known().empty()) {
        out.write("(other call sites)");
    }
}

/// The end of a kernel whose heap is damaged: who, where and since when, then the panic's own
/// report.
[[noreturn]] void panic_on_corruption(void* context, Corruption const& found) {
    Kernel const& kernel = *static_cast<Kernel const*>(context);
    Output const out = console_output();
    out.write("\nthe block was allocated by: ");
    write_calls(out, kernel, found.allocated);
    if (!found.freed.known().empty()) {
        out.write("\nand given back by: ");
        write_calls(out, kernel, found.freed);
    }
    out.write("\n");
    char text[400];
    TextBuffer cause{std::span<char>(text)};
    Output const to = cause.output();
    format_to(
        to, "heap: {} at {:#x}: block {:#x} of {} bytes, allocation {} by ",
        corruption_name(found.kind), memory::heap::address_of(found.damaged),
        memory::heap::address_of(found.block), found.size, found.number);
    write_call(to, kernel, found.allocated.addresses[0]);
    panic(cause.view());
}

/// The call sites that hold most bytes.
void list_sites(Kernel& kernel, CommandOutput& out) {
    FixedVector<CallSite const*, sites_shown> shown;
    u64 left_out = 0;
    kernel.heap->for_each_site(
        [&](CallSite const& site) { left_out += shown.push_back(&site) ? 0 : 1; });
    std::span<CallSite const*> const sites = shown.items();
    std::ranges::sort(
        sites, [](CallSite const* a, CallSite const* b) { return a->oldest < b->oldest; });
    out.table(site_columns);
    for (CallSite const* const site : sites) {
        char text[1000];
        TextBuffer calls{std::span<char>(text)};
        write_calls(calls.output(), kernel, site->stack);
        out.row({site->blocks, site->bytes, site->oldest, calls.view()});
    }
    if (left_out != 0) {
        out.line("and {} more call sites", left_out);
    }
}

/// A write before, behind or after: found when the block is given back or the heap is looked over.
u8 damage(memory::KernelHeap& heap, std::string_view kind) {
    Watched const watched =
        kind.starts_with("stray-") ? Watched::by_nobody : Watched::by_the_compiler;
    constexpr Bytes size{40};
    std::byte* const block = heap.allocate(size, memory::default_alignment).value();
    if (kind.ends_with("overflow")) {
        provoke_write(memory::heap::byte_at(block, size.value), watched);
    } else if (kind.ends_with("underflow")) {
        provoke_write(memory::heap::byte_at(block, 0 - u64{1}), watched);
    } else {
        heap.free(block).value();
        provoke_write(memory::heap::byte_at(block, 8), watched);
        return heap.verify() ? status::success : status::failure;
    }
    return heap.free(block) ? status::success : status::failure;
}

} // namespace

Result<memory::KernelHeap*> layer_heap(Kernel& kernel, memory::BareKernelHeap& bare) {
    return memory::KernelHeap::create(
        bare, memory::KernelDebugEnvironment::Handler{panic_on_corruption, &kernel});
}

u8 list_blocks(CommandContext& context) {
    memory::KernelHeap const& heap = *context.kernel.heap;
    context.out.line("{} blocks of {} bytes are in use", heap.live_blocks(), heap.live_bytes());
    if (heap.live_blocks() != 0) {
        list_sites(context.kernel, context.out);
    }
    return status::success;
}

u8 misuse_heap(CommandContext& context, std::string_view kind) {
    memory::KernelHeap& heap = *context.kernel.heap;
    if (kind == "double-free") {
        std::byte* const block = heap.allocate({40}, memory::default_alignment).value();
        heap.free(block).value();
        context.out.line("heap: freed again: {}", heap.free(block).error());
    } else if (kind == "leak") {
        for (u64 const size : {100, 200, 300}) {
            heap.allocate({size}, memory::default_alignment).value();
        }
    } else if (kind == "no-alloc") {
        memory::NoAlloc const scope;
        heap.allocate({40}, memory::default_alignment).value();
    } else if (kind == "no-frames") {
        memory::NoAlloc const scope;
        context.kernel.frames->allocate(0).value();
    } else if (std::ranges::find(damages, kind) == std::end(damages)) {
        context.out.line("heap: unknown misuse '{}'; one of: {}", kind, misuses);
        return status::usage;
    } else {
        u8 const outcome = damage(heap, kind);
        context.out.line("heap: nobody noticed '{}'", kind);
        return outcome;
    }
    return status::success;
}

u64 blocks_in_use(Kernel const& kernel) {
    return kernel.heap != nullptr ? kernel.heap->live_blocks() : 0;
}

void report_leaks(Kernel& kernel) {
    close_devices(kernel);
    forget_pci(kernel);
    if (blocks_in_use(kernel) == 0) {
        return;
    }
    Output const sink = console_output();
    Printer printer(sink, kernel.options.json);
    printer.begin("leaks");
    CommandOutput out(printer.items());
    out.line(
        "heap: {} blocks of {} bytes were never given back", kernel.heap->live_blocks(),
        kernel.heap->live_bytes());
    list_sites(kernel, out);
    out.end(status::failure);
}

} // namespace twofold::boot
