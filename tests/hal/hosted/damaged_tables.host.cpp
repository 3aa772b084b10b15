// Whole kernels on machines whose firmware left damaged tables: each says what is wrong, runs the
// processors that it can trust in, and none hangs.
#include "core/acpi/acpi.hpp"
#include "hal/hosted/machine.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

namespace {

using namespace twofold;
using hosted::Machine;
using hosted::Stop;

constexpr u32 cpus = 4;
constexpr usize header_length = 4, header_checksum = 9; ///< ACPI 6.5, section 5.2.6
constexpr usize root_entries = 36, madt_records = 44;
constexpr usize record_bytes = 8; ///< of a processor in the MADT, the first records there
constexpr u8 reserved_type = 0x7f;

/// A machine that runs one line of commands, the tables damaged before it starts.
class Patient final : public hosted::ConsoleEndpoint {
public:
    Patient() {
        hosted::MachineConfig config;
        config.memory_bytes = u64{16} << 20;
        config.cpus = cpus;
        config.command_line = "console=pipe command='cpus; log; acpi'";
        auto machine = Machine::create(std::move(config), *this);
        if (!machine) {
            throw std::runtime_error(machine.error());
        }
        m_machine = std::move(*machine);
        constexpr std::string_view signature = "RSD PTR ";
        auto const memory = m_machine->memory();
        auto const is_root_pointer = [&](u64 at) {
            return std::memcmp(&memory[at], signature.data(), signature.size()) == 0;
        };
        while (!is_root_pointer(root_pointer)) {
            root_pointer += 16;
            if (root_pointer >= memory.size()) {
                throw std::runtime_error("no root pointer");
            }
        }
        root = get<u64>(root_pointer + 24);
        madt = find("APIC");
    }

    template<class T>
    T get(u64 address) {
        T value;
        std::memcpy(&value, &m_machine->memory()[address], sizeof(T));
        return value;
    }
    template<class T>
    void put(u64 address, std::type_identity_t<T> value) {
        std::memcpy(&m_machine->memory()[address], &value, sizeof(T));
    }
    /// The table that the root lists under this name.
    u64 find(std::string_view signature) {
        for (u64 at = root + root_entries; at < root + get<u32>(root + header_length); at += 8) {
            if (std::memcmp(&m_machine->memory()[get<u64>(at)], signature.data(), 4) == 0) {
                return get<u64>(at);
            }
        }
        throw std::runtime_error("no such table");
    }
    /// Makes a table's checksum right again, with a length of its own if one is given.
    void seal(u64 table, u32 length = 0) {
        if (length != 0) {
            put<u32>(table + header_length, length);
        }
        put<u8>(table + header_checksum, 0);
        u8 sum = 0;
        for (std::byte const byte :
             m_machine->memory().subspan(table, get<u32>(table + header_length))) {
            sum = static_cast<u8>(sum + static_cast<u8>(byte));
        }
        put<u8>(table + header_checksum, static_cast<u8>(0 - sum));
    }

    /// Where the MADT's record of a processor lies.
    u64 record_of(u32 cpu) const { return madt + madt_records + cpu * record_bytes; }

    std::string run() {
        Stop stop = m_machine->run();
        while (stop.kind == Stop::Kind::waiting_for_input) {
            m_machine->wait(-1);
            stop = m_machine->run();
        }
        EXPECT_EQ(stop.kind, Stop::Kind::exited) << m_machine->crash_report();
        EXPECT_EQ(stop.status, 0);
        return m_printed;
    }

    void write(std::string_view text) override { m_printed += text; }
    hal::ConsoleInput read() override { return {hal::InputStatus::end, '\0'}; }
    void write_result(std::span<std::byte const>) override {}

