// An NVMe controller of the machine, a disk behind it: first by drivers that do wrong, then by the
// kernel's own. What each command comes to, what the controller counts, and what is read back are
// the same on every machine. It overwrites the disk; a machine without records that it has none.
#include "apps/scenarios/nvme_wrong.hpp"
#include "apps/scenarios/scenarios.hpp"
#include "core/boot/device_model.hpp"
#include "hal/memory.hpp"

#include <algorithm>

namespace twofold::scenarios {

namespace {

using block::Operation;
using boot::Kernel;
using boot::Recorder;
using device::DriverRegistry;

constexpr u64 sectors_used = 4096;
constexpr u64 buffer_pages = 64;

u64 fingerprint(std::span<std::byte const> data) {
    u64 hash = 0xcbf2'9ce4'8422'2325; // FNV-1a
    for (std::byte const byte : data) {
        hash = (hash ^ static_cast<u8>(byte)) * 0x100'0000'01b3;
    }
    return hash;
}

/// What the kernel's driver is asked, and what it comes to.
class RightDriver {
public:
    RightDriver(Recorder& record, Kernel& kernel, nvme::Controller& controller, PhysAddr buffers)
        : m_record(record),
          m_kernel(kernel),
          m_controller(controller),
          m_device(*controller.namespaces()[0]),
          m_buffers(buffers) {}

    void run() {
        note_geometry();
        nvme::HealthLog const before = health();
        fill_all();
        for (u32 round = 0; round < rounds; ++round) {
            mix(round);
        }
        apart();
        refused();
        note_counts(before);
    }

private:
    static constexpr u32 rounds = 8, each = 12;

    void note(std::string_view name, u64 value) { m_record.number(name, value); }
    template<class... Args>
    void note(u64 value, FormatString<std::type_identity_t<Args>...> format, Args const&... args) {
        char text[96];
        m_record.number(format_to(std::span(text), format, args...).text, value);
    }
    std::span<std::byte> bytes(u64 offset, u64 size) const {
        return std::span(hal::Memory::linear(m_buffers), buffer_pages * page_size.value)
            .subspan(offset, size);
    }
    u32 sector_bytes() const { return m_device.geometry().sector_bytes; }
    nvme::HealthLog health() {
        nvme::HealthLog log;
        m_record.result(
            m_is_first_log ? "health before" : "health after",
            m_controller.read_log(
                nvme::LogPage::health, nvme::all_namespaces,
                std::as_writable_bytes(std::span(&log, 1))));
        m_is_first_log = false;
        return log;
    }

    void note_geometry() {
        block::Geometry const& geometry = m_device.geometry();
        note("sectors", geometry.sectors);
        note("bytes of a sector", geometry.sector_bytes);
        note("sectors of a request", geometry.sectors_max);
        note("segments of a request", geometry.segments_max);
        note("has a volatile cache", geometry.has_volatile_cache);
        note("can deallocate", geometry.can_deallocate);
        note("can write zeroes", geometry.can_write_zeroes);
        note("is read-only", geometry.is_read_only);
    }
    Result<void> perform(Operation operation, u64 sector, u32 count, u64 offset, bool through) {
        bool const has_data = block::has_data(operation);
        return block::perform(
            m_device, block::Transfer{
                          .operation = operation,
                          .sector = sector,
                          .count = count,
                          .memory = has_data ? m_buffers + Bytes{offset} : PhysAddr{},
                          .is_through = through});
    }
    void fill(std::span<std::byte> memory) {
        for (usize at = 0; at + sizeof(u64) <= memory.size(); at += sizeof(u64)) {
            u64 const word = m_random.next();
            std::memcpy(&memory[at], &word, sizeof(word));
        }
    }
    /// Everything is known from now on.
    void fill_all() {
        constexpr u32 count = 256;
        u64 failed = 0;
        for (u64 sector = 0; sector < sectors_used; sector += count) {
            fill(bytes(0, u64{count} * sector_bytes()));
            failed += perform(Operation::write, sector, count, 0, false) ? 0 : 1;
        }
        note("fills that failed", failed);
        note_content("filled");
    }
    void note_content(std::string_view when) {
        constexpr u32 count = 256;
        u64 hash = 0;
        for (u64 sector = 0; sector < sectors_used; sector += count) {
            bool const is_read = perform(Operation::read, sector, count, 0, false).has_value();
            hash = hash * 31 + (is_read ? fingerprint(bytes(0, u64{count} * sector_bytes())) : 1);
        }
        note(hash, "content, {}", when);
    }

