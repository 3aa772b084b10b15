// What a block device is to the rooms above it, whatever drives it and whatever it is made of:
// sectors that are read and written through physical memory, many requests at a time, each done
// once.
//
// Split-phase: `submit` starts a request, `done` says what has become of it. A request lies in
// memory of whoever asks, with its list of segments, and has room for what a driver needs beside
// it: so nothing is allocated and nothing copied on the way.
//
// What is written is durable when a flush that began after it is done, or, written through, when it
// is done itself. Of requests that are in flight together, none is before another: where the order
// matters, wait for the first one. After a power cut a write that was not durable is there, or not,
// or in part.
#pragma once

#include "core/base/base.hpp"

#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <string_view>

namespace twofold::block {

enum class Operation : u8 {
    read,
    write,
    flush,
    deallocate,   ///< what is read there afterwards is not said, until it is written
    write_zeroes, ///< zeros are read there afterwards
};

/// Whether the operation moves data by segments.
constexpr bool has_data(Operation operation) {
    return operation == Operation::read || operation == Operation::write;
}

/// A piece of physically contiguous memory.
struct Segment {
    PhysAddr address;
    u32 bytes = 0;
};

/// What a device is, and what it takes in one request. Constant while it is open.
struct Geometry {
    u64 sectors = 0;
    u32 sector_bytes = 0;          ///< a power of two, 512 at least; requests are counted in it
    u32 physical_sector_bytes = 0; ///< a multiple: what the medium writes as one piece
    u32 sectors_max = 0;           ///< of one request with data
    u32 segments_max = 0;
    /// Each segment begins at a multiple of this, and has such a length. A power of two.
    u32 segment_alignment = 1;
    /// Every segment but the first begins, and every one but the last ends, at a multiple of this;
    /// 1: anywhere. A power of two.
    u32 segment_boundary = 1;
    bool has_volatile_cache = false; ///< what is written needs a flush to be durable
    bool can_deallocate = false;
    bool can_write_zeroes = false;
    bool is_read_only = false;
};

struct RequestsTag;

/// One request.
class Request : public ListNode<RequestsTag> {
public:
    /// In context work or where the device is polled; the device has let go of request and memory.
    using Done = void (*)(Request& request, Result<void> outcome);

    /// What a driver keeps with a request while it is in flight.
    static constexpr usize room_bytes = 128;

    Operation operation{};
    bool is_through = false; ///< of a write: it is durable when it is done
    u64 sector = 0;
    u32 count = 0; ///< of sectors; 0 for a flush
    std::span<Segment const> segments{};
    Nanos time_out{}; ///< how long the device may take; 0: as long as its driver thinks right
    Done done = nullptr;
    void* context = nullptr; ///< of whoever asks

    /// The device's own, from when it makes it until it has let go of the request. Nobody destroys
    /// it: a destructor that does more than look that all is in order is not called.
    template<class T>
    T& make_room() {
        static_assert(sizeof(T) <= room_bytes && alignof(T) <= alignof(std::max_align_t));
        return *::new (static_cast<void*>(m_room)) T();
    }
    template<class T>
    T& room() {
        void* const place = m_room;
        return *std::launder(static_cast<T*>(place));
    }

    // ---- of the layers that a request passes on its way down ----

    /// The most layers that may lie above one another where a request is passed on as it is: a
    /// partition's three, a stripe, and three again. A layer over other disks looks whether there
    /// are `layers_of_disk` left behind its own, and sends a request of its own where not.
    static constexpr u32 layers_max = 7, layers_of_disk = 3;
    u32 layers_left() const { return layers_max - m_layers; }

    /// A layer passes the request on and wants to hear of its end first: `its_done` is called with
    /// `its_context` in `context`, and calls `pop` before anything else. Any context. O(1).
    void push(Done its_done, void* its_context, u64 note) {
        CHECK(m_layers < layers_max);
        m_layer[m_layers++] = {done, context, note};
        done = its_done;
        context = its_context;
    }
    /// What the layer above has asked for stands in `done` and `context` again; the note of `push`.
    u64 pop() {
        CHECK(m_layers > 0);
        Layer const& layer = m_layer[--m_layers];
        done = layer.done;
        context = layer.context;
        return layer.note;
    }

private:
    struct Layer {
        Done done = nullptr;
        void* context = nullptr;
        u64 note = 0;
    };

    alignas(std::max_align_t) std::byte m_room[room_bytes];
    Layer m_layer[layers_max]; ///< what each has put aside; the first is the outermost
    u32 m_layers = 0;
};

/// An injected seam: drivers, partitions, stripes and layers are all one. Whoever opens a device
/// closes it; the device is at rest then.
class Device {
public:
    Device(Device const&) = delete;
    Device& operator=(Device const&) = delete;

    virtual Geometry const& geometry() const = 0;
    /// "nvme0n1"; lives as long as the device.
    virtual std::string_view name() const = 0;

    /// Starts a request; it, its segments and their memory are the device's until `done` is called,
    /// never from inside. Errors, at once: invalid_argument (no sector, too many, segments that do
    /// not make up the sectors or that the geometry does not allow), out_of_range, not_supported,
    /// permission_denied (it is read-only), io_failed (the device is gone). What it comes to:
    /// io_failed, corrupted (data is lost), timed_out, permission_denied, cancelled (the device was
    /// removed). Any context up to irq; no lock of rank `device` or above is held. O(segments).
    virtual Result<void> submit(Request& request) = 0;

    /// Until `release`, on the same processor, the device may keep what is submitted to itself, so
    /// that it is told of many requests at once. Calls nest. Any context up to irq; the caller
    /// stays on its processor. O(1).
    virtual void hold() {}
    virtual void release() {}

    /// Takes what the device is done with on the calling processor's queue, calling `done` for
    /// each, and says how many there were. Context thread or work; O(that many). Of use where the
    /// device is polled, and harmless elsewhere.
    virtual u32 poll() { return 0; }

    /// How long who waits for a request had better poll before it sleeps; for ever (Nanos max)
    /// where nothing would wake it. Any context; O(1).
    virtual Nanos poll_time() const { return {}; }

    /// Ends the device: its memory is given back. Context thread; nothing is in flight.
    virtual void close() = 0;

protected:
    Device() = default;
    ~Device() = default;
};

/// Checks a request against a geometry: errors as of Device::submit. Pure. O(segments).
Result<void> check(Request const& request, Geometry const& geometry);

} // namespace twofold::block
