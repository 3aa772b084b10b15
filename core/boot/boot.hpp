// boot: the kernel object, its start-up graph, its commands and its end.
#pragma once

#include "core/boot/command.hpp"
#include "core/boot/composition.hpp"
#include "core/boot/fault.hpp"
#include "core/boot/heap.hpp"
#include "core/boot/kernel.hpp"
#include "core/boot/options.hpp"
#include "core/boot/panic.hpp"
#include "core/boot/scenario.hpp"
#include "core/boot/startup.hpp"
#include "core/boot/threads.hpp"
