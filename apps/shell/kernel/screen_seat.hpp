// The seat at the machine's screen and keyboard: a terminal on a display, and keys as a terminal
// sends them. Shift with page up and down, and the mouse's wheel, show what has scrolled out.
#pragma once

#include "apps/shell/kernel/byte_queue.hpp"
#include "apps/shell/kernel/seat.hpp"
#include "core/boot/boot.hpp"
#include "core/device/drivers.hpp"

namespace twofold::shell {

class ScreenSeat final : public Seat {
public:
    /// A terminal on an outlet. `keyboard` may be null: then nobody types. Both outlive it, and the
    /// keyboard's listeners are the seat's. Errors: out_of_memory; those of ScreenConsole::open.
    static Result<ScreenSeat*>
    open(boot::Kernel& kernel, device::ScreenOutlet& outlet, device::Ps2* keyboard);
    /// Nobody uses it any more. Context thread.
    void close();

    std::optional<char> read() override;
    void stop() override { m_bytes.close(); }
    void write(std::string_view text) override;
    text::ScreenSize size() override { return m_console->size(); }
    std::string_view name() const override { return "screen"; }

    device::ScreenConsole& console() { return *m_console; }

private:
    ScreenSeat(boot::Kernel& kernel, device::Ps2* keyboard);
    ~ScreenSeat() = default;

    void take(device::KeyEvent const& event);
    void scroll(i32 rows);

    boot::Kernel& m_kernel;
    device::Ps2* m_keyboard;
    device::ScreenConsole* m_console = nullptr;
    ByteQueue m_bytes;
    Atomic<u32> m_application_keys{0};
    Atomic<i32> m_scroll{0}; ///< rows to look back that `read` has not dealt with
};

} // namespace twofold::shell
