// Cases as tests write them.
#pragma once

#include "sim/run/catalogue.hpp"

#include <gtest/gtest.h>

#include <string>

namespace twofold::sim {

/// The case of these members of a JSON object.
inline Case case_of(std::string const& members) {
    auto const made = parse_case("{\"id\":0," + members + "}", own_catalogue());
    EXPECT_TRUE(made.has_value()) << made.error().reason;
    return *made;
}

} // namespace twofold::sim
