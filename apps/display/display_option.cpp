// See display_option.hpp.
#include "apps/display/display_option.hpp"

#include "hal/hosted/devices/virtio_gpu.hpp"

#include <fmt/format.h>

#include <charconv>

namespace twofold::display {

namespace {

constexpr std::string_view size_word = ",size=", png_word = "png:";

bool take_side(std::string_view text, u32& side) {
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
    return error == std::errc{} && end == text.data() + text.size() && side >= 1 &&
           side <= hosted::VirtioGpu::side_max;
}

bool take_size(std::string_view text, hosted::FrameSize& size) {
    auto const sign = text.find('x');
    return sign != std::string_view::npos && take_side(text.substr(0, sign), size.width) &&
           take_side(text.substr(sign + 1), size.height);
}

} // namespace

std::string take_display(std::string const& text, std::optional<DisplayChoice>& choice) {
    DisplayChoice taken;
    std::string_view kind = text;
    if (auto const comma = kind.rfind(size_word); comma != std::string_view::npos) {
        std::string_view const size = kind.substr(comma + size_word.size());
        if (!take_size(size, taken.size)) {
            return fmt::format(
                "'{}' is no size: WIDTHxHEIGHT, each from 1 to {}", size,
                hosted::VirtioGpu::side_max);
        }
        kind = kind.substr(0, comma);
    }
    if (kind == "none") {
        taken.kind = DisplayChoice::Kind::none;
    } else if (kind == "sdl") {
        taken.kind = DisplayChoice::Kind::window;
    } else if (kind.starts_with(png_word) && kind.size() > png_word.size()) {
        taken.kind = DisplayChoice::Kind::png;
        taken.file = kind.substr(png_word.size());
    } else {
        return fmt::format("'{}' is no display: {}", text, display_choices);
    }
    choice = std::move(taken);
    return {};
}

} // namespace twofold::display
