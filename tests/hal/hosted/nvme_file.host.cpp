// Files as media of the NVMe controller, by io_uring and by threads.
#include "hal/hosted/devices/nvme/file_medium.hpp"
#include "tests/hal/hosted/nvme_bench.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace hosted;
using namespace hosted::test;
namespace status = nvme::status;
using Io = FileMediumOptions::Io;
using nvme::AdminOpcode;
using nvme::Command;
using nvme::Opcode;

constexpr u64 file_bytes = u64{1} << 20;

/// A file that goes with the test.
class TemporaryFile {
public:
    explicit TemporaryFile(u64 bytes = file_bytes) {
        m_descriptor = mkstemp(m_path.data());
        EXPECT_GE(m_descriptor, 0);
        EXPECT_EQ(ftruncate(m_descriptor, static_cast<off_t>(bytes)), 0);
    }
    TemporaryFile(TemporaryFile const&) = delete;
    TemporaryFile& operator=(TemporaryFile const&) = delete;
    ~TemporaryFile() {
        close(m_descriptor);
        unlink(m_path.c_str());
    }
    int open(int flags = O_RDWR) const { return ::open(m_path.c_str(), flags | O_CLOEXEC); }
    u8 byte(u64 at) const {
        u8 value = 0;
        EXPECT_EQ(pread(m_descriptor, &value, 1, static_cast<off_t>(at)), 1);
        return value;
    }
    void set(u64 at, u64 bytes, u8 value) const {
        std::vector<u8> const all(bytes, value);
        EXPECT_EQ(
            pwrite(m_descriptor, all.data(), bytes, static_cast<off_t>(at)),
            static_cast<ssize_t>(bytes));
    }
    u64 allocated() const {
        struct stat about{};
        fstat(m_descriptor, &about);
        return static_cast<u64>(about.st_blocks) * 512;
    }
    int descriptor() const { return m_descriptor; }

private:
    std::string m_path = (std::filesystem::temp_directory_path() / "twofold-nvme-XXXXXX").string();
    int m_descriptor = -1;
};

/// A controller on a file, and the host's side of it: waits for what comes later.
struct FileBench {
    FileBench(int file, FileMediumOptions const& options) {
        auto made = FileMedium::create(file, options);
        EXPECT_TRUE(made.has_value()) << made.error();
        medium = std::move(*made);
        bench.emplace(NvmeConfig{.media = {medium}, .serial = "file"});
        bench->controller.connected([this] { notices.fetch_add(1); });
        bench->on_step = [this] {
            std::this_thread::sleep_for(std::chrono::microseconds(50));
            if (notices.exchange(0) != 0) {
                bench->controller.noticed(*bench);
            }
            return true;
        };
        EXPECT_TRUE(host().enable());
        EXPECT_TRUE(host().open_queue(1));
    }
    ~FileBench() { bench->controller.connected({}); }
    NvmeHost& host() { return bench->host; }

    std::atomic<u32> notices = 0;
    std::shared_ptr<FileMedium> medium;
    std::optional<NvmeBench> bench;
};

struct NvmeFile : testing::TestWithParam<Io> {
    FileMediumOptions options() const { return {.bytes = file_bytes, .io = GetParam()}; }
};

TEST_P(NvmeFile, WhatIsWrittenIsInTheFile) {
    TemporaryFile const file;
    FileBench it(file.open(), options());
    EXPECT_STREQ(it.medium->io_name(), GetParam() == Io::threads ? "threads" : "uring");
    it.host().fill(data_at, 4096, 0x42);
    ASSERT_EQ(it.host().io_status(io_command(Opcode::write, 16, 8)), 0);
    EXPECT_EQ(file.byte(16 * 512), 0x42);
    EXPECT_EQ(file.byte(24 * 512 - 1), 0x42);
    EXPECT_EQ(file.byte(24 * 512), 0);
    file.set(17 * 512, 512, 0x17);
    ASSERT_EQ(it.host().io_status(io_command(Opcode::read, 16, 8)), 0);
    EXPECT_EQ(it.host().bytes(data_at + 512, 512), std::vector<std::byte>(512, std::byte{0x17}));
    ASSERT_EQ(it.host().io_status(io_command(Opcode::flush)), 0);
    Command through = io_command(Opcode::write, 1);
    through.word12 |= nvme::force_unit_access;
    ASSERT_EQ(it.host().io_status(through), 0);
    EXPECT_EQ(it.medium->buffered(), 0u);
}

