// Register: cells of memory that several machines read, write and add to, over links that lose,
// delay, double, reorder and cut off (core/device/message/requests.hpp bears that). The first
// machine has the cells and answers; the others ask. Machines on their own have threads alone.
//
// Each machine notes when each of its operations was called and returned, in virtual time, which is
// the same for all; at the end the first one is told, and looks whether the history of each cell is
// linearizable. An operation is on a cell with few others, so histories are short.
//
// All machines begin together, and faults of links happen from then on until a machine is through
// with its operations. What is not answered within two seconds is a failure: links may be cut for
// less.
#include "apps/workloads/check/history.hpp"
#include "apps/workloads/rooms.hpp"
#include "core/boot/devices.hpp"
#include "core/boot/pci.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace twofold::workloads {

namespace {

using device::Requester;
using device::Responder;

constexpr u32 operations_of_cell = 10;
constexpr u32 cells_max = (operations_max + operations_of_cell - 1) / operations_of_cell;
constexpr usize search_nodes = 4096;
/// In which a request is answered, or never.
constexpr Nanos answer_time{2'000'000'000};
/// Of all that ask: longer than one of them may be cut off.
constexpr Nanos silence_max{3'000'000'000};
constexpr Nanos look_time{50'000'000};
constexpr u64 pause_ns_max = 100'000; ///< before an operation, so that machines meet

/// A cell as one caller sees it.
struct CellSpec {
    enum class Kind : u64 { read, write, add };
    struct Op {
        Kind kind{};
        u64 operand = 0;
    };
    using State = u64;
    using Result = u64; ///< what was there before; 0 of a write

    static Result apply(State& state, Op const& op) {
        u64 const before = state;
        switch (op.kind) {
        case Kind::read:
            return before;
        case Kind::write:
            state = op.operand;
            return 0;
        case Kind::add:
            state += op.operand;
            return before;
        }
        return 0;
    }
    static u64 hash(State const& state) { return state; }
};

using Entry = HistoryEntry<CellSpec>;

/// An operation that is over.
struct Done {
    u64 operation = 0;
    Entry entry;
};

/// What a machine asks the first one, and that of it which it needs.
struct Ask {
    enum class Kind : u64 {
        hello,  ///< it is there. The answer: how many are, u32
        apply,  ///< `op` on `cell`. The answer: its result, u64
        report, ///< what it has done, `count` of them behind this; `is_last`: that is all. No
                ///< answer
    };

    Kind kind{};
    u64 cell = 0;
    CellSpec::Op op{};
    u32 count = 0;
    u32 is_last = 0;
};
constexpr usize report_max = (device::request_max.value - sizeof(Ask)) / sizeof(Done);

class RegisterWorkload {
public:
    explicit RegisterWorkload(Run& run)
        : m_run(run),
          m_threads(run.task_threads()),
          m_cells_mutex(m_threads.locks(), "cells"),
          m_asking(m_threads.locks(), "asking") {}
    ~RegisterWorkload() {
        end_server();
        boot::close_devices(m_run.kernel);
        boot::forget_pci(m_run.kernel);
    }
    RegisterWorkload(RegisterWorkload const&) = delete;
    RegisterWorkload& operator=(RegisterWorkload const&) = delete;

    Result<void> begin(Check&) {
        if (m_run.machines == 1) {
            return {};
        }
        device::MessagePort& port = *TRY(boot::message_port(m_run.kernel));
        if (port.address() != m_run.machine) {
            return Error::invalid_state;
        }
        return is_first() ? begin_server(port) : say_hello(port);
    }

    void perform(Step& step) {
        CellSpec::Op const op = draw(step);
        if (m_run.machines > 1) {
            m_threads.sleep_for(Nanos{static_cast<i64>(step.random.below(pause_ns_max))});
        }
        Entry& entry = m_history[step.operation];
        entry.op = op;
        entry.called = now();
        auto const result = apply(cell_of(step.operation), op);
        if (step.equal("an operation", answer_ok, result)) {
            entry.result = result.value();
            entry.returned = now();
        }
    }

    void end(Check& check) {
        if (!is_first()) {
            check.equal("a report", answer_ok, report());
            return;
        }
        if (m_run.machines > 1) {
            await_reports(check);
        }
        for (u32 cell = 0; cell < cells_max; ++cell) {
            check_cell(check, cell);
        }
    }

private:
    static u64 now() { return static_cast<u64>(hal::Clock::now().value); }
    static u32 cell_of(u64 operation) { return static_cast<u32>(operation) / operations_of_cell; }
    bool is_first() const { return m_run.machine == 0; }
    /// A bit for each machine but the first.
    u32 all_others() const { return (u32{1} << m_run.machines) - 2; }

    static CellSpec::Op draw(Step& step) {
        u64 const what = step.random.below(100);
        u64 const operand = step.operation + 1;
        return what < 40   ? CellSpec::Op{CellSpec::Kind::read, 0}
               : what < 70 ? CellSpec::Op{CellSpec::Kind::write, operand}
                           : CellSpec::Op{CellSpec::Kind::add, operand};
    }

    Result<u64> apply(u32 cell, CellSpec::Op const& op) {
        if (is_first()) {
            task::MutexGuard const guard(m_cells_mutex);
            return CellSpec::apply(m_cells[cell], op);
        }
        u64 result = 0;
        Ask const ask{.kind = Ask::Kind::apply, .cell = cell, .op = op};
        TRY(this->ask(as_bytes(ask), std::as_writable_bytes(std::span(&result, 1))));
        return result;
    }
    static std::span<std::byte const> as_bytes(Ask const& ask) {
        return std::as_bytes(std::span(&ask, 1));
    }
    Result<usize> ask(std::span<std::byte const> request, std::span<std::byte> answer) {
        task::MutexGuard const guard(m_asking);
        return m_requester->ask(0, request, answer, hal::Clock::now() + answer_time);
    }

    /// Until all are there. Each time as a new request: who answers may not be there yet.
    Result<void> say_hello(device::MessagePort& port) {
        m_requester.emplace(port);
        Ask const hello{.kind = Ask::Kind::hello};
        Nanos const end = hal::Clock::now() + silence_max;
        while (hal::Clock::now() < end) {
            u32 present = 0;
            Nanos const soon = hal::Clock::now() + Requester::pause_max;
            auto const answered = m_requester->ask(
                0, as_bytes(hello), std::as_writable_bytes(std::span(&present, 1)), soon);
            if (answered && present == m_run.machines) {
                return {};
            }
        }
        return Error::timed_out;
    }
    /// What it has done, a frame after the other.
    Result<void> report() {
        std::array<std::byte, device::request_max.value>& frame = m_frame;
        u32 operation = m_run.machine;
        bool is_last = false;
        while (!is_last) {
            Ask ask{.kind = Ask::Kind::report};
            for (; ask.count < report_max && operation < operations_max; ++operation) {
                Done const done{operation, m_history[operation]};
                if (!done.entry.is_pending()) {
                    usize const offset = sizeof(ask) + ask.count * sizeof(done);
                    std::memcpy(frame.data() + offset, &done, sizeof(done));
                    ++ask.count;
                }
            }
            is_last = operation == operations_max;
            ask.is_last = is_last ? 1 : 0;
            std::memcpy(frame.data(), &ask, sizeof(ask));
            usize const size = sizeof(ask) + ask.count * sizeof(Done);
            TRY(this->ask(std::span(frame).first(size), {}));
        }
        return {};
    }

    Result<void> begin_server(device::MessagePort& port) {
        m_responder.emplace(port);
        task::ThreadAttributes attributes;
        attributes.name = "register";
        m_last_asked.store(now(), relaxed);
        m_server = TRY(m_threads.spawn(attributes, serve, this));
        return await_all(m_present) ? Result<void>() : Error::timed_out;
    }
    static void serve(void* workload) {
        auto& self = *static_cast<RegisterWorkload*>(workload);
        while (!task::Threads::current().is_to_end()) {
            // What cannot be answered now is asked again.
            static_cast<void>(
                self.m_responder->serve(answer, &self, hal::Clock::now() + look_time));
        }
    }
    void end_server() {
        if (m_server != nullptr) {
            m_threads.ask_to_end(*m_server);
            m_threads.join(*std::exchange(m_server, nullptr)).value();
        }
    }
    /// Until the bit of each other machine is set. False: nobody has asked for a long time.
    bool await_all(Atomic<u32> const& bits) const {
        while (bits.load(acquire) != all_others()) {
            if (is_silent()) {
                return false;
            }
            m_threads.sleep_for(Nanos{static_cast<i64>(pause_ns_max)});
        }
        return true;
    }
    bool is_silent() const {
        u64 const last = m_last_asked.load(relaxed);
        return now() > last + static_cast<u64>(silence_max.value);
    }
    /// And until nobody asks again, who has missed an answer.
    void await_reports(Check& check) {
        check.holds("all say what they have done", await_all(m_reported));
        while (!is_silent()) {
            m_threads.sleep_for(look_time);
        }
        end_server();
    }

    static usize answer(
        void* workload, u32 from, std::span<std::byte const> request, std::span<std::byte> answer) {
        auto& self = *static_cast<RegisterWorkload*>(workload);
        Ask ask;
        if (request.size() < sizeof(ask) || from == 0 || from >= self.m_run.machines) {
            return 0;
        }
        std::memcpy(&ask, request.data(), sizeof(ask));
        self.m_last_asked.store(now(), relaxed);
        return self.answer_one(from, ask, request.subspan(sizeof(ask)), answer);
    }
    usize answer_one(
        u32 from, Ask const& ask, std::span<std::byte const> rest, std::span<std::byte> answer) {
        u64 result = 0;
        switch (ask.kind) {
        case Ask::Kind::hello:
            result = 1 + static_cast<u64>(
                             std::popcount(m_present.fetch_or(1u << from, release) | 1u << from));
            std::memcpy(answer.data(), &result, sizeof(u32));
            return sizeof(u32);
        case Ask::Kind::apply:
            if (ask.cell < cells_max) {
                result = apply(static_cast<u32>(ask.cell), ask.op).value(); // it is here
            }
            std::memcpy(answer.data(), &result, sizeof(result));
            return sizeof(result);
        case Ask::Kind::report:
            note_done(rest.first(std::min(rest.size(), ask.count * sizeof(Done))));
            m_reported.fetch_or(ask.is_last << from, release);
            return 0;
        }
        return 0;
    }
    void note_done(std::span<std::byte const> bytes) {
        for (; bytes.size() >= sizeof(Done); bytes = bytes.subspan(sizeof(Done))) {
            Done done;
            std::memcpy(&done, bytes.data(), sizeof(done));
            if (done.operation < operations_max) {
                m_history[done.operation] = done.entry;
            }
        }
    }

    void check_cell(Check& check, u32 cell) {
        FixedVector<Entry, operations_of_cell> history;
        u32 const first = cell * operations_of_cell;
        for (u32 i = first; i < std::min(first + operations_of_cell, operations_max); ++i) {
            if (!m_history[i].is_pending()) {
                history.push_back(m_history[i]).value();
            }
        }
        expect_linearizable<CellSpec>(check, "cell", cell, history.items(), 0, m_nodes);
    }

    using Mutex = task::Mutex<task::KernelThreads>;

    Run& m_run;
    task::Threads& m_threads;
    Mutex m_cells_mutex;
    std::array<u64, cells_max> m_cells GUARDED_BY(m_cells_mutex){};
    Mutex m_asking; ///< of m_requester, once all have begun
    std::optional<Requester> m_requester;
    std::optional<Responder> m_responder; ///< of m_server
    task::Thread* m_server = nullptr;
    Atomic<u32> m_present{0};    ///< a bit for each other machine that has said hello
    Atomic<u32> m_reported{0};   ///< and that has said what it has done
    Atomic<u64> m_last_asked{0}; ///< when
    std::array<Entry, operations_max> m_history{}; ///< what has not returned was not done
    std::array<std::byte, device::request_max.value> m_frame{};
    std::array<SearchNode<CellSpec>, search_nodes> m_nodes{};
};

} // namespace

constinit Workload const register_workload = workload_of<RegisterWorkload>(
    {.name = "register",
     .about = "cells that machines read, write and add to over links; linearizable histories",
     .operations = 30,
     .cpus = 2,
     .threads = 1,
     .machines = 3,
     .patience = answer_time + Nanos{1'000'000'000}});

} // namespace twofold::workloads
