// twofold-symbols: makes the symbol table that the kernel carries from a linked image.
#include "apps/arguments/arguments.hpp"
#include "tools/symbols/elf_symbols.hpp"

#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

namespace {

std::vector<std::byte> read_file(std::string const& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        throw symbols::BadImage("the file cannot be read");
    }
    std::ostringstream content; // in blocks: letter by letter, a program of 40 MB takes seconds
    content << in.rdbuf();
    auto const letters = std::move(content).str();
    auto const bytes = std::as_bytes(std::span(letters));
    return {bytes.begin(), bytes.end()};
}

void write_file(std::string const& path, std::vector<std::byte> const& bytes) {
    std::string letters(bytes.size(), '\0'); // written as one block, as it is read
    std::memcpy(letters.data(), bytes.data(), bytes.size());
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(letters.data(), std::ssize(letters));
    out.close();
    if (!out) {
        throw std::runtime_error("the file cannot be written (is the disk full?)");
    }
}

} // namespace

int main(int count, char** arguments) {
    using Occurrence = twofold::Arguments::Occurrence;
    twofold::Arguments known(
        "twofold-symbols", "Makes the kernel's symbol table from a linked image.");
    std::string input;
    std::string output;
    known.add(
        {.name = "INPUT",
         .value_name = "FILE",
         .help = "an ELF64 image with its symbols",
         .take = twofold::store_in(input),
         .occurrence = Occurrence::required});
    known.add(
        {.name = "OUTPUT",
         .value_name = "FILE",
         .help = "the table to write",
         .take = twofold::store_in(output),
         .occurrence = Occurrence::required});
    if (auto const status = known.parse(count, arguments)) {
        return *status;
    }
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
