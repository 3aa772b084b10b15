// One run of a machine in the emulator, from start to exit status: the channels are served, the
// time is watched, signals end it, and nothing is left behind however it ends.
#pragma once

#include "apps/launch/boot_options.hpp"
#include "apps/launch/descriptor.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace twofold::launch {

/// The signals that ask a program to end, as something that can be read beside other channels. Once
/// it exists they no longer end this process by themselves; a write to a closed pipe is an error,
/// too.
class EndSignals {
public:
    EndSignals();

    int descriptor() const { return m_descriptor.number(); }

    /// The signal that has arrived, if one has. Never waits.
    std::optional<int> take();

private:
    Descriptor m_descriptor;
};

/// Where the guest's input comes from.
enum class InputKind : u8 {
    none,     ///< there is none: the command line holds the commands
    text,     ///< a text, then the end of input
    stream,   ///< standard input until it ends
    terminal, ///< a person, whose terminal is in raw mode meanwhile
};

struct SessionSetup {
    std::filesystem::path emulator;
    EmulatorPlan plan;
    std::filesystem::path symbols; ///< the ELF file whose functions a hang report names
    std::string nonce;             ///< the line with which the kernel begins
    InputKind input = InputKind::none;
    std::string input_text;
    int output_descriptor = 1;
    std::optional<double> timeout_s;
    std::optional<std::filesystem::path> results;
    bool quiet = false; ///< a trial: say nothing about how it ends
};

/// Runs the machine and returns the exit status of the run; what a person should know about it is
/// logged. Throws Failure if a file or stream fails (74) or the emulator cannot be started (71).
int run_session(SessionSetup const& setup, EndSignals& signals);

} // namespace twofold::launch
