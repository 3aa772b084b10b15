// See physical_memory.hpp.
#include "hal/hosted/physical_memory.hpp"

#include "hal/hosted/host_mapping.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <utility>

namespace hosted {

namespace {

/// What the host can still give, by its own estimate; nothing if it does not tell.
std::optional<u64> available_bytes() {
    std::FILE* const file = std::fopen("/proc/meminfo", "re");
    if (file == nullptr) {
        return std::nullopt;
    }
    std::optional<u64> bytes;
    char line[128];
    unsigned long long kib = 0;
    while (!bytes && std::fgets(line, sizeof(line), file) != nullptr) {
        if (std::sscanf(line, "MemAvailable: %llu kB", &kib) == 1) {
            bytes = u64{kib} << 10;
        }
    }
    std::fclose(file);
    return bytes;
}

std::optional<std::string> refuse(u64 size, unsigned window) {
    if (size < PhysicalMemory::size_min) {
        return fmt::format(
            "a machine needs at least {} MiB of memory, not {} bytes",
            PhysicalMemory::size_min >> 20, size);
    }
    if (size % page_size.value != 0) {
        return fmt::format("{} bytes of memory are not a multiple of a page (4 KiB)", size);
    }
    if (size > memory_bytes_max) {
        return fmt::format(
            "{} MiB of memory are more than a hosted machine can have ({} MiB)", size >> 20,
            memory_bytes_max >> 20);
    }
    if (window >= window_count) {
        return fmt::format(
            "there is no window {}: windows are numbered 0 to {}", window, window_count - 1);
    }
    if (auto const available = available_bytes(); available && size > *available) {
        return fmt::format(
            "{} MiB of memory are more than the host has to give ({} MiB): ask for less",
            size >> 20, *available >> 20);
    }
    return std::nullopt;
}

} // namespace

std::expected<std::unique_ptr<PhysicalMemory>, std::string>
PhysicalMemory::create(u64 size, unsigned window) {
    if (auto const reason = refuse(size, window)) {
        return std::unexpected(*reason);
    }
    std::unique_ptr<PhysicalMemory> memory(new PhysicalMemory(size, plan_window(window)));
    hal::Window const& whole = memory->m_plan.whole;
    if (int const error = reserve(whole.base.value, whole.size.value); error != 0) {
        return std::unexpected(
            error == EEXIST
                ? fmt::format(
                      "window {} is taken: choose another (0 to {})", window, window_count - 1)
                : fmt::format(
                      "cannot reserve address space for the machine: {} (ulimit -v must be "
                      "unlimited)",
                      std::strerror(error)));
    }
    memory->m_reserved = true;
    memory->m_file = memfd_create("twofold-memory", MFD_CLOEXEC);
    if (memory->m_file < 0 ||
        ftruncate(memory->m_file, static_cast<off_t>(memory->file_bytes())) != 0) {
        return std::unexpected(fmt::format(
            "cannot make a memory file of {} MiB: {}", size >> 20, std::strerror(errno)));
    }
    int const error = map_file(
        memory->m_plan.own.base.value, memory->file_bytes(), PROT_READ | PROT_WRITE, memory->m_file,
        0);
    if (error != 0) {
        return std::unexpected(
            fmt::format("cannot map {} MiB of memory: {}", size >> 20, std::strerror(error)));
    }
    hal::Window const& cpus = memory->m_plan.cpus;
    if (int const failed = map_private(cpus.base.value, cpus.size.value); failed != 0) {
        return std::unexpected(
            fmt::format("cannot map the virtual processors: {}", std::strerror(failed)));
    }
    return memory;
}

PhysicalMemory::~PhysicalMemory() {
    if (m_reserved) {
        unmap(m_plan.whole.base.value, m_plan.whole.size.value);
    }
    if (m_file >= 0) {
        close(m_file);
    }
}

PhysicalSpan PhysicalMemory::span() const {
    // Sound: mapped in create, for as long as this object lives.
    return {reinterpret_cast<std::byte*>(m_plan.own.base.value), m_size};
}

std::span<std::byte> PhysicalMemory::cpu_area() const {
    // Sound: mapped in create, for as long as this object lives.
    return {reinterpret_cast<std::byte*>(m_plan.cpus.base.value), m_plan.cpus.size.value};
}

MemoryCopy PhysicalMemory::copy() const {
    MemoryCopy out{m_size, {}};
    off_t at = 0;
    while ((at = lseek(m_file, at, SEEK_DATA)) >= 0) {
        off_t const end = lseek(m_file, at, SEEK_HOLE);
        CHECK(end > at);
        std::byte const* const from = span().base + at;
        out.extents.push_back({static_cast<u64>(at), {from, from + (end - at)}});
        at = end;
    }
    CHECK(errno == ENXIO); // no data further on
    return out;
}

void PhysicalMemory::note_reach(u64 offset, u64 size) const {
    for (u64 block = offset / reach_bytes; block * reach_bytes < offset + size; ++block) {
        m_reached[block] = 1;
    }
}

/// What lies behind `from` in the file.
void PhysicalMemory::give_back(u64 from) {
    int const failed = fallocate(
        m_file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from),
        static_cast<off_t>(file_bytes() - from));
    CHECK(failed == 0);
}

void PhysicalMemory::assign(MemoryCopy const& copy) {
    CHECK(copy.size == m_size);
    std::ranges::fill(m_reached, u8{1});
    give_back(0); // or copies of this memory would grow by what it has ever used
    for (MemoryCopy::Extent const& extent : copy.extents) {
        CHECK(PhysicalSpan(span().base, file_bytes()).holds(extent.offset, extent.bytes.size()));
        std::memcpy(span().base + extent.offset, extent.bytes.data(), extent.bytes.size());
    }
}

/// The memory that is in use stays so: a machine that starts over soon uses it again, and the host
/// takes longer to give it anew than this does to overwrite it.
void PhysicalMemory::clear(std::byte fill) {
    for (usize block = 0; fill != std::byte{} && block < m_reached.size(); ++block) {
        u64 const at = block * reach_bytes;
        if (std::exchange(m_reached[block], u8{0}) != 0) {
            std::memset(
                span().base + at, std::to_integer<int>(fill), std::min(reach_bytes, m_size - at));
        }
    }
    if (fill != std::byte{}) {
        give_back(m_size); // nothing is mapped for a device
        return;
    }
    off_t at = 0;
    while ((at = lseek(m_file, at, SEEK_DATA)) >= 0) {
        off_t const end = lseek(m_file, at, SEEK_HOLE);
        CHECK(end > at);
        std::memset(span().base + at, 0, static_cast<usize>(end - at));
        at = end;
    }
    CHECK(errno == ENXIO); // no data further on
}

} // namespace hosted
