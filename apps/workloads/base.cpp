// The ground: arithmetic of alignments, numbers as text and back, and checksums, each against a
// second way that is slow and plain.
#include "apps/workloads/rooms.hpp"

namespace twofold::workloads {

namespace {

class BaseWorkload {
public:
    explicit BaseWorkload(Run&) {}
    BaseWorkload(BaseWorkload const&) = delete;
    BaseWorkload& operator=(BaseWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    static void perform(Step& step) {
        align(step);
        format(step);
        sum(step);
    }

    static void end(Check&) {}

private:
    static void align(Step& step) {
        u64 const alignment = u64{1} << step.random.below(20);
        u64 const value = step.random.next() >> (20 + step.random.below(40));
        u64 const rest = value % alignment;
        step.equal("aligned down", value - rest, align_down(value, alignment));
        step.equal(
            "aligned up", rest == 0 ? value : value - rest + alignment, align_up(value, alignment));
        step.equal("is aligned", u64{rest == 0}, u64{is_aligned(value, alignment)});
    }
    static void format(Step& step) {
        u64 const value = step.random.next() >> step.random.below(64);
        char text[64];
        auto const decimal = format_to(std::span(text), "{}", value).text;
        step.equal("a number is read", value, parse_unsigned(decimal).value_or(~value));
        auto const hexadecimal = format_to(std::span(text), "{:#x}", value).text;
        step.equal("a number is read", value, parse_unsigned(hexadecimal).value_or(~value));
    }
    static void sum(Step& step) {
        std::byte bytes[40];
        for (std::byte& each : bytes) {
            each = static_cast<std::byte>(step.random.next());
        }
        usize const cut = step.random.below(sizeof(bytes));
        Crc32 whole;
        whole.update(bytes);
        Crc32 parts;
        parts.update(std::span(bytes).first(cut));
        parts.update(std::span(bytes).subspan(cut));
        step.equal("a checksum of two parts", whole.value(), parts.value());
    }
};

} // namespace

constinit Workload const base_workload = workload_of<BaseWorkload>(
    {.name = "base",
     .about = "alignments, numbers as text, and checksums",
     .cpus = 1,
     .threads = 1});

} // namespace twofold::workloads
