// The policy `edf`: no admitted set misses a deadline, in a million generated ones; what is
// admitted never exceeds the limit; who asks for more than its budget gets no more; by example.
#include "core/sched/edf.hpp"
#include "tests/core/sched/campaign.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <random>

namespace {

using namespace twofold;
using namespace twofold::sched;

/// A periodic task as its developer sees it: a job each period, which is to be done by the next.
struct Task {
    EdfParameters parameters;
    EdfEntity entity;
    Nanos release{};  ///< of the next job
    Nanos deadline{}; ///< of the job that is under way
    Nanos left{};     ///< of that job; 0: none is under way
    Nanos used{};
    bool is_greedy = false; ///< computes without end
};

/// A processor that runs tasks by `edf` in virtual time.
class Processor {
public:
    explicit Processor(u32 limit = 1000) : m_queue(limit) {}
    ~Processor() {
        for (Task& task : m_tasks) {
            if (is_ready(task)) {
                m_queue.cancel(task.entity, m_now);
            }
            m_queue.expel(task.entity, m_now);
        }
    }

    enum class Kind : u8 { does_its_job, greedy };

    bool add(EdfParameters const& parameters, Nanos offset, Kind kind = Kind::does_its_job) {
        Task& task = m_tasks.emplace_back();
        task.parameters = parameters;
        task.release = m_now + offset;
        task.is_greedy = kind == Kind::greedy;
        if (m_queue.admit(task.entity, parameters, m_now).has_value()) {
            return true;
        }
        m_tasks.pop_back();
        return false;
    }

    /// Runs until `end`; how many deadlines were missed.
    u64 run(Nanos end) {
        u64 missed = 0;
        while (m_now < end) {
            Nanos next = end;
            for (Task& task : m_tasks) {
                if (task.release <= m_now) {
                    missed += release(task) ? 0 : 1;
                }
                next = std::min(next, task.release);
            }
            auto const [entity, slice, is_hard] = m_queue.pick(m_now);
            Nanos const until = std::min(next - m_now, slice);
            if (entity == nullptr) {
                m_now = m_now + until;
                continue;
            }
            Task& task = task_of(*entity);
            Nanos const used = task.is_greedy ? until : std::min(until, task.left);
            m_now = m_now + used;
            m_queue.charge(used, m_now);
            task.used = task.used + used;
            task.left = task.is_greedy ? task.left : task.left - used;
            if (task.left == Nanos{}) {
                missed += m_now > task.deadline ? 1 : 0;
                m_queue.sleep(m_now);
            } else {
                m_queue.put_back(m_now);
            }
        }
        return missed;
    }

    Edf& queue() { return m_queue; }
    Nanos used_by(usize index) const { return m_tasks[index].used; }

private:
    static bool is_ready(Task const& task) { return task.left != Nanos{}; }

    /// A job begins; false if the one before is not done.
    bool release(Task& task) {
        bool const is_done = !is_ready(task);
        task.deadline = task.release + task.parameters.period;
        task.release = task.deadline;
        if (is_done) {
            task.left = task.parameters.runtime;
            m_queue.wake(task.entity, m_now);
        }
        return is_done || task.is_greedy;
    }
    Task& task_of(EdfEntity const& entity) {
        return *std::find_if(m_tasks.begin(), m_tasks.end(), [&](Task const& task) {
            return &task.entity == &entity;
        });
    }

