// What `block-bench` measures, and how: fio's options and fio's figures, for the disks of the
// kernel.
//
// A job keeps so many requests in flight as `iodepth` says. A request that is done is made anew at
// once, where its end is told; what becomes free together is sent together, under one hold of the
// disk. Nothing is allocated meanwhile. A job is one thread's; its figures are written where
// requests end, under a lock of the job.
#pragma once

#include "core/boot/disks.hpp"

namespace twofold::boot {

/// What a job does, as fio's `rw`.
enum class BenchMix : u8 { read, write, randread, randwrite, rw, randrw };

struct BenchOptions {
    static constexpr u32 iodepth_max = 256, numjobs_max = 16;
    static constexpr u64 block_max = u64{1} << 21;

    BenchMix mix = BenchMix::read;
    u64 block_bytes = 4096;
    u64 size_bytes = 0; ///< of the part of the disk that is used; 0: to its end
    u64 offset_bytes = 0;
    u64 runtime_s = 0; ///< 0: until so much as `size` has been moved
    u32 iodepth = 1;
    u32 numjobs = 1;
    u32 percent_read = 50; ///< of mixed jobs
    u32 fsync = 0;         ///< writes after which there is a flush; 0: none
    bool verifies = false;
    bool is_json = false;
    std::string_view filename; ///< empty: none was named
    std::string_view name = "job";

    bool is_random() const {
        return mix == BenchMix::randread || mix == BenchMix::randwrite || mix == BenchMix::randrw;
    }
    bool has_reads() const { return mix != BenchMix::write && mix != BenchMix::randwrite; }
    bool has_writes() const { return mix != BenchMix::read && mix != BenchMix::randread; }
};

/// What is wrong with an option, and the option.
struct BenchMistake {
    std::string_view word;
    std::string_view why; ///< empty: nothing is wrong
};

/// Reads fio's options from words. Pure.
BenchMistake parse_bench_options(std::span<std::string_view const> words, BenchOptions& options);

/// What came of one direction of a job.
struct BenchFigures {
    u64 ios = 0;
    u64 bytes = 0;
    u64 min_ns = ~u64{0};
    u64 sum_ns = 0;
    unsigned __int128 squares = 0; ///< of ns
    processor::Histogram latency;

    void add(u64 ns, u64 size);
    void add(BenchFigures const& other);
    u64 mean_ns() const { return ios != 0 ? sum_ns / ios : 0; }
    u64 deviation_ns() const; ///< the standard deviation
};

struct BenchResult {
    BenchFigures reads;
    BenchFigures writes;
    BenchFigures flushes;
    u64 took_ns = 0;
    u64 errors = 0;
    u64 wrong = 0; ///< blocks that were not what was written
    Error first_error{};
};

/// Runs all jobs of `options` on `disk` and adds up. Context thread. Errors: invalid_argument (the
/// block does not fit the disk), out_of_memory, permission_denied (it is only read).
Result<void>
run_bench(Kernel& kernel, block::Disk& disk, BenchOptions const& options, BenchResult& result);

/// Writes what came out, as fio does.
void show_bench(CommandContext& context, BenchOptions const& options, BenchResult const& result);
void show_bench_json(
    CommandContext& context,
    std::string_view disk,
    BenchOptions const& options,
    BenchResult const& result);

} // namespace twofold::boot
