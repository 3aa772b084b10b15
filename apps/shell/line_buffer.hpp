// LineBuffer: a line that is being edited, as a value: letters, a cursor, what can be undone, what
// was killed. Knows no keys and no screen. The names are those of GNU Readline.
//
// Invariants: the cursor lies where a cluster begins (clusters.hpp) or at the end; the line has at
// most line_bytes_max bytes.
#pragma once

#include "apps/shell/letters.hpp"

namespace twofold::shell {

inline constexpr usize line_bytes_max = 65'536;

/// The allocator outlives it. Not thread-safe. Errors of all that change it: those of allocate,
/// no_space (the line would be too long); it is then as it was. Each is O(line).
class LineBuffer {
public:
    static constexpr usize undo_steps_max = 1000;
    static constexpr usize undo_bytes_max = usize{128} << 10;

    explicit LineBuffer(AnyAllocator& allocator)
        : m_line(allocator), m_killed(allocator), m_removed(allocator), m_steps(allocator) {}

    std::string_view view() const { return m_line; }
    usize size() const { return m_line.size(); }
    usize cursor() const { return m_cursor; }
    std::string_view killed() const { return m_killed; }
    std::string_view before_cursor() const { return slice(m_line, 0, m_cursor); }

    /// An empty line. What was killed stays.
    void clear();
    /// Another line, the cursor at its end; one step to undo.
    Result<void> assign(std::string_view line) { return replace(0, size(), line); }
    /// Text at the cursor, which goes behind it. What is typed is undone word by word.
    Result<void> insert(std::string_view text) { return replace(m_cursor, 0, text); }
    Result<void> type(std::string_view cluster);
    /// Puts `text` in the place of [from, to); the cursor goes behind it.
    Result<void> replace_range(usize from, usize to, std::string_view text) {
        return replace(from, to - from, text);
    }

    // The cursor.
    void move_to(usize at) { m_cursor = cluster_start(at); }
    usize left_of_cursor() const;
    usize right_of_cursor() const;
    usize word_left() const;  ///< where the word before the cursor begins
    usize word_right() const; ///< where the word behind the cursor ends
    usize blank_left() const; ///< the same as word_left for words that blanks divide
    usize row_start() const;  ///< of the row of a line with line feeds
    usize row_end() const;
    /// A row up or down in a line with line feeds; false where there is none.
    bool move_row_up();
    bool move_row_down();

    // Edits.
    Result<void> erase(usize from, usize to) { return replace(from, to - from, {}); }
    /// Erases, and keeps for `yank`. `joins`: behind (before) what was killed just before.
    Result<void> kill(usize from, usize to, bool joins);
    Result<void> yank() { return insert_copy(m_killed); }
    /// Exchanges the clusters around the cursor, or the last two at the end of the line.
    Result<void> transpose();
    /// Takes the last step back; false where there is none.
    Result<bool> undo();

private:
    struct Step {
        u32 at;
        u32 inserted;
        u32 removed; ///< bytes, on top of m_removed
        u32 cursor;  ///< before the step
        bool typed;
    };

    Result<void> replace(usize at, usize removed, std::string_view inserted);
    Result<void> insert_copy(Letters const& text) { return insert(text.view()); }
    void note_step(Step const& step);
    void forget_steps();
    void forget_old_steps();
    usize cluster_start(usize at) const;

    Letters m_line;
    usize m_cursor = 0;
    Letters m_killed;
    Letters m_removed; ///< what the steps removed, one behind another
    memory::Vector<Step, AnyAllocator> m_steps;
};

} // namespace twofold::shell
