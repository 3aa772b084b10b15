// See compressed_disk.hpp.
#include "core/device/block/compressed_disk.hpp"

#include "core/device/block/transfer.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

namespace twofold::block {

using namespace compressed;

namespace {

constexpr u32 sector_bytes = 512;
constexpr u64 cluster_sectors = compressed::cluster_bytes / sector_bytes;

/// What is compressed has to save a page at least.
constexpr u64 packed_bytes_max = compressed::cluster_bytes - page_bytes;

/// Places that new clusters leave free, so that old ones can be written over.
constexpr u64 reserve_of(u64 device_pages) {
    return std::max<u64>(device_pages / 20, u64{4} * cluster_pages);
}

bool is_all_zero(std::span<std::byte const> bytes) {
    return std::ranges::all_of(bytes, [](std::byte each) { return each == std::byte{}; });
}

} // namespace

Result<CompressedDisk*>
CompressedDisk::make(memory::KernelHeap& heap, memory::BuddyFrames& frames, Device& device) {
    if (task::Threads::here() == nullptr || device.geometry().sector_bytes > page_bytes) {
        return Error::not_supported;
    }
    PhysAddr const page = TRY(frames.allocate({.pages = 1}));
    auto const room = memory::allocate_room<CompressedDisk>(heap, 1);
    if (!room) {
        frames.free_pages(page, 1).value(); // taken just now
        return room.error();
    }
    return new (room.value()) CompressedDisk(heap, frames, device, page);
}

Result<CompressedDisk*> CompressedDisk::create(
    memory::KernelHeap& heap,
    memory::BuddyFrames& frames,
    std::string_view name,
    Device& device,
    Options const& options) {
    CompressedDisk* const disk = TRY(make(heap, frames, device));
    u64 const clusters =
        align_up(options.size, compressed::cluster_bytes) / compressed::cluster_bytes;
    return begun(*disk, disk->m_map.create(options.id, clusters, options.parameters, name));
}

Result<CompressedDisk*>
CompressedDisk::open(memory::KernelHeap& heap, memory::BuddyFrames& frames, Device& device) {
    CompressedDisk* const disk = TRY(make(heap, frames, device));
    return begun(*disk, disk->m_map.open());
}

Result<Super>
CompressedDisk::find(memory::KernelHeap& heap, memory::BuddyFrames& frames, Device& device) {
    if (device.geometry().sector_bytes > page_bytes) {
        return Error::not_found;
    }
    PhysAddr const page = TRY(frames.allocate({.pages = 1}));
    auto found = Map(device, heap, page).read_super();
    frames.free_pages(page, 1).value(); // taken just now
    return found;
}

Result<CompressedDisk*> CompressedDisk::begun(CompressedDisk& disk, Result<void> const& mapped) {
    Result<void> const outcome = mapped ? disk.begin() : mapped;
    if (!outcome) {
        disk.end();
        return outcome.error();
    }
    return &disk;
}

Result<void> CompressedDisk::begin() {
    TRY(m_name.append(name_of(m_map.super())));
    m_cluster_memory = TRY(m_frames.allocate({.pages = cluster_pages}));
    m_packed_memory = TRY(m_frames.allocate({.pages = cluster_pages}));
    usize const bytes = TRY(codec::workspace_bytes(parameters(), compressed::cluster_bytes));
    u64 const pages = align_up(bytes, page_bytes) / page_bytes;
    PhysAddr const workspace = TRY(m_frames.allocate({.pages = pages}));
    m_workspace = {hal::Memory::linear(workspace), pages * page_bytes};
    m_codec = TRY(codec::Codec::create(parameters(), compressed::cluster_bytes, m_workspace));
    m_geometry = {
        .sectors = m_map.super().clusters * cluster_sectors,
        .sector_bytes = sector_bytes,
        .physical_sector_bytes = static_cast<u32>(page_bytes),
        .sectors_max = 2048,
        .segments_max = 256,
        .has_volatile_cache = true,
        .can_deallocate = true,
        .can_write_zeroes = true,
        .is_read_only = m_device.geometry().is_read_only};
    note_counts();
    task::Threads& threads = *task::Threads::here();
    m_work.emplace(threads.waiting(), 0u);
    task::ThreadAttributes attributes;
    attributes.name = m_name;
    attributes.stack = stack;
    m_thread = TRY(threads.spawn(attributes, run, this));
    return {};
}

void CompressedDisk::end() {
    for (PhysAddr const memory : {m_cluster_memory, m_packed_memory}) {
        if (memory != PhysAddr{}) { // frame 0 is never given out
            m_frames.free_pages(memory, cluster_pages).value();
        }
    }
    if (!m_workspace.empty()) {
        PhysAddr const place = hal::Memory::physical(m_workspace.data());
        m_frames.free_pages(place, m_workspace.size() / page_bytes).value();
    }
    m_frames.free_pages(m_page, 1).value(); // taken by `make`
    memory::KernelHeap& heap = m_heap;
    this->~CompressedDisk();
    memory::free_room(heap, this);
}

void CompressedDisk::close() {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        m_is_ending = true;
    }
    m_work->release().value();
    task::Threads::here()->join(*m_thread).value();
    end();
}

