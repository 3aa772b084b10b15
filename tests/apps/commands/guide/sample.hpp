// The command of docs/guides/write-a-command.md: looks at one of the kernel's counts again and
// again, and tells how much it grew.
#pragma once

#include "core/boot/boot.hpp"
#include "core/task/task.hpp"

namespace mine {
using namespace twofold;

using boot::Argument;
using boot::ArgumentCount;
using boot::ArgumentKind;

/// How much a count grows from one look to the next.
class Growth {
public:
    /// 0 at the first look; counts never fall.
    u64 since_last(u64 count) {
        u64 const before = m_looks++ == 0 ? count : m_last;
        m_last = count;
        CHECK(before <= count);
        return count - before;
    }

private:
    u64 m_looks = 0;
    u64 m_last = 0;
};

inline u64 count_of(boot::Kernel& kernel, std::string_view what) {
    if (what == "heap") {
        return kernel.heap->statistics().reserved_ever.value;
    }
    if (what == "frames") {
        return kernel.frames->statistics().allocations;
    }
    u64 switches = 0;
    kernel.threads->dispatcher().known().for_each([&](CpuId cpu) {
        sync::InterruptGuard const off;
        switches += kernel.threads->dispatcher().counts(cpu).switches;
        return true;
    });
    return switches;
}

inline constexpr u64 looks_default = 5;
inline constexpr u64 looks_max = 10'000;
inline constexpr boot::Column columns[] = {{"look", 5}, {"count", 12}, {"growth", 0}};

inline u8 sample(boot::CommandContext& context) {
    u64 looks = looks_default;
    if (context.arguments.size() > 1) {
        looks = parse_unsigned(context.arguments[1]).value(); // a number: it was checked
    }
    if (looks == 0 || looks > looks_max) {
        context.out.line("sample: LOOKS is a number from 1 to {}", looks_max);
        return boot::status::usage;
    }
    context.out.table(columns);
    Growth growth;
    for (u64 look = 1; look <= looks && !context.is_interrupted(); ++look) {
        u64 const count = count_of(context.kernel, context.arguments[0]);
        context.out.row({look, count, growth.since_last(count)});
        context.kernel.threads->sleep_for({20'000'000});
    }
    return context.is_interrupted() ? boot::status::failure : boot::status::success;
}

inline constexpr boot::Command commands[] = {
    {"sample",
     "looks at a count of the kernel again and again",
     sample,
     {{"WHAT", "which count", ArgumentKind::choice, ArgumentCount::one, "switches frames heap"},
      {"LOOKS", "how often; 5 if nothing is said", ArgumentKind::number, ArgumentCount::optional}},
     {{"sample switches", "how often processors switched threads"},
      {"sample heap 10 | sort growth --reverse", "when the heap gave away most"}}},
};

} // namespace mine

namespace twofold {

struct SelectedCommands {
    static constexpr boot::CommandTable table{"mine", mine::commands};
};

} // namespace twofold
