// A virtio-gpu as its specification describes it, in memory: what it was sent, and what its screen
// shows. Interrupts are work of a vector of its own, so who waits for it sleeps.
#pragma once

#include "core/boot/pci.hpp"
#include "core/device/virtio/virtio_gpu.hpp"
#include "hal/controller.hpp"
#include "tests/core/device/virtio/scripted_device.hpp"

#include <algorithm>

namespace twofold::test_virtio {

class GpuModel final : public ScriptedDevice {
public:
    static constexpr usize resources_max = 4;
    static constexpr usize pixels_max = usize{400} * 300;
    static constexpr usize entries_kept = 256;

    explicit GpuModel(boot::Kernel& kernel) : m_kernel(kernel) {
        entries_max = 64;
        u32* const room =
            memory::allocate_room<u32>(*kernel.heap, resources_max * pixels_max).value();
        m_room = {room, resources_max * pixels_max};
        set_mode({320, 200});
    }
    ~GpuModel() override { memory::free_room(*m_kernel.heap, m_room.data()); }

    struct Resource {
        u32 number = 0; ///< 0: none
        u32 width = 0;
        u32 height = 0;
        std::span<u32> host; ///< the device's own copy
        FixedVector<gpu::BackingEntry, entries_kept> backing;
    };

    // What it does wrong, if anything.
    std::optional<gpu::Kind> refused;
    bool is_silent = false;
    bool forgets_fences = false;
    u32 answers_cut = 0; ///< bytes that are missing of each answer

    u32 scanout = 0; ///< the resource that is shown
    u32 commands = 0;
    u32 flushes = 0;
    u32 mistakes = 0; ///< commands that make no sense

    void set_mode(device::DisplayMode mode) { m_mode = mode; }
    /// The window has another size.
    void resize(device::DisplayMode mode) {
        set_mode(mode);
        configuration[0] |= gpu::display_event;
        m_has_news = true;
        raise();
    }
    Resource* find(u32 number) {
        for (Resource& each : m_resources) {
            if (number != 0 && each.number == number) {
                return &each;
            }
        }
        return nullptr;
    }
    u32 resources() const {
        return static_cast<u32>(std::ranges::count_if(
            m_resources, [](Resource const& each) { return each.number != 0; }));
    }
    /// What is to be seen at a place of the screen.
    u32 pixel(u32 x, u32 y) {
        Resource const* const shown = find(scanout);
        return shown == nullptr ? ~u32{0} : shown->host[usize{y} * shown->width + x];
    }

    Result<void> bind(TransportEvents const& events, std::string_view name) override {
        m_events = events;
        m_vector = TRY(m_kernel.interrupts.bind_any(
            {.handler = [](void*, hal::Interruption const&) { return processor::Handling::wake; },
             .argument = this,
             .name = name,
             .second_half = work}));
        return {};
    }
    void unbind() override {
        if (m_vector) {
            m_kernel.interrupts.unbind(*m_vector).value();
            m_vector.reset();
        }
    }
    void request_work() override { processor::request_work(processor::this_cpu(), *m_vector); }
    void write_configuration(Bytes offset, u32 value) override {
        if (offset == gpu::events_clear) {
            configuration[0] &= ~value;
        }
    }
    void notify(u16 index) override {
        ScriptedDevice::notify(index);
        while (auto const chain = is_silent ? std::nullopt : take()) {
            answer(*chain);
        }
        raise();
    }

private:
    static void work(void* self) {
        auto& model = *static_cast<GpuModel*>(self);
        model.tell_of_queues();
        if (std::exchange(model.m_has_news, false)) {
            model.tell_of_configuration();
        }
    }
    /// The interrupt of a device.
    void raise() {
        sync::InterruptGuard const off;
        hal::Controller::send(hal::Cpu::id(), *m_vector);
    }

    template<class Command>
    static Command command_of(SeenChain const& chain) {
        return read<Command>(PhysAddr{chain.descriptors[0].address});
    }

    void answer(SeenChain const& chain) {
        ++commands;
        auto const header = command_of<gpu::Header>(chain);
        bool const is_refused = refused == header.kind;
        gpu::Kind const kind =
            is_refused ? gpu::Kind::unspecified_error : perform(header.kind, chain);
        mistakes += !is_refused && kind == gpu::Kind::unspecified_error ? 1 : 0;
        gpu::DisplayInfo info{};
        info.header = {.kind = kind, .flags = header.flags, .fence = header.fence};
        if (forgets_fences) {
            info.header.fence = 0;
        }
        info.scanout[0] = {.box = {0, 0, m_mode.width, m_mode.height}, .enabled = 1};
        PhysAddr const place{chain.descriptors[chain.descriptors.size() - 1].address};
        u32 bytes = sizeof(gpu::Header);
        if (kind == gpu::Kind::display_info) {
            write(place, info);
            bytes = sizeof(info);
        } else {
            write(place, info.header);
        }
        give_back(chain.head, bytes - answers_cut);
    }

