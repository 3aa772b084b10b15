// The log: the last messages of the kernel, each with a level and the cycle it was written at.
// Messages are formatted by the caller into the record itself; nothing is allocated, and no context
// is refused.
#pragma once

#include "core/trace/slot_ring.hpp"

#include <algorithm>
#include <span>
#include <string_view>

namespace twofold::trace {

enum class LogLevel : u8 { debug, info, warning, error };

/// The stable name of a level. O(1); any context.
constexpr std::string_view level_name(LogLevel level) {
    constexpr std::string_view names[] = {"debug", "info", "warning", "error"};
    auto const index = static_cast<usize>(level);
    return index < std::size(names) ? names[index] : "unknown level";
}

/// One message as it is read back. `text` points into the entry itself.
class LogEntry {
public:
    static constexpr usize text_capacity = 240;

    u64 cycles = 0;
    LogLevel level = LogLevel::info;
    CpuId cpu;

    std::string_view text() const { return {m_text, m_length}; }
    /// Takes as much of `text` as fits; the rest is cut.
    void set_text(std::string_view text) {
        m_length = std::min(text.size(), text_capacity);
        std::copy_n(text.begin(), m_length, m_text);
    }

private:
    char m_text[text_capacity];
    usize m_length = 0;
};

/// The last messages. Lock-free; any context.
class LogRing {
public:
    static constexpr usize capacity = 64;

    /// Appends a message; text beyond LogEntry::text_capacity bytes is cut. O(text).
    void push(u64 cycles, CpuId cpu, LogLevel level, std::string_view text) {
        usize const length = std::min(text.size(), LogEntry::text_capacity);
        Ring::Words64 words{};
        words[0] = cycles;
        words[1] = static_cast<u64>(level) | u64{length} << 8 | u64{cpu.value} << 32;
        for (usize i = 0; i < length; ++i) {
            words[2 + i / 8] |= u64{static_cast<u8>(text[i])} << (i % 8 * 8);
        }
        m_ring.push(words);
    }

    /// Calls visit(LogEntry const&) for each message that is still there, oldest first.
    template<class Visitor>
    void for_each(Visitor&& visit) const {
        m_ring.for_each([&](u64, auto const& words) { visit(decode(words)); });
    }

    u64 written() const { return m_ring.written(); }
    u64 dropped() const { return m_ring.dropped(); }

private:
    static constexpr usize text_words = LogEntry::text_capacity / 8;
    static_assert(LogEntry::text_capacity % 8 == 0 && LogEntry::text_capacity < 256);
    using Ring = SlotRing<2 + text_words, capacity>;

    static LogEntry decode(Ring::Words64 const& words) {
        LogEntry entry;
        entry.cycles = words[0];
        entry.level = static_cast<LogLevel>(words[1] & 0xff);
        entry.cpu = {static_cast<u32>(words[1] >> 32)};
        usize const length = std::min<usize>(words[1] >> 8 & 0xff, LogEntry::text_capacity);
        char text[LogEntry::text_capacity];
        for (usize i = 0; i < length; ++i) {
            text[i] = static_cast<char>(words[2 + i / 8] >> (i % 8 * 8));
        }
        entry.set_text({text, length});
        return entry;
    }

    Ring m_ring;
};

} // namespace twofold::trace
