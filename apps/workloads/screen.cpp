// Keys of a keyboard become text on a terminal's screen: scancodes, what modifies them, the bytes
// of a terminal, and the rows of the screen, against a plain row of letters.
#include "apps/workloads/rooms.hpp"
#include "core/device/drivers.hpp"
#include "core/text/text.hpp"

namespace twofold::workloads {

namespace {

using device::Key;

class ScreenWorkload {
public:
    explicit ScreenWorkload(Run& run) : m_run(run) {}
    ScreenWorkload(ScreenWorkload const&) = delete;
    ScreenWorkload& operator=(ScreenWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    void perform(Step& step) {
        auto memory = text::ScreenMemory<memory::KernelHeap>::create(m_run.heap(), size, 0);
        if (!step.well("memory of a screen", memory) || !memory) {
            return;
        }
        Typist typist(memory.value().screen(), step.chance(50));
        u64 const strokes = 1 + step.random.below(strokes_max);
        for (u64 each = 0; each < strokes; ++each) {
            typist.type(step);
        }
        typist.compare(step);
    }

    static void end(Check&) {}

private:
    static constexpr text::ScreenSize size{7, 6};
    static constexpr u64 strokes_max = u64{size.columns} * size.rows; ///< nothing scrolls out

    /// One keyboard at one screen, and what should be seen there.
    class Typist {
    public:
        Typist(text::Screen& screen, bool has_old_set)
            : m_screen(screen),
              m_set(has_old_set ? device::ScancodeSet::one : device::ScancodeSet::two),
              m_keyboard(m_set, *device::find_layout("us").value()),
              m_terminal(screen, {nullptr, [](void*, std::string_view) {}}) {}

        void type(Step& step) {
            u64 const what = step.random.below(100);
            if (what < 20) {
                m_has_left_shift = !m_has_left_shift;
                send(Key::left_shift, m_has_left_shift);
            } else if (what < 30) {
                m_has_right_shift = !m_has_right_shift;
                send(Key::right_shift, m_has_right_shift);
            } else if (what < 35) {
                m_has_caps_lock = !m_has_caps_lock;
                stroke(Key::caps_lock);
            } else {
                u64 const letter = step.random.below(letters);
                bool const is_large = (m_has_left_shift || m_has_right_shift) != m_has_caps_lock;
                m_expected.append(static_cast<char>((is_large ? 'A' : 'a') + letter)).value();
                stroke(static_cast<Key>(static_cast<u64>(Key::a) + letter));
            }
        }
        void compare(Step& step) const {
            char room[256];
            std::string_view const expected = m_expected.view();
            m_screen.walk(std::span(room), [&](u32 row, std::string_view seen) {
                usize const first = std::min<usize>(usize{row} * size.columns, expected.size());
                step.equal("a row", expected.substr(first, size.columns), seen);
            });
        }

    private:
        static constexpr u64 letters = 26;

        void stroke(Key key) {
            send(key, true);
            send(key, false);
        }
        void send(Key key, bool pressed) {
            device::ScancodeBytes const codes = device::encode(key, pressed, m_set);
            for (u8 const code : codes.view()) {
                m_keyboard.take(code, [this](device::KeyEvent const& event) {
                    m_terminal.write(device::KeyText(event).view());
                });
            }
        }

        text::Screen& m_screen;
        device::ScancodeSet m_set;
        device::Keyboard m_keyboard;
        text::Terminal m_terminal;
        FixedString<strokes_max> m_expected;
        bool m_has_left_shift = false;
        bool m_has_right_shift = false;
        bool m_has_caps_lock = false;
    };

    Run& m_run;
};

} // namespace

constinit Workload const screen_workload = workload_of<ScreenWorkload>(
    {.name = "screen", .about = "keys become text on a screen", .cpus = 1, .threads = 1});

} // namespace twofold::workloads
