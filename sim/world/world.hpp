// Several machines in one simulation, each with a kernel of its own, joined by links
// (links.hpp) through their message devices.
//
// The machine whose next event is the earliest runs, for as long as nothing that another one sends
// meanwhile could reach it: until the earliest next event of the others and the least latency of
// all links. Its own frames come back to it after two latencies at the earliest. So a frame always
// arrives in its receiver's future, and which machine runs is the same for every run of the same
// seed. A machine goes past such a moment by a turn of a processor at most; what arrives meanwhile
// arrives by so much later.
//
// A machine that starts over (a kernel's reset, or power_cycle) keeps its devices' media, and the
// world's time. The world ends when all machines have, or when none can go on.
//
// Source: K. M. Chandy and J. Misra, "Distributed simulation: a case study in design and
// verification of distributed programs", IEEE TSE 5(5), 1979, for the lookahead.
#pragma once

#include "hal/hosted/machine.hpp"
#include "hal/hosted/signals.hpp"
#include "hal/hosted/sim/devices/message_device.hpp"
#include "hal/hosted/sim/sim_engine.hpp"
#include "sim/world/links.hpp"

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace twofold::sim {

struct WorldConfig {
    u64 seed = 0;
    hosted::CostTable costs = hosted::cost_tables().front();
    LinkPlan links{};
    /// Of links; `cpu` of a rule is the machine that sends.
    hosted::FaultPlan faults{};
    /// They happen only while a workload marks it on the machine that sends, or on the one that
    /// receives.
    bool faults_where_marked = false;
    /// Of each machine itself, by a seed of its own.
    hosted::FaultPlan machine_faults{};
    /// As in hosted::SimConfig.
    i64 stall_ns = hosted::SimConfig{}.stall_ns;
    bool has_oracles = false;
    unsigned first_window = 0; ///< the machines take this one and those behind it
};

/// How a run of a world ends.
enum class WorldEnd : u8 {
    all_ended,   ///< each machine's `stop` says how
    all_wait,    ///< nothing can happen any more
    out_of_time, ///< the moment has come that was asked for
};

class World final : public hosted::MessageLink {
public:
    /// Makes a machine of each configuration: its number is the address of its message device,
    /// which is its first device; window, entropy and TLB ways are the world's to choose. The error
    /// is one line.
    static std::expected<std::unique_ptr<World>, std::string>
    create(WorldConfig config, std::vector<hosted::MachineConfig> machines);
    World(World const&) = delete;
    World& operator=(World const&) = delete;
    ~World() override;

    /// Goes on until all have ended, or until a moment.
    WorldEnd run(i64 until_ns = hosted::EventQueue::never);
    /// The machine's power is cut, now: it starts over with what its devices keep. Also one that
    /// has ended. Between two calls of `run`.
    void power_cycle(u32 machine);

    u32 size() const { return static_cast<u32>(m_nodes.size()); }
    /// How the machine has ended; nothing: it has not.
    std::optional<hosted::Stop> stop(u32 machine) const { return m_nodes[machine]->stop; }
    /// What it has written.
    std::string const& text(u32 machine) const { return m_nodes[machine]->console.text; }
    /// The records that it has written (apps/launch/records.hpp).
    std::span<std::byte const> records(u32 machine) const {
        return m_nodes[machine]->console.records;
    }
    std::string_view crash_report(u32 machine) const {
        return m_nodes[machine]->machine->crash_report();
    }
    hosted::Machine& machine(u32 machine) { return *m_nodes[machine]->machine; }
    hosted::SimEngine const& engine(u32 machine) const { return *m_nodes[machine]->engine; }
    LinkCounts const& link_counts() const { return m_links.counts(); }
    hosted::FaultInjector const& link_faults() const { return m_faults; }
    /// The furthest that any machine has come, or a run was asked to go.
    i64 time_ns() const { return m_now_ns; }
    /// Of all that has happened: equal for two runs that are the same.
    u64 hash() const;
    /// Times that a machine was let run.
    u64 turns() const { return m_turns; }

    void carry(hosted::MessageFrame const& frame, u32 to, u64 now_ns) override;

private:
    /// Keeps what a machine writes; there is no input.
    struct Console final : hosted::ConsoleEndpoint {
        void write(std::string_view piece) override { text += piece; }
        hal::ConsoleInput read() override { return {hal::InputStatus::end, '\0'}; }
        void write_result(std::span<std::byte const> bytes) override {
            records.insert(records.end(), bytes.begin(), bytes.end());
        }

        std::string text;
        std::vector<std::byte> records;
    };
    struct Node {
        Console console;
        std::shared_ptr<hosted::MessageDevice> port;
        std::unique_ptr<hosted::Machine> machine;
        hosted::Board* board = nullptr; ///< the machine's, and the next
        hosted::SimEngine* engine = nullptr;
        std::optional<hosted::Stop> stop;
        i64 next_ns = 0;       ///< while it has not ended: nothing happens before
        u64 earlier_lives = 0; ///< hash of them
    };

    World(WorldConfig config, std::unique_ptr<hosted::SignalStack> signal_stack);

    std::optional<std::string> add(hosted::MachineConfig config);
    WorldEnd take_turns(i64 until_ns);
    void step(Node& node, i64 horizon_ns);
    void start_over(Node& node);
    void deliver(hosted::MessageFrame const& frame, u32 to, i64 now_ns);

    WorldConfig m_config;
    Links m_links;
    hosted::FaultInjector m_faults;
    std::unique_ptr<hosted::SignalStack> m_signal_stack; ///< for all while `run` lasts
    std::vector<std::unique_ptr<Node>> m_nodes;
    i64 m_now_ns = 0;
    u64 m_turns = 0;
};

} // namespace twofold::sim
