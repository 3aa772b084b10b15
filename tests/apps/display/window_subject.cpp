// Plays the machine's program for window_test.py: opens a window, presents what standard input
// says, and prints what the window tells, a line each. Ends with its input.
//
//     size WIDTH HEIGHT            frames have this size from here on
//     fill X Y WIDTH HEIGHT RRGGBB presents one colour
//     paint SEED                   presents a frame in which each pixel differs from its neighbours
//     die                          ends as a crash does, leaving the window to itself
#include "apps/display/window_display.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <iostream>
#include <sstream>

namespace {

using namespace twofold;
using namespace twofold::display;

void tell(std::string_view line) {
    static std::mutex mutex;
    std::lock_guard const lock(mutex);
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

class Printer final : public WindowListener {
public:
    void key(u8 usage, bool is_pressed) override {
        tell(fmt::format("key {:#04x} {}", usage, is_pressed ? "down" : "up"));
    }
    void mouse(i32 dx, i32 dy, i32 wheel, u8 buttons) override {
        tell(fmt::format("mouse {} {} {} {}", dx, dy, wheel, buttons));
    }
    void resized(FrameSize size) override {
        tell(fmt::format("resized {} {}", size.width, size.height));
    }
    void closed() override { tell("closed"); }
    void lost() override { tell("lost"); }
};

void perform(std::istringstream& line, WindowDisplay& window, FrameSize& size) {
    std::string word;
    line >> word;
    if (word == "size") {
        line >> size.width >> size.height;
        window.resize(size);
    } else if (word == "fill") {
        FrameArea area;
        u32 colour = 0;
        line >> area.x >> area.y >> area.width >> area.height >> std::hex >> colour;
        std::vector<u32> const pixels(u64{area.width} * area.height, colour);
        window.present(area, pixels, area.width);
    } else if (word == "paint") {
        u32 seed = 0;
        line >> seed;
        std::vector<u32> pixels(u64{size.width} * size.height);
        for (u32 i = 0; i < pixels.size(); ++i) {
            pixels[i] = (i * 0x9e'3779u + seed) & 0xff'ffffu;
        }
        window.present({0, 0, size.width, size.height}, pixels, size.width);
    } else if (word == "die") {
        std::_Exit(3);
    } else {
        fmt::print(stderr, "no such command: {}\n", word);
        std::_Exit(64);
    }
}

} // namespace

int main(int count, char** arguments) {
    FrameSize size{320, 200};
    auto window =
        WindowDisplay::open(count > 1 ? arguments[1] : WindowDisplay::find_program(), size);
    if (!window) {
        tell(fmt::format("no window: {}", window.error()));
        return EXIT_FAILURE;
    }
    Printer printer;
    (*window)->start(printer);
    tell("open");
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        perform(words, **window, size);
        tell("done");
    }
    (*window)->stop();
    return EXIT_SUCCESS;
}
