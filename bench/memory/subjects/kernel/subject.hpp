// The allocator that is measured: the kernel's heap as it is shipped, with its assertions and with
// interrupts off inside every operation. The build chooses between this file and its twin in
// malloc/ by include path.
#pragma once

#include <cstddef>

namespace subject {

void* take(std::size_t size);
void give(void* block);

} // namespace subject
