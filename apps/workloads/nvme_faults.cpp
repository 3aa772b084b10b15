// NVMe: a disk behind its driver and the block layer, whatever goes wrong with its protocol and its
// data. Threads have many requests in flight; meanwhile the controller is reset and completions are
// found in other ways. Each request ends once and in time; an error, and data that is damaged, is
// told to the simulation, which asks whether a fault explains it (sim/run/explanation.hpp).
//
// Each thread has sectors of its own, sealed by a checksum, and knows what may be in each. What was
// flushed it keeps in a ledger on the disk, for a kernel that starts again after a power cut. At
// the end the faults are over, and so is what they did to the medium: what is read then has to be
// what the kernel has written.
#include "apps/workloads/nvme_flights.hpp"
#include "apps/workloads/rooms.hpp"
#include "apps/workloads/sealed.hpp"
#include "hal/clock.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <array>

namespace twofold::workloads {

namespace nvme_faults {
namespace {

using block::Operation;
using nvme::CompletionMode;

constexpr u32 sectors_of_thread = 16;
constexpr u32 sectors_of_request = 3;
constexpr u32 flights_max = 6;
constexpr u64 life_sectors[] = {64, 66};
constexpr u64 first_ledger = 80;
constexpr u64 first_data_sector = first_ledger + threads_max;
constexpr u32 stamps_of_life = 1 << 16;
static_assert(operations_max < stamps_of_life);
constexpr u32 tries = 8;
constexpr u64 life_magic = 0x6566'696c'656d'766e, ledger_magic = 0x7265'6764'656c'766e,
              data_magic = 0x6174'6164'656d'766e;

struct Life {
    u64 magic = life_magic;
    u64 seed = 0;
    u32 life = 0; ///< how often a kernel has begun on the disk
    u32 checksum = 0;
};

/// What a sector begins with; the rest follows from it.
struct SectorHead {
    u64 magic = data_magic;
    u64 seed = 0;
    u32 stamp = 0; ///< which write it is: later ones have greater stamps
    u32 sector = 0;
    u32 checksum = 0;
};

struct Ledger {
    u64 magic = ledger_magic;
    u64 seed = 0;
    std::array<u32, sectors_of_thread> flushed{}; ///< stamps
    u32 thread = 0;
    u32 checksum = 0;
};

class NvmeFaults {
public:
    explicit NvmeFaults(Run& run) : m_run(run), m_disk(run.kernel), m_witness(run, m_disk) {}
    ~NvmeFaults() {
        m_disk.close(); // what is in flight comes back, before memory goes
        for (Place& place : m_places) {
            if (place.pages) {
                m_run.kernel.frames->free_pages(*place.pages, room_pages).value();
            }
        }
    }
    NvmeFaults(NvmeFaults const&) = delete;
    NvmeFaults& operator=(NvmeFaults const&) = delete;

    Result<void> begin(Check& check) {
        if (auto const opened = m_disk.open(); !opened) {
            return opened.error() == Error::not_found ? Result<void>() : opened.error();
        }
        for (u32 thread = 0; thread < m_run.threads; ++thread) {
            Place& place = m_places[thread];
            place.pages =
                TRY(m_run.kernel.frames->allocate(memory::FrameRequest{.pages = room_pages}));
            for (Known& known : place.known) {
                known.become(0);
            }
        }
        check.equal("bytes of a sector", sector_bytes, disk().geometry().sector_bytes);
        if (!take_over(check)) {
            m_is_blind = true; // the simulation was told why
        }
        return {};
    }

    void perform(Step& step) {
        if (!m_disk.is_open() || m_is_blind) {
            return;
        }
        u64 const what = step.random.below(100);
        if (what < 60) {
            send_batch(step, Middle::calm);
        } else if (what < 70) {
            send_batch(step, Middle::reset);
        } else if (what < 78) {
            send_batch(step, Middle::other_mode);
        } else {
            flush(step);
        }
    }

    void end(Check& check) {
        if (!m_disk.is_open() || m_is_blind) {
            return;
        }
        nvme::ControllerCounts const counts = m_disk.controller().counts();
        if (counts.aborts != 0 || counts.resets > m_resets.load(relaxed)) {
            m_run.bears(Error::timed_out); // who was late, though it may be done in the end
        }
        m_disk.close();
        for (Place const& place : m_places) {
            for (Flight const& flight : place.flights) {
                check.equal("requests under way at the end", 0, flight.is_out.load(relaxed));
            }
        }
        if (!check.equal("the disk when faults are over", answer_ok, m_disk.open())) {
            return;
        }
        for (u32 thread = 0; thread < m_run.threads; ++thread) {
            for (u32 index = 0; index < sectors_of_thread && !m_run.has_failed(); ++index) {
                look_at_end(check, thread, index);
            }
        }
    }

private:
    static constexpr u32 sector_bytes = 512;
    /// For a thread's sectors, and a page of its own.
    static constexpr u64 room_pages = sectors_of_thread * sector_bytes / 4096 + 1;

