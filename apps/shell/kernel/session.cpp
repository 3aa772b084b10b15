// See session.hpp.
#include "apps/shell/kernel/session.hpp"

#include "apps/shell/kernel/completions.hpp"
#include "apps/shell/kernel/pipeline.hpp"
#include "apps/shell/script.hpp"
#include "apps/shell/sequences.hpp"
#include "hal/clock.hpp"

#include <algorithm>

namespace twofold::shell {

using task::MutexGuard;
namespace status = boot::status;

namespace {

constexpr char interrupt_key = 0x03, suspend_key = 0x1a;

constexpr bool is_signal(char byte) {
    return byte == interrupt_key || byte == suspend_key;
}
constexpr char end_key = 0x04;
constexpr std::string_view continuation = "\x1B[2m...\x1B[0m ";

} // namespace

Session::Session(boot::Kernel& kernel, Seat& seat, Kind kind)
    : m_kernel(kernel),
      m_seat(seat),
      m_kind(kind),
      m_allocator(*kernel.heap),
      m_history(m_allocator),
      m_variables(m_allocator),
      m_seen_columns(m_allocator),
      m_jobs(*this, *kernel.threads),
      m_answers(*this),
      m_keys(*kernel.threads, seat, m_answers),
      m_values(kernel.threads->locks(), "variables"),
      m_lock(kernel.threads->locks(), "session"),
      m_size(seat.size()),
      m_editor(m_allocator, screen_output(), seat.size(), m_history, m_answers) {}

Output Session::screen_output() {
    return {this, [](void* self, std::string_view text) {
                static_cast<Session*>(self)->m_seat.write(text);
            }};
}

u8 Session::run() {
    u8 const outcome = is_interactive() ? run_person() : run_program();
    m_jobs.end_all();
    return outcome;
}

u8 Session::run_program() {
    Letters line(m_allocator);
    while (!has_exited()) {
        auto const outcome = read_program_line(line);
        if (!outcome) {
            write("the line is too long, or there is no memory for it; nothing of it was run\n");
            set_status(status::usage);
        } else if (!outcome.value() && line.empty()) {
            break;
        } else {
            set_status(run_text(line.view()));
        }
        if (outcome && !outcome.value()) {
            break;
        }
    }
    return last_status();
}

/// A statement's rows as they come, without the last line end; false: there is no more.
Result<bool> Session::read_program_line(Letters& line) {
    line.clear();
    Result<void> outcome;
    while (true) {
        std::optional<char> const byte = m_seat.read();
        bool const is_end = !byte || *byte == end_key;
        if (is_end || *byte == '\n') {
            if (is_end || !outcome || !is_incomplete(m_allocator, line.view())) {
                return outcome ? Result<bool>(!is_end) : Result<bool>(outcome.error());
            }
        }
        if (outcome && line.size() >= text_bytes_max) {
            outcome = Error::no_space; // the rest of the row is read and forgotten
        }
        if (outcome && *byte != '\r') {
            outcome = line.append({&*byte, 1});
        }
    }
}

u8 Session::run_person() {
    m_seat.write(begin_size_reports);
    if (auto const begun = m_keys.begin(); !begun) {
        write("there is no memory to read keys with\n");
        return status::failure;
    }
    while (!has_exited()) {
        m_jobs.bury([this](Job const& job) {
            char text[128];
            write(format_to(
                      std::span(text), "[{}] ended with status {}\n", job.number(), job.status())
                      .text);
        });
        auto const line = edit_line();
        if (!line) {
            break;
        }
        run_line(*line);
    }
    m_keys.end();
    m_seat.write(end_size_reports);
    return last_status();
}

/// The next line that was entered; nothing: there is no more.
std::optional<std::string_view> Session::edit_line() {
    while (true) {
        prompt();
        Action action = Action::none;
        while (action == Action::none) {
            auto const taken = take_key();
            if (!taken) {
                return std::nullopt;
            }
            action = *taken;
        }
        MutexGuard const guard(m_lock);
        m_is_editing = false;
        if (action == Action::end) {
            return std::nullopt;
        }
        if (action == Action::line) {
            return m_editor.line();
        }
        set_status(status::failure);
    }
}

void Session::prompt() {
    char text[64];
    std::string_view const look = last_status() == status::success ? "1;32" : "1;31";
    std::string_view const shown =
        format_to(std::span(text), "\x1B[{}mtwofold> \x1B[0m", look).text;
    MutexGuard const guard(m_lock);
    m_editor.begin(shown, continuation);
    m_is_editing = true;
}

/// What the next key asks for; nothing: there is none any more.
std::optional<Action> Session::take_key() {
    if (!m_keys.queue().is_ready()) {
        MutexGuard const guard(m_lock);
        m_editor.refresh();
    }
    m_is_reading.store(1, relaxed);
    std::optional<char> const byte = m_keys.queue().pop();
    m_is_reading.store(0, relaxed);
    MutexGuard const guard(m_lock);
    if (!byte) {
        m_editor.refresh(); // what was typed stays to be seen
        m_is_editing = false;
        m_seat.write("\n");
        return std::nullopt;
    }
    return m_editor.take(static_cast<u8>(*byte));
}

/// Runs a person's line as a job, so that keys are heard meanwhile.
void Session::run_line(std::string_view line) {
    auto const outcome = m_jobs.run(line);
    if (!outcome) {
        char text[96];
        write(format_to(std::span(text), "the line was not run: {}\n", outcome.error()).text);
        set_status(status::failure);
    } else if (outcome.value()) {
        set_status(*outcome.value());
    } else {
        write("it goes on in the background; `jobs` lists it\n");
    }
}

u8 Session::run_job(std::string_view text, std::optional<u32> pipeline) {
    return pipeline ? run_list(*this, text, *pipeline) : run_text(text);
}

u8 Session::run_text(std::string_view text) {
    Script script(text);
    u8 outcome = last_status();
    while (!has_exited()) {
        Problem problem;
        auto const statement = script.next(m_allocator, problem);
        if (!statement) {
            char said[256];
            write(format_to(
                      std::span(said), "{}; nothing of it was run\n",
                      problem.text.empty() ? std::string_view(error_name(statement.error()))
                                           : problem.text.view())
                      .text);
            return status::usage;
        }
        if (!statement.value()) {
            break;
        }
        // The session's status is that of what it waited for, not of a job in the background.
        outcome = run_statement(*this, statement.value()->text, outcome);
    }
    return outcome;
}

text::ScreenSize Session::size() {
    MutexGuard const guard(m_lock);
    return m_size;
}

void Session::write(std::string_view text) {
    MutexGuard const guard(m_lock);
    if (m_is_editing) {
        m_editor.hide();
    }
    m_seat.write(text);
    if (m_is_editing) {
        m_editor.refresh();
    }
}

Output Session::output() {
    return {
        this, [](void* self, std::string_view text) { static_cast<Session*>(self)->write(text); }};
}

std::optional<char> Session::read_key(Nanos deadline) {
    m_is_reading.store(1, relaxed);
    std::optional<char> byte;
    // In pieces: who is asked to end sleeps on in a queue.
    for (Nanos now = hal::Clock::now(); !byte && now < deadline; now = hal::Clock::now()) {
        if (task::Threads::current().is_to_end()) {
            break;
        }
        byte = m_keys.queue().pop_until(std::min(deadline, now + key_patience));
        // One that was queued as the job began, when nobody waited for it yet.
        if (byte && is_signal(*byte) && take_signal(*byte)) {
            byte = std::nullopt;
        }
    }
    if (byte && task::Threads::current().is_to_end()) {    // typed behind ctrl-C: it is for others
        static_cast<void>(m_keys.queue().put_back(*byte)); // or lost, as where many are typed
        byte = std::nullopt;
    }
    m_is_reading.store(0, relaxed);
    return byte;
}

void Session::exit(u8 status) {
    set_status(status);
    m_has_exited.store(1, release);
}

bool Session::take_signal(char control) {
    bool const is_interrupt = control == interrupt_key;
    if (!m_jobs.has_foreground()) {
        return false; // the editor's
    }
    write(is_interrupt ? "^C\n" : "^Z\n");
    return is_interrupt ? m_jobs.interrupt() : m_jobs.suspend();
}

void Session::deliver_signal() {
    if (m_jobs.has_foreground()) {
        if (auto const control = m_keys.extract_signal()) {
            take_signal(*control); // where the job has ended meanwhile it has done its work
        }
    }
}

void Session::take_size(text::ScreenSize size) {
    MutexGuard const guard(m_lock);
    m_size = size;
    m_editor.resize(size);
    if (m_is_editing) {
        m_editor.refresh();
    }
}

Result<void> Session::Answers::complete(CompletionRequest const& request, Candidates& candidates) {
    return complete_word(m_session, request, candidates);
}

bool Session::Answers::needs_more(std::string_view line) {
    return is_incomplete(m_session.m_allocator, line);
}

} // namespace twofold::shell
