// Letters: text that is edited, in memory of an allocator.
#pragma once

#include "apps/shell/any_allocator.hpp"
#include "core/memory/containers/vector.hpp"

#include <algorithm>
#include <string_view>

namespace twofold::shell {

/// The allocator outlives it. Not thread-safe.
class Letters {
public:
    /// An empty text; takes no memory.
    explicit Letters(AnyAllocator& allocator) : m_letters(allocator) {}

    usize size() const { return m_letters.size(); }
    bool empty() const { return m_letters.empty(); }
    std::string_view view() const { return {m_letters.items().data(), m_letters.size()}; }
    operator std::string_view() const { return view(); }

    /// Puts `inserted`, which does not lie in this text, in the place of `removed` bytes at `at`.
    /// Errors: those of allocate; the text is then as it was. O(size).
    Result<void> replace(usize at, usize removed, std::string_view inserted) {
        CHECK(at <= size() && removed <= size() - at);
        usize const old_size = size();
        usize const new_size = old_size - removed + inserted.size();
        if (new_size > m_letters.capacity()) {
            TRY(m_letters.reserve(std::max(new_size, m_letters.capacity() * 2)));
        }
        if (new_size > old_size) {
            m_letters.append_copies(slice(inserted, 0, new_size - old_size));
            std::span<char> const all = m_letters.items();
            std::copy_backward(
                all.begin() + static_cast<i64>(at + removed),
                all.begin() + static_cast<i64>(old_size), all.end());
        } else {
            std::span<char> const all = m_letters.items();
            std::copy(
                all.begin() + static_cast<i64>(at + removed), all.end(),
                all.begin() + static_cast<i64>(at + inserted.size()));
            while (m_letters.size() > new_size) {
                m_letters.pop();
            }
        }
        std::copy(inserted.begin(), inserted.end(), m_letters.begin() + at);
        return {};
    }
    /// Appends `text`, which does not lie in this text. Errors: those of allocate.
    Result<void> append(std::string_view text) { return replace(size(), 0, text); }
    /// Becomes a copy of `text`, which does not lie in this text. Errors: those of allocate; it is
    /// then as it was.
    Result<void> assign(std::string_view text) { return replace(0, size(), text); }
    void cut(usize new_size) {
        CHECK(new_size <= size());
        while (size() > new_size) {
            m_letters.pop();
        }
    }
    void clear() { m_letters.clear(); }
    AnyAllocator& allocator() const { return m_letters.allocator(); }

private:
    memory::Vector<char, AnyAllocator> m_letters;
};

} // namespace twofold::shell