CompressedDisk::Counts CompressedDisk::counts() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_counts;
}

void CompressedDisk::note_counts() {
    m_working.used_clusters = m_map.used_clusters();
    m_working.stored_pages = m_map.stored_pages();
    m_working.free_pages = m_map.free_pages();
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    m_counts = m_working;
}

Result<void> CompressedDisk::submit(Request& request) {
    TRY(check(request, m_geometry));
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        CHECK(!m_is_ending);
        m_waiting.push_back(request);
    }
    m_work->release().value(); // there are never so many
    return {};
}

/// The next request; null: the disk is being closed, and there is none.
Request* CompressedDisk::next() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    CHECK(!m_waiting.empty() || m_is_ending);
    return m_waiting.empty() ? nullptr : &m_waiting.pop_front();
}

/// The life of the disk's thread.
void CompressedDisk::run(void* self) {
    auto& disk = *static_cast<CompressedDisk*>(self);
    while (true) {
        disk.m_work->acquire();
        Request* const request = disk.next();
        if (request == nullptr) {
            break;
        }
        Result<void> const outcome = disk.perform(*request);
        disk.note_counts();
        request->done(*request, outcome);
    }
    static_cast<void>(disk.commit()); // nobody is there any more to hear of it
}

Result<void> CompressedDisk::perform(Request const& request) {
    switch (request.operation) {
    case Operation::read:
        return move_data(request);
    case Operation::write:
        TRY(move_data(request));
        return request.is_through ? commit() : Result<void>();
    case Operation::flush:
        return commit();
    case Operation::deallocate:
    case Operation::write_zeroes:
        return clear(request);
    }
    return Error::invalid_argument;
}

Result<void> CompressedDisk::commit() {
    if (m_geometry.is_read_only) {
        return {};
    }
    TRY(store());
    TRY(m_map.commit());
    ++m_working.commits;
    return {};
}

/// Copies between the request's memory and the clusters, piece by piece.
Result<void> CompressedDisk::move_data(Request const& request) {
    bool const is_read = request.operation == Operation::read;
    u64 at = request.sector * sector_bytes;
    for (Segment const& segment : request.segments) {
        for (u32 done = 0; done < segment.bytes;) {
            u64 const inside = at % compressed::cluster_bytes;
            u64 const left = segment.bytes - done;
            u64 const step = std::min(left, compressed::cluster_bytes - inside);
            TRY(use(at / compressed::cluster_bytes));
            std::byte* const memory = hal::Memory::linear(segment.address + Bytes{done});
            std::byte* const held = cluster_bytes().subspan(inside, step).data();
            std::memcpy(is_read ? memory : held, is_read ? held : memory, step);
            m_is_dirty = m_is_dirty || !is_read;
            at += step;
            done += static_cast<u32>(step);
        }
    }
    return {};
}

/// Whole clusters are let go of; of others a part becomes zeros, and stays where it is merely not
/// needed any more.
Result<void> CompressedDisk::clear(Request const& request) {
    u64 const end = (request.sector + request.count) * sector_bytes;
    for (u64 at = request.sector * sector_bytes; at < end;) {
        u64 const cluster = at / compressed::cluster_bytes;
        u64 const inside = at % compressed::cluster_bytes;
        u64 const step = std::min(end - at, compressed::cluster_bytes - inside);
        if (step == compressed::cluster_bytes) {
            if (m_cluster == cluster) {
                m_cluster = none;
                m_is_dirty = false;
            }
            m_map.set_entry(cluster, {});
        } else if (request.operation == Operation::write_zeroes) {
            TRY(clear_part(cluster, inside, step));
        }
        at += step;
    }
    return request.is_through ? commit() : Result<void>();
}

Result<void> CompressedDisk::clear_part(u64 cluster, u64 at, u64 bytes) {
    TRY(use(cluster));
    std::ranges::fill(cluster_bytes().subspan(at, bytes), std::byte{});
    m_is_dirty = true;
    return {};
}

