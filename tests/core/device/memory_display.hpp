// A display whose screen is memory: what was presented stands there.
#pragma once

#include "core/boot/boot.hpp"
#include "core/device/drivers.hpp"

#include <algorithm>

namespace twofold::test {

class MemoryDisplay final : public device::Display {
public:
    explicit MemoryDisplay(device::DisplayMode mode)
        : m_mode(mode), m_wanted(mode), m_pixels(heap()), m_screen(heap()) {
        fill().value();
    }

    device::DisplayMode mode() const override { return m_mode; }
    std::span<u32> pixels() override { return {m_pixels.begin(), m_pixels.size()}; }
    u32 stride() const override { return m_mode.width; }
    Result<void> present(text::Rectangle const& area) override {
        ++m_counts.presents;
        if (m_fails) {
            ++m_counts.errors;
            return Error::io_failed;
        }
        text::Rectangle const seen = intersection({0, 0, m_mode.width, m_mode.height}, area);
        for (u32 row = 0; row < seen.height; ++row) {
            usize const at =
                usize{static_cast<u32>(seen.y) + row} * m_mode.width + static_cast<u32>(seen.x);
            std::copy_n(m_pixels.begin() + at, seen.width, m_screen.begin() + at);
        }
        m_counts.pixels += u64{seen.width} * seen.height;
        return {};
    }
    Result<void> present_in_panic(text::Rectangle const& area) override { return present(area); }
    bool wants_mode() const override { return m_wants.load(acquire) != 0; }
    Result<void> adopt_mode() override {
        m_wants.store(0, relaxed);
        m_mode = m_wanted;
        return fill();
    }
    std::string_view name() const override { return "memory"; }
    device::DisplayCounts counts() const override { return m_counts; }
    void set_change_listener(ChangeListener listener, void* context) override {
        m_listener = listener;
        m_context = context;
    }
    void close() override {}

    /// Its window has another size now.
    void want(device::DisplayMode mode) {
        m_wanted = mode;
        m_wants.store(1, release);
        m_listener(m_context);
    }
    void fail(bool fails) { m_fails = fails; }
    /// What a person would see.
    std::span<u32 const> screen() const { return {m_screen.begin(), m_screen.size()}; }
    bool shows_its_pixels() const {
        return std::ranges::equal(screen(), std::span(m_pixels.begin(), m_pixels.size()));
    }

private:
    using Pixels = memory::Vector<u32, memory::KernelHeap>;

    static memory::KernelHeap& heap() { return *boot::current_kernel().heap; }
    Result<void> fill() {
        for (Pixels* const pixels : {&m_pixels, &m_screen}) {
            while (!pixels->empty()) {
                pixels->pop();
            }
            for (usize i = 0; i < usize{m_mode.width} * m_mode.height; ++i) {
                TRY(pixels->push(0));
            }
        }
        return {};
    }

    device::DisplayMode m_mode;
    device::DisplayMode m_wanted;
    Pixels m_pixels;
    Pixels m_screen;
    Atomic<u32> m_wants{0};
    bool m_fails = false;
    device::DisplayCounts m_counts;
    ChangeListener m_listener = nullptr;
    void* m_context = nullptr;
};

} // namespace twofold::test
