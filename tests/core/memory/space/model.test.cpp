// Random operations on address spaces beside a plain model of every page: what it is, what may be
// done to it, what it holds. Each answer must be the model's, ranges and tables must agree, and no
// translation may be left over.
#include "core/memory/memory.hpp"
#include "tests/core/memory/space/frames.hpp"

#include <algorithm>

using namespace twofold;
using namespace twofold::literals;
using memory::AddressSpace;
using memory::PageAccess;
using test::get;
using test::TestFrames;

namespace {

constexpr u64 pages = 1024; // two large pages' worth
constexpr u64 object_pages = 64;
constexpr u64 object_mark = 0x0b1ec7;

enum class Kind : u8 { none, guard, present };

struct Page {
    Kind kind = Kind::none;
    PageAccess access = PageAccess::read;
    u64 value = 0;
};

/// What every page of a space should be.
struct Model {
    Page page[pages];

    std::span<Page> part(u64 first, u64 count) { return std::span(page).subspan(first, count); }

    Result<void> map(u64 first, u64 count, Page const& as) {
        for (Page const& each : part(first, count)) {
            if (each.kind != Kind::none) {
                return Error::already_exists;
            }
        }
        std::fill_n(part(first, count).begin(), count, as);
        return {};
    }
    Result<void> unmap(u64 first, u64 count) {
        bool found = false;
        for (Page& each : part(first, count)) {
            found = found || each.kind != Kind::none;
            each = {};
        }
        return found ? Result<void>{} : Result<void>{Error::not_found};
    }
    Result<void> require(u64 first, u64 count, bool changeable) {
        for (Page const& each : part(first, count)) {
            if (each.kind == Kind::none) {
                return Error::not_found;
            }
            if (changeable && each.kind == Kind::guard) {
                return Error::permission_denied;
            }
        }
        return {};
    }
    Result<void> protect(u64 first, u64 count, PageAccess access) {
        TRY(require(first, count, true));
        for (Page& each : part(first, count)) {
            each.access = access;
        }
        return {};
    }
    Result<u64> read(u64 number) const {
        Page const& each = page[number];
        return each.kind == Kind::none    ? Result<u64>(Error::not_found)
               : each.kind == Kind::guard ? Result<u64>(Error::permission_denied)
                                          : Result<u64>(each.value);
    }
    Result<void> write(u64 number, u64 value) {
        TRY(read(number));
        if (page[number].access != PageAccess::read_write) {
            return Error::permission_denied;
        }
        page[number].value = value;
        return {};
    }
};

/// A model in frames of its own: it is larger than a stack should be asked for.
class ModelPlace {
public:
    explicit ModelPlace(memory::SharedFrames& frames)
        : m_frames(frames), m_block(frames.allocate(order).value()) {
        std::construct_at(memory::frame_object<Model>(m_block));
    }
    ~ModelPlace() { m_frames.release(m_block, order); }
    ModelPlace(ModelPlace const&) = delete;
    ModelPlace& operator=(ModelPlace const&) = delete;
    Model& operator*() const { return *memory::frame_object<Model>(m_block); }

private:
    static constexpr unsigned order = 3;
    static_assert(sizeof(Model) <= memory::block_size(order).value);

    memory::SharedFrames& m_frames;
    PhysAddr m_block;
};

bool same(Result<void> const& a, Result<void> const& b) {
    return a.has_value() == b.has_value() && (a || a.error() == b.error());
}
bool same(Result<u64> const& a, Result<u64> const& b) {
    return a.has_value() == b.has_value() && (a ? a.value() == b.value() : a.error() == b.error());
}

/// Where in the model's pages an operation works: mostly short pieces, some that span large pages.
struct Stretch {
    u64 first, count;
};
Stretch choose(Random& random) {
    u64 const first = random.below(pages);
    u64 const most = random.below(8) == 0 ? 700 : 12;
    return {first, 1 + random.below(std::min(pages - first, most))};
}
PageAccess choose_access(Random& random) {
    constexpr PageAccess all[] = {
        PageAccess::read, PageAccess::read_write, PageAccess::read_write, PageAccess::read_execute};
    return all[random.below(std::size(all))];
}

/// One random change of ranges, in the space and in the model. True if they answer the same.
bool change(
    Random& random,
    AddressSpace& space,
    Model& model,
    VirtAddr base,
    memory::MemoryObject& object) {
    auto const [first, count] = choose(random);
    VirtAddr const where = base + page_size * first;
    Bytes const size = page_size * count;
    PageAccess const access = choose_access(random);
    switch (random.below(7)) {
    case 0:
        return same(
            space.map_zero(where, size, access, static_cast<unsigned>(random.below(2))),
            model.map(first, count, {Kind::present, access, 0}));
    case 1:
        return same(space.map_guard(where, size), model.map(first, count, {Kind::guard}));
    case 2: {
        Bytes const part = page_size * std::min(count, object_pages);
        return same(
            space.map_object(where, part, object, 0, access, memory::Sharing::own),
            model.map(first, part / page_size, {Kind::present, access, object_mark}));
    }
    case 3:
    case 4:
        return same(space.unmap(where, size), model.unmap(first, count));
    case 5:
        return same(space.protect(where, size, access), model.protect(first, count, access));
    default: {
        auto const promoted = space.promote(where, size);
        Result<void> const outcome = promoted ? Result<void>{} : Result<void>{promoted.error()};
        return same(outcome, model.require(first, count, false));
    }
    }
}

void fill_object(TestFrames& test, memory::MemoryObject& object) {
    for (u64 page = 0; page < object_pages; ++page) {
        *memory::frame_object<u64>(object.frame(page).value()) = object_mark;
    }
    static_cast<void>(test);
}

u64 operations() {
    boot::Kernel& kernel = boot::current_kernel();
    if (kernel.boot_info.machine != "metal") {
        return 300'000;
    }
    return kernel.cpus.online() > 1 ? 4'000 : 100'000; // each flush there interrupts them all
}

} // namespace

