// What lies behind a block device of the hosted machine: bytes that are read and written. A file, a
// store in memory; which one is who plugs the device in to say.
#pragma once

#include "core/base/base.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace hosted {

using namespace twofold;

/// One call at a time, done when it returns. False: the medium has failed. What is asked for lies
/// inside.
class DiskMedium {
public:
    virtual ~DiskMedium() = default;

    virtual u64 size_bytes() const = 0;
    virtual bool is_read_only() const { return false; }
    virtual bool read(u64 offset, std::span<std::byte> to) = 0;
    virtual bool write(u64 offset, std::span<std::byte const> from) = 0;
    /// Zeros are read there afterwards.
    virtual bool clear(u64 offset, u64 bytes) = 0;
    /// What was written before outlasts a loss of power.
    virtual bool flush() = 0;
};

/// Bytes in the process, which go with it.
class MemoryMedium final : public DiskMedium {
public:
    explicit MemoryMedium(u64 bytes) : m_bytes(bytes) {}

    u64 size_bytes() const override { return m_bytes.size(); }
    bool read(u64 offset, std::span<std::byte> to) override {
        std::ranges::copy(std::span(m_bytes).subspan(offset, to.size()), to.begin());
        return true;
    }
    bool write(u64 offset, std::span<std::byte const> from) override {
        std::ranges::copy(from, std::span(m_bytes).subspan(offset).begin());
        return true;
    }
    bool clear(u64 offset, u64 bytes) override {
        std::ranges::fill(std::span(m_bytes).subspan(offset, bytes), std::byte{});
        return true;
    }
    bool flush() override {
        ++flushes;
        return true;
    }
    std::span<std::byte> bytes() { return m_bytes; }

    u64 flushes = 0;

private:
    std::vector<std::byte> m_bytes;
};

} // namespace hosted
