// A disk of tests: bytes in the kernel's memory, requests that end when the test says so, in the
// order that it says, well or not.
#pragma once

#include "core/boot/boot.hpp"
#include "core/boot/devices.hpp"
#include "hal/memory.hpp"

#include <cstring>

namespace twofold::test_block {

using namespace twofold::block;

/// Frames for a test, given back with it.
class Pages {
public:
    explicit Pages(u64 count)
        : m_count(count),
          m_place(boot::current_kernel()
                      .frames->allocate({.pages = count, .content = memory::FrameContent::zeroed})
                      .value()) {}
    ~Pages() { boot::current_kernel().frames->free_pages(m_place, m_count).value(); }
    Pages(Pages const&) = delete;
    Pages& operator=(Pages const&) = delete;

    PhysAddr place(u64 offset = 0) const { return m_place + Bytes{offset}; }
    std::span<std::byte> bytes() const {
        return {hal::Memory::linear(m_place), m_count * page_size.value};
    }

private:
    u64 m_count;
    PhysAddr m_place;
};

/// What the disk was asked for.
struct Asked {
    Operation operation{};
    u64 sector = 0;
    u32 count = 0;
    u32 segments = 0;
};

class ModelDisk final : public Device {
public:
    static constexpr u32 sector_bytes = 512;
    static constexpr usize asked_max = 160;

    explicit ModelDisk(u64 sectors = 512)
        : m_medium(align_up(sectors * sector_bytes, page_size.value) / page_size.value) {
        shape.sectors = sectors;
        shape.sector_bytes = sector_bytes;
        shape.physical_sector_bytes = sector_bytes;
        shape.sectors_max = 32;
        shape.segments_max = 8;
        shape.has_volatile_cache = true;
        shape.can_deallocate = true;
        shape.can_write_zeroes = true;
    }

    Geometry shape; ///< set before it is used
    std::string_view called = "model";
    u64 bad_sector = ~u64{0};     ///< whatever touches it fails
    u32 refuses = 0;              ///< so many more requests, at once
    u32 fails_at = ~u32{0};       ///< the request of that number fails, in the order of their ends
    bool answers_at_once = false; ///< by what `completions` does
    Completions* completions = nullptr;

    u32 submitted = 0;
    u32 ended = 0;
    u32 holds = 0;
    FixedVector<Asked, asked_max> asked;

    Geometry const& geometry() const override { return shape; }
    std::string_view name() const override { return called; }
    Result<void> submit(Request& request) override {
        TRY(check(request, shape));
        if (refuses != 0) {
            --refuses;
            return Error::io_failed;
        }
        ++submitted;
        static_cast<void>(asked.push_back(
            {request.operation, request.sector, request.count,
             static_cast<u32>(request.segments.size())}));
        if (answers_at_once) {
            completions->leave(request, perform(request));
        } else {
            std::memset(&request.make_room<Room>(), 0xa5, sizeof(Room)); // it is the device's
            m_held.push_back(request);
        }
        return {};
    }
    void hold() override { ++holds; }
    void release() override { --holds; }
    void close() override {}

    usize held() const { return m_held.size(); }
    /// Ends the request that came `index`th of those that are held.
    void end(usize index) {
        for (Request& request : m_held) {
            if (index-- == 0) {
                m_held.remove(request);
                request.done(request, perform(request));
                return;
            }
        }
    }
    void end_all() {
        while (!m_held.empty()) {
            end(0);
        }
    }
    std::span<std::byte> sector(u64 number) const {
        return m_medium.bytes().subspan(number * sector_bytes, sector_bytes);
    }

private:
    struct Room {
        std::byte bytes[Request::room_bytes];
    };

    Result<void> perform(Request const& request) {
        bool const is_bad =
            request.sector <= bad_sector && bad_sector - request.sector < request.count;
        if (ended++ == fails_at || is_bad) {
            return Error::io_failed;
        }
        std::byte* medium = m_medium.bytes().data() + request.sector * sector_bytes;
        if (!has_data(request.operation)) {
            std::memset(medium, 0, usize{request.count} * sector_bytes);
            return {};
        }
        for (Segment const& segment : request.segments) {
            std::byte* const memory = hal::Memory::linear(segment.address);
            bool const is_read = request.operation == Operation::read;
            std::memcpy(is_read ? memory : medium, is_read ? medium : memory, segment.bytes);
            medium += segment.bytes;
        }
        return {};
    }

    Pages m_medium;
    IntrusiveList<Request, RequestsTag> m_held;
};

/// A request that notes what became of it.
struct Noted {
    static constexpr usize segments_max = 64;

    Request request;
    Segment segments[segments_max];
    usize used = 0;
    u32 times = 0;
    Result<void> outcome = Error::busy;

    Noted() {
        request.context = this;
        request.done = [](Request& self, Result<void> result) {
            Noted& noted = *static_cast<Noted*>(self.context);
            ++noted.times;
            noted.outcome = std::move(result);
        };
    }
    Noted(Operation operation, u64 sector, u32 count, PhysAddr memory) : Noted() {
        ask(operation, sector, count);
        if (has_data(operation)) {
            add(memory, count * ModelDisk::sector_bytes);
        }
    }
    void ask(Operation operation, u64 sector, u32 count) {
        request.operation = operation;
        request.sector = sector;
        request.count = count;
        request.segments = {};
        used = 0;
    }
    void add(PhysAddr memory, u32 bytes) {
        segments[used++] = {memory, bytes};
        request.segments = std::span<Segment const>(segments).first(used);
    }
    bool is_done() const { return times == 1 && outcome.has_value(); }
    bool has_failed(Error error) const {
        return times == 1 && !outcome.has_value() && outcome.error() == error;
    }
};

/// What a layer under test is made of.
struct Room {
    Room()
        : kernel(boot::current_kernel()),
          completions(*Completions::open(*kernel.heap, kernel.interrupts).value()) {}
    ~Room() { completions.close(); }
    Room(Room const&) = delete;
    Room& operator=(Room const&) = delete;

    boot::Kernel& kernel;
    Completions& completions;
};

/// Waits until context work has brought it about.
template<class Condition>
bool comes(Condition const& condition) {
    Nanos const deadline = hal::Clock::now() + Nanos{i64{5} * 1'000'000'000};
    return processor::wait_until(condition, deadline).has_value();
}

} // namespace twofold::test_block
