// See file_medium.hpp.
#include "hal/hosted/devices/nvme/file_medium.hpp"

#include <unistd.h>

namespace hosted {

std::expected<std::unique_ptr<FileMedium>, std::string>
FileMedium::create(int file, FileMediumOptions const& options) {
    using Io = FileMediumOptions::Io;
    std::unique_ptr<FileMedium> medium(new FileMedium(file, options));
    auto engine = options.io == Io::threads ? make_thread_engine(file) : make_uring_engine(file);
    if (!engine && options.io == Io::automatic) {
        engine = make_thread_engine(file);
    }
    if (engine && !options.is_direct) {
        engine = make_cached_engine(file, std::move(*engine));
    }
    if (!engine) {
        return std::unexpected(engine.error());
    }
    medium->m_engine = std::move(*engine);
    return medium;
}

FileMedium::~FileMedium() {
    if (m_engine != nullptr) {
        settle();
        m_engine.reset();
    }
    close(m_file);
    if (m_options.lock >= 0) {
        close(m_options.lock);
    }
}

void FileMedium::submit(DeviceBus&, NvmeOperation const& operation) {
    if (m_free.empty()) {
        m_jobs.push_back(std::make_unique<FileJob>());
        m_free.push_back(m_jobs.back().get());
    }
    FileJob& job = *m_free.back();
    m_free.pop_back();
    job.begin(operation, m_options.is_direct ? direct_alignment : 1);
    m_buffered += job.went_through_buffer() ? 1 : 0;
    ++m_in_flight;
    m_engine->submit(job);
}

void FileMedium::start(DeviceBus&) {
    if (!m_listens) {
        m_listens = true;
        m_engine->listen([this] { tell(); });
    }
    m_engine->start();
}

void FileMedium::connected(std::function<void()> notice) {
    std::lock_guard const lock(m_notice_lock);
    m_notice = std::move(notice);
}

void FileMedium::tell() {
    std::lock_guard const lock(m_notice_lock);
    if (m_notice) {
        m_notice();
    }
}

void FileMedium::take_ended() {
    for (FileJob* const job : m_ended) {
        m_done.push_back(job->outcome());
        m_free.push_back(job);
        --m_in_flight;
    }
    m_ended.clear();
}

void FileMedium::reap(DeviceBus&, std::vector<NvmeOutcome>& outcomes) {
    if (m_in_flight != 0) {
        m_engine->reap(m_ended);
        take_ended();
    }
    outcomes.insert(outcomes.end(), m_done.begin(), m_done.end());
    m_done.clear();
}

void FileMedium::settle() {
    while (m_in_flight != 0) {
        m_engine->wait(m_ended);
        take_ended();
    }
}

void FileMedium::forget() {
    settle();
    m_done.clear();
}

} // namespace hosted
