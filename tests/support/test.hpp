// Tests that run inside a kernel, on every machine, from one source.
//
// The spelling is GoogleTest's. A test body is kernel code: no libc, no allocation, no exceptions.
// The kernel command `test` runs it and reports through the result channel; on the hosted machine a
// GoogleTest program boots a kernel, runs each body there and shows it as a GoogleTest case.
//
//     TEST(AlignUp, RoundsToTheNextMultiple) { EXPECT_EQ(align_up(5, 4), 8u); }
//     TEST_EXCEPT_ON("metal", "TCG has no such register", Registers, Wide) { ... }
//
// A test that cannot run on a machine says so, and why, in its declaration; the checked-in count of
// these (tests/exceptions.txt) may only fall. One that needs a device which some machines have says
// so where it has looked (SKIP_IF); a machine without that in every run counts there, too.
#pragma once

#include "core/base/base.hpp"

#include <concepts>
#include <string_view>
#include <type_traits>

namespace twofold::test {

struct TestCase {
    std::string_view suite;
    std::string_view name;
    char const* file;
    u32 line;
    void (*body)();
    std::string_view except_on; ///< the machine it cannot run on, or empty
    std::string_view reason;
};

/// Records a failure of the running test and goes on. `detail` says what was seen.
void fail(char const* file, u32 line, std::string_view expectation, std::string_view detail);

/// The running test cannot do what it is for, since the machine lacks something: it is neither
/// passed nor failed, unless an expectation fails.
void skip(std::string_view reason);

/// Text for one value in a failure report: numbers, text, enums, units; else its bytes.
struct Shown {
    char text[96];
    usize length = 0;

    void append(std::string_view part) {
        for (char const letter : part) {
            if (length < sizeof(text)) {
                text[length++] = letter;
            }
        }
    }
    void append_number(u64 number, unsigned base) {
        char digits[64];
        usize count = 0;
        do {
            digits[count++] = "0123456789abcdef"[number % base];
            number /= base;
        } while (number != 0);
        while (count > 0) {
            append({&digits[--count], 1});
        }
    }
    std::string_view view() const { return {text, length}; }
};

template<class T>
void show(Shown& out, T const& value) {
    if constexpr (std::same_as<T, bool>) {
        out.append(value ? "true" : "false");
    } else if constexpr (std::same_as<T, std::nullptr_t>) {
        out.append("nullptr");
    } else if constexpr (std::convertible_to<T const&, std::string_view>) {
        out.append("\"");
        out.append(value);
        out.append("\"");
    } else if constexpr (std::is_pointer_v<T>) {
        out.append("0x");
        out.append_number(reinterpret_cast<u64>(value), 16);
    } else if constexpr (std::is_enum_v<T>) {
        out.append("enumerator ");
        show(out, static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::is_integral_v<T>) {
        if (std::is_signed_v<T> && value < T{}) {
            out.append("-");
            out.append_number(0 - static_cast<u64>(value), 10);
        } else {
            out.append_number(static_cast<u64>(value), 10);
            if (value > T{9}) {
                out.append(" (0x");
                out.append_number(static_cast<u64>(value), 16);
                out.append(")");
            }
        }
    } else if constexpr (requires { value.value; }) {
        show(out, value.value);
    } else {
        out.append("a value that cannot be shown");
    }
}

template<class A, class B>
[[gnu::noinline]] void
fail_comparison(char const* file, u32 line, std::string_view expectation, A const& a, B const& b) {
    Shown shown;
    shown.append("left is ");
    show(shown, a);
    shown.append(", right is ");
    show(shown, b);
    fail(file, line, expectation, shown.view());
}

// The comparisons by name, so that one function serves all expectations about the same two types.
struct Equal {
    static constexpr bool holds(auto const& a, auto const& b) { return static_cast<bool>(a == b); }
};
struct NotEqual {
    static constexpr bool holds(auto const& a, auto const& b) { return static_cast<bool>(a != b); }
};
struct Less {
    static constexpr bool holds(auto const& a, auto const& b) { return static_cast<bool>(a < b); }
};
struct LessEqual {
    static constexpr bool holds(auto const& a, auto const& b) { return static_cast<bool>(a <= b); }
};
struct Greater {
    static constexpr bool holds(auto const& a, auto const& b) { return static_cast<bool>(a > b); }
};
struct GreaterEqual {
    static constexpr bool holds(auto const& a, auto const& b) { return static_cast<bool>(a >= b); }
};

/// Whether the comparison holds; records a failure if not. A function, so that temporaries among
/// the operands live until it has been decided.
template<class Comparison, class A, class B>
bool compare(char const* file, u32 line, std::string_view expectation, A const& a, B const& b) {
    if (Comparison::holds(a, b)) [[likely]] {
        return true;
    }
    fail_comparison(file, line, expectation, a, b);
    return false;
}

} // namespace twofold::test

#define TWOFOLD_TEST(suite_, name_, except_on_, reason_)                                           \
    static void twofold_test_##suite_##_##name_();                                                 \
    static constexpr ::twofold::test::TestCase                                                     \
        twofold_test_case_##suite_##_##name_{                                                      \
            #suite_,    #name_, __FILE__, __LINE__, twofold_test_##suite_##_##name_,               \
            except_on_, reason_};                                                                  \
    [[gnu::section("twofold_tests"), gnu::used]] static constexpr ::twofold::test::TestCase const* \
        twofold_test_entry_##suite_##_##name_ = &twofold_test_case_##suite_##_##name_;             \
    static void twofold_test_##suite_##_##name_()

