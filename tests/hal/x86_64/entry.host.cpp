// The parsers of the start, checked on the host with information that is sound and information that
// is not.
#include "hal/x86_64/entry/acpi_extent.hpp"
#include "hal/x86_64/entry/command_line.hpp"
#include "hal/x86_64/entry/hash.hpp"
#include "hal/x86_64/entry/multiboot2.hpp"
#include "hal/x86_64/entry/placement.hpp"
#include "hal/x86_64/entry/pvh.hpp"
#include "tests/hal/x86_64/physical_buffer.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <ranges>
#include <string>

using namespace metal;
using metal::test::PhysicalBuffer;

namespace {

constexpr u64 base = 0x10000;

/// Builds a Multiboot2 information structure tag by tag.
class Multiboot2Builder {
public:
    Multiboot2Builder& tag(u32 type, std::string const& content) {
        word(type);
        word(static_cast<u32>(8 + content.size()));
        m_bytes += content;
        m_bytes.resize((m_bytes.size() + 7) / 8 * 8);
        return *this;
    }
    PhysicalBuffer finish() {
        tag(0, "");
        auto const total = static_cast<u32>(m_bytes.size());
        std::memcpy(m_bytes.data(), &total, sizeof(total));
        auto const* const bytes = reinterpret_cast<std::byte const*>(m_bytes.data());
        return {base, std::vector(bytes, bytes + m_bytes.size())};
    }

private:
    void word(u32 value) { m_bytes.append(reinterpret_cast<char const*>(&value), sizeof(value)); }
    std::string m_bytes = std::string(8, '\0');
};

template<class... Words>
std::string words(Words... values) {
    std::string bytes;
    (bytes.append(reinterpret_cast<char const*>(&values), sizeof(values)), ...);
    return bytes;
}

std::string memory_map() {
    return words(u32{24}, u32{0}) + words(u64{0}, u64{0x9f000}, u32{1}, u32{0}) +
           words(u64{0x100000}, u64{0x700000}, u32{1}, u32{0}) +
           words(u64{0x800000}, u64{0x1000}, u32{3}, u32{0});
}

std::string framebuffer(u8 type, u32 pitch) {
    return words(u64{0xfd000000}, pitch, u32{1024}, u32{768}, u8{32}, type, u16{0}) +
           words(u8{16}, u8{8}, u8{8}, u8{8}, u8{0}, u8{8});
}

} // namespace

TEST(Multiboot2, ReadsEveryTag) {
    PhysicalBuffer const buffer =
        Multiboot2Builder()
            .tag(2, std::string("GRUB\0", 5))
            .tag(1, std::string("json=on\0", 8))
            .tag(3, words(u32{0x200000}, u32{0x201000}) + std::string("disk a\0", 7))
            .tag(6, memory_map())
            .tag(8, framebuffer(1, 4096))
            .tag(14, std::string(20, 'o'))
            .tag(15, std::string(36, 'n'))
            .finish();
    Discovered found;
    ASSERT_TRUE(parse_multiboot2(buffer.memory(), {base}, found).has_value());
    EXPECT_EQ(found.protocol, "multiboot2");
    EXPECT_EQ(found.command_line, "json=on");
    ASSERT_EQ(found.modules.size(), 1u);
    EXPECT_EQ(found.modules[0].name, "disk a");
    EXPECT_EQ(found.modules[0].base.value, 0x200000u);
    EXPECT_EQ(found.modules[0].size.value, 0x1000u);
    ASSERT_EQ(found.memory.size(), 3u);
    EXPECT_EQ(found.memory[2].kind, hal::MemoryKind::acpi_reclaimable);
    ASSERT_TRUE(found.framebuffer.has_value());
    EXPECT_EQ(found.framebuffer->pitch, 4096u);
    EXPECT_EQ(found.framebuffer->red_shift, 16);
    EXPECT_EQ(found.framebuffer->blue_bits, 8);
    ASSERT_EQ(found.rsdp_copy.size(), 36u) << "the new root pointer counts";
    EXPECT_EQ(found.occupied.size(), 2u) << "the structure and the module";
}

