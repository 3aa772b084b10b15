// Packing. See pack.hpp.
//
// Source: System V ABI, chapters 4 and 5 (object files, program loading); AMD64 supplement,
// section 4.4 (relocation).
#include "tools/pack/pack.hpp"
#include "hal/x86_64/entry/payload.hpp"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fmt/format.h>
#include <lz4hc.h>
#include <numeric>

namespace twofold::pack {

namespace {

using Bytes_ = std::span<std::byte const>;

template<class T>
T take(Bytes_ file, std::uint64_t offset) {
    if (offset > file.size() || file.size() - offset < sizeof(T)) {
        throw PackError(fmt::format("the file ends before offset {:#x}", offset + sizeof(T)));
    }
    T value;
    std::memcpy(&value, file.data() + offset, sizeof(T));
    return value;
}

template<class T>
void put(Buffer& buffer, std::uint64_t offset, T const& value) {
    CHECK(offset <= buffer.size() && buffer.size() - offset >= sizeof(T));
    std::memcpy(buffer.data() + offset, &value, sizeof(T));
}

/// The file header of a 64-bit x86 ELF file.
Elf64_Ehdr header_of(Bytes_ file) {
    auto const header = take<Elf64_Ehdr>(file, 0);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        throw PackError("not an ELF file");
    }
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) {
        throw PackError("not a 64-bit x86 ELF file");
    }
    if (header.e_phentsize != sizeof(Elf64_Phdr)) {
        throw PackError("the program headers have an unknown size");
    }
    return header;
}

std::vector<Elf64_Phdr> program_headers(Bytes_ file) {
    Elf64_Ehdr const header = header_of(file);
    std::vector<Elf64_Phdr> result;
    for (unsigned index = 0; index < header.e_phnum; ++index) {
        auto const entry = take<Elf64_Phdr>(file, header.e_phoff + index * sizeof(Elf64_Phdr));
        bool const holds_file =
            entry.p_offset <= file.size() && entry.p_filesz <= file.size() - entry.p_offset;
        if (!holds_file || (entry.p_type == PT_LOAD && entry.p_memsz < entry.p_filesz)) {
            throw PackError(fmt::format("segment {} reaches beyond the file", index));
        }
        result.push_back(entry);
    }
    return result;
}

/// The sections by name that the packer asks for.
class Sections {
public:
    explicit Sections(Bytes_ file) : m_file(file), m_header(header_of(file)) {
        if (m_header.e_shnum == 0 || m_header.e_shstrndx >= m_header.e_shnum) {
            throw PackError("the file has no section names");
        }
        m_names = at(m_header.e_shstrndx);
    }
    std::vector<Elf64_Shdr> of_type(Elf64_Word type) const {
        std::vector<Elf64_Shdr> result;
        for (unsigned index = 0; index < m_header.e_shnum; ++index) {
            if (at(index).sh_type == type) {
                result.push_back(at(index));
            }
        }
        return result;
    }
    std::uint64_t symbol(std::string_view wanted) const {
        for (Elf64_Shdr const& table : of_type(SHT_SYMTAB)) {
            std::uint64_t const names = at(table.sh_link).sh_offset;
            for (std::uint64_t at = 0; at < table.sh_size; at += sizeof(Elf64_Sym)) {
                auto const symbol = take<Elf64_Sym>(m_file, table.sh_offset + at);
                if (text(names + symbol.st_name) == wanted) {
                    return symbol.st_value;
                }
            }
        }
        throw PackError(fmt::format("the kernel has no symbol {}", wanted));
    }

private:
    Elf64_Shdr at(unsigned index) const {
        return take<Elf64_Shdr>(m_file, m_header.e_shoff + index * sizeof(Elf64_Shdr));
    }
    std::string_view text(std::uint64_t offset) const {
        if (offset >= m_file.size()) {
            throw PackError("a name lies outside of the file");
        }
        auto const* const begin = reinterpret_cast<char const*>(m_file.data() + offset);
        return {begin, strnlen(begin, m_file.size() - offset)};
    }

