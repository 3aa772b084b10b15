// task: threads over the dispatcher of core/sched, and how they wait for each other and for time.
#pragma once

#include "core/task/fork_join.hpp"
#include "core/task/kernel_threads.hpp"
#include "core/task/process.hpp"
#include "core/task/sync/mutex.hpp"
#include "core/task/sync/waits.hpp"
#include "core/task/thread.hpp"
#include "core/task/threads.hpp"
