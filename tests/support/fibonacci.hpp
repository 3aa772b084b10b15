// The recursive Fibonacci number, by which fork-join systems are tested and compared: a task does
// nothing but fork another one.
#pragma once

#include "core/task/task.hpp"

namespace twofold::test {

/// The `n`th number is `result` once the task has run.
struct Fibonacci : task::ForkJoin::Task {
    explicit Fibonacci(u32 number) : Task(run), n(number) {}

    static u64 compute(task::ForkJoin::Worker& worker, u32 n) {
        if (n < 2) {
            return n;
        }
        Fibonacci left(n - 1);
        worker.fork(left);
        u64 const right = compute(worker, n - 2);
        worker.join(left);
        return left.result + right;
    }
    static void run(task::ForkJoin::Worker& worker, Task& task) {
        auto& self = static_cast<Fibonacci&>(task);
        self.result = compute(worker, self.n);
    }

    u32 n;
    u64 result = 0;
};

} // namespace twofold::test
