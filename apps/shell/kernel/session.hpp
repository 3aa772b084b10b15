// A session: somebody at a seat gives lines, and the kernel runs them. A person has an editor,
// history, completion, jobs and ctrl-C; a program has none of these, and its lines are read as they
// come.
//
//     keys (a thread) --- queue ---> session (a thread) --- lines ---> job (a thread)
//        ctrl-C, ctrl-Z, sizes                                 commands, filters
//
// A person's lines run in a thread each, so that the session can wait for a key as well as for its
// end. Whatever is shown goes through `write`, which takes the line that is being edited out of the
// way.
#pragma once

#include "apps/shell/kernel/job.hpp"
#include "apps/shell/kernel/typed_keys.hpp"
#include "apps/shell/line_editor.hpp"
#include "apps/shell/seen_columns.hpp"
#include "apps/shell/variables.hpp"
#include "core/boot/boot.hpp"

#include <optional>

namespace twofold::shell {

class Session {
public:
    enum class Kind : u8 { person, program };

    /// Both outlive it. There are threads.
    Session(boot::Kernel& kernel, Seat& seat, Kind kind);

    /// Reads and runs lines until there are no more, or `exit`. The status of the last one.
    u8 run();
    /// Runs a text of lines: the status of the last. Context thread; the session's own, or a
    /// job's.
    u8 run_text(std::string_view text);
    /// What a job does: all of a text, or a list of pipelines of it.
    u8 run_job(std::string_view text, std::optional<u32> pipeline);

    // For commands.
    bool is_interactive() const { return m_kind == Kind::person; }
    boot::Kernel& kernel() { return m_kernel; }
    AnyAllocator& allocator() { return m_allocator; }
    text::ScreenSize size();
    /// Any thread.
    void write(std::string_view text);
    /// The same as an output.
    Output output();
    /// The next byte that is typed; nothing: none until `deadline`, or none any more, or the
    /// command is to end. By a command that runs in the foreground.
    std::optional<char> read_key(Nanos deadline);
    /// Whether no key will ever come any more.
    bool has_ended_input() { return m_keys.queue().is_ready() && m_keys.has_ended(); }
    Jobs& jobs() { return m_jobs; }
    /// The first ctrl-C or ctrl-Z that waits among the keys goes to the job in the foreground, if
    /// there is one: both who types and who begins a job look, so that one of them sees it. Those
    /// behind it are for later jobs. Any thread.
    void deliver_signal();
    /// Calls visit(Variables&) while no other thread uses them.
    template<class Visit>
    auto with_variables(Visit const& visit) {
        task::MutexGuard const guard(m_values);
        return visit(m_variables);
    }
    /// The same of the columns that commands have printed.
    template<class Visit>
    auto with_seen_columns(Visit const& visit) {
        task::MutexGuard const guard(m_values);
        return visit(m_seen_columns);
    }
    /// Calls visit(History const&) while no line is added. It prints nothing.
    template<class Visit>
    auto with_history(Visit const& visit) {
        task::MutexGuard const guard(m_lock);
        return visit(m_history);
    }
    /// No further line is run; what `run` answers.
    void exit(u8 status);
    bool has_exited() const { return m_has_exited.load(acquire) != 0; }
    u8 last_status() const { return static_cast<u8>(m_status.load(relaxed)); }

private:
    /// What the keys and the editor ask of it.
    class Answers final : public TypedKeys::Listener, public Completer {
    public:
        explicit Answers(Session& session) : m_session(session) {}
        bool take_signal(char control) override { return m_session.take_signal(control); }
        void note_queued_signal() override { m_session.deliver_signal(); }
        void take_size(text::ScreenSize size) override { m_session.take_size(size); }
        bool is_reading() override { return m_session.m_is_reading.load(relaxed) != 0; }
        Result<void> complete(CompletionRequest const& request, Candidates& candidates) override;
        bool needs_more(std::string_view line) override;

    private:
        Session& m_session;
    };

    bool take_signal(char control);
    void take_size(text::ScreenSize size);
    u8 run_person();
    u8 run_program();
    Result<bool> read_program_line(Letters& line);
    std::optional<std::string_view> edit_line();
    std::optional<Action> take_key();
    void prompt();
    void run_line(std::string_view line);
    Output screen_output();
    void set_status(u8 status) { m_status.store(status, relaxed); }

    static constexpr Nanos key_patience{50'000'000};

    boot::Kernel& m_kernel;
    Seat& m_seat;
    Kind m_kind;
    AnyAllocator m_allocator;
    History m_history GUARDED_BY(m_lock); ///< the editor adds to it
    Variables m_variables GUARDED_BY(m_values);
    SeenColumns m_seen_columns GUARDED_BY(m_values);
    Jobs m_jobs;
    Answers m_answers;
    TypedKeys m_keys;
    Atomic<u32> m_is_reading{0};
    Atomic<u32> m_has_exited{0};
    Atomic<u32> m_status{boot::status::success};

    task::Mutex<task::KernelThreads> m_values;
    task::Mutex<task::KernelThreads> m_lock; ///< of what is shown
    text::ScreenSize m_size GUARDED_BY(m_lock);
    bool m_is_editing GUARDED_BY(m_lock) = false;
    LineEditor m_editor GUARDED_BY(m_lock);
};

/// The alternate screen without a cursor, for as long as this lives.
class FullScreen {
public:
    explicit FullScreen(Session& session) : m_session(session) {
        m_session.write("\x1B[?1049h\x1B[?25l\x1B[H\x1B[2J");
    }
    ~FullScreen() { m_session.write("\x1B[?25h\x1B[?1049l"); }
    FullScreen(FullScreen const&) = delete;
    FullScreen& operator=(FullScreen const&) = delete;

private:
    Session& m_session;
};

/// A text that is shown as one.
class ScreenText {
public:
    explicit ScreenText(Session& session) : m_session(session), m_text(session.allocator()) {}

    /// Appends; what finds no memory is left out.
    Output output() {
        return {this, [](void* self, std::string_view text) {
                    static_cast<void>(static_cast<ScreenText*>(self)->m_text.append(text));
                }};
    }
    std::string_view view() const { return m_text.view(); }
    void show() { m_session.write(m_text.view()); }

private:
    Session& m_session;
    Letters m_text;
};

} // namespace twofold::shell
