// The driver of a virtio-blk device, over PCI or registers in memory: "vda" and so on.
//
// A queue for each processor, as far as the device has any; a number of slots for each queue, with
// what the device reads and writes beside the data (header and status) in memory that is taken
// once. Where all slots are taken a request waits in the order of arrival, and whoever frees a slot
// goes on with it. So nothing is allocated on the way.
//
// What a device does in several steps takes one slot: a write that is to be durable when it is done
// is followed by a flush, since the device has no such write; what is to be discarded may be more
// than the device takes at once.
//
// A device that does not answer in time is reset and stays so (device.hpp): all requests fail.
//
// Source: VIRTIO 1.2, section 5.2.
#pragma once

#include "core/device/block/device.hpp"
#include "core/device/model/driver.hpp"
#include "core/device/virtio/block_layout.hpp"
#include "core/device/virtio/device.hpp"

namespace twofold::device {

class VirtioBlock final : public block::Device {
public:
    static constexpr Nanos time_out{i64{30} * 1'000'000'000};
    static constexpr u32 queues_max = virtio::Device::queues_max;
    static constexpr u32 slots = 32;        ///< of a queue
    static constexpr u32 segments_max = 24; ///< of a request
    static constexpr u32 names_max = 26;

    /// Takes over the transport, which is of a block device, also where it fails. In memory of the
    /// heap, until it is closed. Context thread. Errors: not_supported, corrupted (the
    /// configuration makes no sense), timed_out, out_of_memory, those of Transport::bind and
    /// Device::open_queue.
    static Result<VirtioBlock*>
    open(DriverEnvironment const& environment, virtio::Transport& transport);
    /// Its name is "vda" and following from now on, by a number below names_max. While nobody knows
    /// it.
    void set_letter(u32 letter);

    block::Geometry const& geometry() const override { return m_geometry; }
    std::string_view name() const override { return m_name; }
    Result<void> submit(block::Request& request) override;
    u32 poll() override;
    void close() override;

    /// The device is gone, or behaves as if: what is in flight or waits ends with io_failed, and so
    /// does what is submitted. Context thread.
    void fail();
    /// What the device says it is; often empty.
    std::string_view serial() const { return m_serial; }
    u32 queues() const { return static_cast<u32>(m_queues.size()); }

private:
    struct Queue;
    struct Slot : virtio::QueueRequest {
        VirtioBlock* owner = nullptr;
        Queue* queue = nullptr;
        block::Request* request = nullptr;
        PhysAddr memory{}; ///< Shared
        u32 progress = 0;  ///< sectors of a discard that are done
        bool is_flushing = false;
        virtio::Segment out[segments_max + 1]; ///< the header, and what is written
        virtio::Segment in[segments_max + 1];  ///< what is read, and the status
    };
    struct Queue {
        virtio::VirtQueue* ring = nullptr;
        PhysAddr memory{}; ///< a page: Shared of each slot
        sync::SpinLock lock{sync::LockRank::device};
        IntrusiveList<virtio::QueueRequest, virtio::QueueRequestsTag> free GUARDED_BY(lock);
        IntrusiveList<block::Request, block::RequestsTag> waiting GUARDED_BY(lock);
        Slot all[slots];
    };
    /// What lies in memory for the device, of one slot.
    struct Shared {
        virtio::blk::Header header;
        virtio::blk::Range range;
        u8 id[virtio::blk::id_bytes]{};
        u8 status = 0;
    };
    static_assert(sizeof(Shared) * slots <= page_size.value);

    VirtioBlock(DriverEnvironment const& environment, virtio::Transport& transport);
    ~VirtioBlock() = default;

    Result<void> begin();
    Result<void> read_geometry();
    Result<void> open_queues();
    Result<void> open_queue(u16 index);
    void read_serial();
    u32 word(Bytes offset) { return m_transport.read_configuration(offset); }
    bool has(u64 feature) const { return (m_device.features() & feature) != 0; }

    Queue& own_queue() const;
    Slot* take_slot(Queue& queue, block::Request* request);
    Result<void> begin_step(Slot& slot);
    void fill(Slot& slot, virtio::blk::Kind kind, u64 sector);
    void go_on(Queue& queue);
    void free_slot(Slot& slot);
    bool has_more(Slot& slot);
    void end(Slot& slot, Result<void> outcome);
    static void finish(virtio::QueueRequest& request, Result<u32> written);

    DriverEnvironment m_environment;
    virtio::Transport& m_transport;
    virtio::Device m_device;
    FixedString<8> m_name;
    FixedString<virtio::blk::id_bytes> m_serial;
    block::Geometry m_geometry;
    u32 m_wire_shift = 0;  ///< from sectors to those on the wire
    u32 m_discard_max = 0; ///< sectors of one command
    u32 m_zeroes_max = 0;
    FixedVector<Queue*, queues_max> m_queues; ///< a power of two of them
    Atomic<u32> m_is_gone{0};
};

/// Of the registry: virtio-blk over PCI.
extern Driver const virtio_block_driver;

/// A driver that runs the block device at `transport`, which it takes over, and has announced it.
/// Errors: those of VirtioBlock::open and DiskStore::add.
Result<BoundDevice*>
run_virtio_block(DriverEnvironment const& environment, virtio::Transport& transport);

} // namespace twofold::device
