// What the stub hands the kernel image: the BootInfo, complete, and what the metal machine wants to
// know for itself. Built by the stub in memory of kind `boot`; every pointer in it leads into the
// linear window, so that it is valid once the kernel's own tables are active. Both sides are
// compiled from this header in one build.
#pragma once

#include "hal/boot.hpp"

namespace metal {

using namespace twofold;

struct Handover {
    hal::BootInfo info;
    PhysAddr root;           ///< the first page tables
    PhysAddr image_physical; ///< where the image lies: info.image_size bytes in one piece
    u32 processors;          ///< that the firmware lists, at least 1
    bool has_large_pages;    ///< 1 GiB pages
};

} // namespace metal