    /// What happens while requests are in flight.
    enum class Middle : u8 { calm, reset, other_mode };

    struct Place {
        std::optional<PhysAddr> pages;
        std::array<Known, sectors_of_thread> known{};
        std::array<Flight, flights_max> flights{};
        Batch batch;
    };

    block::Disk& disk() const { return m_disk.disk(); }
    static u64 sector_of(u32 thread, u32 index) {
        return first_data_sector + u64{thread} * sectors_of_thread + index;
    }
    PhysAddr memory_of(u32 thread, u32 index) const {
        return *m_places[thread].pages + Bytes{u64{index} * sector_bytes};
    }
    std::span<std::byte> bytes_of(u32 thread, u32 index) const {
        return {hal::Memory::linear(memory_of(thread, index)), sector_bytes};
    }
    /// Where a thread's ledger is made up, behind its sectors.
    std::span<std::byte> own_bytes(u32 thread) const { return bytes_of(thread, sectors_of_thread); }
    template<class Head>
    void seal_own(u32 thread, Head head) const {
        std::ranges::fill(own_bytes(thread), std::byte{});
        seal(own_bytes(thread), head);
    }
    static bool are_zeros(std::span<std::byte const> bytes) {
        return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{}; });
    }

    /// One sector behind the thread's others, until it is done or often enough.
    Result<void> insist(u32 thread, Operation operation, u64 sector) {
        Result<void> outcome;
        for (u32 again = 0; again < tries; ++again) {
            outcome = block::perform(
                disk(), {.operation = operation,
                         .sector = sector,
                         .count = 1,
                         .memory = memory_of(thread, sectors_of_thread),
                         .is_through = operation == Operation::write});
            m_run.go_on();
            if (outcome) {
                break;
            }
            m_run.bears(outcome.error());
        }
        return outcome;
    }

    /// Finds out what earlier kernels have left, and begins a life.
    Result<void> take_over(Check& check) {
        auto const life = TRY(last_life());
        if (!life) {
            return Error::corrupted;
        }
        m_life = *life;
        for (u32 thread = 0; thread < m_run.threads && m_life != 0; ++thread) {
            TRY(look_back(check, thread));
        }
        ++m_life;
        for (u64 const sector : life_sectors) {
            seal_own(0, Life{.seed = m_run.seed, .life = m_life});
            TRY(insist(0, Operation::write, sector));
        }
        for (u32 thread = 0; thread < m_run.threads; ++thread) {
            TRY(keep_ledger(thread));
        }
        return {};
    }

    /// How often a kernel has begun on the disk; nothing: nobody can tell.
    Result<std::optional<u32>> last_life() {
        for (u64 const sector : life_sectors) {
            TRY(insist(0, Operation::read, sector));
            if (are_zeros(own_bytes(0))) {
                return std::optional(u32{0});
            }
            Life life;
            if (is_sealed(own_bytes(0), life) && life.magic == life_magic &&
                life.seed == m_run.seed) {
                return std::optional(life.life);
            }
            m_run.has_met_damage();
        }
        return std::optional<u32>();
    }

    /// What an earlier kernel has left to the thread.
    Result<void> look_back(Check& check, u32 thread) {
        TRY(insist(thread, Operation::read, first_ledger + thread));
        Ledger ledger;
        bool const is_sound = is_sealed(own_bytes(thread), ledger) &&
                              ledger.magic == ledger_magic && ledger.seed == m_run.seed &&
                              ledger.thread == thread;
        if (!is_sound) {
            m_run.has_met_damage();
            ledger.flushed = {};
        }
        for (u32 index = 0; index < sectors_of_thread; ++index) {
            TRY(insist(thread, Operation::read, sector_of(thread, index)));
            Known& known = m_places[thread].known[index];
            known.become_any();
            known.flushed = ledger.flushed[index];
            auto const stamp = stamp_of(own_bytes(thread), sector_of(thread, index));
            if (!stamp || *stamp < known.flushed) {
                m_run.has_met_damage();
                continue;
            }
            check.holds("what is found was written before", *stamp / stamps_of_life <= m_life);
            known.become(*stamp);
            known.is_legacy = true;
        }
        return {};
    }

