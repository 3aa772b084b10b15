// base: the ground that every room stands on. Pure: no machine, no state, no allocation.
#pragma once

#include "core/base/atomic.hpp"
#include "core/base/bits.hpp"
#include "core/base/check.hpp"
#include "core/base/error.hpp"
#include "core/base/format.hpp"
#include "core/base/integers.hpp"
#include "core/base/mutant.hpp"
#include "core/base/result.hpp"
#include "core/base/text.hpp"
#include "core/base/units.hpp"
