// Framebuffers in memory of the machine: pixels of every width, and text screens.
#include "core/boot/boot.hpp"
#include "core/device/display/code_page.hpp"
#include "core/device/drivers.hpp"
#include "tests/support/test.hpp"

#include <cstring>

using namespace twofold;
using device::LinearDisplay;
using device::PixelFormat;
using device::VgaText;

namespace {

/// Frames that stand for a screen's memory.
class ScreenFrames {
public:
    explicit ScreenFrames(u64 pages)
        : m_pages(pages),
          m_base(boot::current_kernel()
                     .frames->allocate(memory::FrameRequest{.pages = pages})
                     .value()) {
        std::memset(hal::Memory::linear(m_base), 0x5a, pages * page_size.value);
    }
    ~ScreenFrames() { boot::current_kernel().frames->free_pages(m_base, m_pages).value(); }
    ScreenFrames(ScreenFrames const&) = delete;
    ScreenFrames& operator=(ScreenFrames const&) = delete;

    PhysAddr base() const { return m_base; }
    /// `bytes` of them at an offset, as a number.
    u32 at(u64 offset, u32 bytes) const {
        u32 value = 0;
        std::memcpy(&value, hal::Memory::linear(m_base + Bytes{offset}), bytes);
        return value;
    }

private:
    u64 m_pages;
    PhysAddr m_base;
};

constexpr u32 screen_width = 37, screen_height = 9, screen_pitch = 256;
constexpr hal::Framebuffer words{
    .base = {},
    .width = screen_width,
    .height = screen_height,
    .pitch = screen_pitch,
    .bits_per_pixel = 32,
    .red_shift = 16,
    .red_bits = 8,
    .green_shift = 8,
    .green_bits = 8,
    .blue_shift = 0,
    .blue_bits = 8};

hal::Framebuffer reversed(hal::Framebuffer from, u8 bits) {
    from.bits_per_pixel = bits;
    std::swap(from.red_shift, from.blue_shift);
    return from;
}

hal::Framebuffer sixteen(hal::Framebuffer from) {
    from.bits_per_pixel = 16;
    from.red_shift = 11;
    from.red_bits = 5;
    from.green_shift = 5;
    from.green_bits = 6;
    from.blue_bits = 5;
    return from;
}

u32 as_reversed(u32 rgb) {
    return (rgb & 0xff) << 16 | (rgb & 0xff00) | rgb >> 16;
}

u32 as_sixteen(u32 rgb) {
    return (rgb >> 19 & 0x1f) << 11 | (rgb >> 10 & 0x3f) << 5 | (rgb >> 3 & 0x1f);
}

/// Presents a rectangle, and compares all of the memory.
void check_format(hal::Framebuffer framebuffer, u32 (*expected)(u32)) {
    boot::Kernel& kernel = boot::current_kernel();
    ScreenFrames const frames(1);
    framebuffer.base = frames.base();
    auto const opened = LinearDisplay::open(*kernel.space, *kernel.heap, framebuffer);
    ASSERT_TRUE(opened.has_value());
    LinearDisplay& display = *opened.value();
    u32 number = 0;
    for (u32& pixel : display.pixels()) {
        pixel = (number += 0x31'0f57) & 0xff'ffff;
    }
    constexpr text::Rectangle area{5, 2, 30, 6};
    EXPECT_TRUE(display.present(area).has_value());
    u32 const bytes = framebuffer.bits_per_pixel / 8u;
    u32 const untouched = 0x5a5a'5a5a & (bytes == 4 ? ~u32{0} : (u32{1} << 8 * bytes) - 1);
    u32 wrong = 0;
    for (u32 y = 0; y < screen_height; ++y) {
        for (u32 x = 0; x < screen_pitch / bytes; ++x) {
            bool const is_inside = area.contains({static_cast<i32>(x), static_cast<i32>(y), 1, 1});
            u32 const wanted =
                is_inside ? expected(display.pixels()[y * screen_width + x]) : untouched;
            wrong += frames.at(y * screen_pitch + x * bytes, bytes) != wanted ? 1 : 0;
        }
    }
    EXPECT_EQ(wrong, 0u);
    EXPECT_EQ(display.counts().pixels, 180u);
    display.close();
}

Error format_error(hal::Framebuffer const& framebuffer) {
    auto const format = PixelFormat::of(framebuffer);
    return format ? Error::busy : format.error();
}

} // namespace

TEST(LinearDisplay, WritesPixelsOfEveryWidth) {
    check_format(words, [](u32 rgb) { return rgb; });
    check_format(reversed(words, 32), as_reversed);
    check_format(reversed(words, 24), as_reversed);
    check_format(sixteen(words), as_sixteen);
}

TEST(LinearDisplay, RefusesWhatItCannotWrite) {
    boot::Kernel& kernel = boot::current_kernel();
    hal::Framebuffer wrong = words;
    wrong.bits_per_pixel = 8;
    EXPECT_EQ(format_error(wrong), Error::not_supported);
    wrong = words;
    wrong.red_bits = 10;
    EXPECT_EQ(format_error(wrong), Error::not_supported);
    wrong = words;
    wrong.red_shift = 25;
    EXPECT_EQ(format_error(wrong), Error::not_supported);
    wrong = words;
    wrong.blue_bits = 0;
    EXPECT_EQ(format_error(wrong), Error::not_supported);
    wrong = words;
    wrong.pitch = 4 * screen_width - 1;
    auto const narrow = LinearDisplay::open(*kernel.space, *kernel.heap, wrong);
    ASSERT_FALSE(narrow.has_value());
    EXPECT_EQ(narrow.error(), Error::corrupted);
    wrong = words;
    wrong.height = text::Surface::side_max + 1;
    auto const high = LinearDisplay::open(*kernel.space, *kernel.heap, wrong);
    ASSERT_FALSE(high.has_value());
    EXPECT_EQ(high.error(), Error::out_of_range);
}

TEST(CodePage437, HasItsCharactersAndNoOthers) {
    EXPECT_EQ(device::code_page_437('A'), u8{'A'});
    EXPECT_EQ(device::code_page_437(0), u8{' '});
    EXPECT_EQ(device::code_page_437(0x263a), 0x01);
    EXPECT_EQ(device::code_page_437(0x25bc), 0x1f);
    EXPECT_EQ(device::code_page_437(0x2302), 0x7f);
    EXPECT_EQ(device::code_page_437(0x00c7), 0x80);
    EXPECT_EQ(device::code_page_437(0x2554), 0xc9);
    EXPECT_EQ(device::code_page_437(0x00a0), 0xff);
    EXPECT_EQ(device::code_page_437(0x20ac), u8{'?'});
    EXPECT_EQ(device::code_page_437(0x1f600), u8{'?'});
    EXPECT_EQ(device::code_page_437(7), u8{'?'});
}

namespace {

struct Written {
    u16 port;
    u8 value;
};

struct Ports {
    FixedVector<Written, 16> written;

