// The command `nvme`: controllers, their namespaces, queues, health, and what they are set to.
#include "core/boot/device_model.hpp"
#include "core/boot/devices.hpp"
#include "core/boot/disks.hpp"
#include "core/boot/kernel.hpp"
#include "core/boot/nvme.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

using nvme::CompletionMode;
using nvme::Controller;
using nvme::NamespaceDevice;
using nvme::narrow;
using trace::LogLevel;

constexpr Column namespace_columns[] = {{"disk", 10},   {"sectors", 12}, {"bytes", 6},
                                        {"serial", 20}, {"model", 24},   {"state", 9},
                                        {"mode", 0}};
constexpr Column controller_fact_columns[] = {{"fact", 28}, {"value", 0}};
constexpr Column queue_columns[] = {{"queue", 5},       {"cpu", 3},         {"submitted", 10},
                                    {"completed", 10},  {"tail_rings", 10}, {"head_rings", 10},
                                    {"interrupts", 10}, {"polls", 0}};
constexpr Column queue_data_columns[] = {
    {"queue", 5}, {"waited", 10}, {"descriptors", 11}, {"lists", 10}, {"failed", 0}};
constexpr Column queue_fault_columns[] = {
    {"queue", 5}, {"spurious", 8}, {"retries", 7}, {"replays", 7}, {"timeouts", 0}};
constexpr Column error_log_columns[] = {{"count", 8},      {"queue", 5}, {"command", 7},
                                        {"status", 6},     {"place", 5}, {"space", 10},
                                        {"first_block", 0}};

constexpr std::string_view completion_mode_names[] = {"interrupt", "polling", "hybrid"};
constexpr std::string_view controller_state_names[] = {"running", "resetting", "suspended", "dead"};

std::string_view completion_mode_name(CompletionMode mode) {
    return completion_mode_names[static_cast<usize>(mode)];
}

u8 fail_nvme(CommandContext& context, Error error) {
    context.out.line("nvme: failed: {}", error);
    return status::failure;
}

void show_namespaces(CommandContext& context, NvmeControllers const& controllers) {
    context.out.table(namespace_columns);
    for (Controller* const controller : controllers) {
        nvme::ControllerFacts const& facts = controller->facts();
        for (NamespaceDevice const* const each : controller->namespaces()) {
            context.out.row(
                {each->name(), each->geometry().sectors, each->geometry().sector_bytes,
                 facts.serial.view(), facts.model.view(),
                 controller_state_names[static_cast<usize>(controller->state())],
                 completion_mode_name(controller->mode())});
        }
    }
}

u8 show_controller_identity(CommandContext& context, Controller& controller) {
    nvme::ControllerFacts const& facts = controller.facts();
    nvme::ControllerCounts const counts = controller.counts();
    char version[32];
    CommandOutput& out = context.out;
    out.table(controller_fact_columns);
    out.row({"serial", facts.serial.view()});
    out.row({"model", facts.model.view()});
    out.row({"firmware", facts.firmware.view()});
    out.row(
        {"version", format_to(
                        std::span(version), "{}.{}.{}", facts.version >> 16,
                        facts.version >> 8 & 0xff, facts.version & 0xff)
                        .text});
    out.row({"vendor", u32{facts.vendor}});
    out.row({"transfer_bytes_max", facts.transfer_bytes_max});
    out.row({"namespaces", u64{controller.namespaces().size()}});
    out.row({"queues", u64{controller.queues().size()}});
    out.row({"queue_entries", u32{controller.queues()[0]->plan().entries}});
    out.row({"scatter_gather", static_cast<u32>(facts.sgl)});
    out.row({"volatile_cache", u32{facts.has_volatile_cache}});
    out.row({"deallocate", u32{facts.can_deallocate}});
    out.row({"write_zeroes", u32{facts.can_write_zeroes}});
    out.row({"resets", counts.resets});
    out.row({"aborts", counts.aborts});
    out.row({"events", counts.events});
    out.row({"lost_interrupts", counts.lost_interrupts});
    out.row({"mean_latency_ns", static_cast<u64>(controller.queue_here().mean_latency().value)});
    return status::success;
}

