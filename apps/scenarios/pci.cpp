// The PCI bus, on a model of one: a bridge that the firmware has numbered, one that it has not, one
// whose number another has, one that points at itself, a device with all kinds of base addresses
// and messages, and a hostile one.
#include "apps/scenarios/pci_model.hpp"
#include "apps/scenarios/scenarios.hpp"
#include "hal/layout.hpp"

namespace twofold::scenarios {

namespace {

using twofold::boot::Recorder;
using namespace twofold::pci;

/// Functions of the model.
namespace at {

constexpr usize host = 0, numbered = 1, unnumbered = 2, selfish = 3, device = 4, second = 5,
                far = 6, hostile = 7, taken = 8;

} // namespace at
constexpr usize model_functions = 9;

void write_bridges(std::span<PciModelFunction> model) {
    model[at::host].begin(0x0001'2f0d, 0x060000);
    model[at::numbered].begin(0x0002'2f0d, 0x060400, true);
    model[at::numbered].device = 1;
    model[at::numbered].define(0x18, 4, 0x0001'0100, 0x00ff'ffff);
    model[at::unnumbered].begin(0x0002'2f0d, 0x060400, true);
    model[at::unnumbered].device = 2;
    model[at::selfish].begin(0x0002'2f0d, 0x060400, true);
    model[at::selfish].parent = at::numbered;
    model[at::selfish].device = 5;
    model[at::selfish].define(0x18, 4, 0x0001'0101, 0x00ff'ffff);
    model[at::taken].begin(0x0002'2f0d, 0x060400, true);
    model[at::taken].device = 3;
    model[at::taken].define(0x18, 4, 0x0001'0100, 0x00ff'ffff);
}

void write_device(PciModelFunction& it) {
    it.parent = at::numbered;
    it.begin(0x0010'2f0d, 0x010802, false, true);
    it.define(0x10, 8, 0x1'0000'000c, ~u64{0xffff}); // 64 KiB, 64 bit, prefetchable
    it.define(0x18, 4, 0xc001, 0xffe0);              // 32 ports
    it.define(0x1c, 4, 0xfe00'0000, 0xffff'f000);    // 4 KiB, 32 bit
    it.define(0x30, 4, 0xfd00'0000, 0xffff'0001);    // a ROM of 64 KiB
    it.capability(0x40, 0x01, 0x50, true);
    it.capability(0x50, 0x05, 0x70);
    it.define(0x52, 2, 0x0188, 0x71); // 16 vectors, 64 bit, masks
    it.define(0x54, 4, 0, ~u32{3});
    it.define(0x58, 4, 0, ~u32{0});
    it.define(0x5c, 2, 0, 0xffff);
    it.define(0x60, 4, 0, 0xffff);
    it.define(0x64, 4, 0x8);
    it.capability(0x70, 0x11, 0x80);
    it.define(0x72, 2, 0x7, 0xc000); // 8 vectors
    it.define(0x74, 4, 0x1000);
    it.define(0x78, 4, 0x0803);
    it.capability(0x80, 0x10, 0);
    it.define(0x100, 4, 0x1401'0001);
    it.define(0x140, 4, 0x0001'0003);
}

void write_hostile(PciModelFunction& it) {
    it.parent = at::unnumbered;
    it.device = 1;
    it.begin(0x6666'2f0d, 0xff0000);
    it.define(0x10, 4, 0, 0xfffe'1000);   // no power of two
    it.define(0x14, 4, 0x2);              // a reserved kind
    it.define(0x24, 4, 0x4, ~u32{0xfff}); // 64 bits without an upper half
    it.capability(0x40, 0x11, 0x50, true);
    it.define(0x42, 2, 0x7ff);
    it.define(0x44, 4, 0x5);
    it.capability(0x50, 0x10, 0x40);  // back
    it.define(0x100, 4, 0x0ff1'0001); // into the header
}

void write_model(std::span<PciModelFunction> model) {
    write_bridges(model);
    write_device(model[at::device]);
    model[at::second].parent = at::numbered;
    model[at::second].function = 1;
    model[at::second].begin(0x0011'2f0d, 0x0c0330, false, true);
    model[at::far].parent = at::unnumbered;
    model[at::far].begin(0x0012'2f0d, 0x020000);
    model[at::far].define(0x10, 8, 0x4, u64{1} << 63); // absurd
    write_hostile(model[at::hostile]);
}

void record_function(Recorder& record, Function const& it) {
    char name[64];
    char text[128];
    auto const named = [&](std::string_view what) {
        return format_to(
                   std::span(name), "{:02x}:{:02x}.{} {}", it.where.bus, it.where.device,
                   it.where.function, what)
            .text;
    };
    record.text(
        named("is"),
        format_to(
            std::span(text), "{:04x}:{:04x} {} {}", it.header.vendor, it.header.device,
            class_name(it.header.base_class, it.header.subclass), header_kind_name(it.header.kind))
            .text);
    record.text(
        named("buses"),
        format_to(
            std::span(text), "{} {} {}", it.buses.primary, it.buses.secondary, it.buses.subordinate)
            .text);
    for (Bar const& bar : it.bars) {
        char what[32];
        record.text(
            named(format_to(std::span(what), "bar {}", bar.number).text),
            format_to(
                std::span(text), "{} {:#x} {} {}", bar_kind_name(bar.kind), bar.address,
                bar.size.value, bar.prefetchable)
                .text);
    }
    for (Capability const& capability : it.capabilities) {
        char what[32];
        record.text(
            named(format_to(std::span(what), "at {:#x}", capability.offset).text),
            capability_name(capability));
    }
    u64 number = 0;
    it.defects.visit([&](Defect defect) {
        char what[32];
        record.text(
            named(format_to(std::span(what), "defect {}", number++).text), defect_name(defect));
    });
}

void program_msi(Recorder& record, FunctionSpace const& space, Function const& it) {
    record.truth("MSI is there", it.msi.has_value());
    if (!it.msi) {
        return;
    }
    Msi msi(space, *it.msi);
    record.number("MSI vectors", msi.info().vectors());
    record.result("MSI message, data not aligned", msi.set_message({0xfee0'0000, 0x41}, 4));
    record.result("MSI message, too many", msi.set_message({0xfee0'0000, 0x40}, 32));
    record.result("MSI message", msi.set_message({0x1'fee0'0000, 0x40}, 4));
    record.truth("MSI kept it", msi.message() == Message{0x1'fee0'0000, 0x40});
    record.number("MSI vectors enabled", msi.enabled_vectors());
    msi.set_messages(Switch::on);
    record.truth("MSI on", msi.are_messages_on());
    record.result("MSI message while on", msi.set_message({0, 0}, 1));
    record.result("MSI mask", msi.mask(2));
    record.result("MSI masked", msi.is_masked(2));
    record.result("MSI unmask", msi.unmask(2));
    record.result("MSI unmasked", msi.is_masked(2));
    record.result("MSI pending", msi.is_pending(3));
    record.result("MSI mask beyond", msi.mask(16));
}

void program_msix(Recorder& record, FunctionSpace const& space, Function const& it) {
    record.truth("MSI-X is there", it.msix.has_value());
    if (!it.msix) {
        return;
    }
    MsixControl control(space, *it.msix);
    control.set_function_mask(Switch::on);
    control.set_messages(Switch::on);
    record.truth("MSI-X on", control.are_messages_on());
    record.truth("MSI-X function masked", control.is_function_masked());
    control.set_function_mask(Switch::off);
    record.truth("MSI-X function unmasked", !control.is_function_masked());
    alignas(16) u32 table[8 * 4]{};
    alignas(8) u64 pending[1]{u64{1} << 5};
    table[3 * 4 + 3] = 1;
    MsixTable vectors(hal::kernel_address(table), hal::kernel_address(pending), it.msix->vectors);
    record.result("MSI-X message", vectors.set_message(3, {0xfee0'1004, 77}));
    record.result("MSI-X still masked", vectors.is_masked(3));
    record.result("MSI-X unmask", vectors.unmask(3));
    record.result("MSI-X second message", vectors.set_message(3, {0x2'fee0'1004, 78}));
    record.result("MSI-X not masked", vectors.is_masked(3));
    record.truth("MSI-X kept it", vectors.message(3).value() == Message{0x2'fee0'1004, 78});
    record.result("MSI-X pending", vectors.is_pending(5));
    record.result("MSI-X not pending", vectors.is_pending(4));
    record.result("MSI-X beyond", vectors.mask(8));
    record.result("MSI-X address not aligned", vectors.set_message(0, {2, 0}));
}

/// Everything, in memory of the kernel's heap.
Result<void> run_pci(Recorder& record, twofold::boot::Kernel& kernel) {
    using Heap = memory::KernelHeap;
    memory::Vector<PciModelFunction, Heap> model(*kernel.heap);
    TRY(model.reserve(model_functions));
    while (model.size() < model_functions) {
        TRY(model.emplace());
    }
    write_model(model.items());
    PciModel bus(model.items());
    Configuration const configuration = Configuration::of(bus);
    Inventory<Heap> inventory(*kernel.heap);
    auto const walk = TRY(
        (memory::Box<Enumeration, Heap>::create(*kernel.heap, configuration, inventory.store())));
    record.result("reversed buses", walk->run({0, 2, 1}));
    record.result("enumeration", walk->run({0, 0, 31}));
    record.number("functions", inventory.functions().size());
    record.number("base addresses written while decoding", bus.writes_while_decoding);
    for (Function const& each : inventory.functions()) {
        record_function(record, each);
    }
    Function const* const found = inventory.find({0, 1, 0, 0});
    record.truth("device found", found != nullptr);
    record.truth("absent device", inventory.find({0, 9, 0, 0}) == nullptr);
    if (found != nullptr) {
        FunctionSpace const space(configuration, found->where);
        record.number("space", space.size());
        record.number("beyond the space", space.read_32(4096));
        record.number("not aligned", space.read_16(1));
        record.truth("base address restored", space.read_32(0x14) == 1);
        record.truth("decoding restored", space.read_16(0x04) == 3);
        program_msi(record, space, *found);
        program_msix(record, space, *found);
    }
    return {};
}

} // namespace

void pci(Recorder& record, twofold::boot::Kernel& kernel) {
    record.result("memory", run_pci(record, kernel));
}

} // namespace twofold::scenarios
