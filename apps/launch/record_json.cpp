// The schemas of the known records, and records as JSON text. See records.hpp.
#include "apps/launch/json_text.hpp"
#include "apps/launch/records.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>

namespace twofold::launch {

namespace {

constexpr FieldSchema hello_fields[] = {
    {'s', "machine"}, {'s', "version"}, {'s', "image"}, {'u', "image_base"}, {'u', "image_size"}};
constexpr FieldSchema step_fields[] = {{'s', "name"}, {'s', "state"}};
constexpr FieldSchema ready_fields[] = {{'u', "cycles"}};
constexpr FieldSchema command_fields[] = {
    {'s', "text"}, {'i', "status"}, {'u', "cycles_before"}, {'u', "cycles_after"}};
constexpr FieldSchema test_begin_fields[] = {{'s', "test"}};
constexpr FieldSchema test_failure_fields[] = {
    {'s', "test"}, {'s', "file"}, {'u', "line"}, {'s', "expectation"}, {'s', "detail"}};
constexpr FieldSchema test_end_fields[] = {
    {'s', "test"}, {'s', "outcome"}, {'u', "cycles"}, {'s', "reason"}};
constexpr FieldSchema value_fields[] = {{'s', "scenario"}, {'s', "name"}, {'b', "bytes"}};
constexpr FieldSchema panic_fields[] = {{'s', "text"}};
constexpr FieldSchema exit_fields[] = {{'i', "status"}};
constexpr FieldSchema tests_fields[] = {{'u', "passed"}, {'u', "failed"}, {'u', "skipped"}};

constexpr RecordSchema schemas[] = {
    {RecordType::hello, "hello", hello_fields},
    {RecordType::step, "step", step_fields},
    {RecordType::ready, "ready", ready_fields},
    {RecordType::command, "command", command_fields},
    {RecordType::test_begin, "test_begin", test_begin_fields},
    {RecordType::test_failure, "test_failure", test_failure_fields},
    {RecordType::test_end, "test_end", test_end_fields},
    {RecordType::value, "value", value_fields},
    {RecordType::panic, "panic", panic_fields},
    {RecordType::exit, "exit", exit_fields},
    {RecordType::tests, "tests", tests_fields},
    {RecordType::reset, "reset", {}},
};

constexpr bool schemas_are_indexed_by_type() {
    for (usize index = 0; index < std::size(schemas); ++index) {
        if (static_cast<usize>(schemas[index].type) != index + 1) {
            return false;
        }
    }
    return true;
}
static_assert(schemas_are_indexed_by_type());

void append_bytes(std::string& out, std::string_view bytes) {
    out += '"';
    for (char const byte : bytes) {
        fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(byte));
    }
    out += '"';
}

void append_field(std::string& out, char tag, RecordField const& field) {
    if (auto const* const number = std::get_if<u64>(&field)) {
        out += std::to_string(*number);
    } else if (auto const* const signed_number = std::get_if<i64>(&field)) {
        out += std::to_string(*signed_number);
    } else if (tag == 'b') {
        append_bytes(out, std::get<std::string>(field));
    } else {
        append_json_string(out, std::get<std::string>(field));
    }
}

/// Fields that no schema names, in order.
void append_further_fields(std::string& out, std::span<RecordField const> fields) {
    if (fields.empty()) {
        return;
    }
    out += R"(,"fields":[)";
    for (usize index = 0; index < fields.size(); ++index) {
        out += index == 0 ? "" : ",";
        append_field(out, 's', fields[index]);
    }
    out += ']';
}

} // namespace

RecordSchema const* record_schema(RecordType type) {
    auto const number = static_cast<usize>(type);
    return number >= 1 && number <= std::size(schemas) ? &schemas[number - 1] : nullptr;
}

std::string to_json(Record const& record) {
    std::span<RecordField const> const fields(record.fields);
    RecordSchema const* const schema = record_schema(record.type);
    std::string out = R"({"type":)";
    if (schema == nullptr) {
        out += std::to_string(static_cast<unsigned>(record.type));
        append_further_fields(out, fields);
        return out + '}';
    }
    append_json_string(out, schema->name);
    for (usize index = 0; index < schema->fields.size(); ++index) {
        fmt::format_to(std::back_inserter(out), ",\"{}\":", schema->fields[index].name);
        append_field(out, schema->fields[index].tag, fields[index]);
    }
    append_further_fields(out, fields.subspan(schema->fields.size()));
    return out + '}';
}

} // namespace twofold::launch
