// Screens and terminals for tests: in memory of the host, small, and readable as text.
#pragma once

#include "core/text/text.hpp"

#include <memory>
#include <new>
#include <string>
#include <vector>

namespace twofold::text::testing {

/// Blocks of the host's heap. Counts those that are out.
class HostAllocator {
public:
    Result<std::byte*> allocate(Bytes size, Bytes) {
        m_blocks.push_back(std::make_unique<std::vector<std::byte>>(size.value));
        return m_blocks.back()->data();
    }
    Result<void> free(std::byte* block) {
        for (auto one = m_blocks.begin(); one != m_blocks.end(); ++one) {
            if ((*one)->data() == block) {
                m_blocks.erase(one);
                return {};
            }
        }
        return Error::out_of_range;
    }
    Result<std::byte*> resize(std::byte*, Bytes, Bytes) { return Error::not_supported; }
    Result<Bytes> usable_size(std::byte*) { return Error::not_supported; }
    memory::AllocatorStatistics statistics() const { return {}; }
    Result<void> verify() { return {}; }

    usize blocks() const { return m_blocks.size(); }

private:
    std::vector<std::unique_ptr<std::vector<std::byte>>> m_blocks;
};

/// A terminal with a screen, and what it reported.
struct Session {
    explicit Session(ScreenSize size, u32 history_rows = 0)
        : memory(ScreenMemory<HostAllocator>::create(allocator, size, history_rows).value()) {}

    Session& operator<<(std::string_view bytes) {
        terminal.write(bytes);
        return *this;
    }

    std::string row(u32 number) const { return text_of(screen.row(number)); }
    std::string history_row(u32 number) const { return text_of(screen.history_row(number)); }
    /// The rows down to the last that is not empty.
    std::vector<std::string> rows() const {
        std::vector<std::string> rows;
        std::vector<char> room(screen.row_text_bytes());
        screen.walk(room, [&](u32, std::string_view text) { rows.emplace_back(text); });
        while (!rows.empty() && rows.back().empty()) {
            rows.pop_back();
        }
        return rows;
    }

    HostAllocator allocator;
    ScreenMemory<HostAllocator> memory;
    Screen& screen = memory.screen();
    std::string reports;
    Terminal terminal{screen, {&reports, [](void* to, std::string_view bytes) {
                                   *static_cast<std::string*>(to) += bytes;
                               }}};

private:
    std::string text_of(std::span<Cell const> cells) const {
        std::vector<char> room(screen.row_text_bytes());
        return std::string(screen.text_of(cells, room));
    }
};

} // namespace twofold::text::testing
