// The hosted machine's display: each command and each way in which it is refused, what reaches the
// sink, sizes that change, and copies in the middle.
#include "hal/hosted/devices/virtio_gpu.hpp"
#include "tests/hal/hosted/virtio_bench.hpp"

namespace {

using namespace hosted;
using namespace hosted::test;
using gpu::Answer;
using gpu::Command;

/// Keeps what is presented.
struct Screen final : FrameSink {
    FrameSize size{};
    std::vector<u32> pixels;
    std::vector<FrameArea> presented;

    void resize(FrameSize to) override {
        size = to;
        pixels.assign(u64{to.width} * to.height, 0);
    }
    void present(FrameArea const& area, std::span<u32 const> from, u32 stride) override {
        ASSERT_LE(area.x + area.width, size.width);
        ASSERT_LE(area.y + area.height, size.height);
        for (u32 row = 0; row < area.height; ++row) {
            for (u32 column = 0; column < area.width; ++column) {
                pixels[u64{area.y + row} * size.width + area.x + column] =
                    from[u64{row} * stride + column];
            }
        }
        presented.push_back(area);
    }
    u32 at(u32 x, u32 y) const { return pixels[u64{y} * size.width + x]; }
};

constexpr u32 x8r8g8b8_little = 2; // B8G8R8X8: words of 0x??RRGGBB

struct Gpu : testing::Test {
    Screen screen;
    VirtioGpu device{screen, {64, 48}};
    VirtioBench bench{device};

    void SetUp() override { bench.start(gpu::queues); }

