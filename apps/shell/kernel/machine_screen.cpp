// See machine_screen.hpp.
#include "apps/shell/kernel/machine_screen.hpp"

#include "core/boot/devices.hpp"

namespace twofold::shell {

namespace {

using boot::DisplayUse;
using trace::LogLevel;

bool is_wanted(boot::Kernel const& kernel) {
    switch (kernel.options.display) {
    case DisplayUse::found:
        return kernel.boot_info.framebuffer || kernel.boot_info.text_buffer;
    case DisplayUse::on:
        return true;
    case DisplayUse::off:
        return false;
    }
    UNREACHABLE();
}

constexpr std::string_view default_theme = "dark";

/// The theme that is wanted, or else the usual one, or the first.
text::Theme const& theme_of(boot::Kernel& kernel) {
    std::string_view const name = kernel.options.theme;
    if (auto const found = text::find_theme(name.empty() ? default_theme : name)) {
        return *found.value();
    }
    if (!name.empty()) {
        kernel.log(LogLevel::warning, "there is no theme '{}'", name);
    }
    return text::themes().front();
}

} // namespace

MachineScreen::MachineScreen(boot::Kernel& kernel) : m_kernel(kernel) {
    if (is_wanted(kernel)) {
        open();
    }
}

void MachineScreen::open() {
    text::Theme const& theme = theme_of(m_kernel);
    m_theme.store(&theme, relaxed);
    if (auto const opened = open_outlet(theme); !opened) {
        m_kernel.log(LogLevel::warning, "there is no screen: {}", opened.error());
        return;
    }
    show_panics();
    auto const seat = ScreenSeat::open(m_kernel, *outlet(), open_keyboard());
    if (!seat) {
        m_kernel.log(LogLevel::warning, "the screen is not used: {}", seat.error());
        return;
    }
    m_seat = seat.value();
    m_kernel.screen = this;
}

void MachineScreen::set_theme(text::Theme const& theme) {
    m_theme.store(&theme, relaxed);
    m_seat->console().set_theme(theme);
}

/// From now on the report of a panic is seen on the outlet.
void MachineScreen::show_panics() {
    m_panic_screen.emplace(*outlet());
    m_panic_outlet = {
        .context = &*m_panic_screen,
        .note =
            [](void* screen, std::string_view text) {
                static_cast<device::PanicScreen*>(screen)->note(text);
            },
        // Nobody is left whom an error could be told: the console has the report.
        .show =
            [](void* screen) {
                static_cast<void>(static_cast<device::PanicScreen*>(screen)->show());
            }};
    m_kernel.panic_outlet.store(&m_panic_outlet, release);
}

MachineScreen::~MachineScreen() {
    m_kernel.screen = nullptr;
    m_kernel.panic_outlet.store(nullptr, release);
    if (m_seat != nullptr) {
        m_seat->close();
    }
}

Result<void> MachineScreen::open_outlet(text::Theme const& theme) {
    auto const display = boot::display(m_kernel);
    if (display) {
        m_pixels.emplace(TRY(device::PixelOutlet::create(*display.value(), theme)));
        return {};
    }
    m_text.emplace(*TRY(boot::text_display(m_kernel)), theme);
    return {};
}

device::ScreenOutlet* MachineScreen::outlet() {
    return m_pixels ? static_cast<device::ScreenOutlet*>(&*m_pixels) : &*m_text;
}

/// Null, and a word in the log: there is none, so nobody types.
device::Ps2* MachineScreen::open_keyboard() {
    auto const keyboard = boot::keyboard_and_mouse(m_kernel);
    if (!keyboard) {
        m_kernel.log(LogLevel::warning, "the screen has no keyboard: {}", keyboard.error());
        return nullptr;
    }
    std::string_view const name = m_kernel.options.layout;
    if (!name.empty()) {
        auto const layout = device::find_layout(name);
        if (layout) {
            keyboard.value()->set_layout(*layout.value());
        } else {
            m_kernel.log(LogLevel::warning, "there is no keyboard layout '{}'", name);
        }
    }
    return keyboard.value();
}

} // namespace twofold::shell
