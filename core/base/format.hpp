// Formatting in the kernel: fmt's syntax (format_spec.hpp), checked while compiling.
//
//     format_to(out, "{} of {} pages at {}\n", used, total, PhysAddr{base});
//
// Invariants: a FormatString exists only if it suits its arguments, so formatting cannot fail; no
// allocation, no state, no libc, no floating point. One engine (format.cpp) serves every call; a
// call costs the caller one array of erased arguments.
//
// Why not fmt itself: its headers (9.1) hold functions that return float and double, which kernel
// code cannot compile (g++ -mgeneral-regs-only and clang -mno-sse both refuse them). Without those
// flags a format of two arguments drags in 88 KB of code, global new and delete, snprintf, 128-bit
// division and exceptions. In the host tests fmt is the oracle that this engine is compared with.
//
// Neighbours: units.hpp and error.hpp are shown through Formatter at the end of this file.
#pragma once

#include "core/base/error.hpp"
#include "core/base/format_spec.hpp"
#include "core/base/text.hpp"
#include "core/base/units.hpp"

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>

namespace twofold {

/// Where formatted text goes: a function and what it writes to. Copyable; owns nothing.
struct Output {
    void* context;
    void (*function)(void* context, std::string_view text);

    /// Appends `text`. Context and cost are the function's.
    void write(std::string_view text) const { function(context, text); }
};

/// How values of a type of one's own are formatted; specialise it with ONE of
///     static auto as(T const& value);                          // shown as another formattable
///     value static void format(T const& value, Output const& out);   // writes the same text each
///     time
template<class T>
struct Formatter;

/// An address: shown as 0x and sixteen digits unless a type is given.
struct FormatAddress {
    u64 value;
};

/// An argument with its type erased. References the value that was passed.
struct FormatArgument {
    using CustomFormat = void (*)(void const* object, Output const& out);

    FormatKind kind;
    union {
        u64 bits; ///< numbers (sign-extended), characters, addresses; the size of a text
        CustomFormat format;
    };
    void const* object; ///< the first byte of a text; a custom object
};

/// Formats a string that check_format has accepted for these arguments. A dynamic width or
/// precision is brought into 0..format_size_max. O(text). Any context that `out` allows.
void format_erased(
    Output const& out, std::string_view format, std::span<FormatArgument const> arguments);

namespace detail {

template<class T>
concept ShownAsAnother = requires(T const& value) { Formatter<T>::as(value); };
template<class T>
concept WritesItself = requires(T const& value, Output const& out) {
    { Formatter<T>::format(value, out) } -> std::same_as<void>;
};
template<class T>
concept FormattableInteger =
    std::integral<T> && sizeof(T) <= 8 && !std::same_as<T, bool> && !std::same_as<T, char> &&
    !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> && !std::same_as<T, char16_t> &&
    !std::same_as<T, char32_t>;
template<class T>
concept FormattableText =
    std::same_as<T, std::string_view> || std::same_as<T, char const*> || std::same_as<T, char*>;
template<class T>
concept FormattablePointer =
    std::same_as<T, void*> || std::same_as<T, void const*> || std::same_as<T, std::nullptr_t>;

/// The kind of an argument of (decayed) type T.
template<class T>
consteval FormatKind format_kind() {
    if constexpr (ShownAsAnother<T>) {
        return format_kind<std::decay_t<decltype(Formatter<T>::as(std::declval<T const&>()))>>();
    } else if constexpr (WritesItself<T>) {
        return FormatKind::custom;
    } else if constexpr (std::same_as<T, bool>) {
        return FormatKind::boolean;
    } else if constexpr (std::same_as<T, char>) {
        return FormatKind::character;
    } else if constexpr (FormattableInteger<T>) {
        return std::signed_integral<T> ? FormatKind::signed_integer : FormatKind::unsigned_integer;
    } else if constexpr (std::same_as<T, FormatAddress>) {
        return FormatKind::address;
    } else if constexpr (FormattableText<T>) {
        return FormatKind::text;
    } else {
        static_assert(
            FormattablePointer<T>,
            "specialise Formatter<T>, or cast a pointer to void const* to show its address");
        return FormatKind::pointer;
    }
}

template<class... Args>
inline constexpr std::array<FormatKind, sizeof...(Args)> format_kinds{
    format_kind<std::decay_t<Args>>()...};

template<class T>
constexpr FormatArgument erase_argument(T const& value) {
    constexpr FormatKind kind = format_kind<T>();
    if constexpr (ShownAsAnother<T>) {
        return erase_argument(Formatter<T>::as(value));
    } else if constexpr (WritesItself<T>) {
        constexpr auto write = [](void const* object, Output const& out) {
            Formatter<T>::format(*static_cast<T const*>(object), out);
        };
        return {.kind = kind, .format = write, .object = &value};
    } else if constexpr (std::same_as<T, std::string_view>) {
        return {.kind = kind, .bits = value.size(), .object = value.data()};
    } else if constexpr (FormattableText<T>) {
        return erase_argument(text_of(value));
    } else if constexpr (std::same_as<T, FormatAddress>) {
        return {.kind = kind, .bits = value.value, .object = nullptr};
    } else if constexpr (std::same_as<T, std::nullptr_t>) {
        return {.kind = kind, .bits = 0, .object = nullptr};
    } else if constexpr (FormattablePointer<T>) {
        return {.kind = kind, .bits = std::bit_cast<u64>(value), .object = nullptr};
    } else if constexpr (std::same_as<T, char>) { // signed, also where char is not
        return {.kind = kind, .bits = static_cast<u64>(static_cast<i8>(value)), .object = nullptr};
    } else {
        return {.kind = kind, .bits = static_cast<u64>(value), .object = nullptr};
    }
}

/// Arrays of characters are passed as pointers, everything else as it is.
constexpr char const* decayed(char const* text) {
    return text;
}
template<class T>
constexpr T const& decayed(T const& value) {
    // NOLINTNEXTLINE(bugprone-return-const-ref-from-parameter): used before the call's end only
    return value;
}

/// Not constexpr: a format string that calls it does not compile, and the message names the reason.
[[noreturn]] void malformed_format_string(char const* reason);

} // namespace detail

/// A format string that suits arguments of types Args; every argument is used. Anything else does
/// not compile.
template<class... Args>
class FormatString {
public:
    template<class Text>
        requires std::convertible_to<Text const&, std::string_view>
    consteval FormatString(Text const& text) : m_text(text) {
        FormatCheck const check = check_format(m_text, detail::format_kinds<Args...>);
        if (check.error != nullptr) {
            detail::malformed_format_string(check.error);
        }
        if (static_cast<usize>(std::popcount(check.used_arguments)) != sizeof...(Args)) {
            detail::malformed_format_string("an argument is not used");
        }
    }

