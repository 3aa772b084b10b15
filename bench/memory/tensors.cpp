// Measures bulk copies of tensors and the prefault of their pages beside the kernels of J.
// McCalpin's STREAM ("Memory bandwidth and machine balance in current high performance computers",
// IEEE TCCA Newsletter, December 1995) in every form that the processor offers: words, the string
// instructions, vectors through the caches and past them, and glibc. Ours are what the kernel has:
// general registers alone. 128 MiB on 2 MiB pages, four times a last-level cache; the result is
// checked.
#include "core/memory/memory.hpp"
#include "tests/support/processor.hpp"

#include <benchmark/benchmark.h>
#include <immintrin.h>
#include <isa/bulk_bytes.hpp>
#include <isa/cpuid.hpp>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::literals;

constexpr Bytes whole = 128_MiB;
constexpr Bytes block = 2_MiB;

bool processor_has(isa::Feature feature) {
    static hal::CpuDescription const description = isa::decode(isa::read_cpuid());
    return isa::has(description, feature);
}

/// Memory on 2 MiB pages, all of it there.
class LargePages {
public:
    explicit LargePages(Bytes size) : m_size(size) {
        void* const place = mmap(
            nullptr, (size + block).value, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
            0);
        if (place == MAP_FAILED) {
            std::abort();
        }
        m_place = place;
        usize room = (size + block).value;
        void* first = place;
        m_bytes = static_cast<std::byte*>(std::align(block.value, size.value, first, room));
        madvise(m_bytes, size.value, MADV_HUGEPAGE);
        std::memset(m_bytes, 1, size.value);
    }
    ~LargePages() { munmap(m_place, (m_size + block).value); }
    LargePages(LargePages const&) = delete;
    LargePages& operator=(LargePages const&) = delete;

    std::byte* bytes() const { return m_bytes; }

private:
    Bytes m_size;
    void* m_place;
    std::byte* m_bytes;
};

using BulkFill = void (*)(std::byte* target, usize size);
using BulkCopy = void (*)(std::byte* target, std::byte const* source, usize size);

void fill_glibc(std::byte* target, usize size) {
    std::memset(target, 0, size);
}
void fill_stosb(std::byte* target, usize size) {
    asm volatile("rep stosb" : "+D"(target), "+c"(size) : "a"(0) : "memory");
}
void fill_words(std::byte* target, usize size) {
    for (usize at = 0; at < size; at += 32) {
        asm volatile("movq %1, (%0)\n\tmovq %1, 8(%0)\n\tmovq %1, 16(%0)\n\tmovq %1, 24(%0)"
                     :
                     : "r"(target + at), "r"(u64{0})
                     : "memory");
    }
}
void fill_sse2_past(std::byte* target, usize size) {
    __m128i const zero = _mm_setzero_si128();
    for (usize at = 0; at < size; at += sizeof(zero)) {
        _mm_stream_si128(static_cast<__m128i*>(static_cast<void*>(target + at)), zero);
    }
    _mm_sfence();
}
[[gnu::target("avx2")]] void fill_avx2(std::byte* target, usize size) {
    __m256i const zero = _mm256_setzero_si256();
    for (usize at = 0; at < size; at += sizeof(zero)) {
        _mm256_store_si256(static_cast<__m256i*>(static_cast<void*>(target + at)), zero);
    }
}
[[gnu::target("avx2")]] void fill_avx2_past(std::byte* target, usize size) {
    __m256i const zero = _mm256_setzero_si256();
    for (usize at = 0; at < size; at += sizeof(zero)) {
        _mm256_stream_si256(static_cast<__m256i*>(static_cast<void*>(target + at)), zero);
    }
    _mm_sfence();
}
[[gnu::target("avx512f")]] void fill_avx512_past(std::byte* target, usize size) {
    __m512i const zero = _mm512_setzero_si512();
    for (usize at = 0; at < size; at += sizeof(zero)) {
        _mm512_stream_si512(static_cast<__m512i*>(static_cast<void*>(target + at)), zero);
    }
    _mm_sfence();
}

