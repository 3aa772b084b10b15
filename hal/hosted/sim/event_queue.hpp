// What is to happen on a simulated machine, by moment and then in the order in which it was asked
// for. A value: a copy goes on alike.
#pragma once

#include "core/base/base.hpp"
#include "hal/hosted/state_archive.hpp"

#include <algorithm>
#include <vector>

namespace hosted {

using namespace twofold;

struct SimEvent {
    enum class Kind : u8 {
        look,      ///< the processor has only to look
        interrupt, ///< `value` is the vector that is raised on it
        device,    ///< Board::device_due; `slot` is the device, `value` its tag
    };

    i64 at_ns = 0;
    u64 number = 0; ///< in the order in which they came
    Kind kind{};
    u32 slot = 0;
    u64 value = 0;
};

class EventQueue {
public:
    static constexpr i64 never = INT64_MAX;

    /// O(log events).
    void add(SimEvent event) {
        event.number = m_next_number++;
        m_heap.push_back(event);
        std::ranges::push_heap(m_heap, is_later);
    }
    i64 first_ns() const { return m_heap.empty() ? never : m_heap.front().at_ns; }
    /// The first, which there is. O(log events).
    SimEvent take_first() {
        std::ranges::pop_heap(m_heap, is_later);
        SimEvent const first = m_heap.back();
        m_heap.pop_back();
        return first;
    }

    void archive(StateArchive& state) {
        state(m_heap);
        state(m_next_number);
    }

private:
    static bool is_later(SimEvent const& a, SimEvent const& b) {
        return a.at_ns != b.at_ns ? a.at_ns > b.at_ns : a.number > b.number;
    }

    std::vector<SimEvent> m_heap; ///< the first in front
    u64 m_next_number = 0;
};

} // namespace hosted
