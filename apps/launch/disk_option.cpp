// See disk_option.hpp.
#include "apps/launch/disk_option.hpp"

#include "apps/launch/status.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace twofold::launch {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view in_memory = "memory";
constexpr u32 large_block = 4096;

/// Splits at commas; two of them are one that does not split.
std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> words(1);
    for (usize i = 0; i < text.size(); ++i) {
        if (text[i] != ',') {
            words.back() += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == ',') {
            words.back() += ',';
            ++i;
        } else {
            words.emplace_back();
        }
    }
    return words;
}

/// One word behind the file. `has_block`: it said how large a block is.
std::string take_word(std::string const& word, DiskOption& disk, bool& has_block) {
    auto const sign = word.find('=');
    std::string const name = word.substr(0, sign);
    std::string const value = sign == std::string::npos ? "" : word.substr(sign + 1);
    using Io = DiskOption::Io;
    using Kind = DiskOption::Kind;
    if (name == "size") {
        return take_disk_bytes(value, disk.bytes);
    }
    if (word == "bs=512" || word == "bs=4096") {
        disk.block_bytes = word == "bs=512" ? 512 : large_block;
        has_block = true;
    } else if (word == "direct") {
        disk.is_direct = true;
    } else if (word == "readonly") {
        disk.is_read_only = true;
    } else if (word == "io=uring" || word == "io=threads") {
        disk.io = word == "io=uring" ? Io::uring : Io::threads;
    } else if (word == "kind=nvme" || word == "kind=virtio") {
        disk.kind = word == "kind=nvme" ? Kind::nvme : Kind::virtio;
    } else {
        return fmt::format("'{}' is nothing that a disk has: {}", word, disk_choices);
    }
    return {};
}

[[noreturn]] void refuse(Status status, fs::path const& file, std::string_view what) {
    throw Failure(status, fmt::format("the disk '{}' {}", file.string(), what));
}
[[noreturn]] void refuse_by_host(fs::path const& file, std::string_view what) {
    refuse(Status::io, file, fmt::format("{}: {}", what, std::strerror(errno)));
}

