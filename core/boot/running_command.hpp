// The commands that run now, for reports: several may, in threads of their own.
#pragma once

#include "core/base/base.hpp"
#include "core/boot/options.hpp"
#include "core/sync/sync.hpp"

#include <span>
#include <string_view>

namespace twofold::boot {

class Kernel;
class RunningCommand;
struct RunningCommandsTag;

struct RunningCommands {
    sync::SpinLock lock{sync::LockRank::innermost};
    /// Oldest first. Under the lock, but for the report of a panic, when nobody else runs.
    IntrusiveList<RunningCommand, RunningCommandsTag> all;
    Atomic<u64> begun{0};
};

using CommandText = FixedString<Options::command_max>;

/// The words with blanks between, for reports; cut where they are too long.
CommandText join(std::span<std::string_view const> words);

/// A command runs as long as this lives. Context thread.
class RunningCommand : public ListNode<RunningCommandsTag> {
public:
    RunningCommand(Kernel& kernel, CommandText const& text);
    ~RunningCommand();
    RunningCommand(RunningCommand const&) = delete;
    RunningCommand& operator=(RunningCommand const&) = delete;

    std::string_view text() const { return m_text; }
    /// Tells the result channel how it has ended.
    void report(u8 status) const;

private:
    Kernel& m_kernel;
    CommandText m_text;
    u64 m_number;
    u64 m_began; ///< cycles
};

} // namespace twofold::boot
