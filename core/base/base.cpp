// Compiles base.hpp by itself, so that the room stands alone.
#include "core/base/base.hpp"
