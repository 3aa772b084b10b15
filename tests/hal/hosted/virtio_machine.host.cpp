// A display on a live machine's bus: a kernel drives it through the contract, its vectors are
// masked and sent as MSI-X has it, frames reach the sink, and a size that comes from another thread
// interrupts the kernel.
#include "hal/controller.hpp"
#include "hal/cpu.hpp"
#include "hal/dma.hpp"
#include "hal/hosted/devices/virtio_gpu.hpp"
#include "hal/interrupt.hpp"
#include "hal/io.hpp"
#include "hal/memory.hpp"
#include "hal/pci.hpp"
#include "tests/hal/hosted/probe.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace {

using namespace hosted;
using namespace hosted::test;
using hal::Controller;
using hal::Pci;

constexpr hal::PciAddress display{0, 1, 1, 0};
constexpr u32 msix_control = 0x42;
constexpr u8 config_vector = 100, queue_vector = 101;

struct FirstWord final : FrameSink {
    FrameSize size{};
    u32 first_word = 0;
    u32 presents = 0;

    void resize(FrameSize to) override { size = to; }
    void present(FrameArea const&, std::span<u32 const> from, u32) override {
        first_word = from[0];
        ++presents;
    }
};

/// A kernel with the least that a driver of the display is.
struct Driver : Probe {
    static constexpr u32 ok = static_cast<u32>(gpu::Answer::ok);
    static constexpr gpu::Rectangle all{0, 0, 32, 32};

    VirtAddr registers{};
    u64 frames[4] = {}; ///< descriptors, the two rings, commands and answers
    u64 commands = 0;   ///< the last one, as the device sees it
    u32 counts[256] = {};
    u32 wrong = 0;
    u32 size_seen = 0;
    std::atomic<bool> is_ready = false;

    /// Where the device sees a frame that is mapped for it.
    static u64 mapped(u64 frame) {
        return hal::Dma::map(hal::Dma::domain(display), {frame}, page_size, hal::DmaDirection::both)
            .value()
            .value;
    }
    template<class T>
    static T* linear(u64 frame) {
        return reinterpret_cast<T*>(hal::Memory::linear({frame}));
    }
    void write_32(u64 at, u32 value) { hal::Io::write_32(registers + Bytes{at}, value); }
    void write_16(u64 at, u16 value) { hal::Io::write_16(registers + Bytes{at}, value); }
    void write_8(u64 at, u8 value) { hal::Io::write_8(registers + Bytes{at}, value); }
    void expect(bool is_true) { wrong += is_true ? 0 : 1; }

    void set_vector(u32 index, u8 vector, bool is_masked) {
        hal::Message const message = Controller::message({0}, {vector}).value();
        u64 const entry = VirtioPci::table_at + index * PciVectors::entry_bytes;
        write_32(entry, static_cast<u32>(message.address.value));
        write_32(entry + 4, 0);
        write_32(entry + 8, message.data);
        write_32(entry + 12, is_masked ? 1 : 0);
    }
    void open() {
        using virtio::Common;
        open_interrupts();
        registers = {reinterpret_cast<u64>(
            hal::Memory::linear({Pci::read_32(display, 0x10) & ~u64{0xfff}}))};
        Pci::write_16(display, 4, 6); // decodes and is a bus master
        expect(hal::Io::read_32(registers + Bytes{VirtioPci::table_at + 12}) == 1);
        set_vector(0, config_vector, false);
        set_vector(1, queue_vector, false);
        Pci::write_16(display, msix_control, 0x8000);
        for (u64& frame : frames) {
            frame = take_frame();
            __builtin_memset(linear<u8>(frame), 0, page_size.value);
        }
        write_8(offsetof(Common, status), 3);
        write_32(offsetof(Common, driver_feature_select), 1);
        write_32(offsetof(Common, driver_feature), 1);
        write_8(offsetof(Common, status), 11);
        expect(hal::Io::read_8(registers + Bytes{offsetof(Common, status)}) == 11);
        write_16(offsetof(Common, config_vector), 0);
        write_16(offsetof(Common, queue_size), 4);
        write_16(offsetof(Common, queue_vector), 1);
        hal::Io::write_64(registers + Bytes{offsetof(Common, descriptors)}, mapped(frames[0]));
        hal::Io::write_64(registers + Bytes{offsetof(Common, available)}, mapped(frames[1]));
        hal::Io::write_64(registers + Bytes{offsetof(Common, used)}, mapped(frames[2]));
        commands = mapped(frames[3]);
        write_16(offsetof(Common, queue_enable), 1);
        write_8(offsetof(Common, status), 15);
    }
    /// One command from begin to end; its answer's type.
    template<class Body>
    u32 command(gpu::Command type, Body const& what) {
        auto* const descriptors = linear<virtio::Descriptor>(frames[0]);
        constexpr u64 answers = 2048;
        gpu::Header const header{.type = static_cast<u32>(type)};
        __builtin_memcpy(linear<u8>(frames[3]), &header, sizeof(header));
        __builtin_memcpy(linear<u8>(frames[3]) + sizeof(header), &what, sizeof(what));
        descriptors[0] = {commands, sizeof(header) + sizeof(what), virtio::has_next, 1};
        descriptors[1] = {commands + answers, 512, virtio::is_writable, 0};
        u16 volatile* const available = linear<u16>(frames[1]);
        available[2 + available[1] % 4] = 0;
        available[1] = static_cast<u16>(available[1] + 1);
        write_16(VirtioPci::notify_at, 0);
        return linear<gpu::Header>(frames[3] + answers)->type;
    }
    void draw() {
        struct {
            gpu::AttachBacking head;
            gpu::BackingEntry entry;
        } attach{{1, 1}, {take_frame(), 4096, 0}};
        linear<u32>(attach.entry.address)[0] = 0x00c0'ffee;
        attach.entry.address = mapped(attach.entry.address);
        expect(command(gpu::Command::resource_create_2d, gpu::CreateResource{1, 2, 32, 32}) == ok);
        expect(command(gpu::Command::resource_attach_backing, attach) == ok);
        expect(command(gpu::Command::set_scanout, gpu::SetScanout{all, 0, 1}) == ok);
        expect(command(gpu::Command::transfer_to_host_2d, gpu::Transfer{all, 0, 1, 0}) == ok);
        flush();
    }
    void flush() { expect(command(gpu::Command::resource_flush, gpu::Flush{all, 1, 0}) == ok); }
};