    Bytes_ m_file;
    Elf64_Ehdr m_header;
    Elf64_Shdr m_names{};
};

struct Image {
    Buffer bytes; ///< as in memory from the base, without what is zero at the end
    metal::PayloadHeader header{};
};

void add_segment(Image& image, Elf64_Phdr const& entry, Bytes_ file) {
    metal::PayloadHeader& header = image.header;
    if (header.segment_count == metal::most_segments) {
        throw PackError(fmt::format("the kernel has more than {} segments", metal::most_segments));
    }
    std::uint64_t const size = align_up(entry.p_memsz, page_size.value);
    if (entry.p_vaddr % page_size.value != 0 || entry.p_vaddr + size > metal::largest_image) {
        throw PackError(fmt::format("the segment at {:#x} cannot be placed", entry.p_vaddr));
    }
    if ((entry.p_flags & PF_W) != 0 && (entry.p_flags & PF_X) != 0) {
        throw PackError(
            fmt::format("the segment at {:#x} is writable and executable", entry.p_vaddr));
    }
    header.segments[header.segment_count++] = {
        static_cast<u32>(entry.p_vaddr), static_cast<u32>(size), static_cast<u32>(entry.p_filesz),
        entry.p_flags};
    header.image_size = static_cast<u32>(entry.p_vaddr + size);
    if (entry.p_filesz != 0) {
        image.bytes.resize(entry.p_vaddr + entry.p_filesz);
        std::memcpy(
            image.bytes.data() + entry.p_vaddr, file.data() + entry.p_offset, entry.p_filesz);
    }
}

Image make_image(Bytes_ kernel) {
    Image image;
    for (Elf64_Phdr const& entry : program_headers(kernel)) {
        // Without permissions: the dynamic section and its like, which only this program reads.
        if (entry.p_type == PT_LOAD && (entry.p_flags & PF_R) != 0 && entry.p_memsz != 0) {
            add_segment(image, entry, kernel);
        }
    }
    if (image.bytes.empty()) {
        throw PackError("the kernel has no segments");
    }
    Sections const sections(kernel);
    u64 const stack = sections.symbol("metal_boot_stack");
    image.header.stack_base = static_cast<u32>(stack);
    image.header.stack_size = static_cast<u32>(sections.symbol("metal_boot_stack_end") - stack);
    image.header.entry = static_cast<u32>(header_of(kernel).e_entry);
    return image;
}

/// Puts the addends in place; answers with the words that the base is added to, each by how far it
/// lies behind the one before.
std::vector<u32> relocate(Image& image, Bytes_ kernel) {
    std::vector<u32> offsets;
    for (Elf64_Shdr const& section : Sections(kernel).of_type(SHT_RELA)) {
        if ((section.sh_flags & SHF_ALLOC) == 0) {
            continue;
        }
        for (std::uint64_t at = 0; at < section.sh_size; at += sizeof(Elf64_Rela)) {
            auto const entry = take<Elf64_Rela>(kernel, section.sh_offset + at);
            std::uint64_t const type = ELF64_R_TYPE(entry.r_info);
            if (type != R_X86_64_RELATIVE) {
                throw PackError(fmt::format(
                    "a relocation of type {} at {:#x}: not a static PIE", type, entry.r_offset));
            }
            std::size_t const size = image.bytes.size();
            if (entry.r_offset > size || size - entry.r_offset < sizeof(u64)) {
                throw PackError(
                    fmt::format("a relocation outside of the image, at {:#x}", entry.r_offset));
            }
            put(image.bytes, entry.r_offset, static_cast<u64>(entry.r_addend));
            offsets.push_back(static_cast<u32>(entry.r_offset));
        }
    }
    std::sort(offsets.begin(), offsets.end());
    std::adjacent_difference(offsets.begin(), offsets.end(), offsets.begin());
    return offsets;
}

/// Not at the highest level: the many short matches that save the last 0.3 % of an image cost
/// 80,000 instructions at each boot.
constexpr int compression_level = 9;

