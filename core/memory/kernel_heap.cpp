// The kernel's heap, compiled here once (kernel_heap.hpp).
#include "core/memory/kernel_heap.hpp"

namespace twofold::memory {

template class heap::Space<KernelHeapBacking>;
template class Heap<KernelHeapBacking, KernelHeapEnvironment>;

} // namespace twofold::memory
