// See world.hpp.
#include "sim/world/world.hpp"

#include "core/base/base.hpp"
#include "hal/hosted/sim/device_fault_kinds.hpp"

#include <algorithm>

namespace twofold::sim {

using hosted::DeviceFault;
using hosted::FaultInjector;
using hosted::FaultKinds;
using hosted::MachineConfig;
using hosted::MessageFrame;
using hosted::SimEngine;
using hosted::Stop;

namespace {

constexpr u32 message_device = 0; ///< of each machine's devices
/// A machine goes past the moment of its pause by less.
constexpr u64 overrun_ns = 10'000;

i64 later(i64 moment_ns, u64 by_ns) {
    return moment_ns > hosted::EventQueue::never - static_cast<i64>(by_ns)
               ? hosted::EventQueue::never
               : moment_ns + static_cast<i64>(by_ns);
}

} // namespace

World::World(WorldConfig config, std::unique_ptr<hosted::SignalStack> signal_stack)
    : m_config(std::move(config)),
      m_links(m_config.links, m_config.seed),
      m_faults(FaultKinds(hosted::device_fault_kinds()), m_config.faults, m_config.seed),
      m_signal_stack(std::move(signal_stack)) {}

World::~World() = default;

std::expected<std::unique_ptr<World>, std::string>
World::create(WorldConfig config, std::vector<MachineConfig> machines) {
    if (machines.empty()) {
        return std::unexpected("a world has one machine at least");
    }
    if (config.links.least_latency_ns() == 0) {
        return std::unexpected("a link takes some time: its latency is at least 1 ns");
    }
    auto signal_stack = hosted::SignalStack::create();
    if (!signal_stack) {
        return std::unexpected(signal_stack.error());
    }
    std::unique_ptr<World> world(new World(std::move(config), std::move(*signal_stack)));
    for (MachineConfig& each : machines) {
        if (auto const problem = world->add(std::move(each))) {
            return std::unexpected(*problem);
        }
    }
    return world;
}

/// The answer is what is wrong.
std::optional<std::string> World::add(MachineConfig config) {
    u32 const number = size();
    auto node = std::make_unique<Node>();
    node->port =
        std::make_shared<hosted::MessageDevice>(hosted::MessageConfig{.address = number}, this);
    config.devices.insert(config.devices.begin() + message_device, node->port);
    config.window = m_config.first_window + number;
    config.entropy = {};
    config.tlb_ways = hosted::tlb_ways_min; // so that many machines fit into the host's limit
    auto board = hosted::Board::create(std::move(config), node->console);
    if (!board) {
        return board.error();
    }
    u64 const seed = SplitMix64(m_config.seed ^ SplitMix64(number).next()).next();
    auto engine = SimEngine::create(
        **board, {.seed = seed,
                  .costs = m_config.costs,
                  .faults = m_config.machine_faults,
                  .faults_where_marked = m_config.faults_where_marked,
                  .stall_ns = m_config.stall_ns,
                  .has_oracles = m_config.has_oracles});
    if (!engine) {
        return engine.error();
    }
    node->board = board->get();
    node->engine = engine->get();
    auto machine = hosted::Machine::create(std::move(*board), std::move(*engine));
    if (!machine) {
        return machine.error();
    }
    node->machine = std::move(*machine);
    m_nodes.push_back(std::move(node));
    return std::nullopt;
}

WorldEnd World::run(i64 until_ns) {
    hosted::SignalScope const signals(m_nodes.front()->board->boot().signals(), *m_signal_stack);
    return take_turns(until_ns);
}

WorldEnd World::take_turns(i64 until_ns) {
    u64 const latency_ns = m_config.links.least_latency_ns();
    u64 const lookahead_ns =
        latency_ns > 2 * overrun_ns ? latency_ns - overrun_ns : (latency_ns + 1) / 2;
    while (true) {
        Node* first = nullptr;
        i64 others_ns = hosted::EventQueue::never;
        bool all_ended = true;
        for (auto const& node : m_nodes) {
            if (node->stop) {
                continue;
            }
            all_ended = false;
            if (first == nullptr || node->next_ns < first->next_ns) {
                others_ns = first == nullptr ? others_ns : first->next_ns;
                first = node.get();
            } else {
                others_ns = std::min(others_ns, node->next_ns);
            }
        }
        if (all_ended) {
            return WorldEnd::all_ended;
        }
        if (first->next_ns >= until_ns) {
            if (first->next_ns == hosted::EventQueue::never) {
                return WorldEnd::all_wait;
            }
            m_now_ns = std::max(m_now_ns, until_ns);
            return WorldEnd::out_of_time;
        }
        i64 const horizon_ns = std::min(
            {until_ns, later(others_ns, lookahead_ns), later(first->next_ns, 2 * lookahead_ns)});
        step(*first, horizon_ns);
    }
}

/// Lets a machine run until then.
void World::step(Node& node, i64 horizon_ns) {
    node.engine->limit({.time_ns = horizon_ns});
    Stop const stop = node.machine->run();
    ++m_turns;
    m_now_ns = std::max(m_now_ns, static_cast<i64>(node.engine->time_ns()));
    switch (stop.kind) {
    case Stop::Kind::paused:
    case Stop::Kind::waiting_for_input:
        node.next_ns = node.engine->next_ns();
        break;
    case Stop::Kind::reset:
        start_over(node);
        break;
    case Stop::Kind::power_cut: // the engine goes on with what it has counted
        node.machine->reset();
        node.next_ns = node.engine->next_ns();
        break;
    case Stop::Kind::stalled:
    case Stop::Kind::objected:
    case Stop::Kind::exited:
    case Stop::Kind::crashed:
    case Stop::Kind::interrupted:
        node.stop = stop;
        break;
    }
}

void World::start_over(Node& node) {
    u64 const now_ns = node.engine->time_ns();
    node.earlier_lives = SplitMix64(node.earlier_lives ^ node.engine->counts().hash).next();
    node.machine->reset();
    node.engine->begin_at(static_cast<i64>(now_ns));
    node.stop.reset();
    node.next_ns = node.engine->next_ns();
}

void World::power_cycle(u32 machine) {
    Node& node = *m_nodes[machine];
    start_over(node);
    node.engine->begin_at(m_now_ns);
    node.next_ns = node.engine->next_ns();
}

void World::carry(MessageFrame const& frame, u32 to, u64 now_ns) {
    for (u32 number = 0; number < size(); ++number) {
        bool const is_meant =
            to == hosted::message::everybody ? number != frame.from : number == to;
        if (is_meant && number != frame.from) {
            deliver(frame, number, static_cast<i64>(now_ns));
        }
    }
}

void World::deliver(MessageFrame const& frame, u32 to, i64 now_ns) {
    Node& receiver = *m_nodes[to];
    bool const is_marked = receiver.engine->is_marked() || m_nodes[frame.from]->engine->is_marked();
    auto const faults = [&](DeviceFault fault, u32 from) {
        hosted::FaultId const id = hosted::fault_id(fault);
        bool const is_open = is_marked || !m_config.faults_where_marked;
        return is_open && m_faults.can_fire(id) ? m_faults.fires(id, from, now_ns) : std::nullopt;
    };
    for (i64 const at_ns : m_links.send({frame.from, to}, frame.bytes.size(), now_ns, faults)) {
        if (!receiver.stop) {
            receiver.engine->call_at(message_device, at_ns, receiver.port->expect(frame));
            receiver.next_ns = std::min(receiver.next_ns, at_ns);
        }
    }
}

u64 World::hash() const {
    u64 hash = 0;
    for (auto const& node : m_nodes) {
        hash = SplitMix64(hash ^ node->earlier_lives ^ node->engine->counts().hash).next();
    }
    return hash;
}

} // namespace twofold::sim
