// What a program that uses rooms of core/ as an ordinary library is given: a failed check prints
// itself and ends the process. Host tests link it; the installed package links it as
// twofold::checks, unless the program defines check_failed itself.
#include "core/base/check.hpp"

#include <cstdio>
#include <cstdlib>

void twofold::check_failed(char const* expression, std::source_location where) {
    std::fprintf(stderr, "%s:%u: check failed: %s\n", where.file_name(), where.line(), expression);
    std::abort();
}
