// Frames as PNG files: read back, they are the same; a file is whole or not there.
#include "apps/display/png_file.hpp"

#include "apps/launch/file_place.hpp"
#include "apps/launch/private_folder.hpp"

#include <gtest/gtest.h>
#include <png.h>

#include <fstream>
#include <sys/resource.h>

namespace {

using namespace twofold;
using namespace twofold::display;
using launch::Failure;
using launch::PrivateFolder;

/// The pixels of a file as a reader of its own (libpng's simple one) sees them.
std::vector<u32> read_png(std::filesystem::path const& path, FrameSize& size) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    EXPECT_NE(png_image_begin_read_from_file(&image, path.c_str()), 0) << image.message;
    image.format = PNG_FORMAT_RGB;
    std::vector<u8> bytes(PNG_IMAGE_SIZE(image));
    EXPECT_NE(png_image_finish_read(&image, nullptr, bytes.data(), 0, nullptr), 0);
    size = {image.width, image.height};
    std::vector<u32> pixels;
    for (usize i = 0; i + 2 < bytes.size(); i += 3) {
        pixels.push_back(u32{bytes[i]} << 16 | u32{bytes[i + 1]} << 8 | bytes[i + 2]);
    }
    return pixels;
}

Frame some_frame(FrameSize size) {
    Frame frame(size);
    std::vector<u32> pixels(u64{size.width} * size.height);
    for (u32 i = 0; i < pixels.size(); ++i) {
        pixels[i] = i * 0x9e'3779u & 0xff'ffffu;
    }
    frame.take(frame.whole(), pixels, size.width);
    return frame;
}

usize files_in(std::filesystem::path const& folder) {
    auto const all = std::filesystem::directory_iterator(folder);
    return static_cast<usize>(std::distance(begin(all), end(all)));
}

TEST(PngFile, ReadsAsItWasWritten) {
    PrivateFolder const folder;
    auto const path = folder.path() / "frame.png";
    for (FrameSize const size : {FrameSize{1, 1}, {7, 3}, {320, 200}}) {
        Frame const frame = some_frame(size);
        write_png(path, frame);
        FrameSize read{};
        auto const pixels = read_png(path, read);
        EXPECT_EQ(read, size);
        EXPECT_TRUE(std::ranges::equal(pixels, frame.pixels()));
    }
    EXPECT_EQ(files_in(folder.path()), 1u) << "nothing else is left";
}

TEST(PngFile, KeepsWhatWasThereWhereItFails) {
    PrivateFolder const folder;
    auto const path = folder.path() / "frame.png";
    std::ofstream(path) << "before";
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    rlimit const few{1000, before.rlim_max}; // as a full disk
    auto* const handler = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &few);
    std::string said;
    try {
        write_png(path, some_frame({320, 200}));
    } catch (Failure const& failure) {
        said = failure.what();
        EXPECT_EQ(failure.status(), launch::Status::io);
    }
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    EXPECT_EQ(said, "--display: cannot write '" + path.string() + "': " + std::strerror(EFBIG));
    EXPECT_EQ(files_in(folder.path()), 1u);
    std::string text;
    std::ifstream(path) >> text;
    EXPECT_EQ(text, "before");
}

TEST(FilePlace, PlacesThatAreNoneAreRefusedBeforehand) {
    using launch::check_file_place;
    PrivateFolder const folder;
    EXPECT_NO_THROW(check_file_place(folder.path() / "new" / "frame.png", "--display"));
    EXPECT_TRUE(std::filesystem::is_directory(folder.path() / "new")) << "made, as for results";
    EXPECT_THROW(check_file_place(folder.path(), "--display"), Failure);
    std::ofstream(folder.path() / "file") << "";
    auto const below = folder.path() / "file" / "frame.png";
    EXPECT_THROW(check_file_place(below, "--display"), Failure);
    EXPECT_THROW(write_png(below, Frame({1, 1})), Failure);
}

TEST(Frame, AreasAreUnited) {
    EXPECT_EQ(united({}, {3, 4, 5, 6}), (FrameArea{3, 4, 5, 6}));
    EXPECT_EQ(united({3, 4, 5, 6}, {}), (FrameArea{3, 4, 5, 6}));
    EXPECT_EQ(united({0, 9, 2, 1}, {5, 4, 1, 1}), (FrameArea{0, 4, 6, 6}));
}

} // namespace