    u64 root_pointer = 0, root = 0, madt = 0; ///< physical addresses

private:
    std::unique_ptr<Machine> m_machine;
    std::string m_printed;
};

struct Case {
    char const* name;
    void (*damage)(Patient& it);
    char const* run;  ///< how many processors run
    char const* says; ///< what the log says, too
    friend void PrintTo(Case const& test, std::ostream* out) { *out << test.name; }
};

class DamagedTables : public testing::TestWithParam<Case> {};

TEST_P(DamagedTables, AreNamedAndTheKernelRuns) {
    Patient patient;
    GetParam().damage(patient);
    std::string const printed = patient.run();
    EXPECT_NE(printed.find(std::string(GetParam().run) + " processors run"), std::string::npos)
        << printed;
    EXPECT_NE(printed.find(GetParam().says), std::string::npos) << printed;
}

constexpr char const* one = "1 of 1";
constexpr char const* all = "4 of 4";
constexpr char const* madt_is_corrupted = "one processor: the table of processors is corrupted";

INSTANTIATE_TEST_SUITE_P(
    All,
    DamagedTables,
    testing::Values(
        Case{"None", [](Patient&) {}, all, "2 ACPI tables"},
        Case{
            "RootPointerMissing", [](Patient& it) { it.put<u64>(it.root_pointer, 0); }, one,
            "are not used: corrupted"},
        Case{
            "RootPointerChecksum",
            [](Patient& it) {
                it.put<u8>(it.root_pointer + 32, 1 + it.get<u8>(it.root_pointer + 32));
            },
            one, "are not used: corrupted"},
        Case{
            "RootChecksum",
            [](Patient& it) { it.put<u8>(it.root + header_checksum, 1 + it.get<u8>(it.root + 9)); },
            one, "are not used: corrupted"},
        Case{
            "RootTruncated", [](Patient& it) { it.seal(it.root, root_entries + 12); }, one,
            "are not used: corrupted"},
        Case{
            "RootEndless", [](Patient& it) { it.put<u32>(it.root + header_length, ~u32{0}); }, one,
            "are not used: corrupted"},
        Case{
            "RootListsItself",
            [](Patient& it) {
                u64 const end = it.root + it.get<u32>(it.root + header_length);
                for (u64 at = it.root + root_entries; at < end; at += 8) {
                    it.put<u64>(at, it.root);
                }
                it.seal(it.root);
            },
            one, "one processor: the table of processors is not_found"},
        Case{
            "RootLeadsNowhere",
            [](Patient& it) {
                it.put<u64>(it.root + root_entries, u64{1} << 40);
                it.put<u64>(it.root + root_entries + 8, ~u64{0});
                it.seal(it.root);
            },
            one, "one processor: the table of processors is not_found"},
        Case{
            "MadtChecksum",
            [](Patient& it) { it.put<u8>(it.madt + header_checksum, 1 + it.get<u8>(it.madt + 9)); },
            one, madt_is_corrupted},
        Case{"MadtTruncated", [](Patient& it) { it.seal(it.madt, 40); }, one, madt_is_corrupted},
        Case{
            "MadtCutInARecord",
            [](Patient& it) { it.seal(it.madt, madt_records + record_bytes + 3); }, one,
            madt_is_corrupted},
        Case{
            "MadtRecordOfNoLength",
            [](Patient& it) {
                it.put<u8>(it.record_of(2) + 1, 0);
                it.seal(it.madt);
            },
            one, madt_is_corrupted},
        Case{
            "MadtRecordLongerThanTheTable",
            [](Patient& it) {
                it.put<u8>(it.record_of(3) + 1, 255);
                it.seal(it.madt);
            },
            one, madt_is_corrupted},
        Case{
            "MadtRecordOfAReservedType",
            [](Patient& it) {
                it.put<u8>(it.record_of(2), reserved_type);
                it.seal(it.madt);
            },
            "3 of 3", "2 ACPI tables"},
        Case{
            "ProcessorSaidTwice",
            [](Patient& it) {
                it.put<u8>(it.record_of(3) + 3, 2);
                it.seal(it.madt);
            },
            "3 of 3", "2 ACPI tables"},
        Case{
            "ProcessorNotEnabled",
            [](Patient& it) {
                it.put<u32>(it.record_of(3) + 4, 0);
                it.seal(it.madt);
            },
            "3 of 3", "2 ACPI tables"},
        Case{
            "ProcessorThatMayComeLater",
            [](Patient& it) {
                it.put<u32>(it.record_of(3) + 4, 2); // online capable
                it.seal(it.madt);
            },
            "3 of 3", "2 ACPI tables"},
        Case{
            "ProcessorThatTheMachineLacks",
            [](Patient& it) {
                it.put<u8>(it.record_of(3) + 3, 40);
                it.seal(it.madt);
            },
            "3 of 4", "processor 3 (hardware id 40) does not run: timed_out"},
        Case{
            "SratRecordOfNoLength",
            [](Patient& it) {
                u64 const srat = it.find("SRAT");
                it.put<u8>(srat + 48 + 1, 0);
                it.seal(srat);
            },
            all, "corrupted"}),
    [](auto const& param) { return std::string(param.param.name); });

} // namespace
