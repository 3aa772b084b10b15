// Data that is written to a namespace and read back (nvme.hpp): by single pages, many at a time; by
// the largest requests, from any offset in a page; by pages that lie apart; written through, and as
// zeros. What stands in a sector is made of its number, so that one that ends up elsewhere is seen.
#include "core/boot/kernel.hpp"
#include "core/boot/nvme.hpp"
#include "core/task/task.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <cstring>

namespace twofold::boot {

namespace {

using block::Gathering;
using block::Operation;
using nvme::NamespaceDevice;

constexpr u32 width = 160; ///< requests in flight together: more than a queue has slots
constexpr u64 buffer_pages = 160;
constexpr u64 zeros = ~u64{0}; ///< as the seed of a piece

/// A piece of a namespace, and the thread that tests it.
class PieceTest {
public:
    static Result<PieceTest*> open(Kernel& kernel, NamespaceDevice& device, u64 first, u64 count) {
        PhysAddr const buffers =
            TRY(kernel.frames->allocate(memory::FrameRequest{.pages = buffer_pages}));
        auto const room = memory::allocate_room<PieceTest>(*kernel.heap, 1);
        if (!room) {
            kernel.frames->free_pages(buffers, buffer_pages).value();
            return room.error();
        }
        return new (room.value()) PieceTest(kernel, device, first, count, buffers);
    }
    PieceTest(PieceTest const&) = delete;
    PieceTest& operator=(PieceTest const&) = delete;
    void close() {
        memory::KernelHeap& heap = *m_kernel.heap;
        m_kernel.frames->free_pages(m_buffers, buffer_pages).value();
        this->~PieceTest();
        memory::free_room(heap, this);
    }

    static void run(void* self) { static_cast<PieceTest*>(self)->run_all(); }
    NvmeTestCounts const& counts() const { return m_counts; }

    task::Thread* thread = nullptr;

private:
    PieceTest(Kernel& kernel, NamespaceDevice& device, u64 first, u64 count, PhysAddr buffers)
        : m_kernel(kernel), m_device(device), m_first(first), m_count(count), m_buffers(buffers) {}
    ~PieceTest() = default;

    u32 sector_bytes() const { return m_device.geometry().sector_bytes; }
    std::span<std::byte> bytes(u64 offset, u64 size) const {
        return std::span(hal::Memory::linear(m_buffers), buffer_pages * page_size.value)
            .subspan(offset, size);
    }

    void run_all() {
        test_single_pages();
        test_large();
        test_scattered();
        test_through_and_zeros();
    }

    /// What stands in a sector that was written with that seed.
    void fill(std::span<std::byte> sector, u64 number, u64 seed) const {
        SplitMix64 random(number * 2 + seed);
        for (usize at = 0; at < sector.size(); at += sizeof(u64)) {
            u64 const word = seed == zeros ? 0 : random.next();
            std::memcpy(&sector[at], &word, sizeof(word));
        }
    }
    bool is_filled(std::span<std::byte const> sector, u64 number, u64 seed) const {
        SplitMix64 random(number * 2 + seed);
        bool is_right = true;
        for (usize at = 0; at < sector.size(); at += sizeof(u64)) {
            u64 const wanted = seed == zeros ? 0 : random.next();
            u64 word = 0;
            std::memcpy(&word, &sector[at], sizeof(word));
            is_right = is_right && word == wanted;
        }
        return is_right;
    }
    void fill_sectors(u64 offset, u64 sector, u32 count, u64 seed) {
        for (u32 i = 0; i < count; ++i) {
            fill(bytes(offset + u64{i} * sector_bytes(), sector_bytes()), sector + i, seed);
        }
    }
    void check_sectors(u64 offset, u64 sector, u32 count, u64 seed) {
        for (u32 i = 0; i < count; ++i) {
            bool const is_right = is_filled(
                bytes(offset + u64{i} * sector_bytes(), sector_bytes()), sector + i, seed);
            m_counts.wrong += is_right ? 0 : 1;
        }
    }
    void note(Result<void> const& outcome) { m_counts.failed += outcome ? 0 : 1; }

    /// One request for each page of the buffers, all together.
    void fly(Operation operation, u64 first, u32 requests, u32 sectors_each) {
        Gathering gathering(m_device);
        m_device.hold();
        for (u32 i = 0; i < requests; ++i) {
            m_segments[i] = {m_buffers + page_size * i, sectors_each * sector_bytes()};
            block::Request& request = m_requests[i];
            request.operation = operation;
            request.sector = first + u64{i} * sectors_each;
            request.count = sectors_each;
            request.segments = std::span(&m_segments[i], 1);
            note(gathering.submit(request));
            ++m_counts.requests;
        }
        m_device.release();
        note(gathering.wait());
    }

    void test_single_pages() {
        constexpr u64 seed = 1;
        u32 const each = std::max<u32>(static_cast<u32>(page_size.value) / sector_bytes(), 1);
        if (u64{each} * sector_bytes() > page_size.value) {
            return; // a sector is larger than a page
        }
        for (u64 done = 0; done + each <= m_count;) {
            u32 const requests = static_cast<u32>(std::min<u64>(width, (m_count - done) / each));
            for (u32 i = 0; i < requests; ++i) {
                fill_sectors(page_size.value * i, m_first + done + u64{i} * each, each, seed);
            }
            fly(Operation::write, m_first + done, requests, each);
            note(block::flush(m_device));
            std::ranges::fill(bytes(0, page_size.value * requests), std::byte{});
            fly(Operation::read, m_first + done, requests, each);
            for (u32 i = 0; i < requests; ++i) {
                check_sectors(page_size.value * i, m_first + done + u64{i} * each, each, seed);
            }
            done += u64{requests} * each;
        }
    }

