// The composition root of host tests: a failed check of core/ prints itself and ends the process.
#include "core/base/check.hpp"

#include <cstdio>
#include <cstdlib>

void twofold::check_failed(char const* expression, std::source_location where) {
    std::fprintf(stderr, "%s:%u: check failed: %s\n", where.file_name(), where.line(), expression);
    std::abort();
}
