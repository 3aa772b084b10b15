// What is behind a namespace of the NVMe controller: bytes that are read and written by memory of
// the machine, many operations at a time, each done once.
//
// Split-phase: `submit` takes an operation, `start` begins all that were taken since, and `reap`
// says what has become of them, in any order. What is done later than that is announced: by the
// function that it was connected with, by a descriptor of the host that becomes readable, or by a
// moment in virtual time (`due`).
//
// Invariant: calls come one at a time, as the controller's do (pci_device.hpp). An operation's
// pieces are the medium's until it is reaped or withdrawn; nothing is read or written for it later.
#pragma once

#include "hal/hosted/devices/pci_device.hpp"
#include "hal/hosted/state_archive.hpp"

#include <functional>
#include <span>
#include <sys/uio.h>
#include <vector>

namespace hosted {

/// A piece of memory as a device sees it.
struct NvmeSegment {
    u64 at = 0; ///< a DmaAddress
    u64 bytes = 0;
};

struct NvmeOperation {
    enum class Kind : u8 { read, write, flush, write_zeroes, deallocate };

    Kind kind = Kind::flush;
    bool is_through = false; ///< of a write: durable when it is done
    u8 padding[2] = {};      ///< a copy has no bytes of chance
    u32 tag = 0;             ///< comes back with the outcome
    u64 offset = 0;          ///< in bytes, a multiple of the block
    u64 bytes = 0;           ///< 0 for a flush
    /// Of reads and writes: the memory, as the machine's and as the host's addresses. They live
    /// until the operation is reaped.
    std::span<NvmeSegment const> segments{};
    std::span<iovec const> pieces{};
};

struct NvmeOutcome {
    u32 tag = 0;
    u16 status = 0; ///< twofold::nvme::status
    u16 padding = 0;
};

class NvmeMedium {
public:
    virtual ~NvmeMedium() = default;

    /// Constant, but for a medium that shrinks.
    virtual u64 bytes() const = 0;
    virtual u32 block_bytes() const = 0;
    virtual bool is_read_only() const { return false; }
    /// How addresses of memory have to be aligned for it, and lengths of pieces; 1: not at all.
    virtual u32 alignment() const { return 1; }

    virtual void submit(DeviceBus& bus, NvmeOperation const& operation) = 0;
    /// Never waits.
    virtual void start(DeviceBus&) {}
    /// Puts what is done behind `outcomes`. Never waits.
    virtual void reap(DeviceBus& bus, std::vector<NvmeOutcome>& outcomes) = 0;
    /// Gives up an operation, or all. False: that is too late, its outcome comes.
    virtual bool withdraw(u32 tag) = 0;
    virtual bool withdraw_all() = 0;
    /// What was submitted and started ends; its outcomes are reaped later. May wait.
    virtual void settle() {}
    /// Outcomes of a medium that is settled, and what waits for a moment in virtual time.
    virtual void forget() { withdraw_all(); }

    /// The power goes and comes back: what was cached may be lost, what was in flight is.
    virtual void cut_power() {}
    /// As of PciDevice.
    virtual void faults_are_over() {}
    virtual void connected(std::function<void()> notice) { static_cast<void>(notice); }
    /// Readable where there is something to reap; -1: there is none.
    virtual int descriptor() const { return -1; }
    virtual bool needs_simulation() const { return false; }
    /// Which of its controller's it is: the upper 16 bits of the moments that it asks for.
    virtual void placed(u16 number) { static_cast<void>(number); }
    virtual void due(DeviceBus&, u64) { UNREACHABLE(); }
    /// What it is beside what it holds outside the machine, in both directions; of a medium that is
    /// settled.
    virtual void archive(StateArchive&) {}
};

} // namespace hosted
