// The machine's console on the process's standard streams, and the records of its result channel.
#pragma once

#include "apps/launch/guest_console.hpp"
#include "apps/launch/journal.hpp"
#include "apps/launch/results_file.hpp"
#include "hal/hosted/machine.hpp"

#include <condition_variable>
#include <mutex>
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

/// Errors of the streams are thrown as launch::Failure (74). The machine calls it on any of its
/// threads, the program on its own: hence the lock.
class HostConsole final : public hosted::ConsoleEndpoint {
public:
    HostConsole(InputKind kind, std::string text, launch::ResultsFile* results);

    void write(std::string_view text) override;
    hal::ConsoleInput read() override;
    void write_result(std::span<std::byte const> bytes) override;

    /// Whether the kernel has asked in vain, and more may come: then input ends its wait. A kernel
    /// that waits for something else leaves input where it is.
    bool is_awaited() const;
    /// Waits until the kernel has asked in vain once more. False: nobody is to wait any more. One
    /// thread.
    bool wait_for_question();
    void end_questions();
    /// Whether the kernel has been told that its input has ended.
    bool told_end() const;
    /// Whether a person types.
    bool is_typed() const { return m_kind == InputKind::terminal; }
    /// Whether a person asked for the end of the machine (ctrl-A x).
    bool quit() const;
    /// What the result channel told so far. Once the run has ended.
    launch::Journal const& journal() const { return m_journal; }

private:
    void print(std::string_view text);
    void take_input();
    void take_keys(std::string_view keys);
    void take_record(launch::Record const& record);

    mutable std::mutex m_mutex; ///< of all below
    InputKind m_kind;
    std::string m_input;   ///< taken from the stream, not yet read by the kernel
    usize m_next = 0;      ///< of m_input
    bool m_ended = false;  ///< nothing more will come
    bool m_asked = false;  ///< the last read had nothing to tell
    bool m_is_new = false; ///< there was such a read since somebody waited for one
    bool m_questions_ended = false;
    std::condition_variable m_question;
    bool m_told_end = false;
    bool m_quit = false;
    launch::KeyFilter m_keys;
    launch::ResultsFile* m_results;
    launch::RecordDecoder m_decoder;
    launch::Journal m_journal;
};

} // namespace twofold::host