    gpu::Kind perform(gpu::Kind kind, SeenChain const& chain) {
        switch (kind) {
        case gpu::Kind::get_display_info:
            return gpu::Kind::display_info;
        case gpu::Kind::create_resource:
            return outcome(create(command_of<gpu::CreateResource>(chain)));
        case gpu::Kind::attach_backing:
            return outcome(attach(command_of<gpu::AttachBacking>(chain), chain));
        case gpu::Kind::transfer_to_host:
            return outcome(transfer(command_of<gpu::TransferToHost>(chain)));
        case gpu::Kind::set_scanout: {
            auto const command = command_of<gpu::SetScanout>(chain);
            scanout = command.resource;
            return outcome(fits(command.box, find(command.resource)) && command.scanout == 0);
        }
        case gpu::Kind::flush: {
            ++flushes;
            auto const command = command_of<gpu::Flush>(chain);
            return outcome(fits(command.box, find(command.resource)));
        }
        case gpu::Kind::forget_resource: {
            Resource* const it = find(command_of<gpu::ForgetResource>(chain).resource);
            if (it != nullptr) {
                *it = {};
            }
            return outcome(it != nullptr);
        }
        default:
            return gpu::Kind::unspecified_error;
        }
    }
    static gpu::Kind outcome(bool is_done) {
        return is_done ? gpu::Kind::done : gpu::Kind::unspecified_error;
    }
    static bool fits(gpu::Box const& box, Resource const* it) {
        return it != nullptr && box.width != 0 && box.height != 0 &&
               u64{box.x} + box.width <= it->width && u64{box.y} + box.height <= it->height;
    }
    bool create(gpu::CreateResource const& command) {
        for (usize i = 0; i < resources_max; ++i) {
            Resource& each = m_resources[i];
            u64 const count = u64{command.width} * command.height;
            if (each.number == 0 && find(command.resource) == nullptr && count != 0 &&
                count <= pixels_max && command.format == gpu::b8g8r8x8) {
                each.number = command.resource;
                each.width = command.width;
                each.height = command.height;
                each.host = m_room.subspan(i * pixels_max, count);
                std::ranges::fill(each.host, 0xdead'beef);
                return true;
            }
        }
        return false;
    }
    bool attach(gpu::AttachBacking const& command, SeenChain const& chain) {
        Resource* const it = find(command.resource);
        if (it == nullptr || chain.descriptors.size() != 3 ||
            chain.descriptors[1].bytes != command.entries * sizeof(gpu::BackingEntry)) {
            return false;
        }
        for (u32 i = 0; i < command.entries; ++i) {
            Bytes const offset{i * sizeof(gpu::BackingEntry)};
            auto const entry =
                read<gpu::BackingEntry>(PhysAddr{chain.descriptors[1].address} + offset);
            if (!it->backing.push_back(entry)) {
                return false;
            }
        }
        return true;
    }
    /// The word at an offset of the backing.
    static std::optional<u32> backing_word(Resource const& it, u64 offset) {
        for (gpu::BackingEntry const& entry : it.backing) {
            if (offset < entry.bytes) {
                return read<u32>(PhysAddr{entry.address} + Bytes{offset});
            }
            offset -= entry.bytes;
        }
        return std::nullopt;
    }
    bool transfer(gpu::TransferToHost const& command) {
        Resource* const it = find(command.resource);
        if (!fits(command.box, it)) {
            return false;
        }
        for (u32 y = 0; y < command.box.height; ++y) {
            for (u32 x = 0; x < command.box.width; ++x) {
                u64 const offset = command.offset + (u64{y} * it->width + x) * sizeof(u32);
                auto const word = backing_word(*it, offset);
                if (!word) {
                    return false;
                }
                it->host[usize{command.box.y + y} * it->width + command.box.x + x] = *word;
            }
        }
        return true;
    }

    boot::Kernel& m_kernel;
    std::span<u32> m_room;
    Resource m_resources[resources_max];
    device::DisplayMode m_mode;
    std::optional<hal::Vector> m_vector;
    bool m_has_news = false;
};

} // namespace twofold::test_virtio
