// The driver's side of an NVMe controller, for tests: registers and memory by an interface, so that
// the same commands go to the hosted model and to QEMU's, and queues that are kept as the
// specification has it.
#pragma once

#include "core/device/nvme/layout.hpp"

#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace hosted::test {

using namespace twofold;
namespace nvme = twofold::nvme;

/// How a controller and the memory that it reaches are got at.
class NvmeSide {
public:
    virtual ~NvmeSide() = default;
    virtual u32 read_32(u64 offset) = 0;
    virtual void write_32(u64 offset, u32 value) = 0;
    virtual void read_memory(u64 at, std::span<std::byte> to) = 0;
    virtual void write_memory(u64 at, std::span<std::byte const> from) = 0;
    /// Lets the controller go on. False: it has nothing to do any more.
    virtual bool step() = 0;
};

/// What a command came to: the completion, or nothing where none came.
using Answer = std::optional<nvme::Completion>;

inline constexpr u64 data_at = 0x200000; ///< where commands' data lies unless they say otherwise
inline constexpr u16 never_again = nvme::do_not_retry;

inline nvme::Command admin_command(nvme::AdminOpcode opcode, u32 word10 = 0, u32 word11 = 0) {
    return {
        .opcode = static_cast<u8>(opcode),
        .data = {data_at, 0},
        .word10 = word10,
        .word11 = word11};
}
inline nvme::Command io_command(nvme::Opcode opcode, u64 block = 0, u32 blocks = 1) {
    return {
        .opcode = static_cast<u8>(opcode),
        .space = 1,
        .data = {data_at, data_at + 0x1000},
        .word10 = static_cast<u32>(block),
        .word11 = static_cast<u32>(block >> 32),
        .word12 = blocks - 1};
}

class NvmeHost {
public:
    static constexpr u64 memory_bytes = u64{4} << 20;
    static constexpr u64 queues_at = 0x100000, lists_at = 0x180000;
    static constexpr u16 entries = 16;
    static constexpr u32 enabled = nvme::cc::enable | 6u << nvme::cc::submission_size_shift |
                                   4u << nvme::cc::completion_size_shift;

    explicit NvmeHost(NvmeSide& side) : m_side(side) {}

    static constexpr u64 submissions(u16 queue) { return queues_at + u64{queue} * 0x2000; }
    static constexpr u64 completions(u16 queue) { return submissions(queue) + 0x1000; }

    template<class T>
    T get(u64 at) {
        T value;
        m_side.read_memory(at, std::as_writable_bytes(std::span(&value, 1)));
        return value;
    }
    template<class T>
    void put(u64 at, T const& value) {
        m_side.write_memory(at, std::as_bytes(std::span(&value, 1)));
    }
    void fill(u64 at, u64 bytes, u8 with) {
        std::vector<std::byte> const all(bytes, std::byte{with});
        m_side.write_memory(at, all);
    }
    std::vector<std::byte> bytes(u64 at, u64 count) {
        std::vector<std::byte> all(count);
        m_side.read_memory(at, all);
        return all;
    }

