// Any bytes as a table and a chain of filters. Beside the table goes a plain model of vectors: what
// a filter refuses, or finds no memory for, leaves the table as it was; what it accepts does what
// the model does. In the end the table is printed for screens of several widths, and as JSON, which
// has to hold its cells.
#include "apps/shell/filters.hpp"
#include "apps/json/tree.hpp"
#include "tests/apps/shell/console.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::shell;

void demand(bool holds) {
    if (!holds) {
        std::abort();
    }
}

/// The input, taken piece by piece; zeros behind its end.
class Source {
public:
    explicit Source(std::span<std::uint8_t const> bytes) : m_bytes(bytes) {}

    bool empty() const { return m_at >= m_bytes.size(); }
    u8 byte() { return empty() ? u8{0} : m_bytes[m_at++]; }
    u32 below(u32 end) { return byte() % end; }
    u64 number() {
        u64 value = byte() % 4;
        for (u32 left = byte() % 12; left > 0 && left < 9; --left) {
            value = value << 8 | byte();
        }
        return value;
    }
    std::string text(u32 most) {
        std::string text(below(most + 1), '\0');
        std::ranges::generate(text, [this] { return static_cast<char>(byte()); });
        return text;
    }

private:
    std::span<std::uint8_t const> m_bytes;
    usize m_at = 0;
};

struct Cell {
    std::string text;
    u64 number = 0;
    bool operator==(Cell const&) const = default;
};

struct Model {
    struct Column {
        std::string name;
        Kind kind;
        bool operator==(Column const&) const = default;
    };
    std::vector<Column> columns;
    std::vector<std::vector<Cell>> rows;

    bool operator==(Model const&) const = default;

    std::optional<usize> find(std::string const& name) const {
        for (usize i = 0; i < columns.size(); ++i) {
            if (columns[i].name == name) {
                return i;
            }
        }
        return std::nullopt;
    }
    /// Less than 0, 0, or more.
    int compare(usize column, Cell const& a, Cell const& b) const {
        if (columns[column].kind == Kind::text) {
            return a.text.compare(b.text);
        }
        return a.number < b.number ? -1 : a.number > b.number ? 1 : 0;
    }
};

Model model_of(Table const& table) {
    Model model;
    for (usize i = 0; i < table.columns(); ++i) {
        model.columns.push_back({std::string(table.name(i)), table.kind(i)});
    }
    for (usize row = 0; row < table.rows(); ++row) {
        std::vector<Cell> cells;
        for (usize i = 0; i < table.columns(); ++i) {
            bool const is_text = table.kind(i) == Kind::text;
            cells.push_back(
                {is_text ? std::string(table.text(row, i)) : std::string(),
                 is_text ? 0 : table.number(row, i)});
        }
        model.rows.push_back(cells);
    }
    return model;
}

using Words = std::vector<std::string>;

/// What a filter makes of the model; nothing: it refuses.
std::optional<Model> sorted(Model model, Words const& words) {
    bool const is_down = words.size() == 3;
    auto const column = words.size() >= 2 ? model.find(words[1]) : std::nullopt;
    if (!column || words.size() > 3 || (is_down && words[2] != "--reverse")) {
        return std::nullopt;
    }
    auto const is_before = [&](auto const& a, auto const& b) {
        int const order = model.compare(*column, a[*column], b[*column]);
        return is_down ? order > 0 : order < 0;
    };
    std::vector<std::vector<Cell>>
        rows; // each behind those that are not greater, so equal ones stay
    for (auto const& row : model.rows) {
        rows.insert(std::upper_bound(rows.begin(), rows.end(), row, is_before), row);
    }
    model.rows = rows;
    return model;
}

std::optional<Model> cut(Model model, Words const& words) {
    auto const count = words.size() == 1   ? Result<u64>(head_rows_default)
                       : words.size() == 2 ? parse_unsigned(words[1])
                                           : Result<u64>(Error::invalid_argument);
    if (!count) {
        return std::nullopt;
    }
    u64 const kept = std::min<u64>(count.value(), model.rows.size());
    auto const surplus = static_cast<std::ptrdiff_t>(model.rows.size() - kept);
    if (words[0] == "head") {
        model.rows.erase(model.rows.end() - surplus, model.rows.end());
    } else {
        model.rows.erase(model.rows.begin(), model.rows.begin() + surplus);
    }
    return model;
}

std::optional<Model> selected(Model const& model, Words const& words) {
    Model made;
    made.rows.resize(model.rows.size());
    for (usize i = 1; i < words.size(); ++i) {
        auto const column = model.find(words[i]);
        if (!column || made.find(words[i])) {
            return std::nullopt;
        }
        made.columns.push_back(model.columns[*column]);
        for (usize row = 0; row < model.rows.size(); ++row) {
            made.rows[row].push_back(model.rows[row][*column]);
        }
    }
    return words.size() > 1 ? std::optional(made) : std::nullopt;
}

