// See running_command.hpp.
#include "core/boot/running_command.hpp"

#include "core/boot/kernel.hpp"
#include "hal/cpu.hpp"

namespace twofold::boot {

CommandText join(std::span<std::string_view const> words) {
    CommandText text;
    for (std::string_view const word : words) {
        if (!text.append(text.empty() ? "" : " ") || !text.append(word)) {
            break;
        }
    }
    return text;
}

RunningCommand::RunningCommand(Kernel& kernel, CommandText const& text)
    : m_kernel(kernel),
      m_text(text),
      m_number(kernel.running.begun.fetch_add(1, relaxed)),
      m_began(hal::Cpu::cycle_counter()) {
    sync::SpinLockGuard const guard(kernel.running.lock, sync::save_interrupts);
    kernel.running.all.push_back(*this);
    kernel.event(trace::EventKind::command_begin, m_number);
}

RunningCommand::~RunningCommand() {
    sync::SpinLockGuard const guard(m_kernel.running.lock, sync::save_interrupts);
    m_kernel.running.all.remove(*this);
}

void RunningCommand::report(u8 status) const {
    CHECK(status <= status::command_max);
    m_kernel.event(trace::EventKind::command_end, m_number, status);
    trace::Record record(trace::RecordType::command);
    record.text(m_text, 3 * trace::Record::number_bytes).integer(status);
    m_kernel.send(record.number(m_began).number(hal::Cpu::cycle_counter()));
}

} // namespace twofold::boot
