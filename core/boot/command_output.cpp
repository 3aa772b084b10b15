// Printing what commands say.
#include "core/boot/command_output.hpp"

namespace twofold::boot {

void CommandOutput::table(std::span<Column const> columns) {
    CHECK(!columns.empty() && columns.size() <= columns_max);
    m_columns = columns.size();
    m_sink->table(columns);
}

void CommandOutput::row(std::span<Cell const> cells) {
    CHECK(cells.size() == m_columns);
    m_sink->row(cells);
}

void Printer::begin(std::string_view command) {
    if (m_is_json) {
        m_json.begin(command);
    }
}

void WholeLines::write(std::string_view text) {
    if (m_line.append(text)) {
        return;
    }
    flush();
    if (!m_line.append(text)) {
        m_sink.write(text);
    }
}

void WholeLines::flush() {
    if (!m_line.empty()) {
        m_sink.write(m_line);
        m_line.clear();
    }
}

void TextPrinter::line(std::string_view text) {
    m_out.write(text);
    m_out.end_line();
}

void TextPrinter::table(std::span<Column const> columns) {
    m_columns = columns;
    for (usize i = 0; i < columns.size(); ++i) {
        cell(columns[i], columns[i].name, i + 1 == columns.size());
    }
    m_out.end_line();
}

void TextPrinter::row(std::span<Cell const> cells) {
    for (usize i = 0; i < cells.size(); ++i) {
        cell(m_columns[i], cells[i], i + 1 == cells.size());
    }
    m_out.end_line();
}

void TextPrinter::cell(Column const& column, Cell const& cell, bool last) {
    switch (cell.kind()) {
    case Cell::Kind::text:
        if (last) {
            m_out.write(cell.text());
        } else {
            format_to(m_out.output(), "{:<{}}  ", cell.text(), column.width);
        }
        return;
    case Cell::Kind::number:
        format_to(m_out.output(), "{:>{}}{}", cell.number(), column.width, last ? "" : "  ");
        return;
    case Cell::Kind::address:
        format_to(m_out.output(), "{:<#{}x}{}", cell.number(), column.width, last ? "" : "  ");
        return;
    case Cell::Kind::percent:
        format_to(
            m_out.output(), "{:>{}}.{}{}", cell.number() / 100,
            column.width < 2 ? 0 : column.width - 2, cell.number() / 10 % 10, last ? "" : "  ");
        return;
    }
    UNREACHABLE();
}

void JsonPrinter::begin(std::string_view command) {
    m_first_object = true;
    m_columns = {};
    m_sink.write("{\"command\":");
    text(command);
    m_sink.write(",\"output\":[");
}

void JsonPrinter::end(u8 status) {
    format_to(m_sink, "],\"status\":{}}}\n", status);
}

void JsonPrinter::line(std::string_view line) {
    begin_object();
    m_sink.write("{\"text\":");
    text(line);
    m_sink.write("}");
}

void JsonPrinter::row(std::span<Cell const> cells) {
    begin_object();
    m_sink.write("{");
    for (usize i = 0; i < cells.size(); ++i) {
        text(m_columns[i].name);
        m_sink.write(":");
        cell(cells[i]);
        m_sink.write(i + 1 == cells.size() ? "}" : ",");
    }
}

void JsonPrinter::begin_object() {
    if (!m_first_object) {
        m_sink.write(",");
    }
    m_first_object = false;
}

void JsonPrinter::text(std::string_view text) {
    m_sink.write("\"");
    for (char const letter : text) { // RFC 8259, section 7
        if (letter == '"' || letter == '\\') {
            format_to(m_sink, "\\{}", letter);
        } else if (static_cast<u8>(letter) < 0x20) {
            format_to(m_sink, "\\u{:04x}", static_cast<u8>(letter));
        } else {
            m_sink.write({&letter, 1});
        }
    }
    m_sink.write("\"");
}

void JsonPrinter::cell(Cell const& cell) {
    switch (cell.kind()) {
    case Cell::Kind::text:
        text(cell.text());
        return;
    case Cell::Kind::number:
        format_to(m_sink, "{}", cell.number());
        return;
    case Cell::Kind::percent:
        format_to(m_sink, "{}.{:02}", cell.number() / 100, cell.number() % 100);
        return;
    case Cell::Kind::address: // beyond 2^53 a JSON number loses bits
        format_to(m_sink, "\"{:#x}\"", cell.number());
        return;
    }
    UNREACHABLE();
}

} // namespace twofold::boot
