// The model of the NVMe controller on a bench: memory, registers, interrupts that are counted, and
// the driver's side (nvme_host.hpp).
#pragma once

#include "hal/hosted/devices/nvme/memory_medium.hpp"
#include "hal/hosted/devices/nvme/nvme_controller.hpp"
#include "hal/hosted/sim/device_fault_kinds.hpp"
#include "tests/hal/hosted/memory_bus.hpp"
#include "tests/hal/hosted/nvme_host.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace hosted::test {

/// A medium whose operations end when the test says so, of a memory behind it.
class HeldMedium final : public NvmeMedium {
public:
    HeldMedium(u64 blocks, u32 block_bytes) : m_inner(blocks, block_bytes) {}

    u64 bytes() const override { return m_bytes != 0 ? m_bytes : m_inner.bytes(); }
    u32 block_bytes() const override { return m_inner.block_bytes(); }
    bool is_read_only() const override { return read_only; }
    void submit(DeviceBus&, NvmeOperation const& operation) override {
        m_held.push_back(operation);
    }
    void start(DeviceBus&) override { ++starts; }
    void reap(DeviceBus& bus, std::vector<NvmeOutcome>& outcomes) override {
        m_inner.reap(bus, outcomes);
        outcomes.insert(outcomes.end(), m_failed.begin(), m_failed.end());
        m_failed.clear();
    }
    bool withdraw(u32 tag) override {
        return can_withdraw &&
               std::erase_if(m_held, [&](auto const& each) { return each.tag == tag; }) != 0;
    }
    bool withdraw_all() override {
        if (can_withdraw) {
            m_held.clear();
            m_failed.clear();
            m_inner.withdraw_all();
        }
        return can_withdraw || (m_held.empty() && m_failed.empty());
    }
    void cut_power() override {
        m_held.clear();
        m_failed.clear();
    }
    /// The next one, of those that are held, ends.
    void end_one(DeviceBus& bus, usize which = 0, u16 status = 0) {
        NvmeOperation const operation = m_held.at(which);
        m_held.erase(m_held.begin() + static_cast<i64>(which));
        if (status == 0) {
            m_inner.submit(bus, operation);
        } else {
            m_failed.push_back({.tag = operation.tag, .status = status});
        }
    }
    std::vector<NvmeOperation> const& held() const { return m_held; }
    void shrink(u64 bytes) { m_bytes = bytes; }
    MemoryMedium& inner() { return m_inner; }

    bool can_withdraw = false;
    bool read_only = false;
    u32 starts = 0;

private:
    MemoryMedium m_inner;
    std::vector<NvmeOperation> m_held;
    std::vector<NvmeOutcome> m_failed;
    u64 m_bytes = 0;
};

/// A clock that jumps from moment to moment, and faults by a plan.
class SimulatedParts {
public:
    struct Moment {
        u64 at_ns = 0;
        u64 tag = 0;
    };

    /// The occasions, from 1 on, at which it happens; 0: the kind's own amount.
    void plan(DeviceFault fault, std::vector<u64> at, u64 amount = 0) {
        FaultKinds const kinds(device_fault_kinds());
        FaultRule rule = kinds.rule(fault_id(fault));
        rule.at = std::move(at);
        if (amount != 0) {
            rule.amount_low = rule.amount_high = amount;
        }
        FaultPlan wanted;
        wanted.rules.push_back(rule);
        m_faults = FaultInjector(kinds, wanted, 1);
    }
    u64 fired(DeviceFault fault) const { return m_faults.counts(fault_id(fault)).fired; }
    void add(u64 delay_ns, u64 tag) { moments.push_back({now_ns + delay_ns, tag}); }
    std::optional<u64> next() {
        auto const first = std::ranges::min_element(moments, {}, &Moment::at_ns);
        if (first == moments.end()) {
            return std::nullopt;
        }
        Moment const moment = *first;
        moments.erase(first);
        now_ns = moment.at_ns;
        return moment.tag;
    }
    std::optional<u64> fires(DeviceFault fault) {
        FaultId const id = fault_id(fault);
        return m_faults.can_fire(id) ? m_faults.fires(id, 0, static_cast<i64>(now_ns))
                                     : std::nullopt;
    }

