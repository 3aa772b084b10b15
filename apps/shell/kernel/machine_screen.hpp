// The screen and the keyboard of a machine as a seat, where there are any and somebody wants them.
#pragma once

#include "apps/shell/kernel/screen_seat.hpp"

#include <optional>

namespace twofold::shell {

class MachineScreen {
public:
    /// Looks for a screen, as the kernel's command line wants it; without one `seat` is null. What
    /// there is and cannot be used is logged. Context thread; there are threads.
    explicit MachineScreen(boot::Kernel& kernel);
    MachineScreen(MachineScreen const&) = delete;
    MachineScreen& operator=(MachineScreen const&) = delete;
    ~MachineScreen();

    ScreenSeat* seat() const { return m_seat; }
    /// What colours look like; only where there is a seat.
    text::Theme const& theme() const { return *m_theme.load(relaxed); }
    /// Any thread.
    void set_theme(text::Theme const& theme);

private:
    void open();
    Result<void> open_outlet(text::Theme const& theme);
    device::ScreenOutlet* outlet();
    device::Ps2* open_keyboard();
    void show_panics();

    boot::Kernel& m_kernel;
    std::optional<device::PixelOutlet> m_pixels;
    std::optional<device::TextOutlet> m_text;
    Atomic<text::Theme const*> m_theme{nullptr};
    std::optional<device::PanicScreen> m_panic_screen;
    boot::PanicOutlet m_panic_outlet{};
    ScreenSeat* m_seat = nullptr;
};

} // namespace twofold::shell