void copy_ours(std::byte* target, std::byte const* source, usize size) {
    isa::copy_bulk(target, source, {size});
}
void copy_glibc(std::byte* target, std::byte const* source, usize size) {
    std::memcpy(target, source, size);
}
void copy_movsb(std::byte* target, std::byte const* source, usize size) {
    asm volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(size) : : "memory");
}
void copy_words(std::byte* target, std::byte const* source, usize size) {
    for (usize at = 0; at < size; at += 16) {
        u64 a, b;
        asm volatile("movq (%[from]), %[a]\n\tmovq 8(%[from]), %[b]\n\t"
                     "movq %[a], (%[to])\n\tmovq %[b], 8(%[to])"
                     : [a] "=&r"(a), [b] "=&r"(b)
                     : [to] "r"(target + at), [from] "r"(source + at)
                     : "memory");
    }
}
void copy_sse2_past(std::byte* target, std::byte const* source, usize size) {
    for (usize at = 0; at < size; at += sizeof(__m128i)) {
        _mm_stream_si128(
            static_cast<__m128i*>(static_cast<void*>(target + at)),
            _mm_load_si128(static_cast<__m128i const*>(static_cast<void const*>(source + at))));
    }
    _mm_sfence();
}
[[gnu::target("avx2")]] void copy_avx2(std::byte* target, std::byte const* source, usize size) {
    for (usize at = 0; at < size; at += sizeof(__m256i)) {
        _mm256_store_si256(
            static_cast<__m256i*>(static_cast<void*>(target + at)),
            _mm256_load_si256(static_cast<__m256i const*>(static_cast<void const*>(source + at))));
    }
}
[[gnu::target("avx2")]] void
copy_avx2_past(std::byte* target, std::byte const* source, usize size) {
    for (usize at = 0; at < size; at += 2 * sizeof(__m256i)) {
        auto const* const from = static_cast<__m256i const*>(static_cast<void const*>(source + at));
        auto* const to = static_cast<__m256i*>(static_cast<void*>(target + at));
        __m256i const a = _mm256_load_si256(from);
        __m256i const b = _mm256_load_si256(from + 1);
        _mm256_stream_si256(to, a);
        _mm256_stream_si256(to + 1, b);
    }
    _mm_sfence();
}
[[gnu::target("avx512f")]] void
copy_avx512_past(std::byte* target, std::byte const* source, usize size) {
    for (usize at = 0; at < size; at += sizeof(__m512i)) {
        _mm512_stream_si512(
            static_cast<__m512i*>(static_cast<void*>(target + at)),
            _mm512_load_si512(static_cast<void const*>(source + at)));
    }
    _mm_sfence();
}

/// STREAM's four kernels, on doubles, past the caches, where it is fastest.
enum class Stream : u8 { copy, scale, add, triad };

[[gnu::target("avx2")]] __m256d stream_value(Stream kernel, double const* b, double const* c) {
    __m256d const factor = _mm256_set1_pd(3.0);
    switch (kernel) {
    case Stream::copy:
        return _mm256_load_pd(b);
    case Stream::scale:
        return _mm256_mul_pd(factor, _mm256_load_pd(b));
    case Stream::add:
        return _mm256_add_pd(_mm256_load_pd(b), _mm256_load_pd(c));
    case Stream::triad:
        break;
    }
    return _mm256_add_pd(_mm256_load_pd(b), _mm256_mul_pd(factor, _mm256_load_pd(c)));
}

template<Stream kernel>
[[gnu::target("avx2")]] void
stream_avx2_past(std::span<double> a, double const* b, double const* c) {
    constexpr usize lanes = 4;
    for (usize at = 0; at < a.size(); at += 2 * lanes) {
        __m256d const first = stream_value(kernel, b + at, c + at);
        __m256d const second = stream_value(kernel, b + at + lanes, c + at + lanes);
        _mm256_stream_pd(&a[at], first);
        _mm256_stream_pd(&a[at + lanes], second);
    }
    _mm_sfence();
}