void count(Probe& probe, hal::Interruption const& interruption) {
    auto& driver = static_cast<Driver&>(probe);
    u32& counted = driver.counts[interruption.vector.value];
    __atomic_store_n(&counted, counted + 1, __ATOMIC_RELAXED);
    Controller::acknowledge(interruption.vector);
}

MachineConfig with(std::shared_ptr<VirtioGpu> const& device) {
    MachineConfig config;
    config.devices.push_back(device);
    return config;
}

TEST(LiveDisplay, FramesReachTheSink) {
    FirstWord screen;
    auto const device = std::make_shared<VirtioGpu>(screen, FrameSize{640, 480});
    Driver driver;
    driver.on_interrupt = count;
    driver.body = [](Probe& probe, hal::BootInfo const&) {
        auto& it = static_cast<Driver&>(probe);
        it.open();
        it.draw();
        it.expect(it.counts[queue_vector] == 5);
        it.set_vector(1, queue_vector, true);
        it.flush();
        it.flush();
        it.expect(it.counts[queue_vector] == 5);
        it.expect(hal::Io::read_64(it.registers + Bytes{VirtioPci::pending_at}) == 2);
        it.write_32(VirtioPci::table_at + PciVectors::entry_bytes + 12, 0);
        it.expect(it.counts[queue_vector] == 6);
        Pci::write_16(display, msix_control, 0xc000); // the function is masked
        it.flush();
        it.expect(it.counts[queue_vector] == 6);
        Pci::write_16(display, msix_control, 0x8000);
        it.expect(it.counts[queue_vector] == 7);
    };
    ASSERT_EQ(run_probe(driver, with(device)).kind, Stop::Kind::exited);
    EXPECT_EQ(driver.wrong, 0u);
    EXPECT_EQ(screen.size, (FrameSize{32, 32}));
    EXPECT_EQ(screen.first_word, 0xc0'ffeeu);
    EXPECT_EQ(screen.presents, 4u);
}

TEST(LiveDisplay, ASizeFromAnotherThreadInterrupts) {
    FirstWord screen;
    auto const device = std::make_shared<VirtioGpu>(screen, FrameSize{640, 480});
    Driver driver;
    driver.on_interrupt = count;
    driver.body = [](Probe& probe, hal::BootInfo const&) {
        auto& it = static_cast<Driver&>(probe);
        it.open();
        it.is_ready = true;
        while (__atomic_load_n(&it.counts[config_vector], __ATOMIC_RELAXED) == 0) {
            hal::Cpu::pause();
        }
        it.expect(hal::Io::read_32(it.registers + Bytes{VirtioPci::config_at}) == 1);
        it.write_32(VirtioPci::config_at + 4, 1);
        it.expect(hal::Io::read_32(it.registers + Bytes{VirtioPci::config_at}) == 0);
        it.command(gpu::Command::get_display_info, u32{0});
        auto const* const info = Driver::linear<gpu::DisplayInfo>(it.frames[3] + 2048);
        it.size_seen = info->scanouts[0].area.width << 16 | info->scanouts[0].area.height;
    };
    MemoryConsole console;
    auto const machine = make_machine(driver, console, with(device));
    std::jthread const window([&] {
        while (!driver.is_ready) {
            std::this_thread::yield();
        }
        device->set_size({1024, 768});
        machine->notice_device(0);
    });
    ASSERT_EQ(machine->run().kind, Stop::Kind::exited);
    EXPECT_EQ(driver.wrong, 0u);
    EXPECT_EQ(driver.size_seen, 1024u << 16 | 768);
}

} // namespace
