// Writes plain values to bytes and reads them back: one description of a state serves both ways, so
// that they cannot differ. For programs of one build alone: values lie as the compiler lays them.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace hosted {

using namespace twofold;

class StateArchive {
public:
    /// Writes what it is given.
    StateArchive() = default;
    /// Reads from `bytes`, which must outlive it.
    explicit StateArchive(std::span<std::byte const> bytes) : m_is_reading(true), m_from(bytes) {}

    bool is_reading() const { return m_is_reading; }
    /// Reading: the bytes ended before the state did, or were no such state.
    bool has_failed() const { return m_has_failed; }
    void fail() { m_has_failed = true; }
    /// Reading: whether nothing is left.
    bool is_at_end() const { return m_from.empty(); }
    std::vector<std::byte> take() { return std::move(m_to); }

    template<class T>
    void operator()(T& value) {
        if constexpr (requires { value.archive(*this); }) {
            value.archive(*this);
        } else {
            static_assert(std::is_trivially_copyable_v<T>);
            raw(&value, sizeof(value));
        }
    }
    template<class T>
    void operator()(std::vector<T>& values) {
        resize(values);
        if constexpr (std::is_trivially_copyable_v<T>) {
            raw(values.data(), values.size() * sizeof(T));
        } else {
            for (T& value : values) {
                (*this)(value);
            }
        }
    }
    void operator()(std::string& text) {
        resize(text);
        raw(text.data(), text.size());
    }

private:
    void raw(void* value, usize size) {
        if (!m_is_reading) {
            auto const* const bytes = static_cast<std::byte const*>(value);
            m_to.insert(m_to.end(), bytes, bytes + size);
        } else if (size > m_from.size()) {
            m_has_failed = true;
        } else if (size != 0) {
            std::memcpy(value, m_from.data(), size);
            m_from = m_from.subspan(size);
        }
    }
    template<class Container>
    void resize(Container& values) {
        u64 count = values.size();
        (*this)(count);
        if (m_is_reading) {
            // Each takes a byte at least, so a count beyond that is none.
            m_has_failed = m_has_failed || count > m_from.size();
            values.resize(m_has_failed ? 0 : count);
        }
    }

    bool m_is_reading = false;
    bool m_has_failed = false;
    std::span<std::byte const> m_from;
    std::vector<std::byte> m_to;
};

} // namespace hosted
