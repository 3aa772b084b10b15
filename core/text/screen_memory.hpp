// ScreenMemory<A>: a screen and its memory, from an allocator. Where a resize finds no memory, the
// screen stays as it was.
#pragma once

#include "core/memory/allocator.hpp"
#include "core/text/screen.hpp"

#include <utility>

namespace twofold::text {

/// The allocator outlives it; the screen stays where it is in all sizes, so that terminals and
/// views may refer to it. No thread safety.
template<memory::Allocator A>
class ScreenMemory {
public:
    /// An empty screen. Errors: those of allocate; out_of_range (a size of 0 or above the limits).
    static Result<ScreenMemory> create(A& allocator, ScreenSize size, u32 history_rows) {
        Block block = TRY(Block::create(allocator, size, history_rows));
        Screen screen = TRY(Screen::create(block.bytes(), size, history_rows));
        return ScreenMemory(std::move(block), std::move(screen));
    }

    Screen& screen() { return m_screen; }
    Screen const& screen() const { return m_screen; }

    /// Another size (Screen::create_resized). Errors: those of create. O(cells).
    Result<void> resize(ScreenSize size) {
        Block block = TRY(Block::create(m_block.allocator(), size, m_screen.history_capacity()));
        m_screen = TRY(Screen::create_resized(m_screen, block.bytes(), size));
        m_block = std::move(block);
        return {};
    }

private:
    /// A block of the allocator, owned.
    class Block {
    public:
        static Result<Block> create(A& allocator, ScreenSize size, u32 history_rows) {
            if (size.columns > columns_max || size.rows > rows_max ||
                history_rows > history_rows_max) {
                return Error::out_of_range;
            }
            Bytes const needed = Screen::bytes_needed(size, history_rows);
            std::byte* const block = TRY(allocator.allocate(needed, memory::default_alignment));
            return Block(allocator, {block, needed.value});
        }
        Block(Block&& other) noexcept
            : m_allocator(other.m_allocator), m_bytes(std::exchange(other.m_bytes, {})) {}
        Block& operator=(Block&& other) noexcept {
            std::swap(m_allocator, other.m_allocator);
            std::swap(m_bytes, other.m_bytes);
            return *this;
        }
        Block(Block const&) = delete;
        Block& operator=(Block const&) = delete;
        ~Block() {
            if (!m_bytes.empty()) {
                // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): every constructor sets it
                Result<void> const freed = m_allocator->free(m_bytes.data());
                CHECK(freed.has_value());
            }
        }
        A& allocator() const { return *m_allocator; }
        std::span<std::byte> bytes() const { return m_bytes; }

    private:
        Block(A& allocator, std::span<std::byte> bytes) : m_allocator(&allocator), m_bytes(bytes) {}

        A* m_allocator;
        std::span<std::byte> m_bytes;
    };

    ScreenMemory(Block block, Screen screen)
        : m_block(std::move(block)), m_screen(std::move(screen)) {}

    Block m_block;
    Screen m_screen;
};

} // namespace twofold::text
