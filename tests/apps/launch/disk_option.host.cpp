// The option --disk: what is accepted, what is refused, and what becomes of files.
#include "apps/launch/disk_option.hpp"
#include "apps/launch/status.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace {

namespace fs = std::filesystem;
using namespace twofold;
using namespace twofold::launch;

/// The disks, or what is wrong with one.
struct Taken {
    std::vector<DiskOption> disks{};
    std::string wrong{};
};

Taken take(std::string const& text) {
    Taken taken;
    taken.wrong = take_disk(text, taken.disks);
    return taken;
}

/// A folder that goes with the test.
struct DiskFolder {
    DiskFolder() {
        path = fs::temp_directory_path() / ("twofold-disk-" + std::to_string(getpid()));
        fs::create_directories(path);
    }
    ~DiskFolder() { fs::remove_all(path); }
    DiskFolder(DiskFolder const&) = delete;
    DiskFolder& operator=(DiskFolder const&) = delete;

    fs::path file(std::string const& name, u64 bytes) const {
        std::ofstream(path / name, std::ios::binary) << 'x';
        fs::resize_file(path / name, bytes);
        return path / name;
    }

    fs::path path;
};

void expect_no_disk(DiskOption const& disk, Status status, std::string const& words) {
    try {
        open_disk(disk);
        ADD_FAILURE() << "it was opened: " << disk.file;
    } catch (Failure const& failure) {
        EXPECT_EQ(failure.status(), status) << failure.what();
        EXPECT_NE(std::string(failure.what()).find(words), std::string::npos) << failure.what();
        EXPECT_EQ(std::string(failure.what()).find('\n'), std::string::npos);
    }
}

TEST(DiskOption, TakesWhatADiskHas) {
    Taken const plain = take("a.img");
    ASSERT_EQ(plain.wrong, "");
    EXPECT_EQ(plain.disks[0].file, "a.img");
    EXPECT_EQ(plain.disks[0].block_bytes, 512u);
    EXPECT_FALSE(plain.disks[0].bytes.has_value());
    Taken const all = take("a,,b.img,size=1G,bs=4096,direct,readonly,io=threads,kind=virtio");
    ASSERT_EQ(all.wrong, "");
    DiskOption const& disk = all.disks[0];
    EXPECT_EQ(disk.file, "a,b.img");
    EXPECT_EQ(disk.bytes, u64{1} << 30);
    EXPECT_EQ(disk.block_bytes, 4096u);
    EXPECT_TRUE(disk.is_direct && disk.is_read_only);
    EXPECT_EQ(disk.io, DiskOption::Io::threads);
    EXPECT_EQ(disk.kind, DiskOption::Kind::virtio);
    EXPECT_EQ(take("a,direct").disks[0].block_bytes, 4096u);
    EXPECT_EQ(take("a,io=uring").disks[0].io, DiskOption::Io::uring);
    Taken const memory = take("memory,size=2M");
    ASSERT_EQ(memory.wrong, "");
    EXPECT_TRUE(memory.disks[0].file.empty());
    EXPECT_EQ(memory.disks[0].bytes, u64{2} << 20);
}

TEST(DiskOption, RefusesNonsenseInOneLine) {
    for (char const* text :
         {"",
          ",size=1G",
          "a,size=",
          "a,size=x",
          "a,size=0",
          "a,size=100",
          "a,size=9999999T",
          "a,size=4097",
          "a,bs=0",
          "a,bs=1024",
          "a,io=aio",
          "a,kind=ide",
          "a,frob",
          "a,direct=1",
          "a,direct,bs=512",
          "a,size=4608,bs=4096",
          "memory",
          "memory,size=2G",
          "a,",
          "memory,size=1M,direct",
          "memory,size=1M,readonly",
          "memory,size=1M,io=uring"}) {
        Taken const taken = take(text);
        EXPECT_NE(taken.wrong, "") << text;
        EXPECT_EQ(taken.wrong.find('\n'), std::string::npos) << text;
        EXPECT_TRUE(taken.disks.empty()) << text;
    }
    std::vector<DiskOption> many;
    for (usize i = 0; i < disks_max; ++i) {
        EXPECT_EQ(take_disk("a", many), "");
    }
    EXPECT_EQ(take_disk("a", many), "a machine has at most 16 disks");
}

