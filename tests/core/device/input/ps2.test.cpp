// The driver of the keyboard controller, in a kernel on each machine: what the controller is made
// to say arrives, whatever that is. The machines that have a PCI bus are PCs with such a
// controller; the one without, the emulator's microvm, has none of both.
#include "core/boot/boot.hpp"
#include "core/boot/devices.hpp"
#include "core/boot/pci.hpp"
#include "hal/conformance/interrupt_support.hpp"
#include "hal/pci.hpp"
#include "tests/support/test.hpp"

#include <algorithm>
#include <array>

using namespace twofold;
using namespace twofold::device;

namespace {

using conformance::comes_true;
using Port = Ps2Controller::Port;

bool is_pc() {
    return hal::Pci::space_bytes(0, 0) != 0;
}

/// The bus, which drivers are opened with, is forgotten with the test.
struct BusOfTheTest {
    BusOfTheTest() = default;
    BusOfTheTest(BusOfTheTest const&) = delete;
    BusOfTheTest& operator=(BusOfTheTest const&) = delete;
    ~BusOfTheTest() { boot::forget_pci(boot::current_kernel()); }
};

Result<Ps2*> open(ScancodeSet set) {
    boot::Kernel& kernel = boot::current_kernel();
    Ps2Options options = boot::keyboard_options(kernel);
    options.set = set;
    options.layout = find_layout("us").value();
    DriverEnvironment const environment = TRY(boot::driver_environment(kernel));
    return Ps2::open(environment, options);
}

/// The driver for a test, and what its listeners were told.
class Session {
public:
    static constexpr usize kept = 1024;

    explicit Session(ScancodeSet set) : m_opened(open(set)) {
        if (is_open()) {
            it().set_key_listener(take_key, this);
            it().set_mouse_listener(take_mouse, this);
        }
    }
    ~Session() {
        if (is_open()) {
            it().close();
        }
    }
    Session(Session const&) = delete;
    Session& operator=(Session const&) = delete;

    bool is_open() const { return m_opened.has_value(); }
    Ps2& it() const { return *m_opened.value(); }

    bool inject(Key key, bool pressed) {
        return it().inject(encode(key, pressed, it().set()).view()).has_value();
    }
    bool hit(Key key) { return inject(key, true) && inject(key, false); }
    /// Whether so many events have come, and the last ones are these.
    bool has_keys(std::span<KeyEvent const> expected) {
        bool const have_come = comes_true([&] { return m_count.load(acquire) >= expected.size(); });
        return have_come && m_count.load(acquire) == expected.size() &&
               std::ranges::equal(std::span(m_keys).first(expected.size()), expected);
    }
    bool has_moves(std::span<MouseEvent const> expected) {
        bool const have_come = comes_true([&] { return m_moved.load(acquire) >= expected.size(); });
        return have_come && m_moved.load(acquire) == expected.size() &&
               std::ranges::equal(std::span(m_moves).first(expected.size()), expected);
    }
    void forget() { m_count.store(0, release); }
    u64 count() const { return m_count.load(acquire); }
    /// One of the first events.
    KeyEvent const& key(usize index) const { return m_keys[index]; }
    /// Keys that came up without having been down, or repeats of those that were not.
    u64 senseless() const { return m_senseless.load(acquire); }
    bool is_held(Key key) const { return m_held[static_cast<u8>(key)]; }
    /// Is done within the first event, in the second half.
    void (*within_first)(Session& session) = nullptr;

private:
    BusOfTheTest m_bus;
    static void take_key(void* context, KeyEvent const& event) {
        auto& self = *static_cast<Session*>(context);
        u64 const count = self.m_count.load(relaxed);
        bool& held = self.m_held[static_cast<u8>(event.key)];
        bool const makes_sense = (event.pressed || held) && (!event.repeated || held);
        self.m_senseless.fetch_add(makes_sense ? 0 : 1, relaxed);
        held = event.pressed;
        if (count < kept) {
            self.m_keys[count] = event;
        }
        self.m_count.store(count + 1, release);
        if (count == 0 && self.within_first != nullptr) {
            self.within_first(self);
        }
    }
    static void take_mouse(void* context, MouseEvent const& event) {
        auto& self = *static_cast<Session*>(context);
        u64 const count = self.m_moved.load(relaxed);
        if (count < self.m_moves.size()) {
            self.m_moves[count] = event;
        }
        self.m_moved.store(count + 1, release);
    }

