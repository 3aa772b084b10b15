// A virtio-blk as its specification describes it, in memory; and what it does wrong, if it is told
// to. Interrupts are work of a vector of its own.
#pragma once

#include "core/boot/pci.hpp"
#include "core/device/virtio/virtio_block.hpp"
#include "hal/controller.hpp"
#include "tests/core/device/virtio/scripted_device.hpp"

#include <algorithm>
#include <optional>

namespace twofold::test_virtio {

class BlockModel final : public ScriptedDevice {
public:
    static constexpr u64 sectors = 256;
    static constexpr usize asked_max = 64;

    explicit BlockModel(boot::Kernel& kernel)
        : ScriptedDevice(device_kind::block),
          m_kernel(kernel),
          m_pages(sectors * 512 / page_size.value),
          m_medium(
              kernel.frames->allocate({.pages = m_pages, .content = memory::FrameContent::zeroed})
                  .value()) {
        entries_max = 128;
        offered |= blk::feature::segments_max | blk::feature::flush | blk::feature::discard |
                   blk::feature::write_zeroes;
        set(blk::configuration::capacity, sectors);
        set(blk::configuration::segments_max, 8);
        set(blk::configuration::writeback, 1);
        set(blk::configuration::discard_sectors_max, 16);
        set(blk::configuration::discard_segments_max, 1);
        set(blk::configuration::zeroes_sectors_max, 16);
        set(blk::configuration::zeroes_segments_max, 1);
    }
    ~BlockModel() override { m_kernel.frames->free_pages(m_medium, m_pages).value(); }

    /// What it was asked for.
    struct Asked {
        blk::Kind kind{};
        u64 sector = 0;
        u32 bytes = 0; ///< of data, or sectors of a range
    };

    // What it does wrong.
    bool is_silent = false;
    std::optional<u8> status;   ///< that it answers with
    std::optional<u32> written; ///< how much it says that it has written
    std::optional<u32> head;    ///< which chain it gives back
    bool is_lazy = false;       ///< it writes no status

    FixedVector<Asked, asked_max> asked;

    void set(Bytes offset, u64 value) { configuration[offset.value / 4] = static_cast<u32>(value); }
    std::span<std::byte> sector(u64 number) const {
        return {hal::Memory::linear(m_medium + Bytes{number * 512}), 512};
    }

    Result<void> bind(TransportEvents const& events, std::string_view name) override {
        m_events = events;
        m_vector = TRY(m_kernel.interrupts.bind_any(
            {.handler = [](void*, hal::Interruption const&) { return processor::Handling::wake; },
             .argument = this,
             .name = name,
             .second_half = [](void* self) { static_cast<BlockModel*>(self)->tell_of_queues(); },
             .may_come_often = true}));
        return {};
    }
    void unbind() override {
        if (m_vector) {
            m_kernel.interrupts.unbind(*m_vector).value();
            m_vector.reset();
        }
    }
    void request_work() override { processor::request_work(processor::this_cpu(), *m_vector); }
    void notify(u16 index) override {
        ScriptedDevice::notify(index);
        serve();
    }
    /// Answers what it has.
    void serve() {
        while (auto const chain = is_silent ? std::nullopt : take()) {
            answer(*chain);
        }
        sync::InterruptGuard const off;
        hal::Controller::send(hal::Cpu::id(), *m_vector);
    }

private:
    void answer(SeenChain const& chain) {
        auto const& all = chain.descriptors;
        auto const request = read<blk::Header>(PhysAddr{all[0].address});
        u8 const said = perform(request, chain);
        auto const& last = all[all.size() - 1];
        u32 total = 0;
        for (Descriptor const& each : all.items()) {
            total += (each.flags & descriptor_is_written) != 0 ? each.bytes : 0;
        }
        if (!is_lazy) {
            write(PhysAddr{last.address + last.bytes - 1}, status.value_or(said));
        }
        give_back(head.value_or(chain.head), written.value_or(total));
    }
    u8 perform(blk::Header const& request, SeenChain const& chain) {
        auto const& all = chain.descriptors;
        auto const data = all.items().subspan(1, all.size() - 2);
        Asked what{request.kind, request.sector, 0};
        if (request.kind == blk::Kind::in || request.kind == blk::Kind::out) {
            std::byte* medium = hal::Memory::linear(m_medium + Bytes{request.sector * 512});
            for (Descriptor const& each : data) {
                std::byte* const memory = hal::Memory::linear(PhysAddr{each.address});
                bool const is_in = request.kind == blk::Kind::in;
                std::memcpy(is_in ? memory : medium, is_in ? medium : memory, each.bytes);
                medium += each.bytes;
                what.bytes += each.bytes;
            }
        } else if (request.kind == blk::Kind::discard || request.kind == blk::Kind::write_zeroes) {
            auto const range = read<blk::Range>(PhysAddr{data[0].address});
            std::memset(
                hal::Memory::linear(m_medium + Bytes{range.sector * 512}), 0,
                usize{range.sectors} * 512);
            what.sector = range.sector;
            what.bytes = range.sectors;
        } else if (request.kind == blk::Kind::get_id) {
            char id[blk::id_bytes] = "model\n";
            std::memcpy(hal::Memory::linear(PhysAddr{data[0].address}), id, sizeof(id));
        }
        static_cast<void>(asked.push_back(what));
        return blk::status_ok;
    }

    boot::Kernel& m_kernel;
    u64 m_pages;
    PhysAddr m_medium;
    std::optional<hal::Vector> m_vector;
};

} // namespace twofold::test_virtio
