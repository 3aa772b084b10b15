// See build_id.hpp. The file: System V ABI, Executable and Linking Format, chapters 4 and 5; the
// note is GNU's type 3.
#include "sim/run/build_id.hpp"

#include "core/base/base.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <elf.h>
#include <fstream>

namespace twofold::sim {

namespace {

/// The object at `offset` of the file; all zero where the file is too short.
template<class T>
T object_at(std::ifstream& file, u64 offset) {
    std::array<char, sizeof(T)> bytes{};
    file.clear();
    file.seekg(static_cast<std::streamoff>(offset));
    file.read(bytes.data(), bytes.size());
    return std::bit_cast<T>(file ? bytes : std::array<char, sizeof(T)>{});
}

/// The id among the notes at [offset, end); empty: none is there.
std::string id_among(std::ifstream& file, u64 offset, u64 end) {
    while (offset + sizeof(Elf64_Nhdr) <= end) {
        auto const note = object_at<Elf64_Nhdr>(file, offset);
        u64 const name = offset + sizeof(note);
        u64 const value = name + align_up(note.n_namesz, u64{4});
        constexpr std::array<char, 4> gnu{'G', 'N', 'U', '\0'};
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == gnu.size() &&
            object_at<std::array<char, 4>>(file, name) == gnu) {
            std::string id;
            for (u32 i = 0; i < note.n_descsz; ++i) {
                id += fmt::format("{:02x}", object_at<u8>(file, value + i));
            }
            return id;
        }
        offset = value + align_up(note.n_descsz, u64{4});
    }
    return {};
}

} // namespace

std::string build_id() {
    std::ifstream file("/proc/self/exe", std::ios::binary);
    auto const header = object_at<Elf64_Ehdr>(file, 0);
    std::string id;
    for (u32 i = 0; i < header.e_phnum && id.empty(); ++i) {
        auto const segment =
            object_at<Elf64_Phdr>(file, header.e_phoff + u64{i} * sizeof(Elf64_Phdr));
        if (segment.p_type == PT_NOTE) {
            id = id_among(file, segment.p_offset, segment.p_offset + segment.p_filesz);
        }
    }
    CHECK(!id.empty()); // the program is linked with --build-id
    return id;
}

} // namespace twofold::sim
