// Reading a file of QEMU's firmware configuration device: for boots through GRUB, where the command
// line would otherwise be fixed in the ISO.
//
// Source: QEMU docs/specs/fw_cfg.
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/stub/stub.hpp"

namespace metal {

namespace {

constexpr u16 selector_port = 0x510;
constexpr u16 data_port = 0x511;
constexpr u16 signature_key = 0x0000;
constexpr u16 directory_key = 0x0019;
constexpr u32 most_files = 1024;
constexpr std::string_view wanted = "opt/org.twofold/cmdline";

/// An entry of the directory; numbers are big-endian.
struct FileEntry {
    u32 size;
    u16 key;
    u16 reserved;
    char name[56];
};
static_assert(sizeof(FileEntry) == 64);

} // namespace

Result<std::string_view> emulator_command_line(std::span<char> room) {
    char signature[4];
    write_port_16(selector_port, signature_key);
    read_port_bytes(data_port, signature, sizeof(signature));
    if (std::string_view{signature, sizeof(signature)} != "QEMU") {
        return std::string_view{};
    }
    u32 count = 0;
    write_port_16(selector_port, directory_key);
    read_port_bytes(data_port, &count, sizeof(count));
    count = __builtin_bswap32(count);
    for (u32 file = 0; file < count && file < most_files; ++file) {
        FileEntry entry;
        read_port_bytes(data_port, &entry, sizeof(entry));
        std::string_view const name{entry.name, sizeof(entry.name)};
        if (!name.starts_with(wanted) || name[wanted.size()] != '\0') {
            continue;
        }
        u32 const size = __builtin_bswap32(entry.size);
        if (size > room.size()) {
            return Error::no_space;
        }
        write_port_16(selector_port, __builtin_bswap16(entry.key));
        read_port_bytes(data_port, room.data(), size);
        std::string_view const text{room.data(), size};
        return text.substr(0, text.find('\0'));
    }
    return std::string_view{};
}

} // namespace metal
