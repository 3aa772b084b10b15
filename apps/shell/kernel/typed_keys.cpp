// See typed_keys.hpp.
#include "apps/shell/kernel/typed_keys.hpp"

#include "apps/shell/sequences.hpp"
#include "hal/clock.hpp"

#include <utility>

namespace twofold::shell {

namespace {

constexpr char interrupt = 0x03; // ctrl-C
constexpr char suspend = 0x1a;   // ctrl-Z
constexpr Nanos look_again{10'000'000};
constexpr std::string_view report_begin = "\x1b[48;";

/// ROWS;COLUMNS of a report, and whatever follows; nothing where they are not.
std::optional<text::ScreenSize> parse_size(std::string_view numbers) {
    usize const first = numbers.find(';');
    if (first == std::string_view::npos) {
        return std::nullopt;
    }
    usize const second = std::min(numbers.find(';', first + 1), numbers.size());
    auto const rows = parse_unsigned(numbers.substr(0, first));
    auto const columns = parse_unsigned(numbers.substr(first + 1, second - first - 1));
    if (!rows || !columns || rows.value() == 0 || columns.value() == 0) {
        return std::nullopt;
    }
    return text::ScreenSize{
        static_cast<u32>(std::min<u64>(columns.value(), text::columns_max)),
        static_cast<u32>(std::min<u64>(rows.value(), text::rows_max))};
}

} // namespace

Result<void> TypedKeys::begin() {
    task::ThreadAttributes attributes;
    attributes.name = "keys";
    m_thread = TRY(m_threads.spawn(
        attributes, [](void* self) { static_cast<TypedKeys*>(self)->run(); }, this));
    return {};
}

void TypedKeys::end() {
    m_seat.stop();
    m_threads.join(*m_thread).value(); // nobody else joins it
}

void TypedKeys::run() {
    while (auto const byte = m_seat.read()) {
        take(*byte);
    }
    release_report();
    m_has_ended.store(1, release);
    m_queue.close();
}

void TypedKeys::take(char byte) {
    if (take_report(byte)) {
        return;
    }
    bool const is_signal = byte == interrupt || byte == suspend;
    if (is_signal && m_listener.take_signal(byte)) {
        return;
    }
    push(byte);
    if (is_signal) {
        m_listener.note_queued_signal();
    }
}

std::optional<char> TypedKeys::extract_signal() {
    constexpr char signals[] = {interrupt, suspend};
    return m_queue.extract({signals, sizeof(signals)});
}

/// Whether the byte belongs to what may be a size report. What turns out to be none is typed.
bool TypedKeys::take_report(char byte) {
    bool const begins = m_report.size() < report_begin.size();
    bool const fits = begins ? byte == report_begin[m_report.size()]
                             : byte == ';' || (byte >= '0' && byte <= '9');
    if (fits && m_report.append(byte)) {
        return true;
    }
    if (!begins && byte == 't') {
        if (auto const size = parse_size(m_report.view().substr(report_begin.size()))) {
            m_listener.take_size(*size);
            m_report.clear();
            return true;
        }
    }
    if (m_report.empty()) {
        return false;
    }
    release_report();
    return take_report(byte); // it may begin another one
}

void TypedKeys::release_report() {
    for (char const held : m_report.view()) {
        push(held);
    }
    m_report.clear();
}

/// Waits for room, but not for what nobody reads: ctrl-C would wait behind that. Once one is
/// dropped, those behind it are, too, until there is room again.
void TypedKeys::push(char byte) {
    Nanos patience = m_is_dropping ? Nanos{} : look_again;
    while (!m_queue.push_until(byte, hal::Clock::now() + patience)) {
        if (!m_listener.is_reading()) {
            m_dropped.fetch_add(1, relaxed);
            if (!std::exchange(m_is_dropping, true)) {
                m_seat.write(bell);
            }
            return;
        }
        patience = look_again;
    }
    m_is_dropping = false;
}

} // namespace twofold::shell