#define TEST(suite, name) TWOFOLD_TEST(suite, name, "", "")
#define TEST_EXCEPT_ON(machine, reason, suite, name) TWOFOLD_TEST(suite, name, machine, reason)

#define TWOFOLD_EXPECT(condition, text, otherwise)                                                 \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ::twofold::test::fail(__FILE__, __LINE__, text, "");                                   \
            otherwise;                                                                             \
        }                                                                                          \
    } while (false)

#define TWOFOLD_COMPARE(a, comparison, operation, b, otherwise)                                    \
    do {                                                                                           \
        if (!::twofold::test::compare<::twofold::test::comparison>(                                \
                __FILE__, __LINE__, #a " " operation " " #b, (a), (b))) {                          \
            otherwise;                                                                             \
        }                                                                                          \
    } while (false)

/// Ends the test without an outcome where the machine lacks what it needs.
#define SKIP_IF(condition, reason)                                                                 \
    do {                                                                                           \
        if (condition) {                                                                           \
            ::twofold::test::skip(reason);                                                         \
            return;                                                                                \
        }                                                                                          \
    } while (false)

#define EXPECT_TRUE(condition) TWOFOLD_EXPECT(condition, #condition, static_cast<void>(0))
#define EXPECT_FALSE(condition)                                                                    \
    TWOFOLD_EXPECT(!(condition), "not " #condition, static_cast<void>(0))
#define EXPECT_EQ(a, b) TWOFOLD_COMPARE(a, Equal, "==", b, static_cast<void>(0))
#define EXPECT_NE(a, b) TWOFOLD_COMPARE(a, NotEqual, "!=", b, static_cast<void>(0))
#define EXPECT_LT(a, b) TWOFOLD_COMPARE(a, Less, "<", b, static_cast<void>(0))
#define EXPECT_LE(a, b) TWOFOLD_COMPARE(a, LessEqual, "<=", b, static_cast<void>(0))
#define EXPECT_GT(a, b) TWOFOLD_COMPARE(a, Greater, ">", b, static_cast<void>(0))
#define EXPECT_GE(a, b) TWOFOLD_COMPARE(a, GreaterEqual, ">=", b, static_cast<void>(0))

#define ASSERT_TRUE(condition) TWOFOLD_EXPECT(condition, #condition, return)
#define ASSERT_FALSE(condition) TWOFOLD_EXPECT(!(condition), "not " #condition, return)
#define ASSERT_EQ(a, b) TWOFOLD_COMPARE(a, Equal, "==", b, return)
#define ASSERT_NE(a, b) TWOFOLD_COMPARE(a, NotEqual, "!=", b, return)
#define ASSERT_LT(a, b) TWOFOLD_COMPARE(a, Less, "<", b, return)
#define ASSERT_LE(a, b) TWOFOLD_COMPARE(a, LessEqual, "<=", b, return)
#define ASSERT_GT(a, b) TWOFOLD_COMPARE(a, Greater, ">", b, return)
#define ASSERT_GE(a, b) TWOFOLD_COMPARE(a, GreaterEqual, ">=", b, return)
