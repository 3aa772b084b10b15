// What `top` shows: processors, memory, interrupts, how late deadlines are and who runs, drawn for
// a screen of any size. Pure: it is given what was seen, and writes rows.
#pragma once

#include "apps/shell/plots.hpp"
#include "core/text/text.hpp"

#include <span>
#include <string_view>

namespace twofold::shell {

struct TopThread {
    u64 id = 0;
    std::string_view name;
    std::string_view class_name;
    u32 cpu = 0;
    u32 permille = 0; ///< of one processor's time
    u64 switches_per_s = 0;
};

struct TopInterrupt {
    std::string_view name;
    u64 per_s = 0;
};

/// What was seen within one period.
struct TopSample {
    std::string_view title;
    u64 uptime_s = 0;
    std::span<u16 const> cpus;          ///< busy, in thousandths
    std::span<TopThread const> threads; ///< the busiest first
    u64 threads_all = 0;
    u64 memory_kib = 0;
    u64 memory_used_kib = 0;
    u64 heap_kib = 0;
    std::span<TopInterrupt const> interrupts; ///< the most frequent first
    u64 interrupts_per_s = 0;
    u64 switches_per_s = 0;
    /// How many deadlines were late by less than 1, 10, 100 us, 1, 10 ms, and by more; since boot.
    static constexpr usize late_steps = 6;
    u64 late[late_steps] = {};
    u64 late_p50_ns = 0;
    u64 late_max_ns = 0;
};

/// What plots show: the last periods, in thousandths of what is possible or of the most there was.
class TopHistory {
public:
    static constexpr usize periods_max = 256;

    void add(TopSample const& sample);
    /// The newest `count`, the oldest of them first; fewer where there are not so many.
    std::span<u16 const> cpus(usize count) const { return newest(m_cpus, count); }
    std::span<u16 const> memory(usize count) const { return newest(m_memory, count); }
    /// Interrupts in a second; what does not fit in the type is its maximum.
    std::span<u16 const> interrupts(usize count) const { return newest(m_interrupts, count); }

private:
    using Values = u16[periods_max];

    std::span<u16 const> newest(Values const& values, usize count) const;

    Values m_cpus = {};
    Values m_memory = {};
    Values m_interrupts = {};
    usize m_count = 0;
};

/// The mean of all processors, in thousandths. O(processors).
u16 mean_busy(TopSample const& sample);

/// Writes a whole screen, from its upper left corner. O(cells).
void draw_top(
    TopSample const& sample, TopHistory const& history, text::ScreenSize size, Output const& out);

} // namespace twofold::shell
