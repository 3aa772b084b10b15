// A guest for tests of the launcher: a kernel's manners at the console and the result channel, and
// every way to end badly. It does what its commands say, one after the other:
//
//     say TEXT       print a line            version        print a line, too
//     exit N         end properly            halt-record N  an exit record, then end with status 0
//     mute-exit N    end without a record    reset          triple fault
//     poweroff       end by ACPI (q35)       panic TEXT     a panic record, then exit 70
//     hang           loop, two calls deep    die-panicking  a panic record, then triple fault
//     flood N        print N lines           noise          garbage on the result channel
//     value NAME     a value record
//
// Anything else is an unknown command: status 1. Words of the command line: `silent` (never speaks,
// hangs), `stub-fails` (a line without the nonce, then 70), `step-hangs` (in a start-up step),
// `show-command-line`.
#include <cstddef>
#include <cstdint>

namespace {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

constexpr u16 serial_port = 0x3F8;
constexpr u16 results_port = 0xE9;
constexpr u16 exit_port = 0xF4;
constexpr u16 q35_power_port = 0x604;
constexpr u8 sync[] = {0x54, 0x32, 0x46, 0x1E};
constexpr u8 half_a_frame[] = {0x54, 0x32, 0x46, 0x1E, 0x03, 0x09, 0x00, 0x54, 0x32};
constexpr u8 line_has_input = 0x01;
constexpr u8 line_takes_output = 0x20;
constexpr u8 line_has_sent_all = 0x40;

void out8(u16 port, u8 value) {
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
void out16(u16 port, u16 value) {
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}
void out32(u16 port, u32 value) {
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}
u8 in8(u16 port) {
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

std::size_t length_of(char const* text) {
    std::size_t length = 0;
    while (text[length] != 0) {
        ++length;
    }
    return length;
}

/// Behind `prefix` at the front of `text`, null if it is not there.
char const* after(char const* text, char const* prefix) {
    while (*prefix != 0) {
        if (*text++ != *prefix++) {
            return nullptr;
        }
    }
    return text;
}

/// Behind the first place of `word` in `text`, null if there is none.
char const* find(char const* text, char const* word) {
    for (; *text != 0; ++text) {
        if (char const* const behind = after(text, word)) {
            return behind;
        }
    }
    return nullptr;
}

u64 number_at(char const* text) {
    u64 value = 0;
    while (*text >= '0' && *text <= '9') {
        value = value * 10 + static_cast<u64>(*text++ - '0');
    }
    return value;
}

void print_byte(char letter) {
    while ((in8(serial_port + 5) & line_takes_output) == 0) {
    }
    out8(serial_port, static_cast<u8>(letter));
}

void print(char const* text) {
    while (*text != 0) {
        print_byte(*text++);
    }
}

char read_byte() {
    while ((in8(serial_port + 5) & line_has_input) == 0) {
        asm volatile("pause");
    }
    return static_cast<char>(in8(serial_port));
}

/// A result frame under construction.
class Frame {
public:
    explicit Frame(u8 type) {
        put(type);
        put(0);
        put(0);
    }

    Frame& text(char const* value) {
        std::size_t const length = length_of(value);
        put('s');
        put(static_cast<u8>(length));
        put(static_cast<u8>(length >> 8));
        for (std::size_t index = 0; index < length; ++index) {
            put(static_cast<u8>(value[index]));
        }
        return *this;
    }
    Frame& number(u64 value, char tag = 'u') {
        put(static_cast<u8>(tag));
        for (int shift = 0; shift < 64; shift += 8) {
            put(static_cast<u8>(value >> shift));
        }
        return *this;
    }
    void send() {
        m_bytes[1] = static_cast<u8>(m_length - 3);
        m_bytes[2] = static_cast<u8>((m_length - 3) >> 8);
        for (u8 const byte : sync) {
            out8(results_port, byte);
        }
        u32 crc = ~0u;
        for (u32 index = 0; index < m_length; ++index) {
            out8(results_port, m_bytes[index]);
            crc ^= m_bytes[index];
            for (int bit = 0; bit < 8; ++bit) {
                crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0u);
            }
        }
        for (int shift = 0; shift < 32; shift += 8) {
            out8(results_port, static_cast<u8>(~crc >> shift));
        }
    }

private:
    void put(u8 byte) {
        if (m_length < sizeof(m_bytes)) {
            m_bytes[m_length++] = byte;
        }
    }

    u8 m_bytes[512];
    u32 m_length = 0;
};

[[noreturn]] void stop() {
    while (true) {
        asm volatile("cli; hlt");
    }
}

/// Waits for the last byte to leave: a slow reader holds it up, and the end would discard it.
void finish_output() {
    while ((in8(serial_port + 5) & line_has_sent_all) == 0) {
    }
}

[[noreturn]] void debug_exit(u64 status) {
    finish_output();
    out32(exit_port, static_cast<u32>(status));
    stop();
}

[[noreturn]] void end(u64 status) {
    Frame(10).number(status, 'i').send();
    debug_exit(status);
}

[[noreturn]] void triple_fault() {
    struct [[gnu::packed]] {
        u16 limit = 0;
        u64 base = 0;
    } const empty;
    asm volatile("lidt %0; int3" : : "m"(empty));
    stop();
}

[[gnu::noinline]] void spin_for_ever() {
    while (true) {
        asm volatile("pause");
    }
}

[[gnu::noinline]] void wait_for_nothing() {
    spin_for_ever();
    asm volatile("");
}

u64 run(char const* line) {
    if (char const* const text = after(line, "say ")) {
        print(text);
        print("\n");
    } else if (after(line, "version") != nullptr) {
        print("guest\n");
    } else if (char const* const status = after(line, "exit ")) {
        end(number_at(status));
    } else if (char const* const recorded = after(line, "halt-record ")) {
        Frame(10).number(number_at(recorded), 'i').send();
        debug_exit(0);
    } else if (char const* const muted = after(line, "mute-exit ")) {
        debug_exit(number_at(muted));
    } else if (after(line, "reset") != nullptr) {
        triple_fault();
    } else if (after(line, "poweroff") != nullptr) {
        out16(q35_power_port, 0x2000);
        stop();
    } else if (char const* const panic = after(line, "panic ")) {
        Frame(9).text(panic).send();
        end(70);
    } else if (after(line, "die-panicking") != nullptr) {
        Frame(9).text("dying").send();
        triple_fault();
    } else if (after(line, "hang") != nullptr) {
        wait_for_nothing();
    } else if (char const* const count = after(line, "flood ")) {
        for (u64 left = number_at(count); left > 0; --left) {
            print("abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz 0123456789\n");
        }
    } else if (after(line, "noise") != nullptr) {
        for (u8 const byte : half_a_frame) {
            out8(results_port, byte);
        }
    } else if (char const* const name = after(line, "value ")) {
        Frame(8).text("guest").text(name).text("\x01\xFF").send();
    } else {
        print("unknown command: ");
        print(line);
        print("\n");
        return 1;
    }
    return 0;
}

u64 run_and_record(char const* line) {
    u64 const status = run(line);
    Frame(4).text(line).number(status, 'i').number(1).number(2).send();
    return status;
}

/// Lines until the end of input.
u64 run_input() {
    static char line[256];
    u64 status = 0;
    std::size_t length = 0;
    while (true) {
        char const letter = read_byte();
        if (letter != '\n' && letter != '\x04') {
            if (length + 1 < sizeof(line)) {
                line[length++] = letter;
            }
            continue;
        }
        line[length] = 0;
        if (length > 0) {
            status = run_and_record(line);
        }
        length = 0;
        if (letter == '\x04') {
            return status;
        }
    }
}

/// The commands in quotes, separated by semicolons; a backslash takes the next letter as it is.
u64 run_quoted(char const* text) {
    static char line[256];
    u64 status = 0;
    std::size_t length = 0;
    for (bool open = true; open; ++text) {
        bool const plain = *text == '\\' && text[1] != 0;
        text += plain ? 1 : 0;
        bool const ends = *text == 0 || (!plain && *text == '\'');
        if (ends || (!plain && *text == ';')) {
            line[length] = 0;
            status = length > 0 ? run_and_record(line) : status;
            length = 0;
            open = !ends;
        } else if (!(length == 0 && *text == ' ') && length + 1 < sizeof(line)) {
            line[length++] = *text;
        }
    }
    return status;
}

void print_nonce(char const* command_line) {
    print("firmware noise\r\nunfinished ");
    char const* nonce = find(command_line, "nonce=");
    while (nonce != nullptr && *nonce != 0 && *nonce != ' ') {
        print_byte(*nonce++);
    }
    print("\r\n");
}

} // namespace

/// The start of PVH's start information.
struct StartInfo {
    u32 magic;
    u32 version;
    u32 flags;
    u32 module_count;
    u64 modules;
    u64 command_line;
};

extern "C" char image_start[];
extern "C" [[noreturn]] void guest_main(StartInfo const* info);

extern "C" [[noreturn]] void guest_main(StartInfo const* info) {
    auto const* const command_line = reinterpret_cast<char const*>(info->command_line);
    if (find(command_line, "silent") != nullptr) {
        wait_for_nothing();
    }
    if (find(command_line, "stub-fails") != nullptr) {
        print("stub: the payload is damaged\n");
        debug_exit(70);
    }
    print_nonce(command_line);
    Frame(1)
        .text("metal")
        .text("0")
        .text("guest")
        .number(reinterpret_cast<u64>(image_start))
        .number(4096)
        .send();
    Frame(2).text("console").text("done").send();
    if (find(command_line, "step-hangs") != nullptr) {
        Frame(2).text("memory").text("started").send();
        wait_for_nothing();
    }
    Frame(3).number(1).send();
    if (find(command_line, "show-command-line") != nullptr) {
        print(command_line);
        print("\n");
    }
    char const* const commands = find(command_line, "command='");
    end(commands != nullptr ? run_quoted(commands) : run_input());
}
