// The model of an allocator of frames, a map of intervals, and random operations on both. Nothing
// of it depends on a machine: kernel tests run it in simulated memory and on metal, a host test
// over a plain array of bytes.
#pragma once

#include "core/memory/memory.hpp"

#include <algorithm>
#include <array>

namespace twofold::memory {

/// Disjoint intervals of frames, ascending: what is allocated, and what never was free.
class IntervalMap {
public:
    static constexpr usize intervals_max = 512;

    struct Interval {
        FrameNumber first;
        u64 pages;
        bool permanent;
    };

    bool full() const { return m_count == intervals_max; }
    usize size() const { return m_count; }
    Interval const& operator[](usize index) const { return m_intervals[index]; }

    /// Adds an interval; false if a frame of it is taken.
    bool add(FrameNumber first, u64 pages, bool permanent = false) {
        usize const index = position(first);
        bool const after = index == 0 || end_of(index - 1) <= first;
        bool const before = index == m_count || first + pages <= m_intervals[index].first;
        if (!after || !before || full()) {
            return false;
        }
        auto const begin = m_intervals.begin();
        std::copy_backward(begin + index, begin + m_count, begin + m_count + 1);
        m_intervals[index] = {first, pages, permanent};
        ++m_count;
        m_pages += pages;
        return true;
    }
    void remove(usize index) {
        m_pages -= m_intervals[index].pages;
        auto const begin = m_intervals.begin();
        std::copy(begin + index + 1, begin + m_count, begin + index);
        --m_count;
    }

    /// The interval that starts at `first` and may be given back as `pages`; size() if none does.
    usize find(FrameNumber first, u64 pages) const {
        usize const index = position(first);
        bool const matches = index < m_count && m_intervals[index].first == first &&
                             m_intervals[index].pages == pages && !m_intervals[index].permanent;
        return matches ? index : m_count;
    }
    bool is_free(FrameNumber first, u64 pages) const {
        usize const index = position(first);
        return (index == 0 || end_of(index - 1) <= first) &&
               (index == m_count || first + pages <= m_intervals[index].first);
    }
    /// Whether a gap in [from, limit) holds `pages` at a multiple of `alignment` frames.
    bool has_gap(u64 pages, u64 alignment, FrameNumber from, FrameNumber limit) const {
        FrameNumber gap = from;
        for (usize i = 0; i <= m_count; ++i) {
            FrameNumber const end = std::min(i < m_count ? m_intervals[i].first : limit, limit);
            FrameNumber const at = (gap + alignment - 1) / alignment * alignment;
            if (at < end && end - at >= pages) {
                return true;
            }
            gap = i < m_count ? std::max(gap, end_of(i)) : gap;
        }
        return false;
    }
    /// How many frames the intervals hold.
    u64 pages() const { return m_pages; }

private:
    FrameNumber end_of(usize index) const {
        return m_intervals[index].first + m_intervals[index].pages;
    }
    /// The first interval that starts at `first` or above.
    usize position(FrameNumber first) const {
        auto const begin = m_intervals.begin();
        return static_cast<usize>(
            std::lower_bound(
                begin, begin + m_count, first,
                [](Interval const& one, FrameNumber frame) { return one.first < frame; }) -
            begin);
    }

    std::array<Interval, intervals_max> m_intervals{};
    usize m_count = 0;
    u64 m_pages = 0;
};

/// Random operations on an allocator over [first, first + pages) and on the model. The first frames
/// are the allocator's own; holes are told to the model by `reserve`.
template<class F>
class ModelRun {
public:
    ModelRun(F& frames, FrameNumber first, u64 pages, u64 seed)
        : m_frames(frames), m_first(first), m_end(first + pages), m_random(seed) {
        u64 const own = frames.statistics().metadata / page_size;
        m_sound = m_model.add(first, own, true);
    }
    void reserve(FrameNumber first, u64 pages) {
        m_sound = m_model.add(first, pages, true) && m_sound;
    }

    /// One operation; false once allocator and model disagree.
    bool step() {
        if (m_model.full()) {
            free_one();
        }
        switch (m_random.below(16)) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
            allocate_block();
            break;
        case 5:
        case 6:
            allocate_run();
            break;
        case 7:
            allocate_there();
            break;
        case 8:
            free_anything();
            break;
        default:
            free_one();
            break;
        }
        return m_sound;
    }

