// An NVM Express controller on the hosted machine's bus, with media behind its namespaces.
// docs/nvme-controller.md says what it offers.
//
// The registers lie in simulated memory; the controller is told of each write and puts back what
// cannot be written. Queues and data are reached through DeviceBus alone. A submission doorbell has
// all new commands fetched, given to their media and started together, and posts what is done at
// once; the rest is posted when the media announce it. Of a completion the kernel hears by the
// phase and, where it wants it, by an interrupt, one for a batch.
//
// Invariant: plain data beside the media; between two calls no completion is owed that could be
// posted. A command occupies a place of its submission queue from when it is fetched until its
// completion is posted, so a queue never has more in flight than it has entries.
//
// Neighbours: nvme_data.hpp (PRP, SGL), nvme_medium.hpp. Sources: nvme_controller.cpp (registers
// and life), nvme_queues.cpp, nvme_admin.cpp, nvme_features.cpp, nvme_identify.cpp, nvme_logs.cpp,
// nvme_io.cpp, nvme_faults.cpp.
// Source: NVM Express Base Specification 1.4. Where it lets a controller choose, this one does as
// QEMU's does.
#pragma once

#include "hal/hosted/devices/nvme/nvme_data.hpp"

#include <array>
#include <memory>
#include <string>

namespace hosted {

struct NvmeConfig {
    /// The namespaces 1 and on.
    std::vector<std::shared_ptr<NvmeMedium>> media{};
    std::string serial = "0";
    u16 queue_pairs_max = 63; ///< beside the admin queues
    u16 entries_max = 2048;   ///< of a queue
    u8 data_pages_log2 = 7;   ///< of one command, in pages of 4 KiB
};

/// What a controller was asked for since it was made, for who looks from outside.
struct NvmeCounts {
    u64 doorbells = 0;   ///< of submissions
    u64 commands = 0;    ///< fetched
    u64 completions = 0; ///< posted
    u64 interrupts = 0;
    u64 pieces = 0; ///< of memory that data went through
};

class NvmeController final : public PciDevice {
public:
    static constexpr u64 register_bytes = 0x4000, doorbells_at = 0x1000, table_at = 0x2000,
                         pending_at = 0x3000;
    static constexpr u32 vectors = pci_vectors_max;
    static constexpr u16 device_id = 0x22;
    static constexpr u32 namespaces_max = 256;
    static constexpr u32 events_max = 64;        ///< that wait for a request
    static constexpr u32 event_requests_max = 4; ///< outstanding
    static constexpr u32 error_entries = 16;

    explicit NvmeController(NvmeConfig config);

    PciIdentity identity() const override;
    void power_on(std::span<std::byte> registers) override;
    void written(DeviceBus& bus, u64 offset) override;
    void due(DeviceBus& bus, u64 tag) override;
    void connected(std::function<void()> notice) override;
    void add_events(std::vector<int>& events) const override;
    void noticed(DeviceBus& bus) override { reap(bus); }
    bool needs_simulation() const override { return m_is_simulated; }
    void settle() override;
    void faults_are_over() override;
    void pulled() override;
    std::vector<std::byte> save() const override;
    void load(std::span<std::byte const> state) override;

    NvmeCounts const& counts() const { return m_counts; }

private:
    static constexpr u16 nowhere = 0xffff;
    static constexpr u32 nobody = ~u32{0};
    static constexpr u32 shutdown_tag = nobody - 1;

    struct SubmissionQueue {
        u64 at = 0;
        u32 entries = 0; ///< 0: there is no such queue
        u32 head = 0;
        u32 tail = 0;
        u32 in_flight = 0;
        u16 completion_queue = 0;
        u16 is_deleted = 0; ///< the command of `deleter` waits until nothing is in flight
        u32 deleter = nobody;
    };
    struct CompletionQueue {
        u64 at = 0;
        u32 entries = 0;
        u32 head = 0;
        u32 tail = 0;
        u16 phase = 1;
        u16 vector = 0;
        u16 has_interrupts = 0;
        u16 users = 0;  ///< submission queues
        u32 unused = 0; ///< a copy has no bytes of chance
    };
    /// A completion for which its queue has no room yet.
    struct Waiting {
        u16 submission_queue = 0;
        u16 id = 0;
        u32 result = 0;
        u16 status = 0;
        u16 padding = 0;
    };
    /// A command in flight.
    struct Request {
        nvme::Command command{};
        u16 submission_queue = 0;
        u16 is_used = 0;
        u32 parts = 0; ///< operations of media that have not ended
        u16 status = 0;
        u16 medium = nowhere; ///< whose operations they are; nowhere: of several
        u32 next_free = nobody;
        u64 bytes = 0; ///< of data
    };
    struct Event {
        u8 type = 0;
        u8 information = 0;
        u8 log_page = 0;
        u8 padding = 0;
    };
    struct Totals {
        u64 bytes_read = 0;
        u64 bytes_written = 0;
        u64 reads = 0;
        u64 writes = 0;
        u64 media_errors = 0;
        u64 known_bytes = 0; ///< of the medium, when it was looked at last
    };
    struct Features {
        u32 events = 0;
        u16 warm_kelvin = 0x157;
        u16 cold_kelvin = 0;
        u8 has_cache = 1; ///< the volatile write cache is on
        u8 padding[3] = {};
    };

