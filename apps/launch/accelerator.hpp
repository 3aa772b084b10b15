// Whether KVM is worth using here. That it can be opened says little: it may itself be emulated,
// and far slower than the emulator. So the smallest kernel is booted under both once, and the
// answer is remembered for each version of the emulator.
#pragma once

#include "core/base/base.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace twofold::launch {

/// How many seconds a boot took (kvm: under KVM); nothing if it failed or exceeded `limit_s`.
using MeasureBoot = std::function<std::optional<double>(bool kvm, double limit_s)>;

/// Boots under both. KVM is chosen if it boots, and in at most the time that TCG takes with some
/// allowance for noise.
bool kvm_is_faster(MeasureBoot const& measure);

/// What was found out before, as small files of a folder.
class AcceleratorMemory {
public:
    explicit AcceleratorMemory(std::filesystem::path folder) : m_folder(std::move(folder)) {}

    /// In ${XDG_CACHE_HOME:-~/.cache}/twofold; nothing if neither is known.
    static std::optional<AcceleratorMemory> of_user();

    /// The file that holds the answer for `version` of the emulator.
    std::filesystem::path file(std::string_view version) const;

    /// Whether KVM was chosen; nothing if it was never measured or the file is damaged.
    std::optional<bool> recall(std::string_view version) const;

    /// False if it could not be written down, which only means that it is measured again.
    bool remember(std::string_view version, bool kvm) const;

private:
    std::filesystem::path m_folder;
};

/// The first line that the emulator prints for --version; empty if it prints none.
std::string emulator_version(std::filesystem::path const& emulator);

} // namespace twofold::launch
