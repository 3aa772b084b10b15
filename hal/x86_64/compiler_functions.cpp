// The functions that compiled code calls whatever the flags: compilers and the freestanding
// standard headers take them for granted. String instructions move eight bytes each: quick on
// processors of the last ten years, and counted as one instruction a word by an emulator that
// counts.
//
// Built with -ffreestanding, so the compiler does not turn their loops into calls of themselves.
#include "core/base/integers.hpp"

using namespace twofold;

namespace {

using Byte = unsigned char;

void copy_forwards(Byte* to, Byte const* from, usize size) {
    usize words = size / 8;
    usize rest = size % 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
}

} // namespace

extern "C" {

void* memcpy(void* to, void const* from, usize size);
void* memmove(void* to, void const* from, usize size);
void* memset(void* to, int value, usize size);
int memcmp(void const* a, void const* b, usize size);
void* memchr(void const* bytes, int value, usize size);
usize strlen(char const* text);
int __popcountdi2(u64 word);

void* memcpy(void* to, void const* from, usize size) {
    copy_forwards(static_cast<Byte*>(to), static_cast<Byte const*>(from), size);
    return to;
}

void* memmove(void* to, void const* from, usize size) {
    auto* const target = static_cast<Byte*>(to);
    auto const* const source = static_cast<Byte const*>(from);
    // Forwards is safe unless the target begins inside the source: modulo 2^64, one comparison.
    if (reinterpret_cast<uptr>(target) - reinterpret_cast<uptr>(source) >= size) {
        copy_forwards(target, source, size);
        return to;
    }
    usize left = size;
    for (; left >= 8; left -= 8) {
        u64 word;
        __builtin_memcpy(&word, source + left - 8, 8);
        __builtin_memcpy(target + left - 8, &word, 8);
    }
    for (; left > 0; --left) {
        target[left - 1] = source[left - 1];
    }
    return to;
}

void* memset(void* to, int value, usize size) {
    u64 const pattern = 0x0101'0101'0101'0101 * static_cast<Byte>(value);
    void* at = to;
    usize words = size / 8;
    usize rest = size % 8;
    asm volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
    asm volatile("rep stosb" : "+D"(at), "+c"(rest) : "a"(pattern) : "memory");
    return to;
}

int memcmp(void const* a, void const* b, usize size) {
    auto const* left = static_cast<Byte const*>(a);
    auto const* right = static_cast<Byte const*>(b);
    for (; size >= 8; size -= 8, left += 8, right += 8) {
        u64 words[2];
        __builtin_memcpy(&words[0], left, 8);
        __builtin_memcpy(&words[1], right, 8);
        if (words[0] != words[1]) {
            break; // the first byte that differs decides
        }
    }
    for (; size > 0; --size, ++left, ++right) {
        if (*left != *right) {
            return *left < *right ? -1 : 1;
        }
    }
    return 0;
}

void* memchr(void const* bytes, int value, usize size) {
    auto const* at = static_cast<Byte const*>(bytes);
    for (; size > 0; --size, ++at) {
        if (*at == static_cast<Byte>(value)) {
            return const_cast<Byte*>(at);
        }
    }
    return nullptr;
}

usize strlen(char const* text) {
    usize length = 0;
    while (text[length] != '\0') {
        ++length;
    }
    return length;
}

/// The number of one bits, for processors that are not known to count them: sums of 2, 4 and 8 bits
/// side by side, then all bytes at once (Warren, Hacker's Delight, section 5-1).
int __popcountdi2(u64 word) {
    word -= word >> 1 & 0x5555'5555'5555'5555;
    word = (word & 0x3333'3333'3333'3333) + (word >> 2 & 0x3333'3333'3333'3333);
    word = (word + (word >> 4)) & 0x0f0f'0f0f'0f0f'0f0f;
    return static_cast<int>(word * 0x0101'0101'0101'0101 >> 56);
}

} // extern "C"
