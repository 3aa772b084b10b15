// Frames that an operation takes before it takes a lock: for page tables and for nodes of ranges.
//
// Under the lock nothing is allocated and no table is filled, so that it is held for a short time
// only. What is missing there is written down as wanted; the operation gives the lock
// back, refills the stock, and begins the step again. A table that divides a large page is filled
// outside as well: what it must say follows from the entry that it replaces, and serves only as
// long as that is the same.
#pragma once

#include "core/memory/space/frame_view.hpp"
#include "core/memory/space/shared_frames.hpp"

#include <optional>

namespace twofold::memory {

/// Belongs to one operation; gives back what was not used.
class FrameStock {
public:
    /// Whether a frame that is missing is taken at once, by a caller that holds no lock.
    enum class Mode : u8 { prepared, on_demand };
    /// What a frame is to hold: zeros, or the parts of an entry of `level` that is divided.
    struct Content {
        u64 entry = 0; ///< 0: zeros
        unsigned level = 0;

        constexpr bool operator==(Content const&) const = default;
    };
    /// More than any step needs: the tables of a page, both ends of an interval, a frame of nodes.
    static constexpr usize items_max = 10;

    explicit FrameStock(SharedFrames& frames, Mode mode = Mode::prepared)
        : m_frames(frames), m_mode(mode) {}
    FrameStock(FrameStock const&) = delete;
    FrameStock& operator=(FrameStock const&) = delete;
    ~FrameStock() {
        for (Item const& item : m_items) {
            if (item.frame != PhysAddr{}) {
                m_frames.release(item.frame, 0);
            }
        }
    }

    bool is_on_demand() const { return m_mode == Mode::on_demand; }
    SharedFrames& frames() const { return m_frames; }

    /// A frame with this content, which is the caller's then; nothing where there is none, which is
    /// written down as wanted. O(items).
    std::optional<PhysAddr> take(Content const& content) {
        for (usize i = 0; i < m_items.size(); ++i) {
            if (m_items[i].content == content && m_items[i].frame != PhysAddr{}) {
                PhysAddr const frame = m_items[i].frame;
                m_items[i] = m_items.back();
                m_items.pop_back();
                return frame;
            }
        }
        want(content);
        return std::nullopt;
    }
    /// Whether `count` frames of zeros are there; what is missing is wanted. O(items).
    bool covers(usize count) {
        usize there = 0;
        for (Item const& item : m_items) {
            there += item.content == Content{} && item.frame != PhysAddr{} ? 1 : 0;
        }
        for (usize missing = there; missing < count; ++missing) {
            want({});
        }
        return there >= count;
    }

    /// Whether something was asked for that was not there. O(1).
    bool is_short() const { return m_wanted != 0; }

    /// Nothing is wanted any more: the operation goes on without. O(items).
    void forget_wanted() {
        for (usize i = m_items.size(); i-- > 0;) {
            if (m_items[i].frame == PhysAddr{}) {
                m_items.erase(i);
            }
        }
        m_wanted = 0;
    }

    /// Takes what is wanted, filled: zeros by itself, the rest by fill(frame, content). Without any
    /// lock. Errors: as the source's. O(wanted * page).
    template<class Fill>
    Result<void> refill(Fill&& fill) {
        for (Item& item : m_items) {
            if (item.frame != PhysAddr{}) {
                continue;
            }
            if (probe::fails(FaultPoint::spaces_table)) {
                return Error::out_of_memory;
            }
            bool const zeros = item.content == Content{};
            item.frame = TRY(zeros ? m_frames.allocate_zeroed(0) : m_frames.allocate(0));
            --m_wanted;
            if (!zeros) {
                fill(item.frame, item.content);
            }
        }
        CHECK(m_wanted == 0);
        return {};
    }
    /// The same for a stock from which only frames of zeros are taken.
    Result<void> refill() {
        return refill([](PhysAddr, Content const&) { UNREACHABLE(); });
    }

private:
    struct Item {
        Content content;
        PhysAddr frame{}; ///< frame 0: wanted
    };

    void want(Content const& content) {
        if (m_items.full()) {
            drop_one();
        }
        m_items.push_back({content, {}}).value();
        ++m_wanted;
    }
    /// Makes room: an entry that was to be divided has changed since.
    void drop_one() {
        for (usize i = 0; i < m_items.size(); ++i) {
            if (m_items[i].frame != PhysAddr{} && m_items[i].content != Content{}) {
                m_frames.release(m_items[i].frame, 0);
                m_items[i] = m_items.back();
                m_items.pop_back();
                return;
            }
        }
        UNREACHABLE();
    }

    SharedFrames& m_frames;
    Mode m_mode;
    usize m_wanted = 0;
    FixedVector<Item, items_max> m_items;
};

} // namespace twofold::memory