    /// Compares counts, and walks the whole allocator.
    bool is_sound() {
        m_sound = m_sound && !m_frames.validate().found() &&
                  m_frames.statistics().free_frames == m_end - m_first - m_model.pages();
        return m_sound;
    }

    /// Gives everything back.
    void free_all() {
        for (usize i = m_model.size(); i > 0; --i) {
            IntervalMap::Interval const one = m_model[i - 1];
            if (!one.permanent) {
                m_model.remove(i - 1);
                expect(m_frames.free_pages(address_of(one.first), one.pages).has_value());
            }
        }
        m_frames.drain();
    }

    /// How often each outcome was met, so that a test can show that it met all.
    struct Outcomes {
        u64 allocated = 0, out_of_memory = 0, busy = 0, out_of_range = 0, freed = 0, refused = 0;
    };
    Outcomes const& outcomes() const { return m_outcomes; }

private:
    void expect(bool holds) { m_sound = m_sound && holds; }

    void note(Result<PhysAddr> const& taken, u64 pages, u64 alignment, FrameNumber limit) {
        if (taken) {
            FrameNumber const frame = frame_of(taken.value());
            expect(frame >= m_first && frame + pages <= std::min(limit, m_end));
            expect(frame % alignment == 0 && is_aligned(taken.value(), page_size));
            expect(m_model.add(frame, pages));
            ++m_outcomes.allocated;
        } else {
            // Exact: what the model has room for is never refused.
            expect(taken.error() == Error::out_of_memory);
            expect(!m_model.has_gap(pages, alignment, m_first, std::min(limit, m_end)));
            ++m_outcomes.out_of_memory;
        }
    }

    void allocate_block() {
        auto const order = static_cast<unsigned>(std::min(m_random.below(8), m_random.below(11)));
        u64 const pages = u64{1} << order;
        note(m_frames.allocate(order), pages, pages, m_end);
    }

    void allocate_run() {
        u64 const pages = 1 + m_random.below(1 + m_random.below(300));
        u64 const alignment = u64{1} << m_random.below(8);
        bool const limited = m_random.below(4) == 0;
        FrameNumber const limit = limited ? m_first + m_random.below(m_end - m_first) : m_end;
        note(
            m_frames.allocate(
                {.pages = pages, .alignment = page_size * alignment, .limit = address_of(limit)}),
            pages, alignment, limit);
    }

    void allocate_there() {
        FrameNumber const first = m_first + m_random.below(m_end - m_first);
        u64 const pages = 1 + m_random.below(40);
        auto const taken = m_frames.allocate({.pages = pages, .at = address_of(first)});
        bool const is_free = first + pages <= m_end && m_model.is_free(first, pages);
        // Single frames in a magazine make a place busy that the model thinks free.
        expect(taken ? is_free : taken.error() != Error::out_of_memory);
        if (taken) {
            expect(taken.value() == address_of(first) && m_model.add(first, pages));
            ++m_outcomes.allocated;
        } else {
            ++(taken.error() == Error::busy ? m_outcomes.busy : m_outcomes.out_of_range);
        }
    }

    /// Gives back something that may never have been allocated like that.
    void free_anything() {
        FrameNumber const first = m_first - 2 + m_random.below(m_end - m_first + 4);
        u64 const pages = u64{1} << m_random.below(4);
        auto const order = static_cast<unsigned>(std::countr_zero(pages));
        usize const found = m_model.find(first, pages);
        bool const right = found != m_model.size() && is_aligned(first, pages);
        expect(m_frames.free(address_of(first), order).has_value() == right);
        if (right) {
            m_model.remove(found);
        }
        ++(right ? m_outcomes.freed : m_outcomes.refused);
    }

    void free_one() {
        if (m_model.size() == 0) {
            return;
        }
        usize const index = m_random.below(m_model.size());
        IntervalMap::Interval const one = m_model[index];
        if (one.permanent) {
            return;
        }
        m_model.remove(index);
        expect(m_frames.free_pages(address_of(one.first), one.pages).has_value());
        ++m_outcomes.freed;
    }

    F& m_frames;
    FrameNumber m_first;
    FrameNumber m_end;
    Random m_random;
    IntervalMap m_model;
    Outcomes m_outcomes;
    bool m_sound = true;
};

} // namespace twofold::memory
