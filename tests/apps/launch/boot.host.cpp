// The launcher's parts that need no emulator: its command line, the verdict on a run, the console's
// filters, ELF files, backtraces, the choice of an accelerator.
#include "apps/launch/accelerator.hpp"
#include "apps/launch/boot_options.hpp"
#include "apps/launch/elf_file.hpp"
#include "apps/launch/guest_console.hpp"
#include "apps/launch/hang_report.hpp"
#include "apps/launch/journal.hpp"
#include "apps/launch/json_text.hpp"

#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

using namespace twofold;
using namespace twofold::launch;

namespace {

namespace fs = std::filesystem;

std::string joined(std::vector<std::string> const& words) {
    std::string out;
    for (std::string const& word : words) {
        out += word + ' ';
    }
    return out;
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

/// The options that `arguments` give, or the status and line that they are refused with.
struct Parsed {
    BootOptions options;
    std::optional<int> status;
    std::string error;
};

Parsed parse(std::vector<char const*> arguments) {
    Parsed parsed;
    Arguments known("program", "test");
    add_boot_options(known, parsed.options);
    arguments.insert(arguments.begin(), "program");
    testing::internal::CaptureStderr();
    parsed.status = known.parse(static_cast<int>(arguments.size()), arguments.data());
    parsed.error = testing::internal::GetCapturedStderr();
    return parsed;
}

void expect_refused(BootOptions const& options) {
    try {
        check_boot_options(options);
        ADD_FAILURE() << "accepted";
    } catch (Failure const& failure) {
        EXPECT_EQ(failure.status(), Status::usage);
    }
}

EmulatorPlan plan() {
    EmulatorPlan out;
    out.memory_bytes = u64{8} << 20;
    out.image = "/images/a,b.elf";
    out.kernel_command_line = "nonce=1 command='a, b'";
    return out;
}

/// A folder that lives as long as the test.
struct TemporaryFolder {
    TemporaryFolder() { fs::create_directories(path); }
    ~TemporaryFolder() { fs::remove_all(path); }
    TemporaryFolder(TemporaryFolder const&) = delete;
    TemporaryFolder& operator=(TemporaryFolder const&) = delete;

    fs::path path = fs::temp_directory_path() / ("twofold-boot-test-" + std::to_string(getpid()));
};

} // namespace

TEST(BootOptions, AreReadFromTheCommandLine) {
    Parsed const parsed = parse(
        {"--machine", "microvm", "--accel", "auto", "--icount", "--gdb", "--verbose", "--qemu-arg",
         "-d", "--qemu-arg=int,cpu_reset", "--image", "x.elf", "--command", "version"});
    ASSERT_FALSE(parsed.status.has_value()) << parsed.error;
    EXPECT_EQ(parsed.options.machine, Machine::microvm);
    EXPECT_EQ(parsed.options.accelerator, Accelerator::automatic);
    EXPECT_TRUE(parsed.options.count_instructions);
    EXPECT_EQ(parsed.options.gdb, "");
    EXPECT_EQ(parsed.options.emulator_arguments, (std::vector<std::string>{"-d", "int,cpu_reset"}));
    EXPECT_EQ(parsed.options.image, "x.elf");
    EXPECT_EQ(parsed.options.run.command, "version");
    EXPECT_FALSE(parsed.options.iso.has_value());
}

TEST(BootOptions, TakeOptionalValues) {
    EXPECT_EQ(parse({"--gdb", "1234"}).options.gdb, "1234");
    EXPECT_EQ(parse({"--gdb=1234", "--icount"}).options.gdb, "1234");
    EXPECT_EQ(parse({"--iso"}).options.iso, fs::path());
    EXPECT_EQ(parse({"--iso", "a.iso", "--uefi"}).options.iso, fs::path("a.iso"));
    EXPECT_EQ(parse({"--iso", "--uefi", "--command", "version"}).options.iso, fs::path());
    EXPECT_FALSE(parse({}).options.gdb.has_value());
}

TEST(BootOptions, RefuseNonsenseInOneLine) {
    for (std::vector<char const*> const& arguments : {
             std::vector<char const*>{"--machine", "pc"},
             {"--machine", "0"},
             {"--accel", "xen"},
             {"--gdb", "99999"},
             {"--gdb=x"},
             {"--colour"},
             {"stray"},
         }) {
        Parsed const parsed = parse(arguments);
        EXPECT_EQ(parsed.status, 64) << arguments[0];
        EXPECT_EQ(parsed.error.find('\n'), parsed.error.size() - 1) << parsed.error;
    }
    EXPECT_TRUE(contains(parse({"--machine", "pc"}).error, "'pc' is none of microvm, q35"));
}

TEST(BootOptions, RefuseCombinationsThatMakeNoSense) {
    BootOptions options;
    check_boot_options(options);
    options.uefi = true;
    expect_refused(options);
    options.iso = fs::path();
    check_boot_options(options);
    options.image = "x.elf";
    expect_refused(options);
    options.image.clear();
    options.machine = Machine::microvm;
    expect_refused(options);
    options.machine = Machine::q35;
    options.run.module = "/file";
    expect_refused(options);
    options.iso.reset();
    options.uefi = false;
    check_boot_options(options);
    options = {};
    options.count_instructions = true;
    check_boot_options(options);
    options.accelerator = Accelerator::automatic;
    expect_refused(options);
}

TEST(EmulatorArguments, StartAnImageByPvh) {
    std::string const line = joined(emulator_arguments(plan()));
    for (char const* part :
         {"-machine q35 -accel tcg -cpu max -smp 1 -m 8192K ", "-display none -no-reboot -S ",
          "-vga none -kernel /images/a,b.elf -append nonce=1 command='a, b' ",
          "-device isa-debugcon,iobase=0xe9", "-device isa-debug-exit,iobase=0xf4",
          "-global ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off "}) {
        EXPECT_TRUE(contains(line, part)) << part << " in " << line;
    }
    EXPECT_FALSE(contains(line, "icount") || contains(line, "-gdb") || contains(line, "-cdrom"));
}

TEST(EmulatorArguments, StartACdImageThroughFirmware) {
    EmulatorPlan with_iso = plan();
    with_iso.iso = "/images/x.iso";
    with_iso.firmware = "/ovmf/OVMF.fd";
    std::string const line = joined(emulator_arguments(with_iso));
    EXPECT_TRUE(contains(line, "-cdrom /images/x.iso -boot order=d"));
    EXPECT_TRUE(contains(line, "-bios /ovmf/OVMF.fd"));
    EXPECT_TRUE(
        contains(line, "-fw_cfg name=opt/org.twofold/cmdline,string=nonce=1 command='a,, b' "));
    EXPECT_FALSE(contains(line, "-kernel") || contains(line, "-append"));
}

TEST(EmulatorArguments, CarryTheFurtherChoices) {
    EmulatorPlan chosen = plan();
    chosen.machine = Machine::microvm;
    chosen.kvm = true;
    chosen.cpus = 3;
    chosen.gdb_device = "tcp:127.0.0.1:1,server=on,wait=off";
    chosen.further = {"-d", "int"};
    EXPECT_TRUE(contains(
        joined(emulator_arguments(chosen)),
        "-machine microvm -accel kvm -cpu max,arch-capabilities=off -smp 3"));
    EXPECT_FALSE(contains(joined(emulator_arguments(chosen)), "ICH9"));
    EXPECT_TRUE(joined(emulator_arguments(chosen))
                    .ends_with("-gdb tcp:127.0.0.1:1,server=on,wait=off -d int "));
    chosen.module = "/files/a,b";
    EXPECT_TRUE(contains(joined(emulator_arguments(chosen)), " -initrd /files/a,b "));
    chosen.count_instructions = true;
    EXPECT_TRUE(contains(joined(emulator_arguments(chosen)), "-icount shift=0,sleep=off"));
}

TEST(FindImage, NamesWhatIsMissing) {
    TemporaryFolder const folder;
    fs::path const image = folder.path / "k.elf";
    EXPECT_THROW(find_image(image, ""), Failure);
    EXPECT_THROW(find_image(folder.path, ""), Failure);
    std::ofstream(image) << 'x';
    EXPECT_EQ(find_image(image, ""), image);
    EXPECT_THROW(find_image("", "no-such-image.elf"), Failure);
    EXPECT_EQ(debug_file(image), image);
    std::ofstream(folder.path / "k.debug.elf") << 'x';
    EXPECT_EQ(debug_file(image), folder.path / "k.debug.elf");
}

TEST(Judge, TakesTheStatusThatRecordAndDeviceAgreeOn) {
    Journal journal;
    journal.said_hello = true;
    for (int const status : {0, 1, 63, 64, 124, 127}) {
        journal.exit_status = status;
        Verdict const verdict = judge(journal, {false, (status << 1) | 1}, "", "");
        EXPECT_EQ(verdict.status, status);
        EXPECT_EQ(verdict.line, "");
    }
    journal.exit_status = 70;
    journal.panic = "broken invariant\nstack: ...";
    EXPECT_EQ(judge(journal, {false, 141}, "", "").line, "the kernel panicked: broken invariant");
    EXPECT_EQ(judge(journal, {false, 141}, "", "").status, 70);
}

TEST(Judge, CallsEverythingElseACrash) {
    Journal journal;
    journal.said_hello = true;
    EXPECT_EQ(judge(journal, {false, 1}, "", "").status, 71);   // status 0, but no record
    EXPECT_EQ(judge(journal, {false, 141}, "", "").status, 71); // nor for a panic
    EXPECT_EQ(judge(journal, {false, 0}, "guest-shutdown", "").status, 71);
    EXPECT_EQ(judge(journal, {true, 9}, "", "").status, 71);
    Verdict const reset = judge(journal, {false, 0}, "guest-reset", "");
    EXPECT_EQ(reset.status, 71);
    EXPECT_TRUE(contains(reset.line, "triple fault"));
    journal.exit_status = 3;
    EXPECT_TRUE(contains(
        judge(journal, {false, 1}, "", "").line, "the exit record says 3, the emulator 0"));
    journal.exit_status = 0;
    EXPECT_EQ(judge(journal, {false, 0}, "guest-reset", "").status, 71);
    journal.panic = "x";
    EXPECT_EQ(judge(journal, {false, 0}, "guest-reset", "").status, 70);
}

TEST(Judge, LetsAKernelStartItsMachineAnew) {
    Journal journal;
    journal.said_hello = true;
    journal.resets = true;
    EXPECT_EQ(judge(journal, {false, 0}, "guest-reset", "").status, 0);
    EXPECT_EQ(judge(journal, {false, 0}, "guest-shutdown", "").status, 71);
}

TEST(Judge, TellsARefusalFromACrash) {
    Journal const journal;
    Verdict const refused =
        judge(journal, {false, 1}, "", "qemu-system-x86_64: -bogus: invalid option\n");
    EXPECT_EQ(refused.status, 64);
    EXPECT_EQ(refused.line, "the emulator refused to start: -bogus: invalid option");
    EXPECT_EQ(judge(journal, {false, 1}, "", "").status, 71);
    EXPECT_EQ(judge(journal, {false, 141}, "", "").status, 70); // the image's own start failed
}

TEST(Journal, SaysHowFarARunCame) {
    Journal journal;
    EXPECT_EQ(journal.progress(), "the kernel never started");
    journal.note({RecordType::hello, {"metal", "0", "full", u64{0x1000}, u64{1}}});
    EXPECT_TRUE(contains(journal.progress(), "no start-up step"));
    EXPECT_EQ(journal.image_base, 0x1000u);
    journal.note({RecordType::step, {"memory", "started"}});
    EXPECT_EQ(journal.progress(), "the last start-up step was 'memory' (started)");
    journal.note({RecordType::ready, {u64{1}}});
    EXPECT_TRUE(contains(journal.progress(), "start-up was complete"));
    journal.note({RecordType::command, {"cpu", i64{0}, u64{1}, u64{2}}});
    EXPECT_TRUE(contains(journal.progress(), "'cpu'"));
    journal.note({RecordType::test_begin, {"A.B"}});
    EXPECT_TRUE(contains(journal.progress(), "'A.B'"));
    journal.note({RecordType::test_end, {"A.B", "passed", u64{1}, ""}});
    EXPECT_FALSE(contains(journal.progress(), "'A.B'"));
}

TEST(ByteQueue, GivesBackWhatItTookInOrder) {
    ByteQueue queue;
    EXPECT_TRUE(queue.empty());
    std::string given;
    std::string taken;
    for (usize round = 0; round < 1000; ++round) {
        std::string const piece = std::to_string(round);
        queue.append(piece);
        given += piece;
        usize const count = std::min<usize>(queue.size(), round % 5);
        taken += queue.front().substr(0, count);
        queue.consume(count);
        ASSERT_EQ(taken.size() + queue.size(), given.size());
    }
    EXPECT_EQ(taken + std::string(queue.front()), given);
    queue.consume(queue.size());
    EXPECT_TRUE(queue.empty() && queue.front().empty());
}

TEST(OutputFilter, LetsOnlyTheKernelThrough) {
    std::string const stream = "SeaBIOS nonce=abc x\r\nabcabc\r\nabc\nfirst\nabc\n";
    for (usize piece = 1; piece <= stream.size(); ++piece) {
        OutputFilter filter("abc");
        ByteQueue out;
        for (usize at = 0; at < stream.size(); at += piece) {
            filter.feed(std::string_view(stream).substr(at, piece), out);
        }
        ASSERT_EQ(out.front(), "abc\nfirst\nabc\n") << piece;
        ASSERT_TRUE(filter.open() && filter.held_back().empty());
    }
}

TEST(OutputFilter, KeepsTheLastWordsOfOthers) {
    OutputFilter filter("nonce");
    ByteQueue out;
    filter.feed(std::string(100000, 'x') + "the payload is damaged", out);
    EXPECT_EQ(out.front(), "");
    EXPECT_FALSE(filter.open());
    EXPECT_TRUE(filter.held_back().ends_with("xthe payload is damaged"));
    EXPECT_LE(filter.held_back().size(), 32768u);
    filter.feed("nonc", out);
    filter.feed("e\r", out);
    filter.feed("\nx", out);
    EXPECT_EQ(out.front(), "x");
}

TEST(ReadableEnd, DropsWhatDrawsAScreen) {
    EXPECT_EQ(readable_end("", 10), "");
    EXPECT_EQ(
        readable_end("\x1b[2J\x1b[01;01Hbad  header\r\n\r\n\x1b[17;03H  \x1b[m menu\x07", 100),
        "bad header\nmenu");
    EXPECT_EQ(readable_end("one two", 3), "two");
    EXPECT_EQ(readable_end("a\x1b", 10), "a ");
    EXPECT_EQ(readable_end("a\x1b[12", 10), "a ");
    EXPECT_EQ(readable_end("gr\xC3\xBC\xC3\x9F", 10), "gr\xC3\xBC\xC3\x9F");
}

TEST(KeyFilter, RecognisesTheLaunchersKeys) {
    KeyFilter filter;
    std::string guest;
    using Wishes = KeyFilter::Wishes;
    EXPECT_EQ(filter.feed("a\x03\x04", guest), Wishes());
    EXPECT_EQ(filter.feed("\x01\x01", guest), Wishes());
    EXPECT_EQ(guest, "a\x03\x04\x01");
    EXPECT_EQ(filter.feed("\x01", guest), Wishes());
    EXPECT_EQ(filter.feed("hb", guest), Wishes({.help = true}));
    EXPECT_EQ(filter.feed("\x01z", guest), Wishes());
    EXPECT_EQ(filter.feed("\x01hc\x01xd", guest), Wishes({.help = true, .quit = true}));
    EXPECT_EQ(
        guest, "a\x03\x04\x01"
               "bc");
}

TEST(HangReport, FindsRegistersAndWords) {
    std::string_view const text =
        "CPU#0\nRAX=01 RBX=02\nR8 =0a R9 =0b\nRIP=00000000001003a2 RFL=46\n";
    EXPECT_EQ(find_register(text, "RIP"), 0x1003a2u);
    EXPECT_EQ(find_register(text, "RBX"), 2u);
    EXPECT_EQ(find_register(text, "R8"), 10u);
    EXPECT_EQ(find_register(text, "IP"), std::nullopt);
    EXPECT_EQ(find_register(text, "CR2"), std::nullopt);
    EXPECT_EQ(find_register("RIP=", "RIP"), std::nullopt);
    EXPECT_EQ(
        find_words("0000000000104000: 0x0000000000000001 0xffffffff80000000\n"),
        (std::array<u64, 2>{1, 0xffffffff80000000}));
    EXPECT_EQ(find_words("Cannot access memory"), std::nullopt);
    EXPECT_EQ(find_words("0000: 0x1"), std::nullopt);
}

TEST(HangReport, WalksOnlyUpwards) {
    auto const chain = [](std::map<u64, std::array<u64, 2>> memory, u64 frame_pointer) {
        return walk_frames(1, frame_pointer, [&](u64 address) {
            auto const found = memory.find(address);
            return found == memory.end() ? std::nullopt : std::optional(found->second);
        });
    };
    using Frames = std::vector<u64>;
    EXPECT_EQ(chain({}, 0), Frames({1}));
    EXPECT_EQ(chain({{16, {32, 2}}, {32, {0, 3}}}, 16), Frames({1, 2, 3}));
    EXPECT_EQ(chain({{16, {16, 2}}}, 16), Frames({1, 2}));                // a loop
    EXPECT_EQ(chain({{32, {16, 2}}, {16, {64, 3}}}, 32), Frames({1, 2})); // downwards
    EXPECT_EQ(chain({{12, {32, 2}}}, 12), Frames({1}));                   // not aligned
    EXPECT_EQ(chain({{16, {32, 0}}}, 16), Frames({1}));                   // no return address
    EXPECT_EQ(chain({{16, {32, 2}}}, 16), Frames({1, 2}));                // unreadable above
    auto const endless = [](u64 address) {
        return std::optional(std::array<u64, 2>{address + 8, 5});
    };
    EXPECT_EQ(walk_frames(1, 8, endless).size(), frames_max);
}

TEST(ElfFile, ReadsThisProgramsFunctions) {
    FunctionTable const table = FunctionTable::read(read_file("/proc/self/exe"));
    ASSERT_FALSE(table.empty());
    EXPECT_EQ(table.describe(~u64{0}), std::nullopt);
    EXPECT_TRUE(FunctionTable::read("").empty());
    EXPECT_TRUE(FunctionTable::read("\x7f"
                                    "ELF")
                    .empty());
}

TEST(ElfFile, DoesNotTrustAFile) {
    std::string const whole = read_file(TEST_GUEST);
    EXPECT_EQ(find_image_damage(whole), std::nullopt);
    EXPECT_EQ(find_image_damage(""), "is empty");
    EXPECT_EQ(find_image_damage("#!/bin/sh"), "is no kernel image (not an ELF file)");
    Elf64_Phdr load;
    std::memcpy(&load, whole.data() + sizeof(Elf64_Ehdr), sizeof(load));
    usize const end_of_segments = load.p_offset + load.p_filesz;
    for (usize length = 4; length < end_of_segments; length += 7) {
        auto const damage = find_image_damage(whole.substr(0, length));
        ASSERT_TRUE(damage && damage->starts_with("is truncated")) << length;
    }
    for (usize at = 0; at < whole.size(); at += at < 4096 ? 1 : 97) {
        for (char const value : {'\0', '\x7f', '\xff'}) {
            std::string damaged = whole;
            damaged[at] = value;
            // Whatever is in the file, reading it ends and stays inside.
            static_cast<void>(find_image_damage(damaged));
            FunctionTable const table = FunctionTable::read(damaged);
            static_cast<void>(table.describe(0x100100));
        }
    }
    EXPECT_TRUE(find_image_damage(read_file("/proc/self/exe")).has_value());
}

TEST(ElfFile, DescribesAddressesAlsoWhereTheImageIsMoved) {
    FunctionTable const table = FunctionTable::read(read_file(TEST_GUEST));
    EXPECT_EQ(table.link_base(), u64{1} << 20);
    std::string found;
    for (u64 address = table.link_base(); found.empty(); ++address) {
        ASSERT_LT(address, table.link_base() + 65536);
        if (table.describe(address) == "guest_main+0x0") {
            u64 const base = 0xFFFFFFFF80000000;
            u64 const moved = address - table.link_base() + base;
            found = describe_frames({moved, moved + 1}, table, base);
        }
    }
    EXPECT_TRUE(contains(found, "#0  0xffffffff80")) << found;
    EXPECT_EQ(std::ranges::count(found, '\n'), 2);
    EXPECT_TRUE(contains(found, " guest_main+0x0\n  #1 ")) << found;
    EXPECT_TRUE(found.ends_with(" guest_main+0x0\n")) << found; // of the call, one byte before
    EXPECT_TRUE(contains(describe_frames({7}, table, 0), "(outside the image)"));
}

TEST(Accelerator, KvmIsChosenOnlyIfItIsFastEnough) {
    auto const chosen = [](std::optional<double> tcg, std::optional<double> kvm) {
        return kvm_is_faster([=](bool with_kvm, double limit_s) -> std::optional<double> {
            auto const taken = with_kvm ? kvm : tcg;
            return taken && *taken <= limit_s ? taken : std::nullopt;
        });
    };
    EXPECT_TRUE(chosen(0.1, 0.05));
    EXPECT_TRUE(chosen(0.1, 0.12));
    EXPECT_FALSE(chosen(0.1, 10.0));
    EXPECT_FALSE(chosen(0.1, std::nullopt));
    EXPECT_TRUE(chosen(std::nullopt, 1.0));
    EXPECT_FALSE(chosen(std::nullopt, std::nullopt));
}

TEST(Accelerator, TheAnswerIsRememberedForEachVersion) {
    TemporaryFolder const folder;
    AcceleratorMemory const memory(folder.path / "deep" / "er");
    EXPECT_EQ(memory.recall("QEMU 7.2"), std::nullopt);
    EXPECT_TRUE(memory.remember("QEMU 7.2", true));
    EXPECT_TRUE(memory.remember("QEMU 8/../0", false));
    EXPECT_EQ(memory.recall("QEMU 7.2"), true);
    EXPECT_EQ(memory.recall("QEMU 8/../0"), false);
    EXPECT_EQ(memory.recall("QEMU 9"), std::nullopt);
    std::ofstream(memory.file("QEMU 7.2")) << "rubbish";
    EXPECT_EQ(memory.recall("QEMU 7.2"), std::nullopt);
    EXPECT_FALSE(AcceleratorMemory("/proc/none").remember("x", true));
}

TEST(JsonText, FindsMembersOfOneObject) {
    std::string_view const line = R"({"timestamp": {"event": 1, "list": [1, "]", {}]}, )"
                                  R"("event" : "SHUTDOWN", "data": {"a": true}})";
    EXPECT_EQ(json_member(line, "event"), R"("SHUTDOWN")");
    EXPECT_EQ(json_member(line, "data"), R"({"a": true})");
    EXPECT_EQ(json_member(*json_member(line, "data"), "a"), "true");
    EXPECT_EQ(json_member(line, "return"), std::nullopt);
    for (std::string_view const bad :
         {"", "{", "{}", "[]", "{\"a\"}", "{\"a\":}", "{\"a\":[}", "{\"a\":\"}", "{a:1}",
          "{\"x\":1,}"}) {
        EXPECT_EQ(json_member(bad, "a"), std::nullopt) << bad;
    }
    std::string const deep = "{\"b\":" + std::string(100000, '[') + ",\"a\":1}";
    EXPECT_EQ(json_member(deep, "a"), std::nullopt);
}

TEST(JsonText, UnquotesWhatItQuoted) {
    EXPECT_EQ(
        json_string(R"("a\"\\\/\b\f\n\r\tA\u00fc\u20ac\ud83d\ude42")"),
        "a\"\\/\b\f\n\r\tA\xC3\xBC\xE2\x82\xAC\xF0\x9F\x99\x82");
    EXPECT_EQ(json_string(R"("\ud83dx")"), "\xEF\xBF\xBDx");
    for (std::string_view const bad :
         {"", "\"", "x", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"a\"b\""}) {
        EXPECT_EQ(json_string(bad), std::nullopt) << bad;
    }
    std::string quoted;
    std::string const text("a\0\x1f\"\\\n\x7f", 7);
    append_json_string(quoted, text);
    EXPECT_EQ(json_string(quoted), text);
}
