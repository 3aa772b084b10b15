// The command `block-bench`: its options, and its figures as fio writes them.
#include "core/boot/block_bench.hpp"

#include "core/boot/kernel.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

using Word = std::string_view;

constexpr Word mix_names[] = {"read", "write", "randread", "randwrite", "rw", "randrw"};

/// Which numbers an option takes, and what is said where it gets another.
struct Range {
    u64 least;
    u64 most;
    Word wanted;
};
constexpr Range iodepths{1, BenchOptions::iodepth_max, "a number from 1 to 256 is wanted"};
constexpr Range job_counts{1, BenchOptions::numjobs_max, "a number from 1 to 16 is wanted"};
constexpr Range percents{0, 100, "a number from 0 to 100 is wanted"};
constexpr Range write_counts{0, 1u << 30, "a number of writes up to 1073741824 is wanted"};
constexpr Range times{1, 86'400, "seconds from 1 to 86400 are wanted"};
static_assert(BenchOptions::iodepth_max == 256 && BenchOptions::numjobs_max == 16);

/// A number of a range into `out`. What is wrong, or nothing.
template<class T>
Word read_number(Word text, Range const& range, T& out) {
    auto const number = parse_unsigned(text);
    if (!number || number.value() < range.least || number.value() > range.most) {
        return range.wanted;
    }
    out = static_cast<T>(number.value());
    return {};
}

Word read_size(Word text, u64& out) {
    auto const size = parse_size(text);
    if (!size) {
        return "that is no size";
    }
    out = size.value().value;
    return {};
}

/// Seconds, with or without an s behind.
Word read_time(Word text, u64& out) {
    bool const has_unit = !text.empty() && text.back() == 's';
    return read_number(text.substr(0, text.size() - (has_unit ? 1 : 0)), times, out);
}

Word read_mix(Word text, BenchMix& out) {
    auto const found = std::ranges::find(mix_names, text == "readwrite" ? Word("rw") : text);
    if (found == std::end(mix_names)) {
        return "one of read write randread randwrite rw randrw is wanted";
    }
    out = static_cast<BenchMix>(found - std::begin(mix_names));
    return {};
}

Word read_flag(Word text, bool& out) {
    out = text == "1";
    return out || text == "0" ? Word() : Word("0 or 1 is wanted");
}

Word read_format(Word text, bool& out) {
    out = text == "json";
    return out || text == "normal" ? Word() : Word("json and normal are there");
}

Word read_block(Word text, u64& out) {
    if (Word const wrong = read_size(text, out); !wrong.empty()) {
        return wrong;
    }
    bool const is_sane = out != 0 && out <= BenchOptions::block_max && is_aligned(out, 512);
    return is_sane ? Word() : Word("a multiple of 512 up to 2M is wanted");
}

/// Takes one option. What is wrong, or nothing.
Word take_option(Word name, Word value, BenchOptions& out) {
    if (name == "rw" || name == "readwrite") {
        return read_mix(value, out.mix);
    }
    if (name == "bs" || name == "blocksize") {
        return read_block(value, out.block_bytes);
    }
    if (name == "iodepth") {
        return read_number(value, iodepths, out.iodepth);
    }
    if (name == "size") {
        return read_size(value, out.size_bytes);
    }
    if (name == "offset") {
        return read_size(value, out.offset_bytes);
    }
    if (name == "runtime") {
        return read_time(value, out.runtime_s);
    }
    if (name == "numjobs") {
        return read_number(value, job_counts, out.numjobs);
    }
    if (name == "rwmixread") {
        return read_number(value, percents, out.percent_read);
    }
    if (name == "fsync") {
        return read_number(value, write_counts, out.fsync);
    }
    if (name == "verify") {
        return read_flag(value, out.verifies);
    }
    if (name == "output-format") {
        return read_format(value, out.is_json);
    }
    if (name == "filename" || name == "name") {
        (name == "name" ? out.name : out.filename) = value;
        return value.empty() ? Word("a name is wanted") : Word();
    }
    // What fio has and means nothing here: there is no cache that it could go past, and one engine.
    bool const is_known = name == "direct" || name == "ioengine" || name == "time_based" ||
                          name == "group_reporting" || name == "thread" || name == "norandommap";
    return is_known ? Word() : Word("there is no such option");
}

/// A number of thousandths as "12.345".
FixedString<32> thousandths(u64 number) {
    char text[32];
    u64 const rest = number % 1000;
    std::string_view const zeros = rest < 10 ? "00" : rest < 100 ? "0" : "";
    FixedString<32> out;
    out.append(format_to(std::span(text), "{}.{}{}", number / 1000, zeros, rest).text).value();
    return out;
}

/// So many events of that in a second, in thousandths.
u64 per_second(u64 count, u64 took_ns) {
    u64 const took_us = std::max<u64>(took_ns / 1000, 1);
    return count / took_us * 1'000'000'000 + count % took_us * 1'000'000'000 / took_us;
}

constexpr u32 percentiles[] = {10,  50,  100, 200, 300, 400, 500, 600,
                               700, 800, 900, 950, 990, 995, 999};

void show_direction(CommandContext& context, Word name, BenchFigures const& figures, u64 took_ns) {
    if (figures.ios == 0) {
        return;
    }
    u64 const rate = per_second(figures.bytes, took_ns) / 1000;
    context.out.line(
        "  {}: IOPS={}, BW={}KiB/s, {}KiB/{}msec", name, per_second(figures.ios, took_ns) / 1000,
        rate >> 10, figures.bytes >> 10, took_ns / 1'000'000);
    context.out.line(
        "    clat (nsec): min={}, max={}, avg={}, stdev={}", figures.min_ns, figures.latency.max(),
        figures.mean_ns(), figures.deviation_ns());
    context.out.line(
        "    clat percentiles (nsec): 1.0th={}, 50.0th={}, 95.0th={}, 99.0th={}, 99.9th={}",
        figures.latency.percentile(10), figures.latency.percentile(500),
        figures.latency.percentile(950), figures.latency.percentile(990),
        figures.latency.percentile(999));
}

void write_direction(CommandContext& context, Word name, BenchFigures const& figures, u64 took_ns) {
    auto& out = context.out;
    u64 const rate = per_second(figures.bytes, took_ns) / 1000;
    out.line("      \"{}\" : {{", name);
    out.line("        \"io_bytes\" : {},", figures.bytes);
    out.line("        \"io_kbytes\" : {},", figures.bytes >> 10);
    out.line("        \"bw_bytes\" : {},", rate);
    out.line("        \"bw\" : {},", rate >> 10);
    out.line("        \"iops\" : {},", thousandths(per_second(figures.ios, took_ns)).view());
    out.line("        \"runtime\" : {},", took_ns / 1'000'000);
    out.line("        \"total_ios\" : {},", figures.ios);
    out.line("        \"clat_ns\" : {");
    out.line("          \"min\" : {},", figures.ios != 0 ? figures.min_ns : 0);
    out.line("          \"max\" : {},", figures.latency.max());
    out.line("          \"mean\" : {},", figures.mean_ns());
    out.line("          \"stddev\" : {},", figures.deviation_ns());
    out.line("          \"N\" : {},", figures.ios);
    out.line("          \"percentile\" : {");
    for (u32 const& per_mille : percentiles) {
        bool const is_last = &per_mille == &percentiles[std::size(percentiles) - 1];
        out.line(
            "            \"{}.{}00000\" : {}{}", per_mille / 10, per_mille % 10,
            figures.latency.percentile(per_mille), is_last ? "" : ",");
    }
    out.line("          }");
    out.line("        }");
    out.line("      },");
}

} // namespace

