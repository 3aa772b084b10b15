// The driver of I/O APICs against a model of their registers, and the encoding of messages.
#include "hal/x86_64/devices/io_apic.hpp"

#include <gtest/gtest.h>
#include <map>
#include <vector>

namespace twofold::io_apic_tests {

using hal::Polarity;
using hal::Trigger;
using metal::encode_redirection;
using metal::IoApic;

/// The registers behind the index. Every state that an entry passes through is kept.
struct IoApicModel {
    std::map<u32, u32> registers;
    std::vector<u64> states; ///< of the entry that was written, both halves

    u32 read(u32 index) { return registers[index]; }
    void write(u32 index, u32 value) {
        EXPECT_GE(index, 0x10u) << "only entries are written";
        registers[index] = value;
        u32 const low = index & ~1u;
        states.push_back(u64{registers[low + 1]} << 32 | registers[low]);
    }
    u64 entry(u32 input) {
        return u64{registers[0x11 + 2 * input]} << 32 | registers[0x10 + 2 * input];
    }
};

struct IoApicAccess {
    IoApicModel* model;
    u32 read(u32 index) { return model->read(index); }
    void write(u32 index, u32 value) { model->write(index, value); }
};

constexpr u64 masked = 1u << 16;

class IoApicTest : public testing::Test {
protected:
    IoApicTest() { model.registers[1] = 0x0017'0020; }

    IoApicModel model;
    IoApic<IoApicAccess> io{IoApicAccess{&model}};
};

TEST_F(IoApicTest, CountsItsInputs) {
    EXPECT_EQ(io.inputs(), 24u);
    for (u32 const nothing : {0u, ~0u, 0x0000'0020u}) {
        model.registers[1] = nothing;
        EXPECT_EQ(io.inputs(), 0u);
    }
}

TEST_F(IoApicTest, MasksEveryLine) {
    for (u32 input = 0; input < 24; ++input) {
        model.registers[0x10 + 2 * input] = 0x8000 | input;
    }
    io.mask_all();
    for (u32 input = 0; input < 24; ++input) {
        EXPECT_EQ(model.entry(input) & masked, masked);
    }
}

TEST_F(IoApicTest, RoutesWithoutAHalfWrittenEntryInForce) {
    io.route(3, encode_redirection({0x40}, 1, Trigger::edge, Polarity::high));
    ASSERT_TRUE(io.set_masked(3, false).has_value());
    model.states.clear();
    io.route(3, encode_redirection({0x50}, 2, Trigger::level, Polarity::low));
    for (u64 const state : model.states) {
        EXPECT_EQ(state & masked, masked);
    }
    EXPECT_EQ(model.entry(3), 0x0200'0000'0001'a050u);
}

TEST_F(IoApicTest, MaskingKeepsTheRoute) {
    io.route(23, encode_redirection({0xfa}, 0xfe, Trigger::edge, Polarity::low));
    ASSERT_TRUE(io.set_masked(23, false).has_value());
    EXPECT_EQ(model.entry(23), 0xfe00'0000'0000'20fau);
    ASSERT_TRUE(io.set_masked(23, true).has_value());
    EXPECT_EQ(model.entry(23), 0xfe00'0000'0001'20fau);
}

TEST_F(IoApicTest, ALineThatWasNeverRoutedIsNotLetThrough) {
    io.mask_all();
    EXPECT_EQ(io.set_masked(5, false).error(), Error::invalid_state);
    EXPECT_EQ(model.entry(5) & masked, masked);
    EXPECT_TRUE(io.set_masked(5, true).has_value());
}

TEST(Messages, LeadToAProcessorById) {
    hal::Message const first = metal::encode_message({0x30}, 0);
    EXPECT_EQ(first.address.value, 0xfee0'0000u);
    EXPECT_EQ(first.data, 0x30u);
    hal::Message const last = metal::encode_message({0xfa}, 0xfe);
    EXPECT_EQ(last.address.value, 0xfeef'e000u);
    EXPECT_EQ(last.data, 0xfau);
}

} // namespace twofold::io_apic_tests