    // nvme_controller.cpp
    static u64 capabilities(NvmeConfig const& config);
    void publish(std::span<std::byte> registers) const;
    void publish_status(DeviceBus& bus) const;
    void write_register(DeviceBus& bus, u64 offset, std::span<std::byte const> seen);
    void write_configuration(DeviceBus& bus, u32 wanted);
    bool can_start() const;
    void start();
    void begin_stop(DeviceBus& bus);
    void end_stop(DeviceBus& bus);
    void forget();
    void begin_shutdown(DeviceBus& bus);
    void end_shutdown(DeviceBus& bus);
    void reset_subsystem(DeviceBus& bus);
    void fail(DeviceBus& bus);
    void archive(StateArchive& state);
    bool is_running() const {
        return (m_status & nvme::csts::ready) != 0 && (m_status & nvme::csts::fatal) == 0 &&
               m_is_stopping == 0;
    }
    u64 page_bytes() const {
        return u64{4096} << (m_configuration >> nvme::cc::page_size_shift & 0xf);
    }
    /// In pages of the smallest size, whatever size they have.
    u64 transfer_bytes_max() const { return u64{4096} << m_config.data_pages_log2; }

    // nvme_queues.cpp
    void ring(DeviceBus& bus, u32 doorbell, u32 value);
    void ring_submissions(DeviceBus& bus, u16 queue, u32 tail);
    void ring_completions(DeviceBus& bus, u16 queue, u32 head);
    void fetch(DeviceBus& bus, u16 queue);
    void fetch_all(DeviceBus& bus);
    void execute(DeviceBus& bus, u16 queue, nvme::Command const& command);
    u32 take_request(u16 queue, nvme::Command const& command);
    void release(u32 tag);
    void complete(DeviceBus& bus, u32 tag, u16 status, u32 result = 0);
    bool is_full(CompletionQueue const& queue) const;
    void post(DeviceBus& bus, CompletionQueue& queue, Waiting const& what);
    bool write_completion(DeviceBus& bus, DmaAddress at, nvme::Completion const& completion);
    void post_waiting(DeviceBus& bus, u16 queue);
    void raise_gathered(DeviceBus& bus);
    void start_media(DeviceBus& bus);
    void reap(DeviceBus& bus);
    bool reap_once(DeviceBus& bus);
    void ended(DeviceBus& bus, u16 medium, NvmeOutcome const& outcome);
    void count(u16 medium, Request const& request);
    void end_deletion(DeviceBus& bus, u16 queue);
    bool has_submission_queue(u32 queue) const {
        return queue < m_submissions.size() && m_submissions[queue].entries != 0 &&
               m_submissions[queue].is_deleted == 0;
    }
    bool has_completion_queue(u32 queue) const {
        return queue < m_completions.size() && m_completions[queue].entries != 0;
    }

    // nvme_admin.cpp. What a command answers, or `pending`.
    struct Answer {
        u16 status = 0;
        u32 result = 0;
    };
    static constexpr u16 pending = 0xffff; ///< no status
    Answer perform_admin(DeviceBus& bus, u32 tag);
    Answer create_completion_queue(nvme::Command const& command);
    Answer create_submission_queue(nvme::Command const& command);
    Answer delete_completion_queue(nvme::Command const& command);
    Answer delete_submission_queue(nvme::Command const& command, u32 tag);
    Answer abort(DeviceBus& bus, nvme::Command const& command);
    Answer request_event(DeviceBus& bus, u32 tag);
    void add_event(DeviceBus& bus, Event event);
    void pass_events(DeviceBus& bus);
    void clear_events(u8 type);
    u16 answer_data(DeviceBus& bus, nvme::Command const& command, std::span<std::byte const> data);

