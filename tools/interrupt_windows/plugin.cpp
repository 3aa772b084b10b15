// A plugin of the emulator that counts what the guest's one processor executes while it takes no
// interrupts: exact, whatever the image was built with, without a change to the guest.
//
// A window begins with `cli`, or with the first instruction of an interrupt gate, while interrupts
// are taken, and ends with `sti`, `hlt` or an `iretq` back to where they are. Arguments: out=FILE
// (where the windows go at the end, JSON), entries=FIRST:LAST (where gates lead, one every 16
// bytes; repeatable), shown=N (how many windows, the longest of each place where one begins),
// mark=ADDRESS (repeatable), beat=ADDRESS (repeatable).
//
// For each gate it also counts how far it is from its first instruction to the marked one, and to
// the `iretq` of its return: the least of all times, and how many.
//
// A beat is an instruction that is met again and again: how often, and what was executed from the
// first time to the last.
//
// Not followed: `popfq`, which the kernel does not use to set the flag; more processors than one.
#include "tools/interrupt_windows/emulator_plugin.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

using twofold::u64;
using twofold::u8;
using twofold::usize;

namespace {

constexpr u8 opcode_cli = 0xfa, opcode_sti = 0xfb, opcode_hlt = 0xf4, opcode_iret = 0xcf;
constexpr u8 prefix_rex_w = 0x48;
constexpr u64 kernel_half = u64{1} << 63;

/// The longest window that began at one place.
struct Window {
    u64 instructions = 0;
    u64 last = 0; ///< the address of the instruction that ended it
    u64 times = 0;
};

/// An interrupt or exception that has not returned.
struct Entered {
    bool enabled_before;
    u64 address; ///< of its gate
    u64 count;   ///< instructions executed before it
    bool marked = false;
};

struct Trip {
    u64 times = 0;
    u64 to_return_least = ~u64{0};
    u64 to_mark_least = ~u64{0};
    u64 marks = 0;
};

struct Beat {
    u64 address = 0;
    u64 times = 0;
    u64 first = 0; ///< instructions executed before it was met first, and last
    u64 last = 0;
};

/// Gates, one every 16 bytes.
struct Entries {
    u64 first;
    u64 last;
};

/// The emulator calls from one thread at a time; one guest, one state. It asks for the report while
/// the process ends, so the state is never destroyed.
struct State {
    u64 executed = 0; ///< counted before each instruction
    bool enabled = false;
    u64 window_first = 0;
    u64 window_began = 0;
    std::vector<Entered> entered;
    std::deque<u64> addresses; ///< of instructions, where the emulator's callbacks find them
    std::map<u64, Window> windows;
    std::map<u64, Trip> trips;
    std::vector<Entries> entries;
    std::vector<u64> marks;
    std::deque<Beat> beats;
    std::string out;
    usize shown = 40;
};
State& state = *new State;

void begin_window(u64 address) {
    state.enabled = false;
    state.window_first = address;
    state.window_began = state.executed;
}

void end_window(u64 address) {
    state.enabled = true;
    if (state.window_first < kernel_half) { // firmware's, or the start of the machine
        return;
    }
    Window& window = state.windows[state.window_first];
    ++window.times;
    u64 const instructions = state.executed - state.window_began;
    if (instructions > window.instructions) {
        window.instructions = instructions;
        window.last = address;
    }
}

u64 address_of(void* data) {
    return *static_cast<u64 const*>(data);
}

void on_cli(unsigned, void* data) {
    if (state.enabled) {
        begin_window(address_of(data));
    }
}

void on_sti(unsigned, void* data) {
    if (!state.enabled) {
        end_window(address_of(data));
    }
}

void on_entry(unsigned, void* data) {
    state.entered.push_back({state.enabled, address_of(data), state.executed});
    if (state.enabled) {
        begin_window(address_of(data));
    }
}

void on_mark(unsigned, void*) {
    if (state.entered.empty() || state.entered.back().marked) {
        return;
    }
    Entered& last = state.entered.back();
    last.marked = true;
    Trip& trip = state.trips[last.address];
    ++trip.marks;
    trip.to_mark_least = std::min(trip.to_mark_least, state.executed - last.count);
}

void on_beat(unsigned, void* data) {
    Beat& beat = *static_cast<Beat*>(data);
    beat.first = beat.times == 0 ? state.executed : beat.first;
    beat.last = state.executed;
    ++beat.times;
}

void on_iret(unsigned, void* data) {
    if (state.entered.empty()) {
        return;
    }
    Entered const last = state.entered.back();
    state.entered.pop_back();
    Trip& trip = state.trips[last.address];
    ++trip.times;
    trip.to_return_least = std::min(trip.to_return_least, state.executed - last.count);
    if (last.enabled_before && !state.enabled) {
        end_window(address_of(data));
    }
}

/// Which callback an instruction wants, if any.
using Callback = void (*)(unsigned, void*);
Callback callback_of(qemu_plugin_insn const* instruction) {
    u64 const address = qemu_plugin_insn_vaddr(instruction);
    auto const* const bytes = static_cast<u8 const*>(qemu_plugin_insn_data(instruction));
    usize const size = qemu_plugin_insn_size(instruction);
    for (Entries const& entries : state.entries) {
        if (address >= entries.first && address < entries.last && address % 16 == 0) {
            return on_entry;
        }
    }
    if (size == 1) {
        switch (bytes[0]) {
        case opcode_cli:
            return on_cli;
        case opcode_sti:
        case opcode_hlt:
            return on_sti;
        default:
            break;
        }
    }
    if (size == 2 && bytes[0] == prefix_rex_w && bytes[1] == opcode_iret) {
        return on_iret;
    }
    return nullptr;
}

void on_translation(u64, qemu_plugin_tb* block) {
    for (usize index = 0; index < qemu_plugin_tb_n_insns(block); ++index) {
        qemu_plugin_insn* const instruction = qemu_plugin_tb_get_insn(block, index);
        u64 const address = qemu_plugin_insn_vaddr(instruction);
        void* const data = &state.addresses.emplace_back(address);
        if (Callback const callback = callback_of(instruction)) {
            qemu_plugin_register_vcpu_insn_exec_cb(
                instruction, callback, QEMU_PLUGIN_CB_NO_REGS, data);
        }
        if (std::find(state.marks.begin(), state.marks.end(), address) != state.marks.end()) {
            qemu_plugin_register_vcpu_insn_exec_cb(
                instruction, on_mark, QEMU_PLUGIN_CB_NO_REGS, data);
        }
        for (Beat& beat : state.beats) {
            if (beat.address == address) {
                qemu_plugin_register_vcpu_insn_exec_cb(
                    instruction, on_beat, QEMU_PLUGIN_CB_NO_REGS, &beat);
            }
        }
        qemu_plugin_register_vcpu_insn_exec_inline(
            instruction, QEMU_PLUGIN_INLINE_ADD_U64, &state.executed, 1);
    }
}

void write_report(u64, void*) {
    std::FILE* const file = std::fopen(state.out.c_str(), "w");
    if (file == nullptr) {
        std::fprintf(stderr, "interrupt_windows: cannot write %s\n", state.out.c_str());
        return;
    }
    std::vector<std::pair<u64, Window>> longest(state.windows.begin(), state.windows.end());
    std::sort(longest.begin(), longest.end(), [](auto const& left, auto const& right) {
        return left.second.instructions > right.second.instructions;
    });
    longest.resize(std::min(longest.size(), state.shown));
    std::fprintf(file, "{\"executed\": %lu, \"windows\": [", state.executed);
    char const* comma = "";
    for (auto const& [first, window] : longest) {
        std::fprintf(
            file, "%s\n {\"first\": %lu, \"last\": %lu, \"instructions\": %lu, \"times\": %lu}",
            comma, first, window.last, window.instructions, window.times);
        comma = ",";
    }
    std::fprintf(file, "], \"trips\": [");
    comma = "";
    for (auto const& [gate, trip] : state.trips) {
        std::fprintf(
            file, "%s\n {\"gate\": %lu, \"times\": %lu, \"to_return\": %lu", comma, gate,
            trip.times, trip.times != 0 ? trip.to_return_least : 0);
        if (trip.marks != 0) {
            std::fprintf(
                file, ", \"marks\": %lu, \"to_mark\": %lu", trip.marks, trip.to_mark_least);
        }
        std::fprintf(file, "}");
        comma = ",";
    }
    std::fprintf(file, "], \"beats\": [");
    comma = "";
    for (Beat const& beat : state.beats) {
        std::fprintf(
            file, "%s\n {\"address\": %lu, \"times\": %lu, \"first\": %lu, \"last\": %lu}", comma,
            beat.address, beat.times, beat.first, beat.last);
        comma = ",";
    }
    std::fprintf(file, "]}\n");
    std::fclose(file);
}

bool take_argument(std::string_view argument) {
    auto const equals = argument.find('=');
    if (equals == std::string_view::npos) {
        return false;
    }
    std::string_view const name = argument.substr(0, equals);
    std::string const value(argument.substr(equals + 1));
    char* end = nullptr;
    if (name == "out") {
        state.out = value;
        return !value.empty();
    }
    if (name == "shown") {
        state.shown = std::strtoul(value.c_str(), &end, 0);
        return *end == '\0';
    }
    if (name == "mark") {
        state.marks.push_back(std::strtoul(value.c_str(), &end, 0));
        return *end == '\0';
    }
    if (name == "beat") {
        state.beats.push_back({.address = std::strtoul(value.c_str(), &end, 0)});
        return *end == '\0';
    }
    if (name == "entries") {
        u64 const first = std::strtoul(value.c_str(), &end, 0);
        if (*end != ':') {
            return false;
        }
        u64 const last = std::strtoul(end + 1, &end, 0);
        state.entries.push_back({first, last});
        return *end == '\0' && first < last;
    }
    return false;
}

} // namespace

extern "C" [[gnu::visibility("default")]] int const qemu_plugin_version = 1;

extern "C" [[gnu::visibility("default")]] int
qemu_plugin_install(u64 id, void const*, int count, char** arguments) {
    for (int index = 0; index < count; ++index) {
        if (!take_argument(arguments[index])) {
            std::fprintf(stderr, "interrupt_windows: cannot read '%s'\n", arguments[index]);
            return 1;
        }
    }
    if (state.out.empty() || (state.entries.empty() && state.beats.empty())) {
        std::fprintf(stderr, "interrupt_windows: out= is needed, and entries= or beat=\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, write_report, nullptr);
    return 0;
}
