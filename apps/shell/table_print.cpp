// Tables as text for people, and as JSON for programs.
#include "apps/shell/glyphs.hpp"
#include "apps/shell/table.hpp"

namespace twofold::shell {

namespace {

constexpr u32 column_gap = 2;
constexpr std::string_view ellipsis = "\u2026";
/// Columns of text are not made narrower than this to fit on a screen.
constexpr u32 text_width_min = 8;

struct Widths {
    u32 items[Table::columns_max] = {};
    u32 count = 0;

    u32 total() const {
        u32 sum = count > 0 ? (count - 1) * column_gap : 0;
        for (u32 i = 0; i < count; ++i) {
            sum += items[i];
        }
        return sum;
    }
};

Widths measure(Table const& table) {
    Widths widths;
    widths.count = static_cast<u32>(table.columns());
    for (usize column = 0; column < table.columns(); ++column) {
        usize width = cells_of(table.name(column));
        for (usize row = 0; row < table.rows(); ++row) {
            char buffer[quantity_bytes_max];
            width = std::max(width, cells_of(cell_text(table, row, column, buffer)));
        }
        widths.items[column] = static_cast<u32>(width);
    }
    return widths;
}

/// Narrows the widest columns of text until the table fits, as far as that goes.
void narrow(Widths& widths, Table const& table, u32 screen_columns) {
    for (u32 round = 0; round < widths.count && widths.total() > screen_columns; ++round) {
        u32 widest = widths.count;
        for (u32 i = 0; i < widths.count; ++i) {
            bool const is_text = table.kind(i) == Kind::text && widths.items[i] > text_width_min;
            if (is_text && (widest == widths.count || widths.items[i] > widths.items[widest])) {
                widest = i;
            }
        }
        if (widest == widths.count) {
            return;
        }
        u32 const surplus = widths.total() - screen_columns;
        u32& width = widths.items[widest];
        width -= std::min(surplus, width - text_width_min);
    }
}

/// Writes one row, and nothing beyond the screen's last column.
class RowWriter {
public:
    RowWriter(Output const& out, u32 columns) : m_out(out), m_left(columns) {}

    /// Text in `width` cells, on the left or on the right of them.
    void put(std::string_view text, u32 width, bool right) {
        auto const taken = static_cast<u32>(cells_of(text));
        u32 const blanks = width - std::min(taken, width);
        put_blanks(right ? blanks : 0);
        put_text(text, width);
        m_owed += right ? 0 : blanks;
    }
    void put_blanks(u32 count) { m_owed += count; }

private:
    /// What is wider than `width`, or than what is left of the row, ends in an ellipsis.
    void put_text(std::string_view text, u32 width) {
        if (text.empty()) {
            return;
        }
        u32 const owed = std::min(m_owed, m_left);
        for (u32 i = 0; i < owed; ++i) {
            m_out.write(" ");
        }
        m_owed = 0;
        m_left -= owed;
        width = std::min(width, m_left);
        auto const taken = static_cast<u32>(cells_of(text));
        bool const is_cut = taken > width;
        u32 room = is_cut && width > 0 ? width - 1 : width;
        m_left -= is_cut ? width : taken; // the blanks behind it are paid for when they are written
        for (usize at = 0; at < text.size();) {
            usize const end = next_cluster(text, at);
            std::string_view const cluster = slice(text, at, end - at);
            auto const cells = static_cast<u32>(cells_of(cluster));
            if (cells > room) {
                break;
            }
            put_cluster(cluster);
            room -= cells;
            at = end;
        }
        if (is_cut && width > 0) {
            m_out.write(ellipsis);
            m_owed = room; // where a wide character did not fit
            m_left += room;
        }
    }
    void put_cluster(std::string_view cluster) {
        ShownCluster const shown = show_cluster(cluster, ~u32{0});
        for (ShownGlyph const& glyph : shown.items()) {
            m_out.write(glyph.view());
        }
    }

    Output const& m_out;
    u32 m_left;
    u32 m_owed = 0; ///< blanks, written once something follows
};

void write_json_text(std::string_view text, Output const& out) {
    out.write("\"");
    for (usize at = 0; at < text.size();) {
        DecodedPoint const next = decode_at(text, at);
        at += next.size;
        char const letter = static_cast<char>(next.point);
        switch (next.point) {
        case '"':
        case '\\':
            out.write("\\");
            out.write({&letter, 1});
            break;
        case '\n':
            out.write("\\n");
            break;
        case '\t':
            out.write("\\t");
            break;
        case '\r':
            out.write("\\r");
            break;
        default:
            if (is_control(next.point)) {
                format_to(out, "\\u{:04x}", next.point);
            } else {
                out.write(text::encode_utf8(next.point).view());
            }
        }
    }
    out.write("\"");
}

void write_json_cell(Table const& table, usize row, usize column, Output const& out) {
    Kind const kind = table.kind(column);
    if (kind == Kind::text) {
        write_json_text(table.text(row, column), out);
    } else if (kind == Kind::address) {
        format_to(out, "\"{:#x}\"", table.number(row, column));
    } else if (kind == Kind::percent) {
        u64 const value = table.number(row, column);
        format_to(out, "{}.{:02}", value / 100, value % 100);
    } else {
        format_to(out, "{}", table.number(row, column));
    }
}

} // namespace

std::string_view
cell_text(Table const& table, usize row, usize column, char (&buffer)[quantity_bytes_max]) {
    Kind const kind = table.kind(column);
    return kind == Kind::text ? table.text(row, column)
                              : format_quantity(kind, table.number(row, column), buffer);
}

void print_table(Table const& table, PrintOptions const& options, Output const& out) {
    u32 const columns = options.screen_columns == 0 ? ~u32{0} : options.screen_columns;
    Widths widths = measure(table);
    narrow(widths, table, columns);
    for (usize line = 0; line <= table.rows() && table.columns() > 0; ++line) {
        RowWriter writer(out, columns);
        for (usize column = 0; column < table.columns(); ++column) {
            char buffer[quantity_bytes_max];
            writer.put_blanks(column > 0 ? column_gap : 0);
            std::string_view const text =
                line == 0 ? table.name(column) : cell_text(table, line - 1, column, buffer);
            writer.put(text, widths.items[column], table.kind(column) != Kind::text);
        }
        out.write("\n");
    }
}

void print_json(Table const& table, Output const& out) {
    out.write("[");
    for (usize row = 0; row < table.rows(); ++row) {
        out.write(row == 0 ? "\n  {" : ",\n  {");
        for (usize column = 0; column < table.columns(); ++column) {
            out.write(column == 0 ? "" : ", ");
            write_json_text(table.name(column), out);
            out.write(": ");
            write_json_cell(table, row, column, out);
        }
        out.write("}");
    }
    out.write(table.rows() > 0 ? "\n]\n" : "]\n");
}

} // namespace twofold::shell