TEST_P(NvmeFile, PiecesAndManyAtOnce) {
    TemporaryFile const file;
    FileBench it(file.open(), options());
    for (u64 block = 0; block < 64; ++block) {
        file.set(block * 512, 512, static_cast<u8>(block + 1));
    }
    for (u64 round = 0; round < 20; ++round) {
        for (u64 i = 0; i < 12; ++i) {
            Command command = io_command(Opcode::read, i * 4, 4);
            command.data[0] = data_at + i * 0x2000 + 0xe00; // the first block, and three behind
            command.data[1] = data_at + i * 0x2000 + 0x1000;
            it.host().place(1, command);
        }
        it.host().fill(data_at, 0x20000, 0);
        it.host().ring(1);
        for (u64 i = 0; i < 12; ++i) {
            Answer const answer = it.host().await(1);
            ASSERT_TRUE(answer.has_value());
            ASSERT_EQ(NvmeHost::status_of(*answer), 0);
        }
        for (u64 block = 0; block < 48; ++block) {
            u64 const at = data_at + block / 4 * 0x2000 + 0xe00 + block % 4 * 512;
            ASSERT_EQ(it.host().get<u8>(at), block + 1);
            ASSERT_EQ(it.host().get<u8>(at + 511), block + 1);
        }
    }
}

TEST_P(NvmeFile, ZeroesAndHoles) {
    TemporaryFile const file;
    file.set(0, 65536, 0x77);
    FileBench it(file.open(), options());
    Command zeroes = io_command(Opcode::write_zeroes, 3, 10);
    zeroes.word12 |= nvme::force_unit_access;
    ASSERT_EQ(it.host().io_status(zeroes), 0);
    u64 const before = file.allocated();
    it.host().put(data_at, nvme::Range{0, 64, 32});
    Command trim = io_command(Opcode::dataset_management);
    trim.word11 = nvme::deallocate_attribute;
    ASSERT_EQ(it.host().io_status(trim), 0);
    for (u64 block = 0; block < 128; ++block) {
        bool const is_zero = (block >= 3 && block < 13) || (block >= 32 && block < 96);
        EXPECT_EQ(file.byte(block * 512), is_zero ? 0 : 0x77) << block;
    }
    EXPECT_LT(file.allocated(), before);
}

TEST_P(NvmeFile, DirectAccessGoesThroughABufferWhereMemoryIsNotAligned) {
    TemporaryFile const file;
    int const opened = file.open(O_RDWR | O_DIRECT);
    if (opened < 0) {
        GTEST_SKIP() << "no direct access here";
    }
    FileMediumOptions wanted = options();
    wanted.is_direct = true;
    wanted.block_bytes = 4096;
    FileBench it(opened, wanted);
    it.host().fill(data_at, 0x3000, 0x21);
    ASSERT_EQ(it.host().io_status(io_command(Opcode::write, 1, 1)), 0);
    EXPECT_EQ(it.medium->buffered(), 0u);
    EXPECT_EQ(file.byte(4096), 0x21);
    Command unaligned = io_command(Opcode::read, 1, 1);
    unaligned.data[0] = data_at + 0x4004;
    unaligned.data[1] = data_at + 0x8000;
    ASSERT_EQ(it.host().io_status(unaligned), 0);
    EXPECT_EQ(it.medium->buffered(), 1u);
    EXPECT_EQ(
        it.host().bytes(data_at + 0x4004, 0xffc), std::vector<std::byte>(0xffc, std::byte{0x21}));
    EXPECT_EQ(it.host().bytes(data_at + 0x8000, 4), std::vector<std::byte>(4, std::byte{0x21}));
    unaligned.opcode = static_cast<u8>(Opcode::write);
    unaligned.word10 = 9;
    ASSERT_EQ(it.host().io_status(unaligned), 0);
    EXPECT_EQ(file.byte(10 * 4096 - 1), 0x21);
}

