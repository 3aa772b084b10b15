// Mirror: records that are kept twice and sealed (mirrored_records.hpp), on a disk that may lie and
// whose power may be cut. Each thread has records of its own, knows what it has written there, and
// keeps what was acknowledged in a ledger on the disk, for the kernel that starts next.
//
// A witness stands between records and disk and compares what is read with what was written. So
// that a record is damaged is believed only where the disk was seen to have damaged both copies
// after it was seen to have them. A machine without a disk has nothing to try.
#include "apps/workloads/mirrored_records.hpp"
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
using block::Transfer;

constexpr u32 records_of_thread = 4;
constexpr u32 records = records_of_thread * threads_max;
constexpr u64 first_record_sector = 32;
static_assert(threads_max <= first_record_sector); // a ledger for each thread
constexpr u64 room_pages = 3; ///< two sectors for the records, one for what a thread writes

/// The disk, and what it was seen to do to each copy of a record.
class Witness {
public:
    Witness(Run& run, block::Device& device) : m_run(run), m_device(device) {}
    Witness(Witness const&) = delete;
    Witness& operator=(Witness const&) = delete;

    /// Keeps the contract RecordDisk.
    Result<void> perform(std::span<Transfer const> transfers) {
        CHECK(transfers.size() <= together_max);
        std::array<Flight, together_max> flights;
        for (usize i = 0; i < transfers.size(); ++i) {
            flights[i].start(m_device, transfers[i]);
        }
        Result<void> first;
        for (usize i = 0; i < transfers.size(); ++i) {
            Result<void> const outcome = flights[i].end();
            note(transfers[i], outcome.has_value());
            if (first && !outcome) {
                first = outcome.error();
            }
        }
        m_run.go_on(); // the device may have been waited for until its time was over
        return first;
    }

    /// Whether the disk accounts for it that the copy in this sector is gone: it had the copy, and
    /// has something else now. Of what was not written well nobody knows anything.
    bool accounts_for(u64 sector) const {
        Seen const& seen = seen_of(sector);
        return !seen.is_known || (seen.was_whole && seen.is_bad);
    }

private:
    static constexpr usize together_max = 3;

    struct Flight {
        block::Request request;
        block::Segment segment;
        device::Awaited<Result<void>> awaited;
        Result<void> refusal;

        void start(block::Device& device, Transfer const& transfer) {
            segment = {transfer.memory, transfer.count * device.geometry().sector_bytes};
            request.operation = transfer.operation;
            request.is_through = transfer.is_through;
            request.sector = transfer.sector;
            request.count = transfer.count;
            request.segments = {&segment, usize{transfer.count != 0 ? 1u : 0u}};
            request.context = this;
            request.done = [](block::Request& self, Result<void> outcome) {
                static_cast<Flight*>(self.context)->awaited.come(std::move(outcome));
            };
            refusal = device.submit(request);
        }
        Result<void> end() { return refusal ? awaited.wait() : refusal; }
    };
    struct Seen {
        bool is_known = false;  ///< that it was written last with `checksum`
        bool was_whole = false; ///< it was read so since
        bool is_bad = false;    ///< the last read was none, or of something else
        u32 checksum = 0;
    };

    static bool is_of_records(u64 sector) {
        return sector >= first_record_sector && sector - first_record_sector < 2 * records;
    }
    Seen const& seen_of(u64 sector) const { return m_seen[sector - first_record_sector]; }

    void note(Transfer const& transfer, bool is_well) {
        if (transfer.operation == Operation::flush || !is_of_records(transfer.sector)) {
            return;
        }
        Seen& seen = m_seen[transfer.sector - first_record_sector];
        u32 const checksum = crc32(
            std::span(hal::Memory::linear(transfer.memory), m_device.geometry().sector_bytes));
        if (transfer.operation != Operation::read) {
            seen = {.is_known = is_well, .checksum = checksum};
        } else {
            seen.is_bad = !is_well || checksum != seen.checksum;
            seen.was_whole = seen.was_whole || !seen.is_bad;
        }
    }

    Run& m_run;
    block::Device& m_device;
    std::array<Seen, usize{2} * records> m_seen{}; ///< each of one thread's record
};
static_assert(RecordDisk<Witness>);

struct MirrorLedger {
    static constexpr u64 magic_number = 0x7265'676C'6D69'7272;

    u64 magic = magic_number;
    u64 seed = 0;
    u32 thread = 0;
    u32 life = 0;                                      ///< how often a kernel has begun on the disk
    std::array<u32, records_of_thread> acknowledged{}; ///< stamps
    u32 checksum = 0;
};

