// Fork and join: trees of tasks on a pool that all threads hand work to. Each task runs once, and
// is over when it was joined.
#include "apps/workloads/rooms.hpp"
#include "core/task/task.hpp"

namespace twofold::workloads {

namespace {

class ForkjoinWorkload {
public:
    explicit ForkjoinWorkload(Run& run) : m_pool(run.task_threads(), run.heap()) {}
    ~ForkjoinWorkload() { close(); }
    ForkjoinWorkload(ForkjoinWorkload const&) = delete;
    ForkjoinWorkload& operator=(ForkjoinWorkload const&) = delete;

    Result<void> begin(Check&) {
        TRY(m_pool.open());
        m_is_open = true;
        return {};
    }

    void perform(Step& step) {
        if (step.chance(40)) {
            disturb(step);
        } else if (step.chance(85)) {
            Tree tree{.random = step.random, .depth = static_cast<u32>(step.random.below(6))};
            run([&tree](Worker& worker) { tree.grow(worker, tree.depth, tree.random); });
            step.equal("tasks that ran", tree.forked.load(relaxed), tree.ran.load(relaxed));
            step.equal("tasks that ran again", 0, tree.again.load(relaxed));
        } else {
            run_row(step);
        }
    }

    void end(Check&) { close(); }

private:
    using ForkJoin = task::ForkJoin;
    using Worker = ForkJoin::Worker;

    template<class Function>
    void run(Function const& function) {
        ForkJoin::Call call(function);
        m_pool.run(call);
    }

    /// Small pieces of work, about when workers are tired of looking for some.
    void disturb(Step& step) {
        for (int round = 0; round < 6; ++round) {
            i64 const pause_ns = static_cast<i64>(step.random.between(2'000, 22'000));
            step.run.task_threads().sleep_for({pause_ns});
            Atomic<u32> runs{0};
            run([&runs](Worker& worker) {
                ForkJoin::Call other([&runs](Worker&) { runs.fetch_add(1, relaxed); });
                worker.fork(other);
                runs.fetch_add(1, relaxed);
                worker.join(other);
            });
            step.equal("pieces of work that ran", 2, runs.load(relaxed));
        }
    }

    /// A tree of tasks, each of which forks two and joins them.
    struct Tree {
        Random random;
        u32 depth = 0;
        Atomic<u32> forked{0};
        Atomic<u32> ran{0};
        Atomic<u32> again{0}; ///< runs of tasks that had run

        void grow(Worker& worker, u32 levels, Random own) {
            if (levels == 0) {
                return;
            }
            Atomic<u32> runs{0};
            auto const branch = [&](u32 below, Random next) {
                return [this, below, next, &runs](Worker& runner) {
                    again.fetch_add(runs.fetch_add(1, relaxed) < 2 ? 0 : 1, relaxed);
                    grow(runner, below, next);
                    ran.fetch_add(1, relaxed);
                };
            };
            u32 const below = levels - 1;
            ForkJoin::Call left(branch(below, Random(own.next())));
            ForkJoin::Call right(branch(own.below(3) == 0 ? 0 : below, Random(own.next())));
            forked.fetch_add(2, relaxed);
            worker.fork(left);
            worker.fork(right);
            worker.join(right);
            worker.join(left);
        }
    };

    /// More tasks side by side than a deque holds.
    void run_row(Step& step) {
        struct Count final : ForkJoin::Task {
            Count() : Task(count) {}
            static void count(Worker&, Task& task) {
                static_cast<Count&>(task).runs.fetch_add(1, relaxed);
            }
            Atomic<u32> runs{0};
        };
        constexpr usize tasks = 300;
        struct Row {
            Count all[tasks];
        };
        auto const room = memory::allocate_room<Row>(heap_of(step), 1);
        if (!room) {
            step.well("room for tasks", room);
            return;
        }
        Count(&all)[tasks] = std::construct_at(room.value())->all;
        run([&all](Worker& worker) {
            for (Count& each : all) {
                worker.fork(each);
            }
            for (usize i = tasks; i > 0; --i) {
                worker.join(all[i - 1]);
            }
        });
        for (Count const& each : all) {
            step.equal("how often a task ran", 1, each.runs.load(relaxed));
        }
        std::destroy_at(room.value());
        memory::free_room(heap_of(step), room.value());
    }
    static memory::KernelHeap& heap_of(Step& step) { return step.run.heap(); }

    void close() {
        if (std::exchange(m_is_open, false)) {
            m_pool.close();
        }
    }

    ForkJoin m_pool;
    bool m_is_open = false;
};

} // namespace

constinit Workload const forkjoin_workload = workload_of<ForkjoinWorkload>(
    {.name = "forkjoin", .about = "trees and rows of tasks that workers share", .operations = 24});

} // namespace twofold::workloads
