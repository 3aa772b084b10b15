// The window itself: shows frames, at most as often as its display does and only when something has
// changed, and tells the parent what the person does.
//
// While the mouse is caught (a click catches it, Ctrl+Alt+G lets it go, and so does another window)
// its pointer is not seen and does not end at borders. Keys are those of the keyboard, not of its
// layout: SDL's scan codes are usages of HID's keyboard page. What is held down when the window
// loses the keyboard is let go.
#pragma once

#include "apps/window/parent.hpp"

#include <SDL.h>

#include <memory>

namespace twofold::window {

class Window {
public:
    /// The error is a line. SDL's video is there.
    static std::expected<std::unique_ptr<Window>, std::string> open(Parent& parent);

    /// Until the person closes the window or the parent goes. `frame_event` and `end_event` are
    /// what Watcher's thread wakes it by.
    void run(u32 frame_event, u32 end_event);

private:
    struct Destroy {
        void operator()(SDL_Window* window) const { SDL_DestroyWindow(window); }
        void operator()(SDL_Renderer* renderer) const { SDL_DestroyRenderer(renderer); }
        void operator()(SDL_Texture* texture) const { SDL_DestroyTexture(texture); }
    };

    explicit Window(Parent& parent) : m_parent(parent) {}

    void take(SDL_Event const& event);
    void take_window_event(SDL_WindowEvent const& event);
    void take_key(SDL_KeyboardEvent const& event);
    void take_mouse(i32 dx, i32 dy, i32 wheel);
    void set_button(SDL_MouseButtonEvent const& event);
    void catch_mouse(bool is_caught);
    void wait_and_take();
    void look();
    void draw();
    void upload(FrameSize size, FrameArea const& area, std::span<u32 const> pixels);

    Parent& m_parent;
    std::unique_ptr<SDL_Window, Destroy> m_window;
    std::unique_ptr<SDL_Renderer, Destroy> m_renderer;
    std::unique_ptr<SDL_Texture, Destroy> m_texture; ///< before the renderer it goes
    FrameSize m_size{};                              ///< the texture's
    u32 m_frame_event = 0;
    u32 m_end_event = 0;
    bool m_is_open = true;
    bool m_is_stale = true;  ///< what is to be seen is not what is seen
    bool m_has_frame = true; ///< the parent has said so
    bool m_is_whole = true;  ///< what comes next fills all of the texture
    u64 m_drawn_ms = 0;      ///< when it was drawn last
    u64 m_interval_ms = 0;   ///< of the display
    u8 m_buttons = 0;
};

} // namespace twofold::window
