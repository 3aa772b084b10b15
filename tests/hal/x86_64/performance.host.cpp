// Performance counters against a model of their registers, and CPUID's leaf 0xA as recorded on
// processors.
#include "hal/x86_64/devices/performance_monitor.hpp"

#include <gtest/gtest.h>
#include <map>

namespace {

using namespace twofold;
using hal::CounterEvent;
using metal::CounterFacts;
using metal::decode_counters;

/// Counters that count as often as `tick` says, if they are set up to.
struct CounterModel {
    static constexpr u32 select = 0x186, counter = 0xc1, control = 0x38f;

    u32 counters;
    bool has_control;
    u32 width_bits = 48;
    std::map<u32, u64> registers{};

    u64 read(u32 number) {
        EXPECT_TRUE(exists(number)) << "a general-protection fault: " << number;
        return registers[number];
    }
    void write(u32 number, u64 value) {
        EXPECT_TRUE(exists(number)) << "a general-protection fault: " << number;
        registers[number] = value;
    }
    void tick(u8 event, u8 unit_mask, u64 times) {
        for (u32 i = 0; i < counters; ++i) {
            u64 const chosen = registers[select + i];
            bool const runs = (chosen >> 22 & 1) != 0 && (chosen >> 17 & 1) != 0 &&
                              (!has_control || (registers[control] >> i & 1) != 0);
            if (runs && (chosen & 0xff) == event && (chosen >> 8 & 0xff) == unit_mask) {
                u64& count = registers[counter + i];
                count = (count + times) & ((u64{1} << width_bits) - 1);
            }
        }
    }

private:
    bool exists(u32 number) const {
        return (number >= select && number < select + counters) ||
               (number >= counter && number < counter + counters) ||
               (has_control && number == control);
    }
};

struct CounterAccess {
    CounterModel* model;
    u64 read(u32 number) { return model->read(number); }
    void write(u32 number, u64 value) { model->write(number, value); }
};

/// A processor with counters as leaf 0xA says.
struct CountingProcessor {
    explicit CountingProcessor(isa::CpuidLeaf const& leaf)
        : facts(decode_counters(leaf)), model{facts.counters, facts.version >= 2} {}

    metal::PerformanceMonitor<CounterAccess> monitor() {
        return {facts, assignments, CounterAccess{&model}};
    }

    CounterFacts facts;
    metal::CounterAssignments assignments;
    CounterModel model;
};

// Recorded: Intel Core i7-6700K; Xeon E5-2660; the efficiency core of an i7-1255U.
constexpr isa::CpuidLeaf skylake{0x0730'0404, 0, 0, 0x603};
constexpr isa::CpuidLeaf sandy_bridge{0x0730'0403, 0, 0, 0x603};
constexpr isa::CpuidLeaf gracemont{0x0730'0605, 0, 7, 0x8603};

} // namespace

TEST(CounterFacts, AsRecorded) {
    CounterFacts const facts = decode_counters(skylake);
    EXPECT_EQ(facts.version, 4);
    EXPECT_EQ(facts.counters, 4);
    EXPECT_EQ(facts.width_bits, 48);
    EXPECT_EQ(facts.events, 0x3f);
    EXPECT_EQ(decode_counters(sandy_bridge).version, 3);
    EXPECT_EQ(decode_counters(gracemont).counters, 6);
}

TEST(CounterFacts, AProcessorWithoutSaysSo) {
    EXPECT_EQ(decode_counters({}).version, 0);
    EXPECT_EQ(decode_counters({}).events, 0);
    EXPECT_EQ(decode_counters({.eax = 0x0730'0004}).version, 0); // no counter
    EXPECT_EQ(decode_counters({.eax = 0x0707'0404}).version, 0); // no width
}

TEST(CounterFacts, EventsThatAreMissing) {
    EXPECT_EQ(decode_counters({.eax = 0x0730'0404, .ebx = 0x7f}).events, 0);
    EXPECT_EQ(decode_counters({.eax = 0x0730'0404, .ebx = 0x08}).events, 0x3b);
    EXPECT_EQ(decode_counters({.eax = 0x0230'0404}).events, 0x03); // the vector has 2 bits
}

TEST(PerformanceMonitor, CountsWhatWasAskedFor) {
    for (isa::CpuidLeaf const& leaf : {skylake, isa::CpuidLeaf{0x0728'0201, 0, 0, 0}}) {
        CountingProcessor processor(leaf);
        processor.model.width_bits = processor.facts.width_bits;
        auto monitor = processor.monitor();
        ASSERT_TRUE(monitor.start(CounterEvent::instructions).has_value());
        ASSERT_TRUE(monitor.start(CounterEvent::cache_misses).has_value());
        processor.model.tick(0xc0, 0, 1000);
        processor.model.tick(0x3c, 0, 7); // nobody asked for it
        processor.model.tick(0x2e, 0x41, 5);
        processor.model.tick(0x2e, 0x4f, 9);
        EXPECT_EQ(monitor.read(CounterEvent::instructions).value(), 1000u);
        EXPECT_EQ(monitor.read(CounterEvent::cache_misses).value(), 5u);
        ASSERT_TRUE(monitor.stop(CounterEvent::instructions).has_value());
        EXPECT_EQ(monitor.read(CounterEvent::instructions).error(), Error::not_found);
        ASSERT_TRUE(monitor.start(CounterEvent::instructions).has_value());
        EXPECT_EQ(monitor.read(CounterEvent::instructions).value(), 0u); // from 0 again
    }
}

TEST(PerformanceMonitor, CountsInTheKernelAlone) {
    CountingProcessor processor(skylake);
    auto monitor = processor.monitor();
    ASSERT_TRUE(monitor.start(CounterEvent::cycles).has_value());
    EXPECT_EQ(processor.model.registers[CounterModel::select], 0x42'003cu); // enabled, OS, not user
    EXPECT_EQ(processor.model.registers[CounterModel::control], 1u);
    ASSERT_TRUE(monitor.stop(CounterEvent::cycles).has_value());
    EXPECT_EQ(processor.model.registers[CounterModel::select], 0u);
    EXPECT_EQ(processor.model.registers[CounterModel::control], 0u);
}

TEST(PerformanceMonitor, RefusesWhatCannotBe) {
    CountingProcessor processor({.eax = 0x0730'0204, .ebx = 0x10});
    auto monitor = processor.monitor();
    EXPECT_EQ(monitor.start(CounterEvent::cache_misses).error(), Error::not_supported);
    EXPECT_EQ(monitor.stop(CounterEvent::cycles).error(), Error::not_found);
    ASSERT_TRUE(monitor.start(CounterEvent::cycles).has_value());
    EXPECT_EQ(monitor.start(CounterEvent::cycles).error(), Error::already_exists);
    ASSERT_TRUE(monitor.start(CounterEvent::branches).has_value());
    EXPECT_EQ(monitor.start(CounterEvent::instructions).error(), Error::no_space);
    EXPECT_EQ(monitor.read(CounterEvent::instructions).error(), Error::not_found);

    CountingProcessor without({});
    EXPECT_FALSE(without.monitor().has(CounterEvent::cycles));
    EXPECT_EQ(without.monitor().start(CounterEvent::cycles).error(), Error::not_supported);
    EXPECT_EQ(without.monitor().read(CounterEvent::cycles).error(), Error::not_found);
}
