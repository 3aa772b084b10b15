// Epochs: readers look at an object that writers replace. No reader finds one that was let go, and
// in the end all are.
#include "apps/workloads/on_cpus.hpp"
#include "apps/workloads/rooms.hpp"
#include "core/sync/sync.hpp"

namespace twofold::workloads {

namespace {

class EpochsWorkload {
public:
    explicit EpochsWorkload(Run& run) : m_run(run) {}
    ~EpochsWorkload() {
        if (!m_room.empty()) {
            m_run.heap().free(m_room.data()).value();
        }
    }
    EpochsWorkload(EpochsWorkload const&) = delete;
    EpochsWorkload& operator=(EpochsWorkload const&) = delete;

    Result<void> begin(Check&) {
        u32 const cpus = m_run.kernel.cpus.known();
        Bytes const size = sync::Epochs::storage_for(cpus);
        std::byte* const room = TRY(m_run.heap().allocate(size, Bytes{sync::cache_line_bytes}));
        m_room = std::span(room, size.value);
        std::ranges::fill(m_room, std::byte{0});
        StorageCursor storage(m_room);
        TRY(m_epochs.open(storage, cpus));
        m_objects[0].state.store(Object::shown, relaxed);
        m_shown.store(&m_objects[0], release);
        return {};
    }

    void perform(Step& step) {
        u64 const what = step.random.below(100);
        if (what < 50) {
            read(step);
        } else if (what < 85) {
            replace(step);
        } else {
            m_epochs.collect();
        }
    }

    void end(Check& check) {
        for (int round = 0; round < 4; ++round) {
            on_each_cpu(m_run, [this] { m_epochs.collect(); });
        }
        u64 shown = 0;
        for (Object const& object : m_objects) {
            u32 const state = object.state.load(relaxed);
            shown += state == Object::shown ? 1 : 0;
            check.holds("an object is shown or free", state <= Object::shown);
        }
        check.equal("objects that are shown", 1, shown);
        on_each_cpu(m_run, [&] { check.equal("what waits", 0, m_epochs.waiting()); });
    }

private:
    struct Object : sync::Retired {
        enum State : u32 { free, shown, unlinked };

        Atomic<u32> state{free};
        EpochsWorkload* owner = nullptr;

        static void let_go(sync::Retired& node) {
            static_cast<Object&>(node).state.store(free, twofold::release);
        }
    };
    static constexpr usize objects_max = 64;
    static constexpr int looks = 6;

    /// While it is pinned an object may be unlinked, and nothing else happens to it.
    void look(Step& step, Object const& object) const {
        for (int i = 0; i < looks; ++i) {
            step.holds(
                "what a reader looks at is not free", object.state.load(acquire) != Object::free);
        }
    }
    void read(Step& step) {
        sync::EpochGuard const guard(m_epochs);
        Object const& object = *m_shown.load(acquire);
        look(step, object);
        {
            sync::EpochGuard const inner(m_epochs);
            look(step, *m_shown.load(acquire));
        }
        look(step, object);
    }
    void replace(Step& step) {
        Object* const next = take_free();
        if (next == nullptr) {
            m_epochs.collect(); // all of them wait
            return;
        }
        next->state.store(Object::shown, relaxed);
        Object* const before = m_shown.exchange(next, acquire_release);
        before->state.store(Object::unlinked, relaxed);
        while (true) {
            auto const retired = m_epochs.retire(*before, Object::let_go);
            if (retired || !step.equal("it is retired", Error::no_space, retired)) {
                break;
            }
            m_epochs.collect();
        }
        if (step.chance(70)) {
            m_epochs.collect();
        }
    }
    Object* take_free() {
        for (Object& object : m_objects) {
            u32 state = Object::free;
            if (object.state.compare_exchange(state, Object::unlinked, acquire_release, relaxed)) {
                return &object;
            }
        }
        return nullptr;
    }

    Run& m_run;
    std::span<std::byte> m_room;
    sync::Epochs m_epochs;
    Object m_objects[objects_max];
    Atomic<Object*> m_shown{nullptr};
};

} // namespace

constinit Workload const epochs_workload = workload_of<EpochsWorkload>(
    {.name = "epochs",
     .about = "readers of an object that writers replace and let go",
     .operations = 96});

} // namespace twofold::workloads
