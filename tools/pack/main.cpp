// twofold-pack: makes the bootable image of the metal machine.
#include "apps/arguments/arguments.hpp"
#include "tools/pack/pack.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>

using namespace twofold;
using namespace twofold::pack;

void twofold::check_failed(char const* expression, std::source_location where) {
    fmt::print(
        stderr, "twofold-pack: {}:{}: broken: {}\n", where.file_name(), where.line(), expression);
    std::abort();
}

namespace {

Buffer read_file(std::string const& path) {
    std::ifstream stream(path, std::ios::binary | std::ios::ate);
    if (!stream) {
        throw PackError(fmt::format("{}: cannot be read", path));
    }
    Buffer bytes(static_cast<std::size_t>(stream.tellg()));
    stream.seekg(0);
    stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!stream) {
        throw PackError(fmt::format("{}: cannot be read", path));
    }
    return bytes;
}

/// All of the file or none of it.
void write_file(std::string const& path, Buffer const& bytes) {
    std::string const partial = path + ".partial";
    std::ofstream stream(partial, std::ios::binary);
    stream.write(
        reinterpret_cast<char const*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    stream.close();
    std::error_code error;
    if (stream) {
        std::filesystem::rename(partial, path, error);
    }
    if (!stream || error) {
        std::filesystem::remove(partial, error);
        throw PackError(fmt::format("{}: cannot be written", path));
    }
}

} // namespace

int main(int argument_count, char** arguments) {
    constexpr int data_error = 65;
    using Occurrence = twofold::Arguments::Occurrence;
    twofold::Arguments known(
        "twofold-pack", "Packs a kernel of the metal machine behind its unpacking stub.");
    std::string stub, kernel, symbols, output;
    auto const add_file = [&](char const* name, char const* help, std::string& path,
                              Occurrence occurrence) {
        known.add(
            {.name = name,
             .value_name = "FILE",
             .help = help,
             .take = twofold::store_in(path),
             .occurrence = occurrence});
    };
    add_file("--stub", "the stub, an ELF file", stub, Occurrence::required);
    add_file("--kernel", "the kernel, a static PIE", kernel, Occurrence::required);
    add_file(
        "--symbols", "the kernel's symbol table (twofold-symbols)", symbols, Occurrence::optional);
    add_file("--output", "the bootable image to write", output, Occurrence::required);
    if (auto const status = known.parse(argument_count, arguments)) {
        return *status;
    }
    try {
        Buffer const table = symbols.empty() ? Buffer{} : read_file(symbols);
        Buffer const payload = make_payload(read_file(kernel), table);
        write_file(output, append_payload(read_file(stub), payload));
    } catch (PackError const& error) {
        fmt::print(stderr, "twofold-pack: {}\n", error.what());
        return data_error;
    }
    return 0;
}
