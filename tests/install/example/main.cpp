// Kernel code as an ordinary library: sizes, rounding, results and formatting of core/base.
#include <core/base/base.hpp>

#include <iostream>

using namespace twofold;

static Result<Bytes> whole_pages(Bytes size, Bytes page) {
    if (!is_power_of_two(page.value)) {
        return Error::invalid_argument;
    }
    return align_up(size, page);
}

int main() {
    char text[100];
    u64 const pages = whole_pages(Bytes{5000}, page_size).value() / page_size;
    Error const refusal = whole_pages(Bytes{5000}, Bytes{3}).error();
    std::cout << format_to(
                     text, "a page is {:#x} bytes; 5000 bytes take {} pages; 3 refuses: {}",
                     page_size.value, pages, refusal)
                     .text
              << '\n';
}
