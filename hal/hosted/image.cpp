// See image.hpp. The file format: System V ABI, Executable and Linking Format, chapters 4 and 5.
#include "hal/hosted/image.hpp"

#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern "C" char const __ehdr_start[]; // by the linker: the program's first byte
extern "C" char const _end[];         // by the linker: behind its last

namespace hosted {

namespace {

constexpr char section_name[] = ".twofold.symbols";

/// The whole program file, mapped; empty on any failure: symbols are a comfort, not a need.
std::span<std::byte const> map_program() {
    int const file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return {};
    }
    struct stat about{};
    std::span<std::byte const> out;
    if (fstat(file, &about) == 0 && about.st_size > 0) {
        auto const size = static_cast<usize>(about.st_size);
        void* const at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
        if (at != MAP_FAILED) {
            out = {static_cast<std::byte const*>(at), size};
        }
    }
    close(file);
    return out;
}

/// The object at `offset` of the file, a copy; all zero where the file is too short.
template<class T>
T object_at(std::span<std::byte const> file, u64 offset) {
    T object{};
    if (offset <= file.size() && sizeof(T) <= file.size() - offset) {
        std::memcpy(&object, file.data() + offset, sizeof(T));
    }
    return object;
}

std::span<std::byte const> find_section(std::span<std::byte const> file) {
    auto const header = object_at<Elf64_Ehdr>(file, 0);
    auto const section = [&](u64 index) {
        return object_at<Elf64_Shdr>(file, header.e_shoff + index * sizeof(Elf64_Shdr));
    };
    u64 const names = section(header.e_shstrndx).sh_offset;
    for (u64 index = 0; index < header.e_shnum; ++index) {
        Elf64_Shdr const candidate = section(index);
        struct Name {
            char text[sizeof(section_name)];
        };
        auto const name = object_at<Name>(file, names + candidate.sh_name);
        bool const inside = candidate.sh_offset <= file.size() &&
                            candidate.sh_size <= file.size() - candidate.sh_offset;
        if (std::memcmp(name.text, section_name, sizeof(section_name)) == 0 && inside) {
            return file.subspan(candidate.sh_offset, candidate.sh_size);
        }
    }
    return {};
}

} // namespace

Image Image::self() {
    static std::span<std::byte const> const symbols = find_section(map_program());
    auto const base = reinterpret_cast<u64>(&__ehdr_start[0]);
    return {base, reinterpret_cast<u64>(&_end[0]) - base, symbols};
}

} // namespace hosted
