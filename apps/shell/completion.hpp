// Completion of the word under the cursor: what a Completer is asked, what it answers, and how the
// answers are listed. Pure.
#pragma once

#include "apps/shell/letters.hpp"
#include "core/text/text.hpp"

#include <span>

namespace twofold::shell {

/// What the word under the cursor may become.
struct Candidate {
    std::string_view text;
    std::string_view description; ///< a few words; may be empty
};

/// Candidates, sorted by their text, each once. The allocator outlives it.
class Candidates {
public:
    static constexpr usize count_max = 1000;

    explicit Candidates(AnyAllocator& allocator) : m_bytes(allocator), m_items(allocator) {}

    /// Only what begins with `word` is taken from now on; it stays where it is until `finish`.
    void begin(std::string_view word);
    /// A candidate; what does not begin with the word is passed over. Errors: those of allocate;
    /// invalid_argument (control characters); no_space (count_max are there). O(text).
    Result<void> add(std::string_view text, std::string_view description = {});
    /// Sorts them and drops what is there twice. O(n log n).
    void finish();

    usize size() const { return m_items.size(); }
    Candidate operator[](usize index) const;
    /// What all of them begin with, in whole code points. O(bytes).
    std::string_view common_prefix() const;

private:
    struct Item {
        u32 offset;
        u32 text_size;
        u32 description_size;
    };

    std::string_view text_of(Item const& item) const {
        return slice(m_bytes, item.offset, item.text_size);
    }

    std::string_view m_word;
    Letters m_bytes;
    memory::Vector<Item, AnyAllocator> m_items;
};

/// What a completer is asked.
struct CompletionRequest {
    std::span<std::string_view const> words; ///< of the command, before the cursor's; unquoted
    std::string_view word;                   ///< from its beginning to the cursor; unquoted
    std::string_view before = {}; ///< of the pipeline, up to the last `|`, as it is typed
};

/// Knows names. Whoever runs an editor implements it.
class Completer {
public:
    /// Adds what `request.word` may become. Called from within LineEditor::take; errors that `add`
    /// returns may be returned.
    virtual Result<void> complete(CompletionRequest const& request, Candidates& candidates) = 0;
    /// Whether enter is to continue the line in another row instead of ending it; for the syntax of
    /// the shell this is is_incomplete(line).
    virtual bool needs_more(std::string_view line) = 0;

protected:
    ~Completer() = default;
};

/// The word that a cursor stands behind.
class CursorWord {
public:
    static constexpr usize words_max = 64; ///< further ones of the command are not handed on

    explicit CursorWord(AnyAllocator& allocator) : m_letters(allocator) {}

    /// Reads what stands before a cursor, by the rules of the syntax for quotes and separators.
    /// Errors: those of allocate. The text outlives the answer. O(text).
    Result<void> read(std::string_view before_cursor);

    usize start() const { return m_start; } ///< of the word in the line, quotes included
    char quote() const { return m_quote; }  ///< the one that is open, or 0
    CompletionRequest request() const { return {{m_words, m_count}, m_word, m_before}; }

private:
    void end_word(usize letters_before);
    void end_command(std::string_view before_cursor, usize at);

    Letters m_letters; ///< the words without quotes, one behind another
    usize m_ends[words_max] = {};
    std::string_view m_words[words_max];
    std::string_view m_word;
    std::string_view m_before;
    usize m_pipeline = 0; ///< where the pipeline begins
    usize m_count = 0;
    usize m_start = 0;
    char m_quote = 0;
};

/// Appends a word as it is to be typed behind the opening quote (or none, 0) that stands already.
/// Errors: those of allocate.
Result<void> append_quoted(std::string_view word, char quote, Letters& to);

/// Candidates in columns for a screen with that many columns, in at most `rows_max` rows; the last
/// one says how many more there are. Rows are divided by line feeds. Errors: those of allocate.
Result<void>
list_candidates(Candidates const& candidates, u32 columns, u32 rows_max, Letters& rows);

} // namespace twofold::shell
