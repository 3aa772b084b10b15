// The command `block`.
#include "core/boot/devices.hpp"
#include "core/boot/kernel.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <cstring>

namespace twofold::boot {

namespace {

using block::Operation;
using device::RingBlock;

/// A page for a command, given back with it.
class Page {
public:
    explicit Page(Kernel& kernel)
        : m_kernel(kernel), m_place(kernel.frames->allocate(memory::FrameRequest{})) {}
    ~Page() {
        if (m_place) {
            m_kernel.frames->free_pages(m_place.value(), 1).value();
        }
    }
    Page(Page const&) = delete;
    Page& operator=(Page const&) = delete;

    explicit operator bool() const { return m_place.has_value(); }
    PhysAddr place() const { return m_place.value(); }
    std::span<std::byte> bytes() const {
        return {hal::Memory::linear(m_place.value()), page_size.value};
    }

private:
    Kernel& m_kernel;
    Result<PhysAddr> m_place;
};

u8 say(CommandContext& context, Result<void> const& outcome) {
    if (outcome) {
        context.out.line("done");
        return status::success;
    }
    context.out.line("failed: {}", outcome.error());
    return status::failure;
}

u8 read_sector(CommandContext& context, RingBlock& block, u64 sector, Page const& page) {
    u32 const sector_bytes = block.geometry().sector_bytes;
    auto const outcome = block::read_block(block, sector, {page.place(), sector_bytes});
    if (!outcome) {
        return say(context, outcome);
    }
    auto const bytes = page.bytes().first(sector_bytes);
    FixedString<64> text;
    for (std::byte const byte : bytes.first(text.capacity())) {
        char const letter = static_cast<char>(byte);
        if (letter < ' ' || letter > '~') {
            break;
        }
        text.append({&letter, 1}).value();
    }
    auto const written = std::ranges::count_if(bytes, [](std::byte b) { return b != std::byte{}; });
    context.out.line(
        "sector {}: '{}', {} bytes are not zero", sector, text, static_cast<u64>(written));
    return status::success;
}

u8 write_sector(
    CommandContext& context,
    RingBlock& block,
    u64 sector,
    std::string_view text,
    Page const& page) {
    std::ranges::fill(page.bytes(), std::byte{});
    auto const letters = std::as_bytes(std::span(text));
    u32 const sector_bytes = block.geometry().sector_bytes;
    std::memcpy(page.bytes().data(), letters.data(), std::min<usize>(letters.size(), sector_bytes));
    return say(context, block::write_block(block, sector, {page.place(), sector_bytes}));
}

/// Requests of `block test` that are in flight together.
struct Flight {
    static constexpr u32 width = 16;

    struct Each {
        Flight* owner = nullptr;
        block::Request request;
        block::Segment buffer;
    };

    Each each[width];
    Atomic<u32> left{0};
    Atomic<u32> failed{0};
    device::Awaited<bool>* all = nullptr;

