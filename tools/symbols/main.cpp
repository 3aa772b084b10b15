// twofold-symbols: makes the symbol table that the kernel carries from a linked image.
#include "tools/symbols/elf_symbols.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <fstream>
#include <iterator>

namespace {

std::vector<std::byte> read_file(std::string const& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw symbols::BadImage("the file cannot be read");
    }
    std::vector<char> const letters((std::istreambuf_iterator<char>(in)), {});
    auto const bytes = std::as_bytes(std::span(letters));
    return {bytes.begin(), bytes.end()};
}

void write_file(std::string const& path, std::vector<std::byte> const& bytes) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    for (std::byte const byte : bytes) {
        out.put(static_cast<char>(byte));
    }
    out.close();
    if (!out) {
        throw std::runtime_error("the file cannot be written (is the disk full?)");
    }
}

} // namespace

int main(int count, char** arguments) {
    CLI::App app("Makes the kernel's symbol table from a linked image.", "twofold-symbols");
    std::string input;
    std::string output;
    app.add_option("INPUT", input, "an ELF64 image with its symbols")->required();
    app.add_option("OUTPUT", output, "the table to write")->required();
    CLI11_PARSE(app, count, arguments);
    std::string const* at_fault = &input;
    try {
        auto const table = symbols::encode_table(symbols::read_functions(read_file(input)));
        at_fault = &output;
        write_file(output, table);
    } catch (std::exception const& problem) {
        fmt::print(stderr, "twofold-symbols: {}: {}\n", *at_fault, problem.what());
        return 1;
    }
    return 0;
}