BenchMistake parse_bench_options(std::span<std::string_view const> words, BenchOptions& options) {
    for (Word word : words) {
        if (word == "--json") {
            options.is_json = true;
            continue;
        }
        Word const whole = word;
        while (word.starts_with('-')) {
            word.remove_prefix(1);
        }
        usize const sign = word.find('=');
        if (sign == Word::npos) {
            return {whole, "name=value is wanted"};
        }
        Word const wrong = take_option(word.substr(0, sign), word.substr(sign + 1), options);
        if (!wrong.empty()) {
            return {whole, wrong};
        }
    }
    if (options.has_writes() && options.filename.empty()) {
        return {"rw", "who writes names the disk, by filename="};
    }
    return {};
}

void show_bench(CommandContext& context, BenchOptions const& options, BenchResult const& result) {
    context.out.line("{}: (jobs={}): err={}", options.name, options.numjobs, result.errors);
    show_direction(context, "read", result.reads, result.took_ns);
    show_direction(context, "write", result.writes, result.took_ns);
    show_direction(context, "sync", result.flushes, result.took_ns);
    if (result.errors != 0) {
        context.out.line("  the first error: {}", result.first_error);
    }
    if (options.verifies) {
        context.out.line("  verify: {} blocks are wrong", result.wrong);
    }
}

