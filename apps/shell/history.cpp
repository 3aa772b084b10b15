// History: lines one behind another in one text; the oldest are dropped in bulk.
#include "apps/shell/history.hpp"

namespace twofold::shell {

Result<void> History::add(std::string_view line) {
    bool const is_hidden = line.empty() || line[0] == ' ' || line.size() > bytes_max;
    if (is_hidden || (size() > 0 && this->line(0) == line)) {
        return {};
    }
    drop_oldest(line.size());
    TRY(m_sizes.reserve(size() == m_sizes.capacity() ? std::max<usize>(size() * 2, 16) : size()));
    TRY(m_bytes.append(line));
    TRY(m_sizes.push(static_cast<u32>(line.size()))); // there is room
    return {};
}

/// Leaves room for one line more of that many bytes.
void History::drop_oldest(usize bytes_wanted) {
    usize lines = 0;
    usize bytes = 0;
    while (size() - lines >= lines_max || m_bytes.size() - bytes + bytes_wanted > bytes_max) {
        bytes += m_sizes[lines++];
    }
    if (lines == 0) {
        return;
    }
    Result<void> const cut = m_bytes.replace(0, bytes, {});
    CHECK(cut.has_value());
    std::span<u32> const sizes = m_sizes.items();
    std::copy(sizes.begin() + static_cast<i64>(lines), sizes.end(), sizes.begin());
    for (usize i = 0; i < lines; ++i) {
        m_sizes.pop();
    }
}

std::string_view History::line(usize age) const {
    CHECK(age < size());
    usize end = m_bytes.size();
    for (usize i = 0; i < age; ++i) {
        end -= m_sizes[size() - 1 - i];
    }
    usize const length = m_sizes[size() - 1 - age];
    return slice(m_bytes, end - length, length);
}

} // namespace twofold::shell
