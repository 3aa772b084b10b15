// The kernel's side of the hosted MMU.
#include "hal/mmu.hpp"

#include "hal/hosted/guest/guest_cpu.hpp"
#include "hal/hosted/page_walk.hpp"
#include "hal/memory.hpp"

namespace hal {

using namespace hosted;

PhysAddr Mmu::root() {
    return guest_cpu().root;
}

void Mmu::activate(PhysAddr root) {
    CHECK((root.value & ~address_mask) == 0);
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::mmu_activate, root.value);
}

void Mmu::flush(VirtAddr address, Bytes size) {
    if (size.value != 0) {
        Undisturbed const self;
        exit_to_machine(self.cpu(), Request::mmu_flush, address.value, size.value);
    }
}

u64 Mmu::count_stale() {
    Undisturbed const self;
    exit_to_machine(self.cpu(), Request::mmu_stale);
    return self.cpu().result;
}

void* Mmu::view(PhysAddr root, VirtAddr address) {
    PhysicalSpan const memory{Memory::linear({0}), guest_cpu().memory_bytes};
    Walk const walk = walk_tables(memory, root, address);
    return walk.outcome == Walk::Outcome::mapped ? Memory::linear(walk.address) : nullptr;
}

} // namespace hal
