// A disk in memory whose power can be cut: what was written since the last flush is then there, or
// not, sector by sector. It works when it is polled, and dies at the operation that the test names.
#pragma once

#include "core/boot/boot.hpp"
#include "core/device/block/device.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace twofold::test_block {

class CutDisk final : public block::Device {
public:
    static constexpr u32 sector_bytes = 512;

    explicit CutDisk(u64 sectors)
        : m_geometry(geometry_of(sectors)),
          m_now(take(sectors)),
          m_durable(take(sectors)),
          m_dirty(*boot::current_kernel().heap) {
        for (u64 i = 0; i < sectors; ++i) {
            m_dirty.emplace(false).value();
        }
    }
    ~CutDisk() {
        for (auto const image : {m_now, m_durable}) {
            boot::current_kernel()
                .frames->free_pages(hal::Memory::physical(image.data()), image.size() / 4096)
                .value();
        }
    }

    /// Operations since it was made or revived; it dies before that one. 0: it lives.
    u64 operations = 0;
    u64 dies_at = 0;
    /// Reads of this sector fail.
    std::optional<u64> bad_sector;

    block::Geometry const& geometry() const override { return m_geometry; }
    std::string_view name() const override { return "cut"; }
    Result<void> submit(block::Request& request) override {
        TRY(block::check(request, m_geometry));
        m_waiting.push_back(request);
        return {};
    }
    u32 poll() override {
        u32 done = 0;
        for (; !m_waiting.empty(); ++done) {
            block::Request& request = m_waiting.pop_front();
            Result<void> const outcome = perform(request);
            request.done(request, outcome);
        }
        return done;
    }
    Nanos poll_time() const override { return {std::numeric_limits<i64>::max()}; }
    void close() override {}

    /// The power is cut and comes back. `choose(sector)` says of each sector that was not durable
    /// whether what was written last is there.
    template<class Choose>
    void cut_power(Choose const& choose) {
        for (u64 sector = 0; sector < m_geometry.sectors; ++sector) {
            if (m_dirty[sector] && choose(sector)) {
                std::ranges::copy(at(m_now, sector), at(m_durable, sector).begin());
            }
            m_dirty[sector] = false;
        }
        std::ranges::copy(m_durable, m_now.begin());
        operations = 0;
        dies_at = 0;
    }
    /// What a sector holds; a test may change it.
    std::span<std::byte> sector(u64 number) const { return at(m_now, number); }

private:
    static block::Geometry geometry_of(u64 sectors) {
        return {
            .sectors = sectors,
            .sector_bytes = sector_bytes,
            .physical_sector_bytes = sector_bytes,
            .sectors_max = 64,
            .segments_max = 4,
            .has_volatile_cache = true};
    }
    static std::span<std::byte> take(u64 sectors) {
        u64 const bytes = align_up(sectors * sector_bytes, u64{4096});
        PhysAddr const place =
            boot::current_kernel()
                .frames->allocate({.pages = bytes / 4096, .content = memory::FrameContent::zeroed})
                .value();
        return {hal::Memory::linear(place), bytes};
    }
    static std::span<std::byte> at(std::span<std::byte> image, u64 sector) {
        return image.subspan(sector * sector_bytes, sector_bytes);
    }
    Result<void> perform(block::Request const& request) {
        ++operations;
        if (dies_at != 0 && operations >= dies_at) {
            return Error::io_failed;
        }
        if (request.operation == block::Operation::flush) {
            for (u64 sector = 0; sector < m_geometry.sectors; ++sector) {
                settle(sector);
            }
            return {};
        }
        bool const is_read = request.operation == block::Operation::read;
        if (is_read && bad_sector && *bad_sector - request.sector < request.count) {
            return Error::io_failed;
        }
        u64 byte = request.sector * sector_bytes;
        for (block::Segment const& segment : request.segments) {
            std::span<std::byte> const memory(hal::Memory::linear(segment.address), segment.bytes);
            auto const medium = m_now.subspan(byte, segment.bytes);
            std::ranges::copy(is_read ? medium : memory, (is_read ? memory : medium).begin());
            byte += segment.bytes;
        }
        for (u64 sector = request.sector; !is_read && sector < request.sector + request.count;
             ++sector) {
            m_dirty[sector] = true;
            if (request.is_through) {
                settle(sector);
            }
        }
        return {};
    }
    void settle(u64 sector) {
        if (m_dirty[sector]) {
            std::ranges::copy(at(m_now, sector), at(m_durable, sector).begin());
            m_dirty[sector] = false;
        }
    }

    block::Geometry m_geometry;
    std::span<std::byte> m_now;
    std::span<std::byte> m_durable;
    memory::Vector<bool, memory::KernelHeap> m_dirty;
    IntrusiveList<block::Request, block::RequestsTag> m_waiting;
};

} // namespace twofold::test_block
