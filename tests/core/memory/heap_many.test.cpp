// The kernel's heap, and a pool for any context, on every processor at once.
#include "core/memory/memory.hpp"
#include "core/memory/pools/pools.hpp"
#include "tests/core/memory/many.hpp"
#include "tests/core/memory/pools/support.hpp"

using namespace twofold;
using namespace twofold::literals;
using memory::KernelHeap;
using test::Mailbox;

namespace {

constexpr u64 block_operations = 150;
constexpr usize blocks_max = 32;

/// What a block begins with.
struct BlockHead {
    u64 size;
    u64 check;
};

/// Blocks of one processor, whole from end to end until they are freed, here or elsewhere.
class BlockHolder {
public:
    BlockHolder(KernelHeap& heap, Mailbox& mail, u32 cpu)
        : m_heap(heap), m_mail(mail), m_random(cpu + 11) {}

    void run() {
        for (u64 i = 0; i < block_operations; ++i) {
            u64 const choice = m_random.below(8);
            if (choice < 4 && m_blocks.size() < blocks_max) {
                allocate();
            } else if (choice < 6 && !m_blocks.empty()) {
                free(m_blocks.back());
                m_blocks.pop_back();
            } else if (!m_blocks.empty()) {
                u64 const mine = hal::kernel_address(m_blocks.back()).value;
                m_blocks.pop_back();
                u64 const other = m_mail.exchange(m_random.next(), mine);
                if (other != 0) {
                    free(hal::kernel_pointer({other}));
                }
            }
            sync::relax();
        }
        while (!m_blocks.empty()) {
            free(m_blocks.back());
            m_blocks.pop_back();
        }
    }
    void free(std::byte* block) {
        BlockHead const& head = *room_for<BlockHead>(block);
        wrong += head.check == ~head.size ? 0 : 1;
        wrong += block[head.size - 1] == std::byte{0x5a} ? 0 : 1;
        wrong += m_heap.free(block).has_value() ? 0 : 1;
    }

    u64 wrong = 0;

private:
    void allocate() {
        u64 const most = m_random.below(16) == 0 ? 20'000 : 600;
        u64 const size = sizeof(BlockHead) + 1 + m_random.below(most);
        auto const block = m_heap.allocate({size}, 16_B);
        if (!block) {
            wrong += block.error() == Error::out_of_memory ? 0 : 1;
            return;
        }
        *room_for<BlockHead>(block.value()) = {size, ~size};
        block.value()[size - 1] = std::byte{0x5a};
        m_blocks.push_back(block.value()).value();
    }

    KernelHeap& m_heap;
    Mailbox& m_mail;
    Random m_random;
    FixedVector<std::byte*, blocks_max> m_blocks;
};

struct PoolObject {
    explicit PoolObject(u64 owner) : tag(owner), copy(~owner) {}
    u64 tag;
    u64 copy;
};
using ObjectPool = memory::LazyPool<PoolObject, memory::PoolWindow, memory::ManyContexts>;

} // namespace

TEST(HeapMany, BlocksStayWholeWhoeverFreesThem) {
    KernelHeap& heap = *boot::current_kernel().heap;
    Mailbox mail;
    Atomic<u64> wrong{0};
    heap.trim();
    Bytes const before = heap.statistics().reserved;
    test::on_every_cpu([&](u32 index) {
        BlockHolder holder(heap, mail, index);
        holder.run();
        wrong.fetch_add(holder.wrong, relaxed);
    });
    BlockHolder last(heap, mail, 0);
    for (u64 slot = 0; slot < Mailbox::slots; ++slot) {
        if (u64 const block = mail.exchange(slot, 0); block != 0) {
            last.free(hal::kernel_pointer({block}));
        }
    }
    EXPECT_EQ(wrong.load(relaxed) + last.wrong, 0u);
    EXPECT_TRUE(heap.verify().has_value());
    EXPECT_EQ(heap.statistics().reserved, before);
    heap.trim();
    EXPECT_TRUE(heap.verify().has_value());
    EXPECT_TRUE(boot::current_kernel().space->space().check().has_value());
    EXPECT_FALSE(boot::current_kernel().frames->validate().found());
}

TEST(PoolsMany, NoSlotHasTwoOwners) {
    memory::testing::NothingIsLost const nothing_is_lost;
    auto window = memory::PoolWindow::create(
                      memory::testing::kernel_space(), {.size = 256_KiB, .name = "pool under test"})
                      .value();
    ObjectPool& pool = *ObjectPool::create(window, 2000).value();
    Atomic<u64> wrong{0};
    test::on_every_cpu([&](u32 index) {
        Random random(index + 5);
        FixedVector<PoolObject*, 32> own;
        u64 bad = 0;
        auto const end_last = [&] {
            PoolObject* const object = own.back();
            own.pop_back();
            bad += object->copy == ~object->tag ? 0 : 1;
            bad += pool.destroy(object).has_value() ? 0 : 1;
        };
        for (u64 i = 0; i < block_operations; ++i) {
            if (own.full() || (!own.empty() && random.below(2) == 0)) {
                end_last();
            } else if (auto const made = pool.make(random.next())) {
                own.push_back(made.value()).value();
            } else {
                bad += 1;
            }
            sync::relax();
        }
        while (!own.empty()) {
            end_last();
        }
        wrong.fetch_add(bad, relaxed);
    });
    EXPECT_EQ(wrong.load(relaxed), 0u);
    EXPECT_EQ(pool.statistics().live, 0u);
    EXPECT_TRUE(pool.verify().has_value());
    EXPECT_TRUE(ObjectPool::close(pool).has_value());
}
