// One trace of commands, right and wrong ones, on the hosted model and on QEMU's controller: each
// gives the same status, and memory and disk hold the same afterwards.
#include "tests/hal/hosted/nvme_bench.hpp"
#include "tests/hal/hosted/nvme_emulator.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace hosted;
using namespace hosted::test;
namespace cc = nvme::cc;
using nvme::AdminOpcode;
using nvme::Command;
using nvme::Feature;
using nvme::Opcode;
using nvme::SglDescriptor;

constexpr u64 disk_blocks = 4096;
constexpr u64 list_at = NvmeHost::lists_at;

/// What was done, and what it came to.
struct Step {
    std::string name;
    u64 result = 0;

    bool operator==(Step const&) const = default;
};

std::ostream& operator<<(std::ostream& out, Step const& step) {
    return out << step.name << ": 0x" << std::hex << step.result << std::dec;
}

class NvmeTrace {
public:
    explicit NvmeTrace(NvmeSide& side) : m_host(side) {}

    std::vector<Step> run() {
        configurations();
        note("enabled", m_host.enable() ? 1 : 0);
        admin();
        features();
        queues();
        note("queue 1", m_host.open_queue(1) ? 1 : 0);
        data();
        wrong_io();
        prp();
        sgl();
        events();
        ending();
        return std::move(m_steps);
    }

private:
    void note(std::string name, u64 result) { m_steps.push_back({std::move(name), result}); }
    void admin(std::string name, Command const& command) {
        note(std::move(name), NvmeHost::status_of(m_host.admin(command)));
    }
    /// Its result, too.
    void admin_result(std::string const& name, Command const& command) {
        nvme::Completion const done = m_host.admin(command);
        note(name, NvmeHost::status_of(done));
        note(name + ", result", done.result);
    }
    void io(std::string name, Command const& command) {
        note(std::move(name), m_host.io_status(command));
    }
    static Command in_space(Command command, u32 space) {
        command.space = space;
        return command;
    }
    static Command with_flags(Command command, u8 flags) {
        command.flags = flags;
        return command;
    }
    static Command by_prp(Command command, u64 first, u64 second) {
        command.data[0] = first;
        command.data[1] = second;
        return command;
    }
    static Command by_sgl(Command command, SglDescriptor const& descriptor) {
        command.flags = nvme::data_by_sgl;
        std::memcpy(command.data, &descriptor, sizeof(descriptor));
        return command;
    }
    /// FNV-1a of memory.
    void note_memory(std::string name, u64 at, u64 bytes) {
        u64 hash = 0xcbf2'9ce4'8422'2325;
        for (std::byte const byte : m_host.bytes(at, bytes)) {
            hash = (hash ^ static_cast<u8>(byte)) * 0x100'0000'01b3;
        }
        note(std::move(name), hash);
    }

