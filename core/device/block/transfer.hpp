// One request to a block device and the wait for it: of a thread, of the processor where there are
// no threads, of a task. None asks for memory: the request lies where it is waited for.
//
//     TRY(block::read_block(disk, 7, {page, 4096}));
//     TRY(block::flush(disk));
//     auto const outcome = co_await block::performing(disk, {.operation = Operation::flush});
#pragma once

#include "core/async/async.hpp"
#include "core/device/block/device.hpp"

namespace twofold::block {

/// What is asked of a device in one piece of memory.
struct Transfer {
    Operation operation{};
    u64 sector = 0;
    u32 count = 0; ///< of sectors; 0 for a flush
    PhysAddr memory{};
    bool is_through = false;
    Nanos time_out{}; ///< as Request::time_out
};

/// Performs a request, whose `done` and `context` are overwritten, and waits for it, polling the
/// device before it sleeps and now and then. Context thread, interrupts on. Errors: those of
/// Device::submit and of what it comes to.
Result<void> perform(Device& device, Request& request);
Result<void> perform(Device& device, Transfer const& transfer);

/// Whole sectors from or to one piece of memory. Errors: as above; invalid_argument, where the
/// memory is not a number of sectors long.
Result<void> read_block(Device& device, u64 sector, Segment const& memory);
Result<void> write_block(Device& device, u64 sector, Segment const& memory);
Result<void> flush(Device& device);
Result<void> deallocate(Device& device, u64 sector, u32 count);
Result<void> write_zeroes(Device& device, u64 sector, u32 count);

/// A request that a task awaits. Who is cancelled meanwhile goes on when the device has let go of
/// the memory, with what became of the request: nothing withdraws it.
class [[nodiscard]] Performing : public async::TaskWait {
public:
    Performing(Device& device, Transfer const& transfer);
    Performing(Performing const&) = delete;
    Performing& operator=(Performing const&) = delete;

    static bool await_ready() noexcept { return false; }
    template<async::TaskPromise P>
    bool await_suspend(std::coroutine_handle<P> awaiting) {
        async::Job& job = awaiting.promise().job();
        if (!job.suspend_unless_cancelled(awaiting, *this)) {
            return false;
        }
        m_request.context = this; // where it lies now
        if (auto const begun = m_device.submit(m_request); !begun) {
            set_outcome(begun);
            job.resume_at_once();
            return false;
        }
        return true;
    }
    /// Errors: those of `perform`; cancelled, before it was begun.
    Result<void> await_resume() const { return outcome(); }

private:
    Device& m_device;
    Segment m_segment;
    Request m_request;
};

/// The same by another name, as one awaits it.
inline Performing performing(Device& device, Transfer const& transfer) {
    return {device, transfer};
}

} // namespace twofold::block
