// Bounds-checked reading of ELF files. See elf_file.hpp.
#include "apps/launch/elf_file.hpp"

#include "apps/launch/status.hpp"

#include <cxxabi.h>
#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace twofold::launch {

namespace {

constexpr u32 note_pvh_entry = 18; // XEN_ELFNOTE_PHYS32_ENTRY
constexpr usize headers_max = 4096;

/// A T at `offset`, nothing where the file ends before it does.
template<class T>
std::optional<T> read_at(std::string_view bytes, u64 offset) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) {
        return std::nullopt;
    }
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

/// `size` bytes at `offset`, nothing where the file ends before.
std::optional<std::string_view> slice(std::string_view bytes, u64 offset, u64 size) {
    if (offset > bytes.size() || bytes.size() - offset < size) {
        return std::nullopt;
    }
    return bytes.substr(offset, size);
}

/// Whether a segment of notes holds Xen's PVH entry. Sizes are rounded up to 4 bytes.
bool has_pvh_note(std::string_view notes) {
    u64 offset = 0;
    while (auto const note = read_at<Elf32_Nhdr>(notes, offset)) {
        u64 const name_at = offset + sizeof(Elf32_Nhdr);
        auto const name = slice(notes, name_at, note->n_namesz);
        if (note->n_type == note_pvh_entry && name == std::string_view("Xen\0", 4)) {
            return true;
        }
        u64 const name_size = (u64{note->n_namesz} + 3) & ~u64{3};
        offset = name_at + name_size + ((u64{note->n_descsz} + 3) & ~u64{3});
    }
    return false;
}

template<class Header, class Segment>
std::optional<std::string> find_damage(std::string_view bytes) {
    auto const header = read_at<Header>(bytes, 0);
    if (!header) {
        return "is truncated: its header is not whole";
    }
    if (header->e_machine != EM_X86_64 && header->e_machine != EM_386) {
        return "is built for another processor";
    }
    if (header->e_phentsize != sizeof(Segment) || header->e_phnum == 0) {
        return "is damaged: it has no program headers";
    }
    bool has_entry = false;
    for (u32 index = 0; index < header->e_phnum; ++index) {
        auto const segment =
            read_at<Segment>(bytes, header->e_phoff + u64{index} * sizeof(Segment));
        if (!segment) {
            return fmt::format("is truncated: program header {} is missing", index);
        }
        auto const content = slice(bytes, segment->p_offset, segment->p_filesz);
        if (!content) {
            return fmt::format(
                "is truncated: segment {} ends at byte {}, the file at byte {}", index,
                u64{segment->p_offset} + segment->p_filesz, bytes.size());
        }
        has_entry = has_entry || (segment->p_type == PT_NOTE && has_pvh_note(*content));
    }
    return has_entry ? std::nullopt : std::optional<std::string>("has no PVH entry note");
}

std::string demangle(char const* name) {
    int status = 0;
    std::unique_ptr<char, void (*)(void*)> const text(
        abi::__cxa_demangle(name, nullptr, nullptr, &status), std::free);
    return status == 0 ? text.get() : name;
}

/// The zero-terminated text at `offset` of a string table.
std::string_view text_at(std::string_view table, u64 offset) {
    if (offset >= table.size()) {
        return {};
    }
    std::string_view const rest = table.substr(offset);
    return rest.substr(0, rest.find('\0'));
}

u64 lowest_segment(std::string_view bytes, Elf64_Ehdr const& header) {
    u64 lowest = ~u64{0};
    for (u32 index = 0; index < header.e_phnum; ++index) {
        auto const segment =
            read_at<Elf64_Phdr>(bytes, header.e_phoff + u64{index} * sizeof(Elf64_Phdr));
        if (segment && segment->p_type == PT_LOAD) {
            lowest = std::min<u64>(lowest, segment->p_vaddr);
        }
    }
    return lowest == ~u64{0} ? 0 : lowest;
}

} // namespace

std::string read_file(std::filesystem::path const& path) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const file(
        std::fopen(path.c_str(), "rbe"), std::fclose);
    std::string bytes;
    if (file) {
        char chunk[65536];
        while (usize const got = std::fread(chunk, 1, sizeof(chunk), file.get())) {
            bytes.append(chunk, got);
        }
    }
    if (!file || std::ferror(file.get()) != 0) {
        throw Failure(
            Status::io, fmt::format("cannot read '{}': {}", path.string(), std::strerror(errno)));
    }
    return bytes;
}

std::optional<std::string> find_image_damage(std::string_view bytes) {
    if (!bytes.starts_with(ELFMAG)) {
        return bytes.empty() ? "is empty" : "is no kernel image (not an ELF file)";
    }
    if (bytes.size() < EI_NIDENT) {
        return "is truncated: its header is not whole";
    }
    return bytes[EI_CLASS] == ELFCLASS64 ? find_damage<Elf64_Ehdr, Elf64_Phdr>(bytes)
                                         : find_damage<Elf32_Ehdr, Elf32_Phdr>(bytes);
}

FunctionTable FunctionTable::read(std::string_view bytes) {
    FunctionTable table;
    auto const header = read_at<Elf64_Ehdr>(bytes, 0);
    if (!header || !bytes.starts_with(ELFMAG) || bytes[EI_CLASS] != ELFCLASS64) {
        return table;
    }
    table.m_link_base = lowest_segment(bytes, *header);
    auto const section = [&](u64 index) {
        return read_at<Elf64_Shdr>(bytes, header->e_shoff + index * sizeof(Elf64_Shdr));
    };
    for (u64 index = 0; index < std::min<u64>(header->e_shnum, headers_max); ++index) {
        auto const symbols = section(index);
        if (!symbols || symbols->sh_type != SHT_SYMTAB) {
            continue;
        }
        auto const names_section = section(symbols->sh_link);
        auto const entries = slice(bytes, symbols->sh_offset, symbols->sh_size);
        auto const names = names_section
                               ? slice(bytes, names_section->sh_offset, names_section->sh_size)
                               : std::nullopt;
        for (u64 at = 0; entries && names && at + sizeof(Elf64_Sym) <= entries->size();
             at += sizeof(Elf64_Sym)) {
            auto const symbol = *read_at<Elf64_Sym>(*entries, at);
            if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF) {
                table.m_functions.push_back(
                    {symbol.st_value, symbol.st_size,
                     std::string(text_at(*names, symbol.st_name))});
            }
        }
    }
    std::ranges::sort(table.m_functions, {}, &Function::address);
    return table;
}

std::optional<std::string> FunctionTable::describe(u64 address) const {
    auto const above = std::ranges::upper_bound(m_functions, address, {}, &Function::address);
    if (above == m_functions.begin()) {
        return std::nullopt;
    }
    Function const& function = *std::prev(above);
    u64 const offset = address - function.address;
    // A function without a size (hand-written assembly) reaches to the next one.
    if (function.size != 0 ? offset >= function.size : above == m_functions.end()) {
        return std::nullopt;
    }
    return fmt::format("{}+{:#x}", demangle(function.name.c_str()), offset);
}

} // namespace twofold::launch
