// Jobs on a file by io_uring. One call of the host begins a batch; what is done at once is found by
// its completion queue without a call. What is done later makes a descriptor readable.
//
// Called by one thread at a time, but for the listener, which touches nothing but the descriptor.
// Source: io_uring(7), liburing's manual pages.
#include "hal/hosted/devices/nvme/file_engine.hpp"
#include "hal/hosted/devices/nvme/helper_thread.hpp"

#include <fmt/format.h>
#include <liburing.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
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
        for (int const descriptor : {m_event, m_stop}) {
            if (descriptor >= 0) {
                close(descriptor);
            }
        }
    }

    void submit(FileJob& job) override { m_taken.push_back(&job); }
    void start() override {
        while (m_begun < m_taken.size()) {
            io_uring_sqe* const entry = io_uring_get_sqe(&m_ring);
            if (entry == nullptr) {
                if (io_uring_submit(&m_ring) <= 0) {
                    break; // it is full: go on when something has ended
                }
                continue;
            }
            prepare(*entry, *m_taken[m_begun++]);
        }
        m_taken.erase(m_taken.begin(), m_taken.begin() + static_cast<i64>(m_begun));
        m_begun = 0;
        // What it does not take now stays in its queue.
        if (io_uring_sq_ready(&m_ring) != 0) {
            io_uring_submit(&m_ring);
        }
    }
    void reap(std::vector<FileJob*>& ended) override {
        bool has_more = false;
        io_uring_cqe* entry = nullptr;
        while (io_uring_peek_cqe(&m_ring, &entry) == 0) {
            auto& job = *static_cast<FileJob*>(io_uring_cqe_get_data(entry));
            i64 const result = entry->res;
            io_uring_cqe_seen(&m_ring, entry);
            if (job.advance(result)) {
                ended.push_back(&job);
            } else {
                m_taken.push_back(&job);
                has_more = true;
            }
        }
        if (has_more || io_uring_sq_ready(&m_ring) != 0 || !m_taken.empty()) {
            start();
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
            m_listener = make_helper_thread([this] { hear(); });
        }
    }
    int descriptor() const override { return m_event; }
    char const* name() const override { return "uring"; }

private:
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
    void hear() {
        pollfd polled[] = {{m_event, POLLIN, 0}, {m_stop, POLLIN, 0}};
        while (polled[1].revents == 0) {
            poll(polled, std::size(polled), -1);
            if (polled[0].revents != 0) {
                u64 count = 0;
                [[maybe_unused]] auto const got = ::read(m_event, &count, sizeof(count));
                m_notice();
            }
        }
    }

    io_uring m_ring{};
    bool m_is_open = false;
    int m_event = -1;
    int m_stop = -1;
    std::vector<FileJob*> m_taken; ///< not begun yet
    usize m_begun = 0;
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
