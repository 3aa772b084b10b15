// See screen_outlet.hpp.
#include "core/device/console/screen_outlet.hpp"

#include <span>

namespace twofold::device {

Result<void> TextOutlet::begin_report() {
    for (u32 row = 0; row < cells().rows; ++row) {
        m_display.show_line(row, {});
    }
    return {};
}

PixelOutlet::PixelOutlet(Display& display, text::Theme const& theme, text::Surface const& surface)
    : m_display(display), m_theme(&theme), m_surface(surface), m_view(font_for(surface), theme) {}

Result<PixelOutlet> PixelOutlet::create(Display& display, text::Theme const& theme) {
    text::Surface const surface = TRY(surface_of(display));
    return PixelOutlet(display, theme, surface);
}

text::Font const& PixelOutlet::font_for(text::Surface const& surface) {
    return surface.height() >= large_from ? text::font_16x32 : text::font_8x16;
}

text::ScreenSize PixelOutlet::cells() const {
    return text::TextView::cells_of(m_surface, font_for(m_surface));
}

void PixelOutlet::draw(text::Screen& screen, u32 rows_back) {
    m_view.look_back(rows_back);
    for (text::Rectangle const& drawn : m_view.draw(screen, m_surface)) {
        if (!m_drawn.push_back(drawn)) { // of a present that failed
            m_drawn[m_drawn.size() - 1] = around(m_drawn[m_drawn.size() - 1], drawn);
        }
    }
}

Result<void> PixelOutlet::present() {
    while (!m_drawn.empty()) {
        TRY(m_display.present(m_drawn[m_drawn.size() - 1]));
        m_drawn.pop_back();
    }
    return {};
}

Result<void> PixelOutlet::adopt_size() {
    m_is_changing.store(1, relaxed);
    if (auto const adopted = m_display.adopt_mode(); !adopted) {
        m_is_changing.store(0, relaxed); // all is what it was
        return adopted;
    }
    m_surface = TRY(surface_of(m_display));
    m_is_changing.store(0, relaxed);
    m_view.set_font(font_for(m_surface)); // draws everything anew
    m_drawn.clear();
    return {};
}

Result<void> PixelOutlet::begin_report() {
    if (m_is_changing.load(relaxed) != 0) {
        return Error::invalid_state;
    }
    m_surface.set_clip(m_surface.bounds());
    m_surface.fill(m_surface.bounds(), m_theme->background);
    return {};
}

void PixelOutlet::draw_report(u32 row, std::string_view line) {
    text::Font const& font = font_for(m_surface);
    m_surface.text(
        {0, static_cast<i32>(row * font.height)}, font, line, m_theme->text, m_theme->background);
}

u32 PixelOutlet::digest() const {
    Crc32 sum;
    for (u32 y = 0; y < m_surface.height(); ++y) {
        sum.update(std::as_bytes(m_surface.row(y)));
    }
    return sum.value();
}

} // namespace twofold::device