    /// Every number of sectors up to the largest in steps, each from another offset.
    void test_large() {
        constexpr u64 seed = 2;
        u32 const most = static_cast<u32>(std::min<u64>(
            {m_device.geometry().sectors_max, m_count,
             (buffer_pages - 1) * page_size.value / sector_bytes()}));
        u32 const step = std::max(most / 19, 1u);
        for (u32 count = most; count > 0; count -= std::min(count, step)) {
            u64 const offset = u64{most - count} * 4 % page_size.value; // a multiple of 4
            block::Segment const memory{m_buffers + Bytes{offset}, count * sector_bytes()};
            fill_sectors(offset, m_first, count, seed);
            note(block::write_block(m_device, m_first, memory));
            std::ranges::fill(bytes(offset, u64{count} * sector_bytes()), std::byte{});
            note(block::read_block(m_device, m_first, memory));
            check_sectors(offset, m_first, count, seed);
            m_counts.requests += 2;
        }
    }

    /// Pages in reverse, so that no two are one piece.
    void test_scattered() {
        constexpr u64 seed = 3;
        block::Geometry const& geometry = m_device.geometry();
        u64 const each = page_size.value / sector_bytes();
        if (each == 0) {
            return;
        }
        u32 const pages = static_cast<u32>(std::min<u64>(
            {geometry.segments_max, geometry.sectors_max / each, m_count / each, width}));
        for (u32 count : {1u, 2u, 3u, pages}) {
            if (count > pages || count == 0) {
                continue;
            }
            for (u32 i = 0; i < count; ++i) {
                m_segments[i] = {m_buffers + page_size * (count - 1 - i), 4096};
                fill_sectors(
                    page_size.value * (count - 1 - i), m_first + i * each, static_cast<u32>(each),
                    seed);
            }
            block::Request& request = m_requests[0];
            request.operation = Operation::write;
            request.sector = m_first;
            request.count = static_cast<u32>(count * each);
            request.segments = std::span(m_segments).first(count);
            note(block::perform(m_device, request));
            std::ranges::fill(bytes(0, page_size.value * count), std::byte{});
            request.operation = Operation::read;
            note(block::perform(m_device, request));
            for (u32 i = 0; i < count; ++i) {
                check_sectors(
                    page_size.value * (count - 1 - i), m_first + i * each, static_cast<u32>(each),
                    seed);
            }
            m_counts.requests += 2;
        }
    }

    void test_through_and_zeros() {
        constexpr u64 seed = 4;
        fill_sectors(0, m_first, 1, seed);
        block::Segment const segment{m_buffers, sector_bytes()};
        block::Request& request = m_requests[0];
        request.operation = Operation::write;
        request.is_through = true;
        request.sector = m_first;
        request.count = 1;
        request.segments = std::span(&segment, 1);
        note(block::perform(m_device, request));
        request.is_through = false;
        request.operation = Operation::read;
        std::ranges::fill(bytes(0, sector_bytes()), std::byte{});
        note(block::perform(m_device, request));
        check_sectors(0, m_first, 1, seed);
        if (m_device.geometry().can_write_zeroes) {
            request.operation = Operation::write_zeroes;
            request.segments = {};
            note(block::perform(m_device, request));
            note(block::read_block(m_device, m_first, segment));
            check_sectors(0, m_first, 1, zeros);
        }
        if (m_device.geometry().can_deallocate) {
            request.operation = Operation::deallocate;
            request.segments = {};
            request.count = static_cast<u32>(std::min<u64>(m_count, UINT32_MAX));
            note(block::perform(m_device, request));
        }
        m_counts.requests += 4;
    }

    Kernel& m_kernel;
    NamespaceDevice& m_device;
    u64 m_first;
    u64 m_count;
    PhysAddr m_buffers;
    NvmeTestCounts m_counts;
    block::Request m_requests[width];
    block::Segment m_segments[width];
};

} // namespace

Result<NvmeTestCounts> test_namespace(Kernel& kernel, NamespaceDevice& device, u64 sectors) {
    constexpr u32 threads_max = 16;
    task::Threads* const threads = task::Threads::here();
    u32 const online = threads != nullptr ? kernel.cpus.online() : 1;
    u32 const pieces = std::min(online, threads_max);
    u64 const each = std::min(sectors, device.geometry().sectors) / pieces;
    FixedVector<PieceTest*, threads_max> tests;
    NvmeTestCounts sum;
    for (u32 i = 0; i < pieces && each != 0; ++i) {
        auto const opened = PieceTest::open(kernel, device, i * each, each);
        if (!opened) {
            ++sum.failed;
            break;
        }
        PieceTest& test = *opened.value();
        tests.push_back(&test).value();
        task::ThreadAttributes attributes;
        attributes.name = "nvme-test";
        attributes.allowed = sched::CpuMask::only(CpuId{i});
        auto const spawned = threads != nullptr ? threads->spawn(attributes, PieceTest::run, &test)
                                                : Result<task::Thread*>(Error::not_supported);
        test.thread = spawned ? spawned.value() : nullptr;
        if (!spawned) {
            PieceTest::run(&test);
        }
    }
    for (PieceTest* const test : tests) {
        if (test->thread != nullptr) {
            threads->join(*test->thread).value(); // nobody else joins it
        }
        sum.requests += test->counts().requests;
        sum.failed += test->counts().failed;
        sum.wrong += test->counts().wrong;
        test->close();
    }
    return sum;
}

} // namespace twofold::boot
