// A terminal on an outlet: what programs write becomes cells at once, and is drawn and presented by
// a thread of its own, at most sixty times a second (and once more behind a rest) and only when
// something has changed. A writer never waits for a device.
//
// All that is drawn in one turn was there together, between two writes; nothing of a write is shown
// without the rest, unless the writer splits it.
//
// The lock of the screen is held while cells change and while they are drawn; the outlet belongs to
// the thread that draws.
#pragma once

#include "core/device/console/screen_outlet.hpp"
#include "core/memory/memory.hpp"
#include "core/task/task.hpp"

#include <optional>
#include <string_view>

namespace twofold::device {

struct ScreenCounts {
    u64 frames = 0; ///< that were drawn and presented
    u64 errors = 0; ///< frames that the device did not take
    u64 resizes = 0;
    Nanos longest{}; ///< from the first write of a frame to its end
};

class ScreenConsole {
public:
    static constexpr Nanos frame_time{16'666'667};
    static constexpr u32 history_rows = 2000;

    /// A screen as large as the outlet shows, and its thread. `reports` is what a terminal answers
    /// to programs (text::Terminal); it is called by who writes, with the screen's lock held. All
    /// outlive the console. Errors: out_of_memory, those of Threads::spawn. Context thread.
    static Result<ScreenConsole*>
    open(task::Threads& threads, memory::KernelHeap& heap, ScreenOutlet& outlet, Output reports);
    /// What was written is shown, the thread ends, and the console is gone. Nobody uses it any
    /// more. Context thread.
    void close();

    /// Any thread; one call is shown as one. O(bytes) as Terminal::write.
    void write(std::string_view bytes);
    /// Waits until all that was written before is shown, or cannot be. Context thread.
    void flush();
    /// Shows what has scrolled out, `rows` rows further up (down: negative), as far as there is
    /// any; the next write shows the end again. Any thread. O(1).
    void look_back(i32 rows);

    /// Draws everything anew in the colours of a theme, which outlives the console. Any thread.
    void set_theme(text::Theme const& theme);

    text::ScreenSize size();
    /// Told of another size, on the thread that draws and with the screen's lock held. Before
    /// anything else is done with the console.
    using SizeListener = void (*)(void* context, text::ScreenSize size);
    void set_size_listener(SizeListener listener, void* context);
    /// Whether programs want cursor keys in the application's form.
    bool has_application_keys();
    ScreenCounts counts();
    /// Calls visit(text::Screen const&) while nothing changes.
    template<class Visit>
    void with_screen(Visit const& visit) {
        task::MutexGuard const guard(m_lock);
        visit(m_memory.screen());
    }

private:
    using Memory = text::ScreenMemory<memory::KernelHeap>;
    using Event = task::Event<task::KernelThreads>;

    ScreenConsole(
        task::Threads& threads,
        memory::KernelHeap& heap,
        ScreenOutlet& outlet,
        Output reports,
        Memory memory);
    ~ScreenConsole() = default;

    void touch() REQUIRES(m_lock);
    void run();
    void adopt_size();
    std::optional<Nanos> draw();
    void present(Nanos since);

    task::Threads& m_threads;
    memory::KernelHeap& m_heap;
    ScreenOutlet& m_outlet;
    task::Thread* m_thread = nullptr;
    Event m_changed; ///< there is something to do for the thread
    Event m_shown;   ///< there is nothing
    Atomic<u32> m_is_over{0};

    task::Mutex<task::KernelThreads> m_lock;
    Memory m_memory GUARDED_BY(m_lock);
    text::Terminal m_terminal GUARDED_BY(m_lock);
    std::optional<Nanos> m_since GUARDED_BY(m_lock); ///< when what is not shown was written first
    i64 m_back GUARDED_BY(m_lock) = 0;
    ScreenCounts m_counts GUARDED_BY(m_lock);
    SizeListener m_size_listener GUARDED_BY(m_lock) = nullptr;
    void* m_size_context GUARDED_BY(m_lock) = nullptr;
};

} // namespace twofold::device
