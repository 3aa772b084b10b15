// See virtio_gpu.hpp. What the commands do is here; the transfer of pixels is in
// virtio_gpu_pixels.cpp.
#include "hal/hosted/devices/virtio_gpu.hpp"

#include <algorithm>
#include <cstring>

namespace hosted {

using gpu::Answer;
using gpu::Command;

namespace {

constexpr u64 pack(FrameSize size) {
    return u64{size.width} << 32 | size.height;
}

FrameSize possible(FrameSize size) {
    return {
        std::clamp(size.width, 1u, VirtioGpu::side_max),
        std::clamp(size.height, 1u, VirtioGpu::side_max)};
}

bool is_inside(gpu::Rectangle const& area, FrameSize size) {
    return area.width != 0 && area.height != 0 && area.x <= size.width &&
           area.width <= size.width - area.x && area.y <= size.height &&
           area.height <= size.height - area.y;
}

constexpr u64 body_at = sizeof(gpu::Header);

} // namespace

VirtioGpu::VirtioGpu(FrameSink& sink, FrameSize size)
    : VirtioPci(
          {.type = gpu::device_type,
           .class_and_revision = gpu::class_and_revision,
           .queues = gpu::queues,
           .config_bytes = sizeof(gpu::Config)}),
      m_sink(sink),
      m_wanted_size(pack(possible(size))),
      m_size(possible(size)) {}

void VirtioGpu::set_size(FrameSize size) {
    m_wanted_size = pack(possible(size));
}

void VirtioGpu::noticed(DeviceBus& bus) {
    u64 const wanted = m_wanted_size;
    FrameSize const size{static_cast<u32>(wanted >> 32), static_cast<u32>(wanted)};
    if (size != m_size) {
        m_size = size;
        m_events |= gpu::event_display;
        change_config(bus);
    }
}

void VirtioGpu::reset_own() {
    m_events = 0;
    m_scanout = {};
    m_resources.clear();
    m_bytes = 0;
    m_counts = {};
}

void VirtioGpu::fill_config(std::span<std::byte> config) const {
    gpu::Config const shown{.events_read = m_events, .scanouts = 1};
    CHECK(config.size() == sizeof(shown));
    std::memcpy(config.data(), &shown, sizeof(shown));
}

void VirtioGpu::config_written(DeviceBus&, u64 offset, std::span<std::byte const> config) {
    if (offset == offsetof(gpu::Config, events_clear)) {
        gpu::Config seen;
        std::memcpy(&seen, config.data(), sizeof(seen));
        m_events &= ~seen.events_clear;
    }
}

void VirtioGpu::notified(DeviceBus& bus, u32 queue) {
    VirtioChain chain;
    while (take(bus, queue, chain)) {
        serve(bus, queue, chain);
    }
}

/// Does one command and answers it. A chain without room for a command or an answer is no command.
void VirtioGpu::serve(DeviceBus& bus, u32 queue, VirtioChain const& chain) {
    gpu::Header header;
    bool const has_room = queue == gpu::cursor_queue || chain.writable_bytes() >= sizeof(header);
    if (!has_room || !gather(bus, chain, 0, std::as_writable_bytes(std::span(&header, 1)))) {
        fail(bus);
        return;
    }
    ++m_counts.commands;
    bool const is_cursor = header.type == static_cast<u32>(Command::update_cursor) ||
                           header.type == static_cast<u32>(Command::move_cursor);
    if (queue == gpu::cursor_queue) {
        m_counts.errors += is_cursor ? 0 : 1;
        give_back(bus, queue, chain, 0);
        return;
    }
    Answer answer = is_cursor ? Answer::unspecified : perform(bus, header.type, chain);
    gpu::DisplayInfo info;
    u64 bytes = sizeof(header);
    if (answer == Answer::ok_display_info) {
        info.scanouts[0] = {.area = {0, 0, m_size.width, m_size.height}, .enabled = 1};
        bytes = sizeof(info);
        if (chain.writable_bytes() < bytes) {
            answer = Answer::invalid_parameter;
            bytes = sizeof(header);
        }
    }
    m_counts.errors += answer >= Answer::unspecified ? 1 : 0;
    info.header.type = static_cast<u32>(answer);
    if ((header.flags & gpu::flag_fence) != 0) { // done already: all before it is done, too
        info.header.flags = gpu::flag_fence;
        info.header.fence = header.fence;
        info.header.context = header.context;
        info.header.ring_index = header.ring_index;
    }
    if (scatter(bus, chain, std::as_bytes(std::span(&info, 1)).first(bytes))) {
        give_back(bus, queue, chain, bytes);
    }
}

Answer VirtioGpu::perform(DeviceBus& bus, u32 type, VirtioChain const& chain) {
    // A command that is shorter than it says is refused.
    auto const with = [&]<class Body>(Body body, auto const& act) {
        return gather(bus, chain, body_at, std::as_writable_bytes(std::span(&body, 1)))
                   ? act(body)
                   : Answer::invalid_parameter;
    };
    switch (static_cast<Command>(type)) {
    case Command::get_display_info:
        return Answer::ok_display_info;
    case Command::resource_create_2d:
        return with(gpu::CreateResource{}, [this](auto const& body) { return create(body); });
    case Command::resource_unref:
        return with(
            gpu::ResourceAlone{}, [this](auto const& body) { return unref(body.resource); });
    case Command::set_scanout:
        return with(gpu::SetScanout{}, [this](auto const& body) { return set_scanout(body); });
    case Command::resource_flush:
        return with(gpu::Flush{}, [this](auto const& body) { return flush(body); });
    case Command::transfer_to_host_2d:
        return with(gpu::Transfer{}, [&](auto const& body) { return transfer(bus, body); });
    case Command::resource_attach_backing:
        return with(
            gpu::AttachBacking{}, [&](auto const& body) { return attach(bus, body, chain); });
    case Command::resource_detach_backing:
        return with(
            gpu::ResourceAlone{}, [this](auto const& body) { return detach(body.resource); });
    default:
        return Answer::unspecified;
    }
}

VirtioGpu::Resource* VirtioGpu::find(u32 resource) {
    auto const found = m_resources.find(resource);
    return found == m_resources.end() ? nullptr : &found->second;
}

Answer VirtioGpu::create(gpu::CreateResource const& wanted) {
    if (wanted.resource == 0 || find(wanted.resource) != nullptr) {
        return Answer::invalid_resource;
    }
    gpu::PixelFormat format;
    if (!gpu::find_format(wanted.format, format) || wanted.width == 0 || wanted.height == 0 ||
        wanted.width > side_max || wanted.height > side_max) {
        return Answer::invalid_parameter;
    }
    u64 const bytes = u64{wanted.width} * wanted.height * sizeof(u32);
    if (bytes > bytes_max - m_bytes || m_resources.size() == resources_max) {
        return Answer::out_of_memory;
    }
    m_bytes += bytes;
    m_resources[wanted.resource] = {
        .format = wanted.format,
        .size = {wanted.width, wanted.height},
        .pixels = std::vector<u8>(bytes)};
    return Answer::ok;
}

Answer VirtioGpu::unref(u32 resource) {
    Resource const* const found = find(resource);
    if (found == nullptr) {
        return Answer::invalid_resource;
    }
    if (m_scanout.resource == resource) {
        m_scanout = {};
    }
    m_bytes -= found->pixels.size();
    m_resources.erase(resource);
    return Answer::ok;
}

Answer
VirtioGpu::attach(DeviceBus& bus, gpu::AttachBacking const& wanted, VirtioChain const& chain) {
    Resource* const resource = find(wanted.resource);
    if (resource == nullptr) {
        return Answer::invalid_resource;
    }
    if (!resource->backing.empty()) {
        return Answer::unspecified;
    }
    constexpr u64 entries_at = body_at + sizeof(gpu::AttachBacking);
    u64 const bytes = u64{wanted.entries} * sizeof(gpu::BackingEntry);
    if (wanted.entries == 0 || wanted.entries > backing_entries_max ||
        chain.readable_bytes() < entries_at + bytes) {
        return Answer::invalid_parameter;
    }
    std::vector<gpu::BackingEntry> entries(wanted.entries);
    if (!gather(bus, chain, entries_at, std::as_writable_bytes(std::span(entries)))) {
        return Answer::invalid_parameter;
    }
    // Memory is one piece: what both ends of an entry lie in holds the rest of it.
    bool const is_reachable = std::ranges::all_of(entries, [&](gpu::BackingEntry const& each) {
        std::byte byte;
        u64 const last = each.address + each.bytes - 1;
        return each.bytes != 0 && last >= each.address && bus.read({each.address}, {&byte, 1}) &&
               bus.read({last}, {&byte, 1});
    });
    if (!is_reachable) {
        return Answer::invalid_parameter;
    }
    resource->backing = std::move(entries);
    return Answer::ok;
}

Answer VirtioGpu::detach(u32 resource) {
    Resource* const found = find(resource);
    if (found == nullptr) {
        return Answer::invalid_resource;
    }
    if (found->backing.empty()) {
        return Answer::unspecified;
    }
    found->backing.clear();
    return Answer::ok;
}

Answer VirtioGpu::set_scanout(gpu::SetScanout const& wanted) {
    if (wanted.scanout != 0) {
        return Answer::invalid_scanout;
    }
    if (wanted.resource == 0) {
        m_scanout = {};
        return Answer::ok;
    }
    Resource const* const resource = find(wanted.resource);
    if (resource == nullptr) {
        return Answer::invalid_resource;
    }
    if (!is_inside(wanted.area, resource->size)) {
        return Answer::invalid_parameter;
    }
    gpu::Rectangle const& area = wanted.area;
    m_scanout = {wanted.resource, {area.x, area.y, area.width, area.height}};
    if (FrameSize const size{area.width, area.height}; size != m_shown) {
        m_shown = size;
        m_sink.resize(size);
    }
    return Answer::ok;
}

Answer VirtioGpu::flush(gpu::Flush const& wanted) {
    Resource const* const resource = find(wanted.resource);
    if (resource == nullptr) {
        return Answer::invalid_resource;
    }
    if (!is_inside(wanted.area, resource->size)) {
        return Answer::invalid_parameter;
    }
    ++m_counts.flushes;
    if (m_scanout.resource == wanted.resource) {
        FrameArea const& seen = m_scanout.area;
        u32 const left = std::max(seen.x, wanted.area.x);
        u32 const top = std::max(seen.y, wanted.area.y);
        u32 const right = std::min(seen.x + seen.width, wanted.area.x + wanted.area.width);
        u32 const bottom = std::min(seen.y + seen.height, wanted.area.y + wanted.area.height);
        if (left < right && top < bottom) {
            show({left - seen.x, top - seen.y, right - left, bottom - top});
        }
    }
    return Answer::ok;
}

void VirtioGpu::archive_own(StateArchive& state) {
    state(m_size);
    state(m_events);
    state(m_shown);
    state(m_scanout);
    u64 count = m_resources.size();
    state(count);
    if (state.is_reading()) {
        m_resources.clear();
        for (u64 i = 0; i < count && !state.has_failed(); ++i) {
            u32 number = 0;
            state(number);
            state(m_resources[number]);
        }
    } else {
        for (auto& [number, resource] : m_resources) {
            u32 name = number;
            state(name);
            state(resource);
        }
    }
    state(m_bytes);
    state(m_counts);
}

/// The sink sees what the machine showed when it was copied.
void VirtioGpu::loaded() {
    if (m_shown != FrameSize{}) {
        m_sink.resize(m_shown);
    }
    if (m_scanout.resource != 0) {
        show({0, 0, m_scanout.area.width, m_scanout.area.height});
    }
}

} // namespace hosted