bool set_lock(int file, short type, u64 from, u64 bytes, bool is_test = false) {
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(from);
    lock.l_len = static_cast<off_t>(bytes);
    if (!is_test) {
        return fcntl(file, F_OFD_SETLK, &lock) == 0;
    }
    return fcntl(file, F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK;
}

/// Locks the bytes that QEMU locks, too (its block/file-posix.c): from 100 on for what one does,
/// from 200 on for what others must not do; reading, writing, writing the same, resizing.
bool lock_disk(int file, bool is_read_only) {
    constexpr u64 does = 100, excludes = 200, kinds = 100, writing = 1, resizing = 3;
    if (!is_read_only) {
        return set_lock(file, F_WRLCK, does, excludes + kinds - does);
    }
    return set_lock(file, F_RDLCK, does, 1) &&
           set_lock(file, F_RDLCK, excludes + writing, resizing - writing + 1) &&
           set_lock(file, F_WRLCK, does + writing, 1, true) &&
           set_lock(file, F_WRLCK, excludes, 1, true);
}

Descriptor open_file(DiskOption const& disk, int more = 0) {
    int const direct = disk.is_direct ? O_DIRECT : 0;
    int const access = disk.is_read_only ? O_RDONLY : O_RDWR;
    return Descriptor(open(disk.file.c_str(), access | direct | O_CLOEXEC | more, 0644));
}

/// A new file of the size that is asked for; it goes again where it cannot have it.
void make_file(DiskOption const& disk) {
    if (!disk.bytes) {
        refuse(
            Status::unavailable, disk.file,
            fmt::format(
                "is not there; with a size it is made: --disk {},size=1G", disk.file.string()));
    }
    if (disk.is_read_only) {
        refuse(Status::unavailable, disk.file, "is not there, and what is read-only is not made");
    }
    Descriptor const made(open(disk.file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!made) {
        refuse_by_host(disk.file, "cannot be made");
    }
    if (ftruncate(made.number(), static_cast<off_t>(*disk.bytes)) != 0) {
        int const error = errno;
        unlink(disk.file.c_str());
        errno = error;
        refuse_by_host(disk.file, fmt::format("cannot have {} bytes", *disk.bytes));
    }
}

struct stat look_at(DiskOption const& disk) {
    struct stat about{};
    if (stat(disk.file.c_str(), &about) != 0) {
        if (errno != ENOENT) {
            refuse_by_host(disk.file, "cannot be looked at");
        }
        make_file(disk);
        if (stat(disk.file.c_str(), &about) != 0) {
            refuse_by_host(disk.file, "cannot be looked at");
        }
    }
    if (S_ISDIR(about.st_mode)) {
        refuse(Status::usage, disk.file, "is a folder; name a file");
    }
    if (!S_ISREG(about.st_mode) && !S_ISBLK(about.st_mode)) {
        refuse(Status::usage, disk.file, "is neither a file nor a block device");
    }
    constexpr mode_t may_write = S_IWUSR | S_IWGRP | S_IWOTH;
    if (!disk.is_read_only && (about.st_mode & may_write) == 0) {
        refuse(Status::usage, disk.file, "is read-only; say so: ,readonly");
    }
    return about;
}

u64 size_of(int file, struct stat const& about) {
    u64 bytes = static_cast<u64>(about.st_size);
    if (S_ISBLK(about.st_mode)) {
        ioctl(file, BLKGETSIZE64, &bytes);
    }
    return bytes;
}

std::string doubled_commas(std::string_view text) {
    std::string out;
    for (char const letter : text) {
        out.append(letter == ',' ? 2 : 1, letter);
    }
    return out;
}

} // namespace

std::string take_disk_bytes(std::string const& text, std::optional<u64>& bytes) {
    auto const size = parse_size(text);
    if (!size || size.value().value < disk_bytes_min || size.value().value > disk_bytes_max) {
        return fmt::format("'{}' is no size of a disk; write for instance 64M or 1G", text);
    }
    bytes = size.value().value;
    return {};
}

std::string take_disk(std::string const& text, std::vector<DiskOption>& disks) {
    auto const words = split(text);
    DiskOption disk;
    bool const is_in_memory = words.front() == in_memory;
    bool has_block = false;
    if (words.front().empty()) {
        return fmt::format("'{}' names no file: {}", text, disk_choices);
    }
    for (usize i = 1; i < words.size(); ++i) {
        if (auto const wrong = take_word(words[i], disk, has_block); !wrong.empty()) {
            return wrong;
        }
    }
    if (disk.is_direct && !has_block) {
        disk.block_bytes = large_block;
    }
    if (disk.is_direct && disk.block_bytes != large_block) {
        return "direct access needs blocks of 4096 bytes";
    }
    if (disk.bytes && *disk.bytes % disk.block_bytes != 0) {
        return fmt::format(
            "a disk of {} bytes is no multiple of its blocks of {}", *disk.bytes, disk.block_bytes);
    }
    if (is_in_memory && (!disk.bytes || *disk.bytes > memory_disk_bytes_max)) {
        return "a disk in memory needs a size of at most 1G: memory,size=2M";
    }
    if (is_in_memory && (disk.is_direct || disk.is_read_only || disk.io != DiskOption::Io{})) {
        return "a disk in memory is no file: it has a size and blocks alone";
    }
    if (disks.size() == disks_max) {
        return fmt::format("a machine has at most {} disks", disks_max);
    }
    disk.file = is_in_memory ? "" : words.front();
    disks.push_back(std::move(disk));
    return {};
}

OpenDisk open_disk(DiskOption const& disk) {
    struct stat const about = look_at(disk);
    Descriptor file = open_file(disk);
    if (!file && (errno == EACCES || errno == EROFS || errno == EPERM) && !disk.is_read_only) {
        refuse(Status::usage, disk.file, "cannot be written; to read it alone: ,readonly");
    }
    if (!file && errno == EINVAL && disk.is_direct) {
        refuse(Status::usage, disk.file, "lies where there is no direct access");
    }
    if (!file) {
        refuse_by_host(disk.file, "cannot be opened");
    }
    u64 const bytes = size_of(file.number(), about);
    if (disk.bytes && bytes != *disk.bytes) {
        refuse(
            Status::usage, disk.file,
            fmt::format("has {} bytes, not {}; leave its size out", bytes, *disk.bytes));
    }
    if (bytes < disk_bytes_min) {
        refuse(
            Status::usage, disk.file,
            fmt::format("is too small: {} bytes, of at least {}", bytes, disk_bytes_min));
    }
    if (bytes % disk.block_bytes != 0) {
        refuse(
            Status::usage, disk.file,
            fmt::format("has {} bytes, no multiple of its blocks of {}", bytes, disk.block_bytes));
    }
    Descriptor lock(open(disk.file.c_str(), (disk.is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC));
    if (!lock || !lock_disk(lock.number(), disk.is_read_only)) {
        refuse(Status::unavailable, disk.file, "is in use by another run, or given twice");
    }
    return {std::move(file), std::move(lock), bytes};
}

std::vector<std::byte> read_disk(OpenDisk const& disk) {
    std::vector<std::byte> content(disk.bytes);
    for (u64 done = 0; done < content.size();) {
        ssize_t const got = pread(
            disk.file.number(), content.data() + done, content.size() - done,
            static_cast<off_t>(done));
        if (got <= 0 && errno != EINTR) {
            throw Failure(
                Status::io, fmt::format("a disk's file cannot be read: {}", std::strerror(errno)));
        }
        done += got > 0 ? static_cast<u64>(got) : 0;
    }
    return content;
}

std::vector<std::string> disk_arguments(DiskOption const& disk, usize number, bool has_pci) {
    using Io = DiskOption::Io;
    std::string drive = fmt::format(
        "file={},format=raw,if=none,id=disk{},discard=unmap,werror=report,rerror=report,cache={}",
        doubled_commas(fs::absolute(disk.file).string()), number,
        disk.is_direct ? "none" : "writeback");
    if (disk.is_read_only) {
        drive += ",read-only=on";
    }
    if (disk.io != Io::automatic) {
        drive += disk.io == Io::uring ? ",aio=io_uring" : ",aio=threads";
    }
    bool const is_nvme = disk.kind == DiskOption::Kind::nvme && has_pci;
    std::string const device = is_nvme   ? fmt::format("nvme,serial=disk{}", number)
                               : has_pci ? "virtio-blk-pci,disable-legacy=on"
                                         : "virtio-blk-device";
    std::vector<std::string> arguments = {
        "-drive", drive, "-device",
        fmt::format(
            "{},drive=disk{},logical_block_size={},physical_block_size={}", device, number,
            disk.block_bytes, disk.block_bytes)};
    if (!has_pci) { // else the device is as it was before the specification
        arguments.insert(arguments.end(), {"-global", "virtio-mmio.force-legacy=false"});
    }
    return arguments;
}

} // namespace twofold::launch