/// What a record begins with; the rest follows from it.
struct Content {
    u64 seed = 0;
    u32 stamp = 0; ///< which write it is: later ones have greater stamps
    u32 record = 0;
};

class MirrorWorkload {
public:
    explicit MirrorWorkload(Run& run) : m_run(run), m_disk(run.kernel) {}
    ~MirrorWorkload() {
        for (Place& place : m_places) {
            if (place.pages) {
                m_run.kernel.frames->free_pages(*place.pages, room_pages).value();
            }
        }
    }
    MirrorWorkload(MirrorWorkload const&) = delete;
    MirrorWorkload& operator=(MirrorWorkload const&) = delete;

    Result<void> begin(Check& check) {
        if (auto const opened = m_disk.open(); !opened) {
            return opened.error() == Error::not_found ? Result<void>() : opened.error();
        }
        m_sector_bytes = m_disk.disk().geometry().sector_bytes;
        m_witness.emplace(m_run, m_disk.disk());
        m_store.emplace(*m_witness, first_record_sector, records, m_sector_bytes);
        for (u32 thread = 0; thread < m_run.threads; ++thread) {
            m_places[thread].pages =
                TRY(m_run.kernel.frames->allocate(memory::FrameRequest{.pages = room_pages}));
        }
        m_store->open(room_of(0));
        u32 life = 0;
        for (u32 thread = 0; thread < m_run.threads; ++thread) {
            life = std::max(life, TRY(look_back(check, thread)));
        }
        m_life = life + 1;
        for (u32 thread = 0; thread < m_run.threads; ++thread) {
            TRY(keep_ledger(thread));
        }
        return {};
    }

    void perform(Step& step) {
        if (!m_store) {
            return;
        }
        u32 const index = static_cast<u32>(step.random.below(records_of_thread));
        if (step.chance(45)) {
            write(step, index);
        } else {
            read(step, index);
        }
    }

    void end(Check&) {}

private:
    static constexpr u32 stamps_of_life = 1 << 16;
    static_assert(operations_max < stamps_of_life);
    static constexpr u32 tries = 8;

    /// What a thread knows of one of its records, as stamps; 0: it was never written.
    struct Known {
        u32 newest = 0;  ///< that was acknowledged, or read
        u32 perhaps = 0; ///< of the writes since, which have failed
    };
    struct Place {
        std::optional<PhysAddr> pages;
        std::array<Known, records_of_thread> known{};
    };

    static u32 record_of(u32 thread, u32 index) { return thread * records_of_thread + index; }
    RecordRoom room_of(u32 thread) const {
        PhysAddr const where = *m_places[thread].pages;
        return {where, {hal::Memory::linear(where), usize{2} * m_sector_bytes}};
    }
    PhysAddr own_page(u32 thread) const {
        return *m_places[thread].pages + Bytes{(room_pages - 1) * page_size.value};
    }
    std::span<std::byte> own_bytes(u32 thread, usize size) const {
        return {hal::Memory::linear(own_page(thread)), size};
    }
    /// An error of the disk, which a workload bears.
    static bool is_borne(Error error) { return NvmeDisk::is_borne(error); }

    /// What a record with this stamp holds.
    void fill(std::span<std::byte> bytes, u32 record, u32 stamp) const {
        for (usize i = 0; i < bytes.size(); ++i) {
            bytes[i] = static_cast<std::byte>(stamp * 31 + record * 7 + i);
        }
        Content const content{.seed = m_run.seed, .stamp = stamp, .record = record};
        std::memcpy(bytes.data(), &content, sizeof(content));
    }
    /// The stamp of what was read; nothing: it is not what anybody has written there.
    std::optional<u32> stamp_of(u32 thread, u32 record, std::span<std::byte const> bytes) const {
        Content content;
        std::memcpy(&content, bytes.data(), sizeof(content));
        std::span<std::byte> const expected = own_bytes(thread, bytes.size());
        fill(expected, record, content.stamp);
        return std::ranges::equal(bytes, expected) ? std::optional(content.stamp) : std::nullopt;
    }

    Result<void> ledger_transfer(u32 thread, Operation operation) {
        Transfer const transfer{
            .operation = operation,
            .sector = thread,
            .count = 1,
            .memory = own_page(thread),
            .is_through = operation == Operation::write};
        Result<void> outcome = m_witness->perform({&transfer, 1});
        for (u32 again = 1; again < tries && !outcome && is_borne(outcome.error()); ++again) {
            outcome = m_witness->perform({&transfer, 1});
        }
        return outcome;
    }

