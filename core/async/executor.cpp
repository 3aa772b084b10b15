// See executor.hpp.
#include "core/async/executor.hpp"

namespace twofold::async {

Executor::~Executor() {
    take_woken();
    CHECK(m_ready.empty() && m_deadlines.empty());
}

bool Executor::turn() {
    take_woken();
    bool const has_more_due = !m_deadlines.empty() && pass_deadlines();
    u32 ran = 0;
    while (ran < batch_max) {
        Runnable* const next = m_ready.pop();
        if (next != nullptr) {
            next->run(); // and with that it may be gone
            ++ran;
        } else if (!take_woken()) {
            break;
        }
    }
    if (ran != 0) {
        count(m_counts.resumed, ran);
        count(m_counts.batches, 1);
    }
    return ran == batch_max || has_more_due;
}

bool Executor::rest() {
    if (!m_ready.empty()) {
        return false;
    }
    if (auto const next = next_deadline(); next && *next <= now()) {
        return false;
    }
    bool const may = m_woken.rest();
    count(m_counts.rests, may ? 1 : 0);
    return may;
}

std::optional<Nanos> Executor::next_deadline() const {
    processor::TimerNode const* const first = m_deadlines.first();
    return first != nullptr ? std::optional(first->deadline()) : std::nullopt;
}

void Executor::start(Deadline& deadline, Nanos at) {
    m_deadlines.add(deadline, at);
    count(m_counts.sleeps, 1);
}

void Executor::cancel(Deadline& deadline) {
    m_deadlines.remove(deadline);
}

bool Executor::take_woken() {
    u32 const taken = m_woken.take(m_ready);
    if (taken != 0) {
        count(m_counts.woken, taken);
    }
    return taken != 0;
}

/// Whether more have come than may pass at a time.
bool Executor::pass_deadlines() {
    Nanos const until = now();
    for (u32 passed = 0; passed < batch_max; ++passed) {
        processor::TimerNode* const first = m_deadlines.first();
        if (first == nullptr || first->deadline() > until) {
            return false;
        }
        m_deadlines.remove(*first);
        count(m_counts.passed, 1);
        auto& deadline = static_cast<Deadline&>(*first);
        deadline.m_pass(deadline);
    }
    return true;
}

} // namespace twofold::async