TEST_P(NvmeFile, AFileThatHasBecomeShorterIsAReadError) {
    TemporaryFile const file;
    FileBench it(file.open(), options());
    ASSERT_EQ(ftruncate(file.descriptor(), 1024), 0);
    EXPECT_EQ(it.host().io_status(io_command(Opcode::read, 1, 8)), status::unrecovered_read);
    EXPECT_EQ(it.host().io_status(io_command(Opcode::read, 1)), 0);
    ASSERT_EQ(it.host().admin_status(admin_command(AdminOpcode::get_log_page, 127u << 16 | 2)), 0);
    EXPECT_EQ(it.host().get<nvme::HealthLog>(data_at).media_errors[0], 1u);
}

TEST_P(NvmeFile, ADescriptorThatCannotIsAnError) {
    TemporaryFile const file;
    file.set(0, 512, 5);
    FileBench reader(file.open(O_RDONLY), options());
    EXPECT_EQ(reader.host().io_status(io_command(Opcode::read)), 0);
    EXPECT_EQ(reader.host().io_status(io_command(Opcode::write)), status::write_fault);
    EXPECT_EQ(file.byte(0), 5);
    FileBench writer(file.open(O_WRONLY), options());
    EXPECT_EQ(writer.host().io_status(io_command(Opcode::read)), status::unrecovered_read);
}

/// The host refuses what lies beyond a limit, as where a disk is full.
TEST_P(NvmeFile, AFileThatCannotGrowIsFull) {
    TemporaryFile const file(4096); // smaller than it is said to be
    signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    rlimit const limit{65536, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    {
        FileBench it(file.open(), options());
        EXPECT_EQ(it.host().io_status(io_command(Opcode::write, 0, 8)), 0);
        EXPECT_EQ(
            it.host().io_status(io_command(Opcode::write, 512, 8)), status::capacity_exceeded);
        // What is in part beyond it is written in part first: a short write, and then an error.
        EXPECT_EQ(
            it.host().io_status(io_command(Opcode::write, 124, 8)), status::capacity_exceeded);
        EXPECT_EQ(it.host().io_status(io_command(Opcode::read, 0, 8)), 0);
    }
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
}

TEST_P(NvmeFile, AResetWaitsForWhatIsInFlightAndNothingComesLater) {
    TemporaryFile const file;
    FileBench it(file.open(), options());
    for (u32 round = 0; round < 50; ++round) {
        for (u32 i = 0; i < 12; ++i) {
            it.host().place(1, io_command(Opcode::read, i * 64, 8));
        }
        it.host().ring(1);
        it.host().configure(0);
        ASSERT_TRUE(it.host().await_status(nvme::csts::ready, 0));
        it.host().fill(data_at, 4096, 0xcc);
        ASSERT_TRUE(it.host().enable());
        ASSERT_TRUE(it.host().open_queue(1));
        auto const seen = it.host().bytes(data_at + 0x100, 0xf00);
        ASSERT_TRUE(std::ranges::all_of(seen, [](std::byte b) { return b == std::byte{0xcc}; }));
    }
}

TEST_P(NvmeFile, ASnapshotFinishesWhatIsInFlight) {
    TemporaryFile const file;
    file.set(0, 4096, 0x61);
    FileBench it(file.open(), options());
    it.bench->on_step = nullptr;
    u16 const id = it.host().submit(1, io_command(Opcode::read, 0, 8));
    it.bench->controller.settle();
    EXPECT_EQ(it.host().get<u8>(data_at + 4095), 0x61); // before the memory is copied
    std::vector<std::byte> const saved = it.bench->controller.save();
    it.bench->controller.load(saved);
    it.bench->controller.noticed(*it.bench);
    Answer const answer = it.host().take(1);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->id, id);
    EXPECT_EQ(NvmeHost::status_of(*answer), 0);
}

