// See mmu.hpp.
#include "hal/hosted/mmu.hpp"

#include "hal/hosted/host_mapping.hpp"

#include <fmt/format.h>
#include <sanitizer_choice.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <mutex>
#include <sys/mman.h>

namespace hosted {

namespace {

constexpr std::array<u32, 3> sets_of_level{tlb_sets_4k, tlb_sets_2m, tlb_sets_1g};
constexpr unsigned linear_level = 1; ///< of the leaves that firmware maps memory by

constexpr u32 capacity_of(u32 ways) {
    return (tlb_sets_4k + tlb_sets_2m + tlb_sets_1g) * ways;
}
static_assert(capacity_of(tlb_ways_max) * mappings_per_translation <= process_mappings_max);

/// Mappings promised to the machines of this process.
std::atomic<u32> promised_mappings{0};

bool promise(u32 mappings) {
    u32 const before = promised_mappings.fetch_add(mappings);
    if (before + mappings <= process_mappings_max) {
        return true;
    }
    promised_mappings.fetch_sub(mappings);
    return false;
}

int protection_of(hal::Access access) {
    return PROT_READ | (includes(access, hal::Access::write) ? PROT_WRITE : 0) |
           (includes(access, hal::Access::execute) ? PROT_EXEC : 0);
}

} // namespace

Mmu::Mmu(PhysicalMemory const& memory, u32 ways) : m_memory(memory), m_ways(ways) {
    for (unsigned index = 0; index < m_levels.size(); ++index) {
        Level& level = m_levels[index];
        level.sets = sets_of_level[index];
        level.span = isa::PageEntry::span(index).value;
        level.entries.resize(usize{level.sets} * ways);
        level.victims.resize(level.sets);
    }
    u64 const leaves = memory.size() / isa::PageEntry::span(linear_level).value;
    m_standing.resize(std::min<u64>(leaves, standing_leaves_max));
}

std::expected<std::unique_ptr<Mmu>, std::string>
Mmu::create(PhysicalMemory const& memory, u32 ways) {
    if (ways < tlb_ways_min || ways > tlb_ways_max) {
        return std::unexpected(fmt::format(
            "{} TLB ways are not possible: choose {} to {}", ways, tlb_ways_min, tlb_ways_max));
    }
    if (!promise(capacity_of(ways) * mappings_per_translation)) {
        return std::unexpected(fmt::format(
            "the host's limit on mappings leaves no room for another machine with {} TLB ways: "
            "give "
            "each machine fewer",
            ways));
    }
    return std::unique_ptr<Mmu>(new Mmu(memory, ways));
}

Mmu::~Mmu() {
    drop_all();
    promised_mappings.fetch_sub(capacity() * mappings_per_translation);
}

u32 Mmu::capacity() const {
    return capacity_of(m_ways);
}

bool Mmu::covers(u64 address) const {
    WindowPlan const& plan = m_memory.plan();
    return plan.whole.contains({address}) && !plan.own.contains({address});
}

/// In one piece: ThreadSanitizer watches the kernel's copy of what this calls, and must not be come
/// to from a signal handler.
[[gnu::flatten]] Walk Mmu::walk(PhysAddr root, u64 address) const {
    return walk_tables(m_memory.span(), root, {address});
}

Mmu::Fill Mmu::fill(u32 slot, PhysAddr root, u64 address, AccessWanted wanted, Walk& found) {
    CHECK(covers(address));
    std::lock_guard const lock(m_lock);
    ++m_statistics.walks;
    found = walk(root, address);
    bool const granted = found.outcome == Walk::Outcome::mapped &&
                         (!wanted.write || includes(found.mapping.access, hal::Access::write)) &&
                         (!wanted.execute || includes(found.mapping.access, hal::Access::execute));
    if (!granted) {
        ++m_statistics.faults;
        return Fill::denied;
    }
    m_roots[slot] = root.value;
    if (m_oracle.debts() != 0) {
        ask_oracle(slot, root, address, wanted, found);
    }
    Level& level = m_levels[found.level];
    Entry& entry = take_entry(level, found.page);
    Entry const wanted_entry{
        found.page, found.mapping.frame.value, root.value, found.mapping.access,
        found.mapping.global};
    if (m_running != 1 && entry == wanted_entry) {
        return Fill::filled; // another processor was faster
    }
    if (!map_leaf(found)) {
        return Fill::host_failed;
    }
    m_cached += entry.page == 0 ? 1 : 0;
    entry = wanted_entry;
    ++m_statistics.fills;
    return Fill::filled;
}

void Mmu::ask_oracle(u32 slot, PhysAddr root, u64 address, AccessWanted wanted, Walk const& found) {
    Translation const used{
        .page = found.page,
        .span = m_levels[found.level].span,
        .frame = found.mapping.frame.value,
        .access = found.mapping.access,
        .root = root.value,
        .global = found.mapping.global};
    bool const is_alias = m_memory.plan().kernel.linear.contains({found.page});
    auto const access = wanted.write     ? hal::Access::write
                        : wanted.execute ? hal::Access::execute
                                         : hal::Access::read;
    m_oracle.check(slot, address, access, used, is_alias, [this](Translation const& gone) {
        Walk const now = walk({gone.root}, gone.page);
        return now.outcome == Walk::Outcome::mapped && now.address.value == gone.frame;
    });
}

void Mmu::add_processor(u32 slot, PhysAddr root) {
    std::lock_guard const lock(m_lock);
    m_running |= u64{1} << slot;
    m_roots[slot] = root.value;
}

void Mmu::remove_processor(u32 slot) {
    std::lock_guard const lock(m_lock);
    m_running &= ~(u64{1} << slot);
    m_oracle.pay_all(slot);
}

/// The processors beside `slot` that may have cached `entry`.
u64 Mmu::debtors(u32 slot, Entry const& entry) const {
    u64 set = m_running & ~(u64{1} << slot);
    for (u64 left = entry.global ? 0 : set; left != 0; left &= left - 1) {
        if (m_roots[static_cast<usize>(std::countr_zero(left))] != entry.root) {
            set &= ~(left & -left);
        }
    }
    return set;
}

/// The entry of `page` if it is cached, else a free one of its set, made free if need be.
Mmu::Entry& Mmu::take_entry(Level& level, u64 page) {
    Entry* const set = level.set(page, m_ways);
    Entry* const end = set + m_ways;
    Entry* const same = std::find_if(set, end, [&](Entry const& it) { return it.page == page; });
    if (same != end) {
        return *same;
    }
    Entry* const unused = std::find_if(set, end, [](Entry const& it) { return it.page == 0; });
    if (unused != end) {
        return *unused;
    }
    u8& next = level.victims[page / level.span % level.sets];
    Entry& victim = set[next];
    next = static_cast<u8>((next + 1) % m_ways);
    Extent extent;
    drop(level, victim, extent);
    withdraw_leaf(extent.first, extent.end - extent.first);
    ++m_statistics.evictions;
    return victim;
}

/// Maps the part of the leaf that lies inside physical memory.
bool Mmu::map_leaf(Walk const& walk) {
    u64 const frame = walk.mapping.frame.value;
    u64 const size = std::min(m_levels[walk.level].span, m_memory.size() - frame);
    int const protection = protection_of(walk.mapping.access);
    m_memory.note_reach(frame, size);
    // A page that is wanted is touched at once: it shall not fault again.
    int const populate = size == page_size.value ? MAP_POPULATE : 0;
    u8* const standing = standing_of(walk.page);
    bool const is_linear = standing != nullptr && walk.level == linear_level &&
                           walk.page - m_memory.plan().kernel.linear.base.value == frame;
    int const error = is_linear && *standing != 0
                          ? protect(walk.page, size, protection)
                          : map_file(walk.page, size, protection, m_memory.file(), frame, populate);
    if (standing != nullptr) {
        *standing = is_linear && error == 0 ? 1 : 0;
    }
    sanitizer::unpoison(walk.page, size);
    return error == 0;
}

/// Of the leaf of the linear window that holds `address`; null: it is none that may stand.
u8* Mmu::standing_of(u64 address) {
    u64 const leaf =
        (address - m_memory.plan().kernel.linear.base.value) / m_levels[linear_level].span;
    return leaf < m_standing.size() ? &m_standing[leaf] : nullptr;
}

/// Forgets `entry`, whose range joins `extent`; the caller takes the host's mapping away.
void Mmu::drop(Level& level, Entry& entry, Extent& extent) {
    CHECK(entry.page != 0 && m_cached > 0);
    sanitizer::unpoison(entry.page, level.span);
    extent.first = std::min(extent.first, entry.page);
    extent.end = std::max(extent.end, entry.page + level.span);
    entry = {};
    --m_cached;
    m_generation.fetch_add(1, std::memory_order_relaxed);
}

void Mmu::withdraw_leaf(u64 page, u64 span) {
    int const error = withdraw(page, span);
    CHECK(error == 0);
    u64 const base = m_memory.plan().kernel.linear.base.value;
    u64 const leaf = m_levels[linear_level].span;
    u64 const end = std::min(page + span, base + m_standing.size() * leaf);
    for (u64 at = page & ~(leaf - 1); at < end; at += leaf) {
        *standing_of(at) = 0;
    }
}

/// Makes the linear window inaccessible; mappings that may stand do.
void Mmu::withdraw_linear() {
    u64 const base = m_memory.plan().kernel.linear.base.value;
    u64 const span = m_levels[linear_level].span;
    for (usize leaf = 0, next = 0; leaf < m_standing.size(); leaf = next) {
        u8 const stands = m_standing[leaf];
        while (next < m_standing.size() && m_standing[next] == stands) {
            ++next;
        }
        if (stands != 0) {
            int const error = protect(base + leaf * span, (next - leaf) * span, PROT_NONE);
            CHECK(error == 0);
        } else {
            withdraw_leaf(base + leaf * span, (next - leaf) * span);
        }
    }
    u64 const rest = base + m_standing.size() * span;
    withdraw_leaf(rest, m_memory.plan().own.base.value - rest);
}

void Mmu::flush_level(u32 slot, Level& level, u64 address, u64 size, Extent& extent) {
    u64 const first = address & ~(level.span - 1);
    u64 const pages = (address + size - 1 - first) / level.span + 1;
    auto const drop_if = [&](Entry& entry) {
        // Modulo 2^64 this is first <= page < first + pages * span.
        if (entry.page != 0 && (entry.page - first) / level.span < pages) {
            Translation const gone{entry.page,   level.span, entry.frame,
                                   entry.access, entry.root, entry.global};
            m_oracle.note_flush(gone, debtors(slot, entry));
            drop(level, entry, extent);
            ++m_statistics.flushes;
        }
    };
    if (pages >= level.sets) {
        std::for_each(level.entries.begin(), level.entries.end(), drop_if);
        return;
    }
    for (u64 page = 0; page < pages; ++page) {
        Entry* const set = level.set(first + page * level.span, m_ways);
        std::for_each(set, set + m_ways, drop_if);
    }
}

void Mmu::flush(u32 slot, u64 address, u64 size) {
    CHECK(size != 0);
    WindowPlan const& plan = m_memory.plan();
    // Nothing outside the window is ever cached.
    u64 const first = std::max(address, plan.whole.base.value);
    u64 const last =
        std::min(address + size - 1, plan.whole.base.value + plan.whole.size.value - 1);
    if (address + size - 1 < address || first > last) {
        return;
    }
    std::lock_guard const lock(m_lock);
    m_oracle.pay(slot, first, last - first + 1);
    flush_range(slot, first, last);
}

/// The part of a flush that lies in the window.
void Mmu::flush_range(u32 slot, u64 first, u64 last) {
    Extent extent;
    for (Level& level : m_levels) {
        flush_level(slot, level, first, last - first + 1, extent);
    }
    if (extent.end == 0) {
        return;
    }
    // All between the ends was asked for or belongs to a dropped leaf, except the machine's own
    // view.
    WindowPlan const& plan = m_memory.plan();
    u64 const own_first = plan.own.base.value;
    u64 const own_end = own_first + plan.own.size.value;
    if (extent.first < own_first) {
        withdraw_leaf(extent.first, std::min(extent.end, own_first) - extent.first);
    }
    if (extent.end > own_end) {
        u64 const from = std::max(extent.first, own_end);
        withdraw_leaf(from, extent.end - from);
    }
}

u64 Mmu::count_stale(PhysAddr root) {
    std::lock_guard const lock(m_lock);
    u64 stale = m_oracle.take_failures();
    for (unsigned index = 0; index < m_levels.size(); ++index) {
        for (Entry const& entry : m_levels[index].entries) {
            if (entry.page == 0 || (!entry.global && entry.root != root.value)) {
                continue;
            }
            Walk const now = walk_tables(m_memory.span(), root, {entry.page});
            bool const same = now.outcome == Walk::Outcome::mapped && now.level == index &&
                              now.mapping.frame.value == entry.frame &&
                              includes(now.mapping.access, entry.access);
            stale += same ? 0 : 1;
        }
    }
    return stale;
}

void Mmu::drop_local(u32 slot, PhysAddr root) {
    std::lock_guard const lock(m_lock);
    m_oracle.pay_local(slot);
    m_roots[slot] = root.value;
    for (Level& level : m_levels) {
        for (Entry& entry : level.entries) {
            if (entry.page != 0 && !entry.global) {
                Extent extent;
                drop(level, entry, extent);
                withdraw_leaf(extent.first, extent.end - extent.first);
                ++m_statistics.flushes;
            }
        }
    }
}

void Mmu::drop_all() {
    std::lock_guard const lock(m_lock);
    m_running = 1;
    m_oracle.forget();
    Extent extent;
    for (Level& level : m_levels) {
        for (Entry& entry : level.entries) {
            if (entry.page != 0) {
                drop(level, entry, extent);
            }
        }
        std::ranges::fill(level.victims, u8{0}); // what follows must not depend on what was before
    }
    WindowPlan const& plan = m_memory.plan();
    u64 const own_end = plan.own.base.value + plan.own.size.value;
    withdraw_linear();
    withdraw_leaf(own_end, plan.whole.base.value + plan.whole.size.value - own_end);
}

} // namespace hosted
