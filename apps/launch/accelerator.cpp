// Measuring and remembering whether KVM is worth using. See accelerator.hpp.
#include "apps/launch/accelerator.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <system_error>

namespace twofold::launch {

namespace {

namespace fs = std::filesystem;

constexpr double tcg_limit_s = 20;
/// Most of a short boot is the start of the emulator itself, equal for both: a KVM that is worth
/// using does not exceed this.
constexpr double kvm_allowance = 1.5;
constexpr double kvm_allowance_s = 0.1;

} // namespace

bool kvm_is_faster(MeasureBoot const& measure) {
    auto const tcg_s = measure(false, tcg_limit_s);
    double const limit_s = tcg_s ? *tcg_s * kvm_allowance + kvm_allowance_s : tcg_limit_s;
    auto const kvm_s = measure(true, limit_s);
    return kvm_s && *kvm_s <= limit_s;
}

std::optional<AcceleratorMemory> AcceleratorMemory::of_user() {
    if (char const* const cache = std::getenv("XDG_CACHE_HOME"); cache && cache[0] == '/') {
        return AcceleratorMemory(fs::path(cache) / "twofold");
    }
    if (char const* const home = std::getenv("HOME"); home && home[0] == '/') {
        return AcceleratorMemory(fs::path(home) / ".cache" / "twofold");
    }
    return std::nullopt;
}

fs::path AcceleratorMemory::file(std::string_view version) const {
    std::string name = "accelerator-";
    for (char const letter : version) {
        bool const plain = std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '.';
        name += plain ? letter : '-';
    }
    return m_folder / name;
}

std::optional<bool> AcceleratorMemory::recall(std::string_view version) const {
    std::ifstream stream(file(version));
    std::string word;
    stream >> word;
    if (word != "kvm" && word != "tcg") {
        return std::nullopt;
    }
    return word == "kvm";
}

bool AcceleratorMemory::remember(std::string_view version, bool kvm) const {
    std::error_code error;
    fs::create_directories(m_folder, error);
    fs::path const final_name = file(version);
    fs::path const draft = final_name.string() + fmt::format(".{}", getpid());
    std::ofstream stream(draft);
    stream << (kvm ? "kvm\n" : "tcg\n");
    stream.close();
    if (stream) {
        fs::rename(draft, final_name, error);
    }
    bool const written = stream && !error;
    if (!written) {
        fs::remove(draft, error);
    }
    return written;
}

std::string emulator_version(fs::path const& emulator) {
    // The path comes from PATH's own folders and a fixed name; quotes guard against blanks in it.
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const stream(
        popen(
            fmt::format("\"{}\" --version </dev/null 2>/dev/null", emulator.string()).c_str(),
            "re"),
        pclose);
    char line[256] = "";
    if (!stream || std::fgets(line, sizeof(line), stream.get()) == nullptr) {
        return {};
    }
    std::string text = line;
    text.resize(text.find_last_not_of("\r\n") + 1);
    return text;
}

} // namespace twofold::launch
