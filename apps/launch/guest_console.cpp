// Filters of the guest's console. See guest_console.hpp.
#include "apps/launch/guest_console.hpp"

#include <algorithm>

namespace twofold::launch {

namespace {

constexpr usize held_bytes_max = usize{32} << 10; // a boot loader draws a whole screen
constexpr char escape = '\x01';                   // ctrl-A

/// Behind the nonce at `at`: the first byte of the next line, npos if the line does not end there.
usize line_after(std::string_view text, usize at) {
    usize end = at;
    while (end < text.size() && text[end] == '\r') {
        ++end;
    }
    return end < text.size() && text[end] == '\n' ? end + 1 : std::string_view::npos;
}

/// The length of the terminal control sequence (ECMA-48) at the front of `text`, which begins with
/// ESC.
usize sequence_length(std::string_view text) {
    if (text.size() < 2 || text[1] != '[') {
        return std::min<usize>(text.size(), 2);
    }
    usize length = 2;
    while (length < text.size() && (text[length] < '@' || text[length] > '~')) {
        ++length;
    }
    return std::min(length + 1, text.size());
}

} // namespace

void OutputFilter::feed(std::string_view bytes, ByteQueue& out) {
    if (m_open) {
        out.append(bytes);
        return;
    }
    m_held += bytes;
    usize at = 0;
    while ((at = m_held.find(m_nonce, at)) != std::string::npos) {
        at += m_nonce.size();
        if (usize const start = line_after(m_held, at); start != std::string::npos) {
            out.append(std::string_view(m_held).substr(start));
            m_held.clear();
            m_open = true;
            return;
        }
    }
    if (m_held.size() > held_bytes_max) {
        m_held.erase(0, m_held.size() - held_bytes_max);
    }
}

std::string readable_end(std::string_view text, usize bytes_max) {
    std::string out;
    while (!text.empty()) {
        char letter = text[0];
        usize length = 1;
        if (letter == '\x1b') {
            length = sequence_length(text);
            letter = ' '; // most of them move the cursor
        }
        text.remove_prefix(length);
        if (letter == '\n') {
            while (out.ends_with(' ')) {
                out.pop_back();
            }
        }
        bool const blank = letter == ' ' || letter == '\n';
        bool const after_blank = out.empty() || out.back() == ' ' || out.back() == '\n';
        if (blank ? !after_blank : static_cast<unsigned char>(letter) > ' ' && letter != '\x7f') {
            out += letter;
        }
    }
    out.erase(0, out.size() - std::min(out.size(), bytes_max));
    return out;
}

KeyFilter::Wishes KeyFilter::feed(std::string_view bytes, std::string& guest) {
    Wishes wishes;
    for (char const letter : bytes) {
        if (!m_escaped) {
            m_escaped = letter == escape;
            if (!m_escaped) {
                guest += letter;
            }
            continue;
        }
        m_escaped = false;
        if (letter == 'x') {
            wishes.quit = true;
            break;
        }
        if (letter == 'h') {
            wishes.help = true;
        } else if (letter == escape) {
            guest += escape;
        }
    }
    return wishes;
}

} // namespace twofold::launch
