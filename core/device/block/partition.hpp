// A part of a disk as a disk of its own, and how the parts of one are found.
#pragma once

#include "core/device/block/device.hpp"
#include "core/device/block/gpt.hpp"
#include "core/memory/memory.hpp"

namespace twofold::block {

/// Sectors `first` and following of another device.
class Partition final : public Device {
public:
    /// Of `device`, which outlives it and is not closed with it; the sectors lie in it. `name`
    /// lives as long.
    Partition(Device& device, std::string_view name, u64 first, u64 sectors);

    Geometry const& geometry() const override { return m_geometry; }
    std::string_view name() const override { return m_name; }
    Result<void> submit(Request& request) override;
    void hold() override { m_device.hold(); }
    void release() override { m_device.release(); }
    u32 poll() override { return m_device.poll(); }
    Nanos poll_time() const override { return m_device.poll_time(); }
    /// Nothing is to be given back: who has made it destroys it.
    void close() override {}

    u64 first() const { return m_first; }

private:
    Device& m_device;
    std::string_view m_name;
    u64 m_first;
    Geometry m_geometry;
};

/// How a disk is divided, and what was seen on the way.
struct PartitionTable {
    gpt::Found found;
    gpt::Guid disk{};
    bool is_backup = false; ///< the first header or its table is damaged; the last one was used
};

/// Reads a disk's partition table. Context thread, interrupts on. Errors: not_found (it has none),
/// corrupted (it has one, and both copies are damaged), not_supported, out_of_memory, those of the
/// device. O(table).
Result<void>
read_partition_table(Device& device, memory::BuddyFrames& frames, PartitionTable& table);

} // namespace twofold::block
