// ScancodeDecoder: the bytes of a keyboard in, keys out, one byte at a time.
//
// No byte can bring it out of step for long: a prefix or a code that does not belong where it comes
// ends what was under way, and is looked at anew; after one whole stroke of a key the next is
// understood. Bytes by which a keyboard says that it has lost something, or starts over, are told
// apart, since whoever keeps which keys are down must not trust that any more. Pure; any context.
#pragma once

#include "core/device/input/keys.hpp"

#include <optional>

namespace twofold::device {

struct KeyChange {
    Key key = Key::none;
    bool pressed = false;
    constexpr bool operator==(KeyChange const&) const = default;
};

class ScancodeDecoder {
public:
    struct Counts {
        u64 unknown = 0; ///< codes that belong to no key
        u64 resyncs = 0; ///< sequences that were broken off
        u64 losses = 0;  ///< times that the keyboard has said so
    };

    explicit ScancodeDecoder(ScancodeSet set) : m_set(set) {}

    /// Takes the next byte, which may complete a change of a key. O(1).
    std::optional<KeyChange> take(u8 byte);
    /// Whether the keyboard has said since the last call that it has lost something. O(1).
    bool take_loss();
    /// Bytes have been lost on the way. O(1).
    void restart() { m_now = {}; }

    ScancodeSet set() const { return m_set; }
    Counts const& counts() const { return m_counts; }

private:
    enum class Prefix : u8 { none, extended, announced };
    /// What has come of a sequence.
    struct Progress {
        Prefix prefix = Prefix::none;
        bool is_break = false; ///< of set 2
        u8 announced = 0;      ///< codes of the two behind 0xe1
    };

    bool is_loss(u8 byte) const;
    void break_off();
    std::optional<KeyChange> take_announced(bool is_break);
    std::optional<KeyChange> take_code(u8 byte);

    ScancodeSet m_set;
    bool m_has_lost = false;
    Progress m_now;
    Counts m_counts;
};

} // namespace twofold::device
