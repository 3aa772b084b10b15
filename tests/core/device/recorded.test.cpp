// Configuration spaces as QEMU 7.2's q35 has them after its firmware has run: an NVMe controller,
// an Ethernet controller (e1000e) and a root port. Which bits can be written is not in a record;
// the sizes are those of the devices' documents.
#include "tests/core/device/model.hpp"

#include <initializer_list>

using namespace twofold;
using namespace twofold::pci;

namespace {

using pci::test::Bus;
using pci::test::PciModelFunction;

/// Words from `offset` on, none of which can be written.
struct Record {
    u32 offset;
    std::initializer_list<u32> words;
};

void play(PciModelFunction& function, std::initializer_list<Record> records) {
    for (Record const& record : records) {
        u32 at = record.offset;
        for (u32 const word : record.words) {
            function.define(at, sizeof(word), word);
            at += sizeof(word);
        }
    }
    function.define(0x04, 2, function.peek(0x04, 2), 0x0507);
}

/// Which bits of a base address register can be written.
void make_writable(PciModelFunction& function, u32 offset, u32 bits) {
    function.define(offset, 4, function.peek(offset, 4), bits);
}

void play_nvme(PciModelFunction& it) {
    play(
        it,
        {{0x00,
          {0x0010'1b36, 0x0018'0107, 0x0108'0202, 0, 0xfe68'0004, 0, 0, 0, 0, 0, 0, 0x1100'1af4, 0,
           0x40, 0, 0x0000'010b}},
         {0x40, {0x0040'8011, 0x0000'2000, 0x0000'3000}},
         {0x60, {0x0003'0001, 0x0000'0008}},
         {0x80, {0x0092'6010, 0x1000'8000, 0, 0x0000'0411, 0x0011'0000, 0, 0, 0, 0, 0x0030'0000}}});
    make_writable(it, 0x10, 0xffff'c000);
    make_writable(it, 0x14, 0xffff'ffff);
}

void play_ethernet(PciModelFunction& it) {
    play(
        it, {{0x00,
              {0x10d3'8086, 0x0010'0103, 0x0200'0000, 0, 0xfe64'0000, 0xfe66'0000, 0x0000'c0c1,
               0xfe68'4000, 0, 0, 0, 0x0000'8086, 0xfe60'0000, 0xc8, 0, 0x0000'010b}},
             {0xa0, {0x0004'0011, 0x0000'0003, 0x0000'2003}},
             {0xc8,
              {0x0022'd001, 0, 0x0080'e005, 0, 0, 0, 0x0091'a010, 0x0000'8000, 0, 0x0000'0411,
               0x0011'0000}},
             {0x100, {0x1402'0001, 0, 0, 0x0046'2030}},
             {0x140, {0x0001'0003}}});
    make_writable(it, 0x10, 0xfffe'0000);
    make_writable(it, 0x14, 0xfffe'0000);
    make_writable(it, 0x18, 0xffff'ffe0);
    make_writable(it, 0x1c, 0xffff'c000);
    make_writable(it, 0x30, 0xfffc'0001);
}

void play_root_port(PciModelFunction& it) {
    play(
        it,
        {{0x00,
          {0x000c'1b36, 0x0010'0103, 0x0604'0000, 0x0001'0000, 0xfe68'9000, 0, 0x0001'0100,
           0x0000'b0c0, 0xfe50'fe40, 0xfe91'fe81, 0, 0, 0, 0x54, 0, 0x0002'010a}},
         {0x40, {0x0000'000d, 0x0000'1b36, 0x0000'4011, 0, 0x0000'0800, 0x0142'4810, 0x0000'8000}},
         {0x100, {0x1482'0001, 0, 0, 0x0046'2030}},
         {0x148, {0x0001'000d}}});
    make_writable(it, 0x10, 0xffff'f000);
    make_writable(it, 0x18, 0x00ff'ffff);
}

} // namespace

TEST(PciRecorded, ThreeDevicesAreUnderstood) {
    Bus bus;
    play_nvme(bus.add(2));
    play_ethernet(bus.add(3));
    play_root_port(bus.add(5));
    ASSERT_TRUE(bus.enumerate().has_value());
    ASSERT_EQ(bus.inventory.functions().size(), 3u);
    for (Function const& each : bus.inventory.functions()) {
        EXPECT_TRUE(each.defects.empty());
    }
    EXPECT_EQ(bus.writes_while_decoding, 0u);
}

TEST(PciRecorded, AnNvmeController) {
    Bus bus;
    play_nvme(bus.add(2));
    ASSERT_TRUE(bus.enumerate().has_value());
    Function const* const it = bus.find(0, 2);
    ASSERT_TRUE(it != nullptr && it->msix.has_value());
    EXPECT_EQ(class_name(it->header.base_class, it->header.subclass), "NVM controller");
    EXPECT_EQ(it->header.interface, 2u);
    EXPECT_EQ(it->header.subsystem, 0x1100u);
    ASSERT_EQ(it->bars.size(), 1u);
    EXPECT_EQ(it->bars[0].kind, BarKind::memory_64);
    EXPECT_EQ(it->bars[0].address, 0xfe68'0000u);
    EXPECT_EQ(it->bars[0].size, Bytes{0x4000});
    EXPECT_EQ(it->msix->vectors, 65u);
    EXPECT_EQ(it->msix->table_offset, 0x2000u);
    EXPECT_EQ(it->msix->pending_offset, 0x3000u);
    ASSERT_EQ(it->capabilities.size(), 3u);
    EXPECT_EQ(it->capabilities[1], (Capability{0x10, 0x80}));
    EXPECT_EQ(it->capabilities[2], (Capability{0x01, 0x60}));
}

TEST(PciRecorded, AnEthernetController) {
    Bus bus;
    play_ethernet(bus.add(3));
    ASSERT_TRUE(bus.enumerate().has_value());
    Function const* const it = bus.find(0, 3);
    ASSERT_TRUE(it != nullptr && it->msi.has_value() && it->msix.has_value());
    ASSERT_EQ(it->bars.size(), 5u);
    EXPECT_EQ(it->bars[2].kind, BarKind::io);
    EXPECT_EQ(it->bars[2].address, 0xc0c0u);
    EXPECT_EQ(it->bars[2].size, Bytes{32});
    EXPECT_EQ(it->bars[4].kind, BarKind::rom);
    EXPECT_EQ(it->bars[4].size, Bytes{0x4'0000});
    EXPECT_TRUE(it->msi->is_wide);
    EXPECT_EQ(it->msi->vectors(), 1u);
    EXPECT_EQ(it->msix->vectors, 5u);
    EXPECT_EQ(it->msix->table_bar, 3u);
    EXPECT_EQ(it->capabilities.size(), 6u);
    EXPECT_EQ(capability_name(it->capabilities[5]), "serial number");
}

TEST(PciRecorded, ARootPort) {
    Bus bus;
    play_root_port(bus.add(5));
    ASSERT_TRUE(bus.enumerate().has_value());
    Function const* const it = bus.find(0, 5);
    ASSERT_TRUE(it != nullptr && it->msix.has_value());
    EXPECT_EQ(it->header.kind, HeaderKind::bridge);
    EXPECT_EQ(it->buses, (BusNumbers{0, 1, 1}));
    EXPECT_EQ(it->msix->vectors, 1u);
    EXPECT_EQ(it->msix->pending_offset, 0x800u);
    EXPECT_EQ(it->capabilities.size(), 5u);
}
