// The facts of the instruction set, checked on the host: the page-table codec against entries
// written by hand from the manual, and CPUID's decoding against recorded answers.
#include "isa/cpuid.hpp"
#include "isa/page_entry.hpp"

#include <gtest/gtest.h>
#include <set>
#include <string>

using namespace twofold;
using hal::Access;
using hal::CacheMode;
using isa::PageEntry;

namespace {

constexpr Access all_accesses[] = {
    Access::read,
    Access::read | Access::write,
    Access::read | Access::execute,
    Access::read | Access::user,
    Access::read | Access::write | Access::user,
    Access::read | Access::write | Access::execute | Access::user};
constexpr CacheMode all_modes[] = {
    CacheMode::write_back, CacheMode::write_combining, CacheMode::uncached};

// Intel Core i7-6700K: recorded leaves.
isa::CpuidLeaves recorded_intel() {
    isa::CpuidLeaves leaves;
    leaves.basic = {0x16, 0x756e6547, 0x6c65746e, 0x49656e69};
    leaves.version = {0x000506e3, 0x00100800, 0x7ffafbbf, 0xbfebfbff};
    leaves.structured = {0, 0x029c6fbf, 0, 0};
    leaves.extended = {0x80000008, 0, 0, 0};
    leaves.extended_features = {0, 0, 0x121, 0x2c100800};
    leaves.brand[0] = {0x65746e49, 0x2952286c, 0x726f4320, 0x4d542865};
    leaves.brand[1] = {0x37692029, 0x3037362d, 0x43204b30, 0x40205550};
    leaves.brand[2] = {0x302e3420, 0x7a484730, 0, 0};
    leaves.power = {0, 0, 0, 0x100};
    leaves.address_sizes = {0x3027, 0, 0, 0};
    return leaves;
}

} // namespace

