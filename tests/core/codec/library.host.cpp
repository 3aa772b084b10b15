// The kernel's codecs beside the system's libraries: each reads what the other has written.
#include "core/codec/codec.hpp"
#include "tests/core/codec/inputs.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <dlfcn.h>
#include <vector>

namespace twofold::codec {
namespace {

using test::Kind;

constexpr usize block_bytes = usize{64} << 10;

/// A library of the system, apart from the one that is linked: a program does not export what
/// nobody outside of it asks for.
class Library {
public:
    explicit Library(char const* name) : m_handle(dlopen(name, RTLD_NOW | RTLD_LOCAL)) {}
    ~Library() { dlclose(m_handle); }
    Library(Library const&) = delete;
    Library& operator=(Library const&) = delete;

    template<class Function>
    Function* find(char const* name) const {
        void* const found = dlsym(m_handle, name);
        Dl_info place{};
        CHECK(dladdr(found, &place) != 0 && std::strstr(place.dli_fname, ".so") != nullptr);
        // Sound: POSIX makes a function's address of what dlsym returns.
        return reinterpret_cast<Function*>(found);
    }
    bool is_there() const { return m_handle != nullptr; }

private:
    void* m_handle;
};

class Both {
public:
    explicit Both(Parameters const& parameters)
        : m_workspace(workspace_bytes(parameters, block_bytes).value()),
          codec(Codec::create(parameters, block_bytes, m_workspace).value()),
          packed(compressed_bytes_max(parameters.algorithm, block_bytes)),
          block(block_bytes),
          back(block_bytes) {}

private:
    std::vector<std::byte> m_workspace;

public:
    Codec codec;
    std::vector<std::byte> packed;
    std::vector<std::byte> block;
    std::vector<std::byte> back;
};

TEST(CodecLibrary, Lz4ReadsOursAndWeReadIts) {
    Library const library("liblz4.so.1");
    ASSERT_TRUE(library.is_there());
    auto* const compress = library.find<int(void const*, void*, int, int)>("LZ4_compress_default");
    auto* const decompress = library.find<int(void const*, void*, int, int)>("LZ4_decompress_safe");
    Both it({Algorithm::lz4, 0});
    for (usize kind = 0; kind < test::kinds; ++kind) {
        test::fill(it.block, static_cast<Kind>(kind), kind);
        auto const ours = it.codec.compress(it.block, it.packed).value();
        ASSERT_EQ(
            decompress(it.packed.data(), it.back.data(), static_cast<int>(ours), block_bytes),
            static_cast<int>(block_bytes));
        EXPECT_EQ(it.back, it.block);
        int const its = compress(
            it.block.data(), it.packed.data(), block_bytes, static_cast<int>(it.packed.size()));
        std::ranges::fill(it.back, std::byte{});
        ASSERT_TRUE(
            it.codec.decompress(std::span(it.packed).first(static_cast<usize>(its)), it.back)
                .has_value());
        EXPECT_EQ(it.back, it.block);
    }
}

TEST(CodecLibrary, ZstdReadsOursAndWeReadIts) {
    Library const library("libzstd.so.1");
    ASSERT_TRUE(library.is_there());
    auto* const compress =
        library.find<usize(void*, usize, void const*, usize, int)>("ZSTD_compress");
    auto* const decompress =
        library.find<usize(void*, usize, void const*, usize)>("ZSTD_decompress");
    Both it({Algorithm::zstd, 3});
    for (usize kind = 0; kind < test::kinds; ++kind) {
        test::fill(it.block, static_cast<Kind>(kind), kind);
        auto const ours = it.codec.compress(it.block, it.packed).value();
        ASSERT_EQ(decompress(it.back.data(), block_bytes, it.packed.data(), ours), block_bytes);
        EXPECT_EQ(it.back, it.block);
        usize const its =
            compress(it.packed.data(), it.packed.size(), it.block.data(), block_bytes, 5);
        std::ranges::fill(it.back, std::byte{});
        ASSERT_TRUE(it.codec.decompress(std::span(it.packed).first(its), it.back).has_value());
        EXPECT_EQ(it.back, it.block);
    }
}

} // namespace
} // namespace twofold::codec
