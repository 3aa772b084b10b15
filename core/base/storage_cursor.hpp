// StorageCursor: takes typed arrays from a piece of raw memory, one behind the other. Tables whose
// size is known only at start-up are laid out by it.
#pragma once

#include "core/base/bits.hpp"
#include "core/base/construct.hpp"
#include "core/base/result.hpp"

#include <bit>
#include <span>
#include <type_traits>

namespace twofold {

class StorageCursor {
public:
    explicit StorageCursor(std::span<std::byte> storage) : m_rest(storage) {}

    /// The next `size` bytes, aligned; undefined content. Error::no_space, and nothing is taken.
    /// O(1).
    Result<std::span<std::byte>> take_bytes(usize size, usize alignment) {
        u64 const address = std::bit_cast<u64>(m_rest.data());
        u64 const padding = align_up(address, alignment) - address;
        if (padding > m_rest.size() || size > m_rest.size() - padding) {
            return Error::no_space;
        }
        std::span<std::byte> const taken = m_rest.subspan(padding, size);
        m_rest = m_rest.subspan(padding + size);
        return taken;
    }

    /// The next `count` elements, each value-initialised. Error::no_space, and nothing is taken.
    /// O(count).
    template<class T>
    Result<std::span<T>> take(usize count) {
        static_assert(std::is_trivially_destructible_v<T>, "nobody destroys what lies in storage");
        if (count > m_rest.size() / sizeof(T)) {
            return Error::no_space;
        }
        auto const bytes = TRY(take_bytes(count * sizeof(T), alignof(T)));
        std::span<T> const elements(room_for<T>(bytes.data()), count);
        for (T& element : elements) {
            std::construct_at(&element);
        }
        return elements;
    }

    usize bytes_left() const { return m_rest.size(); }

private:
    std::span<std::byte> m_rest;
};

} // namespace twofold
