// Block: a disk behind its driver, and its power cut at any moment. Each thread has sectors of its
// own and knows what it has written there, and what of that it has flushed. The latter it keeps on
// the disk, too, in a ledger: a kernel that starts again on the same disk looks whether all that
// was flushed before is there.
//
// A machine without such a disk (nvme_disk.hpp) has nothing to try. Errors are borne; what is read
// must be what was written last, or, where that has failed, what was there before.
#include "apps/workloads/nvme_disk.hpp"
#include "apps/workloads/rooms.hpp"
#include "apps/workloads/sealed.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace twofold::workloads {

namespace {

using block::Operation;

constexpr u32 sectors_of_thread = 8;
constexpr u64 first_data_sector = 32;
static_assert(threads_max <= first_data_sector); // a ledger for each thread
constexpr u32 stamps_of_life = 1 << 16;
static_assert(operations_max < stamps_of_life);
constexpr u32 tries = 8;
constexpr u64 data_magic = 0x7461'6472'6f74'6365, ledger_magic = 0x7265'6764'656c'6b73;

/// What a sector begins with; the rest follows from it.
struct SectorHead {
    u64 magic = data_magic;
    u64 seed = 0;
    u32 stamp = 0; ///< which write it is: later ones have greater stamps
    u32 sector = 0;
    u32 checksum = 0; ///< of the sector, with 0 here
};

struct Ledger {
    u64 magic = ledger_magic;
    u64 seed = 0;
    u32 life = 0;                                 ///< how often a kernel has begun on the disk
    std::array<u32, sectors_of_thread> flushed{}; ///< stamps
    u32 checksum = 0;
};

class BlockWorkload {
public:
    explicit BlockWorkload(Run& run) : m_run(run), m_disk(run.kernel) {}
    ~BlockWorkload() {
        for (Place& place : m_places) {
            if (place.page) {
                m_run.kernel.frames->free_pages(*place.page, 1).value();
            }
        }
    }
    BlockWorkload(BlockWorkload const&) = delete;
    BlockWorkload& operator=(BlockWorkload const&) = delete;

    Result<void> begin(Check& check) {
        if (auto const opened = m_disk.open(); !opened) {
            return opened.error() == Error::not_found ? Result<void>() : opened.error();
        }
        u32 life = 0;
        for (u32 thread = 0; thread < m_run.threads; ++thread) {
            m_places[thread].page = TRY(m_run.kernel.frames->allocate(memory::FrameRequest{}));
            life = std::max(life, TRY(look_back(check, thread)));
        }
        m_life = life + 1;
        for (u32 thread = 0; thread < m_run.threads; ++thread) {
            TRY(keep_ledger(thread));
        }
        return {};
    }

    void perform(Step& step) {
        if (!m_disk.is_open()) {
            return;
        }
        u32 const index = static_cast<u32>(step.random.below(sectors_of_thread));
        u64 const what = step.random.below(100);
        if (what < 45) {
            write(step, index, Way::cached);
        } else if (what < 60) {
            write(step, index, Way::through);
        } else if (what < 75) {
            flush(step);
        } else {
            read(step, index);
        }
    }

    void end(Check&) {}

private:
    /// What a thread knows of one of its sectors, as stamps; 0: zeros.
    struct Known {
        u32 newest = 0;
        u32 perhaps = 0; ///< a write that has failed, and may be there
        u32 flushed = 0;
    };
    struct Place {
        std::optional<PhysAddr> page;
        std::array<Known, sectors_of_thread> known{};
    };

    /// Whether what is written is to be durable when it is done.
    enum class Way : u8 { cached, through };

    static u64 sector_of(u32 thread, u32 index) {
        return first_data_sector + u64{thread} * sectors_of_thread + index;
    }
    std::span<std::byte> bytes_of(u32 thread) const {
        return {hal::Memory::linear(*m_places[thread].page), m_disk.disk().geometry().sector_bytes};
    }
    Result<void> transfer(u32 thread, Operation operation, u64 sector, Way way = Way::cached) {
        auto const outcome = block::perform(
            m_disk.disk(), {.operation = operation,
                            .sector = sector,
                            .count = 1,
                            .memory = *m_places[thread].page,
                            .is_through = way == Way::through});
        m_run.go_on(); // the device may have been waited for until its time was over
        return outcome;
    }
    /// An error of the disk, which a workload bears.
    static bool is_borne(Result<void> const& outcome) {
        return !outcome && NvmeDisk::is_borne(outcome.error());
    }
    /// The same until it is done, or often enough.
    Result<void> insist(u32 thread, Operation operation, u64 sector, Way way = Way::cached) {
        Result<void> outcome = transfer(thread, operation, sector, way);
        for (u32 again = 1; again < tries && is_borne(outcome); ++again) {
            outcome = transfer(thread, operation, sector, way);
        }
        return outcome;
    }