    /// One request drawn by the seed, with its outcome and what it read.
    void request(u32 round, u32 number) {
        constexpr Operation operations[] = {
            Operation::read,  Operation::read,  Operation::write,       Operation::write,
            Operation::write, Operation::flush, Operation::write_zeroes};
        Operation const operation = operations[m_random.next() % std::size(operations)];
        u32 const count = 1 + static_cast<u32>(m_random.next() % 200);
        u64 const sector = m_random.next() % (sectors_used - count);
        u64 const offset = m_random.next() % 1024 * 4;
        bool const through = operation == Operation::write && m_random.next() % 3 == 0;
        u64 const size = u64{count} * sector_bytes();
        std::span<std::byte> const memory = bytes(offset, size);
        if (operation == Operation::write) {
            fill(memory);
        } else {
            std::ranges::fill(memory, std::byte{});
        }
        auto const outcome =
            perform(operation, sector, operation == Operation::flush ? 0 : count, offset, through);
        char text[64];
        auto const name = format_to(
            std::span(text), "{}.{}: {} of {} at {}{}", round, number, static_cast<u32>(operation),
            count, sector, through ? " through" : "");
        m_record.result(name.text, outcome);
        if (operation == Operation::read) {
            note(fingerprint(memory), "{}.{}: read", round, number);
        }
    }
    void mix(u32 round) {
        for (u32 number = 0; number < each; ++number) {
            request(round, number);
        }
        char text[32];
        note_content(format_to(std::span(text), "round {}", round).text);
    }

    /// Requests in flight together, each of pages that lie apart.
    void apart() {
        constexpr u32 requests = 16, pages = 3;
        block::Segment segments[requests][pages];
        block::Request all[requests];
        fill(bytes(0, page_size.value * buffer_pages));
        for (Operation const operation : {Operation::write, Operation::read}) {
            block::Gathering gathering(m_device);
            u64 refusals = 0;
            m_device.hold();
            for (u32 i = 0; i < requests; ++i) {
                for (u32 page = 0; page < pages; ++page) {
                    segments[i][page] = {
                        m_buffers + page_size * (i * pages + (pages - 1 - page)),
                        static_cast<u32>(page_size.value)};
                }
                all[i].operation = operation;
                all[i].count = static_cast<u32>(pages * page_size.value / sector_bytes());
                all[i].sector = u64{i} * all[i].count;
                all[i].segments = segments[i];
                refusals += gathering.submit(all[i]) ? 0 : 1;
            }
            m_device.release();
            bool const is_read = operation == Operation::read;
            m_record.result(is_read ? "apart: read" : "apart: written", gathering.wait());
            note(is_read ? "apart: refused reads" : "apart: refused writes", refusals);
            u64 const size = page_size.value * requests * pages;
            note(
                is_read ? "apart: what was read" : "apart: what is written",
                fingerprint(bytes(0, size)));
            std::ranges::fill(bytes(0, size), std::byte{});
        }
        note_content("apart");
    }

    /// What the driver itself refuses, and what is deallocated: of that nothing is known.
    void refused() {
        u64 const end = m_device.geometry().sectors;
        m_record.result("read behind the end", perform(Operation::read, end, 1, 0, false));
        m_record.result("write across the end", perform(Operation::write, end - 1, 2, 0, false));
        m_record.result("no sector", perform(Operation::read, 0, 0, 0, false));
        m_record.result("the last sector", perform(Operation::read, end - 1, 1, 0, false));
        m_record.result("deallocate", perform(Operation::deallocate, sectors_used, 256, 0, false));
        m_record.result("flush", perform(Operation::flush, 0, 0, 0, false));
    }

