// Writes the seed corpus of the fuzz target: a device with every kind of capability, bridges in a
// chain, and a stream that looks like a device.
//     pci_seeds FOLDER
#include <fmt/core.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <vector>

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t stream = 0, model = 1; // the first byte, see pci.fuzz.cpp

/// Appends the patches that set a register of `function`.
void define(
    Bytes& out,
    unsigned function,
    unsigned offset,
    unsigned width,
    std::uint64_t value,
    std::uint64_t writable = 0) {
    for (unsigned i = 0; i < width; ++i) {
        unsigned const at = offset + i;
        for (std::uint64_t const byte :
             {std::uint64_t{function}, std::uint64_t{at & 0xff}, std::uint64_t{at >> 8},
              value >> 8 * i & 0xff, writable >> 8 * i & 0xff}) {
            out.push_back(static_cast<std::uint8_t>(byte));
        }
    }
}

Bytes device() {
    Bytes out{model};
    define(out, 0, 0x00, 4, 0x00102f0d);
    define(out, 0, 0x04, 4, 0x00100003, 3);
    define(out, 0, 0x08, 4, 0x01080200);
    define(out, 0, 0x10, 8, 0x4, ~std::uint64_t{0x3fff});
    define(out, 0, 0x18, 4, 0xc001, 0xffe0);
    define(out, 0, 0x30, 4, 0, 0xffff0001);
    define(out, 0, 0x34, 1, 0x40);
    define(out, 0, 0x40, 4, 0x01885005, 0x710000);
    define(out, 0, 0x50, 4, 0x00076011, 0xc0000000);
    define(out, 0, 0x54, 4, 0);
    define(out, 0, 0x58, 4, 0x2000);
    define(out, 0, 0x60, 4, 0x00020010);
    define(out, 0, 0x100, 4, 0x14010001);
    define(out, 0, 0x140, 4, 0x00010003);
    return out;
}

Bytes bridges() {
    Bytes out{model};
    for (unsigned function = 1; function < 8; ++function) {
        define(out, function, 0x00, 4, 0x00022f0d);
        define(out, function, 0x08, 4, 0x06040000);
        define(out, function, 0x0e, 1, 1);
        define(out, function, 0x18, 4, function == 1 ? 0x00040100 : 0, 0xffffff);
    }
    return out;
}

Bytes noise() {
    Bytes out{stream, 0x0d, 0x2f, 0, 0, 8, 1, 0x81, 0x10, 0};
    for (unsigned i = 0; i < 2000; ++i) {
        out.push_back(static_cast<std::uint8_t>(i * 37 >> 2));
    }
    return out;
}

bool write(std::filesystem::path const& path, Bytes const& bytes) {
    std::ofstream file(path, std::ios::binary);
    for (std::uint8_t const byte : bytes) {
        file.put(static_cast<char>(byte));
    }
    return file.good();
}

} // namespace

int main(int count, char** arguments) {
    if (count != 2) {
        fmt::print(stderr, "usage: pci_seeds FOLDER\n");
        return 64;
    }
    std::filesystem::path const folder = arguments[1];
    bool const sound = write(folder / "device", device()) && write(folder / "bridges", bridges()) &&
                       write(folder / "noise", noise());
    if (!sound) {
        fmt::print(stderr, "pci_seeds: cannot write to {}\n", folder.string());
    }
    return sound ? 0 : 74;
}