void show_bench_json(
    CommandContext& context,
    std::string_view disk,
    BenchOptions const& options,
    BenchResult const& result) {
    auto& out = context.out;
    out.line("{");
    out.line("  \"fio version\" : \"twofold-{}\",", TWOFOLD_VERSION);
    out.line("  \"jobs\" : [");
    out.line("    {");
    out.line("      \"jobname\" : \"{}\",", options.name);
    out.line("      \"groupid\" : 0,");
    out.line("      \"error\" : {},", result.errors);
    out.line("      \"verify_errors\" : {},", result.wrong);
    out.line("      \"elapsed\" : {},", (result.took_ns + 999'999'999) / 1'000'000'000);
    out.line("      \"job options\" : {");
    out.line("        \"rw\" : \"{}\",", mix_names[static_cast<usize>(options.mix)]);
    out.line("        \"bs\" : \"{}\",", options.block_bytes);
    out.line("        \"iodepth\" : \"{}\",", options.iodepth);
    out.line("        \"numjobs\" : \"{}\",", options.numjobs);
    out.line("        \"filename\" : \"{}\"", disk);
    out.line("      },");
    write_direction(context, "read", result.reads, result.took_ns);
    write_direction(context, "write", result.writes, result.took_ns);
    out.line("      \"sync\" : {");
    out.line("        \"total_ios\" : {},", result.flushes.ios);
    out.line(
        "        \"lat_ns\" : {{ \"max\" : {}, \"mean\" : {} }}", result.flushes.latency.max(),
        result.flushes.mean_ns());
    out.line("      }");
    out.line("    }");
    out.line("  ]");
    out.line("}");
}

u8 bench_block(CommandContext& context) {
    BenchOptions options;
    BenchMistake const mistake = parse_bench_options(context.arguments, options);
    if (!mistake.why.empty()) {
        context.out.line("block-bench: {}: {}", mistake.word, mistake.why);
        return status::usage;
    }
    auto const room = disk_room(context.kernel);
    if (!room) {
        context.out.line("block-bench: there are no disks: {}", room.error());
        return status::failure;
    }
    block::Disks& disks = room.value()->disks;
    block::DiskUse const disk =
        options.filename.empty() ? disks.at(0) : disks.find(options.filename);
    if (!disk) {
        context.out.line(
            "block-bench: there is no disk '{}'; 'disks' lists them", options.filename);
        return status::failure;
    }
    auto result = memory::Box<BenchResult, memory::KernelHeap>::create(*context.kernel.heap);
    Result<void> const outcome = result ? run_bench(context.kernel, *disk, options, *result.value())
                                        : Result<void>(result.error());
    if (!outcome && outcome.error() == Error::invalid_argument) {
        block::Geometry const& geometry = disk->geometry();
        context.out.line(
            "block-bench: {} has {} sectors of {} bytes, where offset, size and bs do not fit",
            disk->name(), geometry.sectors, geometry.sector_bytes);
        return status::failure;
    }
    if (!outcome) {
        context.out.line("block-bench: {}: {}", disk->name(), outcome.error());
        return status::failure;
    }
    if (options.is_json) {
        show_bench_json(context, disk->name(), options, *result.value());
    } else {
        show_bench(context, options, *result.value());
    }
    bool const is_well = result.value()->errors == 0 && result.value()->wrong == 0;
    return is_well ? status::success : status::failure;
}

} // namespace twofold::boot
