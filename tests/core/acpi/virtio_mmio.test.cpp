// Virtio devices in memory as QEMU's microvm describes them, and damaged descriptions.
#include "core/acpi/acpi.hpp"
#include "tests/support/test.hpp"

#include <algorithm>

using namespace twofold;
using namespace twofold::acpi;

namespace {

/// Two of QEMU 7.2's device objects, as its byte code has them, behind a table's header.
constexpr u8 device_code[] = {
    0x5b, 0x82, 0x42, 0x04, 'V',  'R',  '2',  '3',  0x08, '_',  'H',  'I',  'D',  0x0d,
    'L',  'N',  'R',  'O',  '0',  '0',  '0',  '5',  0x00, 0x08, '_',  'U',  'I',  'D',
    0x0a, 0x17, 0x08, '_',  'C',  'C',  'A',  0x01, 0x08, '_',  'C',  'R',  'S',  0x11,
    0x1a, 0x0a, 0x17, 0x86, 0x09, 0x00, 0x01, 0x00, 0x2e, 0xb0, 0xfe, 0x00, 0x02, 0x00,
    0x00, 0x89, 0x06, 0x00, 0x01, 0x01, 0x2f, 0x00, 0x00, 0x00, 0x79, 0x00};
constexpr usize id_at = 13, resources_at = 36, base_at = 50, count_at = 61, line_at = 62;

struct Table {
    std::byte bytes[table_header_size + 2 * sizeof(device_code)]{};

    Table() {
        for (usize device = 0; device < 2; ++device) {
            for (usize i = 0; i < sizeof(device_code); ++i) {
                at(device, i) = std::byte{device_code[i]};
            }
        }
        at(1, base_at) = std::byte{0x2c};
        at(1, line_at) = std::byte{0x2e};
    }
    std::byte& at(usize device, usize offset) {
        return bytes[table_header_size + device * sizeof(device_code) + offset];
    }
};

constexpr VirtioMmio first{PhysAddr{0xfeb0'2e00}, Bytes{512}, 47};
constexpr VirtioMmio second{PhysAddr{0xfeb0'2c00}, Bytes{512}, 46};

} // namespace

TEST(AcpiVirtioMmio, FindsEachDevice) {
    Table const table;
    VirtioMmioReader reader(table.bytes);
    auto const one = reader.next();
    ASSERT_TRUE(one.has_value());
    EXPECT_TRUE(*one == first);
    auto const two = reader.next();
    ASSERT_TRUE(two.has_value());
    EXPECT_TRUE(*two == second);
    EXPECT_FALSE(reader.next().has_value());
    EXPECT_FALSE(VirtioMmioReader({}).next().has_value());
}

TEST(AcpiVirtioMmio, PassesOverWhatIsDamaged) {
    for (usize const place : {id_at, id_at + 4, resources_at, resources_at + 5, count_at}) {
        Table table;
        table.at(0, place) ^= std::byte{0x40};
        VirtioMmioReader reader(table.bytes);
        auto const found = reader.next();
        ASSERT_TRUE(found.has_value());
        EXPECT_TRUE(*found == second);
        EXPECT_FALSE(reader.next().has_value());
    }
}

TEST(AcpiVirtioMmio, NeverReadsBehindTheEnd) {
    Table const table;
    usize const whole = table_header_size + sizeof(device_code);
    for (usize size = 0; size < whole - 1; ++size) {
        // The end of the resources, which is the last that is needed, is the last byte but one.
        TableBytes const part = TableBytes(table.bytes).first(size);
        EXPECT_FALSE(VirtioMmioReader(part).next().has_value());
    }
    EXPECT_TRUE(VirtioMmioReader(TableBytes(table.bytes).first(whole)).next().has_value());
}
