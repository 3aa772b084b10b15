// The command `disks`.
#include "core/boot/disks.hpp"
#include "core/boot/kernel.hpp"

#include <optional>

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

u8 say_no_disk(CommandContext& context, std::string_view name) {
    context.out.line("disks: there is no disk '{}'; 'disks' lists them", name);
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

/// What a compressed disk saves, and does; nothing where the device is none.
void show_compression(CommandContext& context, DiskRoom& room, block::Device const& device) {
    constexpr u64 page_kib = block::compressed::page_bytes / 1024;
    block::CompressedDisk::Counts counts{};
    codec::Parameters parameters{};
    FixedString<Disk::name_max> below;
    with_layers(room, [&] { // nothing is printed meanwhile
        auto const layer = std::ranges::find(room.layers, &device, &DiskLayer::device);
        if (layer != room.layers.end() && layer->compressed != nullptr) {
            counts = layer->compressed->counts();
            parameters = layer->compressed->parameters();
            below.append(layer->below->name()).value();
        }
    });
    if (below.empty()) {
        return;
    }
    u64 const held_pages = counts.used_clusters * block::compressed::cluster_pages;
    u64 const ratio = counts.stored_pages != 0 ? held_pages * 100 / counts.stored_pages : 100;
    context.out.line(
        "compressed by {}, level {}, on {}: {} KiB in {} KiB, ratio {}.{:02}, {} KiB free",
        codec::algorithm_name(parameters.algorithm), parameters.level, below, held_pages * page_kib,
        counts.stored_pages * page_kib, ratio / 100, ratio % 100, counts.free_pages * page_kib);
    context.out.line(
        "{} clusters compressed, {} decompressed, {} damaged, {} commits", counts.compressed,
        counts.decompressed, counts.damaged, counts.commits);
}

u8 show_stats(CommandContext& context, DiskRoom& room, std::string_view name) {
    DiskUse const disk = room.disks.find(name);
    if (!disk) {
        return say_no_disk(context, name);
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
    show_compression(context, room, disk->device());
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
u8 stripe_disks(CommandContext& context, DiskRoom& room, std::span<std::string_view const> words) {
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
    for (std::string_view const name : names) {
        if (!room.disks.find(name)) {
            return say_no_disk(context, name);
        }
    }
    auto const made = make_stripe(context.kernel, words[0], names.items(), chunk.value().value);
    if (!made && made.error() == Error::already_exists) {
        context.out.line("disks: there is a disk '{}' already", words[0]);
        return status::failure;
    }
    if (!made && made.error() == Error::busy) {
        context.out.line("disks: {}: a disk is named twice, or something lies on it", words[0]);
        return status::failure;
    }
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
        return say_no_disk(context, name);
    }
    return stamp_disk(context, *disk, action, seed.value(), round.value());
}

/// `read NAME SECTOR`, `write NAME SECTOR TEXT` and `flush NAME`
u8 request_of_disk(CommandContext& context, DiskRoom& room, std::string_view what) {
    auto const& arguments = context.arguments;
    auto const sector = argument_number(context, 2, 0);
    if (!sector) {
        return say_usage(context, "disks");
    }
    DiskUse const disk = room.disks.find(arguments[1]);
    if (!disk) {
        return say_no_disk(context, arguments[1]);
    }
    return what == "read"    ? read_sector(context, *disk, sector.value())
           : what == "write" ? write_sector(context, *disk, sector.value(), arguments[3])
                             : flush_disk(context, *disk);
}

/// What `compress` was asked for.
struct Compression {
    CompressOptions options;
    std::optional<i32> level;
    bool may_overwrite = false;
};

Result<i32> parse_level(std::string_view text) {
    bool const is_negative = text.starts_with('-');
    auto const number = static_cast<i64>(TRY(parse_unsigned(text.substr(is_negative ? 1 : 0))));
    i64 const level = is_negative ? -number : number;
    bool const is_one =
        level >= codec::Parameters::level_min && level <= codec::Parameters::level_max;
    return is_one ? Result<i32>(static_cast<i32>(level)) : Error::out_of_range;
}

/// One word behind the disk's name. Errors: invalid_argument.
Result<void> take_compression(std::string_view word, Compression& asked) {
    usize const sign = word.find('=');
    std::string_view const name = word.substr(0, sign);
    std::string_view const value = sign == word.npos ? "" : word.substr(sign + 1);
    if (word == "overwrite") {
        asked.may_overwrite = true;
        return {};
    }
    if (name == "size") {
        asked.options.size = TRY(parse_size(value));
        return asked.options.size.value != 0 ? Result<void>() : Error::invalid_argument;
    }
    if (name == "level") {
        asked.level = TRY(parse_level(value));
        return {};
    }
    auto const algorithm = codec::find_algorithm(value);
    if (name != "method" || !algorithm || *algorithm == codec::Algorithm::none) {
        return Error::invalid_argument;
    }
    asked.options.parameters = {*algorithm, *algorithm == codec::Algorithm::zstd ? 1 : 0};
    return {};
}

/// Why a compressed disk cannot be made, in one line.
u8 refuse_compression(
    CommandContext& context, std::string_view name, std::string_view disk, Error error) {
    switch (error) {
    case Error::already_exists:
        context.out.line("disks: there is a disk '{}' already", name);
        break;
    case Error::no_space:
        context.out.line("disks: {}: {} is too small for that", name, disk);
        break;
    case Error::invalid_argument:
        context.out.line("disks: {}: a size of at most 1T, and a name of letters", name);
        break;
    default:
        return fail(context, disk, error);
    }
    return status::failure;
}

/// `compress NAME DISK [method=lz4|zstd] [level=N] [size=SIZE] [overwrite]`
u8 compress_disks(
    CommandContext& context, DiskRoom& room, std::span<std::string_view const> words) {
    Compression asked;
    for (std::string_view const word : words.subspan(2)) {
        if (!take_compression(word, asked)) {
            context.out.line(
                "disks: '{}' is none of method=lz4|zstd level=-9..9 size=SIZE overwrite", word);
            return status::usage;
        }
    }
    codec::Parameters& parameters = asked.options.parameters;
    parameters.level = asked.level.value_or(parameters.level);
    std::string_view const name = words[0], disk_name = words[1];
    DiskUse disk = room.disks.find(disk_name);
    if (!disk) {
        return say_no_disk(context, disk_name);
    }
    FixedString<Disk::name_max> over;
    bool const is_full = with_layers(room, [&] { // nothing is printed meanwhile
        if (DiskLayer const* const layer = layer_over(room, *disk)) {
            over.append(layer->device->name()).value();
        }
        return room.layers.full();
    });
    if (!over.empty()) {
        context.out.line("disks: {} lies on {}", over, disk_name);
        return status::failure;
    }
    if (name.size() > block::compressed::name_max || is_full) {
        context.out.line(
            "disks: there are at most {} layers, with names of at most {} letters",
            DiskRoom::layers_max, block::compressed::name_max);
        return status::failure;
    }
    std::string_view const content = content_of(context.kernel, *disk);
    if (!content.empty() && !asked.may_overwrite) {
        context.out.line(
            "disks: {} holds {}; 'overwrite' as a word behind it gives that up", disk_name,
            content);
        return status::failure;
    }
    auto const made = compress_disk(context.kernel, name, std::move(disk), asked.options);
    if (!made) {
        return refuse_compression(context, name, disk_name, made.error());
    }
    context.out.line(
        "{}: {} MiB on {}, by {}", name, mib_of(made.value()->geometry()), disk_name,
        codec::algorithm_name(made.value()->parameters().algorithm));
    return status::success;
}

u8 assemble_disks(CommandContext& context) {
    auto const found = assemble_layers(context.kernel);
    if (!found) {
        return fail(context, "assemble", found.error());
    }
    context.out.line(
        "{} stripes assembled, {} compressed disks opened", found.value().stripes,
        found.value().compressed);
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
    if ((what == "read" && arguments.size() == 3) || (what == "write" && arguments.size() == 4) ||
        (what == "flush" && arguments.size() == 2)) {
        return request_of_disk(context, *room.value(), what);
    }
    if (what == "ramdisk" && arguments.size() == 2) {
        return make_ramdisk(context, arguments[1]);
    }
    if (what == "stripe" && arguments.size() >= 4) {
        return stripe_disks(context, *room.value(), arguments.subspan(1));
    }
    if (what == "compress" && arguments.size() >= 3) {
        return compress_disks(context, *room.value(), arguments.subspan(1));
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
