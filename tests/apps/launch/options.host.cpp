// The options of a run: what is accepted, what is refused and with which words.
#include "apps/launch/options.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

using namespace twofold;
using namespace twofold::launch;

namespace {

struct Parsed {
    RunOptions options;
    std::optional<int> status;
    std::string error;
};

Parsed parse(std::vector<char const*> arguments) {
    Parsed parsed;
    Arguments known("program", "test");
    add_run_options(known, parsed.options);
    arguments.insert(arguments.begin(), "program");
    testing::internal::CaptureStderr();
    parsed.status = known.parse(static_cast<int>(arguments.size()), arguments.data());
    parsed.error = testing::internal::GetCapturedStderr();
    return parsed;
}

void expect_refused(std::vector<char const*> const& arguments, std::string const& words) {
    Parsed const parsed = parse(arguments);
    EXPECT_EQ(parsed.status, 64) << words;
    EXPECT_NE(parsed.error.find(words), std::string::npos) << parsed.error;
    EXPECT_EQ(parsed.error.find('\n'), parsed.error.size() - 1) << parsed.error;
}

std::string failure_of(auto&& action, Status status) {
    try {
        action();
    } catch (Failure const& failure) {
        EXPECT_EQ(failure.status(), status);
        return failure.what();
    }
    ADD_FAILURE() << "nothing was thrown";
    return {};
}

/// A file that lives as long as the test.
struct TemporaryFile {
    explicit TemporaryFile(std::string_view content) {
        path = std::filesystem::temp_directory_path() /
               ("twofold-options-" + std::to_string(getpid()));
        std::ofstream(path, std::ios::binary) << content;
    }
    ~TemporaryFile() { std::filesystem::remove(path); }
    TemporaryFile(TemporaryFile const&) = delete;
    TemporaryFile& operator=(TemporaryFile const&) = delete;

    std::filesystem::path path;
};

} // namespace

TEST(RunOptions, AreReadFromTheCommandLine) {
    TemporaryFile const script("version\n");
    Parsed const parsed = parse(
        {"--cpus", "4", "--memory", "8M", "--script", script.path.c_str(), "--timeout", "2.5",
         "--json", "--results", "out.jsonl", "--append", "log=debug"});
    ASSERT_FALSE(parsed.status.has_value()) << parsed.error;
    EXPECT_EQ(parsed.options.cpus, 4u);
    EXPECT_EQ(parsed.options.memory_bytes, u64{8} << 20);
    EXPECT_EQ(parsed.options.script, script.path);
    EXPECT_EQ(parsed.options.timeout_s, 2.5);
    EXPECT_TRUE(parsed.options.json);
    EXPECT_EQ(parsed.options.results, "out.jsonl");
    EXPECT_EQ(parsed.options.append, "log=debug");
}

TEST(RunOptions, HaveDefaults) {
    Parsed const parsed = parse({});
    ASSERT_FALSE(parsed.status.has_value());
    EXPECT_EQ(parsed.options.cpus, 1u);
    EXPECT_EQ(parsed.options.memory_bytes, u64{64} << 20);
    EXPECT_FALSE(parsed.options.command || parsed.options.script || parsed.options.timeout_s);
}

TEST(RunOptions, RefuseNonsenseInOneLine) {
    expect_refused({"--memory", "0"}, "needs some memory");
    expect_refused({"--memory", "lots"}, "'lots' is not a size");
    expect_refused({"--memory", "5000"}, "not a multiple of 4K");
    expect_refused({"--memory", "8000T"}, "more than this host has");
    expect_refused({"--memory", "99999999999999999999"}, "is too large");
    expect_refused({"--memory", "1.5G"}, "'1.5G' is not a size");
    expect_refused({"--memory", "16777216T"}, "is too large");
    expect_refused({"--memory", "-1"}, "--memory");
    expect_refused({"--memory"}, "--memory");
    expect_refused({"--cpus", "0"}, "from 1 to 1024");
    expect_refused({"--cpus", "1025"}, "from 1 to 1024");
    expect_refused({"--cpus", "two"}, "'two' is not a number of processors");
    expect_refused({"--cpus", "1.5"}, "from 1 to 1024");
    expect_refused({"--timeout", "0"}, "not a number of seconds");
    expect_refused({"--timeout", "nan"}, "not a number of seconds");
    expect_refused({"--timeout", "inf"}, "not a number of seconds");
    expect_refused({"--timeout", "soon"}, "'soon' is not a number of seconds");
    expect_refused({"--script", "/nonexistent/file"}, "there is no file '/nonexistent/file'");
    expect_refused({"--script", "/"}, "is a folder");
    expect_refused({"--module", "/nonexistent/file"}, "there is no file '/nonexistent/file'");
    expect_refused({"--module", "/"}, "there is no file '/'");
    TemporaryFile const nothing("");
    expect_refused({"--module", nothing.path.c_str()}, "is empty");
    expect_refused({"--command", "a", "--script", "/dev/null"}, "excludes");
    expect_refused({"--colour"}, "--colour");
    expect_refused({"surprise"}, "surprise");
}

