// Jobs: lines of a session that run in threads of their own.
//
// A job lives until somebody has seen its end: whoever waits for it, or the session before its next
// prompt. Its thread is asked to end, never made to: a command that does not look
// (CommandContext::is_interrupted) runs on.
#pragma once

#include "apps/shell/letters.hpp"
#include "core/boot/boot.hpp"
#include "core/task/task.hpp"

#include <optional>

namespace twofold::shell {

class Session;
struct JobsTag;

class Job : public ListNode<JobsTag> {
public:
    Job(Session& session, std::optional<u32> pipeline);

    /// 0: it has never been in the background.
    u32 number() const { return m_number; }
    std::string_view text() const { return m_text.view(); }
    bool has_ended() const { return m_has_ended.load(acquire) != 0; }
    /// Once it has ended.
    u8 status() const { return m_status; }

private:
    friend class Jobs;

    Session& m_session;
    u32 m_number = 0;              ///< guarded by the lock of the jobs
    std::optional<u32> m_pipeline; ///< of the text; none: all of them
    Letters m_text;
    task::Thread* m_thread = nullptr;
    Atomic<u32> m_has_ended{0};
    u8 m_status = 0;
    bool m_is_background = false; ///< guarded by the lock of the jobs
    bool m_is_foreground = false; ///< guarded by that, too
    Job* m_outer = nullptr;       ///< whose foreground it has taken; guarded by that, too
};

class Jobs {
public:
    Jobs(Session& session, task::Threads& threads);
    ~Jobs();

    /// Runs `text`, or one pipeline of it, and waits for its end, or until somebody sends it to
    /// the background: nothing then. Errors: out_of_memory, those of Threads::spawn.
    Result<std::optional<u8>> run(std::string_view text);
    /// The same without waiting: the job's number.
    Result<u32> start(std::string_view text, u32 pipeline);
    /// Waits for a job, as `run` does. Errors: not_found, busy (somebody waits for it already, or
    /// would wait for itself).
    Result<std::optional<u8>> wait(u32 number);
    /// Asks a job to end. Errors: not_found.
    Result<void> ask_to_end(u32 number);

    /// The job that somebody waits for, and the jobs that do, are asked to end; or it is sent to
    /// the background. False: there is none. Any thread.
    bool interrupt();
    bool suspend();
    bool has_foreground();

    /// Calls visit(Job const&) for each that has a number; locked.
    template<class Visit>
    void for_each(Visit const& visit) {
        task::MutexGuard const guard(m_lock);
        for (Job const& job : m_all) {
            if (job.number() != 0) {
                visit(job);
            }
        }
    }
    /// Lets go of those that have ended in the background; visit(Job const&) before.
    template<class Visit>
    void bury(Visit const& visit) {
        while (Job* const job = take_ended()) {
            visit(*job);
            end(*job);
        }
    }
    /// All are asked to end, and have ended when this returns.
    void end_all();

private:
    static void run_job(void* job);

    Result<Job*> begin(std::string_view text, std::optional<u32> pipeline);
    Result<void> spawn(Job& job);
    bool is_in_background() REQUIRES(m_lock);
    void take_foreground(Job& job) REQUIRES(m_lock);
    void leave_foreground(Job& job) REQUIRES(m_lock);
    std::optional<u8> await(Job& job);
    Job* find(u32 number) REQUIRES(m_lock);
    void send_to_background(Job& job) REQUIRES(m_lock);
    Job* take_ended();
    void end(Job& job);

    Session& m_session;
    task::Threads& m_threads;
    task::Mutex<task::KernelThreads> m_lock;
    task::Condition<task::KernelThreads> m_changed; ///< one has ended, or left the foreground
    IntrusiveList<Job, JobsTag> m_all GUARDED_BY(m_lock);
    Job* m_foreground GUARDED_BY(m_lock) = nullptr;
};

} // namespace twofold::shell