std::span<std::byte> CompressedDisk::cluster_bytes() const {
    return {hal::Memory::linear(m_cluster_memory), compressed::cluster_bytes};
}

std::span<std::byte> CompressedDisk::packed_bytes() const {
    return {hal::Memory::linear(m_packed_memory), compressed::cluster_bytes};
}

/// The cluster is in its memory afterwards. The one before keeps its place if it cannot be stored.
Result<void> CompressedDisk::use(u64 cluster) {
    if (m_cluster == cluster) {
        return {};
    }
    TRY(store());
    m_cluster = none;
    TRY(load(cluster));
    m_cluster = cluster;
    return {};
}

Result<void> CompressedDisk::load(u64 cluster) {
    Entry const& entry = m_map.entry(cluster);
    if (entry.page == 0) {
        std::ranges::fill(cluster_bytes(), std::byte{});
        return {};
    }
    bool const is_plain = entry.bytes == compressed::cluster_bytes;
    PhysAddr const memory = is_plain ? m_cluster_memory : m_packed_memory;
    TRY(transfer(Operation::read, entry.page, entry.pages(), memory));
    auto const stored = (is_plain ? cluster_bytes() : packed_bytes()).first(entry.bytes);
    bool const is_right = checksum_of(cluster, m_map.super().id, stored) == entry.checksum;
    if (!is_right || (!is_plain && !m_codec->decompress(stored, cluster_bytes()))) {
        ++m_working.damaged;
        return Error::corrupted;
    }
    ++m_working.decompressed;
    return {};
}

/// Where a cluster goes that takes so many pages; a new one leaves the reserve.
Result<u64> CompressedDisk::place_for(u32 pages, bool is_new) {
    auto const take = [&]() -> Result<u64> {
        u64 const reserve = is_new ? reserve_of(m_map.super().device_pages) : 0;
        return m_map.free_pages() >= pages + reserve ? m_map.take(pages) : Error::no_space;
    };
    auto first = take();
    if (first || !m_map.has_leaving()) {
        return first;
    }
    TRY(m_map.commit()); // what is written over becomes free
    ++m_working.commits;
    return take();
}

/// Brings the cluster that is in memory to the device, if it is younger than what is there.
Result<void> CompressedDisk::store() {
    if (!m_is_dirty) {
        return {};
    }
    if (is_all_zero(cluster_bytes())) {
        m_map.set_entry(m_cluster, {});
        m_is_dirty = false;
        return {};
    }
    auto const packed = m_codec->compress(cluster_bytes(), packed_bytes().first(packed_bytes_max));
    if (!packed && packed.error() != Error::no_space) {
        return packed.error();
    }
    auto const stored = packed ? packed_bytes().first(packed.value()) : cluster_bytes();
    Entry entry{
        .bytes = static_cast<u32>(stored.size()),
        .checksum = checksum_of(m_cluster, m_map.super().id, stored)};
    bool const is_new = m_map.entry(m_cluster).page == 0;
    entry.page = static_cast<u32>(TRY(place_for(entry.pages(), is_new)));
    TRY(write_stored(entry, packed ? m_packed_memory : m_cluster_memory));
    m_map.set_entry(m_cluster, entry);
    m_is_dirty = false;
    ++m_working.compressed;
    return {};
}

Result<void> CompressedDisk::write_stored(Entry entry, PhysAddr from) {
    u64 const filled = entry.bytes;
    u64 const whole = u64{entry.pages()} * page_bytes;
    std::memset(hal::Memory::linear(from + Bytes{filled}), 0, whole - filled);
    auto const written = transfer(Operation::write, entry.page, entry.pages(), from);
    if (!written) {
        m_map.give_back(entry.page, entry.pages());
    }
    return written;
}

/// Pages of the device, in as many requests as it takes.
Result<void> CompressedDisk::transfer(Operation operation, u64 page, u32 pages, PhysAddr memory) {
    Geometry const& below = m_device.geometry();
    u32 const per_page = static_cast<u32>(page_bytes >> std::countr_zero(below.sector_bytes));
    u32 const at_once = std::max(below.sectors_max / per_page, u32{1});
    for (u32 done = 0; done < pages;) {
        u32 const step = std::min(pages - done, at_once);
        TRY(block::perform(
            m_device, Transfer{
                          .operation = operation,
                          .sector = (page + done) * per_page,
                          .count = step * per_page,
                          .memory = memory + page_size * done}));
        done += step;
    }
    if (operation == Operation::write) {
        m_map.note_write();
    }
    return {};
}

} // namespace twofold::block
