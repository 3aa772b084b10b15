// Pager: a text screen by screen, as less shows it: keys in, what to draw out. On the alternate
// screen, so that what was there before is there afterwards.
//
//     Pager pager(allocator, console, {80, 24});
//     TRY(pager.add(text));
//     pager.begin();
//     do {
//         pager.refresh();
//     } while (pager.take(next_byte()) == Pager::Action::none);
//
// Pure: everything handed in outlives it. No thread safety.
#pragma once

#include "apps/shell/key_decoder.hpp"
#include "apps/shell/painter.hpp"

namespace twofold::shell {

class Pager {
public:
    static constexpr usize text_bytes_max = usize{16} << 20;
    static constexpr usize query_bytes_max = 256;

    enum class Action : u8 { none, quit };

    Pager(AnyAllocator& allocator, Output const& output, text::ScreenSize size);
    Pager(Pager const&) = delete;
    Pager& operator=(Pager const&) = delete;

    /// More of the text; pieces may begin and end anywhere. Errors: those of allocate; no_space.
    Result<void> add(std::string_view text);
    usize lines() const { return m_ends.size() + (has_open_line() ? 1 : 0); }
    std::string_view line(usize index) const;
    /// Whether all of it is to be seen at once, so that nobody needs to page.
    bool fits() const;

    /// Takes the screen.
    void begin();
    /// Takes the next byte; `quit` gives the screen back. O(text) for a search, else O(screen).
    Action take(u8 byte);
    /// Gives the screen back, in the middle of whatever is typed.
    void end();
    /// Shows what has changed. O(screen).
    void refresh();
    /// The terminal has another size now; at least one cell.
    void resize(text::ScreenSize size);

    usize top() const { return m_top; }

private:
    enum class Prompt : u8 { none, query };
    struct RowLook {
        usize left; ///< the first cell that is seen
        Style style;
        std::string_view found; ///< what is inverse
    };

    Action take_key(Key const& key);
    Action take_letter(text::CodePoint letter);
    void take_query(Key const& key);
    void move_to(usize line);
    void move_down(usize lines) { move_to(m_top + std::min(lines, this->lines())); }
    void move_up(usize lines) { move_to(m_top - std::min(lines, m_top)); }
    void find_next(usize from);
    void find_previous();
    bool matches(usize index) const {
        return line(index).find(m_query.view()) != std::string_view::npos;
    }
    /// Rows for the text; the last row of the screen is for the status where there are two.
    u32 text_rows() const { return m_size.rows > 1 ? m_size.rows - 1 : 1; }
    usize top_max() const { return lines() - std::min<usize>(text_rows(), lines()); }
    bool has_open_line() const { return m_text.size() > (m_ends.empty() ? 0 : m_ends.back()); }
    Result<void> compose();
    Result<void> put_row(u32 row, std::string_view text, RowLook const& look);
    Result<void> put_status(u32 row);

    text::ScreenSize m_size;
    Painter m_painter;
    KeyDecoder m_keys;
    Letters m_text;
    memory::Vector<u32, AnyAllocator> m_ends; ///< of lines, behind their line feed
    Frame m_frame;
    usize m_top = 0;  ///< the line in the first row
    usize m_left = 0; ///< cells that lie to the left of the screen
    Prompt m_prompt = Prompt::none;
    FixedString<query_bytes_max> m_query;
    FixedString<query_bytes_max> m_typed; ///< the query that is being typed
    std::string_view m_notice;
    bool m_is_lost = false; ///< what the screen shows is not known
};

} // namespace twofold::shell
