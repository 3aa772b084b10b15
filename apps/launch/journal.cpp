// The verdict on a run. See journal.hpp.
#include "apps/launch/journal.hpp"

#include "apps/launch/status.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twofold::launch {

namespace {

constexpr int status_max = 127; // what debug-exit's seven bits carry

/// The emulator's messages in one line, without its name in front.
std::string one_line(std::string_view messages) {
    std::string out(messages.substr(0, messages.find_last_not_of(" \r\n") + 1));
    std::replace(out.begin(), out.end(), '\n', ';');
    if (auto const colon = out.find(": "); out.starts_with("qemu") && colon != std::string::npos) {
        out.erase(0, colon + 2);
    }
    return out;
}

Verdict dead(std::string const& line) {
    return {static_cast<int>(Status::crash), line};
}

Verdict judge_debug_exit(Journal const& journal, int status) {
    if (journal.exit_status && *journal.exit_status != status) {
        return dead(fmt::format(
            "the exit record says {}, the emulator {}; {}", *journal.exit_status, status,
            journal.progress()));
    }
    if (journal.exit_status && status == static_cast<int>(Status::panic)) {
        std::string_view const text = journal.panic ? std::string_view(*journal.panic) : "no text";
        return {status, fmt::format("the kernel panicked: {}", text.substr(0, text.find('\n')))};
    }
    if (journal.exit_status) {
        return {status, {}};
    }
    // The image's own start, before there is a kernel, can fail without a record.
    bool const own_start = status > static_cast<int>(Status::guest_last) && !journal.said_hello;
    return {
        own_start ? status : static_cast<int>(Status::crash),
        fmt::format(
            "the machine ended with {} and no exit record; {}", status, journal.progress())};
}

} // namespace

void Journal::note(Record const& record) {
    switch (record.type) {
    case RecordType::hello:
        said_hello = true;
        image = record.text(2);
        image_base = record.number(3);
        break;
    case RecordType::step:
        step = record.text(0);
        step_state = record.text(1);
        break;
    case RecordType::ready:
        ready = true;
        break;
    case RecordType::command:
        last_command = record.text(0);
        break;
    case RecordType::test_begin:
        test = record.text(0);
        break;
    case RecordType::test_end:
        test.clear();
        break;
    case RecordType::panic:
        panic = record.text(0);
        break;
    case RecordType::exit:
        exit_status = record.signed_number(0);
        break;
    case RecordType::reset:
        resets = true;
        break;
    case RecordType::test_failure:
    case RecordType::value:
    case RecordType::tests:
        break;
    }
}

std::string Journal::progress() const {
    if (!said_hello && step.empty()) {
        return "the kernel never started";
    }
    if (!test.empty()) {
        return fmt::format("the test '{}' was running", test);
    }
    if (last_command) {
        return fmt::format(
            "start-up was complete; the last command that ended: '{}'", *last_command);
    }
    if (ready) {
        return "start-up was complete; no command had ended";
    }
    if (step.empty()) {
        return "the kernel had started; no start-up step was reached";
    }
    return fmt::format("the last start-up step was '{}' ({})", step, step_state);
}

Verdict judge(
    Journal const& journal,
    ProcessEnd const& end,
    std::string_view reason,
    std::string_view messages) {
    if (end.by_signal) {
        return dead(fmt::format("the emulator was killed by signal {}", end.number));
    }
    bool const spoke = journal.said_hello || journal.exit_status || !journal.step.empty();
    if (!spoke && end.number == 1 && !messages.empty()) {
        return {
            static_cast<int>(Status::usage),
            "the emulator refused to start: " + one_line(messages)};
    }
    if ((end.number & 1) != 0 && end.number >> 1 <= status_max) {
        return judge_debug_exit(journal, end.number >> 1);
    }
    if (journal.panic) {
        return {
            static_cast<int>(Status::panic),
            "the machine died while the kernel reported a panic: " + *journal.panic};
    }
    if (reason == "guest-reset" && journal.resets) {
        return {static_cast<int>(Status::success), {}};
    }
    if (reason == "guest-reset") {
        return dead(fmt::format(
            "the machine reset (triple fault?); {}; --qemu-arg=-d --qemu-arg=int,cpu_reset "
            "--verbose shows the exceptions before it",
            journal.progress()));
    }
    return dead(fmt::format(
        "the emulator ended{}{} with code {}; {}{}{}", reason.empty() ? "" : " by ", reason,
        end.number, journal.progress(), messages.empty() ? "" : "; it said: ", one_line(messages)));
}

} // namespace twofold::launch