    Result<Ps2*> m_opened;
    std::array<KeyEvent, kept> m_keys{};
    std::array<MouseEvent, 8> m_moves{};
    std::array<bool, 256> m_held{};
    Atomic<u64> m_count{0};
    Atomic<u64> m_moved{0};
    Atomic<u64> m_senseless{0};
};

/// Too large for a kernel's stack.
class OnHeap {
public:
    explicit OnHeap(ScancodeSet set)
        : m_room(memory::allocate_room<Session>(*boot::current_kernel().heap, 1).value()),
          m_session(*new(m_room) Session(set)) {}
    ~OnHeap() {
        m_session.~Session();
        memory::free_room(*boot::current_kernel().heap, m_room);
    }
    OnHeap(OnHeap const&) = delete;
    OnHeap& operator=(OnHeap const&) = delete;
    Session* operator->() const { return &m_session; }
    Session& operator*() const { return m_session; }

private:
    Session* m_room;
    Session& m_session;
};

constexpr u16 num = Modifiers::num_lock;

constexpr KeyEvent down(Key key, char32_t character = 0, u16 held = 0) {
    return {
        .key = key,
        .pressed = true,
        .repeated = false,
        .modifiers = {static_cast<u16>(num | held)},
        .character = character};
}
constexpr KeyEvent up(Key key, u16 held = 0) {
    return {
        .key = key,
        .pressed = false,
        .repeated = false,
        .modifiers = {static_cast<u16>(num | held)},
        .character = 0};
}

void type_in(ScancodeSet set) {
    OnHeap session(set);
    if (!session->is_open()) {
        EXPECT_FALSE(is_pc());
        return;
    }
    EXPECT_EQ(session->it().set(), set);
    constexpr u16 shift = Modifiers::left_shift;
    constexpr KeyEvent expected[] = {
        down(Key::left_shift, 0, shift),
        down(Key::h, U'H', shift),
        up(Key::h, shift),
        up(Key::left_shift),
        down(Key::i, U'i'),
        up(Key::i),
        down(Key::up),
        up(Key::up),
        down(Key::print_screen),
        up(Key::print_screen),
        down(Key::pause),
        up(Key::pause),
        down(Key::keypad_5, U'5'),
        up(Key::keypad_5)};
    EXPECT_TRUE(session->inject(Key::left_shift, true) && session->hit(Key::h));
    EXPECT_TRUE(session->inject(Key::left_shift, false) && session->hit(Key::i));
    EXPECT_TRUE(session->hit(Key::up) && session->hit(Key::print_screen));
    EXPECT_TRUE(session->hit(Key::pause) && session->hit(Key::keypad_5));
    EXPECT_TRUE(session->has_keys(expected));
    Ps2Counts const counts = session->it().counts();
    EXPECT_EQ(counts.unknown + counts.resyncs + counts.overflows + counts.losses, 0u);
    EXPECT_GT(counts.interrupts, 0u);
    EXPECT_EQ(counts.bytes, set == ScancodeSet::one ? 26u : 35u);
}

/// Fills the ring from within the second half, so that nobody empties it.
void inject_600(Session& session) {
    u8 const byte = encode(Key::b, true, session.it().set()).bytes[0];
    for (u32 count = 0; count < 600; ++count) {
        static_cast<void>(session.it().inject({&byte, 1}));
    }
}

} // namespace

TEST(Ps2, IsFoundOnAPcAndMissedAtOnceElsewhere) {
    BusOfTheTest const bus;
    Nanos const before = hal::Clock::now();
    auto const opened = open(ScancodeSet::two);
    if (!is_pc()) {
        ASSERT_FALSE(opened.has_value());
        EXPECT_EQ(opened.error(), Error::not_found);
        EXPECT_LT(hal::Clock::now() - before, Nanos{500'000'000});
        return;
    }
    ASSERT_TRUE(opened.has_value());
    EXPECT_TRUE(opened.value()->has_keyboard());
    EXPECT_TRUE(opened.value()->has_mouse());
    EXPECT_TRUE(opened.value()->has_wheel());
    opened.value()->close();
}

TEST(Ps2, WhatIsTypedArrivesInSet2) {
    type_in(ScancodeSet::two);
}

TEST(Ps2, WhatIsTypedArrivesTranslated) {
    type_in(ScancodeSet::one);
}

TEST(Ps2, LayoutsChangeWhileItIsOpen) {
    OnHeap session(ScancodeSet::two);
    if (!session->is_open()) {
        EXPECT_FALSE(is_pc());
        return;
    }
    session->it().set_layout(*find_layout("de").value());
    EXPECT_EQ(session->it().layout().name, "de");
    constexpr u16 alt_gr = Modifiers::alt_gr;
    constexpr KeyEvent expected[] = {
        down(Key::y, U'z'),
        up(Key::y),
        down(Key::right_alt, 0, alt_gr),
        down(Key::e, U'€', alt_gr),
        up(Key::e, alt_gr),
        up(Key::right_alt),
        down(Key::equal),
        up(Key::equal),
        down(Key::e, U'é'),
        up(Key::e)};
    EXPECT_TRUE(session->hit(Key::y) && session->inject(Key::right_alt, true));
    EXPECT_TRUE(session->hit(Key::e) && session->inject(Key::right_alt, false));
    EXPECT_TRUE(session->hit(Key::equal) && session->hit(Key::e));
    EXPECT_TRUE(session->has_keys(expected));
}