TEST(Multiboot2, TheNewRootPointerCountsInEitherOrder) {
    PhysicalBuffer const buffer = Multiboot2Builder()
                                      .tag(15, std::string(36, 'n'))
                                      .tag(14, std::string(20, 'o'))
                                      .tag(6, memory_map())
                                      .finish();
    Discovered found;
    ASSERT_TRUE(parse_multiboot2(buffer.memory(), {base}, found).has_value());
    EXPECT_EQ(found.rsdp_copy.size(), 36u);
}

TEST(Multiboot2, ATextScreenIsNoFramebuffer) {
    auto const screen = [](u32 columns, u32 rows, u32 pitch) {
        return words(u64{0xb8000}, pitch, columns, rows, u8{16}, u8{2}, u16{0});
    };
    PhysicalBuffer const buffer =
        Multiboot2Builder().tag(6, memory_map()).tag(8, screen(80, 25, 160)).finish();
    Discovered found;
    ASSERT_TRUE(parse_multiboot2(buffer.memory(), {base}, found).has_value());
    EXPECT_FALSE(found.framebuffer.has_value());
    ASSERT_TRUE(found.text_buffer.has_value());
    EXPECT_EQ(found.text_buffer->base.value, 0xb8000u);
    EXPECT_EQ(found.text_buffer->columns, 80u);
    EXPECT_EQ(found.text_buffer->rows, 25u);
    EXPECT_EQ(found.text_buffer->pitch, 160u);
    for (auto const& wrong : {screen(80, 25, 159), screen(0, 25, 160), screen(80, 513, 160)}) {
        PhysicalBuffer const bad = Multiboot2Builder().tag(6, memory_map()).tag(8, wrong).finish();
        Discovered none;
        EXPECT_FALSE(parse_multiboot2(bad.memory(), {base}, none).has_value());
        EXPECT_FALSE(none.text_buffer.has_value());
    }
}

TEST(Multiboot2, RefusesWhatContradictsItself) {
    auto const error_of = [](PhysicalBuffer const& buffer) {
        Discovered found;
        Result<void> const result = parse_multiboot2(buffer.memory(), {base}, found);
        EXPECT_FALSE(result.has_value());
        return result ? Error::busy : result.error();
    };
    EXPECT_EQ(error_of(Multiboot2Builder().finish()), Error::not_found) << "no memory map";
    EXPECT_EQ(
        error_of(Multiboot2Builder().tag(1, "no zero").tag(6, memory_map()).finish()),
        Error::truncated);
    EXPECT_EQ(
        error_of(Multiboot2Builder().tag(3, words(u32{2}, u32{1}, u8{0})).finish()),
        Error::corrupted);
    EXPECT_EQ(error_of(Multiboot2Builder().tag(3, words(u32{2})).finish()), Error::truncated);
    EXPECT_EQ(
        error_of(Multiboot2Builder().tag(6, words(u32{0}, u32{0})).finish()), Error::corrupted);
    EXPECT_EQ(
        error_of(Multiboot2Builder().tag(6, words(u32{4}, u32{0})).finish()), Error::corrupted);
    EXPECT_EQ(error_of(Multiboot2Builder().tag(8, framebuffer(1, 64)).finish()), Error::corrupted);
    EXPECT_EQ(
        error_of(Multiboot2Builder().tag(8, framebuffer(1, 4096).substr(0, 26)).finish()),
        Error::truncated);
}

