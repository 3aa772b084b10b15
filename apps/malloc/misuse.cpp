// What the library says before it ends a process: one line on stderr, without allocating.
#include "apps/malloc/process_heap.hpp"

#include <cstdlib>
#include <unistd.h>

namespace twofold::malloc_library {

namespace {

class Line {
public:
    void add(std::string_view text) {
        if (!m_text.append(text)) {
            m_text.clear();
        }
    }
    ~Line() {
        add("\n");
        [[maybe_unused]] ssize_t const written =
            ::write(STDERR_FILENO, m_text.view().data(), m_text.size());
    }

private:
    FixedString<512> m_text;
};

void append(void* context, std::string_view text) {
    static_cast<Line*>(context)->add(text);
}

std::string_view explain(Error error) {
    switch (error) {
    case Error::out_of_range:
        return "it was never allocated here";
    case Error::invalid_argument:
        return "no block begins there";
    case Error::invalid_state:
        return "it is free already";
    default:
        return error_name(error);
    }
}

} // namespace

void report_misuse(char const* operation, void const* block, Error error) {
    {
        Line line;
        format_to(
            Output{&line, append}, "twofold-malloc: {}({:#x}): {}", text_of(operation),
            std::bit_cast<u64>(block), explain(error));
    }
    std::abort();
}

} // namespace twofold::malloc_library

/// A broken invariant of the heap itself.
void twofold::check_failed(char const* expression, std::source_location where) {
    {
        malloc_library::Line line;
        format_to(
            Output{&line, malloc_library::append}, "twofold-malloc: {}:{}: check failed: {}",
            text_of(where.file_name()), where.line(), text_of(expression));
    }
    std::abort();
}
