// Kernels whose devices come and go while they run: their drivers take them, use them and leave
// them, and leave nothing behind.
#include "hal/hosted/devices/nvme/nvme_controller.hpp"
#include "hal/hosted/sim/devices/simulated_medium.hpp"
#include "tests/hal/hosted/simulated_run.hpp"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

namespace {

using namespace hosted;
using namespace hosted::test;

/// A machine with ports, which is stopped at moments of its time.
class PortsMachine {
public:
    explicit PortsMachine(std::string const& command, std::vector<FaultRule> rules = {}) {
        MachineConfig config;
        config.cpus = 2;
        config.hot_plug_ports = 2;
        config.command_line = "console=pipe command=\"" + command + "\"";
        SimConfig const sim{.seed = 1, .faults = {.rules = std::move(rules)}};
        auto board = Board::create(std::move(config), m_console);
        EXPECT_TRUE(board.has_value());
        auto engine = SimEngine::create(**board, sim);
        EXPECT_TRUE(engine.has_value());
        m_board = board->get();
        m_engine = engine->get();
        auto made = Machine::create(std::move(*board), std::move(*engine));
        EXPECT_TRUE(made.has_value());
        m_machine = std::move(*made);
    }
    Machine& machine() { return *m_machine; }
    /// Whether the device of that number may reach memory.
    bool is_master(u32 number) { return m_board->pci().is_master(number); }
    SimEngine& engine() { return *m_engine; }
    std::string const& text() const { return m_seen.text; }
    /// Runs to that moment, or to the end.
    Stop run_to(i64 milliseconds) {
        m_engine->limit({.time_ns = milliseconds * 1'000'000});
        return m_machine->run();
    }
    Stop run() {
        m_engine->limit({});
        return m_machine->run();
    }
    /// Lines that say both.
    usize lines(std::string_view one, std::string_view other) const {
        usize count = 0;
        for (usize at = 0; at < m_seen.text.size();) {
            usize const end = std::min(m_seen.text.find('\n', at), m_seen.text.size());
            std::string_view const line = std::string_view(m_seen.text).substr(at, end - at);
            count += line.contains(one) && line.contains(other) ? 1 : 0;
            at = end + 1;
        }
        return count;
    }
    usize count(std::string_view what) const {
        usize count = 0;
        for (usize at = m_seen.text.find(what); at != std::string::npos;
             at = m_seen.text.find(what, at + 1)) {
            ++count;
        }
        return count;
    }

private:
    Trial m_seen;
    Keeper m_console{m_seen};
    Board* m_board = nullptr;
    SimEngine* m_engine = nullptr;
    std::unique_ptr<Machine> m_machine;
};

std::shared_ptr<NvmeController> disk_to_plug() {
    auto const medium = std::make_shared<SimulatedMedium>(SimulatedMediumConfig{.blocks = 2000});
    return std::make_shared<NvmeController>(NvmeConfig{.media = {medium}});
}

TEST(SimulatedHotPlug, ADeviceIsFoundUsedAndLetGo) {
    PortsMachine it(
        "devices remove 00:02.0; devices remove 00:03.0; disks; sleep 2; devices rescan; "
        "disks write nvme0n1 7 hello; disks flush nvme0n1; disks read nvme0n1 7; "
        "devices; devices remove 02:00.0; devices; sleep 2; devices rescan; devices; disks read "
        "nvme0n1 7");
    ASSERT_EQ(it.run_to(1000).kind, Stop::Kind::paused) << it.text();
    auto const disk = disk_to_plug();
    ASSERT_TRUE(it.machine().plug(disk).has_value());
    ASSERT_EQ(it.run_to(3000).kind, Stop::Kind::paused) << it.text();
    EXPECT_NE(it.text().find("1 functions have come, 0 have gone, 0 drivers"), std::string::npos);
    EXPECT_NE(it.text().find("sector 7: 'hello'"), std::string::npos) << it.text();
    EXPECT_EQ(it.lines("nvme ", " bound"), 1u) << it.text();
    EXPECT_EQ(it.lines("nvme ", " removed"), 1u) << it.text();
    ASSERT_EQ(it.machine().unplug(0), disk);
    EXPECT_EQ(it.run().kind, Stop::Kind::exited);
    EXPECT_NE(it.text().find("0 functions have come, 1 have gone"), std::string::npos) << it.text();
    EXPECT_EQ(it.count("nvme "), 2u) << it.text();
}

TEST(SimulatedHotPlug, OneThatIsPulledOutInUseIsAnErrorToItsUsers) {
    // Where the ports have a driver, it hears of it; where not, what is asked of the disk takes too
    // long.
    for (bool const is_heard : {true, false}) {
        SCOPED_TRACE(is_heard);
        PortsMachine it(
            std::string(is_heard ? "devices; " : "") +
            "sleep 2; disks stamp nvme0n1 1 400; devices rescan; sleep 20; devices rescan; "
            "disks write nvme0n1 1 again; disks read nvme0n1 1");
        auto const disk = disk_to_plug();
        ASSERT_TRUE(it.machine().plug(disk).has_value());
        ASSERT_EQ(it.run_to(2010).kind, Stop::Kind::paused) << it.text();
        ASSERT_EQ(it.machine().unplug(0), disk);
        ASSERT_EQ(it.run_to(is_heard ? 2100 : 20'000).kind, Stop::Kind::paused) << it.text();
        EXPECT_NE(it.text().find("not flushed: io_failed"), std::string::npos) << it.text();
        EXPECT_NE(it.text().find("stamps: done"), std::string::npos) << it.text();
        ASSERT_TRUE(it.machine().plug(disk).has_value());
        ASSERT_EQ(it.run().kind, Stop::Kind::exited) << it.text();
        EXPECT_NE(it.text().find("sector 1: 'again'"), std::string::npos) << it.text();
        EXPECT_EQ(it.count("panic"), 0u) << it.text();
    }
}

TEST(SimulatedHotPlug, PortsTellTheKernelByThemselves) {
    // Nobody looks: the ports' driver has heard of it.
    PortsMachine it("devices; sleep 2; devices; disks write nvme0n1 5 heard; disks read nvme0n1 5; "
                    "sleep 2; devices; "
                    "sleep 2; devices");
    ASSERT_EQ(it.run_to(1000).kind, Stop::Kind::paused) << it.text();
    EXPECT_EQ(it.count("pcie-port"), 2u) << it.text();
    auto const disk = disk_to_plug();
    ASSERT_TRUE(it.machine().plug(disk).has_value());
    ASSERT_EQ(it.run_to(3000).kind, Stop::Kind::paused) << it.text();
    EXPECT_EQ(it.lines("nvme ", " bound"), 1u) << it.text();
    EXPECT_NE(it.text().find("sector 5: 'heard'"), std::string::npos) << it.text();
    ASSERT_EQ(it.machine().unplug(0), disk);
    ASSERT_EQ(it.run_to(5000).kind, Stop::Kind::paused) << it.text();
    EXPECT_EQ(it.count("nvme "), 1u) << "it is gone " << it.text();
    // Another one comes to the same slot.
    ASSERT_TRUE(it.machine().plug(disk_to_plug()).has_value());
    EXPECT_EQ(it.run().kind, Stop::Kind::exited);
    EXPECT_EQ(it.lines("nvme ", " bound"), 2u) << it.text();
}

TEST(SimulatedHotPlug, NothingMastersTheBusWhenTheMachineEnds) {
    for (std::string const end : {"", "panic", "reset"}) {
        PortsMachine it("disks write nvme0n1 3 x; sleep 2; " + end);
        ASSERT_TRUE(it.machine().plug(disk_to_plug()).has_value());
        ASSERT_EQ(it.run_to(1500).kind, Stop::Kind::paused) << it.text();
        EXPECT_TRUE(it.is_master(0)) << it.text();
        Stop const stop = it.run();
        EXPECT_EQ(stop.kind, end == "reset" ? Stop::Kind::reset : Stop::Kind::exited) << it.text();
        EXPECT_FALSE(it.is_master(0)) << end << it.text();
    }
}

/// How often a probe fails where the n-th of these happens to it, for each n; and each time the
/// next attempt takes the device.
u32 failures_of(FaultPoint point) {
    constexpr u64 most = 60, never = u64{1} << 40;
    FaultId const id = fault_id(point);
    u64 before = 0; // of the probe
    u32 failures = 0;
    for (u64 nth = 0; nth < most; ++nth) {
        FaultRule rule = FaultKinds().rule(id);
        rule.at = {nth == 0 ? never : before + nth - 1};
        PortsMachine it(
            "devices remove 00:02.0; devices remove 00:03.0; devices remove 02:00.0; mem; sleep 2; "
            "devices probe 02:00.0; mem; "
            "devices probe 02:00.0; disks write nvme0n1 3 works; disks read nvme0n1 3",
            {rule});
        EXPECT_TRUE(it.machine().plug(disk_to_plug()).has_value());
        if (it.run_to(1500).kind != Stop::Kind::paused) {
            continue; // the line itself could not be read
        }
        before = nth == 0 ? it.engine().faults().counts(id).asked : before;
        EXPECT_EQ(it.run().kind, Stop::Kind::exited) << it.text();
        bool const was_taken = it.count("probe has failed: already_exists") != 0;
        if (it.count("probe has failed") == 1 &&
            !was_taken) { // else it came too late, or too early
            ++failures;
            EXPECT_NE(it.text().find("sector 3: 'works'"), std::string::npos)
                << "at " << nth << it.text();
        }
    }
    return failures;
}

TEST(SimulatedHotPlug, AProbeThatIsRefusedSomethingIsContainedAndTriedAgain) {
    EXPECT_GE(failures_of(FaultPoint::heap_allocate), 2u);
    EXPECT_GE(failures_of(FaultPoint::frames_allocate), 1u);
    EXPECT_GE(failures_of(FaultPoint::interrupts_bind), 1u);
}

} // namespace
