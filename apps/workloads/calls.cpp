// Calls of processors: each runs once, on the processor that was called, and is over when the
// caller goes on; those that nobody waits for run in order.
#include "apps/workloads/rooms.hpp"
#include "core/processor/processor.hpp"

namespace twofold::workloads {

namespace {

class CallsWorkload {
public:
    explicit CallsWorkload(Run& run) : m_run(run), m_cpus(run.kernel.cpus) {}
    CallsWorkload(CallsWorkload const&) = delete;
    CallsWorkload& operator=(CallsWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    void perform(Step& step) {
        u64 const what = step.random.below(100);
        if (what < 40) {
            call_one(step);
        } else if (what < 60) {
            call_all(step);
        } else {
            post_row(step);
        }
    }

    void end(Check& check) {
        check.equal("posts that ran", m_posted.load(relaxed), m_served.load(relaxed));
    }

private:
    static constexpr u64 row_max = 6;

    struct Errand {
        CpuId cpu;
        Atomic<u32> count{0};

        static void run(void* errand) {
            auto& own = *static_cast<Errand*>(errand);
            u32 const before = own.count.load(relaxed);
            bool const is_there =
                hal::Cpu::id() == own.cpu && sync::current_context() == sync::ExecutionContext::irq;
            own.count.store(before + (is_there ? 1 : 100), relaxed);
        }
    };

    CpuId random_cpu(Step& step) const {
        return {static_cast<u32>(step.random.below(m_cpus.known()))};
    }
    void call_one(Step& step) {
        Errand errand{random_cpu(step)};
        bool const runs = m_cpus.is_online(errand.cpu);
        auto const called = m_cpus.call(errand.cpu, Errand::run, &errand);
        step.equal("a call", runs ? Answer(answer_ok) : Answer(Error::invalid_state), called);
        step.equal("how often it ran, and where", runs ? 1 : 0, errand.count.load(relaxed));
    }
    void call_all(Step& step) {
        struct All {
            Atomic<u32> count{0};
        } all;
        auto const count = [](void* argument) {
            Atomic<u32>& counter = static_cast<All*>(argument)->count;
            counter.load(relaxed);
            counter.fetch_add(1, relaxed);
        };
        if (step.chance(50)) {
            m_cpus.call_others(count, &all);
        } else {
            m_cpus.call_others_urgently(count, &all);
        }
        step.equal("others that were called", m_cpus.online() - 1, all.count.load(relaxed));
    }

    /// Calls of one thread to one processor; each has to find the one before it done.
    struct Row {
        struct Post {
            Row* row = nullptr;
            u32 number = 0;
        };
        CallsWorkload* owner = nullptr;
        Atomic<u32> next{0};
        Atomic<u32> is_disordered{0};
        Post posts[row_max];

        static void run(void* post) {
            auto const& own = *static_cast<Post*>(post);
            Row& row = *own.row;
            u32 const expected = row.next.load(relaxed);
            if (expected != own.number) {
                row.is_disordered.store(1, relaxed);
            }
            row.owner->m_served.fetch_add(1, relaxed);
            row.next.store(expected + 1, release);
        }
    };

    void post_row(Step& step) {
        Row row;
        row.owner = this;
        CpuId const cpu = random_cpu(step);
        u32 const wanted = static_cast<u32>(1 + step.random.below(row_max));
        u32 made = 0;
        while (made < wanted) {
            row.posts[made] = {&row, made};
            auto const posted = m_cpus.post(cpu, Row::run, &row.posts[made]);
            if (!posted) {
                step.equal("a post that has no room", Error::no_space, posted);
                break;
            }
            m_posted.fetch_add(1, relaxed);
            ++made;
        }
        while (row.next.load(acquire) != made) { // they lie on this stack
            sync::relax();
        }
        step.equal("posts out of their order", 0, row.is_disordered.load(relaxed));
    }

    Run& m_run;
    processor::CpuSet& m_cpus;
    Atomic<u64> m_posted{0};
    Atomic<u64> m_served{0};
};

} // namespace

constinit Workload const calls_workload = workload_of<CallsWorkload>(
    {.name = "calls",
     .about = "calls of one processor, of all others, and some that nobody waits for",
     .cpus = 4,
     .threads = 4});

} // namespace twofold::workloads
