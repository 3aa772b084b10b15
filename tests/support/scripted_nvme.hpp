// A controller that is memory alone, for tests: it sees registers and queues as a controller does,
// by physical addresses, and does what the test says, sense or not.
//
// Commands of the admin queue are carried out as soon as their doorbell is rung, as far as the test
// has not set anything else; those of I/O queues are taken and answered by the test, or at once
// where `answers_at_once` is set.
#pragma once

#include "core/boot/boot.hpp"
#include "core/boot/pci.hpp"
#include "core/device/drivers.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

namespace twofold::test_nvme {

using namespace nvme;

inline device::DriverEnvironment
environment(boot::Kernel& kernel, pci::Configuration access, block::DiskStore* disks = nullptr) {
    return {
        .configuration = access,
        .space = *kernel.space,
        .frames = *kernel.frames,
        .heap = *kernel.heap,
        .interrupts = kernel.interrupts,
        .disks = disks};
}

template<class T>
T read(u64 address) {
    T value;
    std::memcpy(&value, hal::Memory::linear(PhysAddr{address}), sizeof(value));
    return value;
}
template<class T>
void write(u64 address, T const& value) {
    std::memcpy(hal::Memory::linear(PhysAddr{address}), &value, sizeof(value));
}

class ScriptedController final : public Connection {
public:
    static constexpr u64 register_pages = 2;
    static constexpr u32 queues_max = 8;

    struct Queue {
        u64 submissions = 0, completions = 0;
        u16 entries = 0;
        u16 head = 0; ///< of submissions, as far as they were taken
        u16 tail = 0; ///< of completions
        bool phase = true;
        u32 rings = 0; ///< of the tail doorbell
    };

    ScriptedController()
        : m_registers(boot::current_kernel()
                          .frames
                          ->allocate(memory::FrameRequest{
                              .pages = register_pages, .content = memory::FrameContent::zeroed})
                          .value()) {
        set<u64>(reg::capabilities, capabilities(0, 127));
        set<u32>(reg::version, 0x1'04'00);
        std::memset(&said, 0, sizeof(said));
        said.vendor = 0x1b36;
        std::ranges::fill(said.serial, ' ');
        std::ranges::fill(said.model, ' ');
        std::ranges::fill(said.firmware, ' ');
        std::ranges::copy(std::string_view("42"), said.serial);
        std::ranges::copy(std::string_view("scripted"), said.model);
        said.submission_entry_log2 = 0x66;
        said.completion_entry_log2 = 0x44;
        said.namespaces = 16;
        said.data_size_max_log2 = 5; // 128 KiB
        said.volatile_cache = 1;
        said.optional_commands = has_dataset_management | has_write_zeroes;
        said.event_limit = 3;
        said.abort_limit = 3;
        said.events_supported = wants_namespace_notices;
        blocks[1] = 1u << 20;
    }
    ~ScriptedController() {
        boot::current_kernel().frames->free_pages(m_registers, register_pages).value();
    }

    // What it is, set before it is opened.
    IdentifyController said;
    u64 blocks[17]{}; ///< of each namespace; 0: it is not there
    u8 block_log2 = 9;
    u32 vector_count = 9;
    u32 queues_offered = queues_max;

    // How it misbehaves.
    bool never_ready = false, never_disabled = false, never_shut_down = false;
    bool fails_on_enable = false;
    bool answers_admin = true, answers_aborts = true;
    bool aborts_commands = true; ///< what is to be aborted comes back so
    bool answers_at_once = false;
    u16 name_space_status = 0; ///< what a question about a namespace comes back with
    u16 admin_status = 0;      ///< what every admin command comes back with
    AdminOpcode admin_failing = AdminOpcode::asynchronous_event; ///< that one alone

    // What has happened to it.
    Queue queues[queues_max + 1];
    u32 enabled_times = 0, shut_down_times = 0, abort_count = 0, completion_rings = 0;
    u32 restored = 0, unmasks = 0;
    bool is_cut_off = false, is_closed = false, is_unbound = false;
    FixedVector<u16, 8> event_ids; ///< requests for events that it has
    u32 features[16]{};
    void (*taken)(void* object, u16 queue, Command const& command) = nullptr; ///< of an I/O queue
    void* object = nullptr;

    static constexpr u64 capabilities(u32 time_out_units, u32 entries_less_one) {
        return u64{entries_less_one} | u64{1} << 16 | u64{time_out_units} << 24 | u64{1} << 37;
    }

