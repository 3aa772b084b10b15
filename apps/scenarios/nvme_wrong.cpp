// See nvme_wrong.hpp.
#include "apps/scenarios/nvme_wrong.hpp"

#include <algorithm>

namespace twofold::scenarios {

namespace {

using boot::Recorder;
using nvme::AdminOpcode;
using nvme::Command;
using nvme::Opcode;

using Text = FixedString<96>;

class WrongDrivers {
public:
    WrongDrivers(Recorder& record, RawNvme& raw, NvmeMaker maker)
        : m_record(record), m_raw(raw), m_maker(maker) {}

    void run(u64 blocks) {
        m_blocks = blocks;
        configurations();
        note("enabled", m_raw.enable());
        queues();
        note("queue 1", m_raw.open_queue(1));
        doorbells();
        early_doorbells();
        stale_completions();
        completions_kept();
        commands();
        data_pointers();
        nowhere();
        events();
        resets();
        note("at the end: status", m_raw.status() & states);
    }

private:
    static constexpr u32 states = nvme::csts::ready | nvme::csts::fatal;

    void note(std::string_view name, u64 value) { m_record.number(name, value); }
    template<class... Args>
    void note(u64 value, FormatString<std::type_identity_t<Args>...> format, Args const&... args) {
        char text[96];
        m_record.number(format_to(std::span(text), format, args...).text, value);
    }
    /// The specification leaves open what becomes of it: each controller does what it is known to
    /// do, and that is one of what is allowed.
    struct Open {
        std::string_view section; ///< of NVM Express Base Specification 1.4
        u64 hosted;
        u64 emulator;
    };
    void note_open(std::string_view name, Open const& open, u64 value) {
        u64 const expected = m_maker == NvmeMaker::emulator ? open.emulator : open.hosted;
        char text[128];
        auto const named = format_to(std::span(text), "{} (left open by {})", name, open.section);
        m_record.truth(named.text, value == expected);
        if (value != expected) {
            note(value, "{}: instead", name);
        }
    }
    void admin(std::string_view name, Command const& command) {
        note(name, m_raw.perform(0, command));
    }
    void io(std::string_view name, Command const& command) {
        note(name, m_raw.perform(1, command));
    }
    /// The controller is as if nothing had happened.
    void note_life(std::string_view after) {
        note(m_raw.status() & states, "after {}: status", after);
        note(
            m_raw.perform(0, m_raw.admin_command(AdminOpcode::identify, 1)), "after {}: identify",
            after);
    }
    static Command by_prp(Command command, u64 first, u64 second) {
        command.data[0] = first;
        command.data[1] = second;
        return command;
    }
    u64 data_at(u64 offset) const { return m_raw.seen(RawNvme::data + offset); }

    void configurations() {
        namespace cc = nvme::cc;
        constexpr u32 good = RawNvme::enabled;
        u64 const submissions = m_raw.seen(RawNvme::submissions(0));
        u64 const completions = m_raw.seen(RawNvme::completions(0));
        struct {
            std::string_view name;
            u32 configuration;
            u64 submissions, completions;
        } const all[] = {
            {"pages too large", good | 5u << cc::page_size_shift, submissions, completions},
            {"no such command set", good | 1u << cc::command_set_shift, submissions, completions},
            {"submissions not aligned", good, submissions + 0x800, completions},
            {"completions not aligned", good, submissions, completions + 0x10},
            {"submission entries of 1 byte", good & ~(0xfu << cc::submission_size_shift),
             submissions, completions},
            {"submission entries too large", good | 7u << cc::submission_size_shift, submissions,
             completions},
            {"completion entries of 1 byte", good & ~(0xfu << cc::completion_size_shift),
             submissions, completions},
            {"completion entries too large", good | 5u << cc::completion_size_shift, submissions,
             completions},
        };
        for (auto const& each : all) {
            note(m_raw.disable(), "disabled before {}", each.name);
            m_raw.place_admin_queues(each.submissions, each.completions);
            m_raw.configure(each.configuration);
            note(m_raw.status() & states, "configured with {}", each.name);
        }
        note("disabled: ", m_raw.disable());
        m_raw.ring_tail(0, 1);
        note("doorbell while it is disabled", m_raw.status() & states);
    }

