// The driver of virtio-gpu with a model of the device: pixels on its screen, other modes, devices
// that refuse, lie or are silent.
#include "core/boot/boot.hpp"
#include "core/task/task.hpp"
#include "tests/core/device/virtio/gpu_model.hpp"
#include "tests/support/test.hpp"

using namespace twofold;
using namespace twofold::test_virtio;
using device::DisplayMode;
using device::VirtioGpu;

namespace {

/// A model in memory of the heap (it is large), and its driver.
struct Opened {
    Opened() : model(*std::construct_at(room, boot::current_kernel())) {}
    ~Opened() {
        if (gpu != nullptr) {
            gpu->close();
        }
        std::destroy_at(room);
        memory::free_room(*boot::current_kernel().heap, room);
    }
    Result<void> open() {
        gpu = TRY(VirtioGpu::open(
            environment(boot::current_kernel(), pci::Configuration::of(access)), model));
        return {};
    }

    GpuModel* room = memory::allocate_room<GpuModel>(*boot::current_kernel().heap, 1).value();
    GpuModel& model;
    boot::MachineAccess access;
    VirtioGpu* gpu = nullptr;
};

/// Each pixel tells where it is.
void paint(device::Display& display, u32 salt) {
    u32 number = salt;
    for (u32& pixel : display.pixels()) {
        pixel = number++ & 0xff'ffff;
    }
}

u32 painted(device::Display const& display, u32 x, u32 y, u32 salt) {
    return (salt + y * display.mode().width + x) & 0xff'ffff;
}

/// How many pixels of the model's screen are those that paint(salt) has made inside of `area`, and
/// `outside` elsewhere.
u32 differences(Opened& it, text::Rectangle const& area, u32 salt, u32 outside) {
    DisplayMode const mode = it.gpu->mode();
    u32 wrong = 0;
    for (u32 y = 0; y < mode.height; ++y) {
        for (u32 x = 0; x < mode.width; ++x) {
            bool const is_inside = area.contains({static_cast<i32>(x), static_cast<i32>(y), 1, 1});
            u32 const wanted = is_inside ? painted(*it.gpu, x, y, salt) : outside;
            wrong += it.model.pixel(x, y) != wanted ? 1 : 0;
        }
    }
    return wrong;
}

/// Waits until the display wants a mode.
bool comes(VirtioGpu const& gpu) {
    for (u32 i = 0; i < 1000 && !gpu.wants_mode(); ++i) {
        processor::sleep_for(Nanos{1'000'000}).value();
    }
    return gpu.wants_mode();
}

} // namespace

TEST(VirtioGpu, ShowsBlackThenWhatIsPresented) {
    Opened it;
    ASSERT_TRUE(it.open().has_value());
    EXPECT_TRUE(it.gpu->mode() == (DisplayMode{320, 200}));
    EXPECT_EQ(it.gpu->pixels().size(), 320u * 200u);
    EXPECT_EQ(differences(it, {}, 0, 0), 0u);
    paint(*it.gpu, 7);
    text::Rectangle const area{13, 11, 101, 57};
    ASSERT_TRUE(it.gpu->present(area).has_value());
    EXPECT_EQ(differences(it, area, 7, 0), 0u);
    EXPECT_EQ(it.model.flushes, 1u);
    EXPECT_EQ(it.gpu->counts().presents, 1u);
    EXPECT_EQ(it.gpu->counts().pixels, 101u * 57u);
    ASSERT_TRUE(it.gpu->present({-100, -100, 5000, 5000}).has_value()); // all of it
    EXPECT_EQ(differences(it, {0, 0, 320, 200}, 7, 0), 0u);
    ASSERT_TRUE(it.gpu->present({320, 0, 10, 10}).has_value()); // nothing of it
    EXPECT_EQ(it.gpu->counts().presents, 2u);
    EXPECT_EQ(it.model.mistakes, 0u);
    EXPECT_FALSE(it.gpu->wants_mode());
}

TEST(VirtioGpu, TakesTheModeOfItsWindow) {
    Opened it;
    ASSERT_TRUE(it.open().has_value());
    Atomic<u32> told{0};
    it.gpu->set_change_listener(
        [](void* counter) { static_cast<Atomic<u32>*>(counter)->fetch_add(1, relaxed); }, &told);
    it.model.resize({123, 77});
    ASSERT_TRUE(comes(*it.gpu));
    it.gpu->set_change_listener(nullptr, nullptr); // it runs no more
    EXPECT_EQ(told.load(relaxed), 1u);
    EXPECT_TRUE(it.gpu->mode() == (DisplayMode{320, 200}));
    ASSERT_TRUE(it.gpu->adopt_mode().has_value());
    EXPECT_TRUE(it.gpu->mode() == (DisplayMode{123, 77}));
    EXPECT_FALSE(it.gpu->wants_mode());
    EXPECT_EQ(it.model.resources(), 1u);
    EXPECT_EQ(differences(it, {}, 0, 0), 0u);
    paint(*it.gpu, 99);
    ASSERT_TRUE(it.gpu->present({0, 0, 123, 77}).has_value());
    EXPECT_EQ(differences(it, {0, 0, 123, 77}, 99, 0), 0u);
    it.model.resize({123, 77}); // an event, and no other mode
    paint(*it.gpu, 3);
    ASSERT_TRUE(it.gpu->present({5, 5, 2, 2}).has_value());
    EXPECT_FALSE(it.gpu->wants_mode());
    EXPECT_EQ(it.model.mistakes, 0u);
}

