// The shape of hackbench: ten groups of twenty senders and twenty receivers, each sender writes to
// each receiver of its group. The peer is `perf bench sched messaging`.
#include "bench/sched/commands/commands.hpp"
#include "bench/sched/commands/pipe.hpp"

#include <bit>

namespace twofold::bench {

namespace {

using task::Thread;
using task::Threads;

constexpr u32 groups = 10;
constexpr u32 each = 20; ///< senders, and receivers, of a group
constexpr usize words = Pipe::message_bytes / sizeof(u32);
static_assert(Pipe::message_bytes % sizeof(u32) == 0);

using Words = std::array<u32, words>;

/// What a sender writes: all words differ, and so do those of any two senders.
u32 word_of(u32 sender, usize index) {
    return (sender + 1) * 2'654'435'761u + static_cast<u32>(index) * 40'503u;
}

u64 sum_of(Pipe::Message const& message) {
    u64 sum = 0;
    for (u32 const word : std::bit_cast<Words>(message)) {
        sum += word;
    }
    return sum;
}

struct Storm {
    Storm(Threads& owner, u32 count)
        : threads(owner), table(owner.waiting()), start(owner.waiting()), messages(count) {}

    Threads& threads;
    Pipe::Table table;
    task::Event<task::KernelThreads> start;
    u32 messages; ///< from each sender to each receiver
    Pipe* pipes[groups][each]{};
    Atomic<u64> received_sum{0};
};

/// One thread: which of a group, and what for.
struct Member {
    Storm& storm;
    u32 group;
    u32 number;

    void send() const {
        Words content;
        for (usize index = 0; index < words; ++index) {
            content[index] = word_of(group * each + number, index);
        }
        auto const message = std::bit_cast<Pipe::Message>(content);
        storm.start.wait();
        for (u32 count = 0; count < storm.messages; ++count) {
            for (Pipe* const pipe : storm.pipes[group]) {
                pipe->write(message);
            }
        }
    }
    void receive() const {
        storm.start.wait();
        u64 sum = 0;
        Pipe::Message message;
        for (u32 count = 0; count < storm.messages * each; ++count) {
            storm.pipes[group][number]->read(message);
            sum += sum_of(message);
        }
        storm.received_sum.fetch_add(sum, relaxed);
    }
};

u64 expected_sum(u32 messages) {
    u64 sum = 0;
    for (u32 sender = 0; sender < groups * each; ++sender) {
        for (usize index = 0; index < words; ++index) {
            sum += word_of(sender, index);
        }
    }
    return sum * each * messages;
}

/// All threads of the storm; they wait for its start.
template<class Visit>
void for_each_member(Storm& storm, Visit const& visit) {
    for (u32 group = 0; group < groups; ++group) {
        for (u32 number = 0; number < each; ++number) {
            visit(Member{storm, group, number});
        }
    }
}

Thread& begin(Member const* member, void (*entry)(void*)) {
    auto attributes = stays_here("storm");
    attributes.stack = task::ThreadAttributes::stack_min;
    void* const argument = const_cast<void*>(static_cast<void const*>(member));
    return *member->storm.threads.spawn(attributes, entry, argument).value();
}

} // namespace

u8 measure_storm(boot::CommandContext& context) {
    auto const messages = boot::number_argument(context, "storm-bench", 100, 1'000'000);
    Threads* const threads = threads_of(context);
    if (!messages || threads == nullptr) {
        return messages ? boot::status::failure : boot::status::usage;
    }
    memory::KernelHeap& heap = *context.kernel.heap;
    auto storm = memory::Box<Storm, memory::KernelHeap>::create(heap, *threads, *messages).value();
    memory::Vector<Member, memory::KernelHeap> members(heap);
    memory::Vector<Thread*, memory::KernelHeap> all(heap);
    members.reserve(usize{groups} * each).value();
    for_each_member(*storm, [&](Member const& member) {
        Pipe* const room = memory::allocate_room<Pipe>(heap, 1).value();
        storm->pipes[member.group][member.number] = std::construct_at(room, storm->table);
        members.push(member).value();
    });
    for (Member const& member : members) {
        all.push(&begin(&member, [](void* self) { static_cast<Member*>(self)->receive(); }))
            .value();
        all.push(&begin(&member, [](void* self) { static_cast<Member*>(self)->send(); })).value();
    }
    u64 const took_ns = boot::time_of(1, [&] {
        storm->start.set();
        for (Thread* const thread : all) {
            threads->join(*thread).value();
        }
    });
    bool const is_right = storm->received_sum.load(relaxed) == expected_sum(*messages);
    for_each_member(*storm, [&](Member const& member) {
        Pipe* const pipe = storm->pipes[member.group][member.number];
        std::destroy_at(pipe);
        memory::free_room(heap, pipe);
    });
    u32 const count = groups * each * each * *messages;
    context.out.table(boot::operation_columns);
    context.out.row({"storm", count, took_ns * 1000 / count, "-", "-"});
    if (!is_right) {
        context.out.line("storm-bench: not all bytes have arrived");
        return boot::status::failure;
    }
    return boot::status::success;
}

} // namespace twofold::bench
