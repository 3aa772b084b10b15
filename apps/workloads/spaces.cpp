// Address spaces: one that all threads change, each at addresses of its own, and clones of it.
// What was written is read, in the space and in its clones; rights hold; every frame comes back.
#include "apps/workloads/rooms.hpp"
#include "core/memory/memory.hpp"

namespace twofold::workloads {

namespace {

using memory::AddressSpace;
using memory::PageAccess;
using memory::SharedFrames;

constexpr u64 stripe_pages = 12; ///< of a thread, side by side
constexpr u64 pinned_pages = 8;
constexpr int common_turns = 4;
constexpr VirtAddr stripes_base{0x4000'0000};
constexpr VirtAddr common_base{0x5000'0000};
constexpr VirtAddr pinned_base{0x6000'0000};

enum class Page : u8 { unmapped, read, read_write };

/// What the pages of a stripe hold: a word at the beginning of each, and one at its end.
struct Stripe {
    Page pages[stripe_pages]{};
    u64 first[stripe_pages]{};
    u64 last[stripe_pages]{};
};

class SpacesWorkload {
public:
    explicit SpacesWorkload(Run& run)
        : m_run(run),
          m_frames(memory::FrameSupply(*run.kernel.frames), run.kernel.shared_frames->counts()) {}
    ~SpacesWorkload() {
        for (auto& clone : m_clones) {
            clone.reset();
        }
        m_space.reset();
    }
    SpacesWorkload(SpacesWorkload const&) = delete;
    SpacesWorkload& operator=(SpacesWorkload const&) = delete;

    Result<void> begin(Check&) {
        m_frames.use_remote_flush(&m_run.kernel.remote_flush);
        m_space.emplace(TRY(AddressSpace::create(m_frames, kernel_root())));
        return m_space->map_pinned(
            pinned_base, page_size * pinned_pages * m_run.threads, PageAccess::read_write);
    }

    void perform(Step& step) {
        u64 const what = step.random.below(100);
        bool const in_clone = m_clones[step.thread].has_value() && step.chance(30);
        Place const place{
            in_clone ? *m_clones[step.thread] : *m_space,
            (in_clone ? m_copies : m_stripes)[step.thread], base_of(step.thread)};
        if (what < 14) {
            map(step, place);
        } else if (what < 22) {
            unmap(step, place);
        } else if (what < 30) {
            protect(step, place);
        } else if (what < 50) {
            write(step, place);
        } else if (what < 60) {
            write_across(step, place);
        } else if (what < 74) {
            read(step, place);
        } else if (what < 80) {
            clone(step);
        } else if (what < 90) {
            for (int turn = 0; turn < common_turns; ++turn) {
                use_common(step);
            }
        } else {
            use_pinned(step);
        }
    }

    void end(Check& check) {
        for (u32 thread = 0; thread < m_run.threads; ++thread) {
            read_all(check, {*m_space, m_stripes[thread], base_of(thread)});
            if (m_clones[thread]) {
                read_all(check, {*m_clones[thread], m_copies[thread], base_of(thread)});
                check.equal("the walk over a clone", answer_ok, m_clones[thread]->check());
                m_clones[thread].reset();
            }
        }
        check.equal("the walk over the space", answer_ok, m_space->check());
        m_space.reset();
        check.equal("frames in use", 0, m_frames.in_use());
        check.equal("stale translations", 0, hal::Mmu::count_stale());
    }

private:
    /// A thread's addresses in one space, and what should be there.
    struct Place {
        AddressSpace& space;
        Stripe& stripe;
        VirtAddr base;
    };
    struct Part {
        u64 first;
        u64 count;
    };

    PhysAddr kernel_root() const { return m_run.kernel.space->space().root(); }
    static VirtAddr base_of(u32 thread) {
        return stripes_base + page_size * (stripe_pages * thread);
    }
    static Part random_part(Step& step) {
        u64 const first = step.random.below(stripe_pages);
        return {first, 1 + step.random.below(std::min<u64>(stripe_pages - first, 5))};
    }
    static bool is_any(Place const& place, Part part, bool mapped) {
        for (u64 page = part.first; page < part.first + part.count; ++page) {
            if ((place.stripe.pages[page] != Page::unmapped) == mapped) {
                return true;
            }
        }
        return false;
    }
    static VirtAddr at(Place const& place, u64 page) { return place.base + page_size * page; }
    static VirtAddr last_word(Place const& place, u64 page) {
        return at(place, page + 1) - Bytes{sizeof(u64)};
    }
    static Result<void> put(AddressSpace& space, VirtAddr address, std::span<u64 const> words) {
        return space.copy_to(address, std::as_bytes(words));
    }
    static Result<u64> get(AddressSpace& space, VirtAddr address) {
        u64 value = 0;
        TRY(space.copy_from(std::as_writable_bytes(std::span(&value, 1)), address));
        return value;
    }
    static Answer answer_for(Page page, bool write) {
        return page == Page::unmapped        ? Answer(Error::not_found)
               : write && page == Page::read ? Answer(Error::permission_denied)
                                             : Answer(answer_ok);
    }
    /// Whether `came` is what was expected; an error of memory is no failure, and no success.
    static bool agrees(Check& check, std::string_view what, Answer expected, Answer came) {
        bool const is_short = came.name == error_name(Error::out_of_memory);
        return !is_short && check.equal(what, expected, came) && came.name == answer_ok;
    }

    static void map(Step& step, Place const& place) {
        Part const part = random_part(step);
        bool const writable = step.chance(80);
        auto const mapped = place.space.map_zero(
            at(place, part.first), page_size * part.count,
            writable ? PageAccess::read_write : PageAccess::read);
        Answer const expected =
            is_any(place, part, true) ? Answer(Error::already_exists) : Answer(answer_ok);
        if (agrees(step, "pages are mapped", expected, mapped)) {
            for (u64 page = part.first; page < part.first + part.count; ++page) {
                place.stripe.pages[page] = writable ? Page::read_write : Page::read;
                place.stripe.first[page] = place.stripe.last[page] = 0;
            }
        }
    }
    static void unmap(Step& step, Place const& place) {
        Part const part = random_part(step);
        auto const gone = place.space.unmap(at(place, part.first), page_size * part.count);
        Answer const expected =
            is_any(place, part, true) ? Answer(answer_ok) : Answer(Error::not_found);
        if (agrees(step, "pages are unmapped", expected, gone)) {
            for (u64 page = part.first; page < part.first + part.count; ++page) {
                place.stripe.pages[page] = Page::unmapped;
            }
        }
    }
    static void protect(Step& step, Place const& place) {
        Part const part = random_part(step);
        bool const writable = step.chance(50);
        auto const done = place.space.protect(
            at(place, part.first), page_size * part.count,
            writable ? PageAccess::read_write : PageAccess::read);
        Answer const expected =
            is_any(place, part, false) ? Answer(Error::not_found) : Answer(answer_ok);
        if (agrees(step, "pages get other rights", expected, done)) {
            for (u64 page = part.first; page < part.first + part.count; ++page) {
                place.stripe.pages[page] = writable ? Page::read_write : Page::read;
            }
        }
    }
    static void write(Step& step, Place const& place) {
        u64 const page = step.random.below(stripe_pages);
        u64 const value = step.random.next();
        auto const written = put(place.space, at(place, page), std::span(&value, 1));
        if (agrees(step, "a write", answer_for(place.stripe.pages[page], true), written)) {
            place.stripe.first[page] = value;
        }
    }
    /// The last word of a page and the first of the next one.
    static void write_across(Step& step, Place const& place) {
        u64 const page = step.random.below(stripe_pages - 1);
        u64 const values[] = {step.random.next(), step.random.next()};
        Answer const on_first = answer_for(place.stripe.pages[page], true);
        Answer const on_second = answer_for(place.stripe.pages[page + 1], true);
        auto const written = put(place.space, last_word(place, page), values);
        Answer const expected = on_first.name == answer_ok ? on_second : on_first;
        bool const is_whole = agrees(step, "a write across pages", expected, written);
        if (on_first.name != answer_ok) {
            return;
        }
        if (is_whole) {
            place.stripe.last[page] = values[0];
            place.stripe.first[page + 1] = values[1];
        } else if (auto const now = get(place.space, last_word(place, page))) {
            bool const is_one = now.value() == values[0] || now.value() == place.stripe.last[page];
            step.holds("the first part of a write was done or not", is_one);
            place.stripe.last[page] = now.value();
        } else if (step.well("what was written is read", now)) {
            place.space.unmap(at(place, page), page_size).value(); // nobody knows its content
            place.stripe.pages[page] = Page::unmapped;
        }
    }
    static void read_page(Check& check, Place const& place, u64 page) {
        Answer const expected = answer_for(place.stripe.pages[page], false);
        auto const first = get(place.space, at(place, page));
        if (agrees(check, "a read", expected, first)) {
            check.equal("first word of a page", place.stripe.first[page], first.value());
        }
        auto const last = get(place.space, last_word(place, page));
        if (agrees(check, "a read", expected, last)) {
            check.equal("last word of a page", place.stripe.last[page], last.value());
        }
    }
    static void read(Step& step, Place const& place) {
        read_page(step, place, step.random.below(stripe_pages));
    }
    static void read_all(Check& check, Place const& place) {
        for (u64 page = 0; page < stripe_pages; ++page) {
            read_page(check, place, page);
        }
    }
    void clone(Step& step) {
        m_clones[step.thread].reset();
        auto made = m_space->clone();
        if (step.well("a clone", made) && made) {
            m_clones[step.thread].emplace(std::move(made).value());
            m_copies[step.thread] = m_stripes[step.thread];
        }
    }
    /// Pages that come and go under everybody, and hold zeros.
    void use_common(Step& step) {
        VirtAddr const page = common_base + page_size * step.random.below(2);
        u64 const what = step.random.below(4);
        if (what == 0) {
            auto const mapped = m_space->map_zero(page, page_size, PageAccess::read_write);
            if (mapped || mapped.error() != Error::already_exists) {
                step.well("a common page", mapped);
            }
        } else if (what == 1) {
            auto const gone = m_space->unmap(page, page_size);
            if (gone || gone.error() != Error::not_found) {
                step.well("a common page goes", gone);
            }
        } else {
            auto const value = get(*m_space, page);
            if (value) {
                step.equal("content of a common page", 0, value.value());
            } else if (value.error() != Error::not_found) {
                step.well("a read of a common page", value);
            }
        }
    }
    /// Pages that are committed one by one, whole or not at all.
    void use_pinned(Step& step) {
        u32& committed = m_committed[step.thread];
        u64 const first = step.random.below(pinned_pages);
        u64 const count = 1 + step.random.below(pinned_pages - first);
        u32 const bits = ((1u << count) - 1) << first;
        VirtAddr const place = pinned_base + page_size * (pinned_pages * step.thread + first);
        if (step.chance(60)) {
            Answer const expected =
                (committed & bits) != 0 ? Answer(Error::already_exists) : Answer(answer_ok);
            auto const done = m_space->commit(place, page_size * count);
            committed |= agrees(step, "pages are committed", expected, done) ? bits : 0;
        } else {
            auto const done = m_space->decommit(place, page_size * count);
            committed &= agrees(step, "pages are decommitted", answer_ok, done) ? ~bits : ~0u;
        }
        for (u64 page = 0; page < pinned_pages; ++page) {
            VirtAddr const address = pinned_base + page_size * (pinned_pages * step.thread + page);
            step.equal(
                "a pinned page is there", committed >> page & 1,
                u64{m_space->translate(address).has_value()});
        }
    }

    Run& m_run;
    SharedFrames m_frames;
    std::optional<AddressSpace> m_space;
    std::optional<AddressSpace> m_clones[threads_max];
    Stripe m_stripes[threads_max];
    Stripe m_copies[threads_max];
    u32 m_committed[threads_max]{};
};

} // namespace

constinit Workload const spaces_workload = workload_of<SpacesWorkload>(
    {.name = "spaces",
     .about = "a space that all change, clones that copy on write, rights and committed pages",
     .operations = 96});

} // namespace twofold::workloads
