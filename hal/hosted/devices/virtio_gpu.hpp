// The display of the hosted machine: a GPU of VIRTIO (1.2, section 5.7) in two dimensions with one
// scanout, whose frames go to a sink.
//
// A driver makes resources, gives them backing in its memory, copies from there into them and
// flushes what the scanout shows; each command is done when its notification returns. What is
// flushed is handed to the sink in words of one format. A scanout that is switched off leaves the
// last frame where it is.
//
// The size that the kernel is told is the window's: `set_size` changes it, and the kernel is told
// that it changed (EVENT_DISPLAY). What it makes of that is its own affair.
//
// Not offered: EDID, a cursor's picture (the commands of its queue are accepted and show nothing),
// blobs, contexts of three dimensions.
//
// Invariant: beside the sink all is plain data; resources hold at most `bytes_max` together.
#pragma once

#include "hal/hosted/devices/frame_sink.hpp"
#include "hal/hosted/devices/virtio_gpu_layout.hpp"
#include "hal/hosted/devices/virtio_pci.hpp"

#include <atomic>
#include <map>
#include <string_view>
#include <vector>

namespace hosted {

/// What a device was asked for since its machine started.
struct GpuCounts {
    u64 commands = 0;
    u64 errors = 0; ///< commands that were refused
    u64 flushes = 0;
};

class VirtioGpu final : public VirtioPci {
public:
    static constexpr u32 side_max = 8192;            ///< of a resource or the display
    static constexpr u64 bytes_max = u64{256} << 20; ///< of all resources
    static constexpr u32 resources_max = 256;
    static constexpr u32 backing_entries_max = 16384; ///< of one resource

    /// `sink` outlives the device.
    VirtioGpu(FrameSink& sink, FrameSize size);

    /// The display would rather have this size: Machine::notice_device is to be called behind it.
    /// Sides beyond side_max, or of no length, are brought to what is allowed. Any thread.
    void set_size(FrameSize size);
    /// Between two calls of the device.
    FrameSize size() const { return m_size; }
    GpuCounts const& counts() const { return m_counts; }

    void noticed(DeviceBus& bus) override;

private:
    struct Resource {
        u32 format = 0;
        FrameSize size{};
        std::vector<u8> pixels{}; ///< rows one behind the other
        std::vector<gpu::BackingEntry> backing{};

        void archive(StateArchive& state) {
            state(format);
            state(size);
            state(pixels);
            state(backing);
        }
    };
    struct Scanout {
        u32 resource = 0; ///< 0: off
        FrameArea area{};
    };

    void reset_own() override;
    void fill_config(std::span<std::byte> config) const override;
    void config_written(DeviceBus& bus, u64 offset, std::span<std::byte const> config) override;
    void notified(DeviceBus& bus, u32 queue) override;
    void archive_own(StateArchive& state) override;
    void loaded() override;

    void serve(DeviceBus& bus, u32 queue, VirtioChain const& chain);
    gpu::Answer perform(DeviceBus& bus, u32 type, VirtioChain const& chain);
    gpu::Answer create(gpu::CreateResource const& wanted);
    gpu::Answer unref(u32 resource);
    gpu::Answer attach(DeviceBus& bus, gpu::AttachBacking const& wanted, VirtioChain const& chain);
    gpu::Answer detach(u32 resource);
    gpu::Answer set_scanout(gpu::SetScanout const& wanted);
    gpu::Answer transfer(DeviceBus& bus, gpu::Transfer const& wanted);
    gpu::Answer flush(gpu::Flush const& wanted);
    void show(FrameArea const& area);
    Resource* find(u32 resource);

    FrameSink& m_sink;
    std::atomic<u64> m_wanted_size; ///< width in the upper half; from any thread
    FrameSize m_size{};             ///< what the kernel is told
    u32 m_events = 0;
    FrameSize m_shown{}; ///< the sink's
    Scanout m_scanout{};
    std::map<u32, Resource> m_resources;
    u64 m_bytes = 0; ///< of their pixels
    GpuCounts m_counts{};
};

} // namespace hosted