    Registers registers() {
        std::byte* const seen = hal::Memory::linear(m_registers);
        return {VirtAddr{std::bit_cast<u64>(seen)}, page_size * register_pages, {written, this}};
    }
    template<class T>
    T get(Bytes offset) const {
        return read<T>((m_registers + offset).value);
    }
    template<class T>
    void set(Bytes offset, T value) {
        write<T>((m_registers + offset).value, value);
    }
    void set_status(u32 status) { set(reg::status, status); }

    // Connection
    u32 vectors() const override { return vector_count; }
    Result<void> bind(u32 vector, CpuId cpu, processor::InterruptBinding const& binding) override {
        static_cast<void>(cpu);
        bindings[vector] = binding;
        return {};
    }
    void mask(u32 vector) override { masked[vector] = true; }
    void unmask(u32 vector) override {
        masked[vector] = false;
        ++unmasks;
    }
    void restore() override { ++restored; }
    Result<void> begin_errands(Errands const& errands) override {
        m_errands = errands;
        return {};
    }
    void request_errand(ErrandKind) override { m_wants_errands.fetch_add(1, acquire_release); }
    void unbind() override { is_unbound = true; }
    void cut_off() override { is_cut_off = true; }
    void close() override { is_closed = true; }
    processor::InterruptBinding bindings[queues_max + 1];
    bool masked[queues_max + 1]{};

    bool wants_errands() { return m_wants_errands.exchange(0, acquire_release) != 0; }
    void run_errands() {
        while (wants_errands()) {
            for (auto* const run : m_errands.run) {
                run(m_errands.object);
            }
        }
    }
    /// What an interrupt leads to, unless it is masked.
    void interrupt(u32 vector) {
        if (!masked[vector] && bindings[vector].handler != nullptr) {
            bindings[vector].handler(bindings[vector].argument, {});
            bindings[vector].second_half(bindings[vector].argument);
        }
    }

    /// The next command that a doorbell has told of.
    std::optional<Command> take(u16 number) {
        Queue& queue = queues[number];
        u32 const tail = get<u32>(submission_doorbell(number, 4));
        if (queue.entries == 0 || queue.head == tail) {
            return std::nullopt;
        }
        auto const command = read<Command>(queue.submissions + u64{queue.head} * sizeof(Command));
        queue.head = static_cast<u16>((queue.head + 1) % queue.entries);
        return command;
    }
    /// Writes a completion, whatever it says.
    void complete(u16 number, u16 id, u16 status = 0, u32 result = 0) {
        Queue& queue = queues[number];
        Completion const completion{
            .result = result,
            .submission_head = queue.head,
            .submission_queue = number,
            .id = id,
            .status = static_cast<u16>(status << 1 | (queue.phase ? 1 : 0))};
        write(queue.completions + u64{queue.tail} * sizeof(Completion), completion);
        queue.tail = static_cast<u16>((queue.tail + 1) % queue.entries);
        queue.phase = queue.tail == 0 ? !queue.phase : queue.phase;
    }
    /// Tells of an event, if it was asked to.
    bool tell(u32 event) {
        if (event_ids.empty()) {
            return false;
        }
        complete(0, event_ids.back(), 0, event);
        event_ids.pop_back();
        interrupt(0);
        return true;
    }

private:
    static void written(void* self, Bytes offset) {
        auto& controller = *static_cast<ScriptedController*>(self);
        if (offset == reg::configuration) {
            controller.configure();
        } else if (offset >= reg::doorbells) {
            controller.ring(static_cast<u32>((offset - reg::doorbells).value / 4));
        }
    }

    void configure() {
        u32 const configuration = get<u32>(reg::configuration);
        u32 status = get<u32>(reg::status);
        if ((configuration & cc::shutdown_mask) != 0 && !never_shut_down) {
            ++shut_down_times;
            status |= csts::shutdown_complete;
        }
        bool const was_enabled = (status & csts::ready) != 0;
        if ((configuration & cc::enable) != 0 && !was_enabled) {
            ++enabled_times;
            status = fails_on_enable ? csts::fatal : never_ready ? 0u : csts::ready;
            queues[0] = {
                .submissions = get<u64>(reg::admin_submission),
                .completions = get<u64>(reg::admin_completion),
                .entries = static_cast<u16>((get<u32>(reg::admin_attributes) & 0xfff) + 1)};
            for (u32 i = 0; i <= queues_max; ++i) {
                set<u32>(submission_doorbell(static_cast<u16>(i), 4), 0);
            }
        } else if ((configuration & cc::enable) == 0 && !never_disabled) {
            status = 0;
            std::ranges::fill(queues, Queue{});
            event_ids.clear();
        }
        set_status(status);
    }

