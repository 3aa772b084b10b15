// task: threads over the dispatcher of core/sched, and how they wait for each other and for time.
#pragma once

#include "core/task/process.hpp"
#include "core/task/thread.hpp"
#include "core/task/threads.hpp"
