// ELF files as the launcher needs them: is an image whole and bootable, and which function holds an
// address. Nothing in the file is trusted. Source: System V ABI, "Object Files"; Xen's
// XEN_ELFNOTE_PHYS32_ENTRY for the PVH entry.
#pragma once

#include "core/base/base.hpp"

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace twofold::launch {

/// Reads the whole file. Throws Failure (74) if that fails.
std::string read_file(std::filesystem::path const& path);

/// Nothing if `bytes` is an x86 ELF image that QEMU can start by PVH and that no cut has shortened;
/// otherwise what is wrong, as a phrase ("is truncated: ..."). O(program headers).
std::optional<std::string> find_image_damage(std::string_view bytes);

/// The functions of a 64-bit ELF file's .symtab.
class FunctionTable {
public:
    /// The table of an image's debug file; empty if it has none or is damaged. O(n log n).
    static FunctionTable read(std::string_view bytes);

    bool empty() const { return m_functions.empty(); }

    /// Lowest address of the image as linked (of its first segment).
    u64 link_base() const { return m_link_base; }

    /// `name+0xOFFSET` of the function that holds link address `address`, demangled; nothing if
    /// none does. O(log n).
    std::optional<std::string> describe(u64 address) const;

private:
    struct Function {
        u64 address;
        u64 size;
        std::string name;
    };

    std::vector<Function> m_functions; ///< sorted by address
    u64 m_link_base = 0;
};

} // namespace twofold::launch
