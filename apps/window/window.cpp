// See window.hpp.
#include "apps/window/window.hpp"

#include <algorithm>
#include <utility>

namespace twofold::window {

namespace {

constexpr char const* title = "Twofold";
constexpr char const* caught_title = "Twofold (Ctrl+Alt+G releases the mouse)";
constexpr int usual_rate = 60;
constexpr u32 last_usage = 0xe7; // of the keyboard page; SDL's own numbers lie above
constexpr u32 first_usage = 4;

u64 interval_ms(SDL_Window* window) {
    SDL_DisplayMode mode{};
    int const display = SDL_GetWindowDisplayIndex(window);
    bool const is_known = display >= 0 && SDL_GetCurrentDisplayMode(display, &mode) == 0;
    int const rate = is_known && mode.refresh_rate > 0 ? mode.refresh_rate : usual_rate;
    return std::max<u64>(1, 1000 / static_cast<u64>(rate));
}

/// The greatest part of the window in which the frame keeps its shape.
SDL_Rect place_of(FrameSize frame, int width, int height) {
    auto const wide = static_cast<i64>(frame.width);
    auto const high = static_cast<i64>(frame.height);
    SDL_Rect place{0, 0, width, height};
    if (i64{width} * high > i64{height} * wide) {
        place.w = static_cast<int>(height * wide / high);
    } else {
        place.h = static_cast<int>(width * high / wide);
    }
    place.x = (width - place.w) / 2;
    place.y = (height - place.h) / 2;
    return place;
}

} // namespace

std::expected<std::unique_ptr<Window>, std::string> Window::open(Parent& parent) {
    std::unique_ptr<Window> window(new Window(parent));
    FrameSize const size = parent.first_size();
    window->m_window.reset(SDL_CreateWindow(
        title, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, static_cast<int>(size.width),
        static_cast<int>(size.height), SDL_WINDOW_RESIZABLE));
    if (window->m_window == nullptr) {
        return std::unexpected(std::string(SDL_GetError()));
    }
    window->m_renderer.reset(
        SDL_CreateRenderer(window->m_window.get(), -1, SDL_RENDERER_PRESENTVSYNC));
    if (window->m_renderer == nullptr) {
        window->m_renderer.reset(
            SDL_CreateRenderer(window->m_window.get(), -1, SDL_RENDERER_SOFTWARE));
    }
    if (window->m_renderer == nullptr) {
        return std::unexpected(std::string(SDL_GetError()));
    }
    window->m_size = size;
    window->m_interval_ms = interval_ms(window->m_window.get());
    return window;
}

void Window::run(u32 frame_event, u32 end_event) {
    m_frame_event = frame_event;
    m_end_event = end_event;
    while (m_is_open) {
        if (SDL_GetTicks64() - m_drawn_ms >= m_interval_ms) {
            if (m_has_frame) {
                look();
            }
            if (m_is_stale) {
                draw();
            }
        }
        wait_and_take();
    }
}

/// Waits for something to do: for ever, or until the display can show what is new. Damage gathers
/// in the parent's memory meanwhile, and is copied once.
void Window::wait_and_take() {
    SDL_Event event;
    int got = 0;
    if (m_has_frame || m_is_stale) {
        u64 const since_ms = std::min(SDL_GetTicks64() - m_drawn_ms, m_interval_ms);
        // At least a moment: a frame that could not be looked at is looked at again.
        u64 const left_ms = std::max<u64>(m_interval_ms - since_ms, 1);
        got = SDL_WaitEventTimeout(&event, static_cast<int>(left_ms));
    } else {
        got = SDL_WaitEvent(&event);
    }
    while (got != 0) {
        take(event);
        got = SDL_PollEvent(&event);
    }
}

void Window::take(SDL_Event const& event) {
    switch (event.type) {
    case SDL_QUIT:
        m_is_open = false;
        m_parent.tell({.kind = WindowMessage::Kind::closed});
        break;
    case SDL_WINDOWEVENT:
        take_window_event(event.window);
        break;
    case SDL_KEYDOWN:
    case SDL_KEYUP:
        take_key(event.key);
        break;
    case SDL_MOUSEMOTION:
        take_mouse(event.motion.xrel, event.motion.yrel, 0);
        break;
    case SDL_MOUSEBUTTONDOWN:
    case SDL_MOUSEBUTTONUP:
        set_button(event.button);
        break;
    case SDL_MOUSEWHEEL:
        take_mouse(0, 0, event.wheel.y);
        break;
    case SDL_RENDER_TARGETS_RESET:
    case SDL_RENDER_DEVICE_RESET:
        m_texture.reset();
        m_has_frame = m_is_whole = true;
        break;
    default:
        m_has_frame = m_has_frame || event.type == m_frame_event;
        m_is_open = m_is_open && event.type != m_end_event;
        break;
    }
}

void Window::take_window_event(SDL_WindowEvent const& event) {
    switch (event.event) {
    case SDL_WINDOWEVENT_RESIZED: // not by us
        m_parent.tell(
            {.kind = WindowMessage::Kind::size, .values = {event.data1, event.data2, 0, 0}});
        m_is_stale = true;
        break;
    case SDL_WINDOWEVENT_EXPOSED:
    case SDL_WINDOWEVENT_SIZE_CHANGED:
        m_is_stale = true;
        break;
    case SDL_WINDOWEVENT_FOCUS_LOST:
        catch_mouse(false);
        break;
    default:
        break;
    }
}

void Window::take_key(SDL_KeyboardEvent const& event) {
    auto const usage = static_cast<u32>(event.keysym.scancode);
    bool const is_pressed = event.type == SDL_KEYDOWN;
    bool const lets_go = event.keysym.scancode == SDL_SCANCODE_G && is_pressed &&
                         (event.keysym.mod & KMOD_CTRL) != 0 && (event.keysym.mod & KMOD_ALT) != 0;
    if (lets_go) {
        catch_mouse(false);
        return;
    }
    // The machine's own keyboard repeats.
    if (event.repeat == 0 && usage >= first_usage && usage <= last_usage) {
        m_parent.tell(
            {.kind = WindowMessage::Kind::key,
             .values = {static_cast<i32>(usage), is_pressed ? 1 : 0, 0, 0}});
    }
}

void Window::take_mouse(i32 dx, i32 dy, i32 wheel) {
    m_parent.tell({.kind = WindowMessage::Kind::mouse, .values = {dx, dy, wheel, m_buttons}});
}

void Window::set_button(SDL_MouseButtonEvent const& event) {
    u8 bit = 0;
    switch (event.button) {
    case SDL_BUTTON_LEFT:
        bit = display::left_button;
        break;
    case SDL_BUTTON_RIGHT:
        bit = display::right_button;
        break;
    case SDL_BUTTON_MIDDLE:
        bit = display::middle_button;
        break;
    default:
        return;
    }
    bool const is_down = event.type == SDL_MOUSEBUTTONDOWN;
    if (is_down) {
        catch_mouse(true);
    }
    m_buttons = static_cast<u8>(is_down ? m_buttons | bit : m_buttons & ~bit);
    take_mouse(0, 0, 0);
}

void Window::catch_mouse(bool is_caught) {
    if ((SDL_GetRelativeMouseMode() == SDL_TRUE) != is_caught &&
        SDL_SetRelativeMouseMode(is_caught ? SDL_TRUE : SDL_FALSE) == 0) {
        SDL_SetWindowTitle(m_window.get(), is_caught ? caught_title : title);
    }
}

/// Takes what has changed from the parent.
void Window::look() {
    bool const is_whole = std::exchange(m_is_whole, false);
    Parent::Damage const damage = m_parent.take_damage(
        [&](FrameSize size, FrameArea const& area, std::span<u32 const> pixels) {
            FrameArea const all{0, 0, size.width, size.height};
            upload(size, is_whole || size != m_size || m_texture == nullptr ? all : area, pixels);
        });
    m_has_frame = damage == Parent::Damage::locked;
    m_is_whole = is_whole && damage != Parent::Damage::taken;
    m_is_stale = m_is_stale || damage == Parent::Damage::taken;
}

void Window::upload(FrameSize size, FrameArea const& area, std::span<u32 const> pixels) {
    if (size != m_size || m_texture == nullptr) {
        bool const is_other = size != m_size;
        m_size = size;
        m_texture.reset(SDL_CreateTexture(
            m_renderer.get(), SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
            static_cast<int>(size.width), static_cast<int>(size.height)));
        int width = 0;
        int height = 0;
        SDL_GetWindowSize(m_window.get(), &width, &height);
        bool const fits =
            width == static_cast<int>(size.width) && height == static_cast<int>(size.height);
        if (is_other && !fits) { // the kernel has chosen it
            SDL_SetWindowSize(
                m_window.get(), static_cast<int>(size.width), static_cast<int>(size.height));
        }
    }
    if (m_texture != nullptr) {
        SDL_Rect const where{
            static_cast<int>(area.x), static_cast<int>(area.y), static_cast<int>(area.width),
            static_cast<int>(area.height)};
        auto const first = pixels.subspan(u64{area.y} * size.width + area.x);
        SDL_UpdateTexture(
            m_texture.get(), &where, first.data(), static_cast<int>(size.width * sizeof(u32)));
    }
}

void Window::draw() {
    int width = 0;
    int height = 0;
    SDL_GetRendererOutputSize(m_renderer.get(), &width, &height);
    SDL_SetRenderDrawColor(m_renderer.get(), 0, 0, 0, SDL_ALPHA_OPAQUE);
    SDL_RenderClear(m_renderer.get());
    if (m_texture != nullptr) {
        SDL_Rect const place = place_of(m_size, width, height);
        SDL_RenderCopy(m_renderer.get(), m_texture.get(), nullptr, &place);
    }
    SDL_RenderPresent(m_renderer.get());
    m_is_stale = false;
    m_drawn_ms = SDL_GetTicks64();
}

} // namespace twofold::window
