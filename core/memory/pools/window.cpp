// See window.hpp.
#include "core/memory/pools/window.hpp"

namespace twofold::memory {

namespace {

constexpr std::string_view guard_name = "pool guard";

} // namespace

Result<PoolWindow> PoolWindow::create(KernelSpace& space, Request const& request) {
    if (request.size.value == 0 || request.level > hal::Mmu::highest_leaf_level()) {
        return Error::invalid_argument;
    }
    Bytes const page = PageTable<>::span(request.level);
    Bytes const most = hal::Layout::current().views.size;
    if (request.size > most - page * 2) {
        return Error::no_space;
    }
    Bytes const size = align_up(request.size, page);
    AddressSpace& inner = space.space();
    hal::Window const views = space.views();
    VirtAddr const base = TRY(inner.map_somewhere(
        {.first = views.base,
         .end = views.base + views.size,
         .alignment = page,
         .guard_below = page,
         .guard_above = page,
         .guard_name = guard_name},
        {.size = size,
         .kind = RangeKind::pinned,
         .access = PageAccess::read_write,
         .level_max = request.level,
         .name = request.name}));
    return PoolWindow(space, base, size, page);
}

PoolWindow::~PoolWindow() {
    if (m_space != nullptr) {
        m_space->space().unmap(m_base - m_page, m_size + m_page * 2).value();
    }
}

Result<void> PoolWindow::commit(Bytes offset, Bytes size) {
    return m_space->space().commit(m_base + offset, size);
}

void PoolWindow::decommit(Bytes offset, Bytes size) {
    Result<void> const taken = m_space->space().decommit(m_base + offset, size);
    CHECK(taken.has_value());
}

bool PoolWindow::is_whole_at(Bytes offset) const {
    auto const found = m_space->space().translate(m_base + offset);
    return found && PageTable<>::span(found->level) >= m_page;
}

bool PoolWindow::is_committed_at(Bytes offset) const {
    return m_space->space().translate(m_base + offset).has_value();
}

} // namespace twofold::memory
