// See screen_console.hpp.
#include "core/device/console/screen_console.hpp"

#include "hal/clock.hpp"

#include <algorithm>
#include <utility>

namespace twofold::device {

using task::MutexGuard;

ScreenConsole::ScreenConsole(
    task::Threads& threads,
    memory::KernelHeap& heap,
    ScreenOutlet& outlet,
    Output reports,
    Memory memory)
    : m_threads(threads),
      m_heap(heap),
      m_outlet(outlet),
      m_changed(threads.waiting()),
      m_shown(threads.waiting()),
      m_lock(threads.locks(), "screen"),
      m_memory(std::move(memory)),
      m_terminal(m_memory.screen(), reports) {
    m_shown.set();
}

Result<ScreenConsole*> ScreenConsole::open(
    task::Threads& threads, memory::KernelHeap& heap, ScreenOutlet& outlet, Output reports) {
    Memory memory = TRY(Memory::create(heap, outlet.cells(), history_rows));
    auto* const room = TRY(memory::allocate_room<ScreenConsole>(heap, 1));
    auto* const console =
        new (room) ScreenConsole(threads, heap, outlet, reports, std::move(memory));
    task::ThreadAttributes attributes;
    attributes.name = "screen";
    auto const thread = threads.spawn(
        attributes, [](void* self) { static_cast<ScreenConsole*>(self)->run(); }, console);
    if (!thread) {
        console->~ScreenConsole();
        memory::free_room(heap, room);
        return thread.error();
    }
    console->m_thread = thread.value();
    outlet.set_change_listener(
        [](void* self) { static_cast<ScreenConsole*>(self)->m_changed.set(); }, console);
    return console;
}

void ScreenConsole::close() {
    m_outlet.set_change_listener(nullptr, nullptr);
    m_is_over.store(1, relaxed);
    m_changed.set();
    m_threads.join(*m_thread).value(); // nobody else joins it
    memory::KernelHeap& heap = m_heap;
    this->~ScreenConsole();
    memory::free_room(heap, this);
}

void ScreenConsole::touch() {
    if (!m_since) {
        m_since = hal::Clock::now();
        m_shown.reset();
        m_changed.set();
    }
}

void ScreenConsole::write(std::string_view bytes) {
    MutexGuard const guard(m_lock);
    m_terminal.write(bytes);
    m_back = 0;
    touch();
}

void ScreenConsole::flush() {
    m_shown.wait();
}

void ScreenConsole::look_back(i32 rows) {
    MutexGuard const guard(m_lock);
    m_back = std::clamp(m_back + rows, i64{0}, i64{m_memory.screen().history_size()});
    touch();
}

void ScreenConsole::set_theme(text::Theme const& theme) {
    MutexGuard const guard(m_lock);
    m_outlet.set_theme(theme);
    touch();
}

text::ScreenSize ScreenConsole::size() {
    MutexGuard const guard(m_lock);
    return m_memory.screen().size();
}

void ScreenConsole::set_size_listener(SizeListener listener, void* context) {
    MutexGuard const guard(m_lock);
    m_size_listener = listener;
    m_size_context = context;
}

bool ScreenConsole::has_application_keys() {
    MutexGuard const guard(m_lock);
    return m_terminal.modes().application_cursor_keys;
}

ScreenCounts ScreenConsole::counts() {
    MutexGuard const guard(m_lock);
    return m_counts;
}

/// The thread: sleeps until something has changed, shows it, and lets a frame's time go by before
/// it looks again. Time that went by unused is worth one frame: what comes shortly behind a first
/// change (a line's answer behind the key that entered it) is shown at once.
void ScreenConsole::run() {
    Nanos spent{}; // until then the frames so far have used the time
    while (true) {
        m_changed.wait();
        m_changed.reset(); // what changes from here on sets it anew
        bool const is_over = m_is_over.load(relaxed) != 0;
        Nanos const began = hal::Clock::now();
        if (m_outlet.wants_size()) {
            adopt_size();
        }
        if (std::optional<Nanos> const since = draw()) {
            present(*since);
        }
        if (is_over) {
            return;
        }
        spent = std::max(spent, began) + frame_time;
        m_threads.sleep_until(spent - frame_time);
    }
}

void ScreenConsole::adopt_size() {
    Result<void> outcome = m_outlet.adopt_size();
    MutexGuard const guard(m_lock);
    if (outcome) {
        outcome = m_memory.resize(m_outlet.cells());
        m_memory.screen().damage_all();
        ++m_counts.resizes;
        touch();
        if (m_size_listener != nullptr) {
            m_size_listener(m_size_context, m_memory.screen().size());
        }
    }
    m_counts.errors += outcome ? 0 : 1;
}

/// Draws what has changed, and answers since when; nothing: nothing has.
std::optional<Nanos> ScreenConsole::draw() {
    MutexGuard const guard(m_lock);
    if (m_since) {
        m_outlet.draw(m_memory.screen(), static_cast<u32>(m_back));
    }
    return std::exchange(m_since, std::nullopt);
}

void ScreenConsole::present(Nanos since) {
    Result<void> const outcome = m_outlet.present();
    MutexGuard const guard(m_lock);
    m_counts.frames += outcome ? 1 : 0;
    m_counts.errors += outcome ? 0 : 1;
    m_counts.longest = std::max(m_counts.longest, hal::Clock::now() - since);
    if (!m_since) { // else something was written meanwhile
        m_shown.set();
    }
}

} // namespace twofold::device
