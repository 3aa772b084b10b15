// The workers of a pool: what is forked runs once, its results are seen where it is joined, and
// nobody rests for ever while there is something to do.
#include "tests/relacy/explore.hpp"

#include "core/task/fork_join/work_pool.hpp"

namespace {

using namespace twofold;

constexpr unsigned worker_count = 2;
constexpr unsigned iterations = 100'000;

/// Threads of the model: a permit each, under a lock.
class ModelThreads {
public:
    struct Thread {
        rl::mutex mutex;
        rl::condition_variable wakes;
        bool has_permit = false;
    };

    Thread& current() { return all[rl::thread_index()]; }
    void park() {
        Thread& self = current();
        self.mutex.lock(RL_INFO);
        while (!self.has_permit) {
            self.wakes.wait(self.mutex, RL_INFO);
        }
        self.has_permit = false;
        self.mutex.unlock(RL_INFO);
    }
    bool park_until(Nanos) {
        park();
        return true;
    }
    void unpark(Thread& thread) {
        thread.mutex.lock(RL_INFO);
        thread.has_permit = true;
        thread.wakes.notify_one(RL_INFO);
        thread.mutex.unlock(RL_INFO);
    }

    Thread all[worker_count + 1];
};

using Pool = task::WorkPool<ModelThreads, 2, 1>;

/// A task whose atomics end with it for the model, too.
template<class Made>
class Modelled {
public:
    template<class... Arguments>
    explicit Modelled(Arguments&... arguments)
        : m_made(std::construct_at(room_for<Made>(m_room), arguments...)) {}
    ~Modelled() {
        std::destroy_at(m_made);
        ModelledAtomics::destroy_within(m_room, sizeof(m_room));
    }
    Made* operator->() { return m_made; }
    Made& operator*() { return *m_made; }

private:
    alignas(Made) std::byte m_room[sizeof(Made)];
    Made* m_made;
};

/// A tree of tasks: its result is the count of its leaves.
struct Tree : Pool::Task {
    explicit Tree(int levels) : Task(grow), height(levels) {}

    static void grow(Pool::Worker& worker, Task& task) {
        auto& self = static_cast<Tree&>(task);
        if (self.height == 0) {
            self.leaves(RL_INFO) = 1;
            return;
        }
        int const below = self.height - 1;
        Modelled<Tree> left(below);
        Modelled<Tree> right(below);
        worker.fork(*left);
        grow(worker, *right);
        worker.join(*left);
        self.leaves(RL_INFO) = left->leaves(RL_INFO) + right->leaves(RL_INFO);
    }

    int height;
    rl::var<int> leaves;
};

struct Working : rl::test_suite<Working, worker_count + 1> {
    ModelThreads threads;
    Pool::Worker workers[worker_count];
    Pool pool{threads, workers};

    void thread(unsigned index) {
        if (index < worker_count) {
            pool.work(workers[index]);
            return;
        }
        {
            int const height = 2;
            Modelled<Tree> root(height);
            pool.run(*root);
            RL_ASSERT(root->leaves(RL_INFO) == 4);
        }
        pool.end();
    }
    void after() {}
};

} // namespace

int main(int count, char** arguments) {
    return relacy::explore<Working>(
        {{"pool_show", OrderSite::pool_show},
         {"pool_rest", OrderSite::pool_rest},
         {"pool_done", OrderSite::pool_done},
         {"pool_join", OrderSite::pool_join}},
        count, arguments, iterations);
}
