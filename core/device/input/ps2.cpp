// See ps2.hpp.
#include "core/device/input/ps2.hpp"

#include <memory>
#include <new>
#include <utility>

namespace twofold::device {

namespace {

using Port = Ps2Controller::Port;

/// What a handler fetches at once: all that a controller and its devices keep.
constexpr u32 bytes_at_once = 64;
constexpr Nanos inject_limit{1'000'000'000};
/// After so many looks at a byte that nobody fetches, its edge has been lost.
constexpr u32 looks_before_poll = 2'000;

} // namespace

Ps2::Ps2(DriverEnvironment const& environment, Ps2Options const& options, Ps2Devices const& devices)
    : m_environment(environment),
      m_devices(devices),
      m_layout(options.layout),
      m_keyboard(devices.set, *options.layout),
      m_mouse(devices.wheel) {
    m_lights.shown = m_keyboard.lights();
}

Result<Ps2*> Ps2::open(DriverEnvironment const& environment, Ps2Options const& options) {
    Ps2Options chosen = options;
    if (chosen.layout == nullptr) {
        auto const usual = find_layout("us");
        chosen.layout = usual ? usual.value() : &layouts().front();
    }
    Ps2Devices const devices = TRY(open_ps2_devices(chosen.set));
    auto const room = memory::allocate_room<Ps2>(environment.heap, 1);
    if (!room) {
        close_ps2_devices();
        return room.error();
    }
    Ps2* const made = new (room.value()) Ps2(environment, chosen, devices);
    if (auto const begun = made->begin(chosen); !begun) {
        made->close();
        return begun.error();
    }
    return made;
}

Result<hal::Vector> Ps2::bind(hal::LineInput const& input, std::string_view name) {
    // More often than a device: a storm of edges must not be held back, since those that come
    // meanwhile are lost for good. Bytes come no faster than the wire lets them.
    hal::Vector const vector = TRY(m_environment.interrupts.bind_line(
        {.line = input.line,
         .trigger = input.trigger,
         .polarity = input.polarity,
         .target = CpuId{0}},
        {.handler = take_interrupt,
         .argument = this,
         .name = name,
         .second_half = work,
         .may_come_often = true}));
    m_environment.interrupts.unmask_line(input.line).value(); // it was bound just now
    return vector;
}

/// Binds the lines, and lets the controller raise them last: what waits there does so then.
Result<void> Ps2::begin(Ps2Options const& options) {
    using namespace ps2::command_byte;
    u8 wanted = m_devices.command_byte;
    if (m_devices.has_keyboard) {
        m_keyboard_vector = TRY(bind(options.keyboard_line, "keyboard"));
        wanted |= keyboard_interrupt;
    }
    if (m_devices.has_mouse) {
        m_mouse_vector = TRY(bind(options.mouse_line, "mouse"));
        wanted |= mouse_interrupt;
    }
    return Ps2Controller::command(ps2::Command::write_command_byte, wanted);
}

void Ps2::end() {
    for (std::optional<hal::Vector> const& vector : {m_keyboard_vector, m_mouse_vector}) {
        if (vector) {
            m_environment.interrupts.unbind(*vector).value(); // it is bound
        }
    }
}

void Ps2::close() {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        static_cast<void>(
            Ps2Controller::try_command(ps2::Command::write_command_byte, m_devices.command_byte));
    }
    end();
    close_ps2_devices();
    DriverEnvironment const environment = m_environment;
    this->~Ps2();
    memory::free_room(environment.heap, this);
}

void Ps2::keep(Ps2Controller::Received const& received) {
    ++m_counts.bytes;
    usize const room = ring_entries - m_ring.size();
    if (room > 1) {
        bool const is_mouse = received.from == Port::mouse;
        m_ring.push({is_mouse ? Entry::Kind::mouse : Entry::Kind::keyboard, received.byte}).value();
        return;
    }
    ++m_counts.overflows;
    if (room == 1) { // the last place says that what comes behind it is not all
        m_ring.push({Entry::Kind::gap, 0}).value();
    }
}

/// Fetches what the controller has; false: nothing.
bool Ps2::fetch() {
    bool has_come = false;
    for (u32 count = 0; count < bytes_at_once; ++count) {
        auto const received = Ps2Controller::look();
        if (!received) {
            break;
        }
        keep(*received);
        has_come = true;
    }
    return has_come;
}

/// Both lines lead here, and either fetches what there is: the other one then finds nothing.
processor::Handling Ps2::take_interrupt(void* self, hal::Interruption const&) {
    auto& ps2 = *static_cast<Ps2*>(self);
    sync::SpinLockGuard const guard(ps2.m_lock, sync::interrupts_are_off);
    ++ps2.m_counts.interrupts;
    return ps2.fetch() ? processor::Handling::wake : processor::Handling::handled;
}

void Ps2::poll() {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        if (!fetch()) {
            return;
        }
    }
    sync::InterruptGuard const off;
    processor::CpuLocal& here = processor::this_cpu();
    processor::request_work(here, m_keyboard_vector ? *m_keyboard_vector : *m_mouse_vector);
    processor::run_pending(here);
}

void Ps2::work(void* self) {
    auto& ps2 = *static_cast<Ps2*>(self);
    while (ps2.begin_work()) {
        while (auto const entry = ps2.next_entry()) {
            ps2.take(*entry);
            ps2.note_counts();
        }
    }
}

