// Filling and copying what is larger than the caches, with general registers alone. Up to
// stream_size the string instructions are the quickest, and what was written is at hand in the
// caches. Beyond it what matters is that a line is written without being read before: CLZERO does
// that for zeros where a processor has it, MOVNTI for copies, and for filling where it has not (on
// those that have it the string instructions do so by themselves). A copy also asks for its source
// two pages ahead, since the hardware's own prefetch ends where a page ends.
// bench/memory/tensors.cpp holds them against vector loops; docs/pools.md has the figures and what
// was tried.
//
// Source: Intel 64 and IA-32 Architectures Optimization Reference Manual, sections 3.7.6 and 9.6;
// AMD64 Architecture Programmer's Manual volume 3, CLZERO; Software Optimization Guide for the AMD
// Zen4 Microarchitecture, section 2.13 (write-combining).
#pragma once

#include "core/base/base.hpp"

namespace isa {

using namespace twofold;

inline constexpr Bytes line_size{64};
inline constexpr Bytes stream_size{512 << 10}; ///< half of a second-level cache of today

/// Copies with the string instructions; moves both pointers behind what was copied.
inline void copy_string(void*& target, void const*& source, u64 size) {
    u64 words = size / sizeof(u64);
    u64 bytes = size % sizeof(u64);
    asm volatile("rep movsq" : "+D"(target), "+S"(source), "+c"(words) : : "memory");
    asm volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(bytes) : : "memory");
}

/// Copies whole lines past the caches; moves both pointers. `lines` is not 0. The prefetch reaches
/// past the source's end, where it has no effect.
inline void copy_lines(void*& target, void const*& source, u64 lines) {
    u64 a, b, c, d, e, f, g, h;
    asm volatile(
        "1:\n\t"
        "prefetcht0 8192(%[from])\n\t"
        "movq (%[from]), %[a]\n\t"
        "movq 8(%[from]), %[b]\n\t"
        "movq 16(%[from]), %[c]\n\t"
        "movq 24(%[from]), %[d]\n\t"
        "movq 32(%[from]), %[e]\n\t"
        "movq 40(%[from]), %[f]\n\t"
        "movq 48(%[from]), %[g]\n\t"
        "movq 56(%[from]), %[h]\n\t"
        "movnti %[a], (%[to])\n\t"
        "movnti %[b], 8(%[to])\n\t"
        "movnti %[c], 16(%[to])\n\t"
        "movnti %[d], 24(%[to])\n\t"
        "movnti %[e], 32(%[to])\n\t"
        "movnti %[f], 40(%[to])\n\t"
        "movnti %[g], 48(%[to])\n\t"
        "movnti %[h], 56(%[to])\n\t"
        "addq $64, %[from]\n\t"
        "addq $64, %[to]\n\t"
        "subq $1, %[lines]\n\t"
        "jnz 1b"
        : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e), [f] "=&r"(f),
          [g] "=&r"(g), [h] "=&r"(h), [to] "+r"(target), [from] "+r"(source), [lines] "+r"(lines)
        :
        : "memory", "cc");
}

/// Bytes from `address` up to the next line.
inline u64 to_line(void const* address) {
    return (0 - reinterpret_cast<u64>(address)) % line_size.value;
}

/// Copies `size` bytes between places that do not overlap. Any alignment. O(size).
inline void copy_bulk(void* target, void const* source, Bytes size) {
    if (size < stream_size) {
        copy_string(target, source, size.value);
        return;
    }
    u64 const head = to_line(target);
    copy_string(target, source, head);
    u64 const rest = size.value - head;
    copy_lines(target, source, rest / line_size.value);
    copy_string(target, source, rest % line_size.value);
    asm volatile("sfence" : : : "memory"); // before anybody is told that it is there
}

/// Fills words; moves the pointer behind them.
inline void fill_string(void*& target, u64 word, u64 words) {
    asm volatile("rep stosq" : "+D"(target), "+c"(words) : "a"(word) : "memory");
}

/// Zeroes whole lines, on a line's boundary, past the caches, on a processor that has CLZERO.
inline void clear_lines(void*& target, u64 lines) {
    for (u64 left = lines / 4; left > 0; --left) {
        asm volatile("clzero\n\t"
                     "addq $64, %0\n\t"
                     "clzero\n\t"
                     "addq $64, %0\n\t"
                     "clzero\n\t"
                     "addq $64, %0\n\t"
                     "clzero\n\t"
                     "addq $64, %0"
                     : "+a"(target)
                     :
                     : "memory", "cc");
    }
    for (u64 left = lines % 4; left > 0; --left) {
        asm volatile("clzero\n\t"
                     "addq $64, %0"
                     : "+a"(target)
                     :
                     : "memory", "cc");
    }
    asm volatile("sfence" : : : "memory");
}

/// Fills whole lines past the caches; moves the pointer behind them. `lines` is not 0.
inline void fill_lines(void*& target, u64 word, u64 lines) {
    asm volatile("1:\n\t"
                 "movnti %[word], (%[to])\n\t"
                 "movnti %[word], 8(%[to])\n\t"
                 "movnti %[word], 16(%[to])\n\t"
                 "movnti %[word], 24(%[to])\n\t"
                 "movnti %[word], 32(%[to])\n\t"
                 "movnti %[word], 40(%[to])\n\t"
                 "movnti %[word], 48(%[to])\n\t"
                 "movnti %[word], 56(%[to])\n\t"
                 "addq $64, %[to]\n\t"
                 "subq $1, %[lines]\n\t"
                 "jnz 1b\n\t"
                 "sfence"
                 : [to] "+r"(target), [lines] "+r"(lines)
                 : [word] "r"(word)
                 : "memory", "cc");
}

/// Fills `size` bytes, a multiple of 8, with `word`. `has_clzero`: of the running processor.
/// O(size).
inline void fill_bulk(void* target, u64 word, Bytes size, bool has_clzero) {
    CHECK(is_aligned(size.value, sizeof(u64)));
    u64 const head = to_line(target);
    bool const past = size >= stream_size && head % sizeof(u64) == 0 && !(has_clzero && word != 0);
    if (!past) {
        fill_string(target, word, size.value / sizeof(u64));
        return;
    }
    fill_string(target, word, head / sizeof(u64));
    u64 const rest = size.value - head;
    u64 const lines = rest / line_size.value;
    if (has_clzero) {
        clear_lines(target, lines);
    } else {
        fill_lines(target, word, lines);
    }
    fill_string(target, word, rest % line_size.value / sizeof(u64));
}

} // namespace isa
