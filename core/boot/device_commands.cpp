// The command `devices`.
#include "core/boot/device_model.hpp"
#include "core/boot/kernel.hpp"

namespace twofold::boot {

namespace {

using device::DeviceRecord;
using device::DriverRegistry;

constexpr Column device_columns[] = {{"function", 12}, {"id", 9},     {"class", 6}, {"kind", 20},
                                     {"driver", 14},   {"state", 10}, {"why", 0}};

using DeviceText = FixedString<32>;

template<class... Args>
std::string_view device_text(
    DeviceText& out, FormatString<std::type_identity_t<Args>...> format, Args const&... args) {
    char storage[DeviceText::capacity()];
    out.clear();
    out.append(format_to(std::span(storage), format, args...).text).value();
    return out.view();
}

std::string_view device_address(DeviceText& out, pci::Address where) {
    return device_text(
        out, "{:04x}:{:02x}:{:02x}.{}", where.segment, where.bus, where.device, where.function);
}

void show_device(CommandOutput& out, DeviceRecord const& record) {
    pci::Header const& header = record.header;
    DeviceText where, id, number, why;
    out.row(
        {device_address(where, record.where),
         device_text(id, "{:04x}:{:04x}", header.vendor, header.device),
         device_text(
             number, "{:02x}{:02x}{:02x}", header.base_class, header.subclass, header.interface),
         pci::class_name(header.base_class, header.subclass),
         record.driver == nullptr ? std::string_view() : record.driver->name,
         device::device_state_name(record.state),
         record.error ? device_text(why, "{}", *record.error) : std::string_view()});
}

u8 show_registry(CommandContext& context, DeviceModel& model) {
    // What is printed may wait for who reads it, and may not do so inside of the registry.
    memory::Vector<DeviceRecord, memory::KernelHeap> records(*context.kernel.heap);
    auto const kept = with_registry(model, [&](DriverRegistry& registry) {
        Result<void> outcome;
        registry.for_each([&](DeviceRecord const& record) {
            outcome = outcome ? records.push(record) : outcome;
        });
        return outcome;
    });
    context.out.table(device_columns);
    for (DeviceRecord const& record : records.items()) {
        show_device(context.out, record);
    }
    if (!kept) {
        context.out.line("devices: not all are shown: {}", kept.error());
    }
    return kept ? status::success : status::failure;
}

u8 say_outcome(CommandContext& context, std::string_view what, Result<void> const& outcome) {
    if (outcome) {
        context.out.line("done");
        return status::success;
    }
    context.out.line("devices: {} has failed: {}", what, outcome.error());
    return status::failure;
}

u8 show_changes(CommandContext& context) {
    auto const changes = rescan_devices(context.kernel);
    if (!changes) {
        return say_outcome(context, "rescan", changes.error());
    }
    context.out.line(
        "{} functions have come, {} have gone, {} drivers have failed", changes.value().arrived,
        changes.value().departed, changes.value().failed);
    return changes.value().failed == 0 ? status::success : status::failure;
}

u8 change_one(
    CommandContext& context, DeviceModel& model, std::string_view what, pci::Address where) {
    PciBus& bus = *context.kernel.pci;
    auto const outcome = with_registry(model, [&](DriverRegistry& registry) -> Result<void> {
        if (what == "remove") {
            return registry.depart(where, device::Removal::orderly);
        }
        if (what == "suspend") {
            return registry.suspend(where);
        }
        if (what == "resume") {
            return registry.resume(where);
        }
        pci::Function const* const function = bus.functions.find(where);
        TRY(function == nullptr ? Result<void>(Error::not_found) : registry.arrive(*function));
        DeviceRecord const* const record = registry.find(where);
        bool const has_driver = record != nullptr && record->driver != nullptr;
        return has_driver ? Result<void>() : Error::not_supported;
    });
    return say_outcome(context, what, outcome);
}

} // namespace

u8 show_devices(CommandContext& context) {
    auto const arguments = context.arguments;
    std::string_view const what = arguments.empty() ? "show" : arguments[0];
    bool const is_of_all = what == "show" || what == "rescan";
    if (arguments.size() != (is_of_all ? (arguments.empty() ? 0u : 1u) : 2u)) {
        return say_usage(context, "devices");
    }
    auto const address = is_of_all ? pci::Address{} : pci::parse_address(arguments[1]);
    if (!address) {
        context.out.line("devices: '{}' is no address of a function, as 01:02.0 is", arguments[1]);
        return status::usage;
    }
    auto const model = device_model(context.kernel);
    if (!model) {
        return say_outcome(context, what, model.error());
    }
    auto const attached = with_registry(*model.value(), [&](DriverRegistry& registry) {
        return registry.attach_all(context.kernel.pci->functions.functions());
    });
    if (!attached) {
        return say_outcome(context, what, attached.error());
    }
    if (what == "show") {
        return show_registry(context, *model.value());
    }
    return what == "rescan" ? show_changes(context)
                            : change_one(context, *model.value(), what, *address);
}

} // namespace twofold::boot
