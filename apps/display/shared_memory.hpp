// The memory that a machine's program and its window share, and its lock.
#pragma once

#include "apps/display/window_protocol.hpp"
#include "apps/launch/descriptor.hpp"

#include <chrono>
#include <expected>
#include <span>
#include <string>

namespace twofold::display {

class SharedMemory {
public:
    /// A new one, zero, whose size nobody can change. The error is a part of a line.
    static std::expected<SharedMemory, std::string> create();
    /// The one of a descriptor that this program was started with; it is checked.
    static std::expected<SharedMemory, std::string> open(int descriptor);

    SharedMemory(SharedMemory&& other) noexcept
        : m_descriptor(std::move(other.m_descriptor)),
          m_base(std::exchange(other.m_base, nullptr)) {}
    SharedMemory& operator=(SharedMemory&&) = delete;
    ~SharedMemory();

    int descriptor() const { return m_descriptor.number(); }
    SharedFrame& frame() const { return *static_cast<SharedFrame*>(m_base); }
    /// All of the area; what is not touched takes no memory.
    std::span<u32> pixels() const;

    /// Takes the lock; false: it was not to be had in that time. Who held it and died has left it.
    bool lock(std::chrono::milliseconds patience) const;
    void unlock() const;

private:
    SharedMemory(launch::Descriptor descriptor, void* base)
        : m_descriptor(std::move(descriptor)), m_base(base) {}
    static std::expected<SharedMemory, std::string> map(launch::Descriptor descriptor);

    launch::Descriptor m_descriptor;
    void* m_base;
};

} // namespace twofold::display
