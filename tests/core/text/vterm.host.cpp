// The screen beside libvterm's, which many editors use: the same random bytes leave the same
// characters and the same cursor. Where the two differ on purpose the bytes are not asked for
// (docs/text.md lists these).
#include "tests/core/text/random_bytes.hpp"
#include "tests/core/text/screens.hpp"

#include <gtest/gtest.h>
#include <vterm.h>

namespace {

using namespace twofold;
using namespace twofold::text;
using namespace twofold::text::testing;

struct Peer {
    explicit Peer(ScreenSize size)
        : vterm(vterm_new(static_cast<int>(size.rows), static_cast<int>(size.columns))),
          screen(vterm_obtain_screen(vterm)) {
        vterm_set_utf8(vterm, 1);
        vterm_screen_enable_altscreen(screen, 1);
        vterm_screen_reset(screen, 1);
    }
    ~Peer() { vterm_free(vterm); }
    Peer(Peer const&) = delete;
    Peer& operator=(Peer const&) = delete;

    void write(std::string_view bytes) { vterm_input_write(vterm, bytes.data(), bytes.size()); }
    VTermScreenCell cell(u32 row, u32 column) const {
        VTermScreenCell found;
        VTermPos const at{static_cast<int>(row), static_cast<int>(column)};
        vterm_screen_get_cell(screen, at, &found);
        return found;
    }
    VTermPos cursor() const {
        VTermPos at;
        vterm_state_get_cursorpos(vterm_obtain_state(vterm), &at);
        return at;
    }

    VTerm* vterm;
    VTermScreen* screen;
};

constexpr ScreenSize size{11, 6};

std::string first_difference(Session const& ours, Peer const& peer) {
    for (u32 row = 0; row < size.rows; ++row) {
        for (u32 column = 0; column < size.columns; ++column) {
            Cell const& cell = ours.screen.row(row)[column];
            VTermScreenCell const other = peer.cell(row, column);
            CodePoint const point = cell.point() == ' ' ? 0 : cell.point();
            bool const is_tail = other.chars[0] == ~u32{0};
            CodePoint const expected = is_tail || other.chars[0] == ' ' ? 0 : other.chars[0];
            bool const same_looks =
                point == 0 ||
                (has(cell.attributes(), Attributes::bold) == (other.attrs.bold != 0) &&
                 has(cell.attributes(), Attributes::italic) == (other.attrs.italic != 0) &&
                 has(cell.attributes(), Attributes::inverse) == (other.attrs.reverse != 0));
            if (point != expected || !same_looks) {
                return "cell " + std::to_string(row) + "," + std::to_string(column) + ": " +
                       std::to_string(point) + " and " + std::to_string(expected);
            }
        }
    }
    VTermPos const at = peer.cursor();
    Cursor const& cursor = ours.screen.cursor();
    bool const same =
        cursor.row == static_cast<u32>(at.row) && cursor.column == static_cast<u32>(at.col);
    return same ? ""
                : "cursor " + std::to_string(cursor.row) + "," + std::to_string(cursor.column) +
                      " and " + std::to_string(at.row) + "," + std::to_string(at.col);
}

/// What both are asked for.
std::string part(RandomBytes& random, bool has_margins) {
    auto const number = [&](u32 end) { return std::to_string(random.below(end)); };
    switch (random.below(8)) {
    case 0:
        return std::string(1, "\a\b\n\v\f\r"[random.below(6)]);
    case 1:
        return std::string("\x1B") + "DEM"[random.below(3)];
    case 2:
    case 3: {
        std::string letters;
        constexpr char const* pieces[] = {"a", "bc", " ", "\u00E9", "defg"};
        for (u32 count = 1 + random.below(6); count > 0; --count) {
            letters += pieces[random.below(5)];
        }
        return letters;
    }
    case 4: {
        constexpr char const* renditions[] = {"", "0", "1", "3", "7", "22", "23", "27", "31;44"};
        return std::string("\x1B[") + renditions[random.below(9)] + "m";
    }
    case 5:
        return "\x1B[" + number(8) + ";" + number(13) + "H";
    case 6:
        return "\x1B[" + number(4) + ";" + std::to_string(4 + random.below(3)) + "r";
    default: {
        // There, rows up and down pass the margins, and cells outside of them stay where they are.
        std::string_view const all = "CDGLMSTX`ad@PABEFe";
        std::string_view const finals = has_margins ? slice(all, 0, all.size() - 7) : all;
        char const final = finals[random.below(static_cast<u32>(finals.size()))];
        // Inserting and deleting lines returns here, as DEC has it.
        bool const returns = final == 'L' || final == 'M';
        return "\x1B[" + number(11) + final + (returns ? "\r" : "");
    }
    }
}

TEST(Vterm, LeavesTheSameScreen) {
    for (u32 seed = 0; seed < 3000; ++seed) {
        RandomBytes random(seed);
        Session ours(size);
        Peer peer(size);
        std::string all;
        for (u32 round = 0; round < 40; ++round) {
            // Every motion takes a due wrap back here; a motion that moves nothing does not there.
            bool const has_margins =
                ours.screen.margin_bottom() - ours.screen.margin_top() < size.rows;
            std::string const bytes =
                part(random, has_margins) + (ours.screen.cursor().wraps ? "\r" : "");
            all += bytes;
            ours << bytes;
            peer.write(bytes);
            ASSERT_EQ(first_difference(ours, peer), "")
                << "seed " << seed << " after " << ::testing::PrintToString(all);
        }
    }
}

} // namespace
