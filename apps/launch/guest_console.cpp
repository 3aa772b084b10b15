// Filters of the guest's console. See guest_console.hpp.
#include "apps/launch/guest_console.hpp"

namespace twofold::launch {

namespace {

constexpr usize held_bytes_max = 4096;
constexpr char escape = '\x01'; // ctrl-A

/// Behind the nonce at `at`: the first byte of the next line, npos if the line does not end there.
usize line_after(std::string_view text, usize at) {
    usize end = at;
    while (end < text.size() && text[end] == '\r') {
        ++end;
    }
    return end < text.size() && text[end] == '\n' ? end + 1 : std::string_view::npos;
}

} // namespace

void OutputFilter::feed(std::string_view bytes, std::string& out) {
    if (m_open) {
        out += bytes;
        return;
    }
    m_held += bytes;
    usize at = 0;
    while ((at = m_held.find(m_nonce, at)) != std::string::npos) {
        at += m_nonce.size();
        if (usize const start = line_after(m_held, at); start != std::string::npos) {
            out += std::string_view(m_held).substr(start);
            m_held.clear();
            m_open = true;
            return;
        }
    }
    if (m_held.size() > held_bytes_max) {
        m_held.erase(0, m_held.size() - held_bytes_max);
    }
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
