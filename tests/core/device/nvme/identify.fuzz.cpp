// What a hostile controller says of itself, of its namespaces and of their list; and pieces of
// memory of any shape. Nothing may crash, and what is believed must hold together.
#include "core/device/nvme/data_pointer.hpp"
#include "core/device/nvme/status.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace twofold::nvme {
namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

/// As much of it as there is.
template<class T>
T read(std::span<std::uint8_t const>& bytes) {
    T value{};
    usize const size = std::min(sizeof(T), bytes.size());
    std::memcpy(static_cast<void*>(&value), bytes.data(), size);
    bytes = bytes.subspan(size);
    return value;
}

bool is_text(std::string_view text) {
    for (char const letter : text) {
        if (letter < ' ' || letter > '~') {
            return false;
        }
    }
    return true;
}

void check_geometry(block::Geometry const& geometry, NamespaceFacts const& facts) {
    require(geometry.sectors == facts.blocks && geometry.sectors != 0);
    require(is_power_of_two(geometry.sector_bytes) && geometry.sector_bytes >= 512);
    require(geometry.sectors <= ~u64{0} / geometry.sector_bytes);
    require(geometry.sectors_max <= 0x1'0000);
    require(u64{geometry.sectors_max} * geometry.sector_bytes <= u64{512} << 10);
    require(is_power_of_two(geometry.segment_alignment));
    require(is_power_of_two(geometry.segment_boundary));
}

void try_identity(std::span<std::uint8_t const> bytes) {
    Capabilities const capabilities{read<u64>(bytes)};
    auto const name_space = parse_namespace(read<IdentifyNamespace>(bytes));
    auto const controller = parse_controller(read<IdentifyController>(bytes), capabilities);
    if (!controller) {
        return;
    }
    ControllerFacts const& facts = controller.value();
    require(is_text(facts.serial) && is_text(facts.model) && is_text(facts.firmware));
    require(facts.transfer_bytes_max >= page_size.value);
    require(facts.event_limit >= 1 && facts.abort_limit >= 1 && facts.error_log_entries >= 1);
    if (name_space) {
        TransferLimits const limits{.bytes_max = u64{512} << 10, .segments_max = 32};
        check_geometry(
            geometry_of(facts, name_space.value(), limits, VolatileCache::on), name_space.value());
    }
}

void try_list(std::span<std::uint8_t const> bytes) {
    u32 const last = read<u32>(bytes);
    struct List {
        u32 numbers[namespace_list_max];
    };
    auto const said = read<List>(bytes);
    auto const list =
        parse_namespace_list(std::span<u32 const, namespace_list_max>(said.numbers), last);
    u32 before = 0;
    for (usize i = 0; list && i < list.value().size(); ++i) {
        require(list.value()[i] > before && list.value()[i] <= last);
        before = list.value()[i];
    }
}

void try_pieces(std::span<std::uint8_t const> bytes) {
    constexpr usize pieces_max = 32;
    Piece pieces[pieces_max];
    usize count = 0;
    auto const sgl = static_cast<SglSupport>(read<u8>(bytes) % 3);
    while (count < pieces_max && bytes.size() >= 8) {
        u64 const address = u64{read<u32>(bytes)} << (bytes.size() % 3 * 4);
        pieces[count++] = {{address}, read<u32>(bytes) % 0x2'0000 + 1};
    }
    if (count == 0) {
        return;
    }
    u64 words[64]{};
    u64 guard[4] = {1, 2, 3, 4};
    Command command;
    auto const pointed = point_to(
        command, std::span(pieces).first(count), sgl,
        {std::span(words).first(60), hal::DmaAddress{0x1000}});
    require(words[60] == 0 && words[63] == 0 && guard[0] == 1 && guard[3] == 4);
    if (!pointed) {
        return;
    }
    require(pointed.value().descriptors >= 1);
    require(command.flags != data_by_sgl || sgl != SglSupport::none);
    require(command.flags == data_by_sgl || is_prp_shaped(std::span(pieces).first(count)));
    require(pointed.value().has_list || pointed.value().descriptors <= 2);
}

void try_status(std::span<std::uint8_t const> bytes) {
    Status const status{static_cast<u16>(read<u16>(bytes) & 0x7fff)};
    if (!status.is_success()) {
        require(!(verdict_of(status).may_retry && status.must_not_retry()));
    }
}

} // namespace
} // namespace twofold::nvme

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace twofold::nvme;
    if (size == 0) {
        return 0;
    }
    std::span<std::uint8_t const> const rest(data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        try_identity(rest);
        break;
    case 1:
        try_list(rest);
        break;
    case 2:
        try_pieces(rest);
        break;
    default:
        try_status(rest);
    }
    return 0;
}