    /// The trace in figures: what the driver sent, and what the controller says that it was.
    void note_counts(nvme::HealthLog const& before) {
        nvme::HealthLog const after = health();
        note("commands that read", nvme::narrow(after.reads) - nvme::narrow(before.reads));
        note("commands that wrote", nvme::narrow(after.writes) - nvme::narrow(before.writes));
        note("media errors", nvme::narrow(after.media_errors) - nvme::narrow(before.media_errors));
        nvme::QueueCounts sum;
        for (nvme::QueuePair* const queue : m_controller.queues()) {
            nvme::QueueCounts const counts = queue->counts();
            sum.submitted += counts.submitted;
            sum.completed += counts.completed;
            sum.spurious += counts.spurious;
            sum.retries += counts.retries;
            sum.replays += counts.replays;
            sum.timeouts += counts.timeouts;
            sum.failed += counts.failed;
            sum.descriptors += counts.descriptors;
            sum.lists += counts.lists;
        }
        note("submitted", sum.submitted);
        note("completed", sum.completed);
        note("spurious", sum.spurious);
        note("given again", sum.retries + sum.replays);
        note("overdue", sum.timeouts);
        note("failed", sum.failed);
        note("descriptors", sum.descriptors);
        note("lists", sum.lists);
        nvme::ControllerCounts const counts = m_controller.counts();
        note("resets", counts.resets);
        note("aborts", counts.aborts);
        note("stray admin completions", counts.admin_spurious);
    }

    Recorder& m_record;
    Kernel& m_kernel;
    nvme::Controller& m_controller;
    nvme::NamespaceDevice& m_device;
    PhysAddr m_buffers;
    SplitMix64 m_random{0x6e76'6d65};
    bool m_is_first_log = true;
};

/// What namespace 1 has and whose controller it is, by the driver, which then leaves it.
struct NvmeFacts {
    u64 blocks = 0;
    NvmeMaker maker = NvmeMaker::hosted;
};

Result<nvme::Controller*> bring_up(DriverRegistry& registry, pci::Function const& function) {
    device::DeviceRecord const* const known = registry.find(function.where);
    if (known == nullptr || known->state != device::DeviceState::bound) {
        TRY(registry.arrive(function));
    }
    auto* const controller = static_cast<nvme::Controller*>(registry.find(function.where)->device);
    return controller == nullptr || controller->namespaces().empty()
               ? Result<nvme::Controller*>(Error::not_found)
               : controller;
}

Result<NvmeFacts> look_at(DriverRegistry& registry, pci::Function const& function) {
    nvme::Controller& controller = *TRY(bring_up(registry, function));
    bool const is_emulator = controller.facts().model.view().starts_with("QEMU");
    return NvmeFacts{
        controller.namespaces()[0]->geometry().sectors,
        is_emulator ? NvmeMaker::emulator : NvmeMaker::hosted};
}

Result<void>
play(Recorder& record, Kernel& kernel, DriverRegistry& registry, pci::Function const& function) {
    NvmeFacts const facts = TRY(look_at(registry, function));
    TRY(registry.depart(function.where, device::Removal::orderly));
    RawNvme* const raw = TRY(RawNvme::open(kernel, function));
    play_wrong_nvme_drivers(record, *raw, facts.maker, facts.blocks);
    raw->close();
    nvme::Controller* const controller = TRY(bring_up(registry, function));
    PhysAddr const buffers =
        TRY(kernel.frames->allocate(memory::FrameRequest{.pages = buffer_pages}));
    RightDriver(record, kernel, *controller, buffers).run();
    kernel.frames->free_pages(buffers, buffer_pages).value();
    return {};
}

} // namespace

void nvme(Recorder& record, Kernel& kernel) {
    auto const bus = boot::pci_bus(kernel);
    auto const model = boot::device_model(kernel);
    if (!bus || !model) {
        record.text("controller", "there is no bus");
        return;
    }
    auto const functions = bus.value()->functions.functions();
    auto const found = std::ranges::find_if(functions, twofold::nvme::driver.matches);
    if (found == functions.end()) {
        record.text("controller", "none");
        return;
    }
    boot::with_registry(*model.value(), [&](DriverRegistry& registry) {
        record.result("played", play(record, kernel, registry, *found));
    });
}

} // namespace twofold::scenarios
