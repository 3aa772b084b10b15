// Filters: one function each, and what they share: columns found by name, numbers read.
#include "apps/shell/filters.hpp"

#include "apps/shell/suggest.hpp"

namespace twofold::shell {

namespace {

using Words = std::span<std::string_view const>;

template<class... Args>
Error refuse(
    Problem& problem, FormatString<std::type_identity_t<Args>...> format, Args const&... args) {
    char text[decltype(problem.text)::capacity()];
    problem.column = 0;
    problem.text.clear();
    Result<void> const kept =
        problem.text.append(format_to<Args...>(std::span(text), format, args...).text);
    CHECK(kept.has_value());
    return Error::invalid_argument;
}

/// The column of that name, or a problem that names the nearest and those that there are.
Result<usize> find_column(Table const& table, std::string_view name, Problem& problem) {
    Suggestion suggestion(name);
    char storage[200];
    TextBuffer names(storage);
    for (usize i = 0; i < table.columns(); ++i) {
        if (table.name(i) == name) {
            return i;
        }
        suggestion.offer(table.name(i));
        names.append(i > 0 ? ", " : "");
        names.append(table.name(i));
    }
    char near[100] = {};
    std::string_view const best = suggestion.best();
    std::string_view const meant =
        best.empty() ? std::string_view()
                     : format_to(std::span(near), "; did you mean '{}'?", best).text;
    return refuse(
        problem, "no column '{}'{} (there are: {}{})", code_point_prefix(name, 20), meant,
        names.view(), names.truncated() ? " ..." : "");
}

Result<void> expect_words(Words words, usize least, usize most, Problem& problem) {
    if (words.size() >= least + 1 && words.size() <= most + 1) {
        return {};
    }
    for (Filter const& filter : filters()) {
        if (filter.name == words[0]) {
            bool const has_arguments = !filter.arguments.empty();
            return refuse(
                problem, "usage: {}{}{}", filter.name, has_arguments ? " " : "", filter.arguments);
        }
    }
    UNREACHABLE();
}

/// The number of rows that head and tail keep.
Result<usize> row_count(Words words, Problem& problem) {
    TRY(expect_words(words, 0, 1, problem));
    if (words.size() == 1) {
        return head_rows_default;
    }
    Result<u64> const count = parse_unsigned(words[1]);
    if (!count) {
        return refuse(problem, "'{}' is no number of rows", code_point_prefix(words[1], 40));
    }
    return usize{count.value()};
}

Result<void> sort(Table& table, Words words, Problem& problem) {
    TRY(expect_words(words, 1, 2, problem));
    Table::Direction direction = Table::Direction::up;
    if (words.size() == 3) {
        if (words[2] != "--reverse") {
            return refuse(
                problem, "sort: unknown option '{}'; there is --reverse",
                code_point_prefix(words[2], 40));
        }
        direction = Table::Direction::down;
    }
    return table.sort_rows(TRY(find_column(table, words[1], problem)), direction);
}

Result<void> head(Table& table, Words words, Problem& problem) {
    usize const count = TRY(row_count(words, problem));
    table.keep_rows([count](usize row) { return row < count; });
    return {};
}

Result<void> tail(Table& table, Words words, Problem& problem) {
    usize const count = TRY(row_count(words, problem));
    usize const first = table.rows() - std::min(count, table.rows());
    table.keep_rows([first](usize row) { return row >= first; });
    return {};
}

enum class Comparison : u8 { equal, unequal, less, at_most, more, at_least, contains };

Result<Comparison> parse_comparison(std::string_view text, Problem& problem) {
    constexpr struct {
        std::string_view text;
        Comparison comparison;
    } known[] = {{"=", Comparison::equal},     {"==", Comparison::equal},
                 {"!=", Comparison::unequal},  {"<", Comparison::less},
                 {"<=", Comparison::at_most},  {">", Comparison::more},
                 {">=", Comparison::at_least}, {"~", Comparison::contains}};
    for (auto const& one : known) {
        if (one.text == text) {
            return one.comparison;
        }
    }
    return refuse(
        problem, "where: '{}' compares nothing; there are = != < <= > >= ~ (contains)",
        code_point_prefix(text, 40));
}

bool holds(Comparison comparison, int order) {
    switch (comparison) {
    case Comparison::equal:
        return order == 0;
    case Comparison::unequal:
        return order != 0;
    case Comparison::less:
        return order < 0;
    case Comparison::at_most:
        return order <= 0;
    case Comparison::more:
        return order > 0;
    case Comparison::at_least:
        return order >= 0;
    case Comparison::contains:
        break;
    }
    UNREACHABLE();
}

std::string_view describe(Kind kind) {
    switch (kind) {
    case Kind::bytes:
        return "a number of bytes, such as 4096, 64K or 1.5MiB";
    case Kind::duration:
        return "a duration, such as 10us, 1.5ms or 2s";
    case Kind::percent:
        return "a percentage, such as 12.5";
    case Kind::address:
        return "an address, such as 0x1000";
    case Kind::number:
    case Kind::text:
        break;
    }
    return "a number";
}

Result<void> where(Table& table, Words words, Problem& problem) {
    TRY(expect_words(words, 3, 3, problem));
    usize const column = TRY(find_column(table, words[1], problem));
    Comparison const comparison = TRY(parse_comparison(words[2], problem));
    std::string_view const wanted = words[3];
    Kind const kind = table.kind(column);
    if (kind == Kind::text) {
        table.keep_rows([&](usize row) {
            std::string_view const text = table.text(row, column);
            return comparison == Comparison::contains ? text.find(wanted) != std::string_view::npos
                                                      : holds(comparison, text.compare(wanted));
        });
        return {};
    }
    if (comparison == Comparison::contains) {
        return refuse(problem, "where: ~ is for text, and '{}' is none", table.name(column));
    }
    Result<u64> const value = parse_quantity(kind, wanted);
    if (!value) {
        return refuse(
            problem, "where: '{}' is not {}", code_point_prefix(wanted, 40), describe(kind));
    }
    table.keep_rows([&](usize row) {
        u64 const number = table.number(row, column);
        return holds(comparison, number < value.value() ? -1 : number > value.value() ? 1 : 0);
    });
    return {};
}

Result<void> select(Table& table, Words words, Problem& problem) {
    TRY(expect_words(words, 1, Table::columns_max, problem));
    FixedVector<usize, Table::columns_max> columns;
    for (std::string_view const name : words.subspan(1)) {
        usize const column = TRY(find_column(table, name, problem));
        if (std::find(columns.begin(), columns.end(), column) != columns.end()) {
            return refuse(problem, "select: '{}' is named twice", name);
        }
        TRY(columns.push_back(column));
    }
    table.select_columns(columns.items());
    return {};
}

/// A table with one number.
Result<void> become(Table& table, std::string_view name, Kind kind, u64 value) {
    Table single(table.allocator());
    TRY(single.add_column(name, kind));
    TRY(single.add_row({Value(value)}));
    table = std::move(single);
    return {};
}

Result<void> count(Table& table, Words words, Problem& problem) {
    TRY(expect_words(words, 0, 0, problem));
    return become(table, "count", Kind::number, table.rows());
}

Result<void> sum(Table& table, Words words, Problem& problem) {
    TRY(expect_words(words, 1, 1, problem));
    usize const column = TRY(find_column(table, words[1], problem));
    Kind const kind = table.kind(column);
    if (kind == Kind::text || kind == Kind::address) {
        return refuse(
            problem, "sum: '{}' holds {}, which have no sum", table.name(column),
            kind == Kind::text ? "texts" : "addresses");
    }
    u64 total = 0;
    for (usize row = 0; row < table.rows(); ++row) {
        if (__builtin_add_overflow(total, table.number(row, column), &total)) {
            static_cast<void>(refuse(problem, "sum: it is larger than 2^64 - 1"));
            return Error::out_of_range;
        }
    }
    return become(table, table.name(column), kind, total);
}

/// Keeps the first row of each value; the order stays.
Result<void> unique(Table& table, Words words, Problem& problem) {
    TRY(expect_words(words, 1, 1, problem));
    usize const column = TRY(find_column(table, words[1], problem));
    memory::Vector<u32, AnyAllocator> sorted(table.allocator());
    memory::Vector<bool, AnyAllocator> is_first(table.allocator());
    TRY(sorted.reserve(table.rows()));
    TRY(is_first.reserve(table.rows()));
    for (usize row = 0; row < table.rows(); ++row) {
        TRY(sorted.push(static_cast<u32>(row)));
        TRY(is_first.push(true));
    }
    std::span<u32> const all = sorted.items();
    std::sort(all.begin(), all.end(), [&](u32 a, u32 b) {
        int const order = table.compare(column, a, b);
        return order < 0 || (order == 0 && a < b);
    });
    for (usize i = 1; i < all.size(); ++i) {
        is_first[all[i]] = table.compare(column, all[i - 1], all[i]) != 0;
    }
    table.keep_rows([&](usize row) { return is_first[row]; });
    return {};
}

Result<void> reverse(Table& table, Words words, Problem& problem) {
    TRY(expect_words(words, 0, 0, problem));
    table.reverse_rows();
    return {};
}

/// Rows as text, cells divided by two blanks; of one column of text nothing but the name changes.
Result<void> lines(Table& table, Words words, Problem& problem) {
    TRY(expect_words(words, 0, 0, problem));
    Table made(table.allocator());
    TRY(made.add_column(line_column, Kind::text));
    Letters line(table.allocator());
    for (usize row = 0; row < table.rows(); ++row) {
        line.clear();
        for (usize column = 0; column < table.columns(); ++column) {
            char buffer[quantity_bytes_max];
            TRY(line.append(column > 0 ? "  " : ""));
            TRY(line.append(cell_text(table, row, column, buffer)));
        }
        TRY(made.add_row({Value(line.view())}));
    }
    table = std::move(made);
    return {};
}

constexpr Filter known_filters[] = {
    {"count", "", "how many rows there are"},
    {"head", "[ROWS]", "the first rows (10)"},
    {"lines", "", "rows as lines of text, in a column 'line'"},
    {"reverse", "", "the last row first"},
    {"select", "COLUMN [COLUMN...]", "these columns, in this order"},
    {"sort", "COLUMN [--reverse]", "rows by a column; equal ones keep their order"},
    {"sum", "COLUMN", "the sum of a column"},
    {"tail", "[ROWS]", "the last rows (10)"},
    {"unique", "COLUMN", "the first row of each value of a column"},
    {"where", "COLUMN OPERATOR VALUE", "rows for which = != < <= > >= or ~ (contains) holds"},
};
constexpr Result<void> (*functions[])(Table&, Words, Problem&) = {
    count, head, lines, reverse, select, sort, sum, tail, unique, where};
static_assert(std::size(known_filters) == std::size(functions));

} // namespace

std::span<Filter const> filters() {
    return known_filters;
}

Result<void> apply_filter(Table& table, std::span<std::string_view const> words, Problem& problem) {
    CHECK(!words.empty());
    for (usize i = 0; i < std::size(known_filters); ++i) {
        if (known_filters[i].name == words[0]) {
            return functions[i](table, words, problem);
        }
    }
    return Error::not_found;
}

Result<Table> table_of_lines(AnyAllocator& allocator, std::string_view text) {
    Table table(allocator);
    TRY(table.add_column(line_column, Kind::text));
    for (usize at = 0; at < text.size();) {
        usize end = at;
        while (end < text.size() && text[end] != '\n') {
            ++end;
        }
        TRY(table.add_row({Value(slice(text, at, end - at))}));
        at = end + 1;
    }
    return table;
}

} // namespace twofold::shell