TEST(KernelCommandLine, NamesTheConsoleAndTheFormat) {
    RunOptions options;
    EXPECT_EQ(kernel_command_line(options, true), "console=interactive");
    EXPECT_EQ(kernel_command_line(options, false), "console=pipe");
    options.json = true;
    options.append = "log=debug x=1";
    EXPECT_EQ(
        kernel_command_line(options, true, "nonce=abc"),
        "nonce=abc console=interactive json=on log=debug x=1");
}

TEST(KernelCommandLine, QuotesTheCommand) {
    RunOptions options;
    options.command = "version; halt";
    EXPECT_EQ(kernel_command_line(options, true), "console=pipe command='version; halt'");
    options.command = R"(say 'it' \ "so")";
    EXPECT_EQ(kernel_command_line(options, false), R"(console=pipe command='say \'it\' \\ "so"')");
    options.command = "";
    EXPECT_EQ(kernel_command_line(options, false), "console=pipe command=''");
    options.command = "gr\xC3\xBC\xC3\x9F";
    EXPECT_EQ(kernel_command_line(options, false), "console=pipe command='gr\xC3\xBC\xC3\x9F'");
}

TEST(KernelCommandLine, RefusesControlCharactersAndLengthsThatDoNotFit) {
    RunOptions options;
    options.command = "a\nb";
    EXPECT_EQ(
        failure_of([&] { kernel_command_line(options, false); }, Status::usage),
        "--command: byte 1 is the control character 0x0a; separate commands by ';'");
    options.command = std::string("a\0", 2);
    failure_of([&] { kernel_command_line(options, false); }, Status::usage);
    options.command.reset();
    options.append = "\x7f";
    failure_of([&] { kernel_command_line(options, false); }, Status::usage);
    options.append = std::string(command_line_bytes_max - 13, 'a');
    EXPECT_EQ(kernel_command_line(options, false).size(), command_line_bytes_max);
    options.append += 'a';
    failure_of([&] { kernel_command_line(options, false); }, Status::usage);
}

TEST(ReadScript, GivesWholeLines) {
    EXPECT_EQ(read_script(TemporaryFile("version\nhalt").path), "version\nhalt\n");
    EXPECT_EQ(read_script(TemporaryFile("a\tb\r\n").path), "a\tb\r\n");
    EXPECT_EQ(read_script(TemporaryFile("").path), "");
}

TEST(ReadScript, RefusesWhatIsNoScript) {
    failure_of([] { read_script("/nonexistent/file"); }, Status::usage);
    failure_of([] { read_script("/"); }, Status::io);
    failure_of([] { read_script("/dev/zero"); }, Status::usage);
    EXPECT_NE(
        failure_of([] { read_script(TemporaryFile("ok\na\x04 b\n").path); }, Status::usage)
            .find("line 2"),
        std::string::npos);
}

TEST(ReadModule, GivesTheBytesAsTheyAre) {
    TemporaryFile const file(std::string_view("a\0\r\n\xff", 5));
    Parsed const parsed = parse({"--module", file.path.c_str()});
    ASSERT_FALSE(parsed.status.has_value()) << parsed.error;
    ASSERT_EQ(parsed.options.module, file.path);
    std::vector<std::byte> const bytes = read_module(file.path);
    ASSERT_EQ(bytes.size(), 5u);
    EXPECT_EQ(bytes[1], std::byte{0});
    EXPECT_EQ(bytes[2], std::byte{'\r'});
    EXPECT_EQ(bytes[4], std::byte{0xff});
    failure_of([] { read_module("/nonexistent/file"); }, Status::io);
    failure_of([] { read_module("/"); }, Status::io);
}