TEST(AddressSpaceModel, SpacesAndTheirClonesAnswerAsTheModel) {
    constexpr VirtAddr base{0x5000'0000'0000};
    TestFrames test;
    PhysAddr const root = boot::current_kernel().space->space().root();
    auto const object = memory::MemoryObject::create(test.frames, page_size * object_pages).value();
    fill_object(test, *object);
    ModelPlace const places[2]{ModelPlace(test.frames), ModelPlace(test.frames)};
    std::optional<AddressSpace> spaces[2];
    spaces[0].emplace(AddressSpace::create(test.frames, root).value());
    spaces[1].emplace(AddressSpace::create(test.frames, root).value());
    Random random(0x5eed);
    u64 const count = operations();
    for (u64 operation = 0; operation < count; ++operation) {
        u64 const which = random.below(2);
        AddressSpace& space = *spaces[which];
        Model& model = *places[which];
        u64 const number = random.below(pages);
        VirtAddr const where = base + page_size * number;
        bool good = true;
        switch (random.below(8)) {
        case 0:
        case 1:
            good = change(random, space, model, base, *object);
            break;
        case 2:
        case 3:
        case 4: {
            u64 const value = random.next();
            good = same(
                space.copy_to(where, std::as_bytes(std::span(&value, 1))),
                model.write(number, value));
            break;
        }
        default:
            good = same(get(space, where), model.read(number));
        }
        if (random.below(400) == 0) { // the other becomes a clone of this one
            auto cloned = space.clone();
            ASSERT_TRUE(cloned.has_value());
            spaces[1 - which].reset();
            spaces[1 - which].emplace(std::move(cloned).value());
            *places[1 - which] = model;
        }
        if (operation % 256 == 0) {
            good = good && spaces[0]->check().has_value() && spaces[1]->check().has_value();
        }
        if (!good) {
            EXPECT_EQ(operation, count); // the number of the operation that went wrong
            break;
        }
    }
    for (u64 which = 0; which < 2; ++which) {
        for (u64 number = 0; number < pages; ++number) {
            ASSERT_TRUE(same(
                get(*spaces[which], base + page_size * number), (*places[which]).read(number)));
        }
    }
}

namespace {

/// Reads or writes a word of the kernel's space as the processor does; a fault that is not answered
/// is told apart by what the range there is.
Result<u64> touch(AddressSpace& space, VirtAddr address, std::optional<u64> value) {
    auto* const word = static_cast<Atomic<u64>*>(static_cast<void*>(hal::kernel_pointer(address)));
    u64 seen = 0;
    auto const fault = boot::catch_fault([&] {
        if (value) {
            word->store(*value, relaxed);
        } else {
            seen = word->load(relaxed);
        }
    });
    if (!fault) {
        return seen;
    }
    return !space.find(address) ? Error::not_found : Error::permission_denied;
}

} // namespace

TEST(AddressSpaceModel, TheKernelsSpaceAnswersTheProcessorAsTheModel) {
    TestFrames test;
    boot::Kernel& kernel = boot::current_kernel();
    AddressSpace& space = kernel.space->space();
    u64 const frames_before = kernel.shared_frames->in_use();
    VirtAddr const base = kernel.space->find_view(page_size * pages, 2_MiB).value();
    {
        auto const object =
            memory::MemoryObject::create(*kernel.shared_frames, page_size * object_pages).value();
        fill_object(test, *object);
        ModelPlace const place(test.frames);
        Model& model = *place;
        Random random(0xfa17);
        u64 const count = operations() / 2;
        for (u64 operation = 0; operation < count; ++operation) {
            u64 const number = random.below(pages);
            VirtAddr const where = base + page_size * number;
            u64 const what = random.below(8);
            bool good = true;
            if (what < 2) {
                good = change(random, space, model, base, *object);
            } else if (what < 5) {
                u64 const value = random.next();
                Result<void> const expected = model.write(number, value);
                auto const seen = touch(space, where, value);
                good = same(seen ? Result<void>{} : Result<void>{seen.error()}, expected);
            } else {
                good = same(touch(space, where, std::nullopt), model.read(number));
            }
            if (operation % 64 == 0) {
                good = good && hal::Mmu::count_stale() == 0;
            }
            if (operation % 512 == 0) {
                good = good && space.check().has_value();
            }
            if (!good) {
                EXPECT_EQ(operation, count); // the number of the operation that went wrong
                break;
            }
        }
        static_cast<void>(space.unmap(base, page_size * pages));
        EXPECT_EQ(hal::Mmu::count_stale(), 0u);
    }
    EXPECT_EQ(kernel.shared_frames->in_use(), frames_before);
}
