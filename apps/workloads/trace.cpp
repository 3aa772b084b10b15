// The event ring: all threads write records, and read them meanwhile. A record is read whole or not
// at all, in the order of the numbers, and those that were dropped are counted.
#include "core/trace/trace.hpp"
#include "apps/workloads/rooms.hpp"

namespace twofold::workloads {

namespace {

class TraceWorkload {
public:
    explicit TraceWorkload(Run&) {}
    TraceWorkload(TraceWorkload const&) = delete;
    TraceWorkload& operator=(TraceWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    void perform(Step& step) {
        if (step.chance(60)) {
            u64 const count = 1 + step.random.below(4);
            for (u64 i = 0; i < count; ++i) {
                m_ring.push(record_of(step.random.next()));
                m_pushed.fetch_add(1, relaxed);
            }
        } else {
            read(step);
        }
    }

    void end(Check& check) {
        read(check);
        u64 const pushed = m_pushed.load(relaxed);
        check.equal("records written", pushed, m_ring.written());
        u64 there = 0;
        m_ring.for_each([&](u64, Ring::Words64 const&) { ++there; });
        u64 const last = std::min<u64>(pushed, slots);
        check.holds("records are there or were dropped", there + m_ring.dropped() >= last);
    }

private:
    static constexpr usize words = 4;
    static constexpr usize slots = 16;
    using Ring = trace::SlotRing<words, slots>;

    /// Each word follows from the first.
    static Ring::Words64 record_of(u64 first) {
        return {first, ~first, first * 3, first ^ 0x5555'5555'5555'5555};
    }
    void read(Check& check) const {
        u64 before = 0;
        m_ring.for_each([&](u64 number, Ring::Words64 const& record) {
            check.holds("records come in the order of their numbers", number > before);
            before = number;
            Ring::Words64 const whole = record_of(record[0]);
            for (usize i = 1; i < words; ++i) {
                check.equal("a word of a record", whole[i], record[i]);
            }
        });
    }

    Ring m_ring{};
    Atomic<u64> m_pushed{0};
};

} // namespace

constinit Workload const trace_workload = workload_of<TraceWorkload>(
    {.name = "trace", .about = "records of a ring that is written and read at once"});

} // namespace twofold::workloads
