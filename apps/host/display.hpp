// The display of a hosted machine: the device on its bus, and where its frames go. Without a window
// that was asked for the run goes on, with a line about why.
#pragma once

#include "apps/display/display_option.hpp"
#include "apps/display/window_display.hpp"
#include "apps/host/stopper.hpp"
#include "hal/hosted/devices/virtio_gpu.hpp"
#include "hal/hosted/machine.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace twofold::host {

class HostDisplay final : public display::WindowListener {
public:
    /// Opens what the choice needs. Throws Failure (74) where its file cannot be written.
    /// `program` begins each line on stderr.
    HostDisplay(display::DisplayChoice const& choice, std::string program);

    /// What the machine is to be given. Used no longer than this lives.
    std::shared_ptr<hosted::VirtioGpu> const& device() const { return m_device; }

    /// The window's events reach the machine, which has the device as number `number`, from here
    /// to `disconnect`, before which neither may go. By the thread that runs the machine.
    void connect(hosted::Machine& machine, u32 number);
    void disconnect();

    /// Whether something may come from outside.
    bool can_wake() const { return m_window != nullptr && !m_is_lost; }
    /// The person has closed the window, which ends the run.
    bool is_closed() const { return m_is_closed; }
    /// At the end of the run: writes what is to be written. Throws Failure (74).
    void finish() const;

    void key(u8 usage, bool is_pressed) override;
    void mouse(i32 dx, i32 dy, i32 wheel, u8 buttons) override;
    void resized(hosted::FrameSize size) override;
    void closed() override;
    void lost() override;
    void still_closed() override;

private:
    hosted::FrameSink& sink();
    void say(std::string_view line) const;

    display::DisplayChoice m_choice;
    std::string m_program;
    display::FrameKeeper m_kept;
    std::unique_ptr<display::WindowDisplay> m_window;
    std::shared_ptr<hosted::VirtioGpu> m_device;
    std::optional<Stopper> m_stopper;
    hosted::Machine* m_machine = nullptr;
    u32 m_number = 0;
    std::atomic<bool> m_is_closed = false;
    std::atomic<bool> m_is_lost = false;
};

/// A display, if there is one, is connected while this lives.
class DisplayConnection {
public:
    DisplayConnection(HostDisplay* display, hosted::Machine& machine, u32 number)
        : m_display(display) {
        if (m_display != nullptr) {
            m_display->connect(machine, number);
        }
    }
    DisplayConnection(DisplayConnection const&) = delete;
    DisplayConnection& operator=(DisplayConnection const&) = delete;
    ~DisplayConnection() {
        if (m_display != nullptr) {
            m_display->disconnect();
        }
    }

private:
    HostDisplay* m_display;
};

} // namespace twofold::host