    Edf m_queue;
    std::deque<Task> m_tasks;
    Nanos m_now{};
};

TEST(Edf, NoAdmittedSetMissesADeadline) {
    std::mt19937_64 random(1973);
    u64 refused = 0;
    u64 full = 0;
    for (u32 set = 0; set < model_operations() / 10; ++set) {
        Processor processor;
        for (i64 tries = 0; tries < 6; ++tries) {
            i64 const period = 100'000 * static_cast<i64>(1 + random() % 40);
            i64 const drawn = static_cast<i64>(random() % static_cast<u64>(period)) / (1 + tries);
            Nanos const offset{random() % 2 == 0 ? 0 : static_cast<i64>(random() % 1'000'000)};
            EdfParameters const parameters{
                Nanos{std::clamp<i64>(drawn, 10'000, period)}, Nanos{period}};
            refused += processor.add(parameters, offset) ? 0 : 1;
        }
        ASSERT_LE(processor.queue().given(), Edf::whole);
        full += processor.queue().given() > Edf::whole / 100 * 95 ? 1 : 0;
        ASSERT_EQ(processor.run(Nanos{8'000'000}), 0u) << "set " << set;
    }
    EXPECT_GT(refused, model_operations() / 100);
    EXPECT_GT(full, model_operations() / 1000) << "sets that leave much free prove little";
}

TEST(Edf, WhoLeavesEarlyTakesNothingFromTheOthers) {
    // `early` uses its budget at once and leaves. Were its share free then, two tasks that need 7.5
    // of the next 5 ms would be admitted.
    Edf queue(1000);
    EdfEntity early;
    EdfEntity late;
    EdfParameters const half{Nanos{5'000'000}, Nanos{10'000'000}};
    EdfEntity other;
    ASSERT_TRUE(queue.admit(other, half, {}).has_value());
    ASSERT_TRUE(queue.admit(early, half, {}).has_value());
    queue.wake(early, {});
    ASSERT_EQ(queue.pick({}).entity, &early);
    Nanos const used{5'000'000};
    queue.charge(used, used);
    queue.sleep(used);
    queue.expel(early, used);
    EdfParameters const brief{Nanos{2'500'000}, Nanos{5'000'000}};
    EXPECT_EQ(queue.admit(late, brief, used).error(), Error::no_space);
    Nanos const deadline{10'000'000};
    ASSERT_TRUE(queue.admit(late, brief, deadline).has_value());
    queue.expel(late, deadline);
    queue.expel(other, deadline);
}

TEST(Edf, AGreedyTaskGetsItsBudgetAndTheOthersTheirDeadlines) {
    Processor processor;
    ASSERT_TRUE(processor.add({Nanos{3'000'000}, Nanos{10'000'000}}, {}, Processor::Kind::greedy));
    ASSERT_TRUE(processor.add({Nanos{2'000'000}, Nanos{5'000'000}}, {}));
    ASSERT_TRUE(processor.add({Nanos{5'900'000}, Nanos{20'000'000}}, {}));
    EXPECT_EQ(processor.run(Nanos{1'000'000'000}), 0u);
    EXPECT_EQ(processor.used_by(0), Nanos{300'000'000}); // exactly
}

TEST(Edf, WakingOftenBuysNothing) {
    Edf queue;
    EdfEntity entity;
    ASSERT_TRUE(queue.admit(entity, {Nanos{4'000'000}, Nanos{10'000'000}}, {}).has_value());
    Nanos now{};
    Nanos used{};
    while (now < Nanos{1'000'000'000}) {
        queue.wake(entity, now);
        auto const [chosen, slice, is_hard] = queue.pick(now);
        if (chosen == nullptr) {
            queue.cancel(entity, now);
            now = now + Nanos{100'000};
            continue;
        }
        Nanos const turn = std::min(slice, Nanos{700'000}); // then it sleeps for an instant
        now = now + turn;
        used = used + turn;
        queue.charge(turn, now);
        queue.sleep(now);
    }
    EXPECT_LE(used, Nanos{404'000'000});
    EXPECT_GE(used, Nanos{390'000'000});
    queue.expel(entity, now);
}

TEST(Edf, ImpossibleRequestsAreRefusedWithTheReason) {
    Edf queue; // 950 of 1000
    EdfEntity entity;
    auto const ask = [&](i64 runtime, i64 period) {
        auto const answer = queue.admit(entity, {Nanos{runtime}, Nanos{period}}, {});
        return answer ? std::optional<Error>() : std::optional(answer.error());
    };
    EXPECT_EQ(ask(0, 1), Error::out_of_range);
    EXPECT_EQ(ask(10'000, std::numeric_limits<i64>::max()), Error::out_of_range);
    EXPECT_EQ(ask(std::numeric_limits<i64>::min(), -1), Error::out_of_range);
    EXPECT_EQ(ask(10'000, 0), Error::invalid_argument);
    EXPECT_EQ(ask(2'000'000, 1'000'000), Error::invalid_argument);
    EXPECT_EQ(ask(960'000, 1'000'000), Error::no_space);
    EXPECT_EQ(ask(940'000, 1'000'000), std::nullopt);
    EXPECT_EQ(
        queue.change(entity, {Nanos{990'000}, Nanos{1'000'000}}, {}).error(), Error::no_space);
    EdfEntity other;
    EXPECT_EQ(queue.admit(other, {Nanos{20'000}, Nanos{1'000'000}}, {}).error(), Error::no_space);
    queue.expel(entity, {});
}

TEST(Edf, AShareThatShrinksIsFreeAtTheDeadline) {
    Edf queue(1000);
    EdfEntity entity;
    EdfEntity other;
    EdfParameters const most{Nanos{890'000}, Nanos{1'000'000}};
    EdfParameters const little{Nanos{100'000}, Nanos{1'000'000}};
    ASSERT_TRUE(queue.admit(entity, most, {}).has_value());
    queue.wake(entity, {});
    Nanos const now{500'000};
    ASSERT_TRUE(queue.change(entity, little, now).has_value());
    EXPECT_EQ(entity.budget(), Nanos{50'000}); // a tenth of what is left of the period
    EXPECT_EQ(queue.admit(other, most, now).error(), Error::no_space);
    Nanos const deadline{1'000'000};
    ASSERT_TRUE(queue.admit(other, most, deadline).has_value());
    queue.expel(other, deadline);
    queue.cancel(entity, deadline);
    queue.expel(entity, deadline);
}

} // namespace
