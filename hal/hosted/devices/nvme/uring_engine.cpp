// Jobs on a file by io_uring. One call of the host begins a batch; what is done at once is found by
// its completion queue without a call. What is done later makes a descriptor readable.
//
// Called by one thread at a time, but for the listener, which touches nothing but the descriptor.
// Source: io_uring(7), liburing's manual pages.
#include "hal/hosted/devices/nvme/file_engine.hpp"
#include "hal/hosted/devices/nvme/helper_thread.hpp"

#include <fmt/format.h>
#include <liburing.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace hosted {

namespace {

constexpr unsigned entries = 256;

class UringEngine final : public FileEngine {
public:
    /// The answer is an error, negated, or 0.
    int open(int file) {
        m_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        m_stop = eventfd(0, EFD_CLOEXEC);
        if (m_event < 0 || m_stop < 0) {
            return -errno;
        }
        if (int const failed = io_uring_queue_init(entries, &m_ring, 0); failed < 0) {
            return failed;
        }
        m_is_open = true;
        if (int const failed = io_uring_register_files(&m_ring, &file, 1); failed < 0) {
            return failed;
        }
        return io_uring_register_eventfd(&m_ring, m_event);
    }
    ~UringEngine() override {
        if (m_listener.joinable()) {
            u64 const one = 1;
            [[maybe_unused]] auto const written = write(m_stop, &one, sizeof(one));
            m_listener.join();
        }
        if (m_is_open) {
            io_uring_queue_exit(&m_ring);
        }
        for (int const descriptor : {m_event, m_stop, m_watch}) {
            if (descriptor >= 0) {
                close(descriptor);
            }
        }
    }

    void submit(FileJob& job) override { m_taken.push_back(&job); }
    void start() override { begin(); }
    void reap(std::vector<FileJob*>& ended) override {
        take(ended);
        while (has_left() && begin() != 0) {
            take(ended);
        }
        if (has_left()) { // the host could not: it is asked again soon
            u64 const one = 1;
            [[maybe_unused]] auto const written = write(m_event, &one, sizeof(one));
        }
    }
    void wait(std::vector<FileJob*>& ended) override {
        usize const before = ended.size();
        start();
        reap(ended);
        while (ended.size() == before) {
            io_uring_cqe* entry = nullptr;
            io_uring_wait_cqe(&m_ring, &entry); // an interruption is as good
            reap(ended);
        }
    }
    void listen(std::function<void()> notice) override {
        m_notice = std::move(notice);
        if (!m_listener.joinable()) {
            watch();
            m_listener = make_helper_thread([this] { hear(); });
        }
    }
    int descriptor() const override { return m_event; }
    char const* name() const override { return "uring"; }

private:
    bool has_left() const { return !m_taken.empty() || io_uring_sq_ready(&m_ring) != 0; }
    void take(std::vector<FileJob*>& ended) {
        io_uring_cqe* entry = nullptr;
        while (io_uring_peek_cqe(&m_ring, &entry) == 0) {
            auto& job = *static_cast<FileJob*>(io_uring_cqe_get_data(entry));
            i64 const result = entry->res;
            io_uring_cqe_seen(&m_ring, entry);
            if (job.advance(result)) {
                ended.push_back(&job);
            } else {
                m_taken.push_back(&job);
            }
        }
    }
    /// Begins what was taken, and says how many. What is done at once has to be looked for behind
    /// it: nobody is woken for that.
    u32 begin() {
        io_uring_cq_eventfd_toggle(&m_ring, false);
        u32 begun = 0;
        bool goes_on = true;
        while (goes_on) {
            usize filled = 0;
            while (filled < m_taken.size()) {
                io_uring_sqe* const entry = io_uring_get_sqe(&m_ring);
                if (entry == nullptr) {
                    break;
                }
                prepare(*entry, *m_taken[filled++]);
            }
            m_taken.erase(m_taken.begin(), m_taken.begin() + static_cast<i64>(filled));
            int const answer = io_uring_sq_ready(&m_ring) != 0 ? io_uring_submit(&m_ring) : 0;
            begun += answer > 0 ? static_cast<u32>(answer) : 0;
            goes_on = answer > 0 && has_left(); // what it does not take now stays
        }
        io_uring_cq_eventfd_toggle(&m_ring, true);
        // Either the host sees that it is on again, or the next look at the queue what it has done.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        return begun;
    }
    static void prepare(io_uring_sqe& entry, FileJob& job) {
        FileCall const call = job.call();
        constexpr int in_files = 0;
        auto const count = static_cast<unsigned>(call.pieces.size());
        switch (call.kind) {
        case FileCall::Kind::read:
            io_uring_prep_readv(&entry, in_files, call.pieces.data(), count, call.offset);
            break;
        case FileCall::Kind::write:
            io_uring_prep_writev2(
                &entry, in_files, call.pieces.data(), count, call.offset,
                call.is_through ? RWF_DSYNC : 0);
            break;
        case FileCall::Kind::sync:
            io_uring_prep_fsync(&entry, in_files, IORING_FSYNC_DATASYNC);
            break;
        case FileCall::Kind::zero_range:
        case FileCall::Kind::punch_hole:
            io_uring_prep_fallocate(
                &entry, in_files, fallocate_mode(call.kind), static_cast<off_t>(call.offset),
                static_cast<off_t>(call.bytes));
            break;
        }
        io_uring_sqe_set_flags(&entry, IOSQE_FIXED_FILE);
        io_uring_sqe_set_data(&entry, &job);
    }
    /// Exclusive, so that it sleeps on where another thread waits for the event, too.
    void watch() {
        epoll_event event{.events = EPOLLIN | EPOLLEXCLUSIVE, .data = {.fd = m_event}};
        epoll_event stop{.events = EPOLLIN, .data = {.fd = m_stop}};
        m_watch = epoll_create1(EPOLL_CLOEXEC);
        CHECK(
            m_watch >= 0 && epoll_ctl(m_watch, EPOLL_CTL_ADD, m_event, &event) == 0 &&
            epoll_ctl(m_watch, EPOLL_CTL_ADD, m_stop, &stop) == 0);
    }
    void hear() {
        while (true) {
            epoll_event seen{};
            if (epoll_wait(m_watch, &seen, 1, -1) <= 0) {
                continue;
            }
            if (seen.data.fd == m_stop) {
                return;
            }
            u64 count = 0;
            if (::read(m_event, &count, sizeof(count)) > 0) { // else another thread was faster
                m_notice();
            }
        }
    }

    io_uring m_ring{};
    bool m_is_open = false;
    int m_event = -1;
    int m_stop = -1;
    int m_watch = -1;
    std::vector<FileJob*> m_taken; ///< not begun yet
    std::function<void()> m_notice;
    std::thread m_listener;
};

} // namespace

std::expected<std::unique_ptr<FileEngine>, std::string> make_uring_engine(int file) {
    auto engine = std::make_unique<UringEngine>();
    if (int const failed = engine->open(file); failed < 0) {
        return std::unexpected(
            fmt::format("io_uring is not to be had: {}", std::strerror(-failed)));
    }
    return engine;
}

} // namespace hosted