    void queues() {
        auto const changed = [](Command command, auto change) {
            change(command);
            return command;
        };
        auto& raw = m_raw;
        admin("completion queue 0", raw.create_completions(0));
        admin("completion queue 200", raw.create_completions(200));
        admin("completion queue of 1", raw.create_completions(2, 1));
        admin("completion queue of 2049", raw.create_completions(2, 2049));
        admin("completion queue with no such vector", raw.create_completions(2, 16, 1000));
        admin("completion queue not aligned", changed(raw.create_completions(2), [](Command& c) {
                  c.data[0] += 0x10;
              }));
        admin("completion queue in pieces", changed(raw.create_completions(2), [](Command& c) {
                  c.word11 = nvme::queue_interrupts;
              }));
        admin("submission queue without completions", raw.create_submissions(2));
        admin("completion queue 2", raw.create_completions(2));
        admin("completion queue 2 again", raw.create_completions(2));
        admin("submission queue 0", raw.create_submissions(0));
        admin("submission queue of 1", raw.create_submissions(2, 1));
        admin("submission queue of 2049", raw.create_submissions(2, 2049));
        admin("submission queue not aligned", changed(raw.create_submissions(2), [](Command& c) {
                  c.data[0] += 0x40;
              }));
        admin("submission queue in pieces", changed(raw.create_submissions(2), [](Command& c) {
                  c.word11 = 2u << 16;
              }));
        admin("submission queue 2", raw.create_submissions(2));
        admin("submission queue 2 again", raw.create_submissions(2));
        admin("completions first", raw.admin_command(AdminOpcode::delete_completion_queue, 2));
        admin("delete queue 9", raw.admin_command(AdminOpcode::delete_submission_queue, 9));
        admin("delete queue 0", raw.admin_command(AdminOpcode::delete_submission_queue, 0));
        admin("delete submissions 2", raw.admin_command(AdminOpcode::delete_submission_queue, 2));
        admin("delete completions 2", raw.admin_command(AdminOpcode::delete_completion_queue, 2));
    }

    /// Asks for an event; the controller has the request, as it takes a queue's in their order.
    u16 ask_for_event(std::string_view name) {
        u16 const id = m_raw.submit(0, m_raw.admin_command(AdminOpcode::asynchronous_event));
        note(
            m_raw.perform(0, m_raw.admin_command(AdminOpcode::identify, 1)),
            "{}: its event is asked for", name);
        return id;
    }
    /// A doorbell that nobody should ring is told of by an event, where one is asked for.
    void wrong_doorbell(std::string_view name, u16 queue, bool is_tail, u32 value) {
        u16 const id = ask_for_event(name);
        is_tail ? m_raw.ring_tail(queue, value) : m_raw.ring_head(queue, value);
        NvmeAnswer const answer = m_raw.await(0);
        note(RawNvme::status_of(answer), "{}: status", name);
        note(answer ? answer->result : ~u32{0}, "{}: event", name);
        note(answer && answer->id == id, "{}: of its request", name);
        note(m_raw.perform(0, log_of_errors()), "{}: log", name);
        note_life(name);
    }
    Command log_of_errors() const {
        return m_raw.admin_command(AdminOpcode::get_log_page, 15u << 16 | 1);
    }