TEST(Multiboot2, RefusesEveryTruncation) {
    std::vector<std::byte> const whole =
        Multiboot2Builder().tag(1, std::string("a b\0", 4)).tag(6, memory_map()).finish().bytes();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        // Both what can be seen and what the structure claims end early.
        PhysicalBuffer unseen(
            base, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
        Discovered found;
        EXPECT_FALSE(parse_multiboot2(unseen.memory(), {base}, found).has_value()) << size;
        PhysicalBuffer claimed(base, whole);
        claimed.put(base, static_cast<u32>(size));
        Discovered other;
        EXPECT_FALSE(parse_multiboot2(claimed.memory(), {base}, other).has_value()) << size;
    }
}

TEST(Multiboot2, TooManyModulesAreAnError) {
    Multiboot2Builder builder;
    for (unsigned module = 0; module < 17; ++module) {
        builder.tag(3, words(u32{1}, u32{2}, u8{0}));
    }
    PhysicalBuffer const buffer = builder.tag(6, memory_map()).finish();
    Discovered found;
    Result<void> const result = parse_multiboot2(buffer.memory(), {base}, found);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error(), Error::no_space);
}

namespace {

PhysicalBuffer pvh_information() {
    PhysicalBuffer buffer(base, 0x1000);
    buffer.put(base, pvh_magic);
    buffer.put(base + 4, u32{1});
    buffer.put(base + 12, u32{1}); // one module
    buffer.put(base + 16, u64{base + 0x100});
    buffer.put(base + 24, u64{base + 0x200}); // the command line
    buffer.put(base + 32, u64{0xf5000});
    buffer.put(base + 40, u64{base + 0x300});
    buffer.put(base + 48, u32{2});
    buffer.put(base + 0x100, u64{0x400000});
    buffer.put(base + 0x108, u64{123});
    buffer.put(base + 0x110, u64{base + 0x280});
    buffer.put_text(base + 0x200, "command=version");
    buffer.put_text(base + 0x280, "initial");
    buffer.put(base + 0x300, u64{0});
    buffer.put(base + 0x308, u64{0x9f000});
    buffer.put(base + 0x310, u32{1});
    buffer.put(base + 0x318, u64{0xfffc0000});
    buffer.put(base + 0x320, u64{0x40000});
    buffer.put(base + 0x328, u32{2});
    return buffer;
}

Error pvh_error(PhysicalBuffer const& buffer) {
    Discovered found;
    Result<void> const result = parse_pvh(buffer.memory(), {base}, found);
    EXPECT_FALSE(result.has_value());
    return result ? Error::busy : result.error();
}

} // namespace

TEST(Pvh, ReadsEverything) {
    PhysicalBuffer const buffer = pvh_information();
    Discovered found;
    ASSERT_TRUE(parse_pvh(buffer.memory(), {base}, found).has_value());
    EXPECT_EQ(found.protocol, "pvh");
    EXPECT_EQ(found.command_line, "command=version");
    ASSERT_EQ(found.modules.size(), 1u);
    EXPECT_EQ(found.modules[0].base.value, 0x400000u);
    EXPECT_EQ(found.modules[0].size.value, 123u);
    EXPECT_EQ(found.modules[0].name, "initial");
    ASSERT_EQ(found.memory.size(), 2u);
    EXPECT_EQ(found.memory[0].kind, hal::MemoryKind::usable);
    EXPECT_EQ(found.memory[1].kind, hal::MemoryKind::reserved);
    ASSERT_TRUE(found.rsdp.has_value());
    EXPECT_EQ(found.rsdp->value, 0xf5000u);
    EXPECT_EQ(found.occupied.size(), 6u);
}

TEST(Pvh, WhatIsAbsentIsAbsent) {
    PhysicalBuffer buffer = pvh_information();
    buffer.put(base + 12, u32{0});
    buffer.put(base + 24, u64{0});
    buffer.put(base + 32, u64{0});
    Discovered found;
    ASSERT_TRUE(parse_pvh(buffer.memory(), {base}, found).has_value());
    EXPECT_TRUE(found.modules.empty());
    EXPECT_TRUE(found.command_line.empty());
    EXPECT_FALSE(found.rsdp.has_value());
}

