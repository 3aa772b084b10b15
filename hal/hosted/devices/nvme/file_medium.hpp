// A medium that is a file or a block device of the host. Data goes straight between the file and
// the machine's memory.
//
// The host's page cache is the volatile write cache: a flush is fdatasync, and a write through it
// carries RWF_DSYNC. A power cut of the machine loses nothing, as the host goes on. A snapshot does
// not hold what the file holds.
#pragma once

#include "hal/hosted/devices/nvme/file_engine.hpp"

#include <expected>
#include <mutex>

namespace hosted {

struct FileMediumOptions {
    enum class Io : u8 {
        automatic, ///< io_uring, or threads where it is not permitted
        uring,
        threads
    };

    u64 bytes = 0;
    u32 block_bytes = 512;
    bool is_read_only = false;
    bool is_direct = false; ///< the file was opened with O_DIRECT
    Io io = Io::automatic;
    int lock = -1; ///< a descriptor that is to be open as long; -1: none
};

class FileMedium final : public NvmeMedium {
public:
    static constexpr u32 direct_alignment = 4096;

    /// Takes the descriptors, in any case. The error is one line.
    static std::expected<std::unique_ptr<FileMedium>, std::string>
    create(int file, FileMediumOptions const& options);
    FileMedium(FileMedium const&) = delete;
    FileMedium& operator=(FileMedium const&) = delete;
    ~FileMedium() override;

    u64 bytes() const override { return m_options.bytes; }
    u32 block_bytes() const override { return m_options.block_bytes; }
    bool is_read_only() const override { return m_options.is_read_only; }
    void submit(DeviceBus& bus, NvmeOperation const& operation) override;
    void start(DeviceBus& bus) override;
    void reap(DeviceBus& bus, std::vector<NvmeOutcome>& outcomes) override;
    bool withdraw(u32) override { return false; }
    bool withdraw_all() override { return m_in_flight == 0 && m_done.empty(); }
    void settle() override;
    void forget() override;
    void cut_power() override { forget(); }
    void connected(std::function<void()> notice) override;
    int descriptor() const override { return m_engine->descriptor(); }
    void archive(StateArchive& state) override { state(m_done); }

    char const* io_name() const { return m_engine->name(); }
    /// How many operations went through a buffer, since their memory was not aligned.
    u64 buffered() const { return m_buffered; }

private:
    FileMedium(int file, FileMediumOptions const& options) : m_file(file), m_options(options) {}
    void take_ended();
    void tell();

    int m_file;
    FileMediumOptions m_options;
    std::unique_ptr<FileEngine> m_engine;
    std::mutex m_notice_lock; ///< held while it is called: nobody calls what was replaced
    std::function<void()> m_notice;
    bool m_listens = false;
    std::vector<std::unique_ptr<FileJob>> m_jobs;
    std::vector<FileJob*> m_free;
    std::vector<FileJob*> m_ended;
    std::vector<NvmeOutcome> m_done; ///< of jobs that have ended while nobody reaped
    u32 m_in_flight = 0;
    u64 m_buffered = 0;
};

} // namespace hosted
