// The command `input`.
#include "core/boot/devices.hpp"
#include "core/boot/kernel.hpp"
#include "core/text/text.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

using device::Key;
using device::KeyEvent;
using device::Layout;
using device::MouseEvent;
using device::Ps2;

constexpr i64 ns_per_ms = 1'000'000;
constexpr u64 watch_ms_max = 1'000'000;

/// What has happened, as `watch` is told of it.
struct Event {
    bool is_key = false;
    KeyEvent key;
    MouseEvent mouse;
};

/// Events between the driver's second half and whoever waits for them.
class Watch {
public:
    explicit Watch(Ps2& ps2) : m_ps2(ps2) {
        if (task::Threads* const threads = task::Threads::here()) {
            m_come.emplace(threads->waiting(), 0u);
        }
        ps2.set_key_listener(
            [](void* self, KeyEvent const& event) {
                static_cast<Watch*>(self)->put({.is_key = true, .key = event, .mouse = {}});
            },
            this);
        ps2.set_mouse_listener(
            [](void* self, MouseEvent const& event) {
                static_cast<Watch*>(self)->put({.is_key = false, .key = {}, .mouse = event});
            },
            this);
    }
    ~Watch() {
        m_ps2.set_key_listener(nullptr, nullptr);
        m_ps2.set_mouse_listener(nullptr, nullptr);
    }
    Watch(Watch const&) = delete;
    Watch& operator=(Watch const&) = delete;

    /// The next one, within `patience`; 0: however long that takes. Errors: timed_out,
    /// not_supported (there is no clock).
    Result<Event> next(Nanos patience) {
        bool const is_patient = patience == Nanos{};
        Nanos const deadline = hal::Clock::now() + patience;
        auto const has_come = [this] { return m_count.load(acquire) != 0; };
        if (m_come && is_patient) {
            m_come->acquire();
        } else if (m_come) {
            if (!m_come->acquire_until(deadline)) {
                return Error::timed_out;
            }
        } else {
            while (is_patient && !has_come()) {
                processor::wait_for_interrupt(has_come);
            }
            TRY(is_patient ? Result<void>() : processor::wait_until(has_come, deadline));
            m_count.fetch_sub(1, relaxed); // nobody else: there are no threads
        }
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        return *m_events.pop(); // which has been counted
    }

private:
    static constexpr u32 waiting_max = 64;

    /// What comes while too much waits is not shown.
    void put(Event const& event) {
        {
            sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
            if (!m_events.push(event)) {
                return;
            }
        }
        if (m_come) {
            m_come->release().value(); // at most as many as there is room for
        } else {
            m_count.fetch_add(1, release);
        }
    }

    Ps2& m_ps2;
    std::optional<task::Semaphore<task::KernelThreads>> m_come; ///< where there are threads
    Atomic<u32> m_count{0};                                     ///< the same, elsewhere
    sync::SpinLock m_lock{sync::LockRank::device};
    Ring<Event, waiting_max> m_events GUARDED_BY(m_lock);
};

void show(CommandContext& context, Event const& event) {
    if (!event.is_key) {
        context.out.line(
            "mouse {} {} wheel {} buttons {}", event.mouse.dx, event.mouse.dy, event.mouse.wheel,
            u32{event.mouse.buttons});
        return;
    }
    KeyEvent const& key = event.key;
    char32_t const character = key.character;
    context.out.line(
        "key {} {} '{}' with {:#x}", device::key_name(key.key),
        !key.pressed ? "up" : (key.repeated ? "again" : "down"),
        character == 0 ? std::string_view() : text::encode_utf8(character).view(),
        u32{key.modifiers.bits});
}

u8 watch(CommandContext& context, Ps2& ps2, u64 count, u64 wait_ms) {
    Watch events(ps2);
    context.out.line("watching");
    for (u64 shown = 0; shown < count; ++shown) {
        i64 const wait_ns = static_cast<i64>(std::min(wait_ms, watch_ms_max)) * ns_per_ms;
        auto const event = events.next(Nanos{wait_ns});
        if (!event) {
            context.out.line("no more: {}", event.error());
            return status::failure;
        }
        show(context, event.value());
    }
    return status::success;
}

