// See identify.hpp.
#include "core/device/nvme/identify.hpp"

#include <algorithm>

namespace twofold::nvme {

namespace {

constexpr u8 submission_log2 = 6, completion_log2 = 4;
static_assert(sizeof(Command) == usize{1} << submission_log2);
static_assert(sizeof(Completion) == usize{1} << completion_log2);

/// Text that is filled up with spaces; what cannot be printed is shown as such.
template<usize size>
FixedString<size> parse_text(char const (&said)[size]) {
    usize length = size;
    while (length > 0 && (said[length - 1] == ' ' || said[length - 1] == '\0')) {
        --length;
    }
    FixedString<size> text;
    for (char const letter : std::span(said).first(length)) {
        text.append(letter >= ' ' && letter <= '~' ? letter : '?').value(); // as long as it is
    }
    return text;
}

/// Whether entries of `wanted` are among those of `sizes`: required below, largest above.
Result<void> check_entry(u8 sizes, u8 wanted) {
    u8 const required = sizes & 0xf, largest = static_cast<u8>(sizes >> 4);
    if (required > largest) {
        return Error::corrupted;
    }
    return required <= wanted && wanted <= largest ? Result<void>() : Error::not_supported;
}

u64 parse_transfer_max(u8 log2, u64 page_bytes) {
    constexpr u8 log2_max = 32; // 2^44 bytes and more are no limit to anybody
    return log2 == 0 || log2 > log2_max ? ~u64{0} : page_bytes << log2;
}

SglSupport parse_sgl(u32 said) {
    switch (said & 3) {
    case 1:
        return SglSupport::bytes;
    case 2:
        return SglSupport::words;
    default:
        return SglSupport::none;
    }
}

} // namespace

Result<ControllerFacts>
parse_controller(IdentifyController const& said, Capabilities capabilities) {
    if (capabilities.page_bytes_min() > page_size.value || !capabilities.has_nvm_commands()) {
        return Error::not_supported;
    }
    if (capabilities.page_bytes_max() < capabilities.page_bytes_min()) {
        return Error::corrupted;
    }
    TRY(check_entry(said.submission_entry_log2, submission_log2));
    TRY(check_entry(said.completion_entry_log2, completion_log2));
    if (said.namespaces == all_namespaces) {
        return Error::corrupted;
    }
    return ControllerFacts{
        .vendor = said.vendor,
        .controller_id = said.controller_id,
        .version = said.version,
        .serial = parse_text(said.serial),
        .model = parse_text(said.model),
        .firmware = parse_text(said.firmware),
        .transfer_bytes_max =
            parse_transfer_max(said.data_size_max_log2, capabilities.page_bytes_min()),
        .namespaces = said.namespaces,
        .abort_limit = u32{said.abort_limit} + 1,
        .event_limit = u32{said.event_limit} + 1,
        .error_log_entries = u32{said.error_log_entries} + 1,
        .events_supported = said.events_supported,
        .warning_kelvin = said.warning_kelvin,
        .critical_kelvin = said.critical_kelvin,
        .sgl = parse_sgl(said.sgl_support),
        .has_volatile_cache = (said.volatile_cache & 1) != 0,
        .can_deallocate = (said.optional_commands & has_dataset_management) != 0,
        .can_write_zeroes = (said.optional_commands & has_write_zeroes) != 0};
}

Result<NamespaceFacts> parse_namespace(IdentifyNamespace const& said) {
    if (said.blocks == 0) {
        return Error::not_found;
    }
    u8 const index = said.format & 0xf;
    if (index > said.formats || said.formats >= formats_max) {
        return Error::corrupted;
    }
    BlockFormat const& format = said.format_list[index];
    if (format.data_log2 < block_log2_min) {
        return Error::corrupted;
    }
    if (format.metadata_bytes != 0 || (said.protection & 7) != 0 ||
        format.data_log2 > block_log2_max) {
        return Error::not_supported;
    }
    bool const overflows = said.blocks > ~u64{0} >> 1 >> format.data_log2;
    if (overflows || said.capacity > said.blocks || said.used > said.capacity) {
        return Error::corrupted;
    }
    return NamespaceFacts{
        .blocks = said.blocks,
        .block_log2 = format.data_log2,
        .is_read_only = (said.attributes & 1) != 0,
        .eui64 = said.eui64};
}

Result<NamespaceList>
parse_namespace_list(std::span<u32 const, namespace_list_max> said, u32 last_number) {
    NamespaceList list;
    u32 before = 0;
    for (u32 const number : said) {
        if (number == 0 || list.full()) {
            break;
        }
        if (number <= before || number > last_number) {
            return Error::corrupted;
        }
        list.push_back(number).value(); // it is not full
        before = number;
    }
    return list;
}

block::Geometry geometry_of(
    ControllerFacts const& controller,
    NamespaceFacts const& name_space,
    TransferLimits const& limits,
    VolatileCache cache) {
    constexpr u64 blocks_max = 0x1'0000; // word 12 of a command has 16 bits for them
    u32 const block_bytes = u32{1} << name_space.block_log2;
    u64 const bytes = std::min(controller.transfer_bytes_max, limits.bytes_max);
    u64 const most = std::min(bytes >> name_space.block_log2, blocks_max);
    bool const has_sgl = controller.sgl != SglSupport::none;
    return {
        .sectors = name_space.blocks,
        .sector_bytes = block_bytes,
        .physical_sector_bytes = block_bytes,
        .sectors_max = static_cast<u32>(most),
        .segments_max = limits.segments_max,
        .segment_alignment = controller.sgl == SglSupport::bytes ? 1u : 4u,
        .segment_boundary = has_sgl ? 1u : static_cast<u32>(page_size.value),
        .has_volatile_cache = cache == VolatileCache::on,
        .can_deallocate = controller.can_deallocate,
        .can_write_zeroes = controller.can_write_zeroes,
        .is_read_only = name_space.is_read_only};
}

} // namespace twofold::nvme