TEST(VirtioGpu, AModeThatIsRefusedChangesNothing) {
    for (gpu::Kind const refused :
         {gpu::Kind::create_resource, gpu::Kind::attach_backing, gpu::Kind::set_scanout}) {
        Opened it;
        ASSERT_TRUE(it.open().has_value());
        it.model.resize({64, 64});
        ASSERT_TRUE(comes(*it.gpu));
        it.model.refused = refused;
        auto const adopted = it.gpu->adopt_mode();
        ASSERT_FALSE(adopted.has_value());
        EXPECT_EQ(adopted.error(), Error::io_failed);
        EXPECT_EQ(it.gpu->counts().errors, 1u);
        it.model.refused = std::nullopt;
        EXPECT_TRUE(it.gpu->mode() == (DisplayMode{320, 200}));
        EXPECT_EQ(it.model.resources(), 1u);
        paint(*it.gpu, 1);
        ASSERT_TRUE(it.gpu->present({0, 0, 320, 200}).has_value());
        EXPECT_EQ(differences(it, {0, 0, 320, 200}, 1, 0), 0u);
        ASSERT_TRUE(it.gpu->adopt_mode().has_value());
        EXPECT_TRUE(it.gpu->mode() == (DisplayMode{64, 64}));
    }
}

TEST(VirtioGpu, OfAScreenThatIsOffAModeIsChosen) {
    Opened it;
    it.model.set_mode({0, 0});
    auto const opened = it.open(); // which is more than the model has room for
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error(), Error::io_failed);
    EXPECT_TRUE(it.model.is_closed);
}

TEST(VirtioGpu, LiesAreErrors) {
    Opened it;
    ASSERT_TRUE(it.open().has_value());
    it.model.refused = gpu::Kind::transfer_to_host;
    auto const refused = it.gpu->present({0, 0, 1, 1});
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error(), Error::io_failed);
    it.model.refused = std::nullopt;
    it.model.forgets_fences = true;
    auto const unfenced = it.gpu->present({0, 0, 1, 1});
    ASSERT_FALSE(unfenced.has_value());
    EXPECT_EQ(unfenced.error(), Error::corrupted);
    it.model.forgets_fences = false;
    it.model.answers_cut = 8;
    auto const cut = it.gpu->present({0, 0, 1, 1});
    ASSERT_FALSE(cut.has_value());
    EXPECT_EQ(cut.error(), Error::corrupted);
    it.model.answers_cut = 0;
    EXPECT_TRUE(it.gpu->present({0, 0, 1, 1}).has_value());
    EXPECT_EQ(it.gpu->counts().errors, 3u);
    EXPECT_EQ(it.gpu->counts().presents, 1u);
}

TEST(VirtioGpu, OneThatDoesNotSayItsModeIsNotOpened) {
    for (u32 const cut : {8u, 392u}) {
        Opened it;
        it.model.answers_cut = cut == 8 ? 8 : 0;
        it.model.refused =
            cut == 8 ? std::optional<gpu::Kind>() : std::optional(gpu::Kind::get_display_info);
        auto const opened = it.open();
        ASSERT_FALSE(opened.has_value());
        EXPECT_EQ(opened.error(), cut == 8 ? Error::corrupted : Error::io_failed);
        EXPECT_TRUE(it.model.is_closed);
        EXPECT_EQ(it.model.status_now, 0u);
    }
}

TEST(VirtioGpu, OneThatFallsSilentIsGivenUp) {
    if (task::Threads::here() == nullptr) {
        return; // a wait that ends is a thread's
    }
    Opened it;
    ASSERT_TRUE(it.open().has_value());
    it.model.is_silent = true;
    auto const silent = it.gpu->present({0, 0, 1, 1});
    ASSERT_FALSE(silent.has_value());
    EXPECT_EQ(silent.error(), Error::timed_out);
    it.model.is_silent = false;
    auto const after = it.gpu->present({0, 0, 1, 1});
    ASSERT_FALSE(after.has_value());
    EXPECT_EQ(after.error(), Error::io_failed);
    EXPECT_FALSE(it.gpu->wants_mode());
}

TEST(VirtioGpu, ShowsAPanicWithoutAnInterrupt) {
    Opened it;
    ASSERT_TRUE(it.open().has_value());
    paint(*it.gpu, 5);
    text::Rectangle const area{3, 5, 90, 70};
    Result<void> shown = Error::timed_out;
    {
        sync::InterruptGuard const off;
        shown = it.gpu->present_in_panic(area);
    }
    ASSERT_TRUE(shown.has_value());
    EXPECT_EQ(differences(it, area, 5, 0), 0u);
    EXPECT_EQ(it.model.flushes, 1u);
    EXPECT_EQ(it.model.mistakes, 0u);
    it.model.refused = gpu::Kind::flush;
    {
        sync::InterruptGuard const off;
        shown = it.gpu->present_in_panic(area);
    }
    EXPECT_EQ(shown.error(), Error::io_failed);
}

TEST(VirtioGpu, OneThatIsSilentHoldsNoPanicUp) {
    Opened it;
    ASSERT_TRUE(it.open().has_value());
    it.model.is_silent = true;
    Nanos const began = hal::Clock::now();
    Result<void> shown;
    {
        sync::InterruptGuard const off;
        shown = it.gpu->present_in_panic({0, 0, 1, 1});
    }
    EXPECT_EQ(shown.error(), Error::timed_out);
    EXPECT_TRUE(hal::Clock::now() - began < (Nanos{i64{30} * 1'000'000'000}));
    sync::InterruptGuard const off;
    EXPECT_EQ(it.gpu->present_in_panic({0, 0, 1, 1}).error(), Error::io_failed);
}