    void fill(u32 thread, u32 index, u32 stamp) {
        std::span<std::byte> const bytes = bytes_of(thread);
        auto const sector = static_cast<u32>(sector_of(thread, index));
        for (usize i = 0; i < bytes.size(); ++i) {
            bytes[i] = static_cast<std::byte>(stamp * 31 + sector * 7 + i);
        }
        SectorHead head{.seed = m_run.seed, .stamp = stamp, .sector = sector};
        seal(bytes, head);
    }

    /// The stamp of the sector that was read last; nothing: it is damaged.
    std::optional<u32> stamp_of(u32 thread, u32 index) {
        std::span<std::byte> const bytes = bytes_of(thread);
        if (std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{}; })) {
            return 0;
        }
        SectorHead head;
        bool const is_sound = is_sealed(bytes, head) && head.magic == data_magic &&
                              head.seed == m_run.seed && head.sector == sector_of(thread, index);
        return is_sound ? std::optional(head.stamp) : std::nullopt;
    }

    /// What an earlier kernel has left to the thread. The answer is its life, 0: there was none.
    Result<u32> look_back(Check& check, u32 thread) {
        TRY(insist(thread, Operation::read, thread));
        Ledger ledger;
        if (!is_sealed(bytes_of(thread), ledger) || ledger.magic != ledger_magic ||
            ledger.seed != m_run.seed) {
            return u32{0};
        }
        for (u32 index = 0; index < sectors_of_thread; ++index) {
            TRY(insist(thread, Operation::read, sector_of(thread, index)));
            auto const stamp = stamp_of(thread, index);
            check.holds("a sector is whole after power has come back", stamp.has_value());
            check.holds(
                "what was flushed is there after power has come back",
                stamp.value_or(0) >= ledger.flushed[index]);
            u32 const found = stamp.value_or(0);
            m_places[thread].known[index] = {.newest = found, .flushed = found};
        }
        return ledger.life;
    }

    /// Writes down what is flushed, so that it is on the disk whatever comes.
    Result<void> keep_ledger(u32 thread) {
        Ledger ledger{.seed = m_run.seed, .life = m_life};
        for (u32 index = 0; index < sectors_of_thread; ++index) {
            ledger.flushed[index] = m_places[thread].known[index].flushed;
        }
        std::ranges::fill(bytes_of(thread), std::byte{});
        seal(bytes_of(thread), ledger);
        return insist(thread, Operation::write, thread, Way::through);
    }

    void note_ledger(Step& step) {
        Result<void> const kept = keep_ledger(step.thread);
        step.holds("the ledger is written", kept.has_value() || is_borne(kept));
    }

    void write(Step& step, u32 index, Way way) {
        Known& known = m_places[step.thread].known[index];
        u32 const stamp = m_life * stamps_of_life + static_cast<u32>(step.operation) + 1;
        fill(step.thread, index, stamp);
        Result<void> const outcome =
            transfer(step.thread, Operation::write, sector_of(step.thread, index), way);
        if (is_borne(outcome)) {
            known.perhaps = stamp;
            return;
        }
        step.equal("a write", answer_ok, outcome);
        known.newest = stamp;
        known.perhaps = 0;
        if (way == Way::through) {
            known.flushed = stamp;
            note_ledger(step);
        }
    }

    void flush(Step& step) {
        Result<void> const outcome = block::flush(m_disk.disk());
        m_run.go_on();
        if (is_borne(outcome)) {
            return;
        }
        step.equal("a flush", answer_ok, outcome);
        for (Known& known : m_places[step.thread].known) {
            // Of a write that has failed nobody knows whether it was flushed.
            known.flushed = known.perhaps == 0 ? known.newest : known.flushed;
        }
        note_ledger(step);
    }

    void read(Step& step, u32 index) {
        Known& known = m_places[step.thread].known[index];
        Result<void> const outcome =
            transfer(step.thread, Operation::read, sector_of(step.thread, index));
        if (is_borne(outcome)) {
            return;
        }
        step.equal("a read", answer_ok, outcome);
        auto const stamp = stamp_of(step.thread, index);
        step.holds("the sector is whole", stamp.has_value());
        if (known.perhaps == 0 || stamp != known.perhaps) {
            step.equal("the sector was written last by", known.newest, stamp.value_or(0));
        }
    }

    Run& m_run;
    NvmeDisk m_disk;
    u32 m_life = 0;
    std::array<Place, threads_max> m_places{};
};

} // namespace

constinit Workload const block_workload = workload_of<BlockWorkload>(
    {.name = "block",
     .about = "sectors of a disk that are written, flushed and read, and outlast its power",
     .operations = 48,
     .cpus = 2,
     .threads = 2,
     .patience = NvmeDisk::patience});

} // namespace twofold::workloads