bool runs(benchmark::State& state, isa::Feature feature) {
    bool const has = processor_has(feature);
    if (!has) {
        state.SkipWithError("the processor does not have it");
    }
    return has;
}

template<BulkFill fill, isa::Feature needs>
void measure_fill(benchmark::State& state) {
    LargePages const target(whole);
    if (!runs(state, needs)) {
        return;
    }
    for (auto _ : state) {
        fill(target.bytes(), whole.value);
        benchmark::DoNotOptimize(target.bytes()[0]);
    }
    auto const bytes = std::span(target.bytes(), whole.value);
    if (std::ranges::any_of(bytes, [](std::byte each) { return each != std::byte{0}; })) {
        state.SkipWithError("a byte is not zero");
    }
}

/// What a commit of the kernel's space does for a block: frames of 2 MiB, divided and zeroed.
void measure_prefault(benchmark::State& state) {
    constexpr unsigned order = 9;
    LargePages const memory(whole + 64_MiB);
    test::Processor const processor(0, 1, memory.bytes(), processor_has(isa::Feature::clzero));
    hal::MemoryRange const free[] = {{{2u << 20}, whole + 32_MiB, hal::MemoryKind::usable}};
    memory::BuddyFrames& source = *memory::BuddyFrames::create({.free = free}).value();
    std::vector<memory::SharedFrames::Count> counts((whole + 64_MiB) / page_size);
    memory::SharedFrames frames(memory::FrameSupply(source), counts);
    std::vector<PhysAddr> taken(whole / block);
    auto const take = [&] {
        for (PhysAddr& each : taken) {
            each = frames.allocate_zeroed(order).value();
        }
    };
    // Gives all back, each page with a word in it; whether those of last time were gone.
    auto const give = [&](usize step) {
        bool zero = true;
        for (PhysAddr const each : taken) {
            auto const words =
                std::span(memory::frame_object<u64>(each), block.value / sizeof(u64));
            for (usize at = 0; at < words.size(); at += step) {
                zero = zero && words[at] == 0;
            }
            for (usize at = 0; at < words.size(); at += page_size.value / sizeof(u64)) {
                words[at] = 1;
            }
            frames.release(each, order);
        }
        return zero;
    };
    bool zero = true;
    for (auto _ : state) {
        take();
        state.PauseTiming();
        zero = give(page_size.value / sizeof(u64)) && zero;
        state.ResumeTiming();
    }
    take();
    zero = give(1) && zero; // every word
    if (!zero) {
        state.SkipWithError("a page is not zero");
    }
}

template<BulkCopy copy, isa::Feature needs, u64 Piece>
void measure_copy(benchmark::State& state) {
    LargePages const target(whole);
    LargePages const source(whole);
    if (!runs(state, needs)) {
        return;
    }
    for (usize at = 0; at < whole.value; at += 64) {
        source.bytes()[at] = static_cast<std::byte>(at >> 6);
    }
    for (auto _ : state) {
        for (usize at = 0; at < whole.value; at += Piece) {
            copy(target.bytes() + at, source.bytes() + at, Piece);
        }
        benchmark::DoNotOptimize(target.bytes()[0]);
    }
    if (std::memcmp(target.bytes(), source.bytes(), whole.value) != 0) {
        state.SkipWithError("the copy differs");
    }
}

/// As many bytes as `whole` has, counted as STREAM does: what is read and what is written.
template<Stream kernel>
void measure_stream(benchmark::State& state) {
    constexpr usize arrays = kernel == Stream::copy || kernel == Stream::scale ? 2 : 3;
    constexpr usize array_bytes = (whole.value / arrays + 63) / 64 * 64;
    LargePages const a(whole);
    LargePages const b(whole);
    LargePages const c(whole);
    if (!runs(state, isa::Feature::avx2)) {
        return;
    }
    auto const doubles = [](LargePages const& pages) {
        return std::span(
            static_cast<double*>(static_cast<void*>(pages.bytes())), array_bytes / sizeof(double));
    };
    std::ranges::fill(doubles(b), 1.0);
    std::ranges::fill(doubles(c), 2.0);
    for (auto _ : state) {
        stream_avx2_past<kernel>(doubles(a), doubles(b).data(), doubles(c).data());
        benchmark::DoNotOptimize(a.bytes()[0]);
    }
    constexpr double expected[] = {1.0, 3.0, 3.0, 7.0};
    double const right = expected[static_cast<usize>(kernel)];
    if (std::ranges::any_of(doubles(a), [right](double each) { return each != right; })) {
        state.SkipWithError("a word is not what it must be");
    }
}

