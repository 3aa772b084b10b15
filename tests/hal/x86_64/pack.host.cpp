// The packer against the stub's verifier, with the stub and the kernel of this build: what is
// packed unpacks to the kernel's segments, and no damage goes unnoticed.
#include "tools/pack/pack.hpp"
#include "hal/x86_64/entry/payload.hpp"

#include <cstring>
#include <elf.h>
#include <fstream>
#include <gtest/gtest.h>
#include <lz4.h>

using namespace twofold;
using namespace twofold::pack;

namespace {

Buffer read_file(char const* path) {
    std::ifstream stream(path, std::ios::binary);
    std::string const text{std::istreambuf_iterator<char>(stream), {}};
    auto const* const bytes = reinterpret_cast<std::byte const*>(text.data());
    return {bytes, bytes + text.size()};
}
Buffer kernel() {
    return read_file(TWOFOLD_TEST_KERNEL);
}
Buffer stub() {
    return read_file(TWOFOLD_TEST_STUB);
}
Buffer symbols() {
    std::string_view const text = "symbols of a length that is no multiple of four";
    auto const* const bytes = reinterpret_cast<std::byte const*>(text.data());
    return {bytes, bytes + text.size()};
}

Buffer unpack(std::span<std::byte const> packed, u32 size) {
    Buffer bytes(size);
    int const result = LZ4_decompress_safe(
        reinterpret_cast<char const*>(packed.data()), reinterpret_cast<char*>(bytes.data()),
        static_cast<int>(packed.size()), static_cast<int>(size));
    EXPECT_EQ(result, static_cast<int>(size));
    return bytes;
}

std::vector<Elf64_Phdr> headers_of(Buffer const& file) {
    Elf64_Ehdr header;
    std::memcpy(&header, file.data(), sizeof(header));
    std::vector<Elf64_Phdr> entries(header.e_phnum);
    std::memcpy(entries.data(), file.data() + header.e_phoff, entries.size() * sizeof(Elf64_Phdr));
    return entries;
}

} // namespace

TEST(Pack, UnpacksToTheKernel) {
    Buffer const file = kernel();
    Buffer const payload = make_payload(file, symbols());
    Result<metal::Payload> const verified = metal::verify_payload(payload);
    ASSERT_TRUE(verified.has_value());
    metal::PayloadHeader const& header = *verified.value().header;
    Buffer image = unpack(verified.value().image, header.image_stored);
    Buffer const tail = unpack(verified.value().tail, header.tail_stored);

    ASSERT_EQ(header.symbols_size, symbols().size());
    EXPECT_TRUE(std::equal(tail.begin(), tail.begin() + header.symbols_size, symbols().begin()));
    ASSERT_GT(header.relocation_count, 0u);
    std::size_t const gaps_at = align_up(header.symbols_size, 4);
    u64 offset = 0;
    for (u32 number = 0; number < header.relocation_count; ++number) {
        u32 gap;
        std::memcpy(&gap, &tail.at(gaps_at + number * sizeof(gap)), sizeof(gap));
        offset += gap;
        u64 addend;
        std::memcpy(&addend, &image.at(offset), sizeof(addend));
        EXPECT_LE(addend, header.image_size) << "an address inside the image";
        std::memset(&image.at(offset), 0, sizeof(addend)); // as the linker left it
    }
    unsigned matched = 0;
    for (Elf64_Phdr const& entry : headers_of(file)) {
        if (entry.p_type != PT_LOAD || entry.p_filesz == 0 || (entry.p_flags & PF_R) == 0) {
            continue;
        }
        Buffer expected(
            file.begin() + static_cast<std::ptrdiff_t>(entry.p_offset),
            file.begin() + static_cast<std::ptrdiff_t>(entry.p_offset + entry.p_filesz));
        for (std::size_t at = 0; at < expected.size(); ++at) {
            if (image[entry.p_vaddr + at] != expected[at] &&
                image[entry.p_vaddr + at] != std::byte{}) {
                FAIL() << "byte " << at << " of the segment at " << entry.p_vaddr;
            }
        }
        ++matched;
    }
    EXPECT_GE(matched, 2u) << "text and constants; a kernel's data may be all zeros";
}

TEST(Pack, IsDeterministic) {
    EXPECT_EQ(make_payload(kernel(), symbols()), make_payload(kernel(), symbols()));
}

