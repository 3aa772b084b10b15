// Reading function symbols and writing the kernel's symbol table.
#include "tools/symbols/elf_symbols.hpp"

#include <cxxabi.h>
#include <elf.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

namespace symbols {

namespace {

/// A structure at `offset` of the file, copied; throws where it does not lie inside.
template<class T>
T structure_at(std::span<std::byte const> file, std::uint64_t offset, char const* what) {
    if (offset > file.size() || file.size() - offset < sizeof(T)) {
        throw BadImage(std::string("the file ends inside its ") + what);
    }
    T copy;
    std::memcpy(&copy, file.data() + offset, sizeof(T));
    return copy;
}

std::string
text_at(std::span<std::byte const> file, Elf64_Shdr const& strings, std::uint64_t offset) {
    if (strings.sh_offset <= file.size() && offset < strings.sh_size &&
        strings.sh_size <= file.size() - strings.sh_offset) {
        auto const names = file.subspan(strings.sh_offset, strings.sh_size).subspan(offset);
        auto const end = std::ranges::find(names, std::byte{0});
        if (end != names.end()) {
            std::string text(static_cast<std::size_t>(end - names.begin()), '\0');
            std::memcpy(text.data(), names.data(), text.size());
            return text;
        }
    }
    throw BadImage("a symbol's name runs out of the string table");
}

std::uint64_t lowest_load_address(std::span<std::byte const> file, Elf64_Ehdr const& header) {
    std::uint64_t lowest = UINT64_MAX;
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        auto const segment = structure_at<Elf64_Phdr>(
            file, header.e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr), "program headers");
        if (segment.p_type == PT_LOAD) {
            lowest = std::min(lowest, segment.p_vaddr);
        }
    }
    if (lowest == UINT64_MAX) {
        throw BadImage("the file has nothing to load");
    }
    return lowest;
}

void take_symbols(
    std::span<std::byte const> file,
    Elf64_Shdr const& table,
    Elf64_Shdr const& strings,
    std::uint64_t base,
    std::map<std::uint32_t, Function>& functions) {
    for (std::uint64_t at = 0; table.sh_size - at >= sizeof(Elf64_Sym); at += sizeof(Elf64_Sym)) {
        auto const symbol = structure_at<Elf64_Sym>(file, table.sh_offset + at, "symbol table");
        bool const is_function = ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
        bool const inside = symbol.st_value >= base && symbol.st_value - base < UINT32_MAX;
        if (!is_function || symbol.st_shndx == SHN_UNDEF || !inside) {
            continue;
        }
        auto const offset = static_cast<std::uint32_t>(symbol.st_value - base);
        auto const size =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(symbol.st_size, UINT32_MAX));
        auto const [place, is_new] = functions.try_emplace(offset, Function{offset, size, {}});
        if (is_new) {
            place->second.name = readable_name(text_at(file, strings, symbol.st_name));
        }
    }
}

void put(std::vector<std::byte>& out, std::uint32_t number) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
        out.push_back(static_cast<std::byte>(number >> shift));
    }
}

} // namespace

std::vector<Function> read_functions(std::span<std::byte const> file) {
    auto const header = structure_at<Elf64_Ehdr>(file, 0, "header");
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
        throw BadImage("the file is no 64-bit little-endian ELF image");
    }
    auto const section = [&](std::uint64_t index) {
        if (index >= header.e_shnum) {
            throw BadImage("a section header refers to one that does not exist");
        }
        return structure_at<Elf64_Shdr>(
            file, header.e_shoff + index * sizeof(Elf64_Shdr), "section headers");
    };
    std::uint64_t const base = lowest_load_address(file, header);
    std::map<std::uint32_t, Function> by_offset;
    for (unsigned i = 0; i < header.e_shnum; ++i) {
        Elf64_Shdr const table = section(i);
        if (table.sh_type == SHT_SYMTAB) {
            take_symbols(file, table, section(table.sh_link), base, by_offset);
        }
    }
    if (by_offset.empty()) {
        throw BadImage("the file has no function symbols; it must not be stripped");
    }
    std::vector<Function> functions;
    for (auto& [offset, function] : by_offset) {
        if (!functions.empty() && functions.back().size == 0) {
            functions.back().size = offset - functions.back().offset; // assembly without .size
        }
        functions.push_back(std::move(function));
    }
    return functions;
}

namespace {

/// Longer names are of templates within templates. Their beginnings say what they are, their ends
/// which function; whole, they would be most of the table.
constexpr std::size_t name_max = 320;
constexpr std::string_view left_out = "...";

std::string shortened(std::string const& name) {
    if (name.size() <= name_max) {
        return name;
    }
    std::size_t const tail = name_max / 4;
    return name.substr(0, name_max - tail - left_out.size()) + std::string(left_out) +
           name.substr(name.size() - tail);
}

std::string whole_name(std::string const& name) {
    int status = 0;
    std::unique_ptr<char, decltype(&std::free)> const demangled(
        abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status), &std::free);
    std::string text = status == 0 ? demangled.get() : name;
    constexpr std::string_view anonymous = "(anonymous namespace)::";
    for (auto at = text.find(anonymous); at != std::string::npos; at = text.find(anonymous)) {
        text.erase(at, anonymous.size());
    }
    int depth = 0; // of template parameters, whose parentheses belong to the name
    for (std::size_t i = 0; i < text.size(); ++i) {
        depth += text[i] == '<' ? 1 : text[i] == '>' ? -1 : 0;
        bool const is_call_operator =
            text.compare(i, 2, "()") == 0 && i >= 8 && text.compare(i - 8, 8, "operator") == 0;
        bool const is_lambda = i > 0 && text[i - 1] == '}';
        if (text[i] == '(' && depth <= 0 && i > 0 && !is_call_operator && !is_lambda &&
            text[i - 1] != ' ' && text.rfind('{', i) == std::string::npos) {
            return text.substr(0, i);
        }
    }
    return text;
}

} // namespace

std::string readable_name(std::string const& name) {
    return shortened(whole_name(name));
}

std::vector<std::byte> encode_table(std::vector<Function> const& functions) {
    std::vector<std::byte> names;
    std::map<std::string, std::uint32_t> known;
    std::vector<std::byte> out;
    for (char const letter : std::string_view("T2SYM\0\0\1", 8)) {
        out.push_back(static_cast<std::byte>(letter));
    }
    std::vector<std::byte> entries;
    for (Function const& function : functions) {
        auto const [place, is_new] =
            known.try_emplace(function.name, static_cast<std::uint32_t>(names.size()));
        if (is_new) {
            auto const letters = std::as_bytes(std::span(function.name));
            names.insert(names.end(), letters.begin(), letters.end());
            names.push_back(std::byte{0});
        }
        put(entries, function.offset);
        put(entries, function.size);
        put(entries, place->second);
    }
    put(out, static_cast<std::uint32_t>(functions.size()));
    put(out, static_cast<std::uint32_t>(names.size()));
    out.insert(out.end(), entries.begin(), entries.end());
    out.insert(out.end(), names.begin(), names.end());
    return out;
}

} // namespace symbols
