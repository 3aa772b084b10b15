// Every shipped build: no operation can be flipped, and there is no such option.
#include "apps/host/mutant_option.hpp"

void twofold::host::add_mutant_option(Arguments&) {}
