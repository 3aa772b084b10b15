// Quantities: units in tables, the largest last.
#include "apps/shell/quantity.hpp"

namespace twofold::shell {

namespace {

struct Unit {
    std::string_view name;
    u64 size;
};

constexpr u64 microsecond = 1000;
constexpr u64 second = 1'000'000'000;
constexpr Unit byte_units[] = {
    {"B", 1},
    {"KiB", 1ull << 10},
    {"MiB", 1ull << 20},
    {"GiB", 1ull << 30},
    {"TiB", 1ull << 40},
    {"PiB", 1ull << 50},
    {"EiB", 1ull << 60}};
constexpr Unit duration_units[] = {
    {"ns", 1},
    {"us", microsecond},
    {"ms", 1000 * microsecond},
    {"s", second},
    {"min", 60 * second},
    {"h", 3600 * second},
    {"d", 86'400 * second}};

/// Tenths of a unit, rounded; the products fit, as no unit is above 2^60.
struct Tenths {
    u64 whole;
    u64 tenth;
};

constexpr Tenths in_tenths(u64 value, u64 unit) {
    u64 const tenths = (value % unit * 10 + unit / 2) / unit;
    return {value / unit + tenths / 10, tenths % 10};
}

std::string_view format_in_units(u64 value, std::span<Unit const> units, std::span<char> buffer) {
    usize chosen = 0;
    while (chosen + 1 < units.size()) {
        u64 const rounded = in_tenths(value, units[chosen].size).whole; // 1023.96 KiB are 1 MiB
        if (chosen == 0 ? value < units[1].size
                        : rounded < units[chosen + 1].size / units[chosen].size) {
            break;
        }
        ++chosen;
    }
    Unit const& unit = units[chosen];
    if (chosen == 0) {
        return format_to(buffer, "{} {}", value, unit.name).text;
    }
    Tenths const tenths = in_tenths(value, unit.size);
    return format_to(buffer, "{}.{} {}", tenths.whole, tenths.tenth, unit.name).text;
}

/// A number with at most six digits behind a point.
struct Decimal {
    u64 whole = 0;
    u64 millionths = 0;
    std::string_view unit; ///< what stands behind it
};

constexpr bool is_digit(char letter) {
    return letter >= '0' && letter <= '9';
}

Result<Decimal> parse_decimal(std::string_view text) {
    usize digits = 0;
    while (digits < text.size() && is_digit(text[digits])) {
        ++digits;
    }
    Decimal decimal;
    decimal.whole = TRY(parse_unsigned(slice(text, 0, digits)));
    std::string_view rest = slice(text, digits, text.size() - digits);
    if (rest.starts_with('.')) {
        u64 weight = 1'000'000;
        usize end = 1;
        for (; end < rest.size() && is_digit(rest[end]); ++end) {
            if (weight == 1) {
                return Error::invalid_argument;
            }
            weight /= 10;
            decimal.millionths += weight * static_cast<u64>(rest[end] - '0');
        }
        if (end == 1) {
            return Error::invalid_argument;
        }
        rest = slice(rest, end, rest.size() - end);
    }
    decimal.unit = rest.starts_with(' ') ? slice(rest, 1, rest.size() - 1) : rest;
    return decimal;
}

Result<u64> scale(Decimal const& decimal, u64 unit) {
    u64 whole = 0;
    u64 sum = 0;
    u64 const part = decimal.millionths * (unit / 1'000'000) +
                     decimal.millionths * (unit % 1'000'000) / 1'000'000;
    bool const is_too_large = __builtin_mul_overflow(decimal.whole, unit, &whole) ||
                              __builtin_add_overflow(whole, part, &sum);
    return is_too_large ? Result<u64>(Error::out_of_range) : sum;
}

constexpr char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

/// "K", "k" and "KiB" are the same unit; so are "" and "B".
bool is_byte_unit(std::string_view text, std::string_view name) {
    if (name == "B") {
        return text.empty() || text == "B";
    }
    return !text.empty() && lower(text[0]) == lower(name[0]) &&
           (text.size() == 1 || slice(text, 1, text.size() - 1) == "iB");
}

Result<u64> parse_bytes(Decimal const& decimal) {
    for (Unit const& unit : byte_units) {
        if (is_byte_unit(decimal.unit, unit.name)) {
            return scale(decimal, unit.size);
        }
    }
    return Error::invalid_argument;
}

Result<u64> parse_duration(Decimal const& decimal) {
    for (Unit const& unit : duration_units) {
        if (decimal.unit == unit.name || (decimal.unit.empty() && unit.size == 1)) {
            return scale(decimal, unit.size);
        }
    }
    return Error::invalid_argument;
}

} // namespace

std::string_view format_quantity(Kind kind, u64 value, std::span<char> buffer) {
    CHECK(kind != Kind::text && buffer.size() >= quantity_bytes_max);
    switch (kind) {
    case Kind::bytes:
        return format_in_units(value, byte_units, buffer);
    case Kind::duration:
        return format_in_units(value, duration_units, buffer);
    case Kind::address:
        return format_to(buffer, "{:#018x}", value).text;
    case Kind::percent: {
        Tenths const tenths = in_tenths(value, 100);
        return format_to(buffer, "{}.{}%", tenths.whole, tenths.tenth).text;
    }
    case Kind::number:
    case Kind::text:
        break;
    }
    return format_to(buffer, "{}", value).text;
}

Result<u64> parse_quantity(Kind kind, std::string_view text) {
    bool const is_plain = kind == Kind::number || kind == Kind::address;
    if (is_plain || text.starts_with("0x")) {
        return kind == Kind::text ? Result<u64>(Error::invalid_argument) : parse_unsigned(text);
    }
    Decimal const decimal = TRY(parse_decimal(text));
    switch (kind) {
    case Kind::bytes:
        return parse_bytes(decimal);
    case Kind::duration:
        return parse_duration(decimal);
    case Kind::percent:
        return decimal.unit.empty() || decimal.unit == "%" ? scale(decimal, 100)
                                                           : Error::invalid_argument;
    default:
        return Error::invalid_argument;
    }
}

} // namespace twofold::shell
