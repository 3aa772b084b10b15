// JSON text, written and searched. See json_text.hpp.
#include "apps/launch/json_text.hpp"

#include <fmt/format.h>

#include <charconv>
#include <iterator>

namespace twofold::launch {

namespace {

constexpr u32 replacement_character = 0xFFFD;
constexpr unsigned nesting_max = 64;

/// Length of the UTF-8 sequence at the front of `text` (RFC 3629: shortest form, no surrogates, at
/// most U+10FFFF), 0 if there is none.
usize utf8_length(std::string_view text) {
    auto const byte = [&](usize index) { return static_cast<unsigned char>(text[index]); };
    unsigned const lead = byte(0);
    if (lead < 0x80) {
        return 1;
    }
    usize const length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length) {
        return 0;
    }
    for (usize index = 1; index < length; ++index) {
        if ((byte(index) & 0xC0) != 0x80) {
            return 0;
        }
    }
    unsigned const second = byte(1);
    bool const overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
    bool const surrogate = lead == 0xED && second > 0x9F;
    bool const too_large = lead == 0xF4 && second > 0x8F;
    return overlong || surrogate || too_large ? 0 : length;
}

void append_utf8(std::string& out, u32 point) {
    if (point < 0x80) {
        out += static_cast<char>(point);
    } else if (point < 0x800) {
        out += static_cast<char>(0xC0 | (point >> 6));
        out += static_cast<char>(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        out += static_cast<char>(0xE0 | (point >> 12));
        out += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (point & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | (point >> 18));
        out += static_cast<char>(0x80 | ((point >> 12) & 0x3F));
        out += static_cast<char>(0x80 | ((point >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (point & 0x3F));
    }
}

/// Walks over JSON text from its front. Each `skip` answers whether what it skips was there.
class Cursor {
public:
    explicit Cursor(std::string_view text) : m_rest(text) {}

    std::string_view rest() const { return m_rest; }

    bool take(char letter) {
        skip_blanks();
        if (m_rest.empty() || m_rest[0] != letter) {
            return false;
        }
        m_rest.remove_prefix(1);
        return true;
    }

    void skip_blanks() {
        m_rest.remove_prefix(std::min(m_rest.find_first_not_of(" \t\r\n"), m_rest.size()));
    }

    bool skip_string() {
        if (!take('"')) {
            return false;
        }
        while (!m_rest.empty()) {
            char const letter = m_rest[0];
            m_rest.remove_prefix(1);
            if (letter == '"') {
                return true;
            }
            if (letter == '\\' && !m_rest.empty()) {
                m_rest.remove_prefix(1);
            }
        }
        return false;
    }

    bool skip_value(unsigned depth = 0) {
        skip_blanks();
        if (m_rest.empty() || depth > nesting_max) {
            return false;
        }
        switch (m_rest[0]) {
        case '"':
            return skip_string();
        case '{':
            return skip_container('}', true, depth);
        case '[':
            return skip_container(']', false, depth);
        default:
            return skip_word();
        }
    }

private:
    bool skip_container(char closing, bool has_keys, unsigned depth) {
        m_rest.remove_prefix(1);
        if (take(closing)) {
            return true;
        }
        do {
            if (has_keys && !(skip_string() && take(':'))) {
                return false;
            }
            if (!skip_value(depth + 1)) {
                return false;
            }
        } while (take(','));
        return take(closing);
    }

    /// A number, true, false or null; not looked at closely.
    bool skip_word() {
        usize const length = std::min(m_rest.find_first_of(",:{}[]\" \t\r\n"), m_rest.size());
        m_rest.remove_prefix(length);
        return length > 0;
    }

    std::string_view m_rest;
};

/// Reads the four digits behind \u.
std::optional<u32> take_hex4(std::string_view& text) {
    u32 value = 0;
    if (text.size() < 4) {
        return std::nullopt;
    }
    auto const [end, error] = std::from_chars(text.data(), text.data() + 4, value, 16);
    if (error != std::errc{} || end != text.data() + 4) {
        return std::nullopt;
    }
    text.remove_prefix(4);
    return value;
}

/// Reads what follows \u: one code unit, or two that make a surrogate pair.
std::optional<u32> take_code_point(std::string_view& text) {
    auto const first = take_hex4(text);
    if (!first || (*first & 0xF800) != 0xD800) {
        return first;
    }
    if ((*first & 0x0400) == 0 && text.starts_with("\\u")) {
        std::string_view after = text.substr(2);
        auto const second = take_hex4(after);
        if (second && (*second & 0xFC00) == 0xDC00) {
            text = after;
            return 0x10000 + ((*first & 0x3FF) << 10) + (*second & 0x3FF);
        }
    }
    return replacement_character;
}

/// Appends what the escape at the front of `text`, behind its backslash, stands for.
bool take_escape(std::string& out, std::string_view& text) {
    char const letter = text[0];
    text.remove_prefix(1);
    if (letter == 'u') {
        auto const point = take_code_point(text);
        if (point) {
            append_utf8(out, *point);
        }
        return point.has_value();
    }
    constexpr std::string_view letters = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    auto const index = letters.find(letter);
    if (index == std::string_view::npos) {
        return false;
    }
    out += meanings[index];
    return true;
}

} // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        usize const length = utf8_length(text);
        char const letter = text[0];
        if (length == 0) {
            out += "\\ufffd";
        } else if (letter == '"' || letter == '\\') {
            out += '\\';
            out += letter;
        } else if (letter == '\n') {
            out += "\\n";
        } else if (length == 1 && (letter < 0x20 || letter == 0x7f)) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(letter));
        } else {
            out += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    out += '"';
}

std::optional<std::string_view> json_member(std::string_view json, std::string_view key) {
    Cursor cursor(json);
    if (!cursor.take('{') || cursor.take('}')) {
        return std::nullopt;
    }
    do {
        cursor.skip_blanks();
        std::string_view const name = cursor.rest();
        if (!cursor.skip_string()) {
            return std::nullopt;
        }
        bool const found = name.substr(1, name.size() - cursor.rest().size() - 2) == key;
        if (!cursor.take(':')) {
            return std::nullopt;
        }
        cursor.skip_blanks();
        std::string_view const value = cursor.rest();
        if (!cursor.skip_value()) {
            return std::nullopt;
        }
        if (found) {
            return value.substr(0, value.size() - cursor.rest().size());
        }
    } while (cursor.take(','));
    return std::nullopt;
}

std::optional<std::string> json_string(std::string_view raw) {
    if (raw.size() < 2 || raw.front() != '"' || raw.back() != '"') {
        return std::nullopt;
    }
    raw = raw.substr(1, raw.size() - 2);
    std::string out;
    while (!raw.empty()) {
        char const letter = raw[0];
        raw.remove_prefix(1);
        if (letter == '"') {
            return std::nullopt;
        }
        if (letter != '\\') {
            out += letter;
        } else if (raw.empty() || !take_escape(out, raw)) {
            return std::nullopt;
        }
    }
    return out;
}

} // namespace twofold::launch
