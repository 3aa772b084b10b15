// See png_file.hpp.
#include "apps/display/png_file.hpp"

#include "apps/launch/file_place.hpp"

#include <fmt/format.h>
#include <png.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

namespace twofold::display {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(fs::path const& path, std::string_view why) {
    launch::fail_file(path, "--display", why);
}

/// A file beside the one that is wanted, gone unless it takes its place.
class Draft {
public:
    explicit Draft(fs::path const& path)
        : m_path(path),
          m_draft(fmt::format("{}.{}.part", path.string(), getpid())),
          m_file(std::fopen(m_draft.c_str(), "wxe")) {
        if (m_file == nullptr) {
            fail(path, std::strerror(errno));
        }
    }
    Draft(Draft const&) = delete;
    Draft& operator=(Draft const&) = delete;
    ~Draft() {
        if (m_file != nullptr) {
            std::fclose(m_file);
            unlink(m_draft.c_str());
        }
    }

    std::FILE* file() const { return m_file; }
    void take_place() {
        bool const is_written = std::fflush(m_file) == 0 && std::ferror(m_file) == 0;
        int error = errno;
        bool const is_closed = std::fclose(std::exchange(m_file, nullptr)) == 0;
        error = is_written && !is_closed ? errno : error;
        if (!is_written || !is_closed || std::rename(m_draft.c_str(), m_path.c_str()) != 0) {
            error = is_written && is_closed ? errno : error;
            unlink(m_draft.c_str());
            fail(m_path, std::strerror(error));
        }
    }

private:
    fs::path m_path;
    fs::path m_draft;
    std::FILE* m_file;
};

/// What libpng holds; an error in it is an exception.
struct Png {
    explicit Png(fs::path const& path) : target(path) {
        writer = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, refuse, warn);
        info = writer == nullptr ? nullptr : png_create_info_struct(writer);
        if (info == nullptr) {
            png_destroy_write_struct(&writer, nullptr);
            fail(path, "there is no memory");
        }
    }
    Png(Png const&) = delete;
    Png& operator=(Png const&) = delete;
    ~Png() { png_destroy_write_struct(&writer, &info); }

    [[noreturn]] static void refuse(png_structp writer, char const* why) {
        int const error = errno;
        auto const* const self = static_cast<Png const*>(png_get_error_ptr(writer));
        // libpng is C, compiled with unwind tables, as its manual asks of those who throw.
        fail(self->target, error != 0 ? std::strerror(error) : why);
    }
    static void warn(png_structp, char const*) {}

    fs::path const& target;
    png_structp writer = nullptr;
    png_infop info = nullptr;
};

void write_rows(Png& png, Frame const& frame) {
    std::vector<png_byte> line(usize{frame.size().width} * 3);
    for (u32 y = 0; y < frame.size().height; ++y) {
        auto const row = frame.row(y);
        for (usize x = 0; x < row.size(); ++x) {
            line[3 * x] = static_cast<png_byte>(row[x] >> 16);
            line[3 * x + 1] = static_cast<png_byte>(row[x] >> 8);
            line[3 * x + 2] = static_cast<png_byte>(row[x]);
        }
        png_write_row(png.writer, line.data());
    }
}

} // namespace

void write_png(fs::path const& path, Frame const& given) {
    Frame const one({1, 1});
    Frame const& frame = given.pixels().empty() ? one : given;
    Draft draft(path);
    {
        errno = 0;
        Png png(path);
        png_init_io(png.writer, draft.file());
        png_set_IHDR(
            png.writer, png.info, frame.size().width, frame.size().height, 8, PNG_COLOR_TYPE_RGB,
            PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
        png_write_info(png.writer, png.info);
        write_rows(png, frame);
        png_write_end(png.writer, png.info);
    }
    draft.take_place();
}

} // namespace twofold::display