INSTANTIATE_TEST_SUITE_P(
    By, NvmeFile, testing::Values(Io::uring, Io::threads), [](auto const& each) {
        return each.param == Io::uring ? "Uring" : "Threads";
    });

/// A job alone, with results that a host gives now and then.
struct NvmeFileJob : testing::Test {
    FileJob job;
    std::vector<std::byte> memory = std::vector<std::byte>(3000);
    std::array<iovec, 2> pieces{iovec{memory.data(), 1000}, iovec{memory.data() + 1000, 2000}};

    void begin(NvmeOperation::Kind kind, bool is_through = false) {
        job.begin(
            {.kind = kind,
             .is_through = is_through,
             .tag = 7,
             .offset = 10000,
             .bytes = 3000,
             .pieces = pieces},
            1);
    }
};

TEST_F(NvmeFileJob, GoesOnAfterInterruptionsAndShortAnswers) {
    begin(NvmeOperation::Kind::read);
    EXPECT_FALSE(job.advance(-EINTR));
    EXPECT_FALSE(job.advance(-EAGAIN));
    EXPECT_EQ(job.call().bytes, 3000u);
    EXPECT_FALSE(job.advance(1400));
    EXPECT_EQ(job.call().offset, 11400u);
    ASSERT_EQ(job.call().pieces.size(), 1u);
    EXPECT_EQ(job.call().pieces[0].iov_base, memory.data() + 1400);
    EXPECT_EQ(job.call().pieces[0].iov_len, 1600u);
    EXPECT_TRUE(job.advance(1600));
    EXPECT_EQ(job.outcome().status, 0);
    EXPECT_EQ(job.outcome().tag, 7u);
}

TEST_F(NvmeFileJob, SaysWhatHasFailed) {
    struct {
        NvmeOperation::Kind kind;
        i64 result;
        u16 status;
    } const all[] = {
        {NvmeOperation::Kind::read, -EIO, status::unrecovered_read},
        {NvmeOperation::Kind::read, 0, status::unrecovered_read},
        {NvmeOperation::Kind::write, -EIO, status::write_fault},
        {NvmeOperation::Kind::write, -ENOSPC, status::capacity_exceeded},
        {NvmeOperation::Kind::write, -EDQUOT, status::capacity_exceeded},
        {NvmeOperation::Kind::flush, -EIO, status::write_fault},
        {NvmeOperation::Kind::write_zeroes, -EIO, status::write_fault},
        {NvmeOperation::Kind::deallocate, -EOPNOTSUPP, status::success},
    };
    for (auto const& each : all) {
        begin(each.kind);
        EXPECT_TRUE(job.advance(each.result));
        EXPECT_EQ(job.outcome().status, each.status) << each.result;
    }
}

TEST_F(NvmeFileJob, ZeroesFallBackToWriting) {
    begin(NvmeOperation::Kind::write_zeroes, true);
    EXPECT_EQ(job.call().kind, FileCall::Kind::zero_range);
    EXPECT_FALSE(job.advance(-EOPNOTSUPP));
    EXPECT_EQ(job.call().kind, FileCall::Kind::punch_hole);
    EXPECT_FALSE(job.advance(-EOPNOTSUPP));
    EXPECT_EQ(job.call().kind, FileCall::Kind::write);
    EXPECT_TRUE(job.call().is_through);
    ASSERT_EQ(job.call().pieces.size(), 1u);
    EXPECT_EQ(job.call().pieces[0].iov_len, 3000u);
    EXPECT_FALSE(job.advance(500));
    EXPECT_EQ(job.call().pieces[0].iov_len, 2500u);
    EXPECT_TRUE(job.advance(2500));
    EXPECT_EQ(job.outcome().status, 0);
    begin(NvmeOperation::Kind::write_zeroes, true);
    EXPECT_FALSE(job.advance(0));
    EXPECT_EQ(job.call().kind, FileCall::Kind::sync); // what a range was made is to be durable, too
    EXPECT_TRUE(job.advance(0));
}

} // namespace
