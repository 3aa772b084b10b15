// The registers and rings as the kernel's drivers know them and as the simulated devices do: two
// descriptions of docs/devices-simulated.md, which have to agree.
#include "hal/hosted/sim/devices/ring_layout.hpp"
#include "core/device/ring/layout.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstring>

namespace {

using namespace twofold;
namespace model = hosted::ring;

TEST(RingLayout, RegistersAgree) {
    namespace driver = device::ring_register;
    EXPECT_EQ(driver::signature.value, model::signature);
    EXPECT_EQ(driver::version.value, model::version);
    EXPECT_EQ(driver::control.value, model::control);
    EXPECT_EQ(driver::state.value, model::state);
    EXPECT_EQ(driver::submissions.value, model::submissions);
    EXPECT_EQ(driver::completions.value, model::completions);
    EXPECT_EQ(driver::entries.value, model::entries);
    EXPECT_EQ(driver::submitted.value, model::submitted);
    EXPECT_EQ(driver::taken.value, model::taken);
    EXPECT_EQ(driver::own.value, model::own);
    EXPECT_EQ(device::ring_version, model::version_now);
    EXPECT_EQ(device::ring_run, model::control_run);
    EXPECT_EQ(device::ring_state_running, model::state_running);
}

/// The bytes of an entry in which each field has a value of its own.
template<class Entry>
std::array<std::byte, sizeof(Entry)> bytes_of(Entry const& entry) {
    std::array<std::byte, sizeof(Entry)> bytes;
    std::memcpy(bytes.data(), &entry, sizeof(entry));
    return bytes;
}

TEST(RingLayout, EntriesAgree) {
    EXPECT_EQ(
        bytes_of(device::RingSubmission{1, {2, 3, 4}, 5, 6, 7, 8, 9}),
        bytes_of(model::Submission{1, {2, 3, 4}, 5, 6, 7, 8, 9}));
    EXPECT_EQ(
        bytes_of(device::RingCompletion{1, device::RingStatus::memory, 3, 4}),
        bytes_of(model::Completion{1, model::status_memory, 3, 4}));
    EXPECT_EQ(static_cast<u16>(device::RingStatus::done), model::status_done);
    EXPECT_EQ(static_cast<u16>(device::RingStatus::invalid), model::status_invalid);
}

} // namespace
