// See job.hpp.
#include "core/async/job.hpp"

#include <utility>

namespace twofold::async {

namespace {

void count_one(Atomic<u64>& counter) {
    counter.store(counter.load(relaxed) + 1, relaxed); // its executor's alone
}

} // namespace

void Family::cancel_all() {
    m_is_cancelled = true;
    for (Job& job : m_jobs) {
        job.cancel();
    }
}

void Job::begin_in_family() {
    CHECK(m_family != nullptr && !is_linked());
    m_family->m_jobs.push_back(*this);
    if (m_family->m_is_cancelled) {
        m_is_cancelled.store(1, relaxed);
    }
    count_one(m_executor->own_counts().started);
}

/// Whether what it waits for has come.
bool Job::may_go_on(u32 noted) {
    bool const is_woken = (noted & woken) != 0;
    switch (m_waits_for) {
    case WaitsFor::start:
        begin_in_family();
        return true;
    case WaitsFor::wake:
        m_has_permit = is_woken && mutant(Mutant::async_permit_kept);
        return is_woken || is_cancelled();
    case WaitsFor::turn:
    case WaitsFor::nothing: // it has ended, and somebody woke it meanwhile
        m_has_permit = m_has_permit || is_woken;
        return true;
    case WaitsFor::grant:
        m_has_permit = m_has_permit || is_woken;
        return may_go_on_with_grant(noted);
    }
    UNREACHABLE();
}

bool Job::may_go_on_with_grant(u32 noted) {
    if ((noted & granted) != 0) {
        return true;
    }
    if (!is_cancelled() || !m_wait->m_withdraw(*m_wait)) {
        return false;
    }
    m_wait->set_outcome(Error::cancelled);
    return true;
}

void Job::go_on(Runnable& self) {
    auto& job = static_cast<Job&>(self);
    if (!job.may_go_on(job.m_is_held ? 0 : job.begin())) {
        return; // whoever notes something queues it again
    }
    job.m_waits_for = WaitsFor::nothing;
    while (job.m_waits_for == WaitsFor::nothing && !job.m_is_over) {
        job.m_next.resume();
    }
    if (job.m_is_over) {
        job.finish();
    } else {
        job.pause();
    }
}

/// It waits from now on, unless what it waits for has come meanwhile.
void Job::pause() {
    if (m_waits_for == WaitsFor::turn) {
        if (m_is_held || hold()) {
            m_is_held = true;
            m_executor->add_own(*this);
        } // else somebody has queued it, and it is not held
    } else if (m_is_held) {
        m_is_held = false;
        if (!let_go()) {
            m_executor->add_own(*this);
        }
    } else if (mutant(Mutant::async_wake_lost)) {
        begin(); // whatever came while it ran
    }
}

/// With that the job may be gone.
void Job::finish() {
    if (!m_is_held && !hold()) {
        return; // somebody has queued it: it ends when it comes to its turn
    }
    Family& family = *m_family;
    family.m_jobs.remove(*this);
    count_one(m_executor->own_counts().ended);
    family.m_ended(family, *this);
}

} // namespace twofold::async
