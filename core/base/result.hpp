// Result<T>: a value or an Error. Every fallible kernel operation returns one; ignoring it is a
// compile error. TRY unwraps or returns the error to the caller.
#pragma once

#include "core/base/check.hpp"
#include "core/base/construct.hpp"
#include "core/base/error.hpp"

#include <type_traits>
#include <utility>

namespace twofold {

/// A value of type T, or the reason why there is none. Moves like T; never empty of both.
template<class T>
class [[nodiscard]] Result {
public:
    static_assert(!std::is_reference_v<T>, "return a pointer or a wrapper instead of a reference");
    using Value = T;

    constexpr Result(T value) : m_value(std::move(value)), m_has_value(true) {}
    constexpr Result(Error error) : m_error(error), m_has_value(false) {}

    constexpr Result(Result const& other)
        requires std::is_copy_constructible_v<T>
        : m_has_value(other.m_has_value) {
        adopt(other);
    }
    constexpr Result(Result&& other) : m_has_value(other.m_has_value) { adopt(std::move(other)); }
    Result& operator=(Result const&) = delete;
    constexpr Result& operator=(Result&& other) {
        if (this != &other) {
            std::destroy_at(this);
            std::construct_at(this, std::move(other));
        }
        return *this;
    }
    constexpr ~Result() {
        if (m_has_value) {
            std::destroy_at(&m_value);
        }
    }

    constexpr bool has_value() const { return m_has_value; }
    constexpr explicit operator bool() const { return m_has_value; }

    /// The value. Panics if there is none.
    constexpr T& value() & {
        CHECK(m_has_value);
        return m_value;
    }
    constexpr T const& value() const& {
        CHECK(m_has_value);
        return m_value;
    }
    constexpr T value() && { // by value: a reference would dangle once the temporary has gone
        CHECK(m_has_value);
        return std::move(m_value);
    }
    constexpr T value_or(T otherwise) && {
        return m_has_value ? std::move(m_value) : std::move(otherwise);
    }

    /// The error. Panics if there is a value.
    constexpr Error error() const {
        CHECK(!m_has_value);
        return m_error;
    }

private:
    template<class Other>
    constexpr void adopt(Other&& other) {
        if (m_has_value) {
            std::construct_at(&m_value, std::forward<Other>(other).m_value);
        } else {
            m_error = other.m_error;
        }
    }

    union {
        T m_value;
        Error m_error;
    };
    bool m_has_value;
};

/// Success without a value, or the reason of failure.
template<>
class [[nodiscard]] Result<void> {
public:
    using Value = void;

    constexpr Result() = default;
    constexpr Result(Error error) : m_error(error), m_has_value(false) {}

    constexpr bool has_value() const { return m_has_value; }
    constexpr explicit operator bool() const { return m_has_value; }
    constexpr void value() const { CHECK(m_has_value); }
    constexpr Error error() const {
        CHECK(!m_has_value);
        return m_error;
    }

private:
    Error m_error{};
    bool m_has_value = true;
};

} // namespace twofold

/// Evaluates a Result expression: yields its value, or returns its error from the function.
#define TRY(expression)                                                                            \
    ({                                                                                             \
        auto twofold_try_result = (expression);                                                    \
        if (!twofold_try_result) [[unlikely]] {                                                    \
            return twofold_try_result.error();                                                     \
        }                                                                                          \
        std::move(twofold_try_result).value();                                                     \
    })
