// The operations on the processor's translations.
#include "hal/mmu.hpp"
#include "hal/memory.hpp"
#include "hal/x86_64/instructions.hpp"
#include "hal/x86_64/kernel/machine.hpp"
#include "hal/x86_64/kernel/word_lock.hpp"

namespace hal {

namespace {

// Above this, dropping everything is cheaper than dropping page by page.
constexpr u64 most_single_flushes = 64;
constexpr u64 control_bits = page_size.value - 1; // of CR3

struct Place {
    PhysAddr address;
    bool is_users; ///< SMAP keeps the kernel from it
};

/// Where `address` leads under `root`, if it is mapped there. O(levels).
std::optional<Place> walk(PhysAddr root, VirtAddr address) {
    PhysAddr table = root;
    for (unsigned level = Mmu::levels; level-- > 0;) {
        // Sound: tables lie in RAM, which the linear window shows.
        auto const* const entries = reinterpret_cast<u64 const*>(Memory::linear(table));
        u64 const entry = entries[Mmu::index(address, level)];
        if (!Mmu::is_present(entry)) {
            return std::nullopt;
        }
        if (Mmu::is_leaf(entry, level)) {
            u64 const offset = address.value % Mmu::span(level).value;
            PageMapping const leaf = Mmu::decode_leaf(entry, level);
            return Place{leaf.frame + Bytes{offset}, includes(leaf.access, Access::user)};
        }
        table = Mmu::decode_table(entry);
    }
    return std::nullopt;
}

} // namespace

unsigned Mmu::highest_leaf_level() {
    return metal::machine().handover->has_large_pages ? 2 : 1;
}

PhysAddr Mmu::root() {
    return {metal::read_cr3() & ~control_bits};
}

void Mmu::activate(PhysAddr root) {
    CHECK(is_aligned(root, page_size));
    metal::write_cr3(root.value);
}

void Mmu::flush(VirtAddr address, Bytes size) {
    u64 const first = align_down(address.value, page_size.value);
    u64 const pages = (address.value - first + size.value + page_size.value - 1) / page_size.value;
    if (pages <= most_single_flushes) {
        for (u64 page = 0; page < pages; ++page) {
            metal::invalidate_page(first + page * page_size.value);
        }
        return;
    }
    // Switching global pages off and on again drops them too (SDM 3A, section 4.10.4.1).
    metal::InterruptsOff const off; // or the caller might go on on another processor in between
    u64 const bits = metal::read_cr4();
    CHECK((bits & metal::cr4::global_pages) != 0);
    metal::write_cr4(bits & ~metal::cr4::global_pages);
    metal::write_cr4(bits);
}

void* Mmu::view(PhysAddr root, VirtAddr address) {
    if (!is_canonical(address)) {
        return nullptr;
    }
    std::optional<Place> const place = walk(root, address);
    if (!place) {
        return nullptr;
    }
    // Sound in each case: a present translation leads to what is returned.
    if (root == Mmu::root() && !place->is_users) {
        return reinterpret_cast<void*>(address.value);
    }
    metal::Handover const& handover = *metal::machine().handover;
    u64 const into_image = place->address.value - handover.image_physical.value;
    if (into_image < handover.info.image_size.value) {
        return reinterpret_cast<void*>(handover.info.image_base.value + into_image);
    }
    return Memory::linear(place->address);
}

} // namespace hal
