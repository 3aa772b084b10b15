// See shared_memory.hpp.
#include "apps/display/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <new>

namespace twofold::display {

namespace {

constexpr int seals = F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

std::unexpected<std::string> system_error() {
    return std::unexpected(std::string(std::strerror(errno)));
}

} // namespace

std::expected<SharedMemory, std::string> SharedMemory::map(launch::Descriptor descriptor) {
    void* const base =
        mmap(nullptr, shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number(), 0);
    if (base == MAP_FAILED) {
        return system_error();
    }
    return SharedMemory(std::move(descriptor), base);
}

std::expected<SharedMemory, std::string> SharedMemory::create() {
    launch::Descriptor descriptor(memfd_create("twofold-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!descriptor || ftruncate(descriptor.number(), shared_bytes) != 0 ||
        fcntl(descriptor.number(), F_ADD_SEALS, seals) != 0) {
        return system_error();
    }
    auto memory = map(std::move(descriptor));
    if (memory) {
        auto* const frame = new (memory->m_base) SharedFrame;
        pthread_mutexattr_t attributes;
        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(&frame->mutex, &attributes);
        pthread_mutexattr_destroy(&attributes);
    }
    return memory;
}

std::expected<SharedMemory, std::string> SharedMemory::open(int number) {
    launch::Descriptor descriptor(fcntl(number, F_DUPFD_CLOEXEC, 0));
    struct stat status{};
    if (!descriptor || fstat(descriptor.number(), &status) != 0) {
        return system_error();
    }
    // Sealed as ours, or reading it could end the program.
    bool const is_ours = status.st_size == static_cast<off_t>(shared_bytes) &&
                         (fcntl(descriptor.number(), F_GET_SEALS) & seals) == seals;
    if (!is_ours) {
        return std::unexpected(std::string("the memory is not a frame's"));
    }
    auto memory = map(std::move(descriptor));
    if (memory && (memory->frame().signature != SharedFrame::signature_value ||
                   memory->frame().version != window_version)) {
        return std::unexpected(std::string("the frame is one of another version"));
    }
    return memory;
}

SharedMemory::~SharedMemory() {
    if (m_base != nullptr) {
        munmap(m_base, shared_bytes);
    }
}

std::span<u32> SharedMemory::pixels() const {
    auto* const first = static_cast<std::byte*>(m_base) + shared_pixels_at;
    void* const words = first; // aligned: the area begins with a page
    return {static_cast<u32*>(words), (shared_bytes - shared_pixels_at) / sizeof(u32)};
}

bool SharedMemory::lock(std::chrono::milliseconds patience) const {
    timespec until{};
    clock_gettime(CLOCK_MONOTONIC, &until);
    constexpr i64 second_ns = 1'000'000'000;
    i64 const end_ns = until.tv_nsec + std::chrono::nanoseconds(patience).count();
    until.tv_sec += end_ns / second_ns;
    until.tv_nsec = end_ns % second_ns;
    int const result = pthread_mutex_clocklock(&frame().mutex, CLOCK_MONOTONIC, &until);
    if (result == EOWNERDEAD) {
        pthread_mutex_consistent(&frame().mutex); // what it guards is copied anew in time
        return true;
    }
    return result == 0;
}

void SharedMemory::unlock() const {
    pthread_mutex_unlock(&frame().mutex);
}

} // namespace twofold::display