    void ring(u32 doorbell) {
        auto const number = static_cast<u16>(doorbell / 2);
        if (doorbell % 2 != 0) {
            completion_rings += number != 0 ? 1 : 0;
            return;
        }
        if (number > queues_max) {
            return;
        }
        ++queues[number].rings;
        if (number == 0) {
            while (auto const command = answers_admin ? take(0) : std::nullopt) {
                carry_out(*command);
            }
            return;
        }
        while (auto const command = answers_at_once ? take(number) : std::nullopt) {
            if (taken != nullptr) {
                taken(object, number, *command);
            }
            complete(number, command->id);
        }
    }

    void carry_out(Command const& command) {
        auto const opcode = static_cast<AdminOpcode>(command.opcode);
        if (opcode == AdminOpcode::asynchronous_event) {
            event_ids.push_back(command.id).value();
            return;
        }
        if (admin_status != 0 && opcode == admin_failing) {
            complete(0, command.id, admin_status);
            return;
        }
        u32 result = 0;
        u16 status = 0;
        switch (opcode) {
        case AdminOpcode::identify:
            status = identify(command);
            break;
        case AdminOpcode::set_features:
            result = set_feature(command);
            break;
        case AdminOpcode::get_features:
            result = features[command.word10 & 0xf];
            break;
        case AdminOpcode::create_completion_queue:
            queue_of(command).completions = command.data[0];
            queue_of(command).entries = static_cast<u16>((command.word10 >> 16) + 1);
            break;
        case AdminOpcode::create_submission_queue:
            queue_of(command).submissions = command.data[0];
            break;
        case AdminOpcode::get_log_page:
            std::memset(
                hal::Memory::linear(PhysAddr{command.data[0]}), 0,
                ((command.word10 >> 16) + 1) * sizeof(u32));
            break;
        case AdminOpcode::abort:
            ++abort_count;
            if (!answers_aborts) {
                return;
            }
            if (aborts_commands) {
                complete(
                    static_cast<u16>(command.word10), static_cast<u16>(command.word10 >> 16),
                    nvme::status::aborted_by_request);
            }
            result = aborts_commands ? 0 : 1;
            break;
        default:
            status = nvme::status::invalid_opcode;
        }
        complete(0, command.id, status, result);
    }

    Queue& queue_of(Command const& command) {
        return queues[std::min<u32>(command.word10 & 0xffff, queues_max)];
    }

    u16 identify(Command const& command) {
        u64 const to = command.data[0];
        std::memset(hal::Memory::linear(PhysAddr{to}), 0, identify_bytes);
        switch (static_cast<IdentifyKind>(command.word10 & 0xff)) {
        case IdentifyKind::controller:
            write(to, said);
            return 0;
        case IdentifyKind::active_namespaces: {
            u64 at = to;
            for (u32 number = command.space + 1; number < std::size(blocks); ++number) {
                if (blocks[number] != 0) {
                    write(at, number);
                    at += sizeof(u32);
                }
            }
            return 0;
        }
        case IdentifyKind::name_space: {
            if (name_space_status != 0) {
                return name_space_status;
            }
            if (command.space == 0 || command.space >= std::size(blocks)) {
                return nvme::status::invalid_namespace | do_not_retry;
            }
            u64 const count = blocks[command.space];
            write(to + offsetof(IdentifyNamespace, blocks), count);
            write(to + offsetof(IdentifyNamespace, capacity), count);
            write(
                to + offsetof(IdentifyNamespace, format_list),
                BlockFormat{.data_log2 = block_log2});
            return 0;
        }
        default:
            return nvme::status::invalid_field;
        }
    }

    u32 set_feature(Command const& command) {
        features[command.word10 & 0xf] = command.word11;
        if (static_cast<Feature>(command.word10 & 0xff) == Feature::number_of_queues) {
            u32 const least = std::min(queues_offered - 1, command.word11 & 0xffff);
            return least << 16 | least;
        }
        return 0;
    }

    PhysAddr m_registers;
    Errands m_errands;
    Atomic<u32> m_wants_errands{0};
};

} // namespace twofold::test_nvme