    u64 now_ns = 0;
    std::vector<Moment> moments; ///< in the order in which they were asked for

private:
    FaultInjector m_faults;
};

class NvmeBench final : public MemoryBus, public NvmeSide {
public:
    explicit NvmeBench(NvmeConfig config)
        : MemoryBus(NvmeHost::memory_bytes), controller(std::move(config)), host(*this) {
        switch_on();
    }
    void switch_on() {
        m_registers.assign(controller.identity().register_bytes, std::byte{});
        simulated.moments.clear();
        controller.power_on(m_registers);
    }
    template<class T>
    T read(u64 offset) const {
        T value;
        std::memcpy(&value, m_registers.data() + offset, sizeof(value));
        return value;
    }
    template<class T>
    void write(u64 offset, T value) {
        std::memcpy(m_registers.data() + offset, &value, sizeof(value));
        controller.written(*this, offset);
    }

    u32 read_32(u64 offset) override { return read<u32>(offset); }
    void write_32(u64 offset, u32 value) override { write(offset, value); }
    void read_memory(u64 at, std::span<std::byte> to) override {
        std::ranges::copy(memory(at, to.size()), to.begin());
    }
    void write_memory(u64 at, std::span<std::byte const> from) override {
        std::ranges::copy(from, memory().begin() + static_cast<i64>(at));
    }
    bool step() override {
        if (on_step) {
            return on_step();
        }
        auto const tag = simulated.next();
        if (tag) {
            controller.due(*this, *tag);
        }
        return tag.has_value();
    }
    using MemoryBus::read;
    using MemoryBus::write;

    u64 interrupts_of(u32 vector) const {
        auto const found = m_interrupts.find(vector);
        return found == m_interrupts.end() ? 0 : found->second;
    }
    std::span<std::byte> registers() override { return m_registers; }
    void interrupt() override { ADD_FAILURE() << "it has MSI-X"; }
    void interrupt(u32 vector) override { ++m_interrupts[vector]; }
    void call_later(u64 delay_ns, u64 tag) override {
        EXPECT_TRUE(controller.needs_simulation());
        simulated.add(delay_ns, tag);
    }
    u64 now_ns() const override { return simulated.now_ns; }
    std::optional<u64> fault(DeviceFault fault) override {
        EXPECT_TRUE(controller.needs_simulation());
        return simulated.fires(fault);
    }

    NvmeController controller;
    NvmeHost host;
    std::function<bool()> on_step;
    SimulatedParts simulated;

private:
    std::vector<std::byte> m_registers;
    std::map<u32, u64> m_interrupts;
};

/// Two namespaces in memory, of 512 and 4096 bytes a block, enabled, with a pair of queues.
struct NvmeFixture : testing::Test {
    static constexpr u64 blocks = 4096;

    std::shared_ptr<MemoryMedium> first = std::make_shared<MemoryMedium>(blocks, 512);
    std::shared_ptr<MemoryMedium> second = std::make_shared<MemoryMedium>(256, 4096);
    NvmeBench bench{{.media = {first, second}, .serial = "bench"}};
    NvmeHost& host = bench.host;

    void SetUp() override {
        ASSERT_TRUE(host.enable());
        ASSERT_TRUE(host.open_queue(1));
    }
};

/// The same with one medium that the test moves on.
struct HeldFixture : testing::Test {
    std::shared_ptr<HeldMedium> medium = std::make_shared<HeldMedium>(4096, 512);
    NvmeBench bench{{.media = {medium}, .serial = "held"}};
    NvmeHost& host = bench.host;

    void SetUp() override {
        ASSERT_TRUE(host.enable());
        ASSERT_TRUE(host.open_queue(1));
    }
    /// The next held operation ends, and the controller hears of it.
    void end_one(usize which = 0, u16 status = 0) {
        medium->end_one(bench, which, status);
        bench.controller.noticed(bench);
    }
};

} // namespace hosted::test
