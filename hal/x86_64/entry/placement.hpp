// Finding room in physical memory for what the stub builds.
#pragma once

#include "hal/x86_64/entry/discovered.hpp"

namespace metal {

/// The largest page-aligned range of usable memory in [lowest, highest) that touches nothing that
/// is occupied, no memory of another kind, and not `own`. Its size is 0 if there is none. Pure.
/// O(ranges x occupied).
PhysicalRange
largest_free(Discovered const& found, PhysicalRange own, PhysAddr lowest, PhysAddr highest);

} // namespace metal
