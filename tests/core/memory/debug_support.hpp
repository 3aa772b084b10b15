// The debugging layer as tests use it: call sites are what the test says, and damage is written
// down.
#pragma once

#include "core/memory/memory.hpp"

namespace twofold::memory::testing {

/// What a layer under test was told and has told.
struct DebugReports {
    u64 site = 1; ///< who calls, for the layer
    u64 allocations = 0;
    u64 count = 0;
    Corruption last;
    bool inside = false;
};

template<bool Untouched>
class RecordingEnvironment {
public:
    static constexpr bool free_blocks_stay_untouched = Untouched;
    struct Scope {
        explicit Scope(RecordingEnvironment& environment) : reports(environment.m_reports) {
            CHECK(!reports.inside);
            reports.inside = true;
        }
        ~Scope() { reports.inside = false; }
        Scope(Scope const&) = delete;
        Scope& operator=(Scope const&) = delete;
        DebugReports& reports;
    };

    explicit RecordingEnvironment(DebugReports& reports) : m_reports(reports) {}
    CallStack call_stack() const {
        CallStack stack;
        stack.addresses[0] = m_reports.site;
        return stack;
    }
    void before_allocation(Bytes) const { ++m_reports.allocations; }
    void report(Corruption const& corruption) const {
        ++m_reports.count;
        m_reports.last = corruption;
    }

private:
    DebugReports& m_reports;
};

template<Allocator A, bool Untouched = false>
using DebugLayer = DebugAllocator<A, RecordingEnvironment<Untouched>>;

} // namespace twofold::memory::testing
