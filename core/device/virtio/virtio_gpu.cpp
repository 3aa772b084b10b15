// See virtio_gpu.hpp.
#include "core/device/virtio/virtio_gpu.hpp"

#include "core/device/virtio/shared_object.hpp"

#include "hal/memory.hpp"

#include <cstring>
#include <new>

namespace twofold::device {

namespace {

using namespace virtio::gpu;
using virtio::load;
using virtio::Segment;
using virtio::store;

/// What lies where in the page.
constexpr Bytes command_place{0}, answer_place{512}, question_place{1024}, reply_place{1536};
constexpr Bytes place_bytes{512};
static_assert(sizeof(TransferToHost) <= place_bytes.value);
static_assert(sizeof(DisplayInfo) <= place_bytes.value);
constexpr Bytes last_command_place{2048}, last_answer_place{2560}; // of a panic
static_assert(reply_place + place_bytes <= last_command_place);
static_assert(last_answer_place + place_bytes <= page_size);

Error error_of(Kind answer) {
    return answer == Kind::out_of_memory ? Error::out_of_memory : Error::io_failed;
}

/// The mode of the first screen in an answer; what is not enabled, or makes no sense, wants none.
DisplayMode first_mode(DisplayInfo const& info) {
    DisplayInfo::Scanout const& first = info.scanout[0];
    u32 const most = text::Surface::side_max;
    bool const is_sane = first.enabled != 0 && first.box.width != 0 && first.box.height != 0 &&
                         first.box.width <= most && first.box.height <= most;
    return is_sane ? DisplayMode{first.box.width, first.box.height} : DisplayMode{};
}

Box box_of(text::Rectangle const& area) {
    return {static_cast<u32>(area.x), static_cast<u32>(area.y), area.width, area.height};
}

} // namespace

Result<VirtioGpu*>
VirtioGpu::open(DriverEnvironment const& environment, virtio::Transport& transport) {
    CHECK(transport.device_kind() == virtio::device_kind::gpu);
    auto const page =
        environment.frames.allocate({.pages = 1, .content = memory::FrameContent::zeroed});
    if (!page) {
        transport.close();
        return page.error();
    }
    auto const room = memory::allocate_room<VirtioGpu>(environment.heap, 1);
    if (!room) {
        environment.frames.free_pages(page.value(), 1).value(); // taken just now
        transport.close();
        return room.error();
    }
    auto* const gpu = new (room.value()) VirtioGpu(environment, transport, page.value());
    if (auto const begun = gpu->begin(); !begun) {
        gpu->close();
        return begun.error();
    }
    return gpu;
}

Result<void> VirtioGpu::begin() {
    constexpr u16 entries = 64;
    TRY(m_device.negotiate(0, 0));
    if (m_transport.configuration_size() < events_clear + Bytes{4}) {
        return Error::corrupted;
    }
    TRY(m_device.bind({.changed = take_configuration, .object = this}, name()));
    m_queue = TRY(m_device.open_queue(control_queue, entries, time_out));
    m_device.run();
    DisplayMode const asked = TRY(ask_for_mode());
    DisplayMode const mode = asked == DisplayMode{} ? default_mode : asked;
    m_wanted.store(word_of(mode), release);
    return adopt_mode();
}

/// Performs what lies at `request` and, behind it, `more`. Returns how long the answer is.
Result<u32> VirtioGpu::command(Segment const& request, Kind answer, std::optional<Segment> more) {
    Segment const to_device[] = {request, more.value_or(Segment{})};
    Segment const to_driver[] = {{m_page + answer_place, static_cast<u32>(place_bytes.value)}};
    store(m_page + answer_place, Header{});
    u32 const written = TRY(
        virtio::perform(*m_queue, std::span(to_device).first(more ? 2 : 1), std::span(to_driver)));
    auto const got = load<Header>(m_page + answer_place);
    if (written < sizeof(Header)) {
        return Error::corrupted;
    }
    if (got.kind != answer) {
        return error_of(got.kind);
    }
    bool const is_ours = (got.flags & fence_flag) != 0 && got.fence == m_fence;
    return is_ours ? Result<u32>(written) : Error::corrupted;
}

template<class Command>
Result<void> VirtioGpu::perform(Command command_words, std::optional<Segment> more) {
    command_words.header.flags = fence_flag;
    command_words.header.fence = ++m_fence;
    store(m_page + command_place, command_words);
    TRY(command({m_page + command_place, sizeof(command_words)}, Kind::done, more));
    return {};
}

Result<DisplayMode> VirtioGpu::ask_for_mode() {
    store(
        m_page + command_place,
        GetDisplayInfo{{.kind = Kind::get_display_info, .flags = fence_flag, .fence = ++m_fence}});
    u32 const written = TRY(command(
        {m_page + command_place, sizeof(GetDisplayInfo)}, Kind::display_info, std::nullopt));
    if (written < sizeof(DisplayInfo)) {
        return Error::corrupted;
    }
    return first_mode(load<DisplayInfo>(m_page + answer_place));
}

Result<void> VirtioGpu::present(text::Rectangle const& area) {
    text::Rectangle const seen = seen_of(area, mode());
    if (seen.empty()) {
        return {};
    }
    auto const outcome = bring(seen, [this](auto const& command) { return perform(command); });
    if (!outcome) {
        ++m_counts.errors;
        return outcome;
    }
    ++m_counts.presents;
    m_counts.pixels += u64{seen.width} * seen.height;
    return {};
}

/// The device copies the rectangle, then shows it. `command` performs one command.
template<class Command>
Result<void> VirtioGpu::bring(text::Rectangle const& area, Command const& command) {
    u64 const first = static_cast<u64>(area.y) * stride() + static_cast<u64>(area.x);
    TRY(command(TransferToHost{
        .header = {.kind = Kind::transfer_to_host},
        .box = box_of(area),
        .offset = first * sizeof(u32),
        .resource = m_resource}));
    return command(
        Flush{.header = {.kind = Kind::flush}, .box = box_of(area), .resource = m_resource});
}

template<class Command>
Result<void> VirtioGpu::perform_in_panic(Command command) {
    constexpr Nanos patience{i64{500} * 1'000'000};
    store(m_page + last_command_place, command);
    store(m_page + last_answer_place, Header{});
    Segment const to_device[] = {{m_page + last_command_place, sizeof(command)}};
    Segment const to_driver[] = {{m_page + last_answer_place, static_cast<u32>(place_bytes.value)}};
    TRY(m_queue->perform_in_panic(to_device, to_driver, patience));
    Kind const answer = load<Header>(m_page + last_answer_place).kind;
    return answer == Kind::done ? Result<void>() : error_of(answer);
}

Result<void> VirtioGpu::present_in_panic(text::Rectangle const& area) {
    text::Rectangle const seen = seen_of(area, mode());
    if (m_device.is_broken() || seen.empty()) {
        return m_device.is_broken() ? Result<void>(Error::io_failed) : Result<void>();
    }
    return bring(seen, [this](auto const& command) { return perform_in_panic(command); });
}

Result<void> VirtioGpu::adopt_mode() {
    u64 const wanted = m_wanted.load(acquire);
    if (wanted == m_current.load(acquire)) {
        return {};
    }
    u32 const resource = m_resource + 1; // the one before is forgotten
    u32 const next = resource != 0 ? resource : 1;
    Backing backing;
    auto outcome = [&]() -> Result<PixelMemory> {
        PixelMemory pixels = TRY(PixelMemory::create(m_environment.heap, mode_of(wanted)));
        auto const mapped = map(pixels);
        if (!mapped) {
            pixels.free(m_environment.heap);
            return mapped.error();
        }
        backing = mapped.value();
        if (auto const shown = show(pixels, next, backing); !shown) {
            forget(next);
            unmap(backing);
            if (!m_device.is_broken() || m_device.is_stopped()) {
                pixels.free(m_environment.heap);
            }
            return shown.error();
        }
        return pixels;
    }();
    if (!outcome) {
        ++m_counts.errors;
        return outcome.error();
    }
    if (m_resource != 0) {
        forget(m_resource);
        unmap(m_backing);
        m_pixels.free(m_environment.heap);
    }
    m_pixels = outcome.value();
    m_backing = backing;
    m_resource = next;
    m_current.store(wanted, release);
    return {};
}

/// Makes a resource of the pixels, and that the screen. On an error the screen is as it was.
Result<void> VirtioGpu::show(PixelMemory const& pixels, u32 resource, Backing const& backing) {
    DisplayMode const mode = pixels.mode();
    TRY(perform(CreateResource{
        .header = {.kind = Kind::create_resource},
        .resource = resource,
        .format = b8g8r8x8,
        .width = mode.width,
        .height = mode.height}));
    TRY(attach(resource, backing));
    TRY(perform(TransferToHost{
        .header = {.kind = Kind::transfer_to_host},
        .box = {0, 0, mode.width, mode.height},
        .resource = resource}));
    return perform(SetScanout{
        .header = {.kind = Kind::set_scanout},
        .box = {0, 0, mode.width, mode.height},
        .scanout = 0,
        .resource = resource});
}

/// Calls visit(address, bytes) for each run of frames that lie one behind the other.
template<class Visit>
Result<u32> for_each_run(memory::AddressSpace& space, PixelMemory const& pixels, Visit&& visit) {
    constexpr u64 run_max = u64{1} << 30;
    u32 runs = 0;
    PhysAddr first{};
    Bytes size{};
    for (Bytes at{}; at < pixels.size(); at += page_size) {
        auto const found = space.translate(pixels.base() + at);
        if (!found) {
            return Error::invalid_state; // a page of the heap that is not there
        }
        PhysAddr const frame = found->address;
        if (size != Bytes{} && first + size == frame && size.value < run_max) {
            size += page_size;
            continue;
        }
        if (size != Bytes{}) {
            visit(runs++, first, size);
        }
        first = frame;
        size = page_size;
    }
    visit(runs++, first, size);
    return runs;
}

/// The device reads the pixels, until that is undone.
Result<VirtioGpu::Backing> VirtioGpu::map(PixelMemory const& pixels) {
    memory::AddressSpace& space = m_environment.space.space();
    u32 const runs = TRY(for_each_run(space, pixels, [](u32, PhysAddr, Bytes) {}));
    Backing backing;
    DmaMapping* const room = TRY(memory::allocate_room<DmaMapping>(m_environment.heap, runs));
    std::optional<Error> error;
    // Nobody else changes where the heap's pages lie, so there are as many again.
    auto const visited = for_each_run(space, pixels, [&](u32 run, PhysAddr first, Bytes size) {
        CHECK(run < runs);
        if (error) {
            return; // the others are not mapped either
        }
        auto const mapped = m_transport.dma().map(first, size, hal::DmaDirection::to_device);
        if (!mapped) {
            error = mapped.error();
            return;
        }
        backing.runs = {room, usize{run} + 1};
        std::construct_at(&backing.runs.back(), mapped.value());
    });
    CHECK(visited.has_value());
    if (error) {
        unmap(backing);
        return *error;
    }
    return backing;
}

/// The device, which has forgotten them, reads them no more.
void VirtioGpu::unmap(Backing& backing) {
    for (DmaMapping const& run : backing.runs) {
        m_transport.dma().unmap(run);
    }
    if (!backing.runs.empty()) {
        memory::free_room(m_environment.heap, backing.runs.data());
    }
    backing = {};
}

Result<void> VirtioGpu::attach(u32 resource, Backing const& backing) {
    u64 const bytes = backing.runs.size() * sizeof(BackingEntry);
    u64 const pages = align_up(Bytes{bytes}, page_size) / page_size;
    PhysAddr const entries = TRY(m_environment.frames.allocate({.pages = pages}));
    Bytes at{};
    for (DmaMapping const& run : backing.runs) {
        store(
            entries + at,
            BackingEntry{.address = run.address.value, .bytes = static_cast<u32>(run.size.value)});
        at += Bytes{sizeof(BackingEntry)};
    }
    auto const outcome = perform(
        AttachBacking{
            .header = {.kind = Kind::attach_backing},
            .resource = resource,
            .entries = static_cast<u32>(backing.runs.size())},
        Segment{entries, static_cast<u32>(bytes)});
    if (!m_device.is_broken() || m_device.is_stopped()) {
        m_environment.frames.free_pages(entries, pages).value(); // taken above
    }
    return outcome;
}

/// The device lets go of a resource and of its memory. One that it does not have it refuses, which
/// is as well.
void VirtioGpu::forget(u32 resource) {
    static_cast<void>(
        perform(ForgetResource{.header = {.kind = Kind::forget_resource}, .resource = resource}));
}

/// The window has another size, or something else that is of no interest.
void VirtioGpu::take_configuration(void* self) {
    auto& gpu = *static_cast<VirtioGpu*>(self);
    if ((gpu.m_transport.read_configuration(events_read) & display_event) == 0) {
        return;
    }
    gpu.m_transport.write_configuration(events_clear, display_event);
    if (gpu.m_questions.fetch_add(1, acquire_release) == 0) {
        gpu.submit_question();
    }
}

void VirtioGpu::submit_question() {
    m_question.gpu = this;
    m_question.request = {m_page + question_place, sizeof(GetDisplayInfo)};
    m_question.answer = {m_page + reply_place, sizeof(DisplayInfo)};
    m_question.to_device = std::span(&m_question.request, 1);
    m_question.to_driver = std::span(&m_question.answer, 1);
    m_question.done = take_answer;
    store(m_page + question_place, GetDisplayInfo{{.kind = Kind::get_display_info}});
    store(m_page + reply_place, Header{});
    if (!m_queue->submit(m_question)) {
        m_questions.store(0, release); // the device is broken
    }
}

void VirtioGpu::take_answer(virtio::QueueRequest& request, Result<u32> written) {
    VirtioGpu& gpu = *static_cast<Question&>(request).gpu;
    bool const has_info = written && written.value() >= sizeof(DisplayInfo);
    auto const info = load<DisplayInfo>(gpu.m_page + reply_place);
    u32 const asked = gpu.m_questions.load(acquire);
    if (has_info && info.header.kind == Kind::display_info) {
        DisplayMode const mode = first_mode(info);
        // Where the screen is switched off its picture stays.
        if (mode != DisplayMode{}) {
            gpu.m_wanted.store(word_of(mode), release);
        }
    }
    bool const is_last = gpu.m_questions.fetch_sub(asked, acquire_release) == asked;
    if (!is_last && written) {
        gpu.submit_question(); // for those that came meanwhile
    }
    if (gpu.wants_mode()) {
        gpu.tell();
    }
}

void VirtioGpu::tell() {
    ChangeListener listener = nullptr;
    void* context = nullptr;
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        listener = m_listener;
        context = m_listener_context;
        ++m_telling;
    }
    if (listener != nullptr) {
        listener(context);
    }
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    --m_telling;
}

void VirtioGpu::set_change_listener(ChangeListener listener, void* context) {
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        m_listener = listener;
        m_listener_context = context;
    }
    auto const is_telling = [&] {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        return m_telling != 0;
    };
    while (is_telling()) {
        sync::relax();
    }
    if (listener != nullptr && wants_mode()) {
        listener(context);
    }
}

void VirtioGpu::close() {
    m_device.close();
    unmap(m_backing);
    m_transport.close();
    DriverEnvironment const environment = m_environment;
    // A device that does not stop keeps what it may write to.
    if (m_device.is_stopped()) {
        m_pixels.free(environment.heap);
        environment.frames.free_pages(m_page, 1).value(); // taken by `open`
    }
    this->~VirtioGpu();
    memory::free_room(environment.heap, this);
}

} // namespace twofold::device
