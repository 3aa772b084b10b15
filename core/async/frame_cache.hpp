// Frames of tasks that have ended, kept for the next ones of the same size: most tasks of an
// executor are of few kinds. Only the executor's own code finds any here, and gives any here,
// without a lock or a look at its processor; everybody else goes to where the frames come from.
//
// It keeps `bytes_max` at most, gives all back when that source has no memory any more, and when it
// ends. In builds with heap checks it keeps nothing: what is written into a frame that has ended is
// found then, and who lost one.
//
// Invariant: a frame that is kept lies in one list, that of its size, and nobody else knows of it.
#pragma once

#include "core/async/executor.hpp"
#include "core/async/frame.hpp"
#include "core/memory/memory.hpp"

namespace twofold::async {

class FrameCache {
public:
    static constexpr bool keeps_any = !memory::heap_checks_enabled;
    static constexpr u64 bytes_max = u64{256} << 10;
    static constexpr u64 frame_max = 1024; ///< longer ones are not kept

    /// For scopes of `executor`. Both outlive it.
    FrameCache(Executor const& executor, FrameSource const& source)
        : m_executor(executor), m_source(source) {}
    FrameCache(FrameCache const&) = delete;
    FrameCache& operator=(FrameCache const&) = delete;
    /// No frame that came from here lives, and the executor does not run.
    ~FrameCache() { trim(); }

    /// Frames by way of it; any context that the source admits. It outlives them.
    FrameSource const& frames() const { return m_frames; }
    /// Gives back what it keeps. The executor's own code, or nobody runs it. O(frames).
    void trim();
    /// How much it keeps. The executor's own code, or nobody runs it.
    Bytes kept() const { return {m_kept}; }

private:
    struct Free {
        Free* next;
    };
    static constexpr u64 step = memory::default_alignment.value;
    static constexpr usize list_count = frame_max / step;

    /// The list of frames of `size` bytes; list_count or more: it is not kept.
    static usize list_of(Bytes size) { return static_cast<usize>((size.value - 1) / step); }
    static Bytes size_of(usize list) { return {(list + 1) * step}; }

    static std::byte* allocate(void* self, Bytes size);
    static void free(void* self, std::byte* block, Bytes size);
    std::byte* allocate_anew(Bytes size, bool is_own);

    Executor const& m_executor;
    FrameSource const& m_source;
    FrameSource m_frames{.allocate = allocate, .free = free, .object = this};
    u64 m_kept = 0;
    Free* m_free[list_count]{};
};

} // namespace twofold::async
