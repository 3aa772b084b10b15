// Owners of file descriptors.
#pragma once

#include <unistd.h>

#include <utility>

namespace twofold::launch {

/// Owns one descriptor, or none (-1). Closed when the owner goes.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int number) : m_number(number) {}
    Descriptor(Descriptor&& other) noexcept : m_number(std::exchange(other.m_number, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(m_number, other.m_number);
        return *this;
    }
    ~Descriptor() { close(); }

    int number() const { return m_number; }
    explicit operator bool() const { return m_number >= 0; }

    /// It is somebody else's from now on.
    int release() { return std::exchange(m_number, -1); }

    void close() {
        if (m_number >= 0) {
            ::close(m_number);
            m_number = -1;
        }
    }

private:
    int m_number = -1;
};

} // namespace twofold::launch
