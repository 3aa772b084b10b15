// See job.hpp.
#include "apps/shell/kernel/job.hpp"

#include "apps/shell/kernel/session.hpp"

#include <memory>

namespace twofold::shell {

using task::MutexGuard;

Job::Job(Session& session, std::optional<u32> pipeline)
    : m_session(session), m_pipeline(pipeline), m_text(session.allocator()) {}

Jobs::Jobs(Session& session, task::Threads& threads)
    : m_session(session),
      m_threads(threads),
      m_lock(threads.locks(), "jobs"),
      m_changed(threads.waiting()) {}

Jobs::~Jobs() {
    end_all();
}

/// A job with its thread, in the list; one of a whole text is the foreground's.
Result<Job*> Jobs::begin(std::string_view text, std::optional<u32> pipeline) {
    memory::KernelHeap& heap = *m_session.kernel().heap;
    MutexGuard const guard(m_lock);
    Job* const job = TRY(memory::allocate_room<Job>(heap, 1));
    std::construct_at(job, m_session, pipeline);
    auto outcome = job->m_text.assign(text);
    outcome = outcome ? spawn(*job) : outcome;
    if (!outcome) {
        std::destroy_at(job);
        memory::free_room(heap, job);
        return outcome.error();
    }
    m_all.push_back(*job);
    if (pipeline) {
        send_to_background(*job);
    } else {
        take_foreground(*job);
    }
    return job;
}

Result<void> Jobs::spawn(Job& job) {
    task::ThreadAttributes attributes;
    attributes.name = "job";
    attributes.stack = {u64{128} << 10}; // commands print with buffers on it
    job.m_thread = TRY(m_threads.spawn(attributes, run_job, &job));
    return {};
}

void Jobs::run_job(void* argument) {
    auto& job = *static_cast<Job*>(argument);
    Jobs& jobs = job.m_session.jobs();
    job.m_status = job.m_session.run_job(job.m_text.view(), job.m_pipeline);
    MutexGuard const guard(jobs.m_lock);
    job.m_has_ended.store(1, release);
    jobs.m_changed.notify_all();
}

Result<std::optional<u8>> Jobs::run(std::string_view text) {
    Job* const job = TRY(begin(text, std::nullopt));
    m_session.deliver_signal(); // that was typed behind enter, before there was the job
    return await(*job);
}

Result<u32> Jobs::start(std::string_view text, u32 pipeline) {
    Job* const job = TRY(begin(text, pipeline));
    return job->number(); // it lives until the session buries it, which waits for this
}

Result<std::optional<u8>> Jobs::wait(u32 number) {
    Job* job = nullptr;
    {
        MutexGuard const guard(m_lock);
        job = find(number);
        if (job == nullptr) {
            return Error::not_found;
        }
        if (!job->m_is_background || job->m_thread == &task::Threads::current()) {
            return Error::busy;
        }
        job->m_is_background = false;
        take_foreground(*job);
    }
    return await(*job);
}

/// Whether the caller runs a job that nobody waits for.
bool Jobs::is_in_background() {
    for (Job const& job : m_all) {
        if (job.m_thread == &task::Threads::current()) {
            Job const* waited_for = m_foreground;
            while (waited_for != nullptr && waited_for != &job) {
                waited_for = waited_for->m_outer;
            }
            return waited_for == nullptr;
        }
    }
    return false; // the session itself
}

/// Before it does anything: a job that it begins takes the foreground from it, and gives it back.
/// What jobs in the background begin and wait for stays there, too.
void Jobs::take_foreground(Job& job) {
    job.m_is_foreground = !is_in_background();
    if (job.m_is_foreground) {
        job.m_outer = m_foreground;
        m_foreground = &job;
    }
}

void Jobs::leave_foreground(Job& job) {
    if (job.m_is_foreground) {
        m_foreground = job.m_outer;
        job.m_is_foreground = false;
    }
}

/// Its status, and the job is gone; nothing: it goes on in the background.
std::optional<u8> Jobs::await(Job& job) {
    {
        MutexGuard const guard(m_lock);
        if (task::Threads::current().is_to_end()) { // asked just before: that is for both
            m_threads.ask_to_end(*job.m_thread);
        }
        while (!job.has_ended() && !job.m_is_background) {
            m_changed.wait(m_lock);
        }
        leave_foreground(job);
        if (!job.has_ended()) {
            return std::nullopt;
        }
        m_all.remove(job);
    }
    u8 const status = job.status();
    end(job);
    return status;
}

Result<void> Jobs::ask_to_end(u32 number) {
    MutexGuard const guard(m_lock);
    Job* const job = find(number);
    if (job == nullptr) {
        return Error::not_found;
    }
    m_threads.ask_to_end(*job->m_thread);
    return {};
}

bool Jobs::interrupt() {
    MutexGuard const guard(m_lock);
    // Whoever waits for it, too: the innermost may be about to end by itself.
    for (Job const* job = m_foreground; job != nullptr; job = job->m_outer) {
        m_threads.ask_to_end(*job->m_thread);
    }
    return m_foreground != nullptr;
}

bool Jobs::suspend() {
    MutexGuard const guard(m_lock);
    if (m_foreground == nullptr) {
        return false;
    }
    Job& job = *m_foreground;
    leave_foreground(job); // at once: what it begins from now on takes none
    send_to_background(job);
    m_changed.notify_all();
    return true;
}

bool Jobs::has_foreground() {
    MutexGuard const guard(m_lock);
    return m_foreground != nullptr;
}

/// It gets the least number that is free, unless it has one.
void Jobs::send_to_background(Job& job) {
    for (u32 number = 1; job.m_number == 0; ++number) {
        job.m_number = find(number) == nullptr ? number : 0;
    }
    job.m_is_background = true;
}

Job* Jobs::find(u32 number) {
    for (Job& job : m_all) {
        if (job.number() == number) {
            return &job;
        }
    }
    return nullptr;
}

/// A job of the background that has ended, out of the list; null: there is none.
Job* Jobs::take_ended() {
    MutexGuard const guard(m_lock);
    for (Job& job : m_all) {
        if (job.m_is_background && job.has_ended()) {
            m_all.remove(job);
            return &job;
        }
    }
    return nullptr;
}

/// Its thread has nothing left to do but to end.
void Jobs::end(Job& job) {
    m_threads.join(*job.m_thread).value(); // nobody else joins it
    std::destroy_at(&job);
    memory::free_room(*m_session.kernel().heap, &job);
}

void Jobs::end_all() {
    while (true) {
        Job* job = nullptr;
        {
            MutexGuard const guard(m_lock);
            if (m_all.empty()) {
                return;
            }
            job = &m_all.front();
            m_threads.ask_to_end(*job->m_thread);
            m_all.remove(*job);
        }
        end(*job);
    }
}

} // namespace twofold::shell
