// See build_id.hpp. The note: System V ABI, chapter 5; GNU's type 3.
#include "sim/run/build_id.hpp"

#include "core/base/base.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <elf.h>
#include <link.h>
#include <string_view>

namespace twofold::sim {

namespace {

/// The id among the notes at `at`; empty: none is there.
std::string id_among(std::byte const* at, usize size) {
    std::byte const* const end = at + size;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
        ElfW(Nhdr) note;
        std::memcpy(&note, at, sizeof(note));
        std::byte const* const name = at + sizeof(note);
        std::byte const* const value = name + align_up(note.n_namesz, u64{4});
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
            std::memcmp(name, "GNU", sizeof("GNU")) == 0) {
            std::string id;
            for (u32 i = 0; i < note.n_descsz; ++i) {
                id += fmt::format("{:02x}", static_cast<u8>(value[i]));
            }
            return id;
        }
        at = value + align_up(note.n_descsz, u64{4});
    }
    return {};
}

/// The first object of the process is the program.
int take_program(dl_phdr_info* object, usize, void* id) {
    for (u32 i = 0; i < object->dlpi_phnum; ++i) {
        ElfW(Phdr) const& segment = object->dlpi_phdr[i];
        auto& found = *static_cast<std::string*>(id);
        if (segment.p_type == PT_NOTE && found.empty()) {
            // Sound: the loader has mapped the segment there.
            found = id_among(
                std::bit_cast<std::byte const*>(object->dlpi_addr + segment.p_vaddr),
                segment.p_memsz);
        }
    }
    return 1;
}

} // namespace

std::string build_id() {
    std::string id;
    dl_iterate_phdr(take_program, &id);
    CHECK(!id.empty()); // the program is linked with --build-id
    return id;
}

} // namespace twofold::sim