std::optional<Model> unique(Model const& model, Words const& words) {
    auto const column = words.size() == 2 ? model.find(words[1]) : std::nullopt;
    if (!column) {
        return std::nullopt;
    }
    Model made{model.columns, {}};
    for (auto const& row : model.rows) {
        if (std::ranges::none_of(
                made.rows, [&](auto const& other) { return other[*column] == row[*column]; })) {
            made.rows.push_back(row);
        }
    }
    return made;
}

std::optional<Model> summed(Model const& model, Words const& words) {
    auto const column = words.size() == 2 ? model.find(words[1]) : std::nullopt;
    if (!column || model.columns[*column].kind == Kind::text ||
        model.columns[*column].kind == Kind::address) {
        return std::nullopt;
    }
    unsigned __int128 sum = 0;
    for (auto const& row : model.rows) {
        sum += row[*column].number;
    }
    if (sum > ~u64{0}) {
        return std::nullopt;
    }
    return Model{{model.columns[*column]}, {{{"", static_cast<u64>(sum)}}}};
}

std::optional<Model> as_lines(Model const& model, Words const& words) {
    Model made{{{"line", Kind::text}}, {}};
    for (auto const& row : model.rows) {
        std::string line;
        for (usize i = 0; i < row.size(); ++i) {
            char buffer[quantity_bytes_max];
            bool const is_text = model.columns[i].kind == Kind::text;
            line += i > 0 ? "  " : "";
            line += is_text ? std::string_view(row[i].text)
                            : format_quantity(model.columns[i].kind, row[i].number, buffer);
        }
        made.rows.push_back({{line, 0}});
    }
    return words.size() == 1 ? std::optional(made) : std::nullopt;
}

/// The number that a value means, if it is written without unit, point or sign.
std::optional<u64> plain_number(Kind kind, std::string const& text) {
    bool const has_digits = !text.empty() && text.size() < 16 &&
                            std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    return has_digits ? std::optional(std::stoull(text) * (kind == Kind::percent ? 100 : 1))
                      : std::nullopt;
}

bool holds(std::string const& comparison, int order) {
    bool const is_equal = comparison == "=" || comparison == "==";
    return is_equal             ? order == 0
           : comparison == "!=" ? order != 0
           : comparison == "<"  ? order < 0
           : comparison == "<=" ? order <= 0
           : comparison == ">"  ? order > 0
                                : order >= 0;
}

bool is_comparison(std::string const& word) {
    constexpr char const* known[] = {"=", "==", "!=", "<", "<=", ">", ">=", "~"};
    return std::ranges::any_of(known, [&](char const* each) { return word == each; });
}

/// `number`: what the value means; nothing: the filter is to refuse it.
std::optional<Model> filtered(Model model, Words const& words, std::optional<u64> number) {
    auto const column = words.size() == 4 ? model.find(words[1]) : std::nullopt;
    if (!column || !is_comparison(words[2])) {
        return std::nullopt;
    }
    bool const is_text = model.columns[*column].kind == Kind::text;
    bool const contains = words[2] == "~";
    if (!is_text && (contains || !number)) {
        return std::nullopt;
    }
    Cell const wanted{words[3], number.value_or(0)};
    std::erase_if(model.rows, [&](auto const& row) {
        return contains ? row[*column].text.find(words[3]) == std::string::npos
                        : !holds(words[2], model.compare(*column, row[*column], wanted));
    });
    return model;
}

/// What a value means: by the model where that is plain, else as the shell's own parser reads it.
std::optional<u64> meaning(Model const& model, Words const& words) {
    auto const column = words.size() == 4 ? model.find(words[1]) : std::nullopt;
    if (!column || model.columns[*column].kind == Kind::text) {
        return std::nullopt;
    }
    Kind const kind = model.columns[*column].kind;
    auto const parsed = parse_quantity(kind, words[3]);
    if (auto const plain = plain_number(kind, words[3])) {
        demand(parsed && parsed.value() == *plain);
    }
    return parsed ? std::optional(parsed.value()) : std::nullopt;
}

std::optional<Model> expected(Model const& model, Words const& words) {
    std::string const& name = words[0];
    if (name == "sort") {
        return sorted(model, words);
    }
    if (name == "head" || name == "tail") {
        return cut(model, words);
    }
    if (name == "select") {
        return selected(model, words);
    }
    if (name == "unique") {
        return unique(model, words);
    }
    if (name == "sum") {
        return summed(model, words);
    }
    if (name == "lines") {
        return as_lines(model, words);
    }
    if (name == "where") {
        return filtered(model, words, meaning(model, words));
    }
    if (words.size() != 1 || (name != "count" && name != "reverse")) {
        return std::nullopt;
    }
    if (name == "count") {
        return Model{{{"count", Kind::number}}, {{{"", model.rows.size()}}}};
    }
    Model turned = model;
    std::ranges::reverse(turned.rows);
    return turned;
}

