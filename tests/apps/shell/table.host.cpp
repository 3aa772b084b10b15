// Quantities, tables, what is printed of them, and filters one by one.
#include "apps/shell/filters.hpp"
#include "tests/apps/shell/console.hpp"

#include <gtest/gtest.h>

namespace {

using namespace twofold;
using namespace twofold::shell;
using namespace twofold::shell::testing;

std::string format(Kind kind, u64 value) {
    char buffer[quantity_bytes_max];
    return std::string(format_quantity(kind, value, buffer));
}

TEST(Quantity, ForPeople) {
    struct {
        Kind kind;
        u64 value;
        char const* text;
    } const cases[] = {
        {Kind::number, 0, "0"},
        {Kind::number, ~u64{0}, "18446744073709551615"},
        {Kind::bytes, 0, "0 B"},
        {Kind::bytes, 1023, "1023 B"},
        {Kind::bytes, 1024, "1.0 KiB"},
        {Kind::bytes, 1536 << 10, "1.5 MiB"},
        {Kind::bytes, 1024 * 1024 - 1, "1.0 MiB"},
        {Kind::bytes, 1024 * 1024 - 103, "1023.9 KiB"},
        {Kind::bytes, ~u64{0}, "16.0 EiB"},
        {Kind::duration, 999, "999 ns"},
        {Kind::duration, 12'345, "12.3 us"},
        {Kind::duration, 999'950, "1.0 ms"},
        {Kind::duration, 999'949, "999.9 us"},
        {Kind::duration, 1'500'000'000, "1.5 s"},
        {Kind::duration, 90'000'000'000, "1.5 min"},
        {Kind::duration, 86'400'000'000'000, "1.0 d"},
        {Kind::duration, ~u64{0}, "213504.0 d"},
        {Kind::address, 0x1234, "0x0000000000001234"},
        {Kind::percent, 1234, "12.3%"},
        {Kind::percent, 1235, "12.4%"},
        {Kind::percent, 10'000, "100.0%"},
    };
    for (auto const& one : cases) {
        EXPECT_EQ(format(one.kind, one.value), one.text);
    }
}

TEST(Quantity, AsWritten) {
    struct {
        Kind kind;
        char const* text;
        u64 value;
    } const cases[] = {
        {Kind::number, "42", 42},
        {Kind::number, "0x2A", 42},
        {Kind::number, "18446744073709551615", ~u64{0}},
        {Kind::bytes, "4096", 4096},
        {Kind::bytes, "1M", 1 << 20},
        {Kind::bytes, "1.5 MiB", 1536 << 10},
        {Kind::bytes, "2k", 2048},
        {Kind::bytes, "10B", 10},
        {Kind::bytes, "0x100", 256},
        {Kind::duration, "7", 7},
        {Kind::duration, "10us", 10'000},
        {Kind::duration, "1.000001s", 1'000'001'000},
        {Kind::duration, "2h", 7'200'000'000'000},
        {Kind::percent, "12.5", 1250},
        {Kind::percent, "12.34%", 1234},
        {Kind::address, "0x1000", 4096},
    };
    for (auto const& one : cases) {
        Result<u64> const value = parse_quantity(one.kind, one.text);
        ASSERT_TRUE(value.has_value()) << one.text;
        EXPECT_EQ(value.value(), one.value) << one.text;
    }
    struct {
        Kind kind;
        char const* text;
        Error error;
    } const wrongs[] = {
        {Kind::number, "", Error::invalid_argument},
        {Kind::number, "1M", Error::invalid_argument},
        {Kind::number, "-1", Error::invalid_argument},
        {Kind::number, "18446744073709551616", Error::out_of_range},
        {Kind::bytes, "1.", Error::invalid_argument},
        {Kind::bytes, ".5M", Error::invalid_argument},
        {Kind::bytes, "1MB", Error::invalid_argument},
        {Kind::bytes, "1.1234567M", Error::invalid_argument},
        {Kind::bytes, "16E", Error::out_of_range},
        {Kind::duration, "1 fortnight", Error::invalid_argument},
        {Kind::percent, "1%%", Error::invalid_argument},
        {Kind::text, "1", Error::invalid_argument},
        {Kind::text, "0x1", Error::invalid_argument},
    };
    for (auto const& one : wrongs) {
        Result<u64> const value = parse_quantity(one.kind, one.text);
        ASSERT_FALSE(value.has_value()) << one.text;
        EXPECT_EQ(value.error(), one.error) << one.text;
    }
}

/// What people read is within half a tenth of its unit of what is meant.
TEST(Quantity, IsReadAsItIsWritten) {
    Random random(5);
    for (int round = 0; round < 20'000; ++round) {
        u64 const value = random.next() >> (5 + random.below(59));
        for (Kind const kind : {Kind::bytes, Kind::duration, Kind::percent}) {
            Result<u64> const read = parse_quantity(kind, format(kind, value));
            ASSERT_TRUE(read.has_value()) << format(kind, value);
            u64 const difference =
                read.value() > value ? read.value() - value : value - read.value();
            EXPECT_LE(difference, value / 19 + 5) << format(kind, value);
        }
    }
}

struct Sample {
    Sample() {
        table.add_column("name", Kind::text).value();
        table.add_column("size", Kind::bytes).value();
        table.add_column("age", Kind::duration).value();
        table.add_column("at", Kind::address).value();
        table.add_column("load", Kind::percent).value();
        table.add_column("count", Kind::number).value();
        table.add_row({"heap", Bytes{1536 << 10}, Nanos{12'345}, PhysAddr{0x1000}, 1234u, 7u})
            .value();
        table.add_row({"pools \u4E00", Bytes{512}, Nanos{7}, VirtAddr{0x2000}, 5u, 1'000'000u})
            .value();
        table.add_row({"a\tb", Bytes{2048}, Nanos{1'000'000'000}, PhysAddr{0}, 10'000u, 7u})
            .value();
    }
    std::string print(u32 screen_columns = 0) const {
        std::string text;
        print_table(table, {screen_columns}, to(text));
        return text;
    }
    std::string json() const {
        std::string text;
        print_json(table, to(text));
        return text;
    }
    static Output to(std::string& text) {
        return {&text, [](void* into, std::string_view more) {
                    *static_cast<std::string*>(into) += more;
                }};
    }
    /// The problem's text, or nothing.
    std::string apply(std::vector<std::string_view> const& words) {
        Problem problem;
        Result<void> const done = apply_filter(table, words, problem);
        return done ? "" : std::string(problem.text.view());
    }
    /// The first column, row by row.
    std::vector<std::string> names() const {
        std::vector<std::string> names;
        for (usize row = 0; row < table.rows(); ++row) {
            char buffer[quantity_bytes_max];
            names.emplace_back(cell_text(table, row, 0, buffer));
        }
        return names;
    }

    LimitedAllocator allocator;
    AnyAllocator any{allocator};
    Table table{any};
};

using Names = std::vector<std::string>;

TEST(Table, ForPeople) {
    Sample const sample;
    EXPECT_EQ(
        sample.print(), "name         size      age                  at    load    count\n"
                        "heap      1.5 MiB  12.3 us  0x0000000000001000   12.3%        7\n"
                        "pools \u4E00    512 B     7 ns  0x0000000000002000    0.1%  1000000\n"
                        "a^Ib      2.0 KiB    1.0 s  0x0000000000000000  100.0%        7\n");
}

TEST(Table, IsCutToTheScreen) {
    LimitedAllocator allocator;
    AnyAllocator any(allocator);
    Table table(any);
    table.add_column("what", Kind::text).value();
    table.add_column("n", Kind::number).value();
    table.add_column("why", Kind::text).value();
    table.add_row({"a long description", 12u, "because it is so"}).value();
    table.add_row({"\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00\u4E00", 3u, "x"}).value();
    auto const print = [&](u32 columns) {
        std::string text;
        print_table(table, {columns}, Sample::to(text));
        return text;
    };
    EXPECT_EQ(
        print(34), "what           n  why\n"
                   "a long desc\u2026  12  because it is so\n"
                   "\u4E00\u4E00\u4E00\u4E00\u4E00\u2026    3  x\n");
    EXPECT_EQ(
        print(22), "what       n  why\n"
                   "a long \u2026  12  because\u2026\n"
                   "\u4E00\u4E00\u4E00\u2026    3  x\n");
    EXPECT_EQ(print(3), "wh\u2026\na \u2026\n\u4E00\u2026\n");
    EXPECT_EQ(print(1), "\u2026\n\u2026\n\u2026\n");
    for (u32 columns = 1; columns < 60; ++columns) {
        std::string const text = print(columns);
        for (usize at = 0; at < text.size(); at = text.find('\n', at) + 1) {
            EXPECT_LE(cells_of(text.substr(at, text.find('\n', at) - at)), columns);
        }
    }
}

TEST(Table, IsNotCutWhereItFits) {
    Sample const sample; // texts of different lengths, so that there are blanks behind some
    std::string const whole = sample.print();
    auto const width = static_cast<u32>(cells_of(whole.substr(0, whole.find('\n'))));
    EXPECT_EQ(sample.print(width), whole);
    EXPECT_NE(sample.print(width - 1), whole);

    LimitedAllocator allocator;
    AnyAllocator any(allocator);
    Table table(any);
    for (char const* const name : {"command", "arguments", "summary"}) {
        table.add_column(name, Kind::text).value();
    }
    table.add_row({"a", "", "0123456789"}).value();
    table.add_row({"bc", "d", "0123456789"}).value();
    std::string text;
    print_table(table, {30}, Sample::to(text));
    EXPECT_EQ(
        text, "command  arguments  summary\n"
              "a                   0123456789\n"
              "bc       d          0123456789\n");
}

TEST(Table, AsJson) {
    Sample sample;
    EXPECT_EQ(
        sample.json(),
        "[\n"
        "  {\"name\": \"heap\", \"size\": 1572864, \"age\": 12345, \"at\": \"0x1000\", "
        "\"load\": 12.34, \"count\": 7},\n"
        "  {\"name\": \"pools \u4E00\", \"size\": 512, \"age\": 7, \"at\": \"0x2000\", "
        "\"load\": 0.05, \"count\": 1000000},\n"
        "  {\"name\": \"a\\tb\", \"size\": 2048, \"age\": 1000000000, \"at\": \"0x0\", "
        "\"load\": 100.00, \"count\": 7}\n"
        "]\n");
    sample.apply({"head", "0"});
    EXPECT_EQ(sample.json(), "[]\n");
    Table odd(sample.any);
    odd.add_column("\"\\", Kind::text).value();
    odd.add_row({std::string_view("\"\\\n\r\x01\x7F\xFF\0", 8)}).value();
    std::string text;
    print_json(odd, Sample::to(text));
    EXPECT_EQ(text, "[\n  {\"\\\"\\\\\": \"\\\"\\\\\\n\\r\\u0001\\u007f\uFFFD\\u0000\"}\n]\n");
}

TEST(Table, RefusesWhatDoesNotFit) {
    Sample sample;
    Table& table = sample.table;
    EXPECT_EQ(table.add_column("late", Kind::text).error(), Error::invalid_argument);
    EXPECT_EQ(table.add_row({"a", 1u}).error(), Error::invalid_argument);
    EXPECT_EQ(table.add_row({"a", "b", 1u, 1u, 1u, 1u}).error(), Error::invalid_argument);
    Table fresh(sample.any);
    EXPECT_EQ(fresh.add_column("", Kind::text).error(), Error::invalid_argument);
    fresh.add_column("c", Kind::number).value();
    EXPECT_EQ(fresh.add_column("c", Kind::text).error(), Error::already_exists);
    for (usize i = 1; i < Table::columns_max; ++i) {
        fresh.add_column("c" + std::to_string(i), Kind::number).value();
    }
    EXPECT_EQ(fresh.add_column("d", Kind::text).error(), Error::no_space);
    Table long_one(sample.any);
    long_one.add_column("n", Kind::number).value();
    for (usize i = 0; i < Table::rows_max; ++i) {
        long_one.add_row({Value(i)}).value();
    }
    EXPECT_EQ(long_one.add_row({Value(0u)}).error(), Error::no_space);
    EXPECT_EQ(long_one.rows(), Table::rows_max);
}

TEST(Table, IsAsItWasWithoutMemory) {
    Sample sample;
    std::string const before = sample.print();
    std::string const text(10'000, 'x');
    sample.allocator.limit(0);
    EXPECT_EQ(
        sample.table.add_row({std::string_view(text), 1u, 1u, 1u, 1u, 1u}).error(),
        Error::out_of_memory);
    for (std::vector<std::string_view> const& words :
         {std::vector<std::string_view>{"sort", "size"},
          {"unique", "count"},
          {"count"},
          {"sum", "size"},
          {"lines"}}) {
        Problem problem;
        EXPECT_EQ(apply_filter(sample.table, words, problem).error(), Error::out_of_memory);
        EXPECT_EQ(sample.print(), before) << words[0];
    }
}

TEST(Filters, Sort) {
    Sample sample;
    EXPECT_EQ(sample.apply({"sort", "size"}), "");
    EXPECT_EQ(sample.names(), (Names{"pools \u4E00", "a\tb", "heap"}));
    sample.apply({"sort", "count", "--reverse"});
    EXPECT_EQ(sample.names(), (Names{"pools \u4E00", "a\tb", "heap"}))
        << "equal rows keep their order";
    sample.apply({"sort", "name"});
    EXPECT_EQ(sample.names(), (Names{"a\tb", "heap", "pools \u4E00"}));
    EXPECT_EQ(sample.apply({"sort"}), "usage: sort COLUMN [--reverse]");
    EXPECT_EQ(
        sample.apply({"sort", "name", "-r"}), "sort: unknown option '-r'; there is --reverse");
}

TEST(Filters, HeadAndTail) {
    Sample sample;
    sample.apply({"head", "2"});
    EXPECT_EQ(sample.names(), (Names{"heap", "pools \u4E00"}));
    sample.apply({"tail", "1"});
    EXPECT_EQ(sample.names(), (Names{"pools \u4E00"}));
    sample.apply({"tail", "18446744073709551615"});
    sample.apply({"head"});
    EXPECT_EQ(sample.table.rows(), 1u);
    sample.apply({"tail", "0"});
    EXPECT_EQ(sample.table.rows(), 0u);
    EXPECT_EQ(sample.apply({"head", "-1"}), "'-1' is no number of rows");
    EXPECT_EQ(sample.apply({"tail", "1", "2"}), "usage: tail [ROWS]");
}

TEST(Filters, Where) {
    struct {
        std::vector<std::string_view> words;
        Names names;
    } const cases[] = {
        {{"where", "size", ">", "1K"}, {"heap", "a\tb"}},
        {{"where", "size", ">=", "1.5M"}, {"heap"}},
        {{"where", "age", "<", "10us"}, {"pools \u4E00"}},
        {{"where", "age", "<=", "12345"}, {"heap", "pools \u4E00"}},
        {{"where", "load", "=", "12.34%"}, {"heap"}},
        {{"where", "at", "==", "0x2000"}, {"pools \u4E00"}},
        {{"where", "count", "!=", "7"}, {"pools \u4E00"}},
        {{"where", "name", "~", "o"}, {"pools \u4E00"}},
        {{"where", "name", ">", "b"}, {"heap", "pools \u4E00"}},
        {{"where", "name", "=", "heap"}, {"heap"}},
    };
    for (auto const& one : cases) {
        Sample sample;
        EXPECT_EQ(sample.apply(one.words), "");
        EXPECT_EQ(sample.names(), one.names) << one.words[1] << one.words[2] << one.words[3];
    }
    Sample sample;
    EXPECT_EQ(
        sample.apply({"where", "sise", "=", "1"}),
        "no column 'sise'; did you mean 'size'? (there are: name, size, age, at, load, count)");
    EXPECT_EQ(
        sample.apply({"where", "zzzzzz", "=", "1"}),
        "no column 'zzzzzz' (there are: name, size, age, at, load, count)");
    EXPECT_EQ(
        sample.apply({"where", "size", "=<", "1"}),
        "where: '=<' compares nothing; there are = != < <= > >= ~ (contains)");
    EXPECT_EQ(
        sample.apply({"where", "size", "<", "1X"}),
        "where: '1X' is not a number of bytes, such as 4096, 64K or 1.5MiB");
    EXPECT_EQ(
        sample.apply({"where", "age", "<", "soon"}),
        "where: 'soon' is not a duration, such as 10us, 1.5ms or 2s");
    EXPECT_EQ(
        sample.apply({"where", "size", "~", "1"}), "where: ~ is for text, and 'size' is none");
    EXPECT_EQ(sample.apply({"where", "size"}), "usage: where COLUMN OPERATOR VALUE");
    EXPECT_EQ(sample.table.rows(), 3u);
}

TEST(Filters, Select) {
    Sample sample;
    EXPECT_EQ(sample.apply({"select", "count", "name"}), "");
    EXPECT_EQ(
        sample.print(), "  count  name\n      7  heap\n1000000  pools \u4E00\n      7  a^Ib\n");
    EXPECT_EQ(sample.apply({"where", "count", "=", "7"}), "");
    EXPECT_EQ(sample.apply({"select", "name"}), "");
    EXPECT_EQ(sample.print(), "name\nheap\na^Ib\n");
    EXPECT_EQ(sample.apply({"select", "count"}), "no column 'count' (there are: name)");
    EXPECT_EQ(sample.apply({"select", "name", "name"}), "select: 'name' is named twice");
    EXPECT_EQ(sample.apply({"select"}), "usage: select COLUMN [COLUMN...]");
}

TEST(Filters, CountAndSum) {
    Sample sample;
    EXPECT_EQ(sample.apply({"count"}), "");
    EXPECT_EQ(sample.print(), "count\n    3\n");
    Sample other;
    EXPECT_EQ(other.apply({"sum", "name"}), "sum: 'name' holds texts, which have no sum");
    EXPECT_EQ(other.apply({"sum", "at"}), "sum: 'at' holds addresses, which have no sum");
    EXPECT_EQ(other.apply({"sum", "size"}), "");
    EXPECT_EQ(other.print(), "   size\n1.5 MiB\n");
    Sample large;
    large.table.add_row({"max", ~u64{0}, 0u, 0u, 0u, 0u}).value();
    EXPECT_EQ(large.apply({"sum", "size"}), "sum: it is larger than 2^64 - 1");
    EXPECT_EQ(large.table.rows(), 4u);
    EXPECT_EQ(large.apply({"count", "x"}), "usage: count");
}

TEST(Filters, UniqueReverseAndLines) {
    Sample sample;
    EXPECT_EQ(sample.apply({"unique", "count"}), "");
    EXPECT_EQ(sample.names(), (Names{"heap", "pools \u4E00"}));
    EXPECT_EQ(sample.apply({"reverse"}), "");
    EXPECT_EQ(sample.names(), (Names{"pools \u4E00", "heap"}));
    sample.apply({"select", "name", "size"});
    EXPECT_EQ(sample.apply({"lines"}), "");
    EXPECT_EQ(sample.print(), "line\npools \u4E00  512 B\nheap  1.5 MiB\n");
    EXPECT_EQ(sample.apply({"where", "line", "~", "MiB"}), "");
    EXPECT_EQ(sample.table.rows(), 1u);
    Table const text = table_of_lines(sample.any, "a\n\nb b").value();
    ASSERT_EQ(text.rows(), 3u);
    EXPECT_EQ(text.text(1, 0), "");
    EXPECT_EQ(text.text(2, 0), "b b");
    EXPECT_EQ(table_of_lines(sample.any, "").value().rows(), 0u);
}

TEST(Filters, AreListedByName) {
    Sample sample;
    Problem problem;
    std::string_view const unknown[] = {"sord"};
    EXPECT_EQ(apply_filter(sample.table, unknown, problem).error(), Error::not_found);
    for (usize i = 1; i < filters().size(); ++i) {
        EXPECT_LT(filters()[i - 1].name, filters()[i].name);
    }
}

} // namespace
