// The console and the result channel. Reading is shown by the harness itself: commands arrive by
// it.
#include "hal/console.hpp"
#include "core/boot/boot.hpp"
#include "hal/conformance/interrupt_support.hpp"
#include "tests/support/test.hpp"

#include <array>

using namespace twofold;

TEST(Console, TakesEmptyWrites) {
    hal::Console::write("");
    hal::Console::write_result({});
}

TEST(Console, WhoWantsToHearOfInputIsToldOnceAtOnce) {
    Atomic<u32> heard{0};
    conformance::Handler const handler(
        [](void* count, hal::Interruption const&) {
            static_cast<Atomic<u32>*>(count)->fetch_add(1, relaxed);
        },
        &heard);
    Result<void> const outcome = hal::Console::raise_on_input(handler.vector());
    if (!outcome) {
        EXPECT_EQ(outcome.error(), Error::not_supported);
        return;
    }
    EXPECT_TRUE(conformance::comes_true([&] { return heard.load(relaxed) != 0; }));
    hal::Console::raise_nothing();
}

TEST(Console, GarbageOnTheResultChannelHidesNoRecord) {
    // The reader must find the next frame: the end of this very test is its proof.
    constexpr std::array<u8, 9> garbage{0x54, 0x32, 0x46, 0x1e, 0x08, 0xff, 0xff, 0x54, 0x32};
    hal::Console::write_result(std::as_bytes(std::span(garbage)));
}