TEST(DiskFile, IsMadeSparseWhereASizeIsGiven) {
    DiskFolder const folder;
    DiskOption const asked{.file = folder.path / "new", .bytes = u64{1} << 30};
    {
        OpenDisk const made = open_disk(asked);
        EXPECT_EQ(made.bytes, u64{1} << 30);
    }
    struct stat about{};
    ASSERT_EQ(stat(asked.file.c_str(), &about), 0);
    EXPECT_LT(about.st_blocks * 512, 1 << 20);
    open_disk(asked); // it is there now, and of that size
    expect_no_disk(
        {.file = asked.file, .bytes = u64{2} << 30}, Status::usage, "has 1073741824 bytes, not");
    EXPECT_EQ(fs::file_size(asked.file), u64{1} << 30); // never another size
    expect_no_disk(
        {.file = folder.path / "huge", .bytes = disk_bytes_max}, Status::io, "cannot have");
    EXPECT_FALSE(fs::exists(folder.path / "huge"));
}

TEST(DiskFile, IsRefusedWhereItIsNone) {
    DiskFolder const folder;
    expect_no_disk({.file = folder.path / "none"}, Status::unavailable, "with a size it is made");
    expect_no_disk(
        {.file = folder.path / "none", .bytes = 8192, .is_read_only = true}, Status::unavailable,
        "is not there");
    EXPECT_FALSE(fs::exists(folder.path / "none"));
    expect_no_disk({.file = folder.path}, Status::usage, "is a folder");
    expect_no_disk({.file = "/dev/null"}, Status::usage, "neither a file nor a block device");
    expect_no_disk({.file = folder.file("small", 512)}, Status::usage, "too small: 512 bytes");
    expect_no_disk({.file = folder.file("empty", 0)}, Status::usage, "too small: 0 bytes");
    expect_no_disk({.file = folder.file("odd", 10'000)}, Status::usage, "no multiple");
    expect_no_disk(
        {.file = folder.file("half", 12'800), .block_bytes = 4096}, Status::usage, "of 4096");
    expect_no_disk(
        {.file = folder.path / "no" / "folder", .bytes = 8192}, Status::io, "cannot be made");
}

TEST(DiskFile, IsReadOnlyWhereThatIsSaid) {
    DiskFolder const folder;
    fs::path const file = folder.file("locked", 8192);
    fs::permissions(file, fs::perms::owner_read);
    expect_no_disk({.file = file}, Status::usage, "is read-only; say so: ,readonly");
    OpenDisk const opened = open_disk({.file = file, .is_read_only = true});
    EXPECT_EQ(opened.bytes, 8192u);
    EXPECT_EQ(read_disk(opened)[0], std::byte{'x'});
    EXPECT_LT(write(opened.file.number(), "y", 1), 0);
}

TEST(DiskFile, IsOneRunsAlone) {
    DiskFolder const folder;
    fs::path const file = folder.file("one", 8192);
    {
        OpenDisk const first = open_disk({.file = file});
        expect_no_disk({.file = file}, Status::unavailable, "in use by another run");
        expect_no_disk({.file = file, .is_read_only = true}, Status::unavailable, "in use");
    }
    OpenDisk const reader = open_disk({.file = file, .is_read_only = true});
    open_disk({.file = file, .is_read_only = true});
    expect_no_disk({.file = file}, Status::unavailable, "in use");
}

TEST(DiskArguments, AreTheEmulators) {
    DiskOption disk{.file = "/a,b.img", .block_bytes = 4096, .is_direct = true};
    EXPECT_EQ(
        disk_arguments(disk, 3, true),
        (std::vector<std::string>{
            "-drive",
            "file=/a,,b.img,format=raw,if=none,id=disk3,discard=unmap,werror=report,"
            "rerror=report,cache=none",
            "-device",
            "nvme,serial=disk3,drive=disk3,logical_block_size=4096,physical_block_size=4096"}));
    disk = {.file = "/c", .is_read_only = true, .io = DiskOption::Io::threads};
    auto const words = disk_arguments(disk, 0, false);
    EXPECT_TRUE(words[1].ends_with("cache=writeback,read-only=on,aio=threads"));
    EXPECT_TRUE(words[3].starts_with("virtio-blk-device,drive=disk0,"));
    EXPECT_EQ(words.back(), "virtio-mmio.force-legacy=false");
    disk.kind = DiskOption::Kind::virtio;
    EXPECT_TRUE(disk_arguments(disk, 0, true)[3].starts_with("virtio-blk-pci,"));
}

} // namespace