    void doorbells() {
        wrong_doorbell("tail beyond the queue", 1, true, RawNvme::entries);
        wrong_doorbell("tail far beyond the queue", 1, true, 0xffff);
        wrong_doorbell("tail of no queue", 9, true, 1);
        wrong_doorbell("head beyond the queue", 1, false, RawNvme::entries);
        wrong_doorbell("head of no queue", 9, false, 1);
        wrong_doorbell("tail beyond the admin queue", 0, true, RawNvme::entries);
        m_raw.ring_tail(1, RawNvme::entries); // nobody has asked
        ask_for_event("tail beyond the queue, unasked");
        note("an event that nobody asked for in time", !m_raw.is_silent(0));
        m_raw.ring_tail(9, 1); // has the request come back
        note("the next event", RawNvme::status_of(m_raw.await(0)));
        note("the next event's log", m_raw.perform(0, log_of_errors()));

        u16 const id = m_raw.place(1, m_raw.io_command(Opcode::read));
        m_raw.ring_tail(1, RawNvme::entries + 1);
        note("a command behind a wrong doorbell is taken", !m_raw.is_silent(1));
        m_raw.ring_tail(1, m_raw.tail(1));
        NvmeAnswer const answer = m_raw.await(1);
        note("and behind the right one", RawNvme::status_of(answer));
        note("it is that one", answer && answer->id == id);
    }

    /// The doorbell is rung before the command is written: what stands there is performed.
    void early_doorbells() {
        u16 const tail = m_raw.tail(1);
        m_raw.set_tail(1, static_cast<u16>(tail + 1));
        m_raw.ring_tail(1, m_raw.tail(1)); // of zeros: a flush of no namespace
        NvmeAnswer const zeros = m_raw.await(1);
        note("a doorbell before its command: status", RawNvme::status_of(zeros));
        note("a doorbell before its command: id", zeros ? zeros->id : ~u32{0});

        u16 const id = m_raw.place(1, m_raw.io_command(Opcode::read));
        m_raw.set_tail(1, static_cast<u16>(m_raw.tail(1) + 2));
        m_raw.ring_tail(1, m_raw.tail(1)); // two more than were written
        u32 right = 0, of_zeros = 0;
        for (u32 i = 0; i < 3; ++i) {
            NvmeAnswer const answer = m_raw.await(1);
            right += answer && answer->id == id && RawNvme::status_of(answer) == 0 ? 1 : 0;
            bool const failed = RawNvme::status_of(answer) ==
                                (nvme::status::invalid_namespace | nvme::do_not_retry);
            of_zeros += answer && answer->id == 0 && failed ? 1 : 0;
        }
        note("a doorbell for more than was written: right ones", right);
        note("a doorbell for more than was written: of zeros", of_zeros);
        note("a doorbell for more than was written: no more", m_raw.is_silent(1));

        while (m_raw.tail(1) != 0) { // to the end of the round
            note_filler(m_raw.perform(1, m_raw.io_command(Opcode::read)));
        }
        Command const write = m_raw.io_command(Opcode::write, 3);
        std::ranges::fill(m_raw.bytes(RawNvme::data, 512), std::byte{0x11});
        u16 const first = m_raw.submit(1, write);
        note("a write", RawNvme::status_of(m_raw.await(1)));
        while (m_raw.tail(1) != 0) {
            note_filler(m_raw.perform(1, m_raw.io_command(Opcode::flush)));
        }
        std::ranges::fill(m_raw.bytes(RawNvme::data, 512), std::byte{0x22});
        m_raw.set_tail(1, 1);
        m_raw.ring_tail(1, 1); // what stands there is the write of a round ago
        NvmeAnswer const again = m_raw.await(1);
        note("a command of the round before: status", RawNvme::status_of(again));
        note("a command of the round before: it is that", again && again->id == first);
        note("read what it wrote", m_raw.perform(1, m_raw.io_command(Opcode::read, 3)));
        note("it wrote", static_cast<u8>(m_raw.bytes(RawNvme::data, 1)[0]));
        note("fillers that failed", m_fillers_failed);
    }
    void note_filler(u16 status) { m_fillers_failed += status != 0 ? 1 : 0; }