TEST(Pack, NoDamageGoesUnnoticed) {
    Buffer payload = make_payload(kernel(), symbols());
    for (std::size_t at = 0; at < payload.size(); at += at < 512 ? 1 : 997) {
        payload[at] ^= std::byte{1};
        EXPECT_FALSE(metal::verify_payload(payload).has_value()) << at;
        payload[at] ^= std::byte{1};
    }
    EXPECT_TRUE(metal::verify_payload(payload).has_value());
    for (std::size_t size = 0; size < payload.size(); size += size < 512 ? 1 : 997) {
        EXPECT_FALSE(metal::verify_payload(std::span{payload}.first(size)).has_value()) << size;
    }
}

TEST(Pack, NumbersThatContradictEachOtherAreRefusedUnderARightHash) {
    Buffer const payload = make_payload(kernel(), symbols());
    auto const refused = [&payload](auto change) {
        Buffer copy = payload;
        metal::PayloadHeader header;
        std::memcpy(&header, copy.data(), sizeof(header));
        change(header);
        std::memcpy(copy.data(), &header, sizeof(header));
        header.hash = metal::payload_hash(copy);
        std::memcpy(copy.data(), &header, sizeof(header));
        return !metal::verify_payload(copy).has_value();
    };
    using Header = metal::PayloadHeader;
    EXPECT_FALSE(refused([](Header&) {}));
    EXPECT_TRUE(refused([](Header& header) { header.image_packed += 1; }));
    EXPECT_TRUE(refused([](Header& header) { header.image_stored = header.image_size + 1; }));
    EXPECT_TRUE(refused([](Header& header) { header.image_size = ~u32{4095}; }));
    EXPECT_TRUE(refused([](Header& header) { header.relocation_count = ~u32{0}; }));
    EXPECT_TRUE(refused([](Header& header) { header.symbols_size = ~u32{0}; }));
    EXPECT_TRUE(refused([](Header& header) { header.segment_count = 99; }));
    EXPECT_TRUE(
        refused([](Header& header) { header.segments[0].flags |= metal::segment_flag::write; }));
    EXPECT_TRUE(refused([](Header& header) { header.segments[1].offset = 0; }));
    EXPECT_TRUE(refused([](Header& header) { header.segments[1].size += 1; }));
    EXPECT_TRUE(
        refused([](Header& header) { header.segments[1].stored = header.segments[1].size + 1; }));
    EXPECT_TRUE(refused([](Header& header) { header.entry = header.segments[1].offset; }));
    EXPECT_TRUE(refused([](Header& header) { header.stack_base = 0; }));
    EXPECT_TRUE(refused([](Header& header) { header.stack_size = 0; }));
}

TEST(Pack, ThePayloadFollowsTheStub) {
    Buffer const payload = make_payload(kernel(), {});
    Buffer const image = append_payload(stub(), payload);
    Elf64_Phdr const last = headers_of(image).back();
    EXPECT_EQ(last.p_type, static_cast<u32>(PT_LOAD));
    EXPECT_EQ(last.p_flags, static_cast<u32>(PF_R));
    EXPECT_EQ(last.p_filesz, payload.size());
    EXPECT_TRUE(std::equal(
        payload.begin(), payload.end(),
        image.begin() + static_cast<std::ptrdiff_t>(last.p_offset)));
    for (Elf64_Phdr const& entry : headers_of(stub())) {
        EXPECT_LE(entry.p_paddr + entry.p_memsz, last.p_paddr);
    }
}

TEST(Pack, RefusesWhatIsNoKernel) {
    EXPECT_THROW(make_payload({}, {}), PackError);
    EXPECT_THROW(make_payload(symbols(), {}), PackError);
    Buffer const whole = kernel();
    EXPECT_THROW(make_payload(std::span{whole}.first(200), {}), PackError);
    EXPECT_THROW(make_payload(std::span{whole}.first(whole.size() / 2), {}), PackError);
    Buffer foreign = whole;
    foreign[4] = std::byte{1}; // 32 bits
    EXPECT_THROW(make_payload(foreign, {}), PackError);
    Buffer const no_room = make_payload(whole, {});
    EXPECT_THROW(append_payload(symbols(), no_room), PackError);
}
