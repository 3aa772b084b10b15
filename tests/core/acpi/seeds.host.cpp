// Writes the seed corpus of the fuzz target: whole firmware images, and each table by itself.
//     acpi_seeds FOLDER
#include "core/acpi/acpi.hpp"
#include "hal/hosted/firmware/acpi_tables.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace {

using namespace twofold;

constexpr u64 base = 0xF'0000;
constexpr u8 whole_memory = 255; // the first byte, see acpi.fuzz.cpp

bool write_seed(std::filesystem::path const& path, u8 choice, std::span<std::byte const> content) {
    std::ofstream file(path, std::ios::binary);
    file.put(static_cast<char>(choice));
    for (std::byte const byte : content) {
        file.put(static_cast<char>(byte));
    }
    return file.good();
}

Result<acpi::TableBytes> read(void* context, PhysAddr address, Bytes size) {
    auto const& bytes = *static_cast<std::vector<std::byte>*>(context);
    return acpi::TableBytes(bytes).subspan(address.value - base, size.value);
}

} // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        fmt::print(stderr, "usage: acpi_seeds FOLDER\n");
        return 64;
    }
    std::filesystem::path const folder = arguments[1];
    hosted::AcpiConfig config{
        .processors = 3,
        .nodes = 2,
        .memory = {{0, 0x100'0000, 0}, {0x100'0000, 0x100'0000, 1}},
        .pci_configuration = 0xB000'0000,
        .hpet = 0xFED0'0000};
    std::vector<std::byte> image = hosted::build_acpi_tables(base, config);
    bool sound = write_seed(folder / "xsdt", whole_memory, image);
    auto const tables = acpi::Tables::open({&image, &read}, PhysAddr{base});
    constexpr acpi::Signature signatures[] = {
        acpi::madt_signature, acpi::srat_signature, acpi::mcfg_signature, acpi::hpet_signature};
    constexpr char const* names[] = {"madt", "srat", "mcfg", "hpet"};
    for (u8 i = 0; i < 4; ++i) {
        sound =
            sound && write_seed(folder / names[i], i, tables.value().find(signatures[i]).value());
    }
    std::vector<std::byte> const fadt(244);
    sound = sound && write_seed(folder / "fadt", 4, fadt);
    std::vector<std::byte> dsdt(acpi::table_header_size);
    for (u8 const byte : {0x08, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x06, 0x04, 0x0a, 0x05, 0x01, 0x00}) {
        dsdt.push_back(std::byte{byte}); // Name (_S5_, Package (4) { 5, 1, 0,
    }
    sound = sound && write_seed(folder / "dsdt", 5, dsdt);
    config.extended = false;
    sound =
        sound && write_seed(folder / "rsdt", whole_memory, hosted::build_acpi_tables(base, config));
    if (!sound) {
        fmt::print(stderr, "acpi_seeds: cannot write to {}\n", folder.string());
    }
    return sound ? 0 : 74;
}