/// Our copy, as STREAM counts: half of `whole` is read, and as much written.
void measure_copy_as_stream(benchmark::State& state) {
    constexpr usize half = whole.value / 2;
    LargePages const target(whole);
    LargePages const source(whole);
    std::memset(source.bytes(), 0x5a, half);
    for (auto _ : state) {
        copy_ours(target.bytes(), source.bytes(), half);
        benchmark::DoNotOptimize(target.bytes()[0]);
    }
    if (std::memcmp(target.bytes(), source.bytes(), half) != 0) {
        state.SkipWithError("the copy differs");
    }
}

using isa::Feature;

BENCHMARK(measure_prefault)->Name("tensor_prefault_as_stream/ours");
BENCHMARK(measure_stream<Stream::copy>)->Name("tensor_prefault_as_stream/stream_copy");
BENCHMARK(measure_stream<Stream::scale>)->Name("tensor_prefault_as_stream/stream_scale");
BENCHMARK(measure_stream<Stream::add>)->Name("tensor_prefault_as_stream/stream_add");
BENCHMARK(measure_stream<Stream::triad>)->Name("tensor_prefault_as_stream/stream_triad");

BENCHMARK(measure_copy_as_stream)->Name("tensor_copy_as_stream/ours");
BENCHMARK(measure_stream<Stream::copy>)->Name("tensor_copy_as_stream/stream_copy");
BENCHMARK(measure_stream<Stream::scale>)->Name("tensor_copy_as_stream/stream_scale");
BENCHMARK(measure_stream<Stream::add>)->Name("tensor_copy_as_stream/stream_add");
BENCHMARK(measure_stream<Stream::triad>)->Name("tensor_copy_as_stream/stream_triad");

// The prefault beside loops that do nothing but write, which STREAM has none of.
BENCHMARK(measure_prefault)->Name("tensor_prefault/ours");
BENCHMARK(measure_fill<fill_glibc, Feature::sse2>)->Name("tensor_prefault/glibc");
BENCHMARK(measure_fill<fill_stosb, Feature::sse2>)->Name("tensor_prefault/stosb");
BENCHMARK(measure_fill<fill_words, Feature::sse2>)->Name("tensor_prefault/words");
BENCHMARK(measure_fill<fill_sse2_past, Feature::sse2>)->Name("tensor_prefault/sse2_past");
BENCHMARK(measure_fill<fill_avx2, Feature::avx2>)->Name("tensor_prefault/avx2");
BENCHMARK(measure_fill<fill_avx2_past, Feature::avx2>)->Name("tensor_prefault/avx2_past");
BENCHMARK(measure_fill<fill_avx512_past, Feature::avx512f>)->Name("tensor_prefault/avx512_past");

#define TWOFOLD_COPY(loop, feature)                                                                \
    BENCHMARK(measure_copy<copy_##loop, feature, whole.value>)->Name("tensor_copy/" #loop);        \
    BENCHMARK(measure_copy<copy_##loop, feature, block.value>)->Name("tensor_copy_2_MiB/" #loop)
TWOFOLD_COPY(ours, Feature::sse2);
TWOFOLD_COPY(glibc, Feature::sse2);
TWOFOLD_COPY(movsb, Feature::sse2);
TWOFOLD_COPY(words, Feature::sse2);
TWOFOLD_COPY(sse2_past, Feature::sse2);
TWOFOLD_COPY(avx2, Feature::avx2);
TWOFOLD_COPY(avx2_past, Feature::avx2);
TWOFOLD_COPY(avx512_past, Feature::avx512f);

} // namespace
