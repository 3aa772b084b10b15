// See screen_seat.hpp.
#include "apps/shell/kernel/screen_seat.hpp"

namespace twofold::shell {

namespace {

using device::CursorKeys;
using device::KeyEvent;
using device::MouseEvent;

constexpr std::string_view line_feeds_return = "\x1B[20h";
constexpr std::string_view look_sign{"\0", 1}; ///< in the queue: see m_scroll
constexpr i32 wheel_rows = 3;

} // namespace

ScreenSeat::ScreenSeat(boot::Kernel& kernel, device::Ps2* keyboard)
    : m_kernel(kernel), m_keyboard(keyboard), m_bytes(*kernel.threads) {}

Result<ScreenSeat*>
ScreenSeat::open(boot::Kernel& kernel, device::ScreenOutlet& outlet, device::Ps2* keyboard) {
    auto* const room = TRY(memory::allocate_room<ScreenSeat>(*kernel.heap, 1));
    auto* const seat = new (room) ScreenSeat(kernel, keyboard);
    auto const console = device::ScreenConsole::open(
        *kernel.threads, *kernel.heap, outlet,
        // Answers to programs are dropped where nobody reads: they are worth nothing later.
        {seat, [](void* self, std::string_view report) {
             static_cast<void>(static_cast<ScreenSeat*>(self)->m_bytes.push(report));
         }});
    if (!console) {
        seat->~ScreenSeat();
        memory::free_room(*kernel.heap, room);
        return console.error();
    }
    seat->m_console = console.value();
    seat->m_console->set_size_listener(
        [](void* self, text::ScreenSize size) {
            char report[48];
            static_cast<void>(static_cast<ScreenSeat*>(self)->m_bytes.push(
                format_to(std::span(report), "\x1B[48;{};{};0;0t", size.rows, size.columns).text));
        },
        seat);
    seat->write(line_feeds_return);
    if (keyboard != nullptr) {
        keyboard->set_key_listener(
            [](void* self, KeyEvent const& event) { static_cast<ScreenSeat*>(self)->take(event); },
            seat);
        keyboard->set_mouse_listener(
            [](void* self, MouseEvent const& event) {
                if (event.wheel != 0) {
                    static_cast<ScreenSeat*>(self)->scroll(-event.wheel * wheel_rows);
                }
            },
            seat);
    }
    return seat;
}

void ScreenSeat::close() {
    if (m_keyboard != nullptr) {
        m_keyboard->set_key_listener(nullptr, nullptr);
        m_keyboard->set_mouse_listener(nullptr, nullptr);
    }
    m_console->close();
    memory::KernelHeap& heap = *m_kernel.heap;
    this->~ScreenSeat();
    memory::free_room(heap, this);
}

/// In context work.
void ScreenSeat::take(KeyEvent const& event) {
    bool const is_page = event.key == device::Key::page_up || event.key == device::Key::page_down;
    if (event.pressed && is_page && event.modifiers.shift()) {
        scroll(event.key == device::Key::page_up ? 12 : -12);
        return;
    }
    bool const has_own_form = m_application_keys.load(relaxed) != 0;
    device::KeyText const text(event, has_own_form ? CursorKeys::application : CursorKeys::normal);
    // Where nobody reads, keys are lost as on any full keyboard buffer; the session rings for those
    // that it drops itself.
    static_cast<void>(m_bytes.push(text.view()));
}

void ScreenSeat::scroll(i32 rows) {
    m_scroll.fetch_add(rows, relaxed);
    static_cast<void>(m_bytes.push(look_sign));
}

std::optional<char> ScreenSeat::read() {
    while (true) {
        auto const byte = m_bytes.pop();
        i32 const rows = m_scroll.exchange(0, relaxed);
        if (rows != 0) {
            m_console->look_back(rows);
        }
        if (!byte || *byte != look_sign[0] || rows == 0) {
            return byte;
        }
    }
}

void ScreenSeat::write(std::string_view text) {
    m_console->write(text);
    m_application_keys.store(m_console->has_application_keys() ? 1 : 0, relaxed);
}

} // namespace twofold::shell
