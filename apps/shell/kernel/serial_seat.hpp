// The seat at the machine's console: its serial line, or the process's standard streams.
#pragma once

#include "apps/shell/kernel/seat.hpp"
#include "core/boot/boot.hpp"
#include "core/task/task.hpp"

#include <optional>

namespace twofold::shell {

class SerialSeat final : public Seat {
public:
    explicit SerialSeat(boot::Kernel& kernel);
    ~SerialSeat();

    std::optional<char> read() override;
    void stop() override;
    void write(std::string_view text) override;
    text::ScreenSize size() override { return {80, 24}; }
    std::string_view name() const override { return "serial"; }

private:
    static constexpr Nanos poll_time{10'000'000};

    void listen();
    void wait();

    boot::Kernel& m_kernel;
    task::Event<task::KernelThreads> m_input; ///< there may be some
    bool m_listens = false;                   ///< from the first time on that there was none
    std::optional<hal::Vector> m_vector;      ///< none: input is looked for again and again
    Atomic<u32> m_is_stopped{0};
};

} // namespace twofold::shell