    // nvme_features.cpp
    Answer get_features(nvme::Command const& command) const;
    Answer set_features(DeviceBus& bus, u32 tag);
    Answer set_temperature(DeviceBus& bus, u32 value);
    Answer set_cache(DeviceBus& bus, u32 tag, bool is_on);
    u16 check_feature_namespace(u8 feature, u32 space) const;

    // nvme_identify.cpp
    u16 identify(DeviceBus& bus, nvme::Command const& command);
    u16 identify_controller(DeviceBus& bus, nvme::Command const& command);
    u16 identify_namespace(DeviceBus& bus, nvme::Command const& command);
    u16 list_namespaces(DeviceBus& bus, nvme::Command const& command);
    u16 describe_namespace(DeviceBus& bus, nvme::Command const& command);

    // nvme_logs.cpp
    u16 get_log(DeviceBus& bus, nvme::Command const& command);
    std::vector<std::byte> error_log() const;
    std::vector<std::byte> health_log(DeviceBus& bus, u32 space) const;
    std::vector<std::byte> changed_log();
    u16 note_error(u16 queue, nvme::Command const& command, u16 status);
    void note_error(nvme::ErrorLogEntry entry);
    bool has_wrong_temperature() const;

    // nvme_faults.cpp. Of simulated machines; what is asked elsewhere never happens.
    bool fails(DeviceBus& bus, DeviceFault fault) const {
        return m_is_simulated && bus.fault(fault).has_value();
    }
    bool is_stalled(DeviceBus& bus, u16 queue);
    bool breaks_down(DeviceBus& bus);
    u16 alter_status(DeviceBus& bus, u16 status) const;

    // nvme_io.cpp
    u16 perform_io(DeviceBus& bus, u32 tag);
    u16 transfer(DeviceBus& bus, u32 tag, NvmeOperation::Kind kind);
    u16 write_zeroes(DeviceBus& bus, u32 tag);
    u16 flush(DeviceBus& bus, u32 tag);
    u16 manage_data(DeviceBus& bus, u32 tag);
    void submit(DeviceBus& bus, u32 tag, u16 medium, NvmeOperation operation);
    void note_sizes(DeviceBus& bus);
    bool has_namespace(u32 space) const { return space >= 1 && space <= m_config.media.size(); }
    static bool is_valid_space(u32 space) {
        return space == nvme::all_namespaces || (space >= 1 && space <= namespaces_max);
    }
    u16 check_namespace(u32 space) const;
    NvmeMedium& medium(u16 number) const { return *m_config.media[number]; }
    u64 blocks(u16 number) const { return medium(number).bytes() / medium(number).block_bytes(); }

    NvmeConfig m_config;
    bool m_is_simulated = false;
    std::function<void()> m_notice;

    // Registers.
    u32 m_configuration = 0;
    u32 m_status = 0;
    u32 m_admin_attributes = 0;
    u64 m_admin_submissions = 0;
    u64 m_admin_completions = 0;
    u32 m_interrupt_mask = 0;

    u8 m_is_stopping = 0;      ///< CC.EN is 0, and what was in flight has not ended
    u8 m_is_shutting_down = 0; ///< and waits for the media
    u8 m_has_made_queues = 0;
    u8 m_has_run = 0;       ///< since the power came
    u8 m_masked_events = 0; ///< types that have been told of and not looked at
    u32 m_shutdown_parts = 0;
    std::vector<SubmissionQueue> m_submissions;
    std::vector<CompletionQueue> m_completions;
    std::vector<std::vector<Waiting>> m_waiting; ///< by completion queue
    std::vector<Request> m_requests;
    std::vector<NvmeData> m_data; ///< by request
    u32 m_free = nobody;
    std::vector<u32> m_medium_parts; ///< operations in flight, by medium
    std::vector<u32> m_event_requests;
    std::vector<Event> m_events;
    Features m_features{};
    std::vector<Totals> m_totals; ///< by namespace
    std::vector<u32> m_changed;   ///< namespaces
    std::array<nvme::ErrorLogEntry, error_entries> m_errors{};
    u64 m_error_count = 0;
    u64 m_power_cycles = 0;
    u64 m_unsafe_shutdowns = 0;
    NvmeCounts m_counts{};

    u64 m_gathered = 0; ///< vectors that are to be raised
    std::vector<NvmeOutcome> m_outcomes{};
    static_assert(vectors <= 64);
};

} // namespace hosted
