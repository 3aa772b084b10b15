// See options.hpp.
#include "apps/workloads/options.hpp"

namespace twofold::workloads {

namespace {

Result<u32> parse_below(std::string_view text, u32 limit) {
    u64 const number = TRY(parse_unsigned(text));
    return number < limit ? Result<u32>(static_cast<u32>(number)) : Error::out_of_range;
}

} // namespace

Result<Kept> parse_kept(std::string_view text) {
    Kept kept;
    while (true) {
        usize const end = std::min(text.find(','), text.size());
        std::string_view const range = text.substr(0, end);
        usize const dash = std::min(range.find('-'), range.size());
        u32 const first = TRY(parse_below(range.substr(0, dash), operations_max));
        u32 const last =
            dash == range.size() ? first : TRY(parse_below(range.substr(dash + 1), operations_max));
        if (last < first) {
            return Error::invalid_argument;
        }
        kept.add(first, last);
        if (end == text.size()) {
            return kept;
        }
        text.remove_prefix(end + 1);
    }
}

Result<void> take_option(Options& options, std::string_view word) {
    usize const sign = std::min(word.find('='), word.size());
    std::string_view const key = word.substr(0, sign);
    std::string_view const value = word.substr(std::min(sign + 1, word.size()));
    if (key == "seed") {
        options.seed = TRY(parse_unsigned(value));
    } else if (key == "operations") {
        options.operations = TRY(parse_below(value, operations_max + 1));
    } else if (key == "threads") {
        options.threads = TRY(parse_below(value, threads_max + 1));
    } else if (key == "keep") {
        options.kept = TRY(parse_kept(value));
    } else if (key == "machine") {
        options.machine = TRY(parse_below(value, machines_max));
    } else if (key == "machines") {
        options.machines = TRY(parse_below(value, machines_max + 1));
        if (options.machines == 0) {
            return Error::out_of_range;
        }
    } else {
        return Error::not_found;
    }
    return {};
}

} // namespace twofold::workloads
