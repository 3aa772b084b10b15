// Capability lists as hostile as can be, and the registers of MSI and MSI-X.
#include "tests/core/device/model.hpp"

using namespace twofold;
using namespace twofold::pci;

namespace {

using pci::test::Single;

struct Listed {
    Capabilities list{};
    Defects defects{};
};

Listed list(Single& single) {
    Listed out;
    auto const header = read_header(single.space(), out.defects);
    CHECK(header.has_value());
    out.list = read_capabilities(single.space(), *header, out.defects);
    return out;
}

/// MSI-X of `last` + 1 vectors at 0x40, in a memory BAR 0 of 4 KiB and an I/O BAR 1.
Result<MsixInfo> msix(u16 last, u32 table, u32 pending, Defects& defects) {
    Single single;
    single.it.capability(0x40, 0x11, 0, true);
    single.it.define(0x42, 2, last, 0xc000);
    single.it.define(0x44, 4, table);
    single.it.define(0x48, 4, pending);
    Bar const bars[] = {
        {BarKind::memory_32, 0, false, 0xfe00'0000, page_size},
        {BarKind::io, 1, false, 0xc000, Bytes{256}}};
    return read_msix(single.space(), {0x11, 0x40}, bars, defects);
}

} // namespace

TEST(PciCapabilities, BothListsAreFollowed) {
    Single single;
    single.it.capability(0xf8, 0x01, 0x41, true); // the lowest bits are not part of the pointer
    single.it.capability(0x40, 0x10, 0);
    single.it.define(0x100, 4, 0xffc1'0001);
    single.it.define(0xffc, 4, 0x0002'0003);
    Listed const found = list(single);
    EXPECT_TRUE(found.defects.empty());
    ASSERT_EQ(found.list.size(), 4u);
    EXPECT_EQ(found.list[0].offset, 0xf8u);
    EXPECT_EQ(found.list[1].id, 0x10u);
    EXPECT_EQ(found.list[2].offset, 0x100u);
    EXPECT_EQ(found.list[3].offset, 0xffcu);
    EXPECT_EQ(found.list[3].id, 3u);
}

TEST(PciCapabilities, NoListsAreNoDefect) {
    Single single;
    EXPECT_TRUE(list(single).list.empty());
    single.it.capability(0x40, 0x10, 0, true);
    Listed const alone = list(single); // the extended list begins with zeros
    EXPECT_EQ(alone.list.size(), 1u);
    EXPECT_TRUE(alone.defects.empty());
    single.it.define(0x06, 2, 0); // the pointer counts only with its bit
    EXPECT_TRUE(list(single).list.empty());
}

TEST(PciCapabilities, LoopsEndOnce) {
    Single single;
    single.it.capability(0x40, 0x09, 0x40, true);
    Listed const self = list(single);
    EXPECT_EQ(self.list.size(), 1u);
    EXPECT_TRUE(self.defects.has(Defect::capability_loop));
    single.it.capability(0x40, 0x10, 0x80, true);
    single.it.capability(0x80, 0x09, 0x40);
    single.it.define(0x100, 4, 0x2001'0001);
    single.it.define(0x200, 4, 0x1001'0001);
    Listed const both = list(single);
    EXPECT_EQ(both.list.size(), 4u);
    EXPECT_TRUE(both.defects.has(Defect::capability_loop));
    EXPECT_TRUE(both.defects.has(Defect::extended_loop));
}

TEST(PciCapabilities, PointersOutsideAreNamed) {
    Single single;
    single.it.capability(0x40, 0x10, 0x3c, true);
    single.it.define(0x100, 4, 0x0fc1'0001);
    Listed const found = list(single);
    EXPECT_EQ(found.list.size(), 2u);
    EXPECT_TRUE(found.defects.has(Defect::capability_outside));
    EXPECT_TRUE(found.defects.has(Defect::extended_outside));
    single.it.define(0x40, 2, 0xffff);
    EXPECT_TRUE(list(single).defects.has(Defect::capability_absent));
    single.it.capability(0x40, 0x10, 0, true);
    single.it.define(0x100, 4, 0x2001'0001);
    single.it.define(0x200, 4, 0xffff'ffff);
    EXPECT_TRUE(list(single).defects.has(Defect::extended_absent));
}

TEST(PciCapabilities, AsManyAsThereIsRoomForAreKept) {
    Single single;
    for (u32 at = 0x40; at < 0x100; at += 4) { // all 48 places of the classic list
        single.it.capability(at, 0x10, at + 4 < 0x100 ? static_cast<u8>(at + 4) : 0, at == 0x40);
    }
    EXPECT_EQ(list(single).list.size(), 48u);
    EXPECT_TRUE(list(single).defects.empty());
    for (u32 at = 0x100; at < 0x1000; at += 4) {
        single.it.define(at, 4, u64{at + 4 < 0x1000 ? at + 4 : 0} << 20 | 1);
    }
    Listed const many = list(single);
    EXPECT_EQ(many.list.size(), capabilities_max);
    EXPECT_TRUE(many.defects.has(Defect::capabilities_many));
}

TEST(PciMessages, MsiOutsideOfItsSpaceIsRefused) {
    Single single;
    single.it.define(0xf2, 2, 0x0180); // 64 bits with masks: 24 bytes
    Defects defects;
    EXPECT_EQ(read_msi(single.space(), {0x05, 0xf0}, defects).error(), Error::corrupted);
    EXPECT_TRUE(defects.has(Defect::msi_malformed));
    single.it.define(0x42, 2, 6 << 1); // 64 vectors
    EXPECT_FALSE(read_msi(single.space(), {0x05, 0x40}, defects).has_value());
    single.it.define(0x42, 2, 5 << 1);
    EXPECT_EQ(read_msi(single.space(), {0x05, 0x40}, defects).value().vectors(), 32u);
    single.it.define(0xf6, 2, 0);
    EXPECT_TRUE(read_msi(single.space(), {0x05, 0xf4}, defects).has_value()); // just fits
}

TEST(PciMessages, NarrowMsiKeepsItsPlaces) {
    Single single;
    single.it.define(0x42, 2, 0x0004, 0x71); // 4 vectors, 32 bits, no masks
    single.it.define(0x44, 4, 0, ~u32{3});
    single.it.define(0x48, 2, 0, 0xffff);
    single.it.define(0x4a, 2, 0xabcd);
    Defects defects;
    Msi msi(single.space(), read_msi(single.space(), {0x05, 0x40}, defects).value());
    EXPECT_EQ(msi.set_message({0x1'0000'0000, 0}, 1).error(), Error::invalid_argument);
    EXPECT_EQ(msi.set_message({0xfee0'0002, 0}, 1).error(), Error::invalid_argument);
    EXPECT_EQ(msi.set_message({0xfee0'0000, 0x1'0000}, 1).error(), Error::invalid_argument);
    EXPECT_EQ(msi.set_message({0xfee0'0000, 0}, 3).error(), Error::invalid_argument);
    EXPECT_EQ(msi.set_message({0xfee0'0000, 0}, 8).error(), Error::out_of_range);
    EXPECT_TRUE(msi.set_message({0xfee0'0000, 0x4044}, 4).has_value());
    EXPECT_EQ(single.it.peek(0x44, 4), 0xfee0'0000u);
    EXPECT_EQ(single.it.peek(0x48, 4), 0xabcd'4044u);
    EXPECT_EQ(single.it.peek(0x42, 2), 0x24u);
    EXPECT_EQ(msi.mask(0).error(), Error::not_supported);
    msi.set_messages(Switch::on);
    EXPECT_EQ(single.it.peek(0x42, 2), 0x25u);
    EXPECT_EQ(msi.set_message({0xfee0'0000, 0}, 1).error(), Error::invalid_state);
    msi.set_messages(Switch::off);
    EXPECT_FALSE(msi.are_messages_on());
}

TEST(PciMessages, MsixMustLieInItsBaseAddress) {
    Defects defects;
    auto const sound = msix(127, 0, 0x800, defects); // 2 KiB of table, 16 bytes of bits
    ASSERT_TRUE(sound.has_value());
    EXPECT_EQ(sound.value().vectors, 128u);
    EXPECT_EQ(sound.value().pending_offset, 0x800u);
    EXPECT_TRUE(msix(127, 0x800, 0x7f0, defects).has_value()); // both at their last place
    EXPECT_TRUE(defects.empty());
    EXPECT_FALSE(msix(127, 0x808, 0, defects).has_value());
    EXPECT_TRUE(defects.has(Defect::msix_outside_bar));
    EXPECT_FALSE(msix(0, 0xffff'fff8, 0, defects).has_value());
    EXPECT_FALSE(defects.has(Defect::msix_bar_missing));
    EXPECT_FALSE(msix(0, 0x2, 0, defects).has_value()); // no such base address
    EXPECT_TRUE(defects.has(Defect::msix_bar_missing));
    Defects ports;
    EXPECT_FALSE(msix(0, 0x1, 0, ports).has_value()); // ports
    EXPECT_TRUE(ports.has(Defect::msix_bar_missing));
    Defects overlap;
    EXPECT_FALSE(msix(127, 0, 0x7f8, overlap).has_value());
    EXPECT_TRUE(overlap.has(Defect::msix_overlap));
    Defects reserved;
    EXPECT_FALSE(msix(0, 0x7, 0, reserved).has_value());
    EXPECT_TRUE(reserved.has(Defect::msix_bar_missing));
    Single single;
    EXPECT_FALSE(read_msix(single.space(), {0x11, 0xf8}, {}, reserved).has_value());
    EXPECT_TRUE(reserved.has(Defect::msix_malformed));
}

TEST(PciMessages, TheMsixTableTakesMessages) {
    alignas(16) u32 table[2048 * 4 / 64]{}; // 32 vectors
    alignas(8) u64 pending[1]{u64{1} << 31};
    MsixTable vectors(hal::kernel_address(table), hal::kernel_address(pending), 32);
    table[31 * 4 + 3] = 0xabcd'0001; // what is reserved there stays
    EXPECT_TRUE(vectors.set_message(31, {0x1234'fee0'0000, 0xffff'ffff}).has_value());
    EXPECT_EQ(table[31 * 4], 0xfee0'0000u);
    EXPECT_EQ(table[31 * 4 + 1], 0x1234u);
    EXPECT_EQ(table[31 * 4 + 2], 0xffff'ffffu);
    EXPECT_EQ(table[31 * 4 + 3], 0xabcd'0001u);
    EXPECT_TRUE(vectors.unmask(31).has_value());
    EXPECT_EQ(table[31 * 4 + 3], 0xabcd'0000u);
    EXPECT_TRUE(vectors.is_pending(31).value());
    EXPECT_FALSE(vectors.is_pending(30).value());
    EXPECT_EQ(vectors.mask(32).error(), Error::out_of_range);
    EXPECT_EQ(vectors.message(32).error(), Error::out_of_range);
    EXPECT_EQ(vectors.is_pending(~u32{0}).error(), Error::out_of_range);
    EXPECT_EQ(vectors.set_message(32, {}).error(), Error::out_of_range);
    EXPECT_EQ(table[30 * 4 + 3], 0u);
}
