// twofold-window: the window of a hosted machine's display. The machine's program starts it with a
// socket and a piece of memory (apps/display/window_protocol.hpp), and it ends with the socket.
#include "apps/window/window.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <thread>

namespace twofold::window {

namespace {

constexpr int wrong_use = 64, no_display = 69;

/// Waits for what the parent says and wakes the window for it; one event of each kind at a time.
void watch(Parent const& parent, u32 frame_event, u32 end_event) {
    SDL_Event event{};
    while (parent.wait()) {
        event.type = frame_event;
        SDL_PushEvent(&event);
    }
    event.type = end_event;
    SDL_PushEvent(&event);
}

/// SDL's last resorts are drivers that show nothing; they serve who asks for one by name.
bool is_seen(char const* driver) {
    std::string_view const name = driver;
    bool const shows_nothing = name == "offscreen" || name == "dummy" || name == "evdev";
    return !shows_nothing || SDL_getenv("SDL_VIDEODRIVER") != nullptr;
}

int show(Parent& parent) {
    auto window = Window::open(parent);
    if (!window) {
        parent.fail(window.error());
        return no_display;
    }
    u32 const first = SDL_RegisterEvents(2);
    parent.tell({.kind = WindowMessage::Kind::ready});
    // It waits for the parent for as long as that lives: so nobody waits for it.
    std::thread([&parent, first] { watch(parent, first, first + 1); }).detach();
    (*window)->run(first, first + 1);
    return EXIT_SUCCESS;
}

int run() {
    auto parent = Parent::connect();
    if (!parent) {
        fmt::print(stderr, "twofold-window: {}\n", parent.error());
        return wrong_use;
    }
    signal(SIGPIPE, SIG_IGN);
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    SDL_SetHint(SDL_HINT_MOUSE_FOCUS_CLICKTHROUGH, "1");
    SDL_SetHint(SDL_HINT_RENDER_SCALE_QUALITY, "nearest");
    if (SDL_Init(SDL_INIT_VIDEO) != 0) {
        parent->fail(SDL_GetError());
        return no_display;
    }
    if (!is_seen(SDL_GetCurrentVideoDriver())) {
        parent->fail("there is no display to show it on");
        return no_display;
    }
    int const status = show(*parent);
    SDL_Quit();
    // The other thread may still wait, with the parent in its hands.
    std::_Exit(status);
}

} // namespace

} // namespace twofold::window

int main() {
    return twofold::window::run();
}
