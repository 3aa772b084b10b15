// The text screen that a BIOS has left, by what it notes of its video mode.
#include "hal/x86_64/entry/bios_text.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <span>
#include <string>

using namespace metal;

namespace {

/// The BIOS data area's words on the screen.
struct VideoData {
    u8 mode = 3;
    u16 columns = 80;
    u16 page_size = 4096;
    u16 page = 0;
    u16 port = 0x3d4;

    std::optional<hal::TextBuffer> find() const {
        std::string bytes(28, '\0');
        auto const put = [&](usize at, auto value) {
            std::memcpy(bytes.data() + at, &value, sizeof(value));
        };
        put(0, mode);
        put(1, columns);
        put(3, page_size);
        put(5, page);
        put(0x1a, port);
        auto const read = [](void const* context, PhysAddr address, Bytes size) {
            auto const& all = *static_cast<std::string const*>(context);
            return address.value == 0x449 && size.value == all.size()
                       ? std::as_bytes(std::span(all))
                       : std::span<std::byte const>();
        };
        return find_bios_text({.read = read, .context = &bytes});
    }
};

} // namespace

TEST(BiosText, IsWhatTheBiosHasNoted) {
    auto const found = VideoData().find();
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->base.value, 0xb8000u);
    EXPECT_EQ(found->columns, 80u);
    EXPECT_EQ(found->rows, 25u);
    EXPECT_EQ(found->pitch, 160u);
}

TEST(BiosText, AnythingElseIsNoTextScreen) {
    EXPECT_FALSE((VideoData{.mode = 0x12}.find().has_value())) << "graphics";
    EXPECT_FALSE((VideoData{.mode = 7, .port = 0x3b4}.find().has_value())) << "monochrome";
    EXPECT_FALSE((VideoData{.columns = 40}.find().has_value()));
    EXPECT_FALSE((VideoData{.page_size = 3999}.find().has_value()));
    EXPECT_FALSE((VideoData{.page = 4096}.find().has_value())) << "another page is shown";
    VideoData const none{.mode = 0, .columns = 0, .page_size = 0, .page = 0, .port = 0};
    EXPECT_FALSE(none.find().has_value()) << "memory that nobody has written";
}
