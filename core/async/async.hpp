// async: tasks that wait without a thread each. Coroutines and what they wait for, and the
// executors that run them, one on each processor.
#pragma once

#include "core/async/channel.hpp"
#include "core/async/executor.hpp"
#include "core/async/executors.hpp"
#include "core/async/frame_cache.hpp"
#include "core/async/group.hpp"
#include "core/async/sleep.hpp"
#include "core/async/spawn.hpp"
#include "core/async/task.hpp"
#include "core/async/thread_executor.hpp"
#include "core/async/waits.hpp"
