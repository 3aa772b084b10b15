// Any bytes as what a keyboard and a mouse send. The first chooses set, layout and kind of mouse,
// the rest goes to both. Events must make sense one after the other, and after one whole stroke the
// next key is understood.
#include "core/device/input/key_text.hpp"
#include "core/device/input/mouse.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>

namespace {

using namespace twofold;
using namespace twofold::device;

void demand(bool holds) {
    if (!holds) {
        std::abort();
    }
}

/// Whoever follows the events knows the same keys to be down as the keyboard.
class Follower {
public:
    void follow(KeyEvent const& event) {
        bool& held = m_held[static_cast<u8>(event.key)];
        demand(!key_name(event.key).empty());
        demand(event.pressed || held); // nothing comes up that is not down
        demand(!event.repeated || (event.pressed && held));
        demand(event.pressed || event.character == 0);
        demand(event.character < Layout::dead_first);
        held = event.pressed;
        KeyText const text(event, CursorKeys::application);
        demand(event.pressed || text.view().empty());
        demand(event.character == 0 || !text.view().empty());
    }
    bool holds(Key key) const { return m_held[static_cast<u8>(key)]; }

private:
    std::array<bool, 256> m_held{};
};

void type(std::span<std::uint8_t const> bytes, ScancodeSet set, Layout const& layout) {
    Keyboard keyboard(set, layout);
    Follower follower;
    auto const take = [&](u8 byte) {
        keyboard.take(byte, [&](KeyEvent const& event) { follower.follow(event); });
    };
    auto const change = [&](Key key, bool pressed) {
        auto const bytes = encode(key, pressed, set);
        for (u8 const byte : bytes.view()) {
            take(byte);
        }
    };
    for (u8 const byte : bytes) {
        take(byte);
    }
    change(Key::a, true);
    change(Key::a, false);
    change(Key::delete_forward, true);
    demand(follower.holds(Key::delete_forward));
    change(Key::delete_forward, false);
    demand(!follower.holds(Key::delete_forward));
    keyboard.release_all([&](KeyEvent const& event) { follower.follow(event); });
    demand(keyboard.lowest_held() == Key::none);
    constexpr u16 locks = Modifiers::caps_lock | Modifiers::num_lock;
    demand((keyboard.modifiers().bits & ~locks) == 0);
}

void move(std::span<std::uint8_t const> bytes, MouseDecoder::Wheel wheel) {
    MouseDecoder mouse(wheel);
    for (u8 const byte : bytes) {
        if (auto const event = mouse.take(byte)) {
            demand(event->dx >= -256 && event->dx <= 255 && event->dy >= -255 && event->dy <= 256);
            demand(event->buttons < 8 && event->wheel >= -128 && event->wheel <= 127);
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    auto const bytes = std::span(data, size).subspan(1);
    type(
        bytes, data[0] % 2 == 0 ? ScancodeSet::one : ScancodeSet::two,
        layouts()[data[0] / 2 % layouts().size()]);
    move(bytes, data[0] % 2 == 0 ? MouseDecoder::Wheel::absent : MouseDecoder::Wheel::present);
    return 0;
}
