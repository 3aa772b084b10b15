// What enumeration has found, in memory of an allocator.
#pragma once

#include "core/device/pci/enumeration.hpp"
#include "core/memory/memory.hpp"

#include <algorithm>

namespace twofold::pci {

/// The most functions that are kept.
inline constexpr usize functions_max = 1024;

/// The allocator outlives it. Not thread-safe.
template<memory::Allocator A>
class Inventory {
public:
    explicit Inventory(A& allocator) : m_functions(allocator) {}

    /// In the order in which they were found: bus by bus.
    std::span<Function const> functions() const { return m_functions.items(); }

    /// The function at `where`, or null. O(functions).
    Function const* find(Address where) const { return find_function(where); }

    /// Keeps a function that has come, which was not known. Errors: as below. References to others
    /// do not stay.
    Result<void> insert(Function const& function) {
        CHECK(find(function.where) == nullptr);
        return add(function);
    }
    /// What is known of the function now; its buses stay.
    void complete(Function const& function) {
        Function* const known = find_function(function.where);
        CHECK(known != nullptr);
        BusNumbers const buses = known->buses;
        *known = function;
        known->buses = buses;
    }
    /// Forgets the function at `where`, if it was known. O(functions).
    void remove(Address where) {
        auto const rest = std::ranges::remove(m_functions.items(), where, &Function::where);
        if (!rest.empty()) {
            static_cast<void>(m_functions.pop()); // what is left of it
        }
    }

    /// Where an enumeration puts what it finds, while this stays where it is. Its errors: no_space
    /// above functions_max, out_of_memory.
    FunctionStore store() {
        return {
            this,
            [](void* self, Function const& function) {
                return static_cast<Inventory*>(self)->add(function);
            },
            [](void* self, Address where, BusNumbers const& buses, Defects defects) {
                static_cast<Inventory*>(self)->settle(where, buses, defects);
            }};
    }

private:
    Result<void> add(Function const& function) {
        return m_functions.size() == functions_max ? Error::no_space : m_functions.push(function);
    }
    void settle(Address where, BusNumbers const& buses, Defects defects) {
        Function* const function = find_function(where);
        CHECK(function != nullptr); // it was added when it was found
        function->buses = buses;
        function->defects.add(defects);
    }
    Function* find_function(Address where) const {
        for (Function& function : m_functions.items()) {
            if (function.where == where) {
                return &function;
            }
        }
        return nullptr;
    }

    memory::Vector<Function, A> m_functions;
};

} // namespace twofold::pci
