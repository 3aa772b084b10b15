// Translations of the kernel's own space: pages come, get other rights and go while all processors
// touch them. Nobody reads from, or writes to, what an address led to before.
#include "apps/workloads/rooms.hpp"
#include "core/memory/memory.hpp"
#include "hal/mmu.hpp"

namespace twofold::workloads {

namespace {

using memory::PageAccess;
using Mutex = task::Mutex<task::KernelThreads>;
using MutexGuard = task::MutexGuard<task::KernelThreads>;

class TranslationsWorkload {
public:
    explicit TranslationsWorkload(Run& run)
        : m_run(run),
          m_space(run.kernel.space->space()),
          m_mutex(run.task_threads().locks(), "page") {}
    TranslationsWorkload(TranslationsWorkload const&) = delete;
    TranslationsWorkload& operator=(TranslationsWorkload const&) = delete;

    Result<void> begin(Check&) {
        hal::Window const views = m_run.kernel.space->views();
        m_frames = m_run.kernel.shared_frames->in_use();
        m_base = TRY(
            m_space.find_gap(views.base, views.base + views.size, page_size * pages, page_size));
        return {};
    }

    void perform(Step& step) {
        u64 const page = step.random.below(pages);
        u64 const what = step.random.below(100);
        MutexGuard const guard(m_mutex);
        if (m_is_stuck[page]) {
            step.equal("first word of a page", m_values[page], word(page).load(relaxed));
        } else if (!m_has_page[page]) {
            map(step, page);
        } else if (what < 50) {
            touch(step, page);
        } else if (what < 65) {
            protect(step, page);
        } else if (what < 90) {
            unmap(step, page);
            if (!m_has_page[page]) {
                map(step, page);
            }
        } else {
            unmap(step, page);
        }
    }

    void end(Check& check) {
        for (u64 page = 0; page < pages; ++page) {
            if (m_has_page[page]) {
                unmap(check, page);
            }
        }
        check.equal("stale translations", 0, hal::Mmu::count_stale());
    }

private:
    static constexpr u64 pages = 4;

    VirtAddr at(u64 page) const { return m_base + page_size * page; }
    Atomic<u64>& word(u64 page) const {
        return *room_for<Atomic<u64>>(hal::kernel_pointer(at(page)));
    }

    void map(Step& step, u64 page) {
        auto const mapped = m_space.map_pinned(at(page), page_size, PageAccess::read_write);
        if (!step.well("a page is mapped", mapped) || !mapped) {
            return;
        }
        auto const committed = m_space.commit(at(page), page_size);
        if (!step.well("a page is committed", committed) || !committed) {
            m_space.unmap(at(page), page_size).value();
            return;
        }
        m_has_page[page] = true;
        step.equal("first word of a new page", 0, word(page).load(relaxed));
        m_values[page] = step.random.next();
        word(page).store(m_values[page], relaxed);
    }
    void unmap(Check& check, u64 page) {
        auto const gone = m_space.unmap(at(page), page_size);
        if (check.well("a page goes", gone) && gone) {
            m_has_page[page] = false;
        }
    }
    void touch(Step& step, u64 page) {
        step.equal("first word of a page", m_values[page], word(page).load(relaxed));
        m_values[page] = step.random.next();
        word(page).store(m_values[page], relaxed);
    }
    /// Who may not write does not.
    void protect(Step& step, u64 page) {
        auto const withdrawn = m_space.protect(at(page), page_size, PageAccess::read);
        if (!step.well("a page is protected", withdrawn) || !withdrawn) {
            return;
        }
        auto const fault =
            boot::catch_fault([&] { word(page).store(m_values[page] + 1, relaxed); });
        step.holds("a write to what may be read alone faults", fault.has_value());
        step.equal("first word of a page", m_values[page], word(page).load(relaxed));
        auto const given = m_space.protect(at(page), page_size, PageAccess::read_write);
        step.well("rights are given back", given);
        m_is_stuck[page] = !given; // nobody writes to it any more
    }

    Run& m_run;
    memory::AddressSpace& m_space;
    Mutex m_mutex;
    VirtAddr m_base{};
    u64 m_frames = 0;
    bool m_has_page[pages]{}; ///< guarded by the mutex
    bool m_is_stuck[pages]{}; ///< there was no memory to make it writable again
    u64 m_values[pages]{};    ///< the same
};

} // namespace

constinit Workload const translations_workload = workload_of<TranslationsWorkload>(
    {.name = "translations",
     .about =
         "pages of the kernel's space that come, change and go while all processors touch them",
     .operations = 64});

} // namespace twofold::workloads
