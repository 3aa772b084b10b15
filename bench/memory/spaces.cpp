// Measures filling and copying a page as the fault path does, beside every other loop that general
// registers allow. All fill or copy the same pages; the last one is checked.
#include <benchmark/benchmark.h>
#include <isa/page_bytes.hpp>

#include <algorithm>
#include <memory>
#include <vector>

namespace {

using namespace twofold;

constexpr usize page_words = page_size.value / sizeof(u64);
constexpr usize pages = 64; // as many as stay in the second-level cache on both sides

struct alignas(4096) Page {
    u64 words[page_words];
};

using Zero = void (*)(u64* target);
using Copy = void (*)(u64* target, u64 const* source);

void zero_ours(u64* target) {
    isa::zero_pages(target, page_size);
}
void zero_bytes(u64* target) {
    u64 count = page_size.value;
    asm volatile("rep stosb" : "+D"(target), "+c"(count) : "a"(0) : "memory");
}
void zero_words(u64* target) {
    u64 count = page_words;
    asm volatile("rep stosq" : "+D"(target), "+c"(count) : "a"(u64{0}) : "memory");
}
void zero_unrolled(u64* target) {
    for (usize i = 0; i < page_words; i += 8) {
        asm volatile("movq %[zero], (%[to])\n\t"
                     "movq %[zero], 8(%[to])\n\t"
                     "movq %[zero], 16(%[to])\n\t"
                     "movq %[zero], 24(%[to])\n\t"
                     "movq %[zero], 32(%[to])\n\t"
                     "movq %[zero], 40(%[to])\n\t"
                     "movq %[zero], 48(%[to])\n\t"
                     "movq %[zero], 56(%[to])"
                     :
                     : [to] "r"(target + i), [zero] "r"(u64{0})
                     : "memory");
    }
}
void zero_non_temporal(u64* target) {
    for (usize i = 0; i < page_words; ++i) {
        asm volatile("movnti %1, (%0)" : : "r"(target + i), "r"(u64{0}) : "memory");
    }
    asm volatile("sfence" : : : "memory");
}

void copy_ours(u64* target, u64 const* source) {
    isa::copy_pages(target, source, page_size);
}
void copy_bytes(u64* target, u64 const* source) {
    u64 count = page_size.value;
    asm volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(count) : : "memory");
}
void copy_words(u64* target, u64 const* source) {
    u64 count = page_words;
    asm volatile("rep movsq" : "+D"(target), "+S"(source), "+c"(count) : : "memory");
}
void copy_unrolled(u64* target, u64 const* source) {
    for (usize i = 0; i < page_words; i += 4) {
        u64 a, b, c, d;
        asm volatile("movq (%[from]), %[a]\n\t"
                     "movq 8(%[from]), %[b]\n\t"
                     "movq 16(%[from]), %[c]\n\t"
                     "movq 24(%[from]), %[d]\n\t"
                     "movq %[a], (%[to])\n\t"
                     "movq %[b], 8(%[to])\n\t"
                     "movq %[c], 16(%[to])\n\t"
                     "movq %[d], 24(%[to])"
                     : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d)
                     : [to] "r"(target + i), [from] "r"(source + i)
                     : "memory");
    }
}
void copy_non_temporal(u64* target, u64 const* source) {
    for (usize i = 0; i < page_words; ++i) {
        asm volatile("movnti %1, (%0)" : : "r"(target + i), "r"(source[i]) : "memory");
    }
    asm volatile("sfence" : : : "memory");
}

void fill(std::vector<Page>& with, u64 first) {
    for (Page& page : with) {
        for (u64& word : page.words) {
            word = first++;
        }
    }
}

template<Zero zero>
void measure_zero(benchmark::State& state) {
    std::vector<Page> target(pages);
    fill(target, 1);
    usize next = 0;
    for (auto _ : state) {
        zero(target[next].words);
        benchmark::DoNotOptimize(target[next]);
        next = (next + 1) % pages;
    }
    zero(target[0].words);
    if (std::count(std::begin(target[0].words), std::end(target[0].words), 0) != page_words) {
        state.SkipWithError("the page is not zero");
    }
}

template<Copy copy>
void measure_copy(benchmark::State& state) {
    std::vector<Page> target(pages);
    std::vector<Page> source(pages);
    fill(source, 1);
    usize next = 0;
    for (auto _ : state) {
        copy(target[next].words, source[next].words);
        benchmark::DoNotOptimize(target[next]);
        next = (next + 1) % pages;
    }
    copy(target[1].words, source[1].words);
    if (!std::ranges::equal(target[1].words, source[1].words)) {
        state.SkipWithError("the copy differs");
    }
}

BENCHMARK(measure_zero<zero_ours>)->Name("zero_page/ours");
BENCHMARK(measure_zero<zero_bytes>)->Name("zero_page/stosb");
BENCHMARK(measure_zero<zero_words>)->Name("zero_page/stosq");
BENCHMARK(measure_zero<zero_unrolled>)->Name("zero_page/unrolled");
BENCHMARK(measure_zero<zero_non_temporal>)->Name("zero_page/movnti");
BENCHMARK(measure_copy<copy_ours>)->Name("copy_page/ours");
BENCHMARK(measure_copy<copy_bytes>)->Name("copy_page/movsb");
BENCHMARK(measure_copy<copy_words>)->Name("copy_page/movsq");
BENCHMARK(measure_copy<copy_unrolled>)->Name("copy_page/unrolled");
BENCHMARK(measure_copy<copy_non_temporal>)->Name("copy_page/movnti");

} // namespace
