// StorageCursor: takes typed arrays from a piece of raw memory, one behind the other. Tables whose
// size is known only at start-up are laid out by it.
#pragma once

#include "core/base/bits.hpp"
#include "core/base/result.hpp"

#include <memory>
#include <span>
#include <type_traits>

namespace twofold {

class StorageCursor {
public:
    explicit StorageCursor(std::span<std::byte> storage) : m_rest(storage) {}

    /// The next `size` bytes, aligned; undefined content. Error::no_space, and nothing is taken.
    /// O(1).
    Result<std::span<std::byte>> take_bytes(usize size, usize alignment) {
        void* place = m_rest.data();
        usize space = m_rest.size();
        if (std::align(alignment, size, place, space) == nullptr) {
            return Error::no_space;
        }
        std::span<std::byte> const taken = m_rest.last(space).first(size);
        m_rest = m_rest.last(space - size);
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
        auto* const first = static_cast<T*>(static_cast<void*>(bytes.data()));
        std::uninitialized_value_construct_n(first, count);
        return std::span<T>(first, count);
    }

    usize bytes_left() const { return m_rest.size(); }

private:
    std::span<std::byte> m_rest;
};

} // namespace twofold