    /// Writes down what is flushed, so that it is on the disk whatever comes.
    Result<void> keep_ledger(u32 thread) {
        Ledger ledger{.seed = m_run.seed, .thread = thread};
        for (u32 index = 0; index < sectors_of_thread; ++index) {
            ledger.flushed[index] = m_places[thread].known[index].flushed;
        }
        seal_own(thread, ledger);
        return insist(thread, Operation::write, first_ledger + thread);
    }

    void fill(std::span<std::byte> bytes, u64 sector, u32 stamp) const {
        for (usize i = 0; i < bytes.size(); ++i) {
            bytes[i] = static_cast<std::byte>(stamp * 31 + sector * 7 + i);
        }
        SectorHead head{
            .seed = m_run.seed, .stamp = stamp, .sector = static_cast<u32>(sector), .checksum = 0};
        seal(bytes, head);
    }
    /// The stamp of what was read; nothing: it is damaged.
    std::optional<u32> stamp_of(std::span<std::byte> bytes, u64 sector) const {
        if (are_zeros(bytes)) {
            return 0;
        }
        SectorHead head;
        bool const is_sound = is_sealed(bytes, head) && head.magic == data_magic &&
                              head.seed == m_run.seed && head.sector == sector;
        return is_sound ? std::optional(head.stamp) : std::nullopt;
    }
    u32 stamp_in(Step const& step) const {
        return m_life * stamps_of_life + static_cast<u32>(step.operation) + 1;
    }

    /// A request over some of the thread's sectors, from `index` on.
    void shape(Step& step, Flight& flight, u32 index) {
        constexpr struct {
            u64 below;
            Operation operation;
            bool is_through;
        } shares[] = {
            {40, Operation::read, false},
            {75, Operation::write, false},
            {86, Operation::write, true},
            {93, Operation::write_zeroes, false},
            {100, Operation::deallocate, false}};
        u64 const draw = step.random.below(100);
        auto const* const share =
            std::ranges::find_if(shares, [draw](auto const& each) { return draw < each.below; });
        u32 const most = std::min(sectors_of_request, sectors_of_thread - index);
        flight.operation = share->operation;
        flight.is_through = share->is_through;
        flight.index = index;
        flight.sector = sector_of(step.thread, index);
        flight.count = 1 + static_cast<u32>(step.random.below(most));
        u32 const first = 1 + static_cast<u32>(step.random.below(flight.count));
        flight.pieces[0] = {memory_of(step.thread, index), first * sector_bytes};
        flight.pieces[1] = {
            memory_of(step.thread, index + first), (flight.count - first) * sector_bytes};
        usize const pieces = first == flight.count ? 1 : 2;
        flight.segments =
            std::span(flight.pieces).first(block::has_data(flight.operation) ? pieces : 0);
    }

    /// What is about to be less than the ledger says is taken out of the ledger first.
    bool announce(u32 thread, Flight const& flight) {
        if (block::has_data(flight.operation)) {
            return true;
        }
        std::span<Known> const known =
            std::span(m_places[thread].known).subspan(flight.index, flight.count);
        bool is_said = true;
        for (Known& each : known) {
            is_said = is_said && each.flushed == 0;
            each.flushed = 0;
        }
        return is_said || keep_ledger(thread).has_value();
    }

    void prepare(Step& step, Flight& flight) {
        for (u32 i = 0; i < flight.count; ++i) {
            std::span<std::byte> const bytes = bytes_of(step.thread, flight.index + i);
            if (flight.operation == Operation::write) {
                fill(bytes, flight.sector + i, stamp_in(step));
            } else {
                std::ranges::fill(bytes, std::byte{0xa5}); // which no read may leave there
            }
        }
    }

