// Starts worker processes: one for every measurement, fresh, with the allocator preloaded. That is
// how people use an allocator, it puts none of them at the mercy of another one's leftovers, and
// all of them are called in the same way. (Several allocators in one process by dlopen would have
// slower thread-local storage than they have when preloaded, and jemalloc refuses it.)
#pragma once

#include "apps/allocation/schedule.hpp"
#include "apps/allocation/work_order.hpp"
#include "apps/launch/descriptor.hpp"

#include <string>

namespace twofold::allocation {

/// An allocator under its name, and the library that is preloaded for it: empty for the C library's
/// own.
struct Allocator {
    std::string name;
    std::string library;
};

/// Turns what a person wrote into an allocator: glibc, jemalloc, mimalloc, tcmalloc, twofold, or
/// the path of a library. Throws launch::Failure (64) for a name that is unknown, (69) for
/// twofold's library if it is missing.
Allocator find_allocator(std::string const& given);

/// A schedule in a file in memory, as workers map it.
class OrderFile {
public:
    /// Throws launch::Failure (74) if the host has no memory.
    explicit OrderFile(Schedule const& schedule);

    /// The order of the runs to come.
    void set(Measure measure, Touch touch);
    int descriptor() const { return m_file.number(); }

private:
    launch::Descriptor m_file;
    WorkOrder m_order;
};

/// Runs one worker to its end. Throws launch::Failure (71) if it fails, (69) if malloc did not come
/// from the allocator's library.
WorkResult run_worker(OrderFile const& order, Allocator const& allocator);

} // namespace twofold::allocation
