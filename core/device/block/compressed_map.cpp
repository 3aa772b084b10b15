// See compressed_map.hpp.
#include "core/device/block/compressed_map.hpp"

#include "core/device/block/transfer.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace twofold::block::compressed {

u64 Map::device_pages() const {
    Geometry const& geometry = m_device.geometry();
    u64 const per_page = page_bytes >> std::countr_zero(geometry.sector_bytes);
    CHECK(per_page != 0); // who opens a disk has seen to it
    return geometry.sectors / per_page;
}

/// One page, from or to the own page of memory.
Result<void> Map::transfer(Operation operation, u64 page, bool is_through) {
    u32 const sectors =
        static_cast<u32>(page_bytes >> std::countr_zero(m_device.geometry().sector_bytes));
    return perform(
        m_device, Transfer{
                      .operation = operation,
                      .sector = page * sectors,
                      .count = sectors,
                      .memory = m_page,
                      .is_through = is_through});
}

template<class T>
void Map::load(T& object) const {
    static_assert(sizeof(T) <= page_bytes);
    std::memcpy(&object, hal::Memory::linear(m_page), sizeof(object));
}

template<class T>
void Map::store(T const& object) {
    static_assert(sizeof(T) <= page_bytes);
    std::byte* const memory = hal::Memory::linear(m_page);
    std::memset(memory, 0, page_bytes);
    std::memcpy(memory, &object, sizeof(object));
}

/// What open and create have in common, once the superblock is known.
Result<void> Map::prepare() {
    Shape const shape = shape_of(m_super);
    m_entries.clear();
    m_states.clear();
    TRY(m_entries.reserve(shape.clusters));
    for (u64 i = 0; i < shape.clusters; ++i) {
        TRY(m_entries.emplace());
    }
    TRY(m_states.reserve(shape.map_pages()));
    for (u64 i = 0; i < shape.map_pages(); ++i) {
        TRY(m_states.emplace());
    }
    return m_space.prepare(shape.device_pages, shape.first_data_page());
}

Result<void>
Map::create(u64 id, u64 clusters, codec::Parameters const& parameters, std::string_view name) {
    m_super = TRY(make_super(id, device_pages(), clusters, parameters, name));
    TRY(prepare());
    // What was there before is no disk any more, however far this comes.
    hal::Memory::zero_pages(hal::Memory::linear(m_page), page_size);
    for (u64 page = 0; page < super_pages; ++page) {
        TRY(transfer(Operation::write, page, page + 1 == super_pages));
    }
    TRY(flush(m_device));
    for (u64 index = 0; index < m_states.size(); ++index) {
        TRY(write_map_page(index, 1));
    }
    TRY(flush(m_device));
    return write_super(1);
}

// The younger of the two that are sound; if neither is, what is wrong with one that looks like it.
Result<Super> Map::read_super() {
    std::optional<Super> best;
    Error error = Error::not_found;
    for (u64 page = 0; page < super_pages; ++page) {
        TRY(transfer(Operation::read, page));
        auto const found =
            check_super({hal::Memory::linear(m_page), page_bytes}, page, device_pages());
        if (!found) {
            error = found.error() != Error::not_found ? found.error() : error;
        } else if (!best || found.value().generation > best->generation) {
            best = found.value();
        }
    }
    return best ? Result<Super>(*best) : error;
}

Result<void> Map::open() {
    m_super = TRY(read_super());
    TRY(prepare());
    for (u64 index = 0; index < m_states.size(); ++index) {
        TRY(read_map_page(index));
    }
    return keep_entries();
}

/// The younger of the two copies that can be believed.
Result<void> Map::read_map_page(u64 index) {
    u64 best = 0;
    for (u8 copy = 0; copy < 2; ++copy) {
        u64 const where = shape_of(m_super).map_page(index, copy);
        TRY(transfer(Operation::read, where));
        MapPage map;
        load(map);
        if (!check_map(map, m_super, index, where)) {
            continue;
        }
        if (map.header.generation > m_super.generation) {
            // Of a commit that was cut off. Generations go on from the superblock's, so it would be
            // believed one day: the next commit writes over it.
            m_states[index].is_dirty = true;
            continue;
        }
        if (map.header.generation <= best) {
            continue;
        }
        best = map.header.generation;
        m_states[index].copy = copy;
        u64 const first = index * entries_per_page;
        u64 const count = std::min<u64>(entries_per_page, m_super.clusters - first);
        for (u64 i = 0; i < count; ++i) {
            m_entries[first + i] = map.entries[i];
        }
    }
    return best != 0 ? Result<void>() : Error::corrupted;
}

Result<void> Map::keep_entries() {
    for (Entry const& entry : m_entries.items()) {
        if (entry.page != 0) {
            TRY(m_space.keep(entry.page, entry.pages()));
            ++m_used_clusters;
            m_stored_pages += entry.pages();
        }
    }
    return {};
}

void Map::set_entry(u64 cluster, Entry const& entry) {
    Entry& held = m_entries[cluster];
    if (held.page != 0) {
        m_space.leave(held.page, held.pages());
        --m_used_clusters;
        m_stored_pages -= held.pages();
    }
    if (entry.page != 0) {
        ++m_used_clusters;
        m_stored_pages += entry.pages();
    }
    held = entry;
    m_states[cluster / entries_per_page].is_dirty = true;
}

void Map::fill(MapPage& map, u64 index) const {
    u64 const first = index * entries_per_page;
    u64 const count = std::min<u64>(entries_per_page, m_super.clusters - first);
    for (u64 i = 0; i < count; ++i) {
        map.entries[i] = m_entries[first + i];
    }
}

/// Over the copy that is not current: whatever becomes of it, the current one stays.
Result<void> Map::write_map_page(u64 index, u64 generation) {
    u32 const copy = generation == 1 ? 0 : 1 - u32{m_states[index].copy};
    u64 const where = shape_of(m_super).map_page(index, copy);
    MapPage map;
    fill(map, index);
    seal(map, m_super, index, where, generation);
    store(map);
    return transfer(Operation::write, where);
}

Result<void> Map::write_super(u64 generation) {
    Super next = m_super;
    seal(next, generation);
    store(next);
    TRY(transfer(Operation::write, next.page, true));
    m_super = next;
    return {};
}

Result<void> Map::commit() {
    if (m_is_lost) {
        return Error::io_failed;
    }
    bool const has_changed = std::ranges::any_of(
        m_states.items(), [](PageState const& state) { return state.is_dirty; });
    if (!has_changed && !m_has_written) {
        return {};
    }
    u64 const generation = m_super.generation + 1;
    for (u64 index = 0; index < m_states.size(); ++index) {
        if (m_states[index].is_dirty) {
            TRY(write_map_page(index, generation));
        }
    }
    TRY(flush(m_device));
    m_has_written = false;
    if (!has_changed) {
        return {};
    }
    if (auto const written = write_super(generation); !written) {
        m_is_lost = true;
        return written;
    }
    for (PageState& state : m_states.items()) {
        if (std::exchange(state.is_dirty, false)) {
            state.copy = static_cast<u8>(1 - state.copy);
        }
    }
    m_space.commit();
    return {};
}

} // namespace twofold::block::compressed
