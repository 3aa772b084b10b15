// What NVM Express lays down: registers, commands, completions, what a controller says of itself.
// Little-endian. Both sides of a queue are written from this and share nothing else.
//
// Source: NVM Express Base Specification 1.4, sections 3.1 (registers), 4.2, 4.4 and 4.6 (queue
// entries, scatter-gather lists), 5 and 6 (commands), 5.14 (log pages), 5.15 (identify).
#pragma once

#include "core/base/base.hpp"

#include <bit>
#include <cstddef>

namespace twofold::nvme {

static_assert(std::endian::native == std::endian::little);

/// The class code of a controller: mass storage, non-volatile memory, NVM Express.
inline constexpr u32 pci_class = 0x01'08'02;

/// Offsets of registers in base address 0.
namespace reg {

inline constexpr Bytes capabilities{0x00}, version{0x08}, mask_set{0x0c}, mask_clear{0x10},
    configuration{0x14}, status{0x1c}, subsystem_reset{0x20}, admin_attributes{0x24},
    admin_submission{0x28}, admin_completion{0x30}, doorbells{0x1000};

} // namespace reg

/// The register CAP.
struct Capabilities {
    u64 word = 0;

    constexpr u32 entries_max() const { return static_cast<u32>(word & 0xffff) + 1; } ///< MQES
    constexpr bool needs_contiguous_queues() const { return (word >> 16 & 1) != 0; }
    /// How long the controller may take to become ready or to cease, in units of 500 ms.
    constexpr u32 time_out_units() const { return static_cast<u32>(word >> 24 & 0xff); }
    /// Bytes from one doorbell to the next.
    constexpr u32 doorbell_stride() const { return u32{4} << (word >> 32 & 0xf); }
    constexpr bool has_subsystem_reset() const { return (word >> 36 & 1) != 0; }
    constexpr bool has_nvm_commands() const { return (word >> 37 & 1) != 0; }
    constexpr u64 page_bytes_min() const { return u64{4096} << (word >> 48 & 0xf); }
    constexpr u64 page_bytes_max() const { return u64{4096} << (word >> 52 & 0xf); }
};

/// The register CC.
namespace cc {

inline constexpr u32 enable = 1;
inline constexpr u32 command_set_shift = 4, page_size_shift = 7, arbitration_shift = 11,
                     shutdown_shift = 14, submission_size_shift = 16, completion_size_shift = 20;
inline constexpr u32 shutdown_mask = 3u << shutdown_shift;
inline constexpr u32 shutdown_normal = 1u << shutdown_shift, shutdown_abrupt = 2u << shutdown_shift;

} // namespace cc

/// The register CSTS.
namespace csts {

inline constexpr u32 ready = 1, fatal = 2, subsystem_reset_occurred = 16, processing_paused = 32;
inline constexpr u32 shutdown_mask = 3u << 2, shutdown_occurring = 1u << 2,
                     shutdown_complete = 2u << 2;

} // namespace csts

/// Where the doorbell of a queue is: the tail of its submissions, or the head of its completions.
constexpr Bytes submission_doorbell(u16 queue, u32 stride) {
    return reg::doorbells + Bytes{u64{queue} * 2 * stride};
}
constexpr Bytes completion_doorbell(u16 queue, u32 stride) {
    return reg::doorbells + Bytes{(u64{queue} * 2 + 1) * stride};
}

enum class AdminOpcode : u8 {
    delete_submission_queue = 0x00,
    create_submission_queue = 0x01,
    get_log_page = 0x02,
    delete_completion_queue = 0x04,
    create_completion_queue = 0x05,
    identify = 0x06,
    abort = 0x08,
    set_features = 0x09,
    get_features = 0x0a,
    asynchronous_event = 0x0c,
};

enum class Opcode : u8 {
    flush = 0x00,
    write = 0x01,
    read = 0x02,
    write_zeroes = 0x08,
    dataset_management = 0x09,
};

/// What says how large the data is and where it lies: PRP, or an SGL whose first descriptor is in
/// the command.
inline constexpr u8 data_by_prp = 0, data_by_sgl = 1u << 6;

/// A submission queue entry.
struct Command {
    u8 opcode = 0;
    u8 flags = 0; ///< data_by_prp or data_by_sgl; the lowest bits: fused operations
    u16 id = 0;
    u32 space = 0; ///< the namespace
    u32 word2 = 0;
    u32 word3 = 0;
    u64 metadata = 0;
    u64 data[2]{}; ///< PRP 1 and PRP 2, or one SglDescriptor
    u32 word10 = 0;
    u32 word11 = 0;
    u32 word12 = 0;
    u32 word13 = 0;
    u32 word14 = 0;
    u32 word15 = 0;
};
static_assert(
    sizeof(Command) == 64 && offsetof(Command, data) == 24 && offsetof(Command, word10) == 40);

/// Reads and writes: word 10 and 11 are the first block; word 12 has the count less one below, and
inline constexpr u32 force_unit_access = 1u << 30;
/// of write zeroes: the blocks may be deallocated.
inline constexpr u32 deallocate_zeroes = 1u << 25;
/// Dataset management: word 10 is the number of ranges less one, word 11 what is meant for them.
inline constexpr u32 deallocate_attribute = 1u << 2;
inline constexpr u32 ranges_max = 256;
struct Range {
    u32 attributes = 0;
    u32 blocks = 0;
    u64 first = 0;
};
static_assert(sizeof(Range) == 16);

/// A completion queue entry.
struct Completion {
    u32 result = 0; ///< word 0, of the command's own
    u32 reserved = 0;
    u16 submission_head = 0;
    u16 submission_queue = 0;
    u16 id = 0;
    u16 status = 0; ///< the phase in bit 0, Status above
};
static_assert(sizeof(Completion) == 16 && offsetof(Completion, status) == 14);

/// A completion's status without its phase.
struct Status {
    u16 word = 0; ///< bits 0 to 7 the code, 8 to 10 its type, 13 more, 14 do not retry