Words words_from(Source& source, Model const& model) {
    constexpr char const* others[] = {"--reverse", "=", "==", "!=", "<",  "<=",  ">",   ">=",
                                      "~",         "0", "1",  "3",  "1K", "2us", "0x2", "1.5%"};
    u32 const which = source.below(static_cast<u32>(filters().size()) + 1);
    Words words{which < filters().size() ? std::string(filters()[which].name) : source.text(6)};
    for (u32 left = source.below(5); left > 0; --left) {
        u32 const kind = source.below(4);
        if (kind < 2 && !model.columns.empty()) {
            words.push_back(
                model.columns[source.below(static_cast<u32>(model.columns.size()))].name);
        } else {
            words.push_back(kind == 2 ? others[source.below(std::size(others))] : source.text(8));
        }
    }
    return words;
}

void fill(Source& source, Table& table, Model& model) {
    for (u32 left = 1 + source.below(5); left > 0; --left) {
        auto const kind = static_cast<Kind>(source.below(6));
        std::string const name = source.text(5);
        bool const is_good = !name.empty() && !model.find(name);
        demand(table.add_column(name, kind).has_value() == is_good);
        if (is_good) {
            model.columns.push_back({name, kind});
        }
    }
    for (u32 left = model.columns.empty() ? 0 : source.below(40); left > 0; --left) {
        std::vector<Cell> cells;
        std::vector<Value> values;
        cells.reserve(model.columns.size());
        for (Model::Column const& column : model.columns) {
            bool const is_text = column.kind == Kind::text;
            cells.push_back({is_text ? source.text(9) : "", is_text ? 0 : source.number()});
            values.push_back(
                is_text ? Value(std::string_view(cells.back().text)) : Value(cells.back().number));
        }
        demand(table.add_row(values).has_value());
        model.rows.push_back(cells);
    }
}

std::string written(auto const& print) {
    std::string text;
    print(Output{&text, [](void* to, std::string_view bytes) {
                     static_cast<std::string*>(to)->append(bytes);
                 }});
    return text;
}

bool is_ascii(std::string const& text) {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

/// What a cell is in JSON.
std::string json_text(Kind kind, Cell const& cell) {
    char buffer[32];
    switch (kind) {
    case Kind::text:
        return cell.text;
    case Kind::address:
        return std::string(format_to(std::span(buffer), "{:#x}", cell.number).text);
    case Kind::percent: {
        std::string const fraction = std::to_string(cell.number % 100);
        return std::to_string(cell.number / 100) + (fraction.size() < 2 ? ".0" : ".") + fraction;
    }
    default:
        return std::to_string(cell.number);
    }
}

void check_printed(Table const& table, Model const& model) {
    for (u32 const width : {0u, 1u, 9u, 80u}) {
        std::string const text =
            written([&](Output const& out) { print_table(table, {width}, out); });
        auto const lines = static_cast<usize>(std::ranges::count(text, '\n'));
        demand(lines == (model.columns.empty() ? 0 : model.rows.size() + 1));
    }
    std::string const text = written([&](Output const& out) { print_json(table, out); });
    json::Value const root = json::parse("table", text);
    demand(root.kind == json::Kind::array && root.members.size() == model.rows.size());
    for (usize row = 0; row < model.rows.size(); ++row) {
        auto const& members = root.members[row].members;
        demand(members.size() == model.columns.size());
        for (usize i = 0; i < members.size(); ++i) {
            Cell const& cell = model.rows[row][i];
            if (is_ascii(cell.text)) { // others become what people can read
                demand(members[i].text == json_text(model.columns[i].kind, cell));
            }
            if (is_ascii(model.columns[i].name)) {
                demand(members[i].key == model.columns[i].name);
            }
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    Source source({data, size});
    shell::testing::LimitedAllocator allocator;
    AnyAllocator any(allocator);
    Table table(any);
    Model model;
    fill(source, table, model);
    demand(model_of(table) == model);
    for (u32 step = 0; step < 12 && !source.empty(); ++step) {
        Words const words = words_from(source, model);
        std::vector<std::string_view> const views(words.begin(), words.end());
        auto const wanted = expected(model, words);
        Problem problem;
        bool const starves = source.below(8) == 7;
        allocator.limit(starves ? i64{source.below(4)} : -1);
        auto const done = apply_filter(table, views, problem);
        allocator.limit(-1);
        if (starves && !done && done.error() == Error::out_of_memory) {
            demand(model_of(table) == model);
            continue;
        }
        demand(done.has_value() == wanted.has_value());
        demand(done || !problem.text.empty() || done.error() == Error::not_found);
        model = wanted.value_or(model);
        demand(model_of(table) == model);
    }
    check_printed(table, model);
    return 0;
}
