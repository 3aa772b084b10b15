// String<A>: text in memory of an allocator. Without a terminating zero; look at it as a
// string_view.
#pragma once

#include "core/memory/containers/vector.hpp"

#include <string_view>

namespace twofold::memory {

/// The allocator outlives the string. Not thread-safe.
template<Allocator A>
class String {
public:
    /// An empty text; takes no memory.
    explicit String(A& allocator) : m_letters(allocator) {}
    /// A copy of `text`. Errors: those of allocate.
    static Result<String> create(A& allocator, std::string_view text) {
        String made(allocator);
        TRY(made.append(text));
        return made;
    }

    usize size() const { return m_letters.size(); }
    bool empty() const { return m_letters.empty(); }
    std::string_view view() const { return {m_letters.items().data(), m_letters.size()}; }
    operator std::string_view() const { return view(); }
    bool operator==(std::string_view other) const { return view() == other; }

    /// Appends `text`, which may lie in this string. On an error nothing was appended. Errors:
    /// those of allocate. O(size of both).
    Result<void> append(std::string_view text) {
        usize const wanted = m_letters.size() + text.size();
        if (wanted > m_letters.capacity()) {
            // The old letters stay until the new ones are copied: `text` may be among them.
            Vector<char, A> grown(m_letters.allocator());
            TRY(grown.reserve(std::max(wanted, m_letters.capacity() * 2)));
            grown.append_copies(m_letters.items());
            grown.append_copies(text);
            m_letters = std::move(grown);
            return {};
        }
        m_letters.append_copies(text);
        return {};
    }
    void clear() { m_letters.clear(); }

private:
    Vector<char, A> m_letters;
};

} // namespace twofold::memory
