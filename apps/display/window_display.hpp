// A display whose frames a window shows: starts the window program, gives it frames, and tells what
// the person does there.
//
// A processor that presents copies its pixels into a frame of this object's and goes on; a thread
// of its own, with all signals blocked, brings them to the memory that the window sees. So a window
// that stands still, or is gone, holds no processor up, and what it shows is always what was
// presented, whole.
#pragma once

#include "apps/display/frame.hpp"
#include "apps/display/shared_memory.hpp"

#include <atomic>
#include <expected>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>
#include <thread>

namespace twofold::display {

/// What the person does. On the display's own thread.
class WindowListener {
public:
    virtual ~WindowListener() = default;
    /// A usage of HID's keyboard page (USB HID Usage Tables 1.4, section 10).
    virtual void key(u8 usage, bool is_pressed) = 0;
    /// How far to the right and down, how many steps of the wheel away from the person, and which
    /// buttons are down now.
    virtual void mouse(i32 dx, i32 dy, i32 wheel, u8 buttons) = 0;
    virtual void resized(FrameSize size) = 0;
    /// The window was closed: once, and nothing comes after it.
    virtual void closed() = 0;
    /// The window program has ended without having been asked to: the same.
    virtual void lost() = 0;
    /// While the window is closed: again and again, until the display goes.
    virtual void still_closed() {}
};

class WindowDisplay final : public hosted::FrameSink {
public:
    /// Where the window program is: beside this program, in a build tree's folder `window`, or on
    /// the path; empty: nowhere.
    static std::filesystem::path find_program();
    /// Starts `program` with a window of that size. The error is a part of a line: why there is no
    /// window. Waits until the window is there, some seconds at most.
    static std::expected<std::unique_ptr<WindowDisplay>, std::string>
    open(std::filesystem::path const& program, FrameSize size);

    WindowDisplay(WindowDisplay const&) = delete;
    WindowDisplay& operator=(WindowDisplay const&) = delete;
    /// The window goes.
    ~WindowDisplay() override;

    /// From here on the listener is told; once. It must live until `stop` has returned.
    void start(WindowListener& listener);
    void stop();

    void resize(FrameSize size) override;
    void present(FrameArea const& area, std::span<u32 const> pixels, u32 stride) override;

private:
    WindowDisplay(SharedMemory memory, launch::Descriptor socket, launch::Descriptor wake);

    void serve(std::stop_token const& stopped, WindowListener& listener);
    bool receive(WindowListener& listener);
    bool bring();
    void note_damage(FrameArea const& area);
    void wake() const;

    SharedMemory m_memory;
    launch::Descriptor m_socket;
    launch::Descriptor m_wake; ///< eventfd: there is damage, or the thread is to end
    pid_t m_process = -1;
    bool m_is_closed = false; ///< of the thread
    std::jthread m_thread;

    std::mutex m_mutex; ///< guards all below; the shared lock is taken before it
    Frame m_frame;
    FrameArea m_damage{};
};

} // namespace twofold::display
