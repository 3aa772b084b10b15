// The syntax of the shell: a line becomes a list of pipelines of commands of words. docs/shell.md
// holds the grammar.
//
//     Problem problem;
//     Result<ParsedLine> const parsed = ParsedLine::parse(allocator, "a=1 ps | where cpu > $a",
//     problem);
//
// A variable is exactly one word, or a piece of one, whatever blanks its value holds: nothing is
// split or parsed again. Source of the rules for quotes: POSIX.1-2017, "Shell command language",
// 2.2. Pure.
#pragma once

#include "apps/shell/letters.hpp"

#include <span>

namespace twofold::shell {

inline constexpr usize text_bytes_max = 65'536; ///< of one line with its further rows
inline constexpr usize words_max = 4096;        ///< of one line, assignments among them
inline constexpr usize commands_max = 256;      ///< of one line

/// What is wrong with a text, and where.
struct Problem {
    u32 column = 0; ///< in characters of its row, from 1
    FixedString<320> text;
};

/// A piece of a word: letters as they are, or the name of a variable ("?" is the last status).
struct Part {
    bool is_variable;
    u32 offset; ///< in the letters of the line
    u32 size;

    bool operator==(Part const&) const = default;
};

struct Range {
    u32 begin = 0;
    u32 end = 0;

    u32 size() const { return end - begin; }
    bool operator==(Range const&) const = default;
};

struct Word {
    Range parts;  ///< none: an empty word
    u32 name = 0; ///< bytes of the name before '=', for assignments; it is the first part

    bool operator==(Word const&) const = default;
};

/// Assignments, and behind them words; one of both at least.
struct Command {
    Range assignments;
    Range words;

    bool operator==(Command const&) const = default;
};

/// How a pipeline depends on the one before it.
enum class Condition : u8 { always, success, failure };

struct Pipeline {
    Range commands;
    Condition condition = Condition::always;
    bool background = false; ///< of all that `&&` and `||` join, or of none

    bool operator==(Pipeline const&) const = default;
};

/// The allocator outlives it.
class ParsedLine {
public:
    /// Errors: truncated (quotes, a pipe or a backslash wait for another row), invalid_argument,
    /// no_space (more than the bounds above); all these with a `problem`; and those of allocate.
    /// O(text).
    static Result<ParsedLine>
    parse(AnyAllocator& allocator, std::string_view text, Problem& problem);

    std::span<Pipeline const> pipelines() const { return m_pipelines.items(); }
    std::span<Command const> commands(Pipeline const& of) const {
        return part_of<Command>(m_commands.items(), of.commands);
    }
    std::span<Word const> assignments(Command const& of) const {
        return part_of<Word>(m_words.items(), of.assignments);
    }
    std::span<Word const> words(Command const& of) const {
        return part_of<Word>(m_words.items(), of.words);
    }
    /// The pieces of a word, or of an assignment's value.
    std::span<Part const> parts(Word const& of) const {
        Range const value{of.parts.begin + (of.name > 0 ? 1u : 0u), of.parts.end};
        return part_of<Part>(m_parts.items(), value);
    }
    std::string_view name(Word const& of) const {
        CHECK(of.name > 0);
        return text(m_parts[of.parts.begin]);
    }
    std::string_view text(Part const& of) const { return slice(m_letters, of.offset, of.size); }

    /// Writes a line that parses to the same. Errors: those of allocate. O(line).
    Result<void> print(Letters& to) const;

    bool operator==(ParsedLine const& other) const;

private:
    friend class Parser;

    explicit ParsedLine(AnyAllocator& allocator)
        : m_letters(allocator),
          m_parts(allocator),
          m_words(allocator),
          m_commands(allocator),
          m_pipelines(allocator) {}

    template<class T>
    static std::span<T const> part_of(std::span<T const> all, Range range) {
        return all.subspan(range.begin, range.size());
    }

    Letters m_letters;
    memory::Vector<Part, AnyAllocator> m_parts;
    memory::Vector<Word, AnyAllocator> m_words;
    memory::Vector<Command, AnyAllocator> m_commands;
    memory::Vector<Pipeline, AnyAllocator> m_pipelines;
};

/// Whether a line goes on in another row: quotes, a pipe or a backslash wait for it. What cannot be
/// told for want of memory does not. O(text).
bool is_incomplete(AnyAllocator& allocator, std::string_view text);

/// Whether a variable may be called so: [A-Za-z_][A-Za-z0-9_]*, at most Variables::name_bytes_max.
bool is_variable_name(std::string_view text);

} // namespace twofold::shell
