// LineEditor: a person's keys become a line, seen while it is written. Emacs keys, history, reverse
// search, completion, hints, undo and kills as GNU Readline and fish have them; docs/shell.md lists
// the keys.
//
//     LineEditor editor(allocator, console, {80, 24}, history, completer);
//     editor.begin("> ", ". ");
//     for (;;) {
//         editor.refresh();                        // when no more bytes are there to be read
//         if (editor.take(next_byte()) == Action::line) {
//             run(editor.line());
//             editor.begin("> ", ". ");
//         }
//     }
//
// Bytes change a value (LineBuffer); `refresh` shows it. So text that comes at once is drawn once.
// Where there is no memory a key does nothing but say so. Pure: no clock, no machine; everything
// handed in outlives it. No thread safety.
#pragma once

#include "apps/shell/completion.hpp"
#include "apps/shell/history.hpp"
#include "apps/shell/key_decoder.hpp"
#include "apps/shell/line_buffer.hpp"
#include "apps/shell/painter.hpp"

namespace twofold::shell {

/// What a byte asks of whoever runs the editor. After all but `none` the cursor stands at the
/// beginning of a new row, and nothing is taken until `begin`.
enum class Action : u8 {
    none,
    line,      ///< `line` was entered
    end,       ///< ctrl-D on an empty line
    interrupt, ///< ctrl-C; the line is dropped
};

class LineEditor {
public:
    static constexpr usize prompt_bytes_max = 1024; ///< what is longer is cut

    LineEditor(
        AnyAllocator& allocator,
        Output const& output,
        text::ScreenSize size,
        History& history,
        Completer& completer);
    LineEditor(LineEditor const&) = delete;
    LineEditor& operator=(LineEditor const&) = delete;

    /// Begins an empty line where the cursor is, which is the beginning of an empty row. Prompts
    /// may hold colours; `continuation` stands before the further rows of a line.
    void begin(std::string_view prompt, std::string_view continuation);
    /// Takes the next byte from the terminal. O(line); completion costs what the completer does.
    Action take(u8 byte);
    /// Shows what has changed. O(line).
    void refresh();
    /// The line; valid until the next call that changes it.
    std::string_view line() const { return m_line.view(); }
    usize cursor() const { return m_line.cursor(); }

    /// The terminal has another size now; at least one cell. Draws with the next refresh.
    void resize(text::ScreenSize size);
    /// Takes the line from the screen, so that others may print whole rows; the next refresh brings
    /// it back.
    void hide() { m_painter.hide(); }
    /// Others have printed without `hide`: the line is drawn anew, in a row of its own.
    void repaint();

private:
    /// What the last key was, where the next one depends on it.
    enum class Last : u8 { other, kill, completion };
    struct Search {
        bool runs = false;
        bool failed = false;
        usize age = 0; ///< of the line that is shown
    };

    Action take_key(Key const& key);
    Action take_control(u8 control);
    Action take_enter();
    Action finish(Action action);
    void take_alt(u8 letter);
    void take_letter(Key const& key);
    void take_motion(Key const& key);
    bool take_swallowed(Key const& key);
    Result<void> edit_control(u8 control);
    void note(Result<void> const& result);
    void kill(usize from, usize to);
    void complete();
    Result<void> try_complete();
    std::string_view hint() const;
    bool accept_hint(bool whole);
    void walk_up();
    void walk_down();

    // Reverse search (line_editor_search.cpp).
    void begin_search();
    bool take_search(Key const& key);
    void find(usize from);
    void find_younger();
    void show_found(usize age);
    void end_search(bool accepts);
    Result<void> search_prompt(Letters& prompt) const;

    void draw();
    Result<void> compose_scene();
    void say_no_memory();

    AnyAllocator* m_allocator;
    Painter m_painter;
    text::ScreenSize m_size;
    History* m_history;
    Completer* m_completer;
    KeyDecoder m_keys;
    LineBuffer m_line;
    Letters m_prompt;
    Letters m_continuation;
    Letters m_escapes; ///< of both
    Style m_continuation_style = style_plain;
    Letters m_cluster; ///< bytes of a code point that is being inserted
    Letters m_typed;   ///< the line before history or search replaced it
    bool m_walks = false;
    usize m_age = 0; ///< of the line of history that is shown
    Search m_search;
    Letters m_query;
    Candidates m_candidates;
    bool m_lists = false;
    Last m_last = Last::other;
    Last m_now = Last::other;
    std::string_view m_notice;
    bool m_swallows = false; ///< the line was too long; its rest is dropped
    Letters m_below;
    Letters m_shown_prompt;
    Frame m_frame;
    u32 m_top = 0;
    bool m_said_no_memory = false;
    bool m_began = false;
};

} // namespace twofold::shell
