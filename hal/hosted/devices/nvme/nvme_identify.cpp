// What the NVMe controller says of itself and its namespaces. See nvme_controller.hpp.
#include "hal/hosted/devices/nvme/nvme_controller.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

namespace hosted {

namespace status = nvme::status;
using nvme::Command;
using nvme::do_not_retry;

namespace {

constexpr std::string_view model = "Twofold hosted NVMe controller", firmware = "1";
constexpr u8 block_log2_least = 9;

template<usize size>
void fill_text(char (&to)[size], std::string_view text) {
    CHECK(text.size() <= size);
    std::fill_n(to, size, ' ');
    std::ranges::copy(text, to);
}

template<class T>
std::span<std::byte const> bytes_of(T const& value) {
    return std::as_bytes(std::span(&value, 1));
}

/// An identifier of 64 bits, without an organisation's part: FNV-1a of the serial number.
u64 identifier_of(std::string_view serial, u32 space) {
    u64 hash = 0xcbf2'9ce4'8422'2325;
    for (char const letter : serial) {
        hash = (hash ^ static_cast<u8>(letter)) * 0x100'0000'01b3;
    }
    return ((hash ^ space) * 0x100'0000'01b3) | 1; // never 0
}

} // namespace

u16 NvmeController::identify(DeviceBus& bus, Command const& command) {
    switch (static_cast<nvme::IdentifyKind>(command.word10 & 0xff)) {
    case nvme::IdentifyKind::name_space:
        return identify_namespace(bus, command);
    case nvme::IdentifyKind::controller:
        return identify_controller(bus, command);
    case nvme::IdentifyKind::active_namespaces:
        return list_namespaces(bus, command);
    case nvme::IdentifyKind::namespace_descriptors:
        return describe_namespace(bus, command);
    }
    return status::invalid_field | do_not_retry;
}

u16 NvmeController::identify_controller(DeviceBus& bus, Command const& command) {
    constexpr u32 namespace_notices = u32{1} << 8;
    constexpr u8 one_slot_read_only = 0x03, health_by_namespace = 0x01, extended_pages = 0x04;
    constexpr u8 broadcast_flush = 0x06, has_cache = 0x01;
    constexpr u8 submission_entry = 0x66, completion_entry = 0x44;
    nvme::IdentifyController self{
        .vendor = pci_hosted_vendor,
        .subsystem_vendor = pci_hosted_vendor,
        .arbitration_burst = 6,
        .data_size_max_log2 = m_config.data_pages_log2,
        .version = 0x0001'0400,
        .events_supported = namespace_notices,
        .abort_limit = 3,
        .event_limit = event_requests_max - 1,
        .firmware_updates = one_slot_read_only,
        .log_attributes = health_by_namespace | extended_pages,
        .error_log_entries = error_entries - 1,
        .warning_kelvin = 0x157,
        .critical_kelvin = 0x175,
        .submission_entry_log2 = submission_entry,
        .completion_entry_log2 = completion_entry,
        .namespaces = namespaces_max,
        .optional_commands = nvme::has_dataset_management | nvme::has_write_zeroes,
        .volatile_cache = broadcast_flush | has_cache,
        .sgl_support = 1};
    self.reserved100[11] = 1; // CNTRLTYPE: an I/O controller
    fill_text(self.serial, m_config.serial);
    fill_text(self.model, model);
    fill_text(self.firmware, firmware);
    std::string const name = "nqn.2026-01.org.twofold:" + m_config.serial;
    std::ranges::copy(name, self.qualified_name);
    return answer_data(bus, command, bytes_of(self));
}

u16 NvmeController::identify_namespace(DeviceBus& bus, Command const& command) {
    u32 const space = command.space;
    if (!is_valid_space(space) || space == nvme::all_namespaces) {
        return status::invalid_namespace | do_not_retry;
    }
    nvme::IdentifyNamespace self{};
    if (has_namespace(space)) {
        auto const number = static_cast<u16>(space - 1);
        constexpr u8 reads_zeros = 1, zeroes_may_deallocate = 8;
        self.blocks = self.capacity = self.used = blocks(number);
        self.formats = 0;
        self.deallocation = reads_zeros | zeroes_may_deallocate;
        self.attributes = medium(number).is_read_only() ? 1 : 0;
        self.eui64 = __builtin_bswap64(identifier_of(m_config.serial, space));
        self.format_list[0].data_log2 =
            static_cast<u8>(std::countr_zero(medium(number).block_bytes()));
        static_assert(block_log2_least == 9);
    }
    return answer_data(bus, command, bytes_of(self));
}

u16 NvmeController::list_namespaces(DeviceBus& bus, Command const& command) {
    if (command.space >= nvme::all_namespaces - 1) {
        return status::invalid_namespace | do_not_retry;
    }
    std::array<u32, nvme::namespace_list_max> list{};
    usize count = 0;
    for (u32 space = command.space + 1; has_namespace(space); ++space) {
        list[count++] = space;
    }
    return answer_data(bus, command, std::as_bytes(std::span(list)));
}

u16 NvmeController::describe_namespace(DeviceBus& bus, Command const& command) {
    u32 const space = command.space;
    if (!is_valid_space(space) || space == nvme::all_namespaces) {
        return status::invalid_namespace | do_not_retry;
    }
    if (!has_namespace(space)) {
        return status::invalid_field | do_not_retry;
    }
    std::array<u8, nvme::identify_bytes> list{};
    constexpr u8 type_eui64 = 1;
    u64 const id = __builtin_bswap64(identifier_of(m_config.serial, space));
    list[0] = type_eui64;
    list[1] = sizeof(id);
    std::memcpy(&list[4], &id, sizeof(id));
    return answer_data(bus, command, std::as_bytes(std::span(list)));
}

} // namespace hosted
