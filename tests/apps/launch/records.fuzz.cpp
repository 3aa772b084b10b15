// Fuzzes the decoder of the result channel: whatever arrives, however it is cut, the records are
// those of the uncut stream, bytes are accounted for, and every record has a JSON line.
#include "apps/launch/records.hpp"

#include <cstdlib>

using namespace twofold;
using namespace twofold::launch;

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

std::vector<std::string> decode(std::span<std::byte const> bytes, usize piece) {
    RecordDecoder decoder;
    std::vector<std::string> lines;
    auto const sink = [&](Record const& record) {
        lines.push_back(to_json(record));
        require(lines.back().find('\n') == std::string::npos);
    };
    usize const total = bytes.size();
    while (!bytes.empty()) {
        usize const taken = std::min(piece, bytes.size());
        decoder.feed(bytes.first(taken), sink);
        bytes = bytes.subspan(taken);
    }
    decoder.finish(sink);
    require(decoder.held_bytes() == 0 && decoder.skipped_bytes() <= total);
    return lines;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, usize size);

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, usize size) {
    auto const bytes = std::as_bytes(std::span(data, size));
    require(decode(bytes, size + 1) == decode(bytes, 7));
    return 0;
}