    constexpr bool operator==(Status const&) const = default;
    static constexpr Status of(Completion const& completion) {
        return {static_cast<u16>(completion.status >> 1)};
    }
    constexpr u8 code() const { return static_cast<u8>(word); }
    constexpr u8 type() const { return static_cast<u8>(word >> 8 & 7); }
    /// Type and code, without what is said about retries.
    constexpr u16 kind() const { return word & 0x7ff; }
    constexpr bool must_not_retry() const { return (word >> 14 & 1) != 0; }
    constexpr bool is_success() const { return kind() == 0; }
};
inline constexpr u16 do_not_retry = 1u << 14;

/// Status::kind, as section 4.6.1.2 names them.
namespace status {

inline constexpr u16 success = 0x000, invalid_opcode = 0x001, invalid_field = 0x002,
                     command_id_conflict = 0x003, data_transfer_error = 0x004,
                     aborted_power_loss = 0x005, internal_error = 0x006, aborted_by_request = 0x007,
                     aborted_queue_deleted = 0x008, invalid_namespace = 0x00b,
                     command_sequence_error = 0x00c, invalid_sgl_segment = 0x00d,
                     invalid_sgl_count = 0x00e, invalid_data_sgl_length = 0x00f,
                     invalid_sgl_type = 0x011, invalid_prp_offset = 0x013,
                     namespace_write_protected = 0x020, lba_out_of_range = 0x080,
                     capacity_exceeded = 0x081, namespace_not_ready = 0x082;
inline constexpr u16 invalid_completion_queue = 0x100, invalid_queue_id = 0x101,
                     invalid_queue_size = 0x102, abort_limit_exceeded = 0x103,
                     event_limit_exceeded = 0x105, invalid_interrupt_vector = 0x108,
                     invalid_log_page = 0x109, invalid_queue_deletion = 0x10c,
                     feature_not_saveable = 0x10d, feature_not_changeable = 0x10e,
                     conflicting_attributes = 0x180;
inline constexpr u16 write_fault = 0x280, unrecovered_read = 0x281, guard_check = 0x282,
                     compare_failure = 0x285, access_denied = 0x286, deallocated_block = 0x287;

} // namespace status

/// A descriptor of a scatter-gather list (section 4.4).
struct SglDescriptor {
    u64 address = 0;
    u32 bytes = 0;
    u8 reserved[3]{};
    u8 type = 0; ///< in the upper half
};
static_assert(sizeof(SglDescriptor) == 16);
inline constexpr u8 sgl_data_block = 0x00, sgl_segment = 0x20, sgl_last_segment = 0x30;

/// Word 10 of identify: what is asked for.
enum class IdentifyKind : u8 {
    name_space = 0x00,
    controller = 0x01,
    active_namespaces = 0x02,
    namespace_descriptors = 0x03,
};
inline constexpr u32 identify_bytes = 4096;

/// What a controller says of itself; what is left out is reserved here.
struct IdentifyController {
    u16 vendor = 0;
    u16 subsystem_vendor = 0;
    char serial[20]{}; ///< of ASCII, filled up with spaces
    char model[40]{};
    char firmware[8]{};
    u8 arbitration_burst = 0;
    u8 ieee_oui[3]{};
    u8 multipath = 0;
    u8 data_size_max_log2 = 0; ///< MDTS, in pages of CAP.MPSMIN; 0: no limit
    u16 controller_id = 0;
    u32 version = 0;
    u8 reserved84[8]{};
    u32 events_supported = 0; ///< OAES
    u32 attributes = 0;
    u8 reserved100[156]{};
    u16 admin_commands = 0; ///< OACS
    u8 abort_limit = 0;     ///< less one
    u8 event_limit = 0;     ///< less one
    u8 firmware_updates = 0;
    u8 log_attributes = 0;
    u8 error_log_entries = 0; ///< less one
    u8 power_states = 0;      ///< less one
    u8 reserved264[2]{};
    u16 warning_kelvin = 0;
    u16 critical_kelvin = 0;
    u8 reserved270[242]{};
    u8 submission_entry_log2 = 0; ///< required below, largest above
    u8 completion_entry_log2 = 0;
    u16 commands_max = 0;
    u32 namespaces = 0;
    u16 optional_commands = 0; ///< ONCS
    u16 fused_commands = 0;
    u8 format_attributes = 0;
    u8 volatile_cache = 0; ///< bit 0: there is one
    u16 atomic_write_blocks = 0;
    u16 atomic_power_fail_blocks = 0;
    u8 vendor_commands = 0;
    u8 write_protection = 0;
    u8 reserved532[4]{};
    u32 sgl_support = 0; ///< bits 0 to 1: 1 any alignment, 2 words of 4 bytes
    u32 namespaces_max = 0;
    u8 reserved544[224]{};
    char qualified_name[256]{};
    u8 reserved1024[3072]{};
};
static_assert(sizeof(IdentifyController) == identify_bytes);
static_assert(offsetof(IdentifyController, data_size_max_log2) == 77);
static_assert(offsetof(IdentifyController, admin_commands) == 256);
static_assert(offsetof(IdentifyController, submission_entry_log2) == 512);
static_assert(offsetof(IdentifyController, volatile_cache) == 525);
static_assert(offsetof(IdentifyController, sgl_support) == 536);
static_assert(offsetof(IdentifyController, qualified_name) == 768);

inline constexpr u16 has_dataset_management = 1u << 2, has_write_zeroes = 1u << 3;

/// What blocks of a namespace are like.
struct BlockFormat {
    u16 metadata_bytes = 0;
    u8 data_log2 = 0; ///< of a block, 9 at least; 0: the format is not there
    u8 performance = 0;
};
static_assert(sizeof(BlockFormat) == 4);
inline constexpr usize formats_max = 16;

struct IdentifyNamespace {
    u64 blocks = 0; ///< 0: the namespace is not active
    u64 capacity = 0;
    u64 used = 0;
    u8 features = 0;
    u8 formats = 0; ///< less one
    u8 format = 0;  ///< which one it has, in bits 0 to 3
    u8 metadata_capabilities = 0;
    u8 protection_capabilities = 0;
    u8 protection = 0;
    u8 sharing = 0;
    u8 reservations = 0;
    u8 format_progress = 0;
    u8 deallocation = 0; ///< DLFEAT, bits 0 to 2: 1: deallocated blocks read zeros
    u16 atomic_write_blocks = 0;
    u16 atomic_power_fail_blocks = 0;
    u16 atomic_compare_blocks = 0;
    u16 boundary_blocks = 0;
    u16 boundary_offset = 0;
    u16 boundary_power_fail = 0;
    u16 optimal_boundary = 0;
    u8 nvm_capacity[16]{};
    u8 reserved64[35]{};
    u8 attributes = 0; ///< NSATTR, bit 0: it is write-protected now
    u8 reserved100[4]{};
    u8 guid[16]{};
    u64 eui64 = 0;
    BlockFormat format_list[formats_max]{};
    u8 reserved192[3904]{};
};
static_assert(sizeof(IdentifyNamespace) == identify_bytes);
static_assert(offsetof(IdentifyNamespace, attributes) == 99);
static_assert(offsetof(IdentifyNamespace, format_list) == 128);

/// All active namespaces with numbers above the one in the command, rising, zeros behind them.
inline constexpr usize namespace_list_max = identify_bytes / sizeof(u32);

/// Create queue: word 10 has the number below and the entries less one above; word 11 of a
/// completion queue has these bits below and the interrupt vector above, of a submission queue
/// contiguous and its completion queue above.
inline constexpr u32 queue_contiguous = 1, queue_interrupts = 2;

/// Word 10 of get and set features.
enum class Feature : u8 {
    arbitration = 0x01,
    power_management = 0x02,
    temperature_threshold = 0x04,
    error_recovery = 0x05,
    volatile_write_cache = 0x06,
    number_of_queues = 0x07,
    interrupt_coalescing = 0x08,
    interrupt_vector = 0x09,
    write_atomicity = 0x0a,
    asynchronous_events = 0x0b,
};

/// Word 10 of get log page: which one below, and how many words of 4 bytes less one from bit 16 on.
enum class LogPage : u8 { error = 0x01, health = 0x02, firmware = 0x03, changed_namespaces = 0x04 };

/// The log page "SMART / health information".
struct HealthLog {
    u8 critical_warning = 0;
    u8 temperature_kelvin[2]{};
    u8 spare_percent = 0;
    u8 spare_threshold_percent = 0;
    u8 used_percent = 0;
    u8 reserved6[26]{};
    u64 units_read[2]{}; ///< of 1000 times 512 bytes, rounded up; 128 bits each
    u64 units_written[2]{};
    u64 reads[2]{};
    u64 writes[2]{};
    u64 busy_minutes[2]{};
    u64 power_cycles[2]{};
    u64 power_on_hours[2]{};
    u64 unsafe_shutdowns[2]{};
    u64 media_errors[2]{};
    u64 error_entries[2]{};
    u32 warning_minutes = 0;
    u32 critical_minutes = 0;
    u8 reserved200[312]{};
};
static_assert(sizeof(HealthLog) == 512 && offsetof(HealthLog, units_read) == 32);

/// An entry of the log page "error information".
struct ErrorLogEntry {
    u64 count = 0; ///< of all errors; 0: no entry
    u16 submission_queue = 0;
    u16 command = 0;
    u16 status = 0;
    u16 place = 0;
    u64 first_block = 0;
    u32 space = 0;
    u8 vendor = 0;
    u8 transport = 0;
    u8 reserved30[2]{};
    u64 specific = 0;
    u16 transport_specific = 0;
    u8 reserved42[22]{};
};
static_assert(sizeof(ErrorLogEntry) == 64);

/// The result of an asynchronous event: its type in bits 0 to 2, what happened in 8 to 15, the log
/// page to read in 16 to 23.
enum class EventType : u8 { error = 0, health = 1, notice = 2 };
inline constexpr u8 notice_namespaces_changed = 0;
inline constexpr u32 wants_namespace_notices = 1u << 8; ///< of the feature asynchronous_events

inline constexpr u32 all_namespaces = ~u32{0};

} // namespace twofold::nvme
