// See pages.hpp.
#include "apps/shell/kernel/pages.hpp"

#include "apps/shell/kernel/session.hpp"
#include "apps/shell/pager.hpp"
#include "hal/clock.hpp"

namespace twofold::shell {

void show_pages(Session& session, std::string_view text) {
    constexpr Nanos patience{200'000'000}; // then the size of the screen is looked at again
    text::ScreenSize size = session.size();
    Output const out = session.output();
    Pager pager(session.allocator(), out, size);
    if (!pager.add(text) || pager.fits()) {
        session.write(text);
        return;
    }
    pager.begin();
    Pager::Action action = Pager::Action::none;
    while (action == Pager::Action::none) {
        pager.refresh();
        auto const key = session.read_key(hal::Clock::now() + patience);
        if (key) {
            action = pager.take(static_cast<u8>(*key));
        } else if (task::Threads::current().is_to_end() || session.has_ended_input()) {
            pager.end(); // a key could be part of a search, or of a sequence that was broken off
            return;
        }
        if (text::ScreenSize const now = session.size(); now != size) {
            size = now;
            pager.resize(size);
        }
    }
}

} // namespace twofold::shell