    void send_batch(Step& step, Middle middle) {
        Place& place = m_places[step.thread];
        u32 const most = 1 + static_cast<u32>(step.random.below(flights_max));
        u32 count = 0;
        u32 index = static_cast<u32>(step.random.below(sectors_of_request));
        while (count < most && index < sectors_of_thread) {
            Flight& flight = place.flights[count];
            shape(step, flight, index);
            index += flight.count + static_cast<u32>(step.random.below(2));
            if (announce(step.thread, flight)) {
                prepare(step, flight);
                ++count;
            }
        }
        std::span<Flight> const flights = std::span(place.flights).first(count);
        submit_all(place.batch, flights);
        if (middle == Middle::reset) {
            m_resets.fetch_add(1, relaxed);
            if (auto const reset = m_disk.controller().reset(); !reset) {
                m_run.bears(reset.error());
            }
        } else if (middle == Middle::other_mode) {
            m_disk.controller().set_mode(static_cast<CompletionMode>(step.random.below(3)));
        }
        if (!place.batch.await(disk())) {
            step.holds("all requests come back", false);
            return;
        }
        bool is_more_durable = false;
        for (Flight& flight : flights) {
            settle(step, flight);
            is_more_durable = is_more_durable || (flight.is_through && flight.outcome);
        }
        if (is_more_durable) {
            static_cast<void>(keep_ledger(step.thread)); // an older one is true, too
        }
    }

    void submit_all(Batch& batch, std::span<Flight> flights) {
        batch.begin(static_cast<u32>(flights.size()));
        disk().hold();
        for (Flight& flight : flights) {
            flight.batch = &batch;
            if (auto const begun = m_witness.submit(flight); !begun) {
                flight.outcome = begun;
                batch.leave();
            }
        }
        disk().release();
    }

    /// A request has come back: what is known now.
    void settle(Step& step, Flight& flight) {
        if (!flight.outcome) {
            m_run.bears(flight.outcome.error());
        }
        for (u32 i = 0; i < flight.count; ++i) {
            Known& known = m_places[step.thread].known[flight.index + i];
            bool const is_done = flight.outcome.has_value();
            switch (flight.operation) {
            case Operation::read:
                if (is_done) {
                    look_at(step, flight.index + i);
                }
                break;
            case Operation::write:
                is_done ? known.become(stamp_in(step)) : known.perhaps(stamp_in(step));
                known.flushed = is_done && flight.is_through ? stamp_in(step) : known.flushed;
                break;
            case Operation::write_zeroes:
                is_done ? known.become(0) : known.perhaps(0);
                break;
            case Operation::deallocate:
                known.become_any();
                break;
            case Operation::flush:
                break;
            }
        }
    }

    /// What was read while faults happen: one of them may explain it.
    void look_at(Step const& step, u32 index) {
        auto const stamp = stamp_of(bytes_of(step.thread, index), sector_of(step.thread, index));
        if (!stamp || !m_places[step.thread].known[index].allows(*stamp)) {
            m_run.has_met_damage();
        }
    }

    void flush(Step& step) {
        Result<void> const outcome = block::flush(disk());
        m_run.go_on();
        if (!outcome) {
            m_run.bears(outcome.error());
            return;
        }
        for (Known& known : m_places[step.thread].known) {
            known.flushed = known.durable();
        }
        static_cast<void>(keep_ledger(step.thread)); // an older one is true, too
    }

    /// No fault is left that could explain anything.
    void look_at_end(Check& check, u32 thread, u32 index) {
        Known known = m_places[thread].known[index];
        u64 const sector = sector_of(thread, index);
        auto const read =
            block::read_block(disk(), sector, {memory_of(thread, sectors_of_thread), sector_bytes});
        if (!check.equal("a read when faults are over", answer_ok, read)) {
            return;
        }
        auto const stamp = stamp_of(own_bytes(thread), sector);
        if (!check.holds("a sector is whole when faults are over", stamp.has_value())) {
            return;
        }
        if (known.is_legacy) {
            known.become_any(); // a fault may have hidden what is newer
        }
        if (!known.allows(*stamp)) {
            u32 const expected = known.is_any ? known.flushed : known.may_be[0];
            m_run.fail(
                "sector {} when faults are over: expected what was written by {}, came {}", sector,
                expected, *stamp);
        }
    }

    Run& m_run;
    NvmeDisk m_disk;
    Witness m_witness;
    bool m_is_blind = false; ///< nobody can tell what the disk should hold
    u32 m_life = 0;
    Atomic<u64> m_resets{0}; ///< that the workload has wanted
    std::array<Place, threads_max> m_places{};
};

} // namespace
} // namespace nvme_faults

constinit Workload const nvme_faults_workload = workload_of<nvme_faults::NvmeFaults>(
    {.name = "nvme-faults",
     .about = "an NVMe disk, many requests at a time, resets, and whatever goes wrong",
     .operations = 48,
     .cpus = 2,
     .threads = 3,
     .patience = NvmeDisk::patience});

} // namespace twofold::workloads
