// Random tables and chains of filters against vectors of the standard library.
#include "apps/shell/filters.hpp"
#include "tests/apps/shell/console.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace {

using namespace twofold;
using namespace twofold::shell;
using namespace twofold::shell::testing;

struct Row {
    std::string name;
    u64 size;
    u64 id; ///< no two are the same
    bool operator==(Row const&) const = default;
};

class Play {
public:
    explicit Play(u32 seed) : m_random(seed) {
        m_table.add_column("name", Kind::text).value();
        m_table.add_column("size", Kind::bytes).value();
        m_table.add_column("id", Kind::number).value();
        constexpr char const* names[] = {"", "a", "b", "ab", "\u4E00", "ba"};
        for (u32 id = below(60); id > 0; --id) {
            Row const row{names[below(6)], below(2) == 0 ? below(4) : m_random(), id};
            m_rows.push_back(row);
            m_table.add_row({std::string_view(row.name), row.size, row.id}).value();
        }
    }
    u32 below(u32 end) { return static_cast<u32>(m_random() % end); }

    void step() {
        switch (below(7)) {
        case 0:
            return sort();
        case 1:
            return where_size();
        case 2:
            return where_name();
        case 3:
            return cut();
        case 4:
            apply({"reverse"});
            return std::reverse(m_rows.begin(), m_rows.end());
        case 5:
            return unique();
        default:
            return sort();
        }
    }
    void check() const {
        std::vector<Row> seen;
        for (usize row = 0; row < m_table.rows(); ++row) {
            seen.push_back(
                {std::string(m_table.text(row, 0)), m_table.number(row, 1),
                 m_table.number(row, 2)});
        }
        ASSERT_EQ(seen, m_rows);
    }

private:
    void apply(std::vector<std::string> const& words) {
        std::vector<std::string_view> const views(words.begin(), words.end());
        Problem problem;
        ASSERT_TRUE(apply_filter(m_table, views, problem).has_value()) << problem.text.view();
    }
    void sort() {
        bool const by_name = below(2) == 0;
        bool const down = below(2) == 0;
        std::vector<std::string> words{"sort", by_name ? "name" : "size"};
        if (down) {
            words.emplace_back("--reverse");
        }
        apply(words);
        std::vector<Row> sorted; // each behind those that are not greater, so equal ones stay
        for (Row const& row : m_rows) {
            auto const place = std::upper_bound(
                sorted.begin(), sorted.end(), row, [&](Row const& x, Row const& y) {
                    Row const& a = down ? y : x;
                    Row const& b = down ? x : y;
                    return by_name ? a.name < b.name : a.size < b.size;
                });
            sorted.insert(place, row);
        }
        m_rows = sorted;
    }
    void where_size() {
        u64 const value = below(3);
        constexpr char const* operators[] = {"=", "!=", "<", "<=", ">", ">="};
        u32 const which = below(6);
        apply({"where", "size", operators[which], std::to_string(value)});
        std::erase_if(m_rows, [&](Row const& row) {
            bool const kept[] = {
                row.size == value, row.size != value,
                row.size<value, row.size <= value, row.size> value, row.size >= value};
            return !kept[which];
        });
    }
    void where_name() {
        std::string const part = below(2) == 0 ? "a" : "b";
        bool const contains = below(2) == 0;
        apply({"where", "name", contains ? "~" : "<=", part});
        std::erase_if(m_rows, [&](Row const& row) {
            return contains ? row.name.find(part) == std::string::npos : row.name > part;
        });
    }
    void cut() {
        usize const count = below(60);
        bool const head = below(2) == 0;
        apply({head ? "head" : "tail", std::to_string(count)});
        usize const surplus = m_rows.size() - std::min(count, m_rows.size());
        auto const first = head ? m_rows.end() - static_cast<i64>(surplus) : m_rows.begin();
        m_rows.erase(first, first + static_cast<i64>(surplus));
    }
    void unique() {
        apply({"unique", "name"});
        std::vector<Row> kept;
        for (Row const& row : m_rows) {
            if (std::none_of(kept.begin(), kept.end(), [&](Row const& other) {
                    return other.name == row.name;
                })) {
                kept.push_back(row);
            }
        }
        m_rows = kept;
    }

    std::mt19937_64 m_random;
    LimitedAllocator m_allocator;
    AnyAllocator m_any{m_allocator};
    Table m_table{m_any};
    std::vector<Row> m_rows;
};

TEST(FiltersModel, ChainsDoWhatVectorsDo) {
    for (u32 seed = 0; seed < 800; ++seed) {
        SCOPED_TRACE(seed);
        Play play(seed);
        for (int i = 0; i < 6; ++i) {
            play.step();
            play.check();
            if (HasFatalFailure()) {
                return;
            }
        }
    }
}

} // namespace
