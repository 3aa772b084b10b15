// Pools and arenas: objects come and go, handles of those that are gone stay dead, and tensors'
// blocks never overlap.
#include "core/boot/pools.hpp"
#include "apps/workloads/rooms.hpp"
#include "core/memory/memory.hpp"

namespace twofold::workloads {

namespace {

class PoolsWorkload {
public:
    explicit PoolsWorkload(Run& run) : m_run(run), m_mutex(run.task_threads().locks(), "pools") {}
    ~PoolsWorkload() { give_all(nullptr); }
    PoolsWorkload(PoolsWorkload const&) = delete;
    PoolsWorkload& operator=(PoolsWorkload const&) = delete;

    Result<void> begin(Check&) {
        m_frames = m_run.kernel.shared_frames->in_use();
        m_window.emplace(TRY(memory::PoolWindow::create(
            *m_run.kernel.space, {.size = Nodes::range_for(nodes_max), .name = "workload"})));
        m_nodes = TRY(Nodes::create(*m_window, nodes_max));
        m_tensors.emplace(
            TRY(memory::TensorPool::create(*m_run.kernel.space, Bytes{u64{2} << 20})));
        return {};
    }

    void perform(Step& step) {
        u64 const what = step.random.below(100);
        if (what < 60) {
            use_nodes(step);
        } else if (what < 85) {
            use_tensors(step);
        } else {
            use_arena(step);
        }
    }

    void end(Check& check) { give_all(&check); }

private:
    static constexpr u64 nodes_max = 160;
    static constexpr usize slots = 24;
    static constexpr usize blocks = 6;

    struct Node {
        explicit Node(u64 number) : value(number) {}
        u64 value;
        u64 rest[40] = {};
    };
    using Nodes = memory::LazyPool<Node, memory::PoolWindow, memory::ManyContexts>;
    struct Slot {
        Node* node = nullptr;
        memory::PoolHandle handle;
        u64 value = 0;
        std::optional<memory::PoolHandle> dead; ///< of the node before
    };
    struct Block {
        std::optional<memory::TensorBytes> bytes;
        u64 pattern = 0;
    };

    void use_nodes(Step& step) {
        for (u64 turn = 1 + step.random.below(8); turn > 0; --turn) {
            Slot& slot = m_slots[step.thread][step.random.below(slots)];
            slot.node == nullptr ? make(step, slot) : destroy(step, slot);
        }
        if (step.chance(10)) {
            m_nodes->trim();
        }
    }
    void make(Step& step, Slot& slot) {
        u64 const value = step.random.next();
        auto const made = m_nodes->make(value);
        bool const is_full = !made && made.error() == Error::no_space;
        if (is_full || !step.well("an object is made", made) || !made) {
            return;
        }
        slot.node = made.value();
        slot.value = value;
        slot.handle = m_nodes->handle_of(slot.node).value();
        if (slot.dead) {
            step.equal("a handle of what is gone", Error::invalid_state, m_nodes->find(*slot.dead));
        }
    }
    void destroy(Check& check, Slot& slot) {
        auto const found = m_nodes->find(slot.handle);
        if (check.equal("an object is found by its handle", answer_ok, found)) {
            check.holds("it is that object", found.value() == slot.node);
        }
        check.equal("content of an object", slot.value, slot.node->value);
        check.equal("an object is destroyed", answer_ok, m_nodes->destroy(slot.node));
        check.equal("a handle of what is gone", Error::invalid_state, m_nodes->find(slot.handle));
        slot.dead = slot.handle;
        slot.node = nullptr;
    }