TEST(PageEntry, MatchesTheManual) {
    EXPECT_EQ(PageEntry::encode_leaf({{0x1000}, Access::read}, 0), 0x8000'0000'0000'1001);
    EXPECT_EQ(
        PageEntry::encode_leaf({{0x1000}, Access::read | Access::write}, 0), 0x8000'0000'0000'1003);
    EXPECT_EQ(PageEntry::encode_leaf({{0x1000}, Access::read | Access::execute}, 0), 0x1001u);
    EXPECT_EQ(PageEntry::encode_leaf({{0x20'0000}, Access::read | Access::execute}, 1), 0x20'0081u);
    EXPECT_EQ(
        PageEntry::encode_leaf(
            {{u64{1} << 30},
             Access::read | Access::execute | Access::user,
             CacheMode::uncached,
             true},
            2),
        (u64{1} << 30) + 0x19d);
    EXPECT_EQ(PageEntry::encode_table({0xf'ffff'ffff'f000}), 0xf'ffff'ffff'f007u);
}

TEST(PageEntry, LeavesSurviveARoundTrip) {
    for (unsigned level = 0; level <= PageEntry::highest_encodable_leaf; ++level) {
        for (Access const access : all_accesses) {
            for (CacheMode const cache : all_modes) {
                for (bool const global : {false, true}) {
                    hal::PageMapping const before{{u64{3} << 40}, access, cache, global};
                    u64 const entry = PageEntry::encode_leaf(before, level);
                    ASSERT_TRUE(PageEntry::is_present(entry) && PageEntry::is_leaf(entry, level));
                    hal::PageMapping const after = PageEntry::decode_leaf(entry, level);
                    EXPECT_EQ(after.frame, before.frame);
                    EXPECT_EQ(after.access, before.access);
                    EXPECT_EQ(after.cache, before.cache);
                    EXPECT_EQ(after.global, before.global);
                    EXPECT_FALSE(PageEntry::has_reserved_bits(entry, level, 52));
                }
            }
        }
    }
}

TEST(PageEntry, ReadsWhatOthersWrote) {
    // Accessed and dirty bits, and the PAT bit of each size, are not part of the frame.
    u64 const large = 0x4020'0000 | isa::page_bit::present | isa::page_bit::large |
                      isa::page_bit::accessed | isa::page_bit::dirty | isa::page_bit::pat_large;
    EXPECT_EQ(PageEntry::decode_leaf(large, 1).frame.value, 0x4020'0000u);
    EXPECT_EQ(PageEntry::decode_leaf(large, 1).cache, CacheMode::write_back); // index 4
    u64 const small =
        0x5000 | isa::page_bit::present | isa::page_bit::pat_small | isa::page_bit::write_through;
    EXPECT_EQ(PageEntry::decode_leaf(small, 0).frame.value, 0x5000u);
    EXPECT_EQ(
        PageEntry::decode_leaf(small, 0).cache, CacheMode::uncached); // index 5: write-protected
}

TEST(PageEntry, TellsTablesFromLeaves) {
    EXPECT_FALSE(PageEntry::is_present(0));
    for (unsigned level = 1; level < PageEntry::levels; ++level) {
        u64 const table = PageEntry::encode_table({0x7000});
        EXPECT_FALSE(PageEntry::is_leaf(table, level));
        EXPECT_EQ(PageEntry::decode_table(table).value, 0x7000u);
    }
    u64 const large_root = 0x7000 | isa::page_bit::present | isa::page_bit::large;
    EXPECT_FALSE(PageEntry::is_leaf(large_root, 3)) << "no leaf is that large";
}

TEST(PageEntry, FindsReservedBits) {
    using isa::page_bit::large, isa::page_bit::present;
    EXPECT_TRUE(PageEntry::has_reserved_bits(present | large, 3, 48));
    EXPECT_TRUE(PageEntry::has_reserved_bits(present | u64{1} << 40, 0, 40));
    EXPECT_FALSE(PageEntry::has_reserved_bits(present | u64{1} << 39, 0, 40));
    EXPECT_TRUE(PageEntry::has_reserved_bits(present | large | 0x2000, 1, 48))
        << "inside the page's offset";
    EXPECT_FALSE(PageEntry::has_reserved_bits(present | large | 0x1000, 1, 48)) << "the PAT bit";
    EXPECT_FALSE(PageEntry::has_reserved_bits(u64{1} << 51, 0, 36))
        << "not present: all bits are free";
}

TEST(PageEntry, CutsAddresses) {
    VirtAddr const address{0xffff'8123'4567'8abc};
    EXPECT_EQ(PageEntry::index(address, 0), 0x078u);
    EXPECT_EQ(PageEntry::index(address, 1), 0x02bu);
    EXPECT_EQ(PageEntry::index(address, 2), 0x08du);
    EXPECT_EQ(PageEntry::index(address, 3), 0x102u);
    EXPECT_TRUE(PageEntry::is_canonical({0x7fff'ffff'ffff}));
    EXPECT_FALSE(PageEntry::is_canonical({0x8000'0000'0000}));
    EXPECT_FALSE(PageEntry::is_canonical({0xffff'7fff'ffff'ffff}));
    EXPECT_TRUE(PageEntry::is_canonical({0xffff'8000'0000'0000}));
    EXPECT_EQ(PageEntry::span(2).value, u64{1} << 30);
}

TEST(PageEntry, FiveLevelsDifferInTheRootAlone) {
    using isa::PageEntry5;
    VirtAddr const address{0x00ab'8123'4567'8abc};
    for (unsigned level = 0; level < PageEntry::levels; ++level) {
        EXPECT_EQ(PageEntry5::index(address, level), PageEntry::index(address, level));
        EXPECT_EQ(PageEntry5::span(level), PageEntry::span(level));
    }
    EXPECT_EQ(PageEntry5::index(address, 4), 0x0abu);
    EXPECT_EQ(PageEntry5::span(4).value, u64{1} << 48);
    EXPECT_TRUE(PageEntry5::is_canonical({0x00ff'ffff'ffff'ffff}));
    EXPECT_FALSE(PageEntry5::is_canonical({0x0100'0000'0000'0000}));
    EXPECT_FALSE(PageEntry5::is_canonical({0xfeff'ffff'ffff'ffff}));
    EXPECT_TRUE(PageEntry5::is_canonical({0xff00'0000'0000'0000}));
    using isa::page_bit::large, isa::page_bit::present;
    EXPECT_TRUE(PageEntry5::has_reserved_bits(present | large, 4, 48));
    EXPECT_TRUE(PageEntry5::has_reserved_bits(present | large, 3, 48)) << "no leaf of 512 GiB";
    EXPECT_FALSE(PageEntry5::is_leaf(present | large, 3));
    hal::PageMapping const page{{0x7000}, Access::read | Access::write};
    EXPECT_EQ(PageEntry5::encode_leaf(page, 0), PageEntry::encode_leaf(page, 0));
}

TEST(Cpuid, DecodesARecordedIntelProcessor) {
    hal::CpuDescription const cpu = isa::decode(recorded_intel());
    EXPECT_STREQ(cpu.vendor, "GenuineIntel");
    EXPECT_STREQ(cpu.model, "Intel(R) Core(TM) i7-6700K CPU @ 4.00GHz");
    EXPECT_EQ(cpu.family, 6u);
    EXPECT_EQ(cpu.model_number, 94u);
    EXPECT_EQ(cpu.stepping, 3u);
    using isa::Feature;
    for (Feature const feature :
         {Feature::tsc, Feature::avx2, Feature::fma, Feature::rdrand, Feature::rdseed,
          Feature::smep, Feature::smap, Feature::nx, Feature::pdpe1gb, Feature::long_mode,
          Feature::invariant_tsc, Feature::pcid}) {
        EXPECT_TRUE(has(cpu, feature)) << isa::feature_name(static_cast<unsigned>(feature));
    }
    for (Feature const feature :
         {Feature::umip, Feature::la57, Feature::sha, Feature::avx512f, Feature::hypervisor,
          Feature::pku}) {
        EXPECT_FALSE(has(cpu, feature)) << isa::feature_name(static_cast<unsigned>(feature));
    }
    EXPECT_EQ(isa::physical_address_bits(recorded_intel()), 39u);
}

TEST(Cpuid, AddsTheExtendedFamilyAndModel) {
    isa::CpuidLeaves leaves;
    leaves.version.eax = 0x00870f10; // AMD, Zen 2
    EXPECT_EQ(isa::decode(leaves).family, 0x17u);
    EXPECT_EQ(isa::decode(leaves).model_number, 0x71u);
    leaves.version.eax = 0x00000543; // Pentium: neither is added
    EXPECT_EQ(isa::decode(leaves).family, 5u);
    EXPECT_EQ(isa::decode(leaves).model_number, 4u);
}

TEST(Cpuid, ModelsAreTrimmedAndMayFillTheirField) {
    isa::CpuidLeaves leaves;
    for (isa::CpuidLeaf& part : leaves.brand) {
        part = {0x20202020, 0x41414141, 0x20202020, 0x20202020};
    }
    EXPECT_STREQ(isa::decode(leaves).model, "AAAA            AAAA            AAAA");
    for (isa::CpuidLeaf& part : leaves.brand) {
        part = {0x42424242, 0x42424242, 0x42424242, 0x42424242};
    }
    EXPECT_EQ(std::string(isa::decode(leaves).model), std::string(48, 'B'));
}

TEST(Cpuid, NothingIsDecodedToNothing) {
    hal::CpuDescription const cpu = isa::decode({});
    EXPECT_STREQ(cpu.vendor, "");
    EXPECT_STREQ(cpu.model, "");
    EXPECT_EQ(cpu.features, 0u);
}

TEST(Cpuid, NamesAreUniqueAndEnd) {
    std::set<std::string_view> names;
    for (unsigned number = 0; number < isa::feature_count; ++number) {
        EXPECT_FALSE(isa::feature_name(number).empty());
        EXPECT_TRUE(names.insert(isa::feature_name(number)).second) << isa::feature_name(number);
    }
    EXPECT_TRUE(isa::feature_name(isa::feature_count).empty());
    EXPECT_TRUE(isa::feature_name(63).empty());
}

TEST(Cpuid, EachBitIsOneFeature) {
    std::set<u64> seen;
    for (unsigned bit = 0; bit < 32; ++bit) {
        isa::CpuidLeaves leaves;
        leaves.version.ecx = u32{1} << bit;
        u64 const features = isa::decode(leaves).features;
        EXPECT_LE(std::popcount(features), 1);
        if (features != 0) {
            EXPECT_TRUE(seen.insert(features).second);
        }
    }
    EXPECT_GT(seen.size(), 15u);
}
