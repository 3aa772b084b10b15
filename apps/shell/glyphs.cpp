// Glyphs: characters with their marks, controls in caret notation.
#include "apps/shell/glyphs.hpp"

namespace twofold::shell {

namespace {

constexpr std::string_view mark_holder = "\u25CC"; ///< a dotted circle

} // namespace

ShownCluster show_cluster(std::string_view cluster, u32 columns) {
    ShownCluster shown;
    DecodedPoint const base = decode_at(cluster, 0);
    if (is_control(base.point)) {
        char const letter = static_cast<char>(base.point ^ '@');
        shown.glyphs[0].add("^");
        shown.glyphs[1].add({&letter, 1});
        shown.count = 2;
        return shown;
    }
    ShownGlyph& glyph = shown.glyphs[0];
    usize at = 0;
    if (is_mark(base.point)) {
        glyph.add(mark_holder);
    } else {
        u32 const width = text::width_of(base.point);
        bool const fits = width <= columns;
        glyph.width = fits ? static_cast<u8>(width) : u8{1};
        glyph.add(text::encode_utf8(fits ? base.point : text::replacement_character).view());
        at = base.size;
    }
    while (at < cluster.size()) {
        DecodedPoint const mark = decode_at(cluster, at);
        glyph.add(text::encode_utf8(mark.point).view());
        at += mark.size;
    }
    return shown;
}

usize cells_of(std::string_view letters) {
    constexpr u32 wide_columns = 2;
    usize cells = 0;
    for (usize at = 0; at < letters.size();) {
        usize const end = next_cluster(letters, at);
        cells += show_cluster(slice(letters, at, end - at), wide_columns).width();
        at = end;
    }
    return cells;
}

} // namespace twofold::shell
