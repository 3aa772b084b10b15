// std::construct_at, std::destroy_at and std::addressof, for room whose objects begin and end by
// hand.
//
// The standard promises them in <memory>, which costs as much to read as all other headers of the
// kernel together; <optional> is made of them, on every library that the kernel is built with.
#pragma once

#include <optional>
