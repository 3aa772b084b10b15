// The machine's console on the process's standard streams, and the records of its result channel.
#pragma once

#include "apps/launch/guest_console.hpp"
#include "apps/launch/journal.hpp"
#include "apps/launch/results_file.hpp"
#include "hal/hosted/machine.hpp"

#include <optional>
#include <string>

namespace twofold::host {

/// Where the kernel's input comes from.
enum class InputKind : u8 {
    none,     ///< there is none: the command line holds the commands
    text,     ///< a script
    stream,   ///< standard input until it ends
    terminal, ///< a person
};

/// Errors of the streams are thrown as launch::Failure (74).
class HostConsole final : public hosted::ConsoleEndpoint {
public:
    HostConsole(InputKind kind, std::string text, launch::ResultsFile* results);

    void write(std::string_view text) override;
    hal::ConsoleInput read() override;
    void write_result(std::span<std::byte const> bytes) override;

    /// The kernel is at rest: what looks like the start of a record on the result channel is none.
    void settle();
    /// Waits until `read` has something to tell, or a signal arrives.
    void wait();
    /// Whether the kernel has been told that its input has ended.
    bool told_end() const { return m_told_end; }
    /// Whether a person asked for the end of the machine (ctrl-A x).
    bool quit() const { return m_quit; }
    /// What the result channel told so far.
    launch::Journal const& journal() const { return m_journal; }

private:
    bool has_input(int timeout_ms) const;
    void take_input();
    void take_keys(std::string_view keys);
    void take_record(launch::Record const& record);

    InputKind m_kind;
    std::string m_input;  ///< taken from the stream, not yet read by the kernel
    usize m_next = 0;     ///< of m_input
    bool m_ended = false; ///< nothing more will come
    bool m_told_end = false;
    bool m_quit = false;
    launch::KeyFilter m_keys;
    launch::ResultsFile* m_results;
    launch::RecordDecoder m_decoder;
    launch::Journal m_journal;
};

} // namespace twofold::host