    u32 status() { return m_side.read_32(nvme::reg::status.value); }
    bool is_ready() { return (status() & nvme::csts::ready) != 0; }
    void configure(u32 value) { m_side.write_32(nvme::reg::configuration.value, value); }
    /// Waits for bits of the status, for at most so many steps.
    bool await_status(u32 mask, u32 wanted) {
        for (u32 i = 0; i < steps_max && (status() & mask) != wanted; ++i) {
            m_side.step();
        }
        return (status() & mask) == wanted;
    }
    void place_admin_queues(u64 submission = submissions(0), u64 completion = completions(0)) {
        using namespace nvme;
        m_side.write_32(reg::admin_attributes.value, (entries - 1u) << 16 | (entries - 1u));
        m_side.write_32(reg::admin_submission.value, static_cast<u32>(submission));
        m_side.write_32(reg::admin_submission.value + 4, static_cast<u32>(submission >> 32));
        m_side.write_32(reg::admin_completion.value, static_cast<u32>(completion));
        m_side.write_32(reg::admin_completion.value + 4, static_cast<u32>(completion >> 32));
    }
    /// From a reset to where admin commands are taken.
    bool enable(u32 configuration = enabled) {
        configure(0);
        if (!await_status(nvme::csts::ready, 0)) {
            return false;
        }
        m_queues.clear();
        fill(queues_at, 0x8000, 0);
        place_admin_queues();
        m_queues[0] = {};
        configure(configuration);
        return await_status(nvme::csts::ready, nvme::csts::ready);
    }
    /// A pair of queues, 1 and on.
    bool open_queue(u16 queue, u16 size = entries) {
        nvme::Completion const made = admin(create_completions(queue, size));
        nvme::Completion const too = admin(create_submissions(queue, size));
        m_queues[queue] = {.size = size};
        fill(submissions(queue), 0x2000, 0);
        return made.status >> 1 == 0 && too.status >> 1 == 0;
    }
    static nvme::Command create_completions(u16 queue, u16 size = entries, u16 vector = 0) {
        return {
            .opcode = static_cast<u8>(nvme::AdminOpcode::create_completion_queue),
            .data = {completions(queue), 0},
            .word10 = (size - 1u) << 16 | queue,
            .word11 = u32{vector} << 16 | nvme::queue_contiguous | nvme::queue_interrupts};
    }
    static nvme::Command create_submissions(u16 queue, u16 size = entries) {
        return {
            .opcode = static_cast<u8>(nvme::AdminOpcode::create_submission_queue),
            .data = {submissions(queue), 0},
            .word10 = (size - 1u) << 16 | queue,
            .word11 = u32{queue} << 16 | nvme::queue_contiguous};
    }
    /// Puts a command into a queue, without the doorbell. The answer is its number.
    u16 place(u16 queue, nvme::Command command) {
        Queue& q = m_queues[queue];
        command.id = q.next_id++;
        put(submissions(queue) + u64{q.tail} * sizeof(command), command);
        q.tail = static_cast<u16>(q.tail + 1 == q.size ? 0 : q.tail + 1);
        return command.id;
    }
    void ring(u16 queue) {
        m_side.write_32(nvme::submission_doorbell(queue, 4).value, m_queues[queue].tail);
    }
    u16 submit(u16 queue, nvme::Command const& command) {
        u16 const id = place(queue, command);
        ring(queue);
        return id;
    }
    /// The next completion, if there is one by its phase; its place is given back.
    Answer take(u16 queue, bool gives_back = true) {
        Queue& q = m_queues[queue];
        auto const next =
            get<nvme::Completion>(completions(queue) + u64{q.head} * sizeof(nvme::Completion));
        if ((next.status & 1) != q.phase) {
            return std::nullopt;
        }
        if (++q.head == q.size) {
            q.head = 0;
            q.phase ^= 1;
        }
        if (gives_back) {
            give_back(queue);
        }
        return next;
    }
    void give_back(u16 queue) {
        m_side.write_32(nvme::completion_doorbell(queue, 4).value, m_queues[queue].head);
    }
    Answer await(u16 queue) {
        Answer answer = take(queue);
        for (u32 i = 0; i < steps_max && !answer; ++i) {
            bool const goes_on = m_side.step();
            answer = take(queue);
            if (!goes_on && !answer) {
                break;
            }
        }
        return answer;
    }
    /// One command from begin to end; a status that is none, where no completion came.
    nvme::Completion perform(u16 queue, nvme::Command const& command) {
        u16 const id = submit(queue, command);
        Answer const answer = await(queue);
        if (!answer || answer->id != id || answer->submission_queue != queue) {
            return {.status = 0xffff};
        }
        return *answer;
    }
    nvme::Completion admin(nvme::Command const& command) { return perform(0, command); }
    /// Its status without the bit that says that there is more in the log.
    u16 admin_status(nvme::Command const& command) { return status_of(admin(command)); }
    u16 io_status(nvme::Command const& command, u16 queue = 1) {
        return status_of(perform(queue, command));
    }
    static u16 status_of(nvme::Completion const& completion) {
        constexpr u16 more = 1u << 13;
        return static_cast<u16>((completion.status >> 1) & ~more);
    }
    u16 tail(u16 queue) { return m_queues[queue].tail; }
    u16 head(u16 queue) { return m_queues[queue].head; }
    NvmeSide& side() { return m_side; }

private:
    static constexpr u32 steps_max = 20'000;

    struct Queue {
        u16 size = entries;
        u16 tail = 0;
        u16 head = 0;
        u16 phase = 1;
        u16 next_id = 0x40;
    };

    NvmeSide& m_side;
    std::map<u16, Queue> m_queues;
};

} // namespace hosted::test
