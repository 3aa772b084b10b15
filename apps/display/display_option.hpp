// The option --display of programs that start a hosted machine: where its frames go.
#pragma once

#include "hal/hosted/devices/frame_sink.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace twofold::display {

struct DisplayChoice {
    enum class Kind : u8 {
        none,   ///< a display that nobody sees
        png,    ///< the last frame becomes a file
        window, ///< a window of the program twofold-window
    };
    Kind kind = Kind::none;
    std::filesystem::path file{}; ///< of `png`
    hosted::FrameSize size{1024, 768};
};

inline constexpr char const* display_choices = "none, png:FILE or sdl, each with ,size=WxH";

/// Takes `none`, `png:FILE` or `sdl`, each with `,size=WxH` behind it. The answer is what is wrong;
/// empty: nothing. O(n).
std::string take_display(std::string const& text, std::optional<DisplayChoice>& choice);

} // namespace twofold::display