Buffer compress(Bytes_ bytes) {
    Buffer packed(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(bytes.size()))));
    int const size = LZ4_compress_HC(
        reinterpret_cast<char const*>(bytes.data()), reinterpret_cast<char*>(packed.data()),
        static_cast<int>(bytes.size()), static_cast<int>(packed.size()), compression_level);
    if (size <= 0) {
        throw PackError("the compression failed");
    }
    packed.resize(static_cast<std::size_t>(size));
    return packed;
}

void append(Buffer& to, Bytes_ bytes) {
    to.insert(to.end(), bytes.begin(), bytes.end());
}

} // namespace

Buffer make_payload(Bytes_ kernel, Bytes_ symbols) {
    Image image = make_image(kernel);
    std::vector<u32> const gaps = relocate(image, kernel);
    Buffer tail(symbols.begin(), symbols.end());
    tail.resize(align_up(tail.size(), 4));
    append(tail, std::as_bytes(std::span{gaps}));

    Buffer const packed_image = compress(image.bytes);
    Buffer const packed_tail = compress(tail);
    metal::PayloadHeader& header = image.header;
    std::ranges::copy(metal::payload_magic, header.magic);
    header.image_stored = static_cast<u32>(image.bytes.size());
    header.image_packed = static_cast<u32>(packed_image.size());
    header.tail_stored = static_cast<u32>(tail.size());
    header.tail_packed = static_cast<u32>(packed_tail.size());
    header.symbols_size = static_cast<u32>(symbols.size());
    header.relocation_count = static_cast<u32>(gaps.size());
    header.total_size = static_cast<u32>(sizeof(header) + packed_image.size() + packed_tail.size());

    Buffer payload(sizeof(header));
    put(payload, 0, header);
    append(payload, packed_image);
    append(payload, packed_tail);
    header.hash = metal::payload_hash(payload);
    put(payload, 0, header);
    if (!metal::verify_payload(payload)) {
        throw PackError("the payload does not verify: the kernel's segments contradict each other");
    }
    return payload;
}

Buffer append_payload(Bytes_ stub, Bytes_ payload) {
    Elf64_Ehdr header = header_of(stub);
    std::vector<Elf64_Phdr> entries = program_headers(stub);
    std::uint64_t end = 0;
    std::uint64_t file_begin = stub.size();
    std::uint64_t file_end = 0;
    for (Elf64_Phdr const& entry : entries) {
        if (entry.p_type == PT_LOAD) {
            end = std::max(end, entry.p_paddr + entry.p_memsz);
        }
        if (entry.p_filesz != 0) {
            file_begin = std::min(file_begin, entry.p_offset);
        }
        file_end = std::max(file_end, entry.p_offset + entry.p_filesz);
    }
    // The stub looks for it at its own end, a page boundary (hal/x86_64/stub/stub.ld).
    end = align_up(end, page_size.value);
    std::uint64_t const offset = align_up(file_end, page_size.value);
    entries.push_back(
        {PT_LOAD, PF_R, offset, end, end, payload.size(), payload.size(), page_size.value});
    // The table of segments stays where it is: GRUB looks for it in the first 8 KiB only.
    if (header.e_phoff + entries.size() * sizeof(Elf64_Phdr) > file_begin) {
        throw PackError("the stub has no room for another program header");
    }

    // Segments only; sections would name what no loader needs.
    Buffer file(stub.begin(), stub.begin() + static_cast<std::ptrdiff_t>(file_end));
    file.resize(offset);
    append(file, payload);
    header.e_phnum = static_cast<Elf64_Half>(entries.size());
    header.e_shoff = 0;
    header.e_shnum = 0;
    header.e_shstrndx = 0;
    put(file, 0, header);
    for (std::size_t index = 0; index < entries.size(); ++index) {
        put(file, header.e_phoff + index * sizeof(Elf64_Phdr), entries[index]);
    }
    return file;
}

} // namespace twofold::pack