    /// A driver that does not look at the phase takes the completion of a round before, and gives
    /// back a place that nothing was posted to: the queue is full for the controller.
    void stale_completions() {
        while (m_raw.head(1) != 4) {
            note_filler(m_raw.perform(1, m_raw.io_command(Opcode::read)));
        }
        u16 const id = m_raw.place(1, m_raw.io_command(Opcode::read, 1));
        nvme::Completion const stale = m_raw.look(1);
        note("a stale completion: of the round before", static_cast<u16>(id - stale.id));
        note("a stale completion: its phase is new", m_raw.is_new(1));
        note("a stale completion: its status", RawNvme::status_of(stale));
        u16 const head = m_raw.head(1);
        m_raw.ring_head(1, head + 1u);
        m_raw.ring_tail(1, m_raw.tail(1));
        note("head of what was not posted: silent", m_raw.is_silent(1));
        note("head of what was not posted: controller", m_raw.status() & states);
        note_life("a head of what was not posted");
        m_raw.ring_head(1, head);
        NvmeAnswer const answer = m_raw.await(1);
        note("the right head again: status", RawNvme::status_of(answer));
        note("the right head again: it is that", answer && answer->id == id);
        io("the right head again: a read", m_raw.io_command(Opcode::read));
    }

    /// A driver that never gives places back has no more completions once all are full.
    void completions_kept() {
        u32 taken = 0;
        for (u32 i = 0; i + 1 < RawNvme::entries; ++i) {
            m_raw.submit(1, m_raw.io_command(Opcode::read, i));
            taken += RawNvme::status_of(m_raw.await(1, false)) == 0 ? 1 : 0;
        }
        note("places kept: taken", taken);
        u16 const id = m_raw.submit(1, m_raw.io_command(Opcode::read));
        note("places kept: the next one comes", !m_raw.is_silent(1));
        m_raw.ring_head(1, m_raw.head(1));
        NvmeAnswer const answer = m_raw.await(1);
        note("places given back: status", RawNvme::status_of(answer));
        note("places given back: it is that", answer && answer->id == id);
    }

    void commands() {
        io("no command", m_raw.io_command(static_cast<Opcode>(0x7f)));
        admin("no admin command", m_raw.admin_command(static_cast<AdminOpcode>(0x7e)));
        admin("identify nothing", m_raw.admin_command(AdminOpcode::identify, 0xee));
        admin("no such log", m_raw.admin_command(AdminOpcode::get_log_page, 0x7f));
        admin("no such feature", m_raw.admin_command(AdminOpcode::get_features, 0x7f));
        for (Opcode const opcode : {Opcode::read, Opcode::write, Opcode::write_zeroes}) {
            u32 const number = static_cast<u32>(opcode);
            for (u32 const space : {u32{0}, u32{2}, u32{300}, nvme::all_namespaces}) {
                Command command = m_raw.io_command(opcode);
                command.space = space;
                note(m_raw.perform(1, command), "{} of namespace {}", number, space);
            }
            struct {
                std::string_view name;
                u64 block;
                u32 blocks;
            } const ranges[] = {
                {"behind the end", m_blocks, 1},
                {"across the end", m_blocks - 1, 2},
                {"at the largest block", ~u64{0}, 1},
                {"around the largest block", ~u64{0} - 1, 8}};
            for (auto const& range : ranges) {
                note(
                    m_raw.perform(1, m_raw.io_command(opcode, range.block, range.blocks)), "{} {}",
                    number, range.name);
            }
            Command fused = m_raw.io_command(opcode);
            fused.flags = 1;
            note(m_raw.perform(1, fused), "{} fused", number);
        }
        io("more than one command may have", m_raw.io_command(Opcode::read, 0, 1025));
        Command reserved = m_raw.io_command(Opcode::read);
        reserved.flags = 0xc0;
        io("a reserved transfer", reserved);
        admin("abort nothing", m_raw.admin_command(AdminOpcode::abort, 0x7777u << 16 | 1));
        note_life("wrong commands");
    }