TEST(Ps2, LightsFollowLocksAndTheirAnswersAreNoKeys) {
    for (ScancodeSet const set : {ScancodeSet::one, ScancodeSet::two}) {
        OnHeap session(set);
        if (!session->is_open()) {
            EXPECT_FALSE(is_pc());
            return;
        }
        constexpr u16 caps = Modifiers::caps_lock;
        constexpr KeyEvent expected[] = {down(Key::caps_lock, 0, caps), up(Key::caps_lock, caps),
                                         down(Key::a, U'A', caps),      up(Key::a, caps),
                                         down(Key::caps_lock),          up(Key::caps_lock)};
        EXPECT_TRUE(session->hit(Key::caps_lock) && session->hit(Key::a));
        EXPECT_TRUE(session->hit(Key::caps_lock));
        EXPECT_TRUE(session->has_keys(expected));
        // Beside what was injected the keyboard has answered, twice for each of two commands.
        u64 const injected = set == ScancodeSet::one ? 6 : 9;
        EXPECT_TRUE(comes_true([&] { return session->it().counts().bytes == injected + 4; }));
        Ps2Counts const counts = session->it().counts();
        EXPECT_EQ(counts.unknown + counts.resyncs + counts.losses, 0u);
    }
}

TEST(Ps2, TheMouseMoves) {
    OnHeap session(ScancodeSet::two);
    if (!session->is_open()) {
        EXPECT_FALSE(is_pc());
        return;
    }
    constexpr u8 bytes[] = {0x08, 5, 7, 0, 0x19, 0xfb, 0, 0xff};
    constexpr MouseEvent expected[] = {{5, -7, 0, 0}, {-5, 0, -1, MouseEvent::left}};
    EXPECT_TRUE(session->it().inject(bytes, Port::mouse).has_value());
    EXPECT_TRUE(session->has_moves(expected));
    EXPECT_EQ(session->count(), 0u);
}

TEST(Ps2, AStormOfBytesNeitherHangsNorCorrupts) {
    for (ScancodeSet const set : {ScancodeSet::one, ScancodeSet::two}) {
        OnHeap session(set);
        if (!session->is_open()) {
            EXPECT_FALSE(is_pc());
            return;
        }
        constexpr u64 storm = 10'000;
        Random random(1);
        for (u64 sent = 0; sent < storm; ++sent) {
            u8 const byte = static_cast<u8>(random.next() >> 56);
            ASSERT_TRUE(session->it().inject({&byte, 1}).has_value());
        }
        EXPECT_TRUE(comes_true([&] { return session->it().counts().bytes >= storm; }));
        // One whole stroke may fall victim to what came before; the next is understood.
        EXPECT_TRUE(session->hit(Key::a) && session->inject(Key::delete_forward, true));
        EXPECT_TRUE(comes_true([&] { return session->is_held(Key::delete_forward); }));
        EXPECT_TRUE(session->inject(Key::delete_forward, false));
        EXPECT_TRUE(comes_true([&] { return !session->is_held(Key::delete_forward); }));
        EXPECT_EQ(session->senseless(), 0u);
        EXPECT_GT(session->it().counts().unknown, 0u);
        EXPECT_GT(session->count(), storm / 10);
    }
}

TEST(Ps2, AFullRingLosesVisiblyAndHoldsNoKey) {
    OnHeap session(ScancodeSet::two);
    if (!session->is_open()) {
        EXPECT_FALSE(is_pc());
        return;
    }
    session->within_first = inject_600;
    EXPECT_TRUE(session->inject(Key::a, true));
    constexpr u64 taken = Ps2::ring_entries - 1; // one place says that the rest is missing
    EXPECT_TRUE(comes_true([&] { return session->count() >= 1 + taken + 2; }));
    EXPECT_EQ(session->it().counts().overflows, 600 - taken);
    EXPECT_EQ(session->key(taken), (KeyEvent{Key::b, true, true, {num}, U'b'}));
    EXPECT_EQ(session->key(taken + 1), up(Key::a));
    EXPECT_EQ(session->key(taken + 2), up(Key::b));
    session->within_first = nullptr;
    session->forget();
    constexpr KeyEvent expected[] = {down(Key::c, U'c'), up(Key::c)};
    EXPECT_TRUE(session->hit(Key::c));
    EXPECT_TRUE(session->has_keys(expected));
}

TEST(Ps2, ClosesAndOpensAgain) {
    for (u32 round = 0; round < 4; ++round) {
        OnHeap session(round % 2 == 0 ? ScancodeSet::two : ScancodeSet::one);
        if (!session->is_open()) {
            EXPECT_FALSE(is_pc());
            return;
        }
        constexpr KeyEvent expected[] = {down(Key::q, U'q'), up(Key::q)};
        EXPECT_TRUE(session->hit(Key::q));
        EXPECT_TRUE(session->has_keys(expected));
        session->it().set_key_listener(nullptr, nullptr);
        EXPECT_TRUE(session->hit(Key::q)); // nobody hears it
        EXPECT_EQ(session->count(), 2u);
    }
}
