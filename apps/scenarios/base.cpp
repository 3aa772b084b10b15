// Every public operation of base, with values at the edges. Values are text or numbers, never
// addresses.
#include "core/base/base.hpp"
#include "apps/scenarios/scenarios.hpp"

#include <array>

namespace twofold::scenarios {

namespace {

using twofold::boot::Recorder;
using namespace twofold::literals;

/// A name with a number at its end, for values that come in a row.
class Numbered {
public:
    Numbered(std::string_view prefix, u64 number) {
        m_text = format_to(std::span(m_storage), "{} {}", prefix, number);
    }
    operator std::string_view() const { return m_text; }

private:
    char m_storage[80];
    std::string_view m_text;
};

void record_units_and_bits(Recorder& record) {
    constexpr u64 values[] = {0, 1, 4095, 4096, 4097, ~u64{0} - 5};
    for (usize i = 0; i < std::size(values); ++i) {
        record.number(Numbered("align_up", i), align_up(values[i], 4096));
        record.number(Numbered("align_down", i), align_down(values[i], 4096));
        record.truth(Numbered("is_aligned", i), is_aligned(values[i], 4096));
        record.truth(Numbered("is_power_of_two", i), is_power_of_two(values[i]));
    }
    PhysAddr const physical{0x12345};
    record.number("PhysAddr align_up", align_up(physical, page_size).value);
    record.number("PhysAddr align_down", align_down(physical, page_size).value);
    record.truth("PhysAddr is_aligned", is_aligned(physical, page_size));
    record.number("PhysAddr difference", (physical + 1_MiB - physical).value);
    record.truth("VirtAddr order", VirtAddr{1} < VirtAddr{2});
    record.number("Bytes align_up", align_up(5_KiB, 4_KiB).value);
    record.number("Bytes align_down", align_down(5_KiB, 4_KiB).value);
    record.number("Bytes quotient", 1_GiB / 2_MiB);
    record.number("Bytes product", (3_B * 7).value);
    record.number("Nanos sum", static_cast<u64>((Nanos{5} + Nanos{6} - Nanos{1}).value));
    constexpr u64 ranges[][4] = {
        {0, 10, 10, 5}, {0, 11, 10, 5}, {12, 1, 10, 5}, {0, 0, 0, 5}, {~u64{0} - 1, 4, 0, 1}};
    for (usize i = 0; i < std::size(ranges); ++i) {
        auto const& range = ranges[i];
        record.truth(
            Numbered("ranges_overlap", i), ranges_overlap(range[0], range[1], range[2], range[3]));
    }
}

Result<u64> half_of_even(u64 number) {
    if (number % 2 != 0) {
        return Error::invalid_argument;
    }
    return number / 2;
}

Result<u64> quarter(u64 number) {
    u64 const half = TRY(half_of_even(number));
    return TRY(half_of_even(half));
}

void record_results(Recorder& record) {
    for (u64 i = 4; i <= 7; ++i) {
        record.result(Numbered("TRY", i), quarter(i));
    }
    for (usize i = 0; i <= error_count; ++i) {
        record.text(Numbered("error_name", i), error_name(static_cast<Error>(i)));
    }
    record.number("value_or of an error", quarter(7).value_or(99));
    record.number("value_or of a value", quarter(8).value_or(99));
    Result<u64> assigned = Error::busy;
    assigned = Result<u64>(5);
    record.result("assigned result", assigned);
    Result<u64> const copied = assigned;
    record.result("copied result", copied);
    record.truth("Result<void> succeeds", Result<void>{}.has_value());
    record.result("Result<void> fails", Result<void>{Error::timed_out});
}

void record_atomics(Recorder& record) {
    Atomic<u64> word(10);
    record.number("fetch_add", word.fetch_add(5, relaxed));
    record.number("fetch_sub", word.fetch_sub(1, acquire_release));
    record.number("fetch_or", word.fetch_or(0x10, acquire));
    record.number("fetch_and", word.fetch_and(0x1c, release));
    record.number("exchange", word.exchange(3, sequential));
    u64 expected = 4;
    record.truth(
        "compare_exchange refuses", word.compare_exchange(expected, 9, sequential, relaxed));
    record.number("compare_exchange tells", expected);
    record.truth("compare_exchange takes", word.compare_exchange(expected, 9, sequential, relaxed));
    word.store(word.load(acquire) * 2, release);
    fence(sequential);
    record.number("load", word.load(relaxed));
}

void record_formatting(Recorder& record) {
    char storage[256];
    std::span<char> const buffer(storage);
    record.text(
        "format integers",
        format_to(buffer, "{} {:d} {:x} {:#X} {:b} {:#o}", 0, -7, 255u, 255u, 5, 8));
    record.text(
        "format widths",
        format_to(buffer, "[{:5}|{:<5}|{:^5}|{:>5}|{:*^7}|{:05}]", 42, 42, 42, 42, 42, 42));
    record.text("format signs", format_to(buffer, "{:+} {: } {:-} {:+}", 1, 2, 3, -4));
    record.text("format limits", format_to(buffer, "{} {} {}", ~u64{0}, i64{-1} << 63, u8{255}));
    record.text(
        "format text",
        format_to(buffer, "{} {:.3} {:>8} {:_<8}|", "plain", "precise", "right", "left"));
    record.text("format order", format_to(buffer, "{1} {0} {1}", "a", "b"));
    record.text("format dynamic", format_to(buffer, "{:{}} {:.{}}", 7, 4, "dynamic", 3));
    record.text("format braces", format_to(buffer, "{{{}}}", true));
    record.text(
        "format units",
        format_to(buffer, "{} {} {} {}", PhysAddr{0xabc}, 4_KiB, CpuId{3}, Error::busy));
    record.text("format char", format_to(buffer, "{} {:d} {:>3}", 'x', 'x', 'y'));
    record.text("format nothing", format_to(buffer, "no arguments"));
    auto const cut = format_to(std::span(storage).first(6), "{}", "a long text");
    record.text("format cut", cut.text);
    record.truth("format cut says so", cut.truncated);
    TextBuffer text(buffer);
    format_to(text.output(), "{}+{}", 1, 2);
    text.append("=3");
    record.text("TextBuffer", text.view());
    record.truth("TextBuffer is not cut", text.truncated());
    text.clear();
    record.text("TextBuffer cleared", text.view());
}

void record_text(Recorder& record) {
    record.text("slice", slice("kernel", 1, 4));
    record.text("text_of null", text_of(static_cast<char const*>(nullptr)));
    record.number("code_point_count", code_point_count("na\xc3\xafve"));
    record.text("code_point_prefix", code_point_prefix("na\xc3\xafve", 3));
    record.truth("starts_code_point", starts_code_point('\xaf'));
    constexpr std::string_view numbers[] = {
        "0", "18446744073709551615", "18446744073709551616", "0xfF", "0x", "", "12a", "-1", " 1"};
    for (usize i = 0; i < std::size(numbers); ++i) {
        record.result(Numbered("parse_unsigned", i), parse_unsigned(numbers[i]));
    }
    constexpr std::string_view sizes[] = {"4096",         "64M", "1GiB", "2k", "16T",
                                          "99999999999T", "M",   "1MB",  "1Gi"};
    for (usize i = 0; i < std::size(sizes); ++i) {
        Result<Bytes> const size = parse_size(sizes[i]);
        record.result(
            Numbered("parse_size", i),
            size ? Result<u64>(size.value().value) : Result<u64>(size.error()));
    }
    constexpr std::string_view line = "a 'b c' d\\ e; \"f;g\" h='i j' ''";
    char scratch[64];
    Tokenizer tokens(line, scratch, ";");
    for (u64 i = 0; i < 10; ++i) {
        Result<Token> const token = tokens.next();
        record.text(Numbered("token", i), token ? token.value().text : error_name(token.error()));
    }
    Tokenizer open("'open", scratch, "");
    record.truth("token of an open quote", open.next().has_value());
}

void record_bytes(Recorder& record) {
    constexpr std::array<std::byte, 9> data{std::byte{1},    std::byte{2},    std::byte{3},
                                            std::byte{4},    std::byte{5},    std::byte{6},
                                            std::byte{0xff}, std::byte{0x80}, std::byte{9}};
    ByteReader reader(data);
    record.result("read u16", reader.read<u16>());
    record.result("read u32", reader.read<u32>());
    record.result("peek u8", reader.peek_at<u8>(8));
    record.result("peek beyond", reader.peek_at<u16>(8));
    record.result("skip", reader.skip(1));
    record.result("skip beyond", reader.skip(3));
    record.number("position", reader.position());
    record.number("remaining", reader.remaining());
    record.result("read u64 beyond", reader.read<u64>());
    auto const rest = reader.read_bytes(2);
    record.text("read bytes", rest ? text_of_bytes(rest.value()) : "nothing");
    record.truth("read bytes beyond", reader.read_bytes(1).has_value());
    record.number("crc32 of nothing", crc32({}));
    record.number("crc32", crc32(bytes_of_text("123456789")));
    Crc32 pieces;
    pieces.update(bytes_of_text("1234"));
    pieces.update(bytes_of_text("56789"));
    record.number("crc32 in pieces", pieces.value());
}

struct Item : ListNode<> {
    explicit Item(u64 number) : value(number) {}
    u64 value;
};

void record_containers(Recorder& record) {
    FixedVector<u64, 4> vector;
    for (u64 i = 0; i < 5; ++i) {
        record.result(Numbered("vector push_back", i), vector.push_back(i * i));
    }
    vector.erase(1);
    record.result("vector insert", vector.insert(0, 77));
    record.result("vector insert when full", vector.insert(0, 78));
    vector.pop_back();
    u64 sum = 0;
    for (u64 const item : vector) {
        sum = sum * 100 + item;
    }
    record.number("vector content", sum);
    record.number("vector back", vector.back());
    FixedVector<u64, 4> const copy = vector;
    vector.clear();
    record.truth("vector cleared", vector.empty() && !vector.full());
    record.number("vector copy", copy.size());

    FixedString<8> string;
    record.result("string append", string.append("kern"));
    record.result("string too long", string.append("space"));
    record.result("string letter", string.append('s'));
    string.pop_back();
    record.text("string", string);
    record.truth("string equals", string == "kern");
    record.truth("string create", FixedString<2>::create("abc").has_value());

    Ring<u64, 3> ring;
    for (u64 i = 0; i < 4; ++i) {
        record.result(Numbered("ring push", i), ring.push(i));
    }
    record.number("ring push_over", ring.push_over(9).value_or(99));
    record.number("ring pop", ring.pop().value_or(99));
    record.number("ring item", ring[1]);
    ring.clear();
    record.truth("ring pop when empty", ring.pop().has_value());

    Item items[] = {Item(1), Item(2), Item(3)};
    IntrusiveList<Item> list;
    list.push_back(items[1]);
    list.push_front(items[0]);
    list.insert_before(items[1], items[2]);
    u64 order = 0;
    for (Item const& item : list) {
        order = order * 10 + item.value;
    }
    record.number("list order", order);
    list.remove(items[2]);
    record.number("list size", list.size());
    record.truth("list linked", items[2].is_linked());
    record.number("list pop_back", list.pop_back().value);
    record.number("list pop_front", list.pop_front().value);
    record.truth("list empty", list.empty());
}

void record_random(Recorder& record) {
    SplitMix64 mix(1);
    Random random(7);
    for (u64 i = 0; i < 4; ++i) {
        record.number(Numbered("SplitMix64", i), mix.next());
        record.number(Numbered("Random", i), random.next());
        record.number(Numbered("Random below", i), random.below(10 + i));
        record.number(Numbered("Random between", i), random.between(5, 5 + i));
    }
    record.number("Random full range", random.between(0, ~u64{0}));
}

} // namespace

void base(Recorder& record, twofold::boot::Kernel&) {
    record_units_and_bits(record);
    record_results(record);
    record_atomics(record);
    record_formatting(record);
    record_text(record);
    record_bytes(record);
    record_containers(record);
    record_random(record);
}

} // namespace twofold::scenarios
