// Kernel code as an ordinary library: sizes, rounding, results and formatting of core/base, and
// containers of the standard library on an allocator of the kernel.
#include <apps/adapters/memory_resource.hpp>
#include <apps/adapters/standard_allocator.hpp>
#include <core/base/base.hpp>
#include <core/memory/debug/debug_allocator.hpp>
#include <core/memory/heap/heap.hpp>
#include <core/memory/list_heap.hpp>

#include <iostream>
#include <map>
#include <string>
#include <vector>

using namespace twofold;

static Result<Bytes> whole_pages(Bytes size, Bytes page) {
    if (!is_power_of_two(page.value)) {
        return Error::invalid_argument;
    }
    return align_up(size, page);
}

/// Three containers, whose memory all comes from `heap`.
static void use_containers(memory::ListHeap& heap) {
    adapters::MemoryResource<memory::ListHeap> resource(heap);
    std::pmr::map<std::pmr::string, int> ages(&resource);
    ages["a name that is too long to lie inside"] = 42;
    std::pmr::vector<int> numbers(1000, 7, &resource);
    using OnHeap = adapters::StandardAllocator<int, memory::ListHeap>;
    std::vector<int, OnHeap> const others(500, 8, OnHeap(heap));
    std::cout << ages.size() + numbers.size() + others.size() << " elements, "
              << (heap.statistics().reserved.value > 6000) << '\n';
}

int main() {
    std::vector<std::byte> bytes(1 << 20);
    memory::ListHeap heap(bytes);
    use_containers(heap);
    std::cout << heap.statistics().reserved.value << " bytes left\n";
    char text[100];
    u64 const pages = whole_pages(Bytes{5000}, page_size).value() / page_size;
    Error const refusal = whole_pages(Bytes{5000}, Bytes{3}).error();
    std::cout << format_to(
                     text, "a page is {:#x} bytes; 5000 bytes take {} pages; 3 refuses: {}",
                     page_size.value, pages, refusal)
                     .text
              << '\n';
}