    // NOLINTNEXTLINE(performance-unnecessary-value-param): the type of `done`
    static void take(block::Request& request, Result<void> outcome) {
        Flight& self = *static_cast<Each*>(request.context)->owner;
        self.failed.fetch_add(outcome ? 0 : 1, relaxed);
        if (self.left.fetch_sub(1, acquire_release) == 1) {
            self.all->come(true);
        }
    }
};

/// One request for each sector from `first` on, and waits for all.
void fly(Flight& flight, RingBlock& block, Operation operation, u64 first, u32 count) {
    device::Awaited<bool> all;
    flight.all = &all;
    flight.left.store(count, relaxed);
    for (u32 i = 0; i < count; ++i) {
        Flight::Each& each = flight.each[i];
        each.owner = &flight;
        each.request.operation = operation;
        each.request.sector = first + i;
        each.request.count = 1;
        each.request.segments = {&each.buffer, 1};
        each.request.done = Flight::take;
        each.request.context = &each;
        auto const started = block.submit(each.request);
        CHECK(started.has_value()); // the caller stays inside the device
    }
    static_cast<void>(all.wait());
}

/// What stands in a sector after the test has written it.
void fill_sector(std::span<std::byte> bytes, u64 sector) {
    SplitMix64 random(sector);
    for (usize at = 0; at < bytes.size(); at += sizeof(u64)) {
        u64 const word = random.next();
        std::memcpy(bytes.data() + at, &word, sizeof(word));
    }
}

struct TestCounts {
    u64 wrong = 0;
    u64 failed = 0;
};

void test_sectors(Kernel& kernel, RingBlock& block, Flight& flight, u64 count, TestCounts& counts) {
    u32 const bytes = block.geometry().sector_bytes;
    auto const buffer = [&](u32 i) {
        return std::span(hal::Memory::linear(flight.each[i].buffer.address), bytes);
    };
    auto const in_flights = [&](auto const& fly_one) {
        for (u64 first = 0; first < count; first += Flight::width) {
            fly_one(first, static_cast<u32>(std::min<u64>(Flight::width, count - first)));
        }
    };
    in_flights([&](u64 first, u32 width) {
        for (u32 i = 0; i < width; ++i) {
            fill_sector(buffer(i), first + i);
        }
        fly(flight, block, Operation::write, first, width);
    });
    counts.failed += block::flush(block) ? 0 : 1;
    in_flights([&](u64 first, u32 width) {
        for (u32 i = 0; i < width; ++i) {
            std::ranges::fill(buffer(i), std::byte{}); // what was written lies there
        }
        fly(flight, block, Operation::read, first, width);
        Page const expected(kernel);
        for (u32 i = 0; expected && i < width; ++i) {
            fill_sector(expected.bytes().first(bytes), first + i);
            counts.wrong += std::ranges::equal(buffer(i), expected.bytes().first(bytes)) ? 0 : 1;
        }
    });
    counts.failed += flight.failed.load(relaxed);
}

/// Writes and reads back the first sectors, many requests at a time.
Result<TestCounts> test_block(Kernel& kernel, RingBlock& block, u64 count) {
    auto flight = TRY((memory::Box<Flight, memory::KernelHeap>::create(*kernel.heap)));
    memory::FrameRequest const wanted{.pages = Flight::width};
    PhysAddr const buffers = TRY(kernel.frames->allocate(wanted));
    for (u32 i = 0; i < Flight::width; ++i) {
        flight->each[i].buffer = {buffers + page_size * i, block.geometry().sector_bytes};
    }
    TestCounts counts;
    test_sectors(kernel, block, *flight, std::min(count, block.geometry().sectors), counts);
    TRY(kernel.frames->free_pages(buffers, Flight::width));
    return counts;
}

} // namespace

u8 use_block(CommandContext& context) {
    auto opened = hold_devices(context.kernel, {.block = true});
    if (!opened) {
        context.out.line("there is no block device: {}", opened.error());
        return status::failure;
    }
    Page const page(context.kernel);
    if (!page) {
        return say(context, Error::out_of_memory);
    }
    RingBlock& block = opened.value().block->driver();
    std::string_view const what = context.arguments.empty() ? "info" : context.arguments[0];
    auto const number = argument_number(context, 1, 256);
    if (what == "info") {
        block::Geometry const& geometry = block.geometry();
        context.out.line(
            "{} sectors of {} bytes, {} in one request", geometry.sectors, geometry.sector_bytes,
            geometry.sectors_max);
        show_queue(context, block.queue());
        return status::success;
    }
    if (what == "close") {
        opened.value().block->let_go();
        close_devices(context.kernel);
        return status::success;
    }
    if (what == "flush") {
        return say(context, block::flush(block));
    }
    if (what == "read" && context.arguments.size() == 2 && number) {
        return read_sector(context, block, number.value(), page);
    }
    if (what == "write" && context.arguments.size() == 3 && number) {
        return write_sector(context, block, number.value(), context.arguments[2], page);
    }
    if (what == "test" && number) {
        auto const counts = test_block(context.kernel, block, number.value());
        if (!counts) {
            return say(context, counts.error());
        }
        context.out.line(
            "{} requests failed, {} sectors are wrong", counts.value().failed,
            counts.value().wrong);
        show_queue(context, block.queue());
        return counts.value().failed + counts.value().wrong == 0 ? status::success
                                                                 : status::failure;
    }
    return say_usage(context, "block");
}

} // namespace twofold::boot
