// The function symbols of an ELF64 file, as the kernel's symbol table wants them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace symbols {

struct Function {
    std::uint32_t offset; ///< from the image's lowest load address
    std::uint32_t size;   ///< in bytes; where the file says 0, up to the next function
    std::string name;     ///< demangled, without arguments

    bool operator==(Function const&) const = default;
};

/// A file that is no ELF64 image or is damaged; what() is one line for a person.
struct BadImage : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The functions of an ELF64 little-endian image, ascending by offset, one name an address. Throws
/// BadImage. Reads nothing outside of `file`, whatever it holds.
/// Source: System V ABI, generic, chapters 4 (object files) and 5 (program header).
std::vector<Function> read_functions(std::span<std::byte const> file);

/// A demangled name without its arguments, template parameters kept; `name` itself if it is not
/// mangled. One that is longer than 320 letters is cut in the middle.
std::string readable_name(std::string const& name);

/// The blob of core/trace/symbols.hpp.
std::vector<std::byte> encode_table(std::vector<Function> const& functions);

} // namespace symbols
