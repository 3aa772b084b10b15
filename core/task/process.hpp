// A process: threads that share an address space, and from when to when they live. The kernel's own
// threads belong to process 0, which never ends.
//
//      embryo --first thread--> running --end, or the last thread exits--> ending --no thread-->
//      dead
//
// In `ending` no thread begins any more, and those that there are see it where they look
// (Thread::is_to_end). Its capabilities will lie here, too.
#pragma once

#include "core/memory/memory.hpp"
#include "core/sync/sync.hpp"

#include <string_view>

namespace twofold::task {

enum class ProcessState : u8 { embryo, running, ending, dead };
inline constexpr usize process_state_count = 4;

/// The stable name of a state. O(1).
constexpr std::string_view process_state_name(ProcessState state) {
    constexpr std::string_view names[process_state_count] = {"embryo", "running", "ending", "dead"};
    auto const index = static_cast<usize>(state);
    return index < process_state_count ? names[index] : "unknown state";
}

class Process {
public:
    using Name = FixedString<32>;

    /// `space`, which outlives the process, is active while its threads run; null: the kernel's.
    Process(u64 id, Name const& name, memory::AddressSpace* space)
        : m_id(id), m_name(name), m_space(space) {}
    Process(Process const&) = delete;
    Process& operator=(Process const&) = delete;

    u64 id() const { return m_id; }
    std::string_view name() const { return m_name.view(); }
    memory::AddressSpace* space() const { return m_space; }
    ProcessState state();
    u32 threads();

    /// A thread begins. Errors: invalid_state (the process is ending, or dead). Any context but
    /// nmi; O(1).
    Result<void> enter();
    /// A thread has ended. True where it was the last: the process is dead.
    bool leave();
    /// No thread begins from here on. Where there is none the process is dead at once.
    void end();

private:
    u64 m_id;
    Name m_name;
    memory::AddressSpace* m_space;
    sync::SpinLock m_lock{sync::LockRank::task};
    ProcessState m_state GUARDED_BY(m_lock) = ProcessState::embryo;
    u32 m_threads GUARDED_BY(m_lock) = 0;
};

} // namespace twofold::task