/// The key that types a character on a layout, and whether with shift.
struct Stroke {
    Key key = Key::none;
    bool has_shift = false;
};

Stroke stroke_of(Layout const& layout, char32_t character) {
    if (character == U'\n') {
        return {Key::enter, false};
    }
    for (u32 usage = 0; usage < layout.keys.size(); ++usage) {
        for (u32 level = 0; level < 2; ++level) {
            if (layout.keys[usage].at[level] == character) {
                return {static_cast<Key>(usage), level == 1};
            }
        }
    }
    return {};
}

Result<void> inject(Ps2& ps2, Key key, bool pressed) {
    return ps2.inject(device::encode(key, pressed, ps2.set()).view());
}

Result<void> hit(Ps2& ps2, Stroke const& stroke) {
    if (stroke.has_shift) {
        TRY(inject(ps2, Key::left_shift, true));
    }
    TRY(inject(ps2, stroke.key, true));
    TRY(inject(ps2, stroke.key, false));
    return stroke.has_shift ? inject(ps2, Key::left_shift, false) : Result<void>();
}

u8 show_info(CommandContext& context, Ps2& ps2) {
    device::Ps2Counts const counts = ps2.counts();
    std::string_view const translation =
        ps2.set() == device::ScancodeSet::one ? "1, translated" : "2";
    context.out.line(
        "keyboard: {}; mouse: {}; layout {}",
        ps2.has_keyboard() ? translation : std::string_view("none"),
        !ps2.has_mouse() ? "none" : (ps2.has_wheel() ? "with a wheel" : "without a wheel"),
        ps2.layout().name);
    context.out.line(
        "{} interrupts, {} bytes, {} dropped, {} unknown codes, {} resyncs, {} losses",
        counts.interrupts, counts.bytes, counts.overflows, counts.unknown, counts.resyncs,
        counts.losses);
    return status::success;
}

u8 choose_layout(CommandContext& context, Ps2& ps2, std::string_view name) {
    auto const layout = device::find_layout(name);
    if (layout) {
        ps2.set_layout(*layout.value());
        return status::success;
    }
    context.out.line("there is no layout '{}'; there are:", name);
    for (Layout const& each : device::layouts()) {
        context.out.line("  {}", each.name);
    }
    return status::failure;
}

} // namespace

Result<void> type_text(Ps2& ps2, std::string_view text) {
    for (char const letter : text) {
        Stroke const stroke = stroke_of(ps2.layout(), static_cast<u8>(letter));
        if (stroke.key == Key::none) {
            return Error::invalid_argument;
        }
        TRY(hit(ps2, stroke));
    }
    return {};
}

u8 use_input(CommandContext& context) {
    auto const& arguments = context.arguments;
    std::string_view const what = arguments.empty() ? "info" : arguments[0];
    auto const count = argument_number(context, 1, 0);
    auto const wait_ms = argument_number(context, 2, 0);
    bool const is_watch = what == "watch" && arguments.size() >= 2 && count && wait_ms;
    bool const has_text = arguments.size() == 2 && (what == "layout" || what == "type");
    if (!is_watch && !has_text && !(what == "info" && arguments.size() <= 1)) {
        return say_usage(context, "input");
    }
    auto const opened = keyboard_and_mouse(context.kernel);
    if (!opened) {
        context.out.line("there is no keyboard: {}", opened.error());
        return status::failure;
    }
    Ps2& ps2 = *opened.value();
    if (is_watch) {
        return watch(context, ps2, count.value(), wait_ms.value());
    }
    if (what == "layout") {
        return choose_layout(context, ps2, arguments[1]);
    }
    if (what == "type") {
        auto const typed = type_text(ps2, arguments[1]);
        if (!typed) {
            context.out.line("failed: {}", typed.error());
        }
        return typed ? status::success : status::failure;
    }
    return show_info(context, ps2);
}

} // namespace twofold::boot
