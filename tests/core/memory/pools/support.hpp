// What the tests of pools stand on: a window of the kernel's space whose commits can be made to
// fail, and accesses that may fault.
#pragma once

#include "core/boot/boot.hpp"
#include "core/memory/memory.hpp"
#include "core/memory/pools/pools.hpp"
#include "tests/core/memory/space/frames.hpp"
#include "tests/support/test.hpp"

namespace twofold::memory::testing {

inline KernelSpace& kernel_space() {
    return *boot::current_kernel().space;
}
inline u64 frames_in_use() {
    return boot::current_kernel().shared_frames->in_use();
}

/// A PoolWindow that counts commits and refuses one, or it and all that follow.
class FailingWindow {
public:
    explicit FailingWindow(Bytes size, std::string_view name = "pool under test")
        : m_window(PoolWindow::create(kernel_space(), {.size = size, .name = name}).value()) {}

    HeapRange range() const { return m_window.range(); }
    Result<void> commit(Bytes offset, Bytes size) {
        ++m_commits;
        bool const chosen =
            m_fail_at != 0 && m_commits >= m_fail_at && (m_commits == m_fail_at || m_for_good);
        return chosen ? Result<void>(Error::out_of_memory) : m_window.commit(offset, size);
    }
    void decommit(Bytes offset, Bytes size) { m_window.decommit(offset, size); }

    /// Commit number `number` from now on fails, or it and all that follow; 0: none.
    void fail_at(u64 number) { arm(number, false); }
    void fail_from(u64 number) { arm(number, true); }
    u64 commits() const { return m_commits; }
    PoolWindow& window() { return m_window; }

private:
    void arm(u64 number, bool for_good) {
        m_fail_at = number == 0 ? 0 : m_commits + number;
        m_for_good = for_good;
    }

    PoolWindow m_window;
    u64 m_commits = 0;
    u64 m_fail_at = 0;
    bool m_for_good = false;
};
static_assert(HeapBacking<FailingWindow>);

/// No frame is lost, and ranges and tables of the kernel agree, from the beginning of a test to its
/// end. Page tables that a window needed are there from the first test on, so the figure is exact.
class NothingIsLost {
public:
    NothingIsLost() : m_before(frames_in_use()) {}
    ~NothingIsLost() {
        EXPECT_EQ(frames_in_use(), m_before);
        EXPECT_TRUE(kernel_space().space().check().has_value());
    }

private:
    u64 m_before;
};

/// While it lives, the frames of the kernel's space come through a source that can fail.
class FailingKernelFrames {
public:
    FailingKernelFrames()
        : m_frames(*boot::current_kernel().shared_frames),
          source(m_frames.source()),
          m_before(m_frames.exchange_source(FrameSupply(source))) {}
    ~FailingKernelFrames() { m_frames.exchange_source(m_before); }
    FailingKernelFrames(FailingKernelFrames const&) = delete;
    FailingKernelFrames& operator=(FailingKernelFrames const&) = delete;

private:
    SharedFrames& m_frames;

public:
    test::FailingSource source;

private:
    FrameSupply m_before;
};

/// Runs `work`, which needs frames and leaves none behind, with each of its allocations failing,
/// once and from then on. It answers out_of_memory, or succeeds where something else served.
/// Returns how many allocations there were.
template<class Work>
u64 fail_each_frame(Work const& work) {
    u64 needed = 0;
    {
        FailingKernelFrames failing;
        EXPECT_TRUE(work().has_value());
        needed = failing.source.calls();
        EXPECT_EQ(failing.source.out(), 0u);
    }
    for (u64 call = 0; call < needed; ++call) {
        for (bool const for_good : {false, true}) {
            NothingIsLost const lost;
            FailingKernelFrames failing;
            for_good ? failing.source.fail_from(call) : failing.source.fail_at(call);
            Result<void> const outcome = work();
            failing.source.recover();
            EXPECT_TRUE(outcome.has_value() || outcome.error() == Error::out_of_memory);
            EXPECT_FALSE(for_good && outcome.has_value());
            EXPECT_EQ(failing.source.out(), 0u);
        }
    }
    return needed;
}

/// The page fault of a one-byte access, if there is one.
inline std::optional<boot::CaughtFault> try_write(std::byte* at) {
    return boot::catch_fault([at] { __atomic_store_n(room_for<u8>(at), u8{1}, __ATOMIC_RELAXED); });
}
inline std::optional<boot::CaughtFault> try_read(std::byte* at) {
    return boot::catch_fault(
        [at] { static_cast<void>(__atomic_load_n(room_for<u8>(at), __ATOMIC_RELAXED)); });
}
inline bool is_absent(std::optional<boot::CaughtFault> const& fault) {
    return fault && fault->kind == hal::FaultKind::page && !fault->cause.present;
}

} // namespace twofold::memory::testing
