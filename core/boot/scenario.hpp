// Scenarios: kernel code that prints nothing and records named values, the same on every machine.
// What a scenario records may depend on the seed, never on wall time, an address or the machine.
#pragma once

#include "core/base/base.hpp"

#include <string_view>

namespace twofold::boot {

class Kernel;

/// Sends the named values of one scenario to the result channel.
class Recorder {
public:
    Recorder(Kernel& kernel, std::string_view scenario) : m_kernel(kernel), m_scenario(scenario) {}

    /// Records a value. Names are unique within a scenario; bytes at most 900.
    void text(std::string_view name, std::string_view bytes);
    void number(std::string_view name, u64 value);
    void truth(std::string_view name, bool value);
    void error(std::string_view name, Error value);
    /// The error, "ok", or the number a Result holds.
    template<class T>
    void result(std::string_view name, Result<T> const& outcome) {
        if (!outcome.has_value()) {
            error(name, outcome.error());
        } else if constexpr (std::is_convertible_v<T, u64>) {
            number(name, outcome.value());
        } else {
            text(name, "ok");
        }
    }

    u64 count() const { return m_count; }

private:
    Kernel& m_kernel;
    std::string_view m_scenario;
    u64 m_count = 0;
};

struct Scenario {
    std::string_view name; ///< the room it covers
    void (*run)(Recorder&, Kernel&);
};

/// Commands `scenarios` (one name a line) and `scenario NAME`; images that carry scenarios list
/// them.
struct CommandTable scenario_commands();

} // namespace twofold::boot
