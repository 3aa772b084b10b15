// See compressed_space.hpp.
#include "core/device/block/compressed_space.hpp"

#include <algorithm>

namespace twofold::block::compressed {

Result<void> Space::prepare(u64 pages, u64 reserved) {
    CHECK(reserved <= pages);
    m_pages = pages;
    m_next = reserved;
    m_free = pages - reserved;
    m_leaving_count = 0;
    for (Words* const words : {&m_used, &m_fresh, &m_leaving}) {
        words->clear();
        TRY(words->reserve((pages + 63) / 64));
        for (u64 i = 0; i < (pages + 63) / 64; ++i) {
            TRY(words->emplace(u64{0}));
        }
    }
    for (u64 page = 0; page < reserved; ++page) {
        set(m_used, page);
    }
    return {};
}

Result<void> Space::keep(u64 first, u32 pages) {
    CHECK(first <= m_pages && pages <= m_pages - first);
    for (u64 page = first; page < first + pages; ++page) {
        if (is_set(m_used, page)) {
            return Error::corrupted;
        }
        set(m_used, page);
        --m_free;
    }
    return {};
}

/// Where a run of free pages begins in [first, end); `end`: nowhere.
u64 Space::run_from(u64 first, u64 end, u32 pages) const {
    u32 length = 0;
    for (u64 page = first; page < end; ++page) {
        bool const is_full_word = page % 64 == 0 && m_used[page / 64] == ~u64{0};
        if (is_full_word) {
            page += 63;
            length = 0;
            continue;
        }
        length = is_set(m_used, page) ? 0 : length + 1;
        if (length == pages) {
            return page + 1 - pages;
        }
    }
    return end;
}

Result<u64> Space::take(u32 pages) {
    CHECK(pages != 0);
    u64 found = run_from(m_next, m_pages, pages);
    if (found == m_pages) {
        u64 const end = std::min(m_pages, m_next + pages);
        found = run_from(0, end, pages);
        if (found == end) {
            return Error::no_space;
        }
    }
    for (u64 page = found; page < found + pages; ++page) {
        set(m_used, page);
        set(m_fresh, page);
    }
    m_free -= pages;
    m_next = found + pages;
    return found;
}

void Space::leave(u64 first, u32 pages) {
    for (u64 page = first; page < first + pages; ++page) {
        CHECK(is_set(m_used, page) && !is_set(m_leaving, page));
        if (is_set(m_fresh, page)) {
            clear(m_fresh, page);
            clear(m_used, page);
            ++m_free;
        } else {
            set(m_leaving, page);
            ++m_leaving_count;
        }
    }
}

void Space::commit() {
    for (usize i = 0; i < m_used.size(); ++i) {
        m_used[i] &= ~m_leaving[i];
        m_leaving[i] = 0;
        m_fresh[i] = 0;
    }
    m_free += std::exchange(m_leaving_count, u64{0});
}

} // namespace twofold::block::compressed
