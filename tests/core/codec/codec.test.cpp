// Codecs inside a kernel (core/codec): what was compressed comes back, all machines make the same
// bytes of it, and damaged input is refused or at least harms nothing.
#include "core/codec/codec.hpp"
#include "core/boot/boot.hpp"
#include "tests/core/codec/inputs.hpp"
#include "tests/support/test.hpp"

#include <algorithm>

namespace twofold::codec {
namespace {

using test::Kind;

constexpr usize block_max = usize{64} << 10;
constexpr Parameters all_parameters[] = {
    {Algorithm::none, 0},  {Algorithm::lz4, 0},  {Algorithm::lz4, -9}, {Algorithm::zstd, -9},
    {Algorithm::zstd, -1}, {Algorithm::zstd, 1}, {Algorithm::zstd, 3}, {Algorithm::zstd, 9}};
constexpr usize sizes[] = {1, 2, 17, 511, 512, 4096, 4097, 32768, block_max};

/// Memory of the kernel's heap for one codec, a block, what it becomes, and what comes back.
struct Bench {
    explicit Bench(Parameters const& parameters)
        : workspace(take(workspace_bytes(parameters, block_max).value())),
          block(take(block_max)),
          packed(take(compressed_bytes_max(parameters.algorithm, block_max))),
          back(take(block_max)),
          codec(Codec::create(parameters, block_max, workspace).value()) {}
    ~Bench() {
        for (auto const room : {workspace, block, packed, back}) {
            if (!room.empty()) {
                memory::free_room(*boot::current_kernel().heap, room.data());
            }
        }
    }
    Bench(Bench const&) = delete;
    Bench& operator=(Bench const&) = delete;

    static std::span<std::byte> take(usize bytes) {
        if (bytes == 0) {
            return {};
        }
        struct alignas(64) Line {
            std::byte bytes[64];
        };
        usize const lines = (bytes + sizeof(Line) - 1) / sizeof(Line);
        Line* const room = memory::allocate_room<Line>(*boot::current_kernel().heap, lines).value();
        return std::as_writable_bytes(std::span(room, lines)).first(bytes);
    }

    std::span<std::byte> workspace;
    std::span<std::byte> block;
    std::span<std::byte> packed;
    std::span<std::byte> back;
    Codec codec;
};

TEST(Codec, WhatWasCompressedComesBack) {
    for (Parameters const& parameters : all_parameters) {
        Bench bench(parameters);
        for (usize const size : sizes) {
            for (usize kind = 0; kind < test::kinds; ++kind) {
                auto const block = bench.block.first(size);
                test::fill(block, static_cast<Kind>(kind), size * 31 + kind);
                auto const packed = bench.codec.compress(block, bench.packed);
                ASSERT_TRUE(packed.has_value());
                auto const back = bench.back.first(size);
                std::ranges::fill(back, std::byte{0xa5});
                ASSERT_TRUE(
                    bench.codec.decompress(bench.packed.first(packed.value()), back).has_value());
                EXPECT_TRUE(std::ranges::equal(block, back));
                if (parameters.algorithm != Algorithm::none && size >= 4096) {
                    bool const is_noise = static_cast<Kind>(kind) == Kind::noise;
                    EXPECT_EQ(packed.value() < size, !is_noise);
                }
            }
        }
    }
}

/// One number over all that every parameter makes of every block: the same on every machine, and in
/// every build.
TEST(Codec, AllMachinesMakeTheSameBytes) {
    u32 digest = 0;
    for (Parameters const& parameters : all_parameters) {
        Bench bench(parameters);
        for (usize kind = 0; kind < test::kinds; ++kind) {
            test::fill(bench.block, static_cast<Kind>(kind), 7 + kind);
            usize const size = bench.codec.compress(bench.block, bench.packed).value();
            digest = digest * 31 + crc32(bench.packed.first(size));
        }
    }
    // Other versions of the libraries may find shorter ways to say the same.
    EXPECT_EQ(library_version(Algorithm::lz4), "1.9.4");
    EXPECT_EQ(library_version(Algorithm::zstd), "1.5.4");
    EXPECT_EQ(digest, 0xc61d'f58bu);
}

TEST(Codec, RefusesWhatItCannotDo) {
    EXPECT_EQ(workspace_bytes({Algorithm::zstd, 10}, 4096).error(), Error::invalid_argument);
    EXPECT_EQ(workspace_bytes({Algorithm::lz4, 1}, 4096).error(), Error::invalid_argument);
    EXPECT_EQ(workspace_bytes({Algorithm::zstd, 1}, 0).error(), Error::invalid_argument);
    EXPECT_EQ(
        workspace_bytes({Algorithm::zstd, 1}, input_bytes_max + 1).error(),
        Error::invalid_argument);
    Bench bench({Algorithm::zstd, 1});
    EXPECT_EQ(
        Codec::create({Algorithm::zstd, 1}, block_max, bench.workspace.first(1000)).error(),
        Error::no_space);
    EXPECT_EQ(bench.codec.compress({}, bench.packed).error(), Error::invalid_argument);
    EXPECT_EQ(find_algorithm("zstd"), Algorithm::zstd);
    EXPECT_FALSE(find_algorithm("gzip").has_value());
}

TEST(Codec, WhatDoesNotFitIsSaidAndNothingElseIsWritten) {
    for (Parameters const& parameters : all_parameters) {
        Bench bench(parameters);
        test::fill(bench.block, Kind::noise, 3);
        auto const room = bench.packed.first(block_max / 2);
        auto const behind = bench.packed.subspan(block_max / 2);
        std::ranges::fill(behind, std::byte{0x5a});
        EXPECT_EQ(bench.codec.compress(bench.block, room).error(), Error::no_space);
        EXPECT_TRUE(
            std::ranges::all_of(behind, [](std::byte each) { return each == std::byte{0x5a}; }));
    }
}

TEST(Codec, DamageIsFoundOrHarmsNothing) {
    Random random(11);
    u64 refused = 0;
    for (Parameters const& parameters : all_parameters) {
        Bench bench(parameters);
        auto const block = bench.block.first(4096);
        test::fill(block, Kind::words, 5);
        usize const size = bench.codec.compress(block, bench.packed).value();
        auto const behind = bench.back.subspan(4096);
        std::ranges::fill(behind, std::byte{0x5a});
        for (u32 i = 0; i < 400; ++i) {
            usize const at = random.below(size);
            std::byte const before = bench.packed[at];
            bench.packed[at] ^= static_cast<std::byte>(1 + random.below(255));
            usize const length = i % 4 == 0 ? random.below(size + 1) : size;
            refused +=
                bench.codec.decompress(bench.packed.first(length), bench.back.first(4096)) ? 0 : 1;
            bench.packed[at] = before;
        }
        EXPECT_TRUE(
            std::ranges::all_of(behind, [](std::byte each) { return each == std::byte{0x5a}; }));
        EXPECT_TRUE(
            bench.codec.decompress(bench.packed.first(size), bench.back.first(4096)).has_value());
        EXPECT_EQ(
            bench.codec.decompress(bench.packed.first(size), bench.back.first(4095)).error(),
            Error::corrupted);
    }
    EXPECT_TRUE(refused > 400);
}

} // namespace
} // namespace twofold::codec
