// The recorder inside of the recorded process: its state, and what the interposed functions
// (hooks.cpp, endings.cpp) tell it. One lock orders the events of all threads; an allocation is
// recorded after the allocator has served it and a release before the allocator hears of it, so
// that the order written down is one in which no address is alive twice.
//
// Never allocates through what it records: memory is in the library's own data or from mmap.
#pragma once

#include "apps/allocation/record/live_table.hpp"
#include "apps/allocation/trace_writer.hpp"

namespace twofold::allocation {

/// Begins to record if the environment asks for it: TWOFOLD_RECORD names the file. Called once, by
/// the library's constructor.
void start_recording();

/// Completes the file; recording may go on (a failed exec) or not (exit). Idempotent.
void complete_recording();

/// Nothing is recorded from here on.
void end_recording();

/// Whether the calling thread's requests are to be recorded. A request that the allocator makes of
/// itself while it serves another one is not.
bool is_recording();

/// The calling thread is inside of the allocator from construction to destruction.
class InsideAllocator {
public:
    InsideAllocator();
    ~InsideAllocator();
    InsideAllocator(InsideAllocator const&) = delete;
    InsideAllocator& operator=(InsideAllocator const&) = delete;
};

/// A block was handed out; a null pointer counts as a refused request.
void record_allocation(EventKind kind, void* block, usize size, usize alignment);

/// A block is about to be given back.
void record_release(void* block);

/// A block is about to be resized: takes it out of the table until end_resize, since its address
/// may be handed to another thread meanwhile.
LiveBlock begin_resize(void* block);

/// The resize is over: `now` is the block's new address, or null if the request was refused.
void end_resize(LiveBlock before, void* now, usize size);

} // namespace twofold::allocation
