// What a screen is to show of a prompt and a line: the plain model that the editor's drawing is
// compared with. Lays out everything, code point by code point, and knows no windows and no deltas.
#pragma once

#include "apps/shell/clusters.hpp"
#include "tests/apps/shell/console.hpp"

#include <optional>

namespace twofold::shell::testing {

struct Laid {
    std::vector<std::string> rows{""};
    u32 column = 0;
    u32 marks = 0;         ///< of the last cell
    bool has_base = false; ///< a mark has something to stand on

    void feed() {
        rows.emplace_back();
        column = 0;
    }
    void put(u32 columns, std::string const& bytes, u32 width, bool base) {
        if (column + width > columns) {
            feed();
        }
        rows.back() += bytes;
        column += width;
        marks = 0;
        has_base = base;
    }
    void put_point(u32 columns, CodePoint point) {
        std::string const bytes(text::encode_utf8(point).view());
        u32 const width = text::width_of(point);
        if (point < 0x20 || point == 0x7F) {
            put(columns, "^", 1, false);
            put(columns, std::string(1, static_cast<char>(point ^ 0x40)), 1, false);
        } else if (width > columns) {
            put(columns, "\uFFFD", 1, true);
        } else if (width > 0) {
            put(columns, bytes, width, true);
        } else {
            if (!has_base) {
                put(columns, "\u25CC", 1, true);
            }
            rows.back() += marks++ < text::Cell::marks_max ? bytes : "";
        }
    }
    void put_text(u32 columns, std::string_view letters) {
        for (usize at = 0; at < letters.size();) {
            DecodedPoint const next = decode_at(letters, at);
            put_point(columns, next.point);
            at += next.size;
        }
    }
};

struct Expected {
    std::vector<std::string> rows; ///< without blanks at their ends
    text::Cursor cursor;
};

/// `prompt` and `continuation` are plain and not empty.
inline Expected lay_out(
    u32 columns,
    std::string_view prompt,
    std::string_view continuation,
    std::string_view line,
    usize cursor) {
    Laid laid;
    text::Cursor at;
    laid.put_text(columns, prompt);
    laid.has_base = false;
    for (usize i = 0; i <= line.size();) {
        DecodedPoint const next = i < line.size() ? decode_at(line, i) : DecodedPoint{'\n', 1};
        if (i == cursor) {
            bool const is_wide = text::width_of(next.point) == 2 && columns > 1;
            Laid probe = laid;
            probe.put(columns, "", is_wide ? 2 : 1, false);
            at = {static_cast<u32>(probe.rows.size()) - 1, probe.column - (is_wide ? 2 : 1), false};
        }
        if (next.point == '\n' && (i < line.size() || i == cursor)) {
            laid.put(columns, "", 1, false); // where the cursor may stand
        }
        if (next.point == '\n' && i < line.size()) {
            laid.feed();
            laid.put_text(columns, continuation);
            laid.has_base = false;
        } else if (next.point != '\n') {
            laid.put_point(columns, next.point);
        }
        i += next.size;
    }
    for (std::string& row : laid.rows) {
        row.erase(row.find_last_not_of(' ') + 1);
    }
    return {laid.rows, at};
}

/// Why the screen does not show what is expected; nothing where it does. Where there are more rows
/// than the screen has, a window on them that holds the cursor.
inline std::optional<std::string> difference(text::Screen const& screen, Expected const& expected) {
    u32 const height = std::min(screen.size().rows, static_cast<u32>(expected.rows.size()));
    std::vector<char> room(screen.row_text_bytes());
    auto const shows = [&](u32 base, u32 top) {
        for (u32 i = 0; base + i < screen.size().rows; ++i) {
            std::string const& row = i < height ? expected.rows[top + i] : "";
            if (screen.text_of(screen.row(base + i), room) != row) {
                return false;
            }
        }
        return true;
    };
    text::Cursor const cursor = screen.cursor();
    if (cursor.column != expected.cursor.column) {
        return "the cursor is in column " + std::to_string(cursor.column) + ", not " +
               std::to_string(expected.cursor.column);
    }
    for (u32 top = 0; top + height <= expected.rows.size(); ++top) {
        bool const holds_cursor = expected.cursor.row >= top &&
                                  expected.cursor.row < top + height &&
                                  expected.cursor.row - top <= cursor.row;
        u32 const base = cursor.row - (expected.cursor.row - top);
        if (holds_cursor && base + height <= screen.size().rows && shows(base, top)) {
            return std::nullopt;
        }
    }
    std::string seen;
    for (u32 i = 0; i < screen.size().rows; ++i) {
        seen += "\n|" + std::string(screen.text_of(screen.row(i), room)) + "|";
    }
    seen += "\nthe cursor is in row " + std::to_string(cursor.row) + "; expected were:";
    for (std::string const& row : expected.rows) {
        seen += "\n|" + row + "|";
    }
    return "the screen shows:" + seen + "\nthe cursor in row " +
           std::to_string(expected.cursor.row);
}

/// The same for an editor without hints and lists.
inline std::optional<std::string> difference(Console const& console) {
    return difference(
        console.session.screen,
        lay_out(
            console.session.screen.size().columns, console.prompt, console.continuation,
            console.editor.line(), console.editor.cursor()));
}

} // namespace twofold::shell::testing
