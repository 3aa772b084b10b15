// The driver of a virtio-gpu, in two dimensions: one screen, whose pixels are copied by the device
// out of memory of the kernel's heap.
//
// A present is two commands, each waited for: the device copies the rectangle, then shows it. The
// device says in its configuration that its window has another size; what it wants is asked for in
// context work and remembered, and adopt_mode makes another resource of that size.
//
// Invariant: the thread that calls has at most one command on its way, at the place of commands in
// the page, and context work one question for the size, at its own. The report of a panic has a
// third place: what is on its way then may never come to its end.
//
// Source: VIRTIO 1.2, section 5.7.
#pragma once

#include "core/device/display/pixel_memory.hpp"
#include "core/device/virtio/device.hpp"
#include "core/device/virtio/gpu_layout.hpp"

namespace twofold::device {

class VirtioGpu final : public Display {
public:
    static constexpr Nanos time_out{i64{2} * 1'000'000'000};
    /// Of a device that shows nothing yet and does not say what it would like.
    static constexpr DisplayMode default_mode{1024, 768};

    /// Takes the transport over, whose device is a gpu, and closes it, also where that fails. In
    /// memory of the heap, until it is closed. Context thread. Errors: not_supported (the device
    /// has no screen, or those of virtio::Device), io_failed (it refuses), corrupted, timed_out,
    /// out_of_memory, those of the interrupt controllers.
    static Result<VirtioGpu*>
    open(DriverEnvironment const& environment, virtio::Transport& transport);

    DisplayMode mode() const override { return m_pixels.mode(); }
    std::span<u32> pixels() override { return m_pixels.pixels(); }
    u32 stride() const override { return m_pixels.mode().width; }
    Result<void> present(text::Rectangle const& area) override;
    Result<void> present_in_panic(text::Rectangle const& area) override;
    bool wants_mode() const override {
        return m_wanted.load(acquire) != m_current.load(acquire) && !m_device.is_broken();
    }
    Result<void> adopt_mode() override;
    std::string_view name() const override { return "virtio-gpu"; }
    DisplayCounts counts() const override { return m_counts; }
    void set_change_listener(ChangeListener listener, void* context) override;
    void close() override;

private:
    VirtioGpu(DriverEnvironment const& environment, virtio::Transport& transport, PhysAddr page)
        : m_environment(environment),
          m_transport(transport),
          m_page(page),
          m_device(environment, transport) {}
    ~VirtioGpu() = default;

    Result<void> begin();
    Result<u32> command(
        virtio::Segment const& request,
        virtio::gpu::Kind answer,
        std::optional<virtio::Segment> more);
    template<class Command>
    Result<void> perform(Command command, std::optional<virtio::Segment> more = {});
    Result<DisplayMode> ask_for_mode();
    /// What the device reaches of the pixels: the runs of frames that they lie in.
    struct Backing {
        std::span<DmaMapping> runs;
    };

    Result<void> show(PixelMemory const& pixels, u32 resource, Backing const& backing);
    Result<void> attach(u32 resource, Backing const& backing);
    Result<Backing> map(PixelMemory const& pixels);
    void unmap(Backing& backing);
    template<class Command>
    Result<void> perform_in_panic(Command command);
    template<class Command>
    Result<void> bring(text::Rectangle const& area, Command const& command);
    void forget(u32 resource);
    void tell();

    static void take_configuration(void* self);
    void submit_question();
    static void take_answer(virtio::QueueRequest& request, Result<u32> written);

    /// Of a mode as one word.
    static constexpr u64 word_of(DisplayMode mode) { return u64{mode.width} << 32 | mode.height; }
    static constexpr DisplayMode mode_of(u64 word) {
        return {static_cast<u32>(word >> 32), static_cast<u32>(word)};
    }

    /// Asks for the size, in context work. One at a time.
    struct Question : virtio::QueueRequest {
        VirtioGpu* gpu = nullptr;
        virtio::Segment request;
        virtio::Segment answer;
    };

    DriverEnvironment m_environment;
    virtio::Transport& m_transport;
    PhysAddr m_page; ///< commands and answers
    virtio::Device m_device;
    virtio::VirtQueue* m_queue = nullptr;
    PixelMemory m_pixels;
    Backing m_backing;  ///< of those
    u32 m_resource = 0; ///< that is shown; 0: none
    u64 m_fence = 0;    ///< of the last command
    DisplayCounts m_counts;
    Question m_question;
    Atomic<u64> m_current{0}; ///< the modes as words
    Atomic<u64> m_wanted{0};
    Atomic<u32> m_questions{0}; ///< asked and not answered; those beside the first come after it

    sync::SpinLock m_lock{sync::LockRank::device};
    ChangeListener m_listener GUARDED_BY(m_lock) = nullptr;
    void* m_listener_context GUARDED_BY(m_lock) = nullptr;
    u32 m_telling GUARDED_BY(m_lock) = 0; ///< calls of the listener that run
};

} // namespace twofold::device
