// For tests of address spaces: the kernel's own frames, counted, and refused on demand; a value put
// into a space and got from it.
#pragma once

#include "core/boot/boot.hpp"
#include "tests/support/test.hpp"

namespace twofold::test {

/// A source over the kernel's that can fail at one allocation, or at it and all that follow.
class FailingSource {
public:
    static constexpr u64 never = ~u64{0};

    explicit FailingSource(memory::FrameSupply inner) : m_inner(inner) {}

    Result<PhysAddr> allocate(unsigned order) {
        u64 const number = m_calls.fetch_add(1, relaxed);
        if (number == m_fail_at.load(relaxed) || number >= m_fail_from.load(relaxed)) {
            return Error::out_of_memory;
        }
        PhysAddr const block = TRY(m_inner.allocate(order));
        m_out.fetch_add(u64{1} << order, relaxed);
        return block;
    }
    Result<void> free(PhysAddr frame, unsigned order) {
        u64 const before = m_out.fetch_sub(1, relaxed);
        CHECK(order == 0 && before > 0);
        return m_inner.free(frame);
    }
    Result<void> split(PhysAddr, unsigned) { return {}; } // the inner source's are divided

    /// Call number `call` from now on fails, and with `from` every later one too.
    void fail_at(u64 call) { m_fail_at.store(calls() + call, relaxed); }
    void fail_from(u64 call) { m_fail_from.store(calls() + call, relaxed); }
    void recover() {
        m_fail_at.store(never, relaxed);
        m_fail_from.store(never, relaxed);
    }
    u64 calls() const { return m_calls.load(relaxed); }
    u64 out() const { return m_out.load(relaxed); }

private:
    memory::FrameSupply m_inner;
    Atomic<u64> m_calls{0};
    Atomic<u64> m_out{0};
    Atomic<u64> m_fail_at{never};
    Atomic<u64> m_fail_from{never};
};

/// Frames that must all be back at the end.
struct TestFrames {
    FailingSource source{boot::current_kernel().shared_frames->source()};
    memory::SharedFrames frames{
        memory::FrameSupply(source), boot::current_kernel().shared_frames->counts()};

    TestFrames() { frames.use_remote_flush(boot::current_kernel().shared_frames->remote_flush()); }
    ~TestFrames() {
        EXPECT_EQ(frames.in_use(), 0u);
        EXPECT_EQ(source.out(), 0u);
    }
};

/// A value written to a space, and read from it, as the processor would.
inline Result<void> put(memory::AddressSpace& space, VirtAddr address, u64 value) {
    return space.copy_to(address, std::as_bytes(std::span(&value, 1)));
}
inline Result<u64> get(memory::AddressSpace& space, VirtAddr address) {
    u64 value = 0;
    TRY(space.copy_from(std::as_writable_bytes(std::span(&value, 1)), address));
    return value;
}

} // namespace twofold::test