/// Whether there is something to do, and nobody does it.
bool Ps2::begin_work() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (m_is_working || m_ring.empty()) {
        return false;
    }
    m_is_working = true;
    if (m_layout != &m_keyboard.layout()) {
        m_keyboard.set_layout(*m_layout);
    }
    return true;
}

/// Where there is nothing more, the work has ended.
std::optional<Ps2::Entry> Ps2::next_entry() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    auto const entry = m_ring.pop();
    m_is_working = entry.has_value();
    return entry;
}

void Ps2::take(Entry const& entry) {
    switch (entry.kind) {
    case Entry::Kind::gap:
        m_keyboard.release_all([this](KeyEvent const& event) { emit(event); });
        m_mouse.restart();
        break;
    case Entry::Kind::mouse:
        if (auto const event = m_mouse.take(entry.byte)) {
            emit(*event);
        }
        break;
    case Entry::Kind::keyboard:
        take_scancode(entry.byte);
        break;
    }
    show_lights();
}

void Ps2::take_scancode(u8 byte) {
    if (take_answer(byte)) {
        return;
    }
    u64 const losses = m_keyboard.decoder().counts().losses;
    m_keyboard.take(byte, [this](KeyEvent const& event) { emit(event); });
    if (m_keyboard.decoder().counts().losses != losses) {
        m_lights = {.shown = Lights::unknown}; // it was perhaps plugged in anew
    }
}

void Ps2::emit(KeyEvent const& event) {
    Listening<KeyListener> keys;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        keys = m_keys;
    }
    if (keys.listener != nullptr) {
        keys.listener(keys.context, event);
    }
}

void Ps2::emit(MouseEvent const& event) {
    Listening<MouseListener> moves;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        moves = m_mouse_moves;
    }
    if (moves.listener != nullptr) {
        moves.listener(moves.context, event);
    }
}

/// What the decoders have counted.
void Ps2::note_counts() {
    ScancodeDecoder::Counts const& keys = m_keyboard.decoder().counts();
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    m_counts.unknown = keys.unknown;
    m_counts.resyncs = keys.resyncs + m_mouse.resyncs();
    m_counts.losses = keys.losses;
}

/// Whether a byte of the keyboard answers the command that sets its lights. An answer may come
/// within a sequence of scan codes.
bool Ps2::take_answer(u8 byte) {
    constexpr u32 repeats_max = 3;
    using State = Lights::State;
    if (m_lights.state == State::idle || (byte != ps2::acknowledged && byte != ps2::again)) {
        return false;
    }
    if (byte == ps2::again) {
        m_lights.state = State::idle;
        if (m_lights.repeats++ < repeats_max) {
            tell_lights();
        }
    } else if (m_lights.state == State::told_command) {
        m_lights.state = State::told_lights;
        send(m_lights.shown);
    } else {
        m_lights.state = State::idle;
    }
    return true;
}

void Ps2::tell_lights() {
    constexpr u8 set_lights = 0xed;
    m_lights.state = Lights::State::told_command;
    send(set_lights);
}

/// Has the keyboard show what is locked, unless it is still at what was before.
void Ps2::show_lights() {
    u8 const wanted = m_keyboard.lights();
    if (m_devices.has_keyboard && m_lights.state == Lights::State::idle &&
        wanted != m_lights.shown) {
        m_lights.shown = wanted;
        m_lights.repeats = 0;
        tell_lights();
    }
}

/// A byte for the keyboard. Where the controller does not take it, the lights stay as they are.
void Ps2::send(u8 byte) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    if (!Ps2Controller::try_send(byte)) {
        m_lights.state = Lights::State::idle;
    }
}

/// Puts a byte into the output buffer, if that is empty.
bool Ps2::put_in(ps2::Command command, u8 byte) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    constexpr u8 full = ps2::status::output_full | ps2::status::input_full;
    return (Ps2Controller::status() & full) == 0 && Ps2Controller::try_command(command, byte);
}

/// Waits while the handlers fetch; where they do not, an edge has been lost.
template<class IsDone>
Result<void> Ps2::wait_until_taken(IsDone const& is_done) {
    Patience patience(inject_limit);
    for (u32 look = 1; !is_done(); ++look) {
        if (look % looks_before_poll == 0) {
            poll();
        }
        if (patience.is_over()) {
            return Error::timed_out;
        }
    }
    return {};
}

Result<void> Ps2::inject(std::span<u8 const> bytes, Port from) {
    ps2::Command const command = from == Port::mouse ? ps2::Command::write_mouse_output
                                                     : ps2::Command::write_keyboard_output;
    for (u8 const byte : bytes) {
        TRY(wait_until_taken([&] { return put_in(command, byte); }));
    }
    // The last one, too, is to be taken: what comes behind is behind it.
    return wait_until_taken(
        [] { return (Ps2Controller::status() & ps2::status::output_full) == 0; });
}

/// Returns when nobody works who has perhaps read what it was before.
void Ps2::wait_for_work() {
    CHECK(sync::current_context() == sync::ExecutionContext::thread);
    for (bool is_working = true; is_working;) {
        {
            sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
            is_working = m_is_working;
        }
        sync::relax();
    }
}

void Ps2::set_key_listener(KeyListener listener, void* context) {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        m_keys = {listener, context};
    }
    wait_for_work();
}

void Ps2::set_mouse_listener(MouseListener listener, void* context) {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        m_mouse_moves = {listener, context};
    }
    wait_for_work();
}

void Ps2::set_layout(Layout const& layout) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    m_layout = &layout;
}

Layout const& Ps2::layout() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return *m_layout;
}

Ps2Counts Ps2::counts() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_counts;
}

} // namespace twofold::device
