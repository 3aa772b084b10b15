// The map of a compressed disk: in memory while it is open, and on the device in two copies, of
// which a commit writes over the older.
//
// A commit writes the map pages that have changed, waits until they and all data are durable, then
// writes the superblock of the next generation and waits for that. So a power cut leaves the state
// before it or the one behind it: pages of a generation that no superblock names are not believed.
//
// One context at a time, context thread. Errors of all: those of the device.
//
// Source: the two copies by turns are those of shadow paging (Lorie, ACM TODS 2(1), 1977).
#pragma once

#include "core/device/block/compressed_format.hpp"
#include "core/device/block/compressed_space.hpp"
#include "core/device/block/device.hpp"

namespace twofold::block::compressed {

class Map {
public:
    /// `page` is a page for input and output, as long as this.
    Map(Device& device, memory::KernelHeap& heap, PhysAddr page)
        : m_device(device), m_page(page), m_entries(heap), m_states(heap), m_space(heap) {}

    /// Makes an empty disk on the device, whatever was there. Errors: those of make_super;
    /// out_of_memory.
    Result<void>
    create(u64 id, u64 clusters, codec::Parameters const& parameters, std::string_view name);
    /// Finds the disk on the device. Errors: not_found (none), not_supported (of another version),
    /// corrupted, out_of_memory.
    Result<void> open();

    /// What disk there is, without opening it. Errors: as above.
    Result<Super> read_super();

    Super const& super() const { return m_super; }
    Entry const& entry(u64 cluster) const { return m_entries[cluster]; }
    /// The cluster lies there now, and no longer where it did.
    void set_entry(u64 cluster, Entry const& entry);
    Result<u64> take(u32 pages) { return m_space.take(pages); }
    void give_back(u64 first, u32 pages) { m_space.leave(first, pages); }

    /// All that was written is durable, and this state with it. Where that fails before the
    /// superblock is written, it can be tried again; from then on it is not known which of the two
    /// states is there, and nothing more is written: io_failed.
    Result<void> commit();

    u64 free_pages() const { return m_space.free_pages(); }
    bool has_leaving() const { return m_space.has_leaving(); }
    u64 used_clusters() const { return m_used_clusters; }
    u64 stored_pages() const { return m_stored_pages; }
    /// Something was written to the device that is not durable yet.
    void note_write() { m_has_written = true; }

private:
    struct PageState {
        u8 copy = 0; ///< which one is current
        bool is_dirty = false;
    };

    u64 device_pages() const;
    Result<void> transfer(Operation operation, u64 page, bool is_through = false);
    template<class T>
    void load(T& object) const;
    template<class T>
    void store(T const& object);
    Result<void> prepare();
    Result<void> read_map_page(u64 index);
    Result<void> keep_entries();
    Result<void> write_map_page(u64 index, u64 generation);
    Result<void> write_super(u64 generation);
    void fill(MapPage& map, u64 index) const;

    Device& m_device;
    PhysAddr m_page;
    Super m_super;
    memory::Vector<Entry, memory::KernelHeap> m_entries;
    memory::Vector<PageState, memory::KernelHeap> m_states;
    Space m_space;
    u64 m_used_clusters = 0;
    u64 m_stored_pages = 0;
    bool m_has_written = false;
    bool m_is_lost = false; ///< which state is on the device is not known
};

} // namespace twofold::block::compressed
