// Base addresses: what they decode to, and that sizing leaves no trace.
#include "tests/core/device/model.hpp"

#include <algorithm>

using namespace twofold;
using namespace twofold::pci;

namespace {

using pci::test::PciModelFunction;
using pci::test::Single;

struct Decoded {
    std::optional<Bar> bar;
    Defects defects{};
};

Decoded decode(u64 before, u64 after) {
    Decoded out;
    out.bar = decode_bar({before, after}, 0, out.defects);
    return out;
}

} // namespace

TEST(PciBars, EveryKindIsDecoded) {
    Decoded const ports = decode(0xc001, 0xffff'ffe1);
    ASSERT_TRUE(ports.bar.has_value());
    EXPECT_EQ(ports.bar->kind, BarKind::io);
    EXPECT_EQ(ports.bar->address, 0xc000u);
    EXPECT_EQ(ports.bar->size, Bytes{32});
    EXPECT_EQ(decode(0xc001, 0x0000'ffe1).bar->size, Bytes{32}); // no upper half
    Decoded const low = decode(0xfe00'0008, 0xffff'f008);
    EXPECT_EQ(low.bar->kind, BarKind::memory_32);
    EXPECT_EQ(low.bar->address, 0xfe00'0000u);
    EXPECT_EQ(low.bar->size, page_size);
    EXPECT_TRUE(low.bar->prefetchable);
    Decoded const wide = decode(0x12'0000'0004, 0xffff'fff0'0000'0004);
    EXPECT_EQ(wide.bar->kind, BarKind::memory_64);
    EXPECT_EQ(wide.bar->address, 0x12'0000'0000u);
    EXPECT_EQ(wide.bar->size, Bytes{u64{1} << 36});
    EXPECT_FALSE(wide.bar->prefetchable);
    EXPECT_TRUE(ports.defects.empty() && low.defects.empty() && wide.defects.empty());
    EXPECT_FALSE(decode(0, 0).bar.has_value());
    EXPECT_TRUE(decode(0, 0).defects.empty());
}

TEST(PciBars, SmallestAndLargestSizes) {
    EXPECT_EQ(decode(0, 0xffff'fff0).bar->size, Bytes{16});
    EXPECT_EQ(decode(0, 0x8000'0000).bar->size, Bytes{u64{1} << 31});
    EXPECT_EQ(decode(1, 0xffff'fffd).bar->size, Bytes{4});
    EXPECT_EQ(decode(4, (~u64{0} << 52) | 4).bar->size, Bytes{u64{1} << 52});
}

TEST(PciBars, NonsenseIsNamed) {
    EXPECT_TRUE(decode(0, 0xffff'0ff0).defects.has(Defect::bar_size_odd));
    EXPECT_TRUE(decode(4, 4).defects.has(Defect::bar_size_odd));
    EXPECT_TRUE(decode(4, (u64{1} << 63) | 4).defects.has(Defect::bar_size_absurd));
    EXPECT_TRUE(decode(2, 0xffff'f002).defects.has(Defect::bar_reserved_kind));
    EXPECT_TRUE(decode(6, 0xffff'f006).defects.has(Defect::bar_reserved_kind));
    EXPECT_TRUE(decode(0xffff'ffff, 0xffff'ffff).defects.has(Defect::bar_reserved_kind));
    EXPECT_TRUE(decode(1, 0xffff'f000).defects.has(Defect::bar_inconsistent));
    EXPECT_TRUE(decode(0x1000, 0).defects.has(Defect::bar_inconsistent));
    Decoded const far = decode((u64{1} << 60) | 4, (~u64{0} << 40) | 4);
    EXPECT_TRUE(far.bar.has_value());
    EXPECT_TRUE(far.defects.has(Defect::bar_outside));
}

TEST(PciBars, SizingLeavesNoTrace) {
    Single single;
    single.it.define(0x10, 4, 0xfe00'0000, 0xffff'f000);
    single.it.define(0x14, 8, 0x5'0000'000c, ~u64{0xffff});
    single.it.define(0x1c, 4, 0xc001, 0xffe0);
    single.it.define(0x30, 4, 0xfd00'0001, 0xffff'0001);
    PciModelFunction const before = single.it;
    Defects defects;
    Bars const bars = read_bars(single.space(), HeaderKind::endpoint, defects);
    EXPECT_TRUE(defects.empty());
    ASSERT_EQ(bars.size(), 4u);
    EXPECT_EQ(bars[0].number, 0u);
    EXPECT_EQ(bars[1].number, 1u);
    EXPECT_EQ(bars[2].number, 3u);
    EXPECT_EQ(bars[3].kind, BarKind::rom);
    EXPECT_EQ(bars[3].address, 0xfd00'0000u);
    EXPECT_EQ(bars[3].size, Bytes{65536});
    EXPECT_TRUE(std::ranges::equal(before.value, single.it.value));
}

TEST(PciBars, ABridgeHasTwo) {
    Single single;
    single.it.begin(0x0002'2f0d, 0x060400, true);
    single.it.define(0x10, 8, 0x4, ~u64{0xfff});
    single.it.define(0x18, 4, 0x0005'0300, 0xffff'ffff); // bus numbers, not to be touched
    Defects defects;
    Bars const bars = read_bars(single.space(), HeaderKind::bridge, defects);
    ASSERT_EQ(bars.size(), 1u);
    EXPECT_EQ(bars[0].size, page_size);
    EXPECT_EQ(single.it.peek(0x18, 4), 0x0005'0300u);
    EXPECT_TRUE(read_bars(single.space(), HeaderKind::unknown, defects).empty());
}

TEST(PciBars, TheLastRegisterCannotBeHalfOfOne) {
    Single single;
    single.it.define(0x24, 4, 0x4, ~u64{0xfff});
    Defects defects;
    EXPECT_TRUE(read_bars(single.space(), HeaderKind::endpoint, defects).empty());
    EXPECT_TRUE(defects.has(Defect::bar_without_partner));
}

TEST(PciBars, NothingIsWrittenWhileDecodingIsStuck) {
    Single single;
    single.it.define(0x04, 2, 0x3); // cannot be switched off
    single.it.define(0x10, 4, 0xfe00'0008, 0xffff'f000);
    single.it.define(0x14, 4, 0xc001, 0xffe0);
    single.it.define(0x18, 8, 0x5'0000'0004, ~u64{0xffff});
    Defects defects;
    Bars const bars = read_bars(single.space(), HeaderKind::endpoint, defects);
    EXPECT_TRUE(defects.has(Defect::decoding_stuck));
    ASSERT_EQ(bars.size(), 3u);
    EXPECT_EQ(bars[0].address, 0xfe00'0000u);
    EXPECT_EQ(bars[1].kind, BarKind::io);
    EXPECT_EQ(bars[2].address, 0x5'0000'0000u);
    for (Bar const& bar : bars) {
        EXPECT_EQ(bar.size, Bytes{0});
    }
}