    void configurations() {
        constexpr u32 good = NvmeHost::enabled;
        struct {
            char const* name;
            u32 configuration;
            u64 submissions = NvmeHost::submissions(0);
            u64 completions = NvmeHost::completions(0);
        } const all[] = {
            {"pages too large", good | 5u << cc::page_size_shift},
            {"a command set that is none", good | 1u << cc::command_set_shift},
            {"submission queue not aligned", good, NvmeHost::submissions(0) + 0x800},
            {"completion queue not aligned", good, NvmeHost::submissions(0), 0x101010},
            {"submission entries of 0", good & ~(0xfu << cc::submission_size_shift)},
            {"submission entries too large", good | 7u << cc::submission_size_shift},
            {"completion entries of 0", good & ~(0xfu << cc::completion_size_shift)},
            {"completion entries too large", good | 5u << cc::completion_size_shift},
        };
        for (auto const& each : all) {
            m_host.configure(0);
            m_host.place_admin_queues(each.submissions, each.completions);
            m_host.configure(each.configuration);
            note(each.name, m_host.status() & 3);
        }
        m_host.configure(0);
        note("disabled", m_host.status() & 1);
        note("version", m_host.side().read_32(nvme::reg::version.value));
    }
    void admin() {
        admin("identify the controller", admin_command(AdminOpcode::identify, 1));
        for (u32 const space : {0u, 1u, 2u, 256u, 257u, nvme::all_namespaces}) {
            std::string const of = " of " + std::to_string(space);
            admin("identify" + of, in_space(admin_command(AdminOpcode::identify, 0), space));
            admin("list" + of, in_space(admin_command(AdminOpcode::identify, 2), space));
            admin("describe" + of, in_space(admin_command(AdminOpcode::identify, 3), space));
        }
        admin("list below the last", in_space(admin_command(AdminOpcode::identify, 2), ~u32{1}));
        admin("identify nothing", admin_command(AdminOpcode::identify, 0xee));
        admin("no admin command", admin_command(static_cast<AdminOpcode>(0x7e)));
        admin("a vendor's admin command", admin_command(static_cast<AdminOpcode>(0xc1)));
        Command const identify = admin_command(AdminOpcode::identify, 1);
        admin("admin by SGL", with_flags(identify, nvme::data_by_sgl));
        admin("admin fused", with_flags(identify, 1));
        admin("admin data not aligned", by_prp(identify, data_at + 0x800, data_at + 0x1004));
        for (u32 const page : {1u, 2u, 3u, 4u}) {
            std::string const name = "log page " + std::to_string(page);
            Command log = in_space(
                admin_command(AdminOpcode::get_log_page, 15u << 16 | page), nvme::all_namespaces);
            admin(name, log);
            log.word12 = 2;
            admin(name + " at an odd offset", log);
            log.word12 = 0x10000;
            admin(name + " behind its end", log);
        }
        admin("a log page that is none", admin_command(AdminOpcode::get_log_page, 0x7f));
        admin("health of 9", in_space(admin_command(AdminOpcode::get_log_page, 2), 9));
        Command large = admin_command(AdminOpcode::get_log_page, 0xffff0000u | 2, 0xff);
        admin("a log page larger than the largest transfer", large);
        admin_result("abort nothing", admin_command(AdminOpcode::abort, 0x7777u << 16));
        admin("abort in no queue", admin_command(AdminOpcode::abort, 40));
    }
    void features() {
        for (u32 feature = 0; feature <= 0x0b; ++feature) {
            std::string const name = "feature " + std::to_string(feature);
            bool const is_of_its_own = feature == static_cast<u32>(Feature::number_of_queues) ||
                                       feature == static_cast<u32>(Feature::arbitration);
            Command get = admin_command(AdminOpcode::get_features, feature);
            is_of_its_own ? admin("get " + name, get) : admin_result("get " + name, get);
            admin_result(
                "get what can be of " + name,
                admin_command(AdminOpcode::get_features, 3u << 8 | feature));
            admin("get " + name + " of 1", in_space(get, 1));
            admin("get " + name + " of 9", in_space(get, 9));
            admin("get " + name + " of all", in_space(get, nvme::all_namespaces));
            Command set = admin_command(AdminOpcode::set_features, feature, 1);
            admin("set " + name + " of 1", in_space(set, 1));
            admin("set " + name + " of 9", in_space(set, 9));
            admin("set " + name + " of 300", in_space(set, 300));
            admin("set " + name + " of all", in_space(set, nvme::all_namespaces));
            set.word10 |= u32{1} << 31;
            admin("save " + name, set);
        }
        auto const queues = static_cast<u32>(Feature::number_of_queues);
        admin("too many queues", admin_command(AdminOpcode::set_features, queues, 0xffff));
        auto const warm = static_cast<u32>(Feature::temperature_threshold);
        for (u32 const value : {0x157u, 0x10'0100u, 0x20'0100u, 0x1'0100u}) {
            admin("a temperature", admin_command(AdminOpcode::set_features, warm, value));
            admin_result("the temperature", admin_command(AdminOpcode::get_features, warm, value));
        }
        auto const vector = static_cast<u32>(Feature::interrupt_vector);
        admin_result("vector 0", admin_command(AdminOpcode::get_features, vector, 0));
        admin_result("vector 3", admin_command(AdminOpcode::get_features, vector, 3));
        admin("vector 1000", admin_command(AdminOpcode::get_features, vector, 1000));
        auto const cache = static_cast<u32>(Feature::volatile_write_cache);
        for (u32 const is_on : {0u, 1u}) {
            admin("the cache", admin_command(AdminOpcode::set_features, cache, is_on));
            admin_result("the cache now", admin_command(AdminOpcode::get_features, cache));
        }
    }
    void queues() {
        using H = NvmeHost;
        auto const changed = [](Command command, auto change) {
            change(command);
            return command;
        };
        admin("completion queue 0", H::create_completions(0));
        admin("completion queue 200", H::create_completions(200));
        admin("completion queue of 1", H::create_completions(2, 1));
        admin("completion queue of 2049", H::create_completions(2, 2049));
        admin("vector of no use", H::create_completions(2, 16, 1000));
        admin("completion queue not aligned", changed(H::create_completions(2), [](Command& c) {
                  c.data[0] += 0x10;
              }));
        admin("completion queue in pieces", changed(H::create_completions(2), [](Command& c) {
                  c.word11 = 2;
              }));
        admin("submission queue without completions", H::create_submissions(2));
        admin("completion queue 2", H::create_completions(2));
        admin("completion queue 2 again", H::create_completions(2));
        admin("submission queue 0", changed(H::create_submissions(2), [](Command& c) {
                  c.word10 = 15u << 16;
              }));
        admin("submission queue 200", changed(H::create_submissions(2), [](Command& c) {
                  c.word10 = 15u << 16 | 200;
              }));
        admin("submission queue of 1", H::create_submissions(2, 1));
        admin("submission queue of 2049", H::create_submissions(2, 2049));
        admin("submission queue not aligned", changed(H::create_submissions(2), [](Command& c) {
                  c.data[0] += 0x40;
              }));
        admin("submission queue in pieces", changed(H::create_submissions(2), [](Command& c) {
                  c.word11 = 2u << 16;
              }));
        admin("submission queue 2", H::create_submissions(2));
        admin("submission queue 2 again", H::create_submissions(2));
        auto const queues = static_cast<u32>(Feature::number_of_queues);
        admin(
            "queues when there are some",
            admin_command(AdminOpcode::set_features, queues, 0x0001'0001));
        admin("completions first", admin_command(AdminOpcode::delete_completion_queue, 2));
        admin("delete completion queue 0", admin_command(AdminOpcode::delete_completion_queue, 0));
        admin("delete completion queue 9", admin_command(AdminOpcode::delete_completion_queue, 9));
        admin("delete submission queue 0", admin_command(AdminOpcode::delete_submission_queue, 0));
        admin("delete submission queue 9", admin_command(AdminOpcode::delete_submission_queue, 9));
        admin("delete submission queue 2", admin_command(AdminOpcode::delete_submission_queue, 2));
        admin("delete completion queue 2", admin_command(AdminOpcode::delete_completion_queue, 2));
    }
    void data() {
        for (u32 i = 0; i < 16; ++i) {
            m_host.fill(data_at + i * 512, 512, static_cast<u8>(i * 37 + 1));
        }
        io("write", by_prp(io_command(Opcode::write, 8, 16), data_at, data_at + 0x1000));
        Command through = io_command(Opcode::write, 2);
        through.word12 |= nvme::force_unit_access;
        io("write through", through);
        io("flush", io_command(Opcode::flush));
        io("flush all", in_space(io_command(Opcode::flush), nvme::all_namespaces));
        io("zeroes", io_command(Opcode::write_zeroes, 10, 3));
        m_host.put(data_at, std::array{nvme::Range{0, 8, 64}, nvme::Range{0, 1, disk_blocks}});
        Command trim = io_command(Opcode::dataset_management);
        trim.word10 = 1;
        trim.word11 = nvme::deallocate_attribute;
        io("deallocate", trim);
        trim.word11 = 0;
        io("advice", trim);
        m_host.fill(data_at, 0x3000, 0x7e);
        io("read", by_prp(io_command(Opcode::read, 0, 16), data_at, data_at + 0x1000));
        note_memory("what was read", data_at, 0x3000);
        io("read on", by_prp(io_command(Opcode::read, 16, 16), data_at, data_at + 0x1000));
        note_memory("what was read on", data_at, 0x3000);
        io("the last block", io_command(Opcode::read, disk_blocks - 1));
    }
    void wrong_io() {
        io("no command", io_command(static_cast<Opcode>(0x7f)));
        io("a vendor's command", io_command(static_cast<Opcode>(0x81)));
        for (u32 const space : {0u, 2u, 256u, 257u, nvme::all_namespaces}) {
            std::string const of = " of " + std::to_string(space);
            for (Opcode const opcode :
                 {Opcode::read, Opcode::write, Opcode::write_zeroes, Opcode::dataset_management}) {
                io(std::to_string(static_cast<u32>(opcode)) + of,
                   in_space(io_command(opcode), space));
            }
            io("no command" + of, in_space(io_command(static_cast<Opcode>(0x7f)), space));
            if (space != nvme::all_namespaces) {
                io("flush" + of, in_space(io_command(Opcode::flush), space));
            }
        }
        for (Opcode const opcode : {Opcode::read, Opcode::write, Opcode::write_zeroes}) {
            std::string const name = std::to_string(static_cast<u32>(opcode));
            io(name + " behind the end", io_command(opcode, disk_blocks));
            io(name + " across the end", io_command(opcode, disk_blocks - 1, 2));
            io(name + " at the largest block", io_command(opcode, ~u64{0}));
            io(name + " fused", with_flags(io_command(opcode), 1));
        }
        io("too much", io_command(Opcode::read, 0, 1025));
        io("reserved transfer", with_flags(io_command(Opcode::read), 0xc0));
    }
    void prp() {
        m_host.fill(data_at, 0x20000, 0x55);
        io("with an offset", by_prp(io_command(Opcode::read, 8, 2), data_at + 0x604, 0));
        io("across pages",
           by_prp(io_command(Opcode::read, 8, 8), data_at + 0x1a00, data_at + 0x5000));
        io("second not aligned",
           by_prp(io_command(Opcode::read, 8, 16), data_at, data_at + 0x1008));
        m_host.put(
            list_at, std::array<u64, 3>{data_at + 0x8000, data_at + 0x6000, data_at + 0xa000});
        io("a list", by_prp(io_command(Opcode::read, 8, 28), data_at + 0xc00, list_at));
        m_host.put(list_at, std::array<u64, 2>{data_at + 0x8200, data_at});
        io("a list not aligned", by_prp(io_command(Opcode::read, 8, 24), data_at, list_at));
        u64 const last = list_at + 0x1000 - 16;
        m_host.put(last, std::array<u64, 2>{data_at + 0xb000, list_at + 0x2000});
        m_host.put(list_at + 0x2000, std::array<u64, 2>{data_at + 0xe000, data_at + 0xd000});
        io("a list that leads on", by_prp(io_command(Opcode::read, 8, 32), data_at, last));
        m_host.put(last, std::array<u64, 2>{data_at + 0xb000, list_at + 0x2008});
        io("a list that leads astray", by_prp(io_command(Opcode::read, 8, 32), data_at, last));
        note_memory("memory by PRP", data_at, 0x20000);
    }
    void sgl() {
        m_host.fill(data_at, 0x20000, 0x66);
        Command const two = io_command(Opcode::read, 8, 2);
        auto const list = [&](SglDescriptor const& first, SglDescriptor const& second,
                              u8 type = nvme::sgl_segment) {
            m_host.put(list_at, std::array{first, second});
            return by_sgl(two, {.address = list_at, .bytes = 32, .type = type});
        };
        SglDescriptor const half{.address = data_at + 0x3003, .bytes = 512};
        SglDescriptor const other{.address = data_at + 0x5001, .bytes = 512};
        io("one block", by_sgl(two, {.address = data_at + 7, .bytes = 1024}));
        io("too short", by_sgl(two, {.address = data_at + 7, .bytes = 1023}));
        io("longer", by_sgl(two, {.address = data_at + 7, .bytes = 4096}));
        io("no type", by_sgl(two, {.address = data_at, .bytes = 1024, .type = 0x40}));
        io("a segment", list(half, other));
        io("a last segment", list(half, other, nvme::sgl_last_segment));
        io("more than is wanted", list(SglDescriptor{.address = data_at, .bytes = 1024}, other));
        io("a type that is none",
           list(SglDescriptor{.address = 0, .bytes = 1, .type = 0x50}, half));
        io("a segment inside",
           list(SglDescriptor{.address = list_at, .bytes = 32, .type = nvme::sgl_segment}, half));
        SglDescriptor const on{.address = list_at, .bytes = 32, .type = nvme::sgl_segment};
        io("a last segment that leads on", list(half, on, nvme::sgl_last_segment));
        for (u32 const bytes : {0u, 8u, 24u}) {
            io("a segment of a wrong length",
               by_sgl(two, {.address = list_at, .bytes = bytes, .type = nvme::sgl_segment}));
        }
        note_memory("memory by SGL", data_at, 0x20000);
    }
    void events() {
        auto const request = admin_command(AdminOpcode::asynchronous_event);
        m_host.submit(0, request);
        m_host.side().write_32(nvme::submission_doorbell(9, 4).value, 1);
        Answer answer = m_host.await(0);
        note("no such doorbell", answer ? answer->result : ~u32{0});
        admin("error log", admin_command(AdminOpcode::get_log_page, 15u << 16 | 1));
        m_host.submit(0, request);
        m_host.side().write_32(nvme::completion_doorbell(1, 4).value, NvmeHost::entries);
        answer = m_host.await(0);
        note("a head beyond the queue", answer ? answer->result : ~u32{0});
        admin("error log again", admin_command(AdminOpcode::get_log_page, 15u << 16 | 1));
        u16 ids[4];
        for (u16& id : ids) {
            id = m_host.submit(0, request);
        }
        admin("one request too many", request);
        admin_result(
            "a request that waits on", admin_command(AdminOpcode::abort, u32{ids[2]} << 16));
    }
    void ending() {
        m_host.configure(NvmeHost::enabled | cc::shutdown_normal);
        note(
            "shut down",
            m_host.await_status(nvme::csts::shutdown_mask, nvme::csts::shutdown_complete) ? 1 : 0);
        m_host.configure(0);
        note("after all", m_host.await_status(3, 0) ? 1 : 0);
    }

    NvmeHost m_host;
    std::vector<Step> m_steps;
};

TEST(NvmeTraces, EachCommandComesToTheSameAsInTheEmulator) {
    std::string disk =
        (std::filesystem::temp_directory_path() / "twofold-nvme-trace-XXXXXX").string();
    close(mkstemp(disk.data()));
    std::filesystem::resize_file(disk, disk_blocks * 512);
    std::vector<Step> expected;
    {
        NvmeEmulator emulator(disk);
        if (emulator.is_there()) {
            expected = NvmeTrace(emulator).run();
        }
    }
    std::vector<char> content(disk_blocks * 512);
    std::ifstream(disk, std::ios::binary).read(content.data(), static_cast<i64>(content.size()));
    std::filesystem::remove(disk);
    if (expected.empty()) {
        GTEST_SKIP() << "no emulator";
    }
    auto const medium = std::make_shared<MemoryMedium>(disk_blocks, 512);
    NvmeBench bench{{.media = {medium}, .serial = "trace"}};
    std::vector<Step> const seen = NvmeTrace(bench).run();
    ASSERT_EQ(seen.size(), expected.size());
    for (usize i = 0; i < seen.size(); ++i) {
        EXPECT_EQ(seen[i], expected[i]);
    }
    EXPECT_GT(seen.size(), 250u);
    EXPECT_TRUE(std::ranges::equal(std::as_bytes(std::span(content)), medium->content()));
}

} // namespace
