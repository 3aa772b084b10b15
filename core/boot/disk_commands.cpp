// The command `disks`.
#include "core/boot/disks.hpp"
#include "core/boot/kernel.hpp"

namespace twofold::boot {

namespace {

using block::Disk;
using block::DiskAction;
using block::DiskFigures;
using block::DiskUse;
using Figures = memory::Box<DiskFigures, memory::KernelHeap>;

constexpr Column disk_columns[] = {{"disk", 12},  {"MiB", 8},     {"sector", 6}, {"flags", 14},
                                   {"reads", 10}, {"writes", 10}, {"errors", 6}, {"p99 us", 0}};
constexpr Column stats_columns[] = {{"action", 8},  {"requests", 10}, {"errors", 6},
                                    {"KiB", 12},    {"mean ns", 10},  {"p50 ns", 10},
                                    {"p99 ns", 10}, {"max ns", 0}};

u8 fail(CommandContext& context, std::string_view what, Error error) {
    context.out.line("disks: {}: {}", what, error);
    return status::failure;
}

/// What is special about a disk: "cache discard zeroes read-only part", as letters would be fewer
/// and say less.
FixedString<64> flags_of(Disk& disk) {
    block::Geometry const& geometry = disk.geometry();
    FixedString<64> flags;
    auto const add = [&](bool has, std::string_view name) {
        if (has) {
            flags.append(flags.view().empty() ? "" : " ").value();
            flags.append(name).value();
        }
    };
    add(disk.whole() != nullptr, "part");
    add(geometry.is_read_only, "read-only");
    add(geometry.has_volatile_cache, "cache");
    add(geometry.can_deallocate, "discard");
    add(geometry.can_write_zeroes, "zeroes");
    return flags;
}

u64 mib_of(block::Geometry const& geometry) {
    return geometry.sectors / ((u64{1} << 20) / geometry.sector_bytes);
}

u8 list_disks(CommandContext& context, DiskRoom& room) {
    auto figures = Figures::create(*context.kernel.heap);
    if (!figures) {
        return fail(context, "the list", figures.error());
    }
    context.out.table(disk_columns);
    for (usize i = 0;; ++i) {
        DiskUse const disk = room.disks.at(i);
        if (!disk) {
            break;
        }
        DiskFigures& sum = *figures.value();
        std::destroy_at(&sum);
        disk->figures(*std::construct_at(&sum));
        processor::Histogram& reads = sum.of[0].latency;
        reads.add(sum.action(DiskAction::write).latency);
        context.out.row(
            {disk->name(), mib_of(disk->geometry()), disk->geometry().sector_bytes,
             flags_of(*disk).view(), sum.action(DiskAction::read).done,
             sum.action(DiskAction::write).done, sum.errors(), reads.percentile(990) / 1000});
    }
    return status::success;
}

void show_partition(CommandContext& context, block::gpt::Partition const& partition) {
    context.out.line(
        "partition {}, '{}', sectors {} to {}, type {}, id {}", partition.number,
        partition.name.view(), partition.first, partition.last,
        block::gpt::text_of(partition.type).view(), block::gpt::text_of(partition.id).view());
}

u8 show_stats(CommandContext& context, DiskRoom& room, std::string_view name) {
    DiskUse const disk = room.disks.find(name);
    if (!disk) {
        return fail(context, name, Error::not_found);
    }
    auto figures = Figures::create(*context.kernel.heap);
    if (!figures) {
        return fail(context, name, figures.error());
    }
    DiskFigures& sum = *figures.value();
    disk->figures(sum);
    block::Geometry const& geometry = disk->geometry();
    context.out.line(
        "{}: {} sectors of {} bytes, {} in flight", disk->name(), geometry.sectors,
        geometry.sector_bytes, sum.in_flight);
    if (disk->partition() != nullptr) {
        show_partition(context, *disk->partition());
    }
    block::TableState const table = room.disks.table_state(*disk);
    if (table.is_damaged || table.is_backup) {
        context.out.line(
            table.is_damaged ? "both partition tables are damaged"
                             : "the first partition table is damaged, the backup is used");
    }
    context.out.table(stats_columns);
    for (usize i = 0; i < block::disk_actions; ++i) {
        block::ActionFigures const& each = sum.of[i];
        u64 const mean = each.done != 0 ? each.latency_ns / each.done : 0;
        context.out.row(
            {block::action_name(static_cast<DiskAction>(i)), each.done, each.errors,
             each.sectors * geometry.sector_bytes / 1024, mean, each.latency.percentile(500),
             each.latency.percentile(990), each.latency.max()});
    }
    if (disk->whole() == nullptr) {
        block::QueueCounts const counts = disk->queue_counts();
        context.out.line(
            "{} requests merged, {} split, {} waits for a child", counts.merged, counts.split,
            counts.waited);
    }
    return status::success;
}

u8 make_ramdisk(CommandContext& context, std::string_view size) {
    auto const bytes = parse_size(size);
    if (!bytes) {
        context.out.line("disks: '{}' is no size", size);
        return status::usage;
    }
    auto const made = make_memory_disk(context.kernel, bytes.value());
    if (!made) {
        return fail(context, size, made.error());
    }
    context.out.line("{}: {} KiB", made.value()->name(), bytes.value().value / 1024);
    return status::success;
}

/// `stripe NAME DISK DISK... [chunk=SIZE]`
u8 stripe_disks(CommandContext& context, std::span<std::string_view const> words) {
    constexpr std::string_view chunk_option = "chunk=";
    constexpr u64 chunk_default = u64{64} << 10;
    FixedVector<std::string_view, block::Stripe::members_max> names;
    Result<Bytes> chunk = Bytes{chunk_default};
    for (std::string_view const word : words.subspan(1)) {
        if (word.starts_with(chunk_option)) {
            chunk = parse_size(word.substr(chunk_option.size()));
        } else if (!names.push_back(word)) {
            context.out.line("disks: a stripe has {} disks at most", names.capacity());
            return status::usage;
        }
    }
    if (!chunk) {
        context.out.line("disks: chunk= wants a size");
        return status::usage;
    }
    auto const made = make_stripe(context.kernel, words[0], names.items(), chunk.value().value);
    if (!made) {
        return fail(context, words[0], made.error());
    }
    context.out.line(
        "{}: {} disks, {} MiB", made.value()->name(), made.value()->members(),
        mib_of(made.value()->geometry()));
    return status::success;
}

/// `stamp NAME [SEED [ROUNDS]]` and `verify NAME [SEED [ROUND]]`
u8 try_disk(CommandContext& context, DiskRoom& room, StampAction action) {
    std::string_view const name = context.arguments[1];
    auto const seed = argument_number(context, 2, 1);
    auto const round = argument_number(context, 3, 1);
    if (!seed || !round) {
        return say_usage(context, "disks");
    }
    DiskUse const disk = room.disks.find(name);
    if (!disk) {
        return fail(context, name, Error::not_found);
    }
    return stamp_disk(context, *disk, action, seed.value(), round.value());
}

u8 assemble_disks(CommandContext& context) {
    auto const count = assemble_stripes(context.kernel);
    if (!count) {
        return fail(context, "assemble", count.error());
    }
    context.out.line("{} stripes assembled", count.value());
    return status::success;
}

} // namespace

u8 use_disks(CommandContext& context) {
    auto const room = disk_room(context.kernel);
    if (!room) {
        return fail(context, "there are none", room.error());
    }
    auto const& arguments = context.arguments;
    std::string_view const what = arguments.empty() ? "list" : arguments[0];
    if (what == "list" && arguments.size() < 2) {
        return list_disks(context, *room.value());
    }
    if (what == "stats" && arguments.size() == 2) {
        return show_stats(context, *room.value(), arguments[1]);
    }
    if (what == "ramdisk" && arguments.size() == 2) {
        return make_ramdisk(context, arguments[1]);
    }
    if (what == "stripe" && arguments.size() >= 4) {
        return stripe_disks(context, arguments.subspan(1));
    }
    if (what == "assemble" && arguments.size() == 1) {
        return assemble_disks(context);
    }
    if ((what == "stamp" || what == "verify") && arguments.size() >= 2 && arguments.size() <= 4) {
        return try_disk(
            context, *room.value(), what == "stamp" ? StampAction::write : StampAction::check);
    }
    return say_usage(context, "disks");
}

} // namespace twofold::boot
