// The two directions of a guest's console on their way through the launcher, as pure state
// machines: what firmware prints before the kernel speaks is held back, and what a person types may
// be meant for the launcher.
#pragma once

#include "core/base/base.hpp"

#include <string>
#include <string_view>

namespace twofold::launch {

/// Bytes on their way to a slow reader. All operations are O(bytes moved), amortised.
class ByteQueue {
public:
    void append(std::string_view bytes) { m_bytes += bytes; }
    bool empty() const { return m_taken == m_bytes.size(); }
    usize size() const { return m_bytes.size() - m_taken; }

    /// The oldest bytes, all in one piece.
    std::string_view front() const { return std::string_view(m_bytes).substr(m_taken); }

    /// Drops the `count` oldest bytes, of which there must be as many.
    void consume(usize count) {
        CHECK(count <= size());
        m_taken += count;
        if (m_taken * 2 > m_bytes.size()) {
            m_bytes.erase(0, m_taken);
            m_taken = 0;
        }
    }

private:
    std::string m_bytes;
    usize m_taken = 0; ///< bytes at the front that are gone already
};

/// Lets bytes through once a line has come that is the nonce and nothing else. The nonce may follow
/// firmware's last, unfinished line; its own line ends at once.
class OutputFilter {
public:
    explicit OutputFilter(std::string nonce) : m_nonce(std::move(nonce)) {}

    /// Appends to `out` what of `bytes` is the kernel's. O(n).
    void feed(std::string_view bytes, ByteQueue& out);

    /// Whether the kernel has spoken.
    bool open() const { return m_open; }

    /// The end of what was held back; for a run in which the kernel never spoke.
    std::string_view held_back() const { return m_held; }

private:
    std::string m_nonce;
    std::string m_held;
    bool m_open = false;
};

/// The end of what firmware and boot loaders printed, fit to be read: without escape sequences and
/// other control characters, runs of blanks and of newlines as one. At most `bytes_max`. O(n).
std::string readable_end(std::string_view text, usize bytes_max);

/// Recognises the launcher's own keys in what a person types: ctrl-A x, ctrl-A h, ctrl-A ctrl-A.
class KeyFilter {
public:
    /// What the launcher was asked for.
    struct Wishes {
        bool help = false;
        bool quit = false;

        bool operator==(Wishes const&) const = default;
    };

    /// Appends to `guest` what of `bytes` the guest gets. What follows the wish to quit is dropped.
    /// O(n).
    Wishes feed(std::string_view bytes, std::string& guest);

private:
    bool m_escaped = false;
};

} // namespace twofold::launch
