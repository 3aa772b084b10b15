// Where the cells of a screen are seen: on a display of pixels, or on one of characters.
#pragma once

#include "core/device/display/display.hpp"
#include "core/device/display/vga_text.hpp"
#include "core/text/text.hpp"

#include <string_view>

namespace twofold::device {

/// Context thread, one thread at a time, where nothing else is said.
class ScreenOutlet {
public:
    ScreenOutlet(ScreenOutlet const&) = delete;
    ScreenOutlet& operator=(ScreenOutlet const&) = delete;

    /// How many cells it shows.
    virtual text::ScreenSize cells() const = 0;
    /// Takes what has changed on the screen since it was called last, `rows_back` rows ago, and
    /// clears the screen's damage. The screen does not change meanwhile. O(what changed).
    virtual void draw(text::Screen& screen, u32 rows_back) = 0;
    /// Brings what `draw` took to the eye. The screen may change. Errors: those of the device.
    virtual Result<void> present() = 0;
    /// Whether it would rather have another size. Any context; O(1).
    virtual bool wants_size() const = 0;
    /// Takes the size that is wanted; everything is drawn anew. Errors: out_of_memory (all is as it
    /// was); those of the device.
    virtual Result<void> adopt_size() = 0;
    /// From now on colours look so; the next `draw` draws everything anew. The theme outlives the
    /// outlet. O(1).
    virtual void set_theme(text::Theme const& theme) = 0;

    /// The report of a panic comes in place of all that is seen: everything becomes blank, then
    /// rows of ASCII are drawn, then all is shown. No lock that may be held is taken, no interrupt
    /// waited for, and for the device two seconds at most; whatever else was going on with the
    /// outlet does not go on. Any context, interrupts off. Errors: invalid_state (it was changing
    /// its size); those of Display::present_in_panic.
    virtual Result<void> begin_report() = 0;
    virtual void draw_report(u32 row, std::string_view line) = 0;
    virtual Result<void> show_report() = 0;

    /// Told in context work that wants_size may have become true; null for none.
    virtual void set_change_listener(Display::ChangeListener listener, void* context) = 0;

protected:
    ScreenOutlet() = default;
    ~ScreenOutlet() = default;
};

/// On a screen of characters, which outlives it. What has scrolled out is not shown.
class TextOutlet final : public ScreenOutlet {
public:
    TextOutlet(VgaText& display, text::Theme const& theme) : m_display(display), m_theme(&theme) {}

    text::ScreenSize cells() const override { return m_display.size(); }
    void draw(text::Screen& screen, u32) override {
        m_display.show(screen, *m_theme);
        screen.clear_damage();
    }
    Result<void> present() override { return {}; }
    bool wants_size() const override { return false; }
    Result<void> adopt_size() override { return {}; }
    void set_theme(text::Theme const& theme) override { m_theme = &theme; }
    Result<void> begin_report() override;
    void draw_report(u32 row, std::string_view line) override { m_display.show_line(row, line); }
    Result<void> show_report() override { return {}; }
    void set_change_listener(Display::ChangeListener, void*) override {}

private:
    VgaText& m_display;
    text::Theme const* m_theme;
};

/// On a display of pixels, which outlives it. Cells are of 8x16 pixels, on high displays of 16x32.
class PixelOutlet final : public ScreenOutlet {
public:
    /// From so many rows of pixels on the larger cells are used.
    static constexpr u32 large_from = 1440;

    /// Errors: those of surface_of.
    static Result<PixelOutlet> create(Display& display, text::Theme const& theme);
    PixelOutlet(PixelOutlet&& other) noexcept
        : m_display(other.m_display),
          m_theme(other.m_theme),
          m_surface(other.m_surface),
          m_view(other.m_view),
          m_drawn(other.m_drawn) {}

    text::ScreenSize cells() const override;
    void draw(text::Screen& screen, u32 rows_back) override;
    Result<void> present() override;
    bool wants_size() const override { return m_display.wants_mode(); }
    Result<void> adopt_size() override;
    void set_theme(text::Theme const& theme) override {
        m_theme = &theme;
        m_view.set_theme(theme);
    }
    Result<void> begin_report() override;
    void draw_report(u32 row, std::string_view line) override;
    Result<void> show_report() override { return m_display.present_in_panic(m_surface.bounds()); }
    void set_change_listener(Display::ChangeListener listener, void* context) override {
        m_display.set_change_listener(listener, context);
    }

    text::Surface const& surface() const { return m_surface; }
    /// One number for all pixels (CRC-32 row by row). O(pixels).
    u32 digest() const;

private:
    PixelOutlet(Display& display, text::Theme const& theme, text::Surface const& surface);

    static text::Font const& font_for(text::Surface const& surface);

    Display& m_display;
    text::Theme const* m_theme;
    text::Surface m_surface;
    text::TextView m_view;
    text::DrawnRectangles m_drawn; ///< and not yet presented
    Atomic<u32> m_is_changing{0};  ///< the surface may be gone
};

} // namespace twofold::device
