// How devices write their state down: plain values one after the other.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace hosted {

using namespace twofold;

class StateWriter {
public:
    template<class T>
        requires std::is_trivially_copyable_v<T>
    void put(T const& value) {
        auto const bytes = std::as_bytes(std::span(&value, 1));
        m_bytes.insert(m_bytes.end(), bytes.begin(), bytes.end());
    }
    void put_bytes(std::span<std::byte const> bytes) {
        put<u64>(bytes.size());
        m_bytes.insert(m_bytes.end(), bytes.begin(), bytes.end());
    }
    std::vector<std::byte> take() { return std::move(m_bytes); }

private:
    std::vector<std::byte> m_bytes;
};

/// Reads what a writer of the same program has written; anything else is a broken invariant.
class StateReader {
public:
    explicit StateReader(std::span<std::byte const> bytes) : m_bytes(bytes) {}
    ~StateReader() { CHECK(m_bytes.empty()); }
    StateReader(StateReader const&) = delete;
    StateReader& operator=(StateReader const&) = delete;

    template<class T>
        requires std::is_trivially_copyable_v<T>
    T get() {
        CHECK(m_bytes.size() >= sizeof(T));
        T value;
        std::memcpy(&value, m_bytes.data(), sizeof(T));
        m_bytes = m_bytes.subspan(sizeof(T));
        return value;
    }
    std::vector<std::byte> get_bytes() {
        auto const size = get<u64>();
        CHECK(m_bytes.size() >= size);
        auto const first = m_bytes.first(size);
        std::vector<std::byte> bytes(first.begin(), first.end());
        m_bytes = m_bytes.subspan(size);
        return bytes;
    }

private:
    std::span<std::byte const> m_bytes;
};

} // namespace hosted