TEST(Pvh, RefusesWhatItCannotUse) {
    PhysicalBuffer buffer = pvh_information();
    buffer.put(base, u32{0});
    EXPECT_EQ(pvh_error(buffer), Error::corrupted);
    buffer = pvh_information();
    buffer.put(base + 4, u32{0});
    EXPECT_EQ(pvh_error(buffer), Error::not_supported) << "version 0 has no memory map";
    buffer = pvh_information();
    buffer.put(base + 48, u32{0});
    EXPECT_EQ(pvh_error(buffer), Error::not_found);
    buffer = pvh_information();
    buffer.put(base + 48, ~u32{0});
    EXPECT_EQ(pvh_error(buffer), Error::not_found);
    buffer = pvh_information();
    buffer.put(base + 40, u64{0x7000'0000'0000});
    EXPECT_EQ(pvh_error(buffer), Error::truncated);
    buffer = pvh_information();
    buffer.put(base + 24, u64{0x7000'0000'0000});
    EXPECT_EQ(pvh_error(buffer), Error::out_of_range);
    buffer = pvh_information();
    buffer.put(base + 12, ~u32{0});
    EXPECT_EQ(pvh_error(buffer), Error::corrupted);
    EXPECT_EQ(pvh_error(PhysicalBuffer(base, 16)), Error::out_of_range);
}

TEST(Pvh, ACommandLineWithoutEndIsAnError) {
    PhysicalBuffer buffer = pvh_information();
    std::ranges::fill(buffer.bytes() | std::views::drop(0x400), std::byte{'x'});
    buffer.put(base + 24, u64{base + 0x400});
    EXPECT_EQ(pvh_error(buffer), Error::out_of_range);
}