    static void write(void* self, u16 port, u8 value) {
        static_cast<Ports*>(self)->written.push_back({port, value}).value();
    }
};

} // namespace

TEST(VgaText, ShowsCellsAndCursor) {
    boot::Kernel& kernel = boot::current_kernel();
    ScreenFrames const frames(1);
    Ports ports;
    hal::TextBuffer const buffer{.base = frames.base(), .columns = 40, .rows = 10, .pitch = 160};
    auto const opened = VgaText::open(*kernel.space, *kernel.heap, buffer, {Ports::write, &ports});
    ASSERT_TRUE(opened.has_value());
    VgaText& vga = *opened.value();
    EXPECT_EQ(frames.at(0, 2), 0x0720u);
    EXPECT_EQ(frames.at(9 * 160 + 78, 2), 0x0720u);
    EXPECT_EQ(frames.at(80, 2), 0x5a5au); // behind a row

    auto memory = text::ScreenMemory<memory::KernelHeap>::create(*kernel.heap, {40, 10}, 0);
    ASSERT_TRUE(memory.has_value());
    text::Screen& screen = memory.value().screen();
    text::Terminal terminal(screen, {});
    text::Theme const& theme = *text::find_theme("dark").value();
    terminal.write("\x1b[31ma\x1b[0m\x1b[1mb\x1b[0m\x1b[7mc\x1b[0m\x1b[8md\x1b[0m");
    vga.show(screen, theme);
    screen.clear_damage();
    EXPECT_EQ(frames.at(0, 2), 0x0c61u);
    EXPECT_EQ(frames.at(2, 2), 0x0f62u);
    EXPECT_EQ(frames.at(4, 2), 0x7063u);
    EXPECT_EQ(frames.at(6, 2) & 0xff, 0x20u);
    ASSERT_EQ(ports.written.size(), 8u);
    EXPECT_EQ(ports.written[6].port, 0x3d4);
    EXPECT_EQ(ports.written[6].value, 0x0f);
    EXPECT_EQ(ports.written[7].port, 0x3d5);
    EXPECT_EQ(ports.written[7].value, 4);

    ports.written.clear();
    u64 const before = vga.cells_written();
    terminal.write("\x1b[3;2Hx\x1b[?25l");
    vga.show(screen, theme);
    screen.clear_damage();
    EXPECT_EQ(vga.cells_written() - before, 1u);
    EXPECT_EQ(frames.at(2 * 160 + 2, 2) & 0xff, u32{'x'});
    ASSERT_EQ(ports.written.size(), 2u); // the cursor is off
    EXPECT_EQ(ports.written[1].value, 0x20);

    ports.written.clear();
    terminal.write("\x1b[10;1H\n"); // what was in the third row is in the second
    vga.show(screen, theme);
    EXPECT_EQ(frames.at(1 * 160 + 2, 2) & 0xff, u32{'x'});
    EXPECT_EQ(frames.at(2 * 160 + 2, 2) & 0xff, u32{' '});
    vga.close();
}

TEST(VgaText, RefusesABufferThatIsNone) {
    boot::Kernel& kernel = boot::current_kernel();
    for (hal::TextBuffer const& buffer :
         {hal::TextBuffer{.base = {}, .columns = 0, .rows = 25, .pitch = 160},
          hal::TextBuffer{.base = {}, .columns = 80, .rows = 0, .pitch = 160},
          hal::TextBuffer{.base = {}, .columns = 80, .rows = 25, .pitch = 159},
          hal::TextBuffer{.base = {}, .columns = 4096, .rows = 25, .pitch = 8192}}) {
        auto const opened = VgaText::open(*kernel.space, *kernel.heap, buffer, {});
        ASSERT_FALSE(opened.has_value());
        EXPECT_EQ(opened.error(), Error::not_supported);
    }
}
