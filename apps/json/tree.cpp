// A tree from RapidJSON's events. See tree.hpp.
#include "apps/json/tree.hpp"

#include "apps/launch/status.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

namespace twofold::json {

namespace {

using launch::Failure;
using launch::Status;

constexpr usize depth_max = 64;

/// Finds lines by offsets that grow.
class LineCounter {
public:
    explicit LineCounter(std::string_view text) : m_text(text) {}

    u32 line_at(usize offset) {
        usize const end = std::min(offset, m_text.size());
        for (; m_position < end; ++m_position) {
            m_line += m_text[m_position] == '\n' ? 1 : 0;
        }
        return m_line;
    }

private:
    std::string_view m_text;
    usize m_position = 0;
    u32 m_line = 1;
};

/// Takes RapidJSON's events; what it answers says whether the parser is to go on.
class TreeMaker {
public:
    TreeMaker(rapidjson::MemoryStream& stream, std::string_view text)
        : m_stream(stream), m_lines(text) {}

    Value take_root() { return std::move(m_root); }
    bool is_too_deep() const { return m_is_too_deep; }

    // NOLINTBEGIN(readability-identifier-naming): RapidJSON calls them
    bool Null() {
        add(Kind::null);
        return true;
    }
    bool Bool(bool value) {
        add(Kind::boolean).boolean = value;
        return true;
    }
    bool RawNumber(char const* text, rapidjson::SizeType length, bool) {
        Value& value = add(Kind::real);
        value.text.assign(text, length);
        char const* const end = value.text.data() + value.text.size();
        auto const [stop, error] = std::from_chars(value.text.data(), end, value.integer);
        value.kind = error == std::errc{} && stop == end ? Kind::integer : Kind::real;
        return true;
    }
    bool Int(int) { return false; }
    bool Uint(unsigned) { return false; }
    bool Int64(std::int64_t) { return false; }
    bool Uint64(std::uint64_t) { return false; }
    bool Double(double) { return false; }
    bool String(char const* text, rapidjson::SizeType length, bool) {
        add(Kind::text).text.assign(text, length);
        return true;
    }
    bool StartObject() { return open(Kind::object); }
    bool Key(char const* text, rapidjson::SizeType length, bool) {
        m_key.assign(text, length);
        return true;
    }
    bool EndObject(rapidjson::SizeType) { return close(); }
    bool StartArray() { return open(Kind::array); }
    bool EndArray(rapidjson::SizeType) { return close(); }
    // NOLINTEND(readability-identifier-naming)

private:
    Value& add(Kind kind) {
        Value* target = &m_root;
        if (!m_path.empty()) {
            m_path.back()->members.emplace_back();
            target = &m_path.back()->members.back();
        }
        target->kind = kind;
        target->line = m_lines.line_at(m_stream.Tell());
        target->key = std::move(m_key);
        m_key.clear();
        return *target;
    }
    bool open(Kind kind) {
        if (m_path.size() == depth_max) {
            m_is_too_deep = true;
            return false;
        }
        m_path.push_back(&add(kind));
        return true;
    }
    bool close() {
        m_path.pop_back();
        return true;
    }

    rapidjson::MemoryStream& m_stream;
    LineCounter m_lines;
    Value m_root;
    std::vector<Value*> m_path; ///< the open ones; none of them moves while it is open
    std::string m_key;
    bool m_is_too_deep = false;
};

} // namespace

std::string_view kind_name(Kind kind) {
    constexpr std::string_view names[] = {"null",   "a boolean", "a whole number", "a number",
                                          "a text", "an array",  "an object"};
    return names[static_cast<usize>(kind)];
}

Value parse(std::string const& name, std::string_view text) {
    rapidjson::MemoryStream stream(text.data(), text.size());
    TreeMaker maker(stream, text);
    rapidjson::Reader reader;
    constexpr unsigned flags = rapidjson::kParseIterativeFlag | rapidjson::kParseCommentsFlag |
                               rapidjson::kParseTrailingCommasFlag |
                               rapidjson::kParseNumbersAsStringsFlag |
                               rapidjson::kParseValidateEncodingFlag;
    rapidjson::ParseResult const result = reader.Parse<flags>(stream, maker);
    if (result.IsError()) {
        throw Failure(
            Status::usage,
            fmt::format(
                "{}:{}: {}", name, LineCounter(text).line_at(result.Offset()),
                maker.is_too_deep() ? fmt::format("values lie more than {} deep", depth_max)
                                    : rapidjson::GetParseError_En(result.Code())));
    }
    return maker.take_root();
}

} // namespace twofold::json