TEST(CommandLine, UndoesWhatGrubWrites) {
    auto const plain = [](std::string_view line) {
        std::string room(line.size(), '\0');
        return std::string(without_grub_quotes(line, room));
    };
    EXPECT_EQ(plain(""), "");
    EXPECT_EQ(plain("json=on console=pipe"), "json=on console=pipe");
    EXPECT_EQ(plain(R"("command=\'version; cpu\' json=on")"), "command='version; cpu' json=on");
    EXPECT_EQ(plain(R"("say=\"a \\ b\"")"), R"(say="a \ b")");
    EXPECT_EQ(plain(R"(a\n)"), R"(a\n)") << "not a pair of GRUB's";
    EXPECT_EQ(plain("\\"), "\\") << "nothing follows";
}

TEST(CommandLine, FindsTheImagesPlace) {
    constexpr u64 lowest = 0xffff'e000'0000'0000, room = u64{1} << 40, size = 0x100000;
    constexpr Placement placement{{0xffff'ffff'8000'0000}, {lowest}, {room}};
    auto const place = [&](std::string_view line) {
        std::string scratch(line.size(), '\0');
        return image_base(line, scratch, {size}, placement);
    };
    EXPECT_EQ(place("").value(), placement.otherwise);
    EXPECT_EQ(place("other=1").value(), placement.otherwise);
    EXPECT_EQ(place("command='image_base=0x0; b'").value(), placement.otherwise) << "quoted";
    EXPECT_EQ(place("my_image_base=7").value(), placement.otherwise);
    EXPECT_EQ(place("image_base=0xffffe00000000000").value().value, lowest);
    EXPECT_EQ(place("image_base=1 image_base=0xffffe00000200000").value().value, lowest + 0x200000);
    EXPECT_EQ(place("image_base=0xffffe00000001000").error(), Error::invalid_argument);
    EXPECT_EQ(place("image_base=top").error(), Error::invalid_argument);
    EXPECT_EQ(place("image_base=0x200000").error(), Error::out_of_range);
    EXPECT_EQ(place("image_base=0x10000000000000000").error(), Error::out_of_range);
    EXPECT_EQ(place("image_base=0xffffe10000000000").error(), Error::out_of_range)
        << "the end does not fit";
}

TEST(Hash, MatchesThePublishedValues) {
    auto const hash = [](std::string_view text) { return hash64(std::as_bytes(std::span{text})); };
    EXPECT_EQ(hash(""), 0xef46'db37'51d8'e999u);
    EXPECT_EQ(hash("a"), 0xd24e'c4f1'a98c'6e5bu);
    EXPECT_EQ(hash("abc"), 0x44bc'2cf5'ad77'0999u);
    EXPECT_EQ(hash("Nobody inspects the spammish repetition"), 0xfbce'a83c'8a37'8bf1u);
}

namespace {

hal::MemoryRange usable(u64 at, u64 size) {
    return {{at}, {size}, hal::MemoryKind::usable};
}

} // namespace

TEST(Placement, TakesTheLargestGap) {
    Discovered found;
    ASSERT_TRUE(found.memory.push_back(usable(0, 0x9f000)));
    ASSERT_TRUE(found.memory.push_back(usable(0x100000, 0x700000)));
    PhysicalRange const own{{0x100000}, {0x30001}};
    PhysicalRange place = largest_free(found, own, {0x100000}, {u64{4} << 30});
    EXPECT_EQ(place.base.value, 0x131000u) << "rounded up to a page";
    EXPECT_EQ(place.size.value, 0x800000u - 0x131000u);
    ASSERT_TRUE(found.occupied.push_back({{0x200000}, {0x1234}}));
    place = largest_free(found, own, {0x100000}, {u64{4} << 30});
    EXPECT_EQ(place.base.value, 0x202000u);
    ASSERT_TRUE(found.occupied.push_back({{0x7ff800}, {0x800}}));
    place = largest_free(found, own, {0x100000}, {u64{4} << 30});
    EXPECT_EQ(place.base.value + place.size.value, 0x7ff000u) << "rounded down to a page";
}

TEST(Placement, AvoidsReservedMemoryInsideUsable) {
    Discovered found;
    ASSERT_TRUE(found.memory.push_back(usable(0x100000, 0x100000)));
    ASSERT_TRUE(found.memory.push_back({{0x110000}, {0x1000}, hal::MemoryKind::acpi_nvs}));
    PhysicalRange const place = largest_free(found, {}, {0x100000}, {u64{4} << 30});
    EXPECT_EQ(place.base.value, 0x111000u);
    EXPECT_EQ(place.size.value, 0xef000u);
}

TEST(Placement, StaysBetweenItsBounds) {
    Discovered found;
    ASSERT_TRUE(found.memory.push_back(usable(0, ~u64{0})));
    PhysicalRange const place = largest_free(found, {}, {0x100000}, {0x200000});
    EXPECT_EQ(place.base.value, 0x100000u);
    EXPECT_EQ(place.size.value, 0x100000u);
    EXPECT_EQ(largest_free(found, {{0}, {~u64{0}}}, {0x100000}, {0x200000}).size.value, 0u);
    EXPECT_EQ(largest_free({}, {}, {0x100000}, {0x200000}).size.value, 0u);
}

namespace {

constexpr u64 low = 0xe0000;

void put_rsdp(PhysicalBuffer& buffer, u64 at, u8 revision, u32 rsdt, u64 xsdt) {
    buffer.put_text(at, "RSD PTR ");
    buffer.put(at + 8, u8{0});
    buffer.put(at + 15, revision);
    buffer.put(at + 16, rsdt);
    buffer.put(at + 24, xsdt);
    u8 sum = 0;
    for (u64 byte = 0; byte < 20; ++byte) {
        sum = static_cast<u8>(sum + static_cast<u8>(buffer.bytes().at(at - low + byte)));
    }
    buffer.put(at + 8, static_cast<u8>(-sum));
}

void put_table(PhysicalBuffer& buffer, u64 at, std::string_view name, u32 length) {
    buffer.put_text(at, name);
    buffer.put(at + 4, length);
}

} // namespace

TEST(AcpiExtent, FollowsTheTables) {
    PhysicalBuffer buffer(low, 0x20000);
    put_rsdp(buffer, 0xf0040, 0, 0xf1000, 0);
    put_table(buffer, 0xf1000, "RSDT", 36 + 8);
    buffer.put(0xf1000 + 36, u32{0xf2000});
    buffer.put(0xf1000 + 40, u32{0xf3000});
    put_table(buffer, 0xf2000, "FACP", 116);
    buffer.put(0xf2000 + 40, u32{0xf4000});
    put_table(buffer, 0xf4000, "DSDT", 500);
    put_table(buffer, 0xf3000, "APIC", 44 + 8 + 8 + 16);
    buffer.put(0xf3000 + 44, u16{0x0800}); // local APIC, enabled
    buffer.put(0xf3000 + 48, u32{1});
    buffer.put(0xf3000 + 52, u16{0x0800}); // one that is not
    buffer.put(0xf3000 + 60, u16{0x1009}); // local x2APIC, enabled
    buffer.put(0xf3000 + 68, u32{1});

    std::optional<PhysAddr> const rsdp = find_rsdp(buffer.memory());
    ASSERT_TRUE(rsdp.has_value());
    EXPECT_EQ(rsdp->value, 0xf0040u);
    AcpiExtent const extent = acpi_extent(buffer.memory(), *rsdp);
    EXPECT_EQ(extent.processors, 2u);
    ASSERT_EQ(extent.tables.size(), 5u) << "RSDP, RSDT, FADT, DSDT, MADT";
    EXPECT_EQ(extent.tables[3].base.value, 0xf4000u);
    EXPECT_EQ(extent.tables[3].size.value, 500u);
}

TEST(AcpiExtent, PrefersTheExtendedRoot) {
    PhysicalBuffer buffer(low, 0x20000);
    put_rsdp(buffer, 0xf0000, 2, 0xf1000, 0xf2000);
    put_table(buffer, 0xf2000, "XSDT", 36 + 8);
    buffer.put(0xf2000 + 36, u64{0xf3000});
    put_table(buffer, 0xf3000, "HPET", 56);
    AcpiExtent const extent = acpi_extent(buffer.memory(), {0xf0000});
    ASSERT_EQ(extent.tables.size(), 3u);
    EXPECT_EQ(extent.tables[2].size.value, 56u);
}

TEST(AcpiExtent, SurvivesNonsense) {
    PhysicalBuffer buffer(low, 0x20000);
    EXPECT_FALSE(find_rsdp(buffer.memory()).has_value());
    buffer.put_text(0xf0000, "RSD PTR ");
    buffer.put(0xf0009, u8{77});
    EXPECT_FALSE(find_rsdp(buffer.memory()).has_value()) << "a wrong checksum";
    EXPECT_TRUE(acpi_extent(buffer.memory(), {0xf0000}).tables.empty());
    put_rsdp(buffer, 0xf0000, 0, 0xf1000, 0);
    put_table(buffer, 0xf1000, "RSDT", 8);
    EXPECT_EQ(acpi_extent(buffer.memory(), {0xf0000}).tables.size(), 1u)
        << "too short to be a table";
    put_table(buffer, 0xf1000, "RSDT", ~u32{0});
    EXPECT_EQ(acpi_extent(buffer.memory(), {0xf0000}).tables.size(), 1u) << "too long";
    put_table(buffer, 0xf1000, "RSDT", 40);
    buffer.put(0xf1000 + 36, u32{0xf1000});
    EXPECT_EQ(acpi_extent(buffer.memory(), {0xf0000}).tables.size(), 3u) << "a loop ends";
    buffer.put(0xf1000 + 36, u32{0xf2000});
    put_table(buffer, 0xf2000, "APIC", 60);
    EXPECT_EQ(acpi_extent(buffer.memory(), {0xf0000}).processors, 0u)
        << "records of no length end it";
}
