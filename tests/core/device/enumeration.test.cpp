// Enumeration: bridges sane, unnumbered and hostile; functions everywhere, and noise.
#include "tests/core/device/model.hpp"

using namespace twofold;
using namespace twofold::pci;

namespace {

using pci::test::Bus;
using pci::test::Heap;

constexpr BusNumbers numbers(u8 primary, u8 secondary, u8 subordinate) {
    return {primary, secondary, subordinate};
}

/// Every function that can exist does, and every register reads the same.
struct Everywhere {
    u32 word;
    u64 reads = 0;

    u32 space_bytes(Address) { return hal::pci_extended_space_bytes; }
    u32 read(Address, u32 offset, u32 width) {
        ++reads;
        return word >> 8 * (offset % 4) & (width == 4 ? ~u32{0} : (u32{1} << 8 * width) - 1);
    }
    void write(Address, u32, u32, u32) {}
};

/// Registers that are something else at each look.
struct Noise {
    Random random;
    u64 reads = 0;

    u32 space_bytes(Address) { return hal::pci_extended_space_bytes; }
    u32 read(Address where, u32 offset, u32) {
        ++reads;
        u32 const word = static_cast<u32>(random.next());
        if (offset == 0x0e) {
            return word & 0x81; // endpoints and bridges
        }
        return offset == 0 && where.device > 3 ? 0xffff : word;
    }
    void write(Address, u32, u32, u32) {}
};

template<class A>
Result<void> walk_through(A& access, Inventory<Heap>& inventory) {
    auto const walk = TRY((memory::Box<Enumeration, Heap>::create(
        *boot::current_kernel().heap, Configuration::of(access), inventory.store())));
    return walk->run({0, 0, 0xff});
}

} // namespace

