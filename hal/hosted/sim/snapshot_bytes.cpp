// See snapshot_bytes.hpp.
#include "hal/hosted/sim/snapshot_bytes.hpp"

#include "hal/hosted/sim/sim_run.hpp"

namespace hosted {

namespace {

void archive(StateArchive& state, Snapshot& snapshot, SimRun& run) {
    state(snapshot.window);
    state(snapshot.memory.size);
    u64 extents = snapshot.memory.extents.size();
    state(extents);
    if (state.is_reading()) {
        // An extent is a page at least.
        bool const is_possible = extents <= snapshot.memory.size / page_size.value;
        snapshot.memory.extents.resize(is_possible ? extents : 0);
        if (!is_possible) {
            state.fail();
        }
    }
    for (MemoryCopy::Extent& extent : snapshot.memory.extents) {
        state(extent.offset);
        state(extent.bytes);
    }
    state(snapshot.machine);
    state(snapshot.cpus);
    state(snapshot.pci);
    state(snapshot.lines);
    state(snapshot.i8042);
    for (std::vector<std::byte>& device : snapshot.devices) {
        state(device);
    }
    state(run);
}

} // namespace

std::vector<std::byte> snapshot_bytes(Snapshot const& snapshot) {
    Snapshot copy = snapshot;
    SimRun run = dynamic_cast<SimRun const&>(*snapshot.engine);
    StateArchive state;
    archive(state, copy, run);
    return state.take();
}

std::expected<Snapshot, std::string>
snapshot_of(std::span<std::byte const> bytes, Snapshot const& alike) {
    Snapshot snapshot = alike;
    auto run = std::make_shared<SimRun>(dynamic_cast<SimRun const&>(*alike.engine));
    StateArchive state(bytes);
    archive(state, snapshot, *run);
    if (state.has_failed() || !state.is_at_end() || snapshot.cpus.size() != alike.cpus.size()) {
        return std::unexpected("the copy of the machine is not one of a machine like this");
    }
    snapshot.engine = std::move(run);
    return snapshot;
}

} // namespace hosted