    /// One thread at a time: the pool of tensors is for one context.
    void use_tensors(Step& step) {
        task::MutexGuard const guard(m_mutex);
        for (u64 turn = 1 + step.random.below(4); turn > 0; --turn) {
            Block& block = m_blocks[step.random.below(blocks)];
            if (block.bytes) {
                give(step, block);
                continue;
            }
            u64 const size = 8 * (1 + step.random.below(step.chance(70) ? 2'000 : 60'000));
            auto taken = m_tensors->allocate(
                {.kind = memory::TensorClass::activations, .size = Bytes{size}});
            if (!step.well("a tensor's block", taken) || !taken) {
                continue;
            }
            block.bytes.emplace(std::move(taken).value());
            block.pattern = step.random.next();
            block.bytes->fill(block.pattern);
        }
    }
    static void give(Check& check, Block& block) {
        auto const words = block.bytes->bytes();
        for (usize at : {usize{0}, words.size() - sizeof(u64)}) {
            u64 word = 0;
            check.equal(
                "a word is read", answer_ok,
                block.bytes->read(std::as_writable_bytes(std::span(&word, 1)), Bytes{at}));
            check.equal("content of a tensor", block.pattern, word);
        }
        block.bytes.reset();
    }
    void use_arena(Step& step) {
        memory::BumpArena<memory::KernelHeap> arena(m_run.heap(), Bytes{512});
        FixedVector<u64*, 32> numbers;
        std::optional<memory::BumpArena<memory::KernelHeap>::Checkpoint> mark;
        usize kept = 0;
        for (u64 turn = 4 + step.random.below(20); turn > 0; --turn) {
            auto const made = arena.make<u64>(u64{numbers.size()});
            if (!step.well("a number", made) || !made) {
                break;
            }
            numbers.push_back(made.value()).value(); // there are fewer
            if (!mark && step.chance(20)) {
                auto const taken = arena.checkpoint();
                if (step.well("a checkpoint", taken) && taken) {
                    mark = taken.value();
                    kept = numbers.size();
                }
            }
        }
        for (usize i = 0; i < numbers.size(); ++i) {
            step.equal("a number of an arena", i, *numbers[i]);
        }
        if (mark) {
            step.equal("the arena goes back", answer_ok, arena.rewind(*mark));
            step.equal("and back again", Error::invalid_state, arena.rewind(*mark));
            for (usize i = 0; i < kept; ++i) {
                step.equal("a number that was kept", i, *numbers[i]);
            }
        }
        step.equal("the walk over the arena", answer_ok, arena.verify());
    }

    /// Without a check where the run could not be begun.
    void give_all(Check* check) {
        Check own(m_run);
        Check& said = check != nullptr ? *check : own;
        for (Block& block : m_blocks) {
            block.bytes.reset();
        }
        if (m_tensors) {
            said.equal("the walk over the tensors", answer_ok, m_tensors->verify());
            auto const seen = m_tensors->statistics(memory::TensorClass::activations);
            said.equal("blocks of tensors", 0, seen.blocks);
            said.equal("the largest free extent", seen.committed.value, seen.largest_free.value);
            m_tensors.reset();
        }
        if (m_nodes != nullptr) {
            for (auto& of_thread : m_slots) {
                for (Slot& slot : of_thread) {
                    if (slot.node != nullptr) {
                        destroy(said, slot);
                    }
                }
            }
            said.equal("the walk over the pool", answer_ok, m_nodes->verify());
            fill_and_empty(said);
            said.equal(
                "the pool is closed", answer_ok, Nodes::close(*std::exchange(m_nodes, nullptr)));
        }
        m_window.reset();
    }
    /// All slots can be had again.
    void fill_and_empty(Check& check) {
        u64 made = 0;
        Error error{};
        for (auto node = m_nodes->make(made); made <= nodes_max; node = m_nodes->make(made)) {
            if (!node) {
                error = node.error();
                break;
            }
            ++made;
        }
        check.equal("an object too many", Error::no_space, error);
        check.equal("objects that there is room for", nodes_max, made);
        FixedVector<Node*, nodes_max> all;
        m_nodes->for_each([&](Node& node) { all.push_back(&node).value(); });
        for (Node* const node : all) {
            check.equal("an object is destroyed", answer_ok, m_nodes->destroy(node));
        }
    }

    Run& m_run;
    task::Mutex<task::KernelThreads> m_mutex;
    u64 m_frames = 0;
    std::optional<memory::PoolWindow> m_window;
    Nodes* m_nodes = nullptr;
    std::optional<memory::TensorPool> m_tensors;
    Slot m_slots[threads_max][slots];
    Block m_blocks[blocks];
};

} // namespace

constinit Workload const pools_workload = workload_of<PoolsWorkload>(
    {.name = "pools",
     .about = "objects of a pool and their handles, tensors' blocks, and arenas",
     .operations = 48});

} // namespace twofold::workloads