TEST(PciEnumeration, SaneNumbersAreKept) {
    Bus bus;
    bus.add_endpoint(0);
    bus.add_bridge(1, 0x0007'0500);    // 5 to 7
    bus.add_bridge(2, 0x0007'0605, 1); // behind it, 6 to 7
    bus.add_endpoint(4, 2);
    EXPECT_TRUE(bus.enumerate().has_value());
    EXPECT_EQ(bus.inventory.functions().size(), 4u);
    ASSERT_TRUE(bus.find(0, 1) != nullptr && bus.find(5, 2) != nullptr);
    EXPECT_EQ(bus.find(0, 1)->buses, numbers(0, 5, 7));
    EXPECT_EQ(bus.find(5, 2)->buses, numbers(5, 6, 7));
    EXPECT_TRUE(bus.find(6, 4) != nullptr);
    for (Function const& each : bus.inventory.functions()) {
        EXPECT_TRUE(each.defects.empty());
    }
    EXPECT_EQ(bus.writes_while_decoding, 0u);
}

TEST(PciEnumeration, MissingNumbersAreGiven) {
    Bus bus;
    bus.add_bridge(1, 0);
    bus.add_bridge(2, 0, 0);
    bus.add_endpoint(3, 1);
    bus.add_bridge(4, 0);
    bus.add_endpoint(5, 3);
    bus.add_bridge(6, 0x0002'0200); // the firmware has numbered this one alone
    EXPECT_TRUE(bus.enumerate().has_value());
    ASSERT_TRUE(bus.find(0, 1) != nullptr && bus.find(0, 4) != nullptr);
    EXPECT_EQ(bus.find(0, 6)->buses, numbers(0, 2, 2));
    EXPECT_EQ(bus.find(0, 1)->buses.secondary, 1u);
    Function const* const inner = bus.find(1, 2);
    EXPECT_TRUE(
        inner != nullptr); // one bus was free before bus 2: nothing is left for the inner one
    EXPECT_TRUE(inner->defects.has(Defect::bridge_without_number));
    EXPECT_EQ(bus.find(0, 4)->buses, numbers(0, 3, 3));
    EXPECT_TRUE(bus.find(3, 5) != nullptr);
}

TEST(PciEnumeration, ANestOfUnnumberedBridgesGetsWhatItNeeds) {
    Bus bus;
    bus.add_bridge(1, 0);
    bus.add_bridge(0, 0, 0);
    bus.add_bridge(0, 0, 1);
    bus.add_endpoint(0, 2);
    bus.add_bridge(1, 0, 0);
    bus.add_bridge(2, 0);
    bus.add_endpoint(9, 5);
    EXPECT_TRUE(bus.enumerate().has_value());
    EXPECT_EQ(bus.inventory.functions().size(), 7u);
    EXPECT_EQ(bus.find(0, 1)->buses, numbers(0, 1, 4));
    EXPECT_EQ(bus.find(1, 0)->buses, numbers(1, 2, 3));
    EXPECT_EQ(bus.find(2, 0)->buses, numbers(2, 3, 3));
    EXPECT_EQ(bus.find(1, 1)->buses, numbers(1, 4, 4));
    EXPECT_EQ(bus.find(0, 2)->buses, numbers(0, 5, 5));
    EXPECT_TRUE(bus.find(3, 0) != nullptr && bus.find(5, 9) != nullptr);
    EXPECT_EQ(bus.model(0).peek(0x18, 4), 0x0004'0100u); // the registers say so too
}

TEST(PciEnumeration, WrongNumbersAreNamedAndReplaced) {
    struct Case {
        u32 buses;
        Defect defect;
    };
    constexpr Case cases[] = {
        {0x0002'0301, Defect::bridge_primary_wrong},
        {0x0002'0300, Defect::bridge_reversed},
        {0x0040'0300, Defect::bridge_outside_parent},
        {0x0001'0100, Defect::bridge_bus_taken},
        {0x0002'0100, Defect::bridge_bus_taken}};
    for (Case const& each : cases) {
        Bus bus;
        bus.add_bridge(1, 0x0001'0100);
        bus.add_bridge(2, each.buses);
        bus.add_endpoint(3, 1);
        EXPECT_TRUE(bus.enumerate({0, 0, 0x1f}).has_value());
        ASSERT_TRUE(bus.find(0, 2) != nullptr);
        EXPECT_TRUE(bus.find(0, 2)->defects.has(each.defect));
        EXPECT_EQ(bus.find(0, 2)->buses, numbers(0, 2, 2));
        EXPECT_TRUE(bus.find(2, 3) != nullptr);
    }
}

TEST(PciEnumeration, ABridgeToItselfEnds) {
    Bus bus(4); // the root is bus 4, as behind a second host bridge
    bus.add_bridge(1, 0x0009'0404);
    bus.add_endpoint(2);
    EXPECT_TRUE(bus.enumerate().has_value());
    ASSERT_TRUE(bus.find(4, 1) != nullptr);
    EXPECT_TRUE(bus.find(4, 1)->defects.has(Defect::bridge_points_at_itself));
    EXPECT_EQ(bus.find(4, 1)->buses, numbers(4, 5, 5));
    EXPECT_TRUE(bus.find(4, 2) != nullptr);
}

TEST(PciEnumeration, AStuckBridgeHasNothingBehindIt) {
    Bus bus;
    bus.add_bridge(1, 0).define(0x18, 4, 0x0000'0000); // numbers cannot be written
    bus.add_endpoint(2, 0);
    EXPECT_TRUE(bus.enumerate().has_value());
    EXPECT_EQ(bus.inventory.functions().size(), 1u);
    EXPECT_TRUE(bus.find(0, 1)->defects.has(Defect::bridge_stuck));
    EXPECT_EQ(bus.find(0, 1)->buses, numbers(0, 0, 0));
}

TEST(PciEnumeration, FunctionsCountWhereTheFirstSaysSo) {
    Bus bus;
    bus.add(1).begin(0x0001'2f0d, 0, false, true);
    bus.add(1, pci::test::PciModelFunction::on_root, 5).begin(0x0002'2f0d, 0);
    bus.add(2).begin(0x0001'2f0d, 0);
    bus.add(2, pci::test::PciModelFunction::on_root, 1).begin(0x0002'2f0d, 0); // an alias
    bus.add(3, pci::test::PciModelFunction::on_root, 1).begin(0x0002'2f0d, 0); // without a first
    EXPECT_TRUE(bus.enumerate().has_value());
    EXPECT_EQ(bus.inventory.functions().size(), 3u);
    EXPECT_TRUE(bus.find(0, 1, 5) != nullptr);
    EXPECT_TRUE(bus.find(0, 2, 1) == nullptr);
    EXPECT_TRUE(bus.find(0, 3, 1) == nullptr);
}

TEST(PciEnumeration, AnUnknownHeaderIsKeptAndLeftAlone) {
    Bus bus;
    bus.add_endpoint(1).define(0x0e, 1, 0x7f);
    EXPECT_TRUE(bus.enumerate().has_value());
    ASSERT_EQ(bus.inventory.functions().size(), 1u);
    Function const& it = *bus.find(0, 1);
    EXPECT_TRUE(it.defects.has(Defect::header_unknown));
    EXPECT_TRUE(it.bars.empty() && it.capabilities.empty());
}

TEST(PciEnumeration, EndsWhateverIsEverywhere) {
    for (u32 const word :
         {0u, 0xffff'ffffu, 0x0101'0101u, 0x8181'8181u, 0x0001'0001u, 0x4040'4040u}) {
        Everywhere access{word};
        Inventory<Heap> inventory(*boot::current_kernel().heap);
        auto const outcome = walk_through(access, inventory);
        bool const is_nobody = word == 0 || word == 0xffff'ffff;
        EXPECT_EQ(outcome.has_value(), is_nobody);
        EXPECT_EQ(inventory.functions().size(), is_nobody ? 0 : functions_max);
        EXPECT_LT(access.reads, 1'000'000u);
        if (!outcome) {
            EXPECT_EQ(outcome.error(), Error::no_space);
        }
    }
}

TEST(PciEnumeration, EndsOnNoise) {
    for (u64 seed = 1; seed <= 8; ++seed) {
        Noise access{Random(seed)};
        Inventory<Heap> inventory(*boot::current_kernel().heap);
        auto const outcome = walk_through(access, inventory);
        EXPECT_TRUE(outcome.has_value() || outcome.error() == Error::no_space);
        EXPECT_LT(access.reads, 2'000'000u);
    }
}

TEST(PciEnumeration, AnImpossibleRangeIsRefused) {
    Bus bus;
    EXPECT_EQ(bus.enumerate({0, 2, 1}).error(), Error::invalid_argument);
    EXPECT_TRUE(bus.enumerate({1, 0, 0xff}).has_value()); // a segment that does not exist
    EXPECT_TRUE(bus.inventory.functions().empty());
}

TEST(PciNames, KnownAndUnknownNumbers) {
    EXPECT_EQ(class_name(0x01, 0x08), "NVM controller");
    EXPECT_EQ(class_name(0x01, 0x77), "mass storage");
    EXPECT_EQ(class_name(0x77, 0x77), "");
    EXPECT_EQ(capability_name({0x11, 0x40}), "MSI-X");
    EXPECT_EQ(capability_name({0x11, 0x100}), "");
    EXPECT_EQ(capability_name({0x03, 0x100}), "serial number");
    for (usize i = 0; i < defect_count; ++i) {
        for (usize j = 0; j < i; ++j) {
            EXPECT_NE(defect_name(static_cast<Defect>(i)), defect_name(static_cast<Defect>(j)));
        }
    }
    EXPECT_EQ(defect_name(static_cast<Defect>(200)), "unknown_defect");
    EXPECT_EQ(header_kind_name(static_cast<HeaderKind>(9)), "unknown");
    EXPECT_EQ(bar_kind_name(static_cast<BarKind>(9)), "unknown");
}