u8 show_io_queues(CommandContext& context, Controller& controller) {
    CommandOutput& out = context.out;
    out.table(queue_columns);
    for (nvme::QueuePair* const queue : controller.queues()) {
        nvme::QueueCounts const counts = queue->counts();
        out.row(
            {u32{queue->plan().number}, queue->plan().cpu.value, counts.submitted, counts.completed,
             counts.submission_doorbells, counts.completion_doorbells, counts.interrupts,
             counts.polls});
    }
    out.table(queue_data_columns);
    for (nvme::QueuePair* const queue : controller.queues()) {
        nvme::QueueCounts const counts = queue->counts();
        out.row(
            {u32{queue->plan().number}, counts.waited, counts.descriptors, counts.lists,
             counts.failed});
    }
    out.table(queue_fault_columns);
    for (nvme::QueuePair* const queue : controller.queues()) {
        nvme::QueueCounts const counts = queue->counts();
        out.row(
            {u32{queue->plan().number}, counts.spurious, counts.retries, counts.replays,
             counts.timeouts});
    }
    return status::success;
}

u8 show_controller_health(CommandContext& context, Controller& controller) {
    nvme::HealthLog log;
    auto const read = controller.read_log(
        nvme::LogPage::health, nvme::all_namespaces, std::as_writable_bytes(std::span(&log, 1)));
    if (!read) {
        return fail_nvme(context, read.error());
    }
    CommandOutput& out = context.out;
    out.table(controller_fact_columns);
    out.row({"critical_warning", u32{log.critical_warning}});
    out.row(
        {"temperature_kelvin",
         u32{log.temperature_kelvin[0]} | u32{log.temperature_kelvin[1]} << 8});
    out.row({"spare_percent", u32{log.spare_percent}});
    out.row({"spare_threshold_percent", u32{log.spare_threshold_percent}});
    out.row({"used_percent", u32{log.used_percent}});
    out.row({"units_read", narrow(log.units_read)});
    out.row({"units_written", narrow(log.units_written)});
    out.row({"reads", narrow(log.reads)});
    out.row({"writes", narrow(log.writes)});
    out.row({"busy_minutes", narrow(log.busy_minutes)});
    out.row({"power_cycles", narrow(log.power_cycles)});
    out.row({"power_on_hours", narrow(log.power_on_hours)});
    out.row({"unsafe_shutdowns", narrow(log.unsafe_shutdowns)});
    out.row({"media_errors", narrow(log.media_errors)});
    out.row({"error_entries", narrow(log.error_entries)});
    return status::success;
}

u8 show_error_log(CommandContext& context, Controller& controller) {
    constexpr usize shown_max = 16;
    nvme::ErrorLogEntry entries[shown_max];
    auto const shown =
        std::span(entries).first(std::min<usize>(shown_max, controller.facts().error_log_entries));
    auto const read = controller.read_log(
        nvme::LogPage::error, nvme::all_namespaces, std::as_writable_bytes(shown));
    if (!read) {
        return fail_nvme(context, read.error());
    }
    context.out.table(error_log_columns);
    for (nvme::ErrorLogEntry const& entry : shown) {
        if (entry.count != 0) {
            context.out.row(
                {entry.count, u32{entry.submission_queue}, u32{entry.command},
                 u32{entry.status} >> 1, u32{entry.place}, entry.space, entry.first_block});
        }
    }
    return status::success;
}

struct NamedFeature {
    std::string_view name;
    nvme::Feature feature;
};
constexpr NamedFeature feature_rows[] = {
    {"arbitration", nvme::Feature::arbitration},
    {"power_management", nvme::Feature::power_management},
    {"temperature_threshold", nvme::Feature::temperature_threshold},
    {"error_recovery", nvme::Feature::error_recovery},
    {"volatile_write_cache", nvme::Feature::volatile_write_cache},
    {"number_of_queues", nvme::Feature::number_of_queues},
    {"interrupt_coalescing", nvme::Feature::interrupt_coalescing},
    {"write_atomicity", nvme::Feature::write_atomicity},
    {"asynchronous_events", nvme::Feature::asynchronous_events}};

