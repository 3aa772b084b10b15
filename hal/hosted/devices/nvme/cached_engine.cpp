// Jobs on a file through the host's page cache, copied there and from there by who rings the
// doorbell, which is faster than to ask anybody for it: a read as far as all of it is there
// (preadv2 with RWF_NOWAIT), and a write while the host takes writes at the speed of memory. What
// would have to wait is another engine's.
//
// No call says whether a write would wait. So writes are timed: after one that took long (the host
// brings what is dirty to the disk first), and while what was written is being made durable, they
// are the other engine's, too. One write in a while waits.
#include "hal/hosted/devices/nvme/file_engine.hpp"

#include <cerrno>
#include <chrono>
#include <sys/uio.h>

namespace hosted {

namespace {

class CachedEngine final : public FileEngine {
public:
    CachedEngine(int file, std::unique_ptr<FileEngine> other)
        : m_file(file), m_other(std::move(other)) {}

    void submit(FileJob& job) override { m_taken.push_back(&job); }
    void start() override {
        bool has_other = false;
        for (FileJob* const job : m_taken) {
            if (is_done_at_once(*job)) {
                m_ended.push_back(job);
            } else {
                m_syncing += job->makes_durable() ? 1 : 0;
                m_other->submit(*job);
                has_other = true;
            }
        }
        m_taken.clear();
        if (has_other) {
            m_other->start();
        }
    }
    void reap(std::vector<FileJob*>& ended) override {
        ended.insert(ended.end(), m_ended.begin(), m_ended.end());
        m_ended.clear();
        usize const before = ended.size();
        m_other->reap(ended);
        note_ended(std::span(ended).subspan(before));
    }
    void wait(std::vector<FileJob*>& ended) override {
        usize const before = ended.size();
        start();
        reap(ended);
        if (ended.size() == before) {
            m_other->wait(ended);
            note_ended(std::span(ended).subspan(before));
        }
    }
    void listen(std::function<void()> notice) override { m_other->listen(std::move(notice)); }
    int descriptor() const override { return m_other->descriptor(); }
    char const* name() const override { return m_other->name(); }

private:
    using Clock = std::chrono::steady_clock;
    using Kind = FileCall::Kind;

    /// A write that takes longer than this, and than four nanoseconds a byte, has waited.
    static constexpr std::chrono::microseconds patience{200};
    /// Writes are the other engine's for so long then.
    static constexpr std::chrono::milliseconds respite{20};

    bool is_done_at_once(FileJob& job) {
        FileCall const call = job.call();
        if (call.kind == Kind::read) {
            return reads(job);
        }
        return call.kind == Kind::write && !job.makes_durable() && m_syncing == 0 && writes(job);
    }
    /// Whether all of it lay in the page cache.
    bool reads(FileJob& job) const {
        while (true) {
            FileCall const call = job.call();
            ssize_t const answer = preadv2(
                m_file, call.pieces.data(), static_cast<int>(call.pieces.size()),
                static_cast<off_t>(call.offset), RWF_NOWAIT);
            if (answer <= 0) {
                return false; // the other engine finds what is wrong, if anything is
            }
            if (job.advance(answer)) {
                return true;
            }
        }
    }
    bool writes(FileJob& job) {
        auto const begun = Clock::now();
        if (begun < m_rests_until) {
            return false;
        }
        u64 const bytes = job.call().bytes;
        i64 answer = 0;
        do {
            FileCall const call = job.call();
            answer = pwritev(
                m_file, call.pieces.data(), static_cast<int>(call.pieces.size()),
                static_cast<off_t>(call.offset));
        } while (!job.advance(answer < 0 ? -errno : answer));
        auto const end = Clock::now();
        if (end - begun > patience + std::chrono::nanoseconds(4 * bytes)) {
            m_rests_until = end + respite;
        }
        return true;
    }
    void note_ended(std::span<FileJob* const> ended) {
        for (FileJob const* const job : ended) {
            m_syncing -= job->makes_durable() ? 1 : 0;
        }
    }

    int m_file;
    std::unique_ptr<FileEngine> m_other;
    std::vector<FileJob*> m_taken;
    std::vector<FileJob*> m_ended; ///< at once
    u32 m_syncing = 0;             ///< jobs of the other engine that make something durable
    Clock::time_point m_rests_until{};
};

} // namespace

std::unique_ptr<FileEngine> make_cached_engine(int file, std::unique_ptr<FileEngine> other) {
    return std::make_unique<CachedEngine>(file, std::move(other));
}

} // namespace hosted