    void data_pointers() {
        constexpr u64 page = page_size.value;
        Command const two = m_raw.io_command(Opcode::read, 8, 16);
        Command const many = m_raw.io_command(Opcode::read, 8, 24);
        u64 const list = m_raw.seen(RawNvme::lists);
        io("second page not aligned", by_prp(two, data_at(0), data_at(page + 8)));
        io("second page in the middle of a page", by_prp(two, data_at(0), data_at(page + 0x200)));
        m_raw.put(RawNvme::lists, std::array<u64, 2>{data_at(page) + 0x200, data_at(2 * page)});
        io("a list's page not aligned", by_prp(many, data_at(0), list));
        m_raw.put(RawNvme::lists, std::array<u64, 2>{data_at(page), data_at(2 * page) + 4});
        io("a list's last page not aligned", by_prp(many, data_at(0), list));
        u64 const end = RawNvme::lists + page - 2 * sizeof(u64);
        m_raw.put(end, std::array<u64, 2>{data_at(page), m_raw.seen(RawNvme::lists + page + 8)});
        m_raw.put(
            RawNvme::lists + page, std::array<u64, 3>{0, data_at(2 * page), data_at(3 * page)});
        io("a list that leads astray",
           by_prp(m_raw.io_command(Opcode::read, 8, 32), data_at(0), m_raw.seen(end)));
        m_raw.put(end, std::array<u64, 2>{data_at(page), m_raw.seen(RawNvme::lists + page)});
        m_raw.put(RawNvme::lists + page, std::array<u64, 2>{data_at(2 * page), data_at(3 * page)});
        io("a list that leads on",
           by_prp(m_raw.io_command(Opcode::read, 8, 32), data_at(0), m_raw.seen(end)));
        admin(
            "admin data not aligned",
            by_prp(
                m_raw.admin_command(AdminOpcode::identify, 1), data_at(0x800), data_at(page + 4)));
        note_life("wrong pointers");
    }

    /// Data in memory that is not there. That such a transfer fails, and how, is the bus's affair.
    void nowhere() {
        constexpr std::string_view section = "4.6.1.2.1, data transfer error";
        constexpr u16 failed = nvme::status::data_transfer_error | nvme::do_not_retry;
        Command const two = m_raw.io_command(Opcode::read, 8, 16);
        Command const many = m_raw.io_command(Opcode::read, 8, 24);
        io("a list that is nowhere", by_prp(many, data_at(0), RawNvme::nowhere));
        note_open(
            "data that is nowhere", {section, failed, 0},
            m_raw.perform(1, by_prp(two, RawNvme::nowhere, data_at(0))));
        note_open(
            "a second page that is nowhere", {section, failed, 0},
            m_raw.perform(1, by_prp(two, data_at(0), RawNvme::nowhere)));
        note_life("data that is nowhere");
    }

    void events() {
        u16 ids[4];
        for (u16& id : ids) {
            id = m_raw.submit(0, m_raw.admin_command(AdminOpcode::asynchronous_event));
        }
        admin(
            "one request for events too many",
            m_raw.admin_command(AdminOpcode::asynchronous_event));
        admin("abort one of them", m_raw.admin_command(AdminOpcode::abort, u32{ids[2]} << 16));
    }

    /// Four requests are in flight, and a queue is open.
    void resets() {
        note("reset with requests in flight", m_raw.enable());
        note("they come back", !m_raw.is_silent(0));
        m_raw.ring_tail(1, 1);
        note_life("a doorbell of a queue before the reset");
        note("queue 1 again", m_raw.open_queue(1));
        io("a read after the reset", m_raw.io_command(Opcode::read));
        m_raw.configure(RawNvme::enabled | nvme::cc::shutdown_normal);
        note(
            "shut down",
            m_raw.await_status(nvme::csts::shutdown_mask, nvme::csts::shutdown_complete));
        note("enabled after it", m_raw.enable());
        note_life("a shutdown");
        note("disabled at the end", m_raw.disable());
    }

    Recorder& m_record;
    RawNvme& m_raw;
    NvmeMaker m_maker;
    u64 m_blocks = 0;
    u32 m_fillers_failed = 0;
};

} // namespace

void play_wrong_nvme_drivers(Recorder& record, RawNvme& raw, NvmeMaker maker, u64 blocks) {
    WrongDrivers(record, raw, maker).run(blocks);
}

} // namespace twofold::scenarios