u8 show_controller_features(CommandContext& context, Controller& controller) {
    context.out.table(controller_fact_columns);
    for (NamedFeature const& each : feature_rows) {
        auto const value = controller.feature(each.feature);
        if (value) {
            context.out.row({each.name, value.value()});
        } else {
            context.out.row({each.name, error_name(value.error())});
        }
    }
    return status::success;
}

u8 set_controller_feature(CommandContext& context, Controller& controller) {
    auto const row =
        context.arguments.size() == 4
            ? std::ranges::find(feature_rows, context.arguments[2], &NamedFeature::name)
            : std::end(feature_rows);
    auto const value = argument_number(context, 3, 0);
    if (row == std::end(feature_rows) || !value || value.value() > UINT32_MAX) {
        return say_usage(context, "nvme");
    }
    auto const set = controller.set_feature(row->feature, static_cast<u32>(value.value()));
    return set ? status::success : fail_nvme(context, set.error());
}

u8 use_completion_mode(CommandContext& context, Controller& controller) {
    if (context.arguments.size() > 2) {
        auto const name = std::ranges::find(completion_mode_names, context.arguments[2]);
        if (name == std::end(completion_mode_names)) {
            context.out.line("nvme: the modes are interrupt, polling and hybrid");
            return status::usage;
        }
        controller.set_mode(static_cast<CompletionMode>(name - std::begin(completion_mode_names)));
    }
    context.out.line("mode {}", completion_mode_name(controller.mode()));
    return status::success;
}

u8 reset_controller(CommandContext& context, Controller& controller) {
    auto const done = controller.reset();
    if (!done) {
        return fail_nvme(context, done.error());
    }
    context.out.line("{} resets", controller.counts().resets);
    return status::success;
}

u8 test_controller(CommandContext& context, Controller& controller) {
    auto const sectors = argument_number(context, 2, 4096);
    if (!sectors) {
        return say_usage(context, "nvme");
    }
    u64 failures = 0;
    for (NamespaceDevice* const each : controller.namespaces()) {
        auto const counts = test_namespace(context.kernel, *each, sectors.value());
        if (!counts) {
            return fail_nvme(context, counts.error());
        }
        context.out.line(
            "{}: {} requests, {} failed, {} sectors are wrong", each->name(),
            counts.value().requests, counts.value().failed, counts.value().wrong);
        failures += counts.value().failed + counts.value().wrong;
    }
    return failures == 0 ? status::success : status::failure;
}

struct NvmeAction {
    std::string_view name;
    u8 (*run)(CommandContext& context, Controller& controller);
};
constexpr NvmeAction nvme_actions[] = {
    {"id", show_controller_identity},
    {"queues", show_io_queues},
    {"smart", show_controller_health},
    {"errors", show_error_log},
    {"features", show_controller_features},
    {"set", set_controller_feature},
    {"mode", use_completion_mode},
    {"reset", reset_controller},
    {"test", test_controller}};

} // namespace

Result<NvmeControllers> nvme_controllers(Kernel& kernel) {
    TRY(disk_room(kernel));
    DeviceModel* const model = TRY(device_model(kernel));
    NvmeControllers found;
    with_registry(*model, [&](device::DriverRegistry& registry) {
        registry.for_each([&](device::DeviceRecord const& record) {
            if (record.driver == &nvme::driver && record.device != nullptr && !found.full()) {
                found.push_back(static_cast<Controller*>(record.device)).value(); // its driver's
            }
        });
    });
    return found;
}

u8 use_nvme(CommandContext& context) {
    auto const controllers = nvme_controllers(context.kernel);
    if (!controllers) {
        return fail_nvme(context, controllers.error());
    }
    std::string_view const what = context.arguments.empty() ? "list" : context.arguments[0];
    if (what == "list") {
        show_namespaces(context, controllers.value());
        return status::success;
    }
    auto const action = std::ranges::find(nvme_actions, what, &NvmeAction::name);
    auto const number = argument_number(context, 1, 0);
    if (action == std::end(nvme_actions) || !number) {
        return say_usage(context, "nvme");
    }
    if (number.value() >= controllers.value().size()) {
        context.out.line("nvme: there is no controller {}", number.value());
        return status::failure;
    }
    return action->run(context, *controllers.value()[number.value()]);
}

} // namespace twofold::boot
