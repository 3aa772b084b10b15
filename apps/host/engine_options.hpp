// The engine that a program of this folder has: the options that it adds, and the machines that it
// makes. One of engines/ is linked.
#pragma once

#include "apps/arguments/arguments.hpp"
#include "apps/launch/disk_option.hpp"
#include "hal/hosted/devices/nvme/nvme_medium.hpp"
#include "hal/hosted/machine.hpp"

#include <expected>
#include <memory>
#include <string>

namespace twofold::host {

class EngineOptions {
public:
    EngineOptions();
    EngineOptions(EngineOptions const&) = delete;
    EngineOptions& operator=(EngineOptions const&) = delete;
    ~EngineOptions();

    static char const* program_name();
    static char const* program_purpose();
    void add_to(Arguments& arguments);
    /// Whether a machine may hear of input while its kernel computes (InputPump).
    static bool hears_input_always();
    /// What lies behind a disk. `number`: which of the machine's. Throws launch::Failure.
    std::shared_ptr<hosted::NvmeMedium>
    make_medium(launch::DiskOption const& disk, usize number) const;
    /// As Machine::create.
    std::expected<std::unique_ptr<hosted::Machine>, std::string>
    create(hosted::MachineConfig config, hosted::ConsoleEndpoint& console) const;
    /// What is to be said of a run that has ended; empty: nothing.
    std::string summary() const;

private:
    struct Values;
    std::unique_ptr<Values> m_values;
};

} // namespace twofold::host
