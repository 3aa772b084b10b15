// A disk whose clusters lie compressed on another device, which may be smaller than the disk says
// to be: a layer like any other, a block::Device over a block::Device.
//
// A thread of its own performs requests, one at a time in the order of their coming: compression is
// no work for context irq. The cluster that was used last is kept as it is, so that small writes
// one behind the other are compressed once. A flush, or a write through, makes all of it durable
// (compressed_map.hpp); a read whose checksum is wrong is corrupted and brings nothing.
//
// Where the device has no place left, what needs some fails with no_space, and what is there stays.
// As the clusters of a full device cannot be written over without a free place, a twentieth of it,
// or some clusters at least, is kept from ever new clusters.
//
// Invariant: the cached cluster, where it is dirty, is younger than what the map says of it.
#pragma once

#include "core/device/block/compressed_map.hpp"
#include "core/task/task.hpp"

#include <optional>

namespace twofold::block {

class CompressedDisk final : public Device {
public:
    struct Options {
        u64 size = 0; ///< bytes; rounded up to clusters
        codec::Parameters parameters{codec::Algorithm::lz4, 0};
        u64 id = 0; ///< drawn by the caller: tells the disk's pages from an older disk's
    };
    struct Counts {
        u64 used_clusters = 0;
        u64 stored_pages = 0; ///< that they take
        u64 free_pages = 0;
        u64 compressed = 0; ///< clusters, since it was opened
        u64 decompressed = 0;
        u64 commits = 0;
        u64 damaged = 0; ///< clusters whose checksum was wrong
    };

    /// Makes an empty disk on `device`, which loses what it holds, and opens it. Context thread,
    /// where there are threads. Errors: those of compressed::Map; not_supported (there are no
    /// threads, or the device's sectors are larger than pages).
    static Result<CompressedDisk*> create(
        memory::KernelHeap& heap,
        memory::BuddyFrames& frames,
        std::string_view name,
        Device& device,
        Options const& options);
    /// Opens the disk that is on `device`, which outlives it, by the name that it was given.
    /// Errors: the same.
    static Result<CompressedDisk*>
    open(memory::KernelHeap& heap, memory::BuddyFrames& frames, Device& device);
    /// What such a disk `device` holds, unopened. Context thread. Errors: those of Map::open.
    static Result<compressed::Super>
    find(memory::KernelHeap& heap, memory::BuddyFrames& frames, Device& device);

    Geometry const& geometry() const override { return m_geometry; }
    std::string_view name() const override { return m_name; }
    Result<void> submit(Request& request) override;
    /// What was not flushed is, as far as the device lets it.
    void close() override;

    compressed::Super const& super() const { return m_map.super(); }
    codec::Parameters parameters() const { return parameters_of(m_map.super()); }
    /// As they were after the last request.
    Counts counts();

private:
    static constexpr u64 none = ~u64{0};
    static constexpr Bytes stack{u64{64} << 10};

    CompressedDisk(
        memory::KernelHeap& heap, memory::BuddyFrames& frames, Device& device, PhysAddr page)
        : m_heap(heap),
          m_frames(frames),
          m_device(device),
          m_page(page),
          m_map(device, heap, page) {}
    ~CompressedDisk() = default;

    static Result<CompressedDisk*>
    make(memory::KernelHeap& heap, memory::BuddyFrames& frames, Device& device);
    static Result<CompressedDisk*> begun(CompressedDisk& disk, Result<void> const& mapped);
    Result<void> begin();
    void end();

    static void run(void* self);
    Request* next();
    Result<void> perform(Request const& request);
    Result<void> move_data(Request const& request);
    Result<void> clear(Request const& request);
    Result<void> clear_part(u64 cluster, u64 at, u64 bytes);
    Result<void> commit();

    Result<void> use(u64 cluster);
    Result<void> load(u64 cluster);
    Result<void> store();
    Result<u64> place_for(u32 pages, bool is_new);
    Result<void> write_stored(compressed::Entry entry, PhysAddr from);
    Result<void> transfer(Operation operation, u64 page, u32 pages, PhysAddr memory);
    std::span<std::byte> cluster_bytes() const;
    std::span<std::byte> packed_bytes() const;
    void note_counts();

    memory::KernelHeap& m_heap;
    memory::BuddyFrames& m_frames;
    Device& m_device;
    PhysAddr m_page; ///< of the map, for input and output
    FixedString<compressed::name_max> m_name;
    Geometry m_geometry;
    compressed::Map m_map;
    PhysAddr m_cluster_memory{};
    PhysAddr m_packed_memory{};
    std::span<std::byte> m_workspace;
    std::optional<codec::Codec> m_codec;
    u64 m_cluster = none; ///< which one is in its memory
    bool m_is_dirty = false;
    Counts m_working; ///< of the thread

    task::Thread* m_thread = nullptr;
    std::optional<task::Semaphore<task::KernelThreads>> m_work;

    sync::SpinLock m_lock{sync::LockRank::device};
    IntrusiveList<Request, RequestsTag> m_waiting GUARDED_BY(m_lock);
    bool m_is_ending GUARDED_BY(m_lock) = false;
    Counts m_counts GUARDED_BY(m_lock);
};

} // namespace twofold::block