    /// What an earlier kernel has left to the thread. The answer is its life, 0: there was none.
    Result<u32> look_back(Check& check, u32 thread) {
        TRY(ledger_transfer(thread, Operation::read));
        MirrorLedger ledger;
        if (!is_sealed(own_bytes(thread, m_sector_bytes), ledger) ||
            ledger.magic != MirrorLedger::magic_number || ledger.seed != m_run.seed ||
            ledger.thread != thread) {
            return u32{0};
        }
        for (u32 index = 0; index < records_of_thread; ++index) {
            u32 const record = record_of(thread, index);
            auto const found = m_store->read(record, room_of(thread));
            if (!found && found.error() == Error::corrupted) {
                bool const is_gone = !m_store->is_whole(record, 0, room_of(thread)) &&
                                     !m_store->is_whole(record, 1, room_of(thread));
                check.holds("a record is damaged after power has come back", is_gone);
                continue;
            }
            u32 const stamp = found ? stamp_of(thread, record, found.value()).value_or(0) : u32{0};
            check.holds(
                "what was acknowledged is there after power has come back",
                stamp >= ledger.acknowledged[index]);
            m_places[thread].known[index] = {.newest = stamp};
        }
        return ledger.life;
    }

    /// Writes down what was acknowledged, so that it is on the disk whatever comes.
    Result<void> keep_ledger(u32 thread) {
        MirrorLedger ledger{.seed = m_run.seed, .thread = thread, .life = m_life};
        for (u32 index = 0; index < records_of_thread; ++index) {
            ledger.acknowledged[index] = m_places[thread].known[index].newest;
        }
        std::span<std::byte> const bytes = own_bytes(thread, m_sector_bytes);
        std::ranges::fill(bytes, std::byte{});
        seal(bytes, ledger);
        return ledger_transfer(thread, Operation::write);
    }

    void write(Step& step, u32 index) {
        Known& known = m_places[step.thread].known[index];
        u32 const record = record_of(step.thread, index);
        u32 const stamp = m_life * stamps_of_life + static_cast<u32>(step.operation) + 1;
        std::span<std::byte> const payload = own_bytes(step.thread, m_store->payload_bytes());
        fill(payload, record, stamp);
        auto const outcome = m_store->write(record, payload, room_of(step.thread));
        if (!outcome && is_borne(outcome.error())) {
            known.perhaps = stamp;
            return;
        }
        step.equal("a record is written", answer_ok, outcome);
        known = {.newest = stamp};
        auto const kept = keep_ledger(step.thread);
        step.holds("the ledger is written", kept.has_value() || is_borne(kept.error()));
    }

    void read(Step& step, u32 index) {
        Known& known = m_places[step.thread].known[index];
        u32 const record = record_of(step.thread, index);
        auto const found = m_store->read(record, room_of(step.thread));
        if (!found && found.error() == Error::corrupted) {
            bear_damage(step, record);
            return;
        }
        if (!found && is_borne(found.error())) {
            return;
        }
        if (!found) {
            step.equal("a record is read", Error::not_found, found);
            step.equal("a record was written last by", known.newest, 0);
            return;
        }
        auto const stamp = stamp_of(step.thread, record, found.value());
        step.holds("a record is what was written there", stamp.has_value());
        if (stamp.value_or(0) > known.newest && *stamp <= known.perhaps) {
            known.newest = *stamp; // and it does not go back
        }
        step.equal("a record was written last by", known.newest, stamp.value_or(0));
    }

    /// The store says that a record is gone: the disk must have seen to that, and it stays so.
    void bear_damage(Step& step, u32 record) {
        for (u32 copy = 0; copy < 2; ++copy) {
            step.holds(
                "the disk has lost what is said to be damaged",
                m_witness->accounts_for(m_store->sector_of(record, copy)));
        }
        for (u32 again = 0; again < tries; ++again) {
            auto const found = m_store->read(record, room_of(step.thread));
            step.holds("what is damaged stays so", !found.has_value());
        }
    }

    Run& m_run;
    NvmeDisk m_disk;
    std::optional<Witness> m_witness;
    std::optional<MirroredRecords<Witness>> m_store;
    u32 m_sector_bytes = 0;
    u32 m_life = 0;
    std::array<Place, threads_max> m_places{};
};

} // namespace

constinit Workload const mirror_workload = workload_of<MirrorWorkload>(
    {.name = "mirror",
     .about = "records that are kept twice and sealed, on a disk that may lie",
     .operations = 48,
     .cpus = 2,
     .threads = 2,
     .patience = NvmeDisk::patience});

} // namespace twofold::workloads
