// FixedString<Capacity>: text that lies inside its owner. What does not fit is refused whole, never
// cut. Trivially copyable; no allocation; not zero-terminated.
#pragma once

#include "core/base/format.hpp"
#include "core/base/integers.hpp"
#include "core/base/result.hpp"

#include <string_view>

namespace twofold {

template<usize Capacity>
class FixedString {
public:
    static_assert(Capacity > 0);

    constexpr FixedString() = default;

    /// A copy of `text`. Error::no_space if it is longer than the capacity. O(n).
    static constexpr Result<FixedString> create(std::string_view text) {
        FixedString string;
        if (Result<void> const appended = string.append(text); !appended) {
            return appended.error();
        }
        return string;
    }

    static constexpr usize capacity() { return Capacity; }
    constexpr usize size() const { return m_size; }
    constexpr bool empty() const { return m_size == 0; }
    constexpr std::string_view view() const { return {m_letters, m_size}; }
    constexpr operator std::string_view() const { return view(); }

    /// Appends all of `text`, or nothing: Error::no_space. `text` must not lie in this string.
    /// O(n).
    constexpr Result<void> append(std::string_view text) {
        if (text.size() > Capacity - m_size) {
            return Error::no_space;
        }
        for (char const letter : text) {
            m_letters[m_size++] = letter;
        }
        CHECK(m_size <= Capacity);
        return {};
    }
    constexpr Result<void> append(char letter) { return append(std::string_view(&letter, 1)); }

    /// Removes the last byte; panics if there is none. O(1).
    constexpr void pop_back() {
        CHECK(m_size > 0);
        --m_size;
    }
    constexpr void clear() { m_size = 0; }

    friend constexpr bool operator==(FixedString const& a, FixedString const& b) {
        return a.view() == b.view();
    }
    friend constexpr bool operator==(FixedString const& a, std::string_view b) {
        return a.view() == b;
    }

private:
    char m_letters[Capacity] = {};
    usize m_size = 0;
};

template<usize Capacity>
struct Formatter<FixedString<Capacity>> {
    static constexpr std::string_view as(FixedString<Capacity> const& string) {
        return string.view();
    }
};

} // namespace twofold