    constexpr std::string_view text() const { return m_text; }

private:
    std::string_view m_text;
};

/// Formats `args` as `format` says and writes the text to `out`, in pieces. O(text). Any context
/// that `out` allows. Cannot fail.
template<class... Args>
void format_to(
    Output const& out, FormatString<std::type_identity_t<Args>...> format, Args const&... args) {
    std::array<FormatArgument, sizeof...(Args)> const arguments{
        detail::erase_argument(detail::decayed(args))...};
    format_erased(out, format.text(), arguments);
}

/// What was formatted into a buffer.
struct FormattedText {
    std::string_view text;
    bool truncated; ///< there was more; the text ends at the last whole code point that fits

    constexpr operator std::string_view() const { return text; }
};

/// Text collected in a buffer of the caller; what does not fit is dropped, and it says so.
class TextBuffer {
public:
    constexpr explicit TextBuffer(std::span<char> storage) : m_storage(storage) {}
    TextBuffer(TextBuffer const&) = delete; // outputs point here
    TextBuffer& operator=(TextBuffer const&) = delete;

    /// An output that appends here. Valid while this object lives.
    Output output() {
        return {this, [](void* self, std::string_view text) {
                    static_cast<TextBuffer*>(self)->append(text);
                }};
    }

    /// Appends as many whole code points of `text` as fit; nothing follows a cut. O(text).
    void append(std::string_view text);

    void clear() {
        m_length = 0;
        m_truncated = false;
    }
    std::string_view view() const { return {m_storage.data(), m_length}; }
    bool truncated() const { return m_truncated; }

private:
    std::span<char> m_storage;
    usize m_length = 0;
    bool m_truncated = false;
};

/// Formats into `buffer`: the text (not zero-terminated), and whether it was cut. O(text). Any
/// context.
template<class... Args>
FormattedText format_to(
    std::span<char> buffer,
    FormatString<std::type_identity_t<Args>...> format,
    Args const&... args) {
    TextBuffer text(buffer);
    format_to<Args...>(text.output(), format, args...);
    return {text.view(), text.truncated()};
}

template<class Tag>
struct Formatter<detail::Address<Tag>> {
    static constexpr FormatAddress as(detail::Address<Tag> address) { return {address.value}; }
};
template<>
struct Formatter<Bytes> {
    static constexpr u64 as(Bytes size) { return size.value; }
};
template<>
struct Formatter<CpuId> {
    static constexpr u32 as(CpuId cpu) { return cpu.value; }
};
template<>
struct Formatter<Nanos> {
    static constexpr i64 as(Nanos duration) { return duration.value; }
};
template<>
struct Formatter<Error> {
    static constexpr std::string_view as(Error error) { return error_name(error); }
};
template<>
struct Formatter<std::byte> {
    static constexpr u8 as(std::byte byte) { return std::to_integer<u8>(byte); }
};

} // namespace twofold
