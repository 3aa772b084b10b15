// Jobs on a file by threads that make one call after the other: where io_uring is not permitted.
#include "hal/hosted/devices/nvme/file_engine.hpp"
#include "hal/hosted/devices/nvme/helper_thread.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <sys/uio.h>
#include <system_error>
#include <unistd.h>

namespace hosted {

namespace {

constexpr usize threads = 4;

i64 perform(int file, FileCall const& call) {
    auto const offset = static_cast<off_t>(call.offset);
    auto const count = static_cast<int>(call.pieces.size());
    ssize_t answer = 0;
    switch (call.kind) {
    case FileCall::Kind::read:
        answer = preadv(file, call.pieces.data(), count, offset);
        break;
    case FileCall::Kind::write:
        answer = pwritev2(file, call.pieces.data(), count, offset, call.is_through ? RWF_DSYNC : 0);
        break;
    case FileCall::Kind::sync:
        answer = fdatasync(file);
        break;
    case FileCall::Kind::zero_range:
    case FileCall::Kind::punch_hole:
        answer = fallocate(file, fallocate_mode(call.kind), offset, static_cast<off_t>(call.bytes));
        break;
    }
    return answer < 0 ? -errno : answer;
}

class ThreadEngine final : public FileEngine {
public:
    explicit ThreadEngine(int file) : m_file(file) {
        for (usize i = 0; i < threads; ++i) {
            m_threads.push_back(make_helper_thread([this] { work(); }));
        }
    }
    ~ThreadEngine() override {
        {
            std::lock_guard const lock(m_lock);
            m_is_over = true;
        }
        m_has_work.notify_all();
        for (std::thread& each : m_threads) {
            each.join();
        }
    }

    void submit(FileJob& job) override { m_taken.push_back(&job); }
    void start() override {
        if (m_taken.empty()) {
            return;
        }
        {
            std::lock_guard const lock(m_lock);
            m_work.insert(m_work.end(), m_taken.begin(), m_taken.end());
        }
        m_taken.size() == 1 ? m_has_work.notify_one() : m_has_work.notify_all();
        m_taken.clear();
    }
    void reap(std::vector<FileJob*>& ended) override {
        std::lock_guard const lock(m_lock);
        take(ended);
    }
    void wait(std::vector<FileJob*>& ended) override {
        start();
        std::unique_lock lock(m_lock);
        m_has_ended.wait(lock, [&] { return !m_ended.empty(); });
        take(ended);
    }
    void listen(std::function<void()> notice) override {
        std::lock_guard const lock(m_lock);
        m_notice = std::move(notice);
    }
    char const* name() const override { return "threads"; }

private:
    void take(std::vector<FileJob*>& ended) {
        ended.insert(ended.end(), m_ended.begin(), m_ended.end());
        m_ended.clear();
    }
    void work() {
        std::unique_lock lock(m_lock);
        while (true) {
            m_has_work.wait(lock, [&] { return m_is_over || !m_work.empty(); });
            if (m_work.empty()) {
                return;
            }
            FileJob& job = *m_work.front();
            m_work.pop_front();
            lock.unlock();
            while (!job.advance(perform(m_file, job.call()))) {
            }
            lock.lock();
            m_ended.push_back(&job);
            m_has_ended.notify_all();
            if (std::function<void()> const notice = m_notice; notice) {
                lock.unlock(); // it comes to `reap`
                notice();
                lock.lock();
            }
        }
    }

    int m_file;
    std::mutex m_lock;
    std::condition_variable m_has_work;
    std::condition_variable m_has_ended;
    std::deque<FileJob*> m_work;
    std::vector<FileJob*> m_ended;
    std::vector<FileJob*> m_taken; ///< of the one who submits
    std::function<void()> m_notice;
    bool m_is_over = false;
    std::vector<std::thread> m_threads;
};

} // namespace

std::expected<std::unique_ptr<FileEngine>, std::string> make_thread_engine(int file) {
    try {
        return std::make_unique<ThreadEngine>(file);
    } catch (std::system_error const& error) {
        return std::unexpected(fmt::format("no thread for a disk: {}", error.what()));
    }
}

} // namespace hosted
