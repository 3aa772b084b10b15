// The console and the result channel. Reading is shown by the harness itself: commands arrive by
// it.
#include "hal/console.hpp"
#include "core/boot/boot.hpp"
#include "tests/support/test.hpp"

#include <array>

using namespace twofold;

TEST(Console, TakesEmptyWrites) {
    hal::Console::write("");
    hal::Console::write_result({});
}

TEST(Console, GarbageOnTheResultChannelHidesNoRecord) {
    // The reader must find the next frame: the end of this very test is its proof.
    constexpr std::array<u8, 9> garbage{0x54, 0x32, 0x46, 0x1e, 0x08, 0xff, 0xff, 0x54, 0x32};
    hal::Console::write_result(std::as_bytes(std::span(garbage)));
}