    template<class Body>
    static std::vector<std::byte> command(u32 type, Body const& body, gpu::Header header = {}) {
        header.type = type;
        auto const first = std::as_bytes(std::span(&header, 1));
        auto const second = std::as_bytes(std::span(&body, 1));
        std::vector<std::byte> all(first.begin(), first.end());
        all.insert(all.end(), second.begin(), second.end());
        return all;
    }
    gpu::Header send(std::span<std::byte const> bytes) {
        auto const answer = bench.perform(gpu::control_queue, bytes, 512);
        gpu::Header header;
        EXPECT_GE(answer.size(), sizeof(header));
        if (answer.size() >= sizeof(header)) {
            std::memcpy(&header, answer.data(), sizeof(header));
        }
        return header;
    }
    template<class Body>
    Answer ask(Command type, Body const& body) {
        return static_cast<Answer>(send(command(static_cast<u32>(type), body)).type);
    }
    Answer create(u32 name, FrameSize size, u32 format = x8r8g8b8_little) {
        return ask(
            Command::resource_create_2d,
            gpu::CreateResource{name, format, size.width, size.height});
    }
    Answer attach(u32 name, std::vector<gpu::BackingEntry> const& entries) {
        auto bytes = command(
            static_cast<u32>(Command::resource_attach_backing),
            gpu::AttachBacking{name, static_cast<u32>(entries.size())});
        auto const more = std::as_bytes(std::span(entries));
        bytes.insert(bytes.end(), more.begin(), more.end());
        return static_cast<Answer>(send(bytes).type);
    }
    Answer detach(u32 name) {
        return ask(Command::resource_detach_backing, gpu::ResourceAlone{name, 0});
    }
    Answer scanout(u32 name, gpu::Rectangle area, u32 number = 0) {
        return ask(Command::set_scanout, gpu::SetScanout{area, number, name});
    }
    Answer transfer(u32 name, gpu::Rectangle area, u64 offset = 0) {
        return ask(Command::transfer_to_host_2d, gpu::Transfer{area, offset, name, 0});
    }
    Answer flush(u32 name, gpu::Rectangle area) {
        return ask(Command::resource_flush, gpu::Flush{area, name, 0});
    }
    /// A word in the backing, whose rows have `width` words.
    void paint(u32 x, u32 y, u32 width, u32 word) {
        bench.put(VirtioBench::data + (u64{y} * width + x) * sizeof(word), word);
    }
    void make(u32 name, FrameSize size) {
        ASSERT_EQ(create(name, size), Answer::ok);
        ASSERT_EQ(attach(name, {{VirtioBench::data, size.width * size.height * 4, 0}}), Answer::ok);
    }
};

TEST_F(Gpu, TellsItsDisplay) {
    auto const answer = bench.perform(
        gpu::control_queue, command(static_cast<u32>(Command::get_display_info), u32{0}), 512);
    gpu::DisplayInfo info;
    ASSERT_EQ(answer.size(), sizeof(info));
    std::memcpy(&info, answer.data(), sizeof(info));
    EXPECT_EQ(info.header.type, static_cast<u32>(Answer::ok_display_info));
    EXPECT_EQ(info.scanouts[0].area.width, 64u);
    EXPECT_EQ(info.scanouts[0].area.height, 48u);
    EXPECT_EQ(info.scanouts[0].enabled, 1u);
    EXPECT_EQ(info.scanouts[1].enabled, 0u);
    EXPECT_EQ(bench.read<gpu::Config>(VirtioPci::config_at).scanouts, 1u);
    auto const narrow = bench.perform(
        gpu::control_queue, command(static_cast<u32>(Command::get_display_info), u32{0}), 100);
    gpu::Header refused;
    ASSERT_EQ(narrow.size(), sizeof(refused));
    std::memcpy(&refused, narrow.data(), sizeof(refused));
    EXPECT_EQ(refused.type, static_cast<u32>(Answer::invalid_parameter));
}

TEST_F(Gpu, ShowsWhatIsFlushed) {
    make(1, {8, 4});
    ASSERT_EQ(scanout(1, {0, 0, 8, 4}), Answer::ok);
    EXPECT_EQ(screen.size, (FrameSize{8, 4}));
    EXPECT_TRUE(screen.presented.empty());
    paint(3, 2, 8, 0xff12'3456);
    paint(0, 0, 8, 0x00ab'cdef);
    ASSERT_EQ(flush(1, {0, 0, 8, 4}), Answer::ok);
    EXPECT_EQ(screen.at(3, 2), 0u) << "not transferred yet";
    ASSERT_EQ(transfer(1, {2, 2, 4, 2}, u64{2 * 8 + 2} * 4), Answer::ok);
    ASSERT_EQ(flush(1, {2, 1, 4, 3}), Answer::ok);
    EXPECT_EQ(screen.presented.back(), (FrameArea{2, 1, 4, 3}));
    EXPECT_EQ(screen.at(3, 2), 0x12'3456u);
    EXPECT_EQ(screen.at(0, 0), 0u) << "outside of what was transferred";
    ASSERT_EQ(transfer(1, {0, 0, 8, 4}), Answer::ok);
    ASSERT_EQ(flush(1, {0, 0, 1, 1}), Answer::ok);
    EXPECT_EQ(screen.at(0, 0), 0xab'cdefu);
    EXPECT_EQ(device.counts().flushes, 3u);
    EXPECT_EQ(device.counts().errors, 0u);
}

TEST_F(Gpu, ShowsAPartOfAResource) {
    make(1, {8, 4});
    make(2, {8, 4});
    paint(5, 3, 8, 0x11'2233);
    ASSERT_EQ(transfer(1, {0, 0, 8, 4}), Answer::ok);
    ASSERT_EQ(scanout(1, {4, 2, 3, 2}), Answer::ok);
    EXPECT_EQ(screen.size, (FrameSize{3, 2}));
    ASSERT_EQ(flush(1, {0, 0, 8, 4}), Answer::ok);
    EXPECT_EQ(screen.presented.back(), (FrameArea{0, 0, 3, 2}));
    EXPECT_EQ(screen.at(1, 1), 0x11'2233u);
    usize const before = screen.presented.size();
    ASSERT_EQ(flush(1, {0, 0, 4, 4}), Answer::ok); // beside it
    ASSERT_EQ(flush(2, {0, 0, 8, 4}), Answer::ok); // of another
    EXPECT_EQ(screen.presented.size(), before);
    ASSERT_EQ(scanout(0, {}), Answer::ok);
    ASSERT_EQ(flush(1, {0, 0, 8, 4}), Answer::ok);
    EXPECT_EQ(screen.presented.size(), before) << "it is off";
    EXPECT_EQ(screen.at(1, 1), 0x11'2233u) << "the last frame stays";
}

TEST_F(Gpu, KnowsEachFormat) {
    struct {
        u32 format;
        u8 bytes[4];
    } const formats[] = {{1, {3, 2, 1, 9}},   {2, {3, 2, 1, 9}},  {3, {9, 1, 2, 3}},
                         {4, {9, 1, 2, 3}},   {67, {1, 2, 3, 9}}, {68, {9, 3, 2, 1}},
                         {121, {9, 3, 2, 1}}, {134, {1, 2, 3, 9}}};
    u32 name = 1;
    for (auto const& each : formats) {
        ASSERT_EQ(create(name, {1, 1}, each.format), Answer::ok);
        ASSERT_EQ(attach(name, {{VirtioBench::data, 4, 0}}), Answer::ok);
        ASSERT_EQ(scanout(name, {0, 0, 1, 1}), Answer::ok);
        bench.put_bytes(VirtioBench::data, std::as_bytes(std::span(each.bytes)));
        ASSERT_EQ(transfer(name, {0, 0, 1, 1}), Answer::ok);
        ASSERT_EQ(flush(name, {0, 0, 1, 1}), Answer::ok);
        EXPECT_EQ(screen.at(0, 0), 0x01'0203u) << each.format;
        ++name;
    }
    EXPECT_EQ(create(99, {1, 1}, 5), Answer::invalid_parameter);
}

TEST_F(Gpu, BackingLiesInPieces) {
    ASSERT_EQ(create(1, {4, 2}), Answer::ok);
    // 32 bytes: 6, 10 and 16 of them, not in their order in memory.
    u64 const first = VirtioBench::data + 0x1000, second = VirtioBench::data,
              third = VirtioBench::data + 0x500;
    ASSERT_EQ(attach(1, {{first, 6, 0}, {second, 10, 0}, {third, 16, 0}}), Answer::ok);
    std::vector<u8> bytes(32);
    for (usize i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<u8>(i);
    }
    auto const all = std::as_bytes(std::span(bytes));
    bench.put_bytes(first, all.first(6));
    bench.put_bytes(second, all.subspan(6, 10));
    bench.put_bytes(third, all.subspan(16));
    ASSERT_EQ(scanout(1, {0, 0, 4, 2}), Answer::ok);
    ASSERT_EQ(transfer(1, {0, 0, 4, 2}), Answer::ok);
    ASSERT_EQ(flush(1, {0, 0, 4, 2}), Answer::ok);
    for (u32 i = 0; i < 8; ++i) {
        EXPECT_EQ(screen.at(i % 4, i / 4), (4 * i + 2) << 16 | (4 * i + 1) << 8 | 4 * i);
    }
    EXPECT_EQ(transfer(1, {0, 0, 4, 2}, 1), Answer::invalid_parameter) << "reaches too far";
    EXPECT_EQ(transfer(1, {0, 0, 4, 2}, ~u64{0}), Answer::invalid_parameter);
    EXPECT_EQ(transfer(1, {0, 0, 4, 1}, 16), Answer::ok) << "from another row";
}

TEST_F(Gpu, RefusesResourcesThatAreNone) {
    EXPECT_EQ(create(0, {4, 4}), Answer::invalid_resource);
    EXPECT_EQ(create(7, {4, 4}), Answer::ok);
    EXPECT_EQ(create(7, {4, 4}), Answer::invalid_resource) << "twice";
    EXPECT_EQ(create(8, {0, 4}), Answer::invalid_parameter);
    EXPECT_EQ(create(8, {4, 8193}), Answer::invalid_parameter);
    EXPECT_EQ(create(8, {8192, 8192}), Answer::out_of_memory) << "256 MiB less what is taken";
    for (u32 const missing : {0u, 9u}) {
        EXPECT_EQ(
            ask(Command::resource_unref, gpu::ResourceAlone{missing, 0}), Answer::invalid_resource);
        EXPECT_EQ(attach(missing, {{0x1000, 4, 0}}), Answer::invalid_resource);
        EXPECT_EQ(detach(missing), Answer::invalid_resource);
        EXPECT_EQ(transfer(missing, {0, 0, 1, 1}), Answer::invalid_resource);
        EXPECT_EQ(flush(missing, {0, 0, 1, 1}), Answer::invalid_resource);
    }
    EXPECT_EQ(scanout(9, {0, 0, 1, 1}), Answer::invalid_resource);
    EXPECT_EQ(ask(Command::resource_unref, gpu::ResourceAlone{7, 0}), Answer::ok);
    EXPECT_EQ(create(7, {2, 2}), Answer::ok) << "the name is free again";
    for (u32 name = 100; name < 100 + VirtioGpu::resources_max - 1; ++name) {
        ASSERT_EQ(create(name, {1, 1}), Answer::ok);
    }
    EXPECT_EQ(create(99, {1, 1}), Answer::out_of_memory);
}

TEST_F(Gpu, RefusesAreasOutside) {
    make(1, {8, 4});
    for (gpu::Rectangle const area :
         {gpu::Rectangle{0, 0, 9, 4},
          {0, 0, 8, 5},
          {8, 0, 1, 1},
          {0, 4, 1, 1},
          {~0u, 0, 2, 1},
          {1, 0, ~0u, 1},
          {0, 0, 0, 1}}) {
        EXPECT_EQ(scanout(1, area), Answer::invalid_parameter);
        EXPECT_EQ(flush(1, area), Answer::invalid_parameter);
        EXPECT_EQ(transfer(1, area), area.width == 0 ? Answer::ok : Answer::invalid_parameter);
    }
    EXPECT_EQ(scanout(1, {0, 0, 8, 4}, 1), Answer::invalid_scanout);
    EXPECT_TRUE(screen.presented.empty());
}

TEST_F(Gpu, RefusesBackingThatIsNone) {
    ASSERT_EQ(create(1, {8, 4}), Answer::ok);
    EXPECT_EQ(transfer(1, {0, 0, 8, 4}), Answer::unspecified) << "it has none";
    EXPECT_EQ(detach(1), Answer::unspecified);
    EXPECT_EQ(attach(1, {}), Answer::invalid_parameter);
    EXPECT_EQ(attach(1, {{VirtioBench::memory_bytes - 4, 8, 0}}), Answer::invalid_parameter);
    EXPECT_EQ(attach(1, {{~u64{0}, 8, 0}}), Answer::invalid_parameter);
    EXPECT_EQ(attach(1, {{0x1000, 0, 0}}), Answer::invalid_parameter);
    EXPECT_EQ(
        ask(Command::resource_attach_backing, gpu::AttachBacking{1, 5}), Answer::invalid_parameter)
        << "the entries are not there";
    EXPECT_EQ(
        ask(Command::resource_attach_backing, gpu::AttachBacking{1, ~0u}),
        Answer::invalid_parameter);
    EXPECT_EQ(attach(1, {{VirtioBench::data, 64, 0}}), Answer::ok);
    EXPECT_EQ(attach(1, {{VirtioBench::data, 128, 0}}), Answer::unspecified) << "twice";
    EXPECT_EQ(transfer(1, {0, 0, 8, 4}), Answer::invalid_parameter) << "too short";
    EXPECT_EQ(transfer(1, {0, 0, 8, 2}), Answer::ok);
    EXPECT_EQ(detach(1), Answer::ok);
    EXPECT_EQ(transfer(1, {0, 0, 8, 2}), Answer::unspecified);
    EXPECT_FALSE(bench.needs_reset());
}

TEST_F(Gpu, RefusesCommandsThatAreNone) {
    EXPECT_EQ(static_cast<Answer>(send(command(0x999, u64{0})).type), Answer::unspecified);
    EXPECT_EQ(static_cast<Answer>(send(command(0x108, u64{0})).type), Answer::unspecified)
        << "of three dimensions";
    EXPECT_EQ(
        static_cast<Answer>(send(command(static_cast<u32>(Command::update_cursor), u64{0})).type),
        Answer::unspecified)
        << "on the wrong queue";
    EXPECT_EQ(ask(Command::resource_create_2d, u32{1}), Answer::invalid_parameter) << "too short";
    EXPECT_EQ(device.counts().errors, 4u);
    EXPECT_FALSE(bench.needs_reset());
    EXPECT_TRUE(bench.perform(gpu::control_queue, std::vector<std::byte>(8), 64).empty());
    EXPECT_TRUE(bench.needs_reset()) << "no header";
    bench.start(gpu::queues);
    EXPECT_TRUE(bench.perform(gpu::control_queue, std::vector<std::byte>(24), 16).empty());
    EXPECT_TRUE(bench.needs_reset()) << "no room for an answer";
    bench.start(gpu::queues);
    EXPECT_EQ(create(1, {1, 1}), Answer::ok);
}

TEST_F(Gpu, FencesComeBack) {
    gpu::Header const fenced{
        .flags = gpu::flag_fence | 2, .fence = 0x1234'5678'9abc, .context = 7, .ring_index = 1};
    gpu::Header const answer = send(command(0x999, u64{0}, fenced));
    EXPECT_EQ(answer.flags, gpu::flag_fence);
    EXPECT_EQ(answer.fence, 0x1234'5678'9abcu);
    EXPECT_EQ(answer.context, 7u);
    EXPECT_EQ(send(command(0x999, u64{0})).flags, 0u);
}

TEST_F(Gpu, AcceptsCursors) {
    std::vector<std::byte> const body(56 - sizeof(u32));
    auto bytes = command(static_cast<u32>(Command::move_cursor), u32{0});
    bytes.insert(bytes.end(), body.begin(), body.end());
    bench.perform(gpu::cursor_queue, bytes, 0);
    EXPECT_EQ(device.counts().commands, 1u);
    EXPECT_EQ(device.counts().errors, 0u);
    EXPECT_EQ(bench.interrupts_of(1 + gpu::cursor_queue), 1u);
    EXPECT_FALSE(bench.needs_reset());
}

TEST_F(Gpu, TellsOfAnotherSize) {
    device.set_size({800, 600});
    EXPECT_EQ(bench.interrupts_of(VirtioBench::config_vector), 0u) << "not noticed yet";
    device.noticed(bench);
    EXPECT_EQ(bench.interrupts_of(VirtioBench::config_vector), 1u);
    EXPECT_EQ(bench.read<gpu::Config>(VirtioPci::config_at).events_read, gpu::event_display);
    bench.write<u32>(VirtioPci::config_at + offsetof(gpu::Config, events_clear), 1);
    EXPECT_EQ(bench.read<gpu::Config>(VirtioPci::config_at).events_read, 0u);
    EXPECT_EQ(bench.read<gpu::Config>(VirtioPci::config_at).events_clear, 0u);
    auto const answer = bench.perform(
        gpu::control_queue, command(static_cast<u32>(Command::get_display_info), u32{0}), 512);
    gpu::DisplayInfo info;
    std::memcpy(&info, answer.data(), std::min(answer.size(), sizeof(info)));
    EXPECT_EQ(info.scanouts[0].area.width, 800u);
    EXPECT_EQ(info.scanouts[0].area.height, 600u);
    device.noticed(bench);
    EXPECT_EQ(bench.interrupts_of(VirtioBench::config_vector), 1u) << "the same";
    device.set_size({0, 1'000'000});
    device.noticed(bench);
    EXPECT_EQ(device.size(), (FrameSize{1, VirtioGpu::side_max}));
}

TEST_F(Gpu, AResetForgetsAll) {
    make(1, {8, 4});
    ASSERT_EQ(scanout(1, {0, 0, 8, 4}), Answer::ok);
    bench.start(gpu::queues);
    EXPECT_EQ(flush(1, {0, 0, 8, 4}), Answer::invalid_resource);
    EXPECT_EQ(create(1, {8192, 8192}), Answer::ok) << "nothing is taken";
}

TEST_F(Gpu, GoesOnFromACopy) {
    make(1, {8, 4});
    ASSERT_EQ(scanout(1, {0, 0, 8, 4}), Answer::ok);
    paint(1, 1, 8, 0x77'8899);
    ASSERT_EQ(transfer(1, {0, 0, 8, 4}), Answer::ok);
    auto const state = device.save();
    Screen other_screen;
    VirtioGpu other(other_screen, {1, 1});
    other.load(state);
    EXPECT_EQ(other.save(), state);
    EXPECT_EQ(other.size(), (FrameSize{64, 48}));
    ASSERT_EQ(other_screen.size, (FrameSize{8, 4}));
    EXPECT_EQ(other_screen.at(1, 1), 0x77'8899u) << "the sink sees what the resource holds";
    ASSERT_EQ(ask(Command::resource_unref, gpu::ResourceAlone{1, 0}), Answer::ok);
    device.load(state);
    EXPECT_EQ(device.save(), state);
    EXPECT_EQ(screen.at(1, 1), 0x77'8899u);
    // The copy's queues stand where they stood; this bench's have gone one chain further.
    EXPECT_EQ(flush(1, {0, 0, 8, 4}), Answer::ok);
}

} // namespace
