// The symbol table from image to lookup: the tool writes what the kernel's reader opens.
#include "core/trace/symbols.hpp"
#include "tools/symbols/elf_symbols.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace {

using namespace symbols;
using twofold::trace::SymbolTable;

std::vector<std::byte> own_image() {
    std::ifstream in("/proc/self/exe", std::ios::binary);
    std::vector<char> const letters((std::istreambuf_iterator<char>(in)), {});
    auto const bytes = std::as_bytes(std::span(letters));
    return {bytes.begin(), bytes.end()};
}

std::vector<Function> const three = {{0, 16, "first"}, {16, 4, "second"}, {64, 8, "third"}};

} // namespace

extern "C" int symbols_test_marker();
extern "C" int symbols_test_marker() {
    return 7;
}

TEST(Symbols, ReaderFindsWhatTheToolWrote) {
    auto const blob = encode_table(three);
    auto const table = SymbolTable::open(blob);
    ASSERT_TRUE(table.has_value());
    EXPECT_EQ(table.value().count(), 3u);
    EXPECT_EQ(table.value().find(0)->name, "first");
    EXPECT_EQ(table.value().find(15)->offset, 15u);
    EXPECT_EQ(table.value().find(16)->name, "second");
    EXPECT_FALSE(table.value().find(20)) << "a gap belongs to nobody";
    EXPECT_EQ(table.value().find(71)->name, "third");
    EXPECT_FALSE(table.value().find(72));
    EXPECT_FALSE(table.value().find(UINT64_MAX));
}

TEST(Symbols, EveryTruncationAndWrongOrderIsRefused) {
    auto const blob = encode_table(three);
    for (std::size_t size = 0; size < blob.size(); ++size) {
        EXPECT_FALSE(SymbolTable::open(std::span(blob).first(size)).has_value()) << size;
    }
    auto unordered = three;
    std::swap(unordered[0], unordered[2]);
    EXPECT_FALSE(SymbolTable::open(encode_table(unordered)).has_value());
    auto foreign = blob;
    foreign[0] = std::byte{'X'};
    EXPECT_FALSE(SymbolTable::open(foreign).has_value());
}

TEST(Symbols, NoFlippedByteMakesTheReaderFail) {
    auto const blob = encode_table(three);
    for (std::size_t place = 0; place < blob.size(); ++place) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            auto damaged = blob;
            damaged[place] ^= static_cast<std::byte>(1u << bit);
            if (auto const table = SymbolTable::open(damaged)) {
                for (std::uint64_t offset = 0; offset < 100; ++offset) {
                    auto const symbol = table.value().find(offset);
                    EXPECT_TRUE(!symbol || symbol->name.size() < blob.size());
                }
            }
        }
    }
}

TEST(Symbols, ToolReadsThisProgram) {
    auto const functions = read_functions(own_image());
    auto const is_marker = [](Function const& function) {
        return function.name == "symbols_test_marker";
    };
    auto const marker = std::find_if(functions.begin(), functions.end(), is_marker);
    ASSERT_NE(marker, functions.end());
    EXPECT_GT(marker->size, 0u);
    EXPECT_TRUE(SymbolTable::open(encode_table(functions)).has_value());
}

TEST(Symbols, ForeignAndTruncatedImagesAreRefusedInOneLine) {
    auto const image = own_image();
    for (std::size_t size :
         {std::size_t{0}, std::size_t{3}, std::size_t{63}, std::size_t{64}, image.size() / 2}) {
        try {
            read_functions(std::span(image).first(size));
            ADD_FAILURE() << "accepted " << size << " bytes";
        } catch (BadImage const& problem) {
            EXPECT_EQ(std::string(problem.what()).find('\n'), std::string::npos);
        }
    }
    auto foreign = image;
    foreign[4] = std::byte{1}; // ELFCLASS32
    EXPECT_THROW(read_functions(foreign), BadImage);
}

TEST(Symbols, NamesAreReadable) {
    EXPECT_EQ(readable_name("plain"), "plain");
    EXPECT_EQ(
        readable_name("_ZN7twofold4boot5panicESt17basic_string_viewIcSt11char_traitsIcEE"),
        "twofold::boot::panic");
    EXPECT_EQ(readable_name("_ZN1a12_GLOBAL__N_11bEi"), "a::b");
    std::string const longest(320, 'n');
    EXPECT_EQ(readable_name(longest), longest);
    EXPECT_EQ(
        readable_name("begin" + longest + "end"),
        "begin" + std::string(232, 'n') + "..." + std::string(77, 'n') + "end");
}
