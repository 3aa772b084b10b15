// Where virtio devices are: the capabilities of a function, and the words that name registers in
// memory.
#include "core/boot/boot.hpp"
#include "core/device/virtio/layout.hpp"
#include "core/device/virtio/mmio_transport.hpp"
#include "core/device/virtio/pci_transport.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::device::virtio;

namespace {

/// The configuration space of one function, in memory.
struct Space {
    u8 bytes[256]{};

    u32 space_bytes(pci::Address) { return sizeof(bytes); }
    u32 read(pci::Address, u32 offset, u32 width) {
        u32 value = 0;
        for (u32 i = width; i > 0; --i) {
            value = value << 8 | bytes[offset + i - 1];
        }
        return value;
    }
    void write(pci::Address, u32 offset, u32 width, u32 value) {
        for (u32 i = 0; i < width; ++i) {
            bytes[offset + i] = static_cast<u8>(value >> 8 * i);
        }
    }
    void put_32(u32 offset, u32 value) { write({}, offset, 4, value); }
};

/// A function as QEMU's virtio-gpu-pci is.
struct Gpu {
    Gpu() {
        function.header = {.vendor = 0x1af4, .device = 0x1050, .kind = pci::HeaderKind::endpoint};
        function.bars
            .push_back(
                {.kind = pci::BarKind::memory_64,
                 .number = 4,
                 .prefetchable = true,
                 .address = 0xfe00'0000,
                 .size = Bytes{0x4000}})
            .value();
        add(0x40, 16, 1, 0x0000, 0x1000);
        add(0x50, 16, 3, 0x1000, 0x1000);
        add(0x60, 16, 4, 0x2000, 0x1000);
        add(0x70, 20, 2, 0x3000, 0x1000);
        space.put_32(0x80, 4);
    }
    void add(u16 at, u8 length, u8 structure, u32 offset, u32 size) {
        space.put_32(at, u32{0x09} | u32{length} << 16 | u32{structure} << 24);
        space.put_32(at + 4u, 4);
        space.put_32(at + 8u, offset);
        space.put_32(at + 12u, size);
        function.capabilities.push_back({.id = 0x09, .offset = at}).value();
    }
    Result<PciLayout> layout() {
        return read_pci_layout(pci::FunctionSpace(pci::Configuration::of(space), {}), function);
    }
    Error error() {
        auto const found = layout();
        return found ? Error::busy : found.error();
    }

    Space space;
    pci::Function function;
};

} // namespace

TEST(VirtioPci, FindsTheRegisters) {
    Gpu gpu;
    auto const layout = gpu.layout();
    ASSERT_TRUE(layout.has_value());
    EXPECT_EQ(layout.value().common.offset, 0u);
    EXPECT_EQ(layout.value().notify.offset, 0x3000u);
    EXPECT_EQ(layout.value().notify_multiplier, 4u);
    ASSERT_TRUE(layout.value().configuration.has_value());
    EXPECT_EQ(layout.value().configuration->offset, 0x2000u);
}

TEST(VirtioPci, KindsAreThoseOfTheSpecification) {
    Gpu gpu;
    pci::Header header = gpu.function.header;
    EXPECT_EQ(pci_device_kind(header), device_kind::gpu);
    header.device = 0x1001; // of before, with the kind as its subsystem
    header.subsystem = 2;
    EXPECT_EQ(pci_device_kind(header), 2u);
    header.device = 0x1080;
    EXPECT_EQ(pci_device_kind(header), device_kind::none);
    header = gpu.function.header;
    header.vendor = 0x8086;
    EXPECT_EQ(pci_device_kind(header), device_kind::none);
}

TEST(VirtioPci, RefusesALegacyDevice) {
    Gpu gpu;
    gpu.function.capabilities.clear();
    EXPECT_EQ(gpu.error(), Error::not_supported);
}

TEST(VirtioPci, RefusesRegistersThatAreNotInTheDevice) {
    struct Case {
        u32 offset;
        u32 value;
    };
    for (Case const& each : {
             Case{0x48, 0x3004},     // the common ones end outside
             Case{0x48, 0x4000},     // they begin outside
             Case{0x48, ~3u},        // the sum is no 32-bit number
             Case{0x48, 2},          // not aligned
             Case{0x4c, 0},          // none
             Case{0x4c, 55},         // too few
             Case{0x4c, ~0u},        // too many
             Case{0x44, 3},          // a base address that is not there
             Case{0x44, 0xff},       // one that cannot be
             Case{0x64, 3},          // of the configuration
             Case{0x78, 0xffff'fff0} // of notifications
         }) {
        Gpu gpu;
        gpu.space.put_32(each.offset, each.value);
        EXPECT_EQ(gpu.error(), Error::corrupted);
    }
    Gpu unplaced;
    unplaced.function.bars[0].address = 0; // firmware gave it none
    EXPECT_EQ(unplaced.error(), Error::corrupted);
    Gpu short_one;
    short_one.space.bytes[0x72] = 16; // no room for the multiplier
    EXPECT_EQ(short_one.error(), Error::not_supported);
}

TEST(VirtioMmio, PlacesAreRead) {
    auto const place = parse_mmio_place("512@0xfeb00e00:12");
    ASSERT_TRUE(place.has_value());
    EXPECT_TRUE(
        place.value() ==
        (MmioPlace{.registers = {0xfeb0'0e00}, .size = {512}, .line = hal::Line{12}}));
    auto const large = parse_mmio_place("4K@4096:0x2f");
    ASSERT_TRUE(large.has_value());
    EXPECT_EQ(large.value().size, Bytes{4096});
    EXPECT_EQ(large.value().line.value, 47u);
    for (std::string_view const text :
         {"", "@", ":", "@:", "512@1", "512:1", "512:1@2", "@1:2", "512@:1", "512@1:", "0@1:2",
          "2M@1:2", "x@1:2", "512@y:2", "512@1:z", "512@1:2:3", "512@0xffffffffffffffff:1",
          "512@1:4294967296"}) {
        EXPECT_FALSE(parse_mmio_place(text).has_value());
    }
}

TEST(VirtioMmio, TheKernelsOptionsPassItOver) {
    auto const options = boot::Options::parse("virtio_mmio.device=512@0xfeb00e00:12 json=on");
    EXPECT_TRUE(options.problem.view().empty());
    EXPECT_TRUE(options.json);
}
