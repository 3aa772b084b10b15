// See data_pointer.hpp.
#include "core/device/nvme/data_pointer.hpp"

#include <cstring>

namespace twofold::nvme {

namespace {

constexpr u64 page_mask = page_size.value - 1;

/// Calls visit(address) for each page that the pieces take: the first where the data begins.
template<class Visit>
void for_each_page(std::span<Piece const> pieces, Visit const& visit) {
    for (Piece const& piece : pieces) {
        u64 const end = piece.address.value + piece.bytes;
        for (u64 at = piece.address.value; at < end; at = (at | page_mask) + 1) {
            visit(at);
        }
    }
}

Result<DataPointer>
write_prps(Command& command, std::span<Piece const> pieces, u32 pages, ListRoom const& room) {
    command.flags = data_by_prp;
    if (pages <= 2) {
        u32 index = 0;
        for_each_page(pieces, [&](u64 at) { command.data[index++] = at; });
        return DataPointer{pages, false};
    }
    if (pages - 1 > room.words.size()) {
        return Error::no_space;
    }
    command.data[0] = pieces[0].address.value;
    command.data[1] = room.address.value;
    usize index = 0;
    bool is_first = true;
    for_each_page(pieces, [&](u64 at) {
        if (!is_first) {
            room.words[index++] = at;
        }
        is_first = false;
    });
    return DataPointer{pages, true};
}

Result<DataPointer>
write_sgl(Command& command, std::span<Piece const> pieces, ListRoom const& room) {
    constexpr usize words = sizeof(SglDescriptor) / sizeof(u64);
    command.flags = data_by_sgl;
    SglDescriptor first{
        .address = pieces[0].address.value, .bytes = pieces[0].bytes, .type = sgl_data_block};
    bool const has_list = pieces.size() > 1;
    if (has_list) {
        if (pieces.size() * words > room.words.size()) {
            return Error::no_space;
        }
        first = {
            .address = room.address.value,
            .bytes = static_cast<u32>(pieces.size() * sizeof(SglDescriptor)),
            .type = sgl_last_segment};
        usize at = 0;
        for (usize i = 0; i < pieces.size(); ++i) {
            Piece const& piece =
                pieces[mutant(Mutant::nvme_pieces_reversed) ? pieces.size() - 1 - i : i];
            SglDescriptor const each{
                .address = piece.address.value, .bytes = piece.bytes, .type = sgl_data_block};
            std::memcpy(&room.words[at], &each, sizeof(each));
            at += words;
        }
    }
    std::memcpy(command.data, &first, sizeof(first));
    return DataPointer{static_cast<u32>(pieces.size()), has_list};
}

} // namespace

u32 pages_of(std::span<Piece const> pieces) {
    u64 pages = 0;
    for (Piece const& piece : pieces) {
        u64 const first = piece.address.value / page_size.value;
        u64 const last = (piece.address.value + piece.bytes - 1) / page_size.value;
        pages += last - first + 1;
    }
    return static_cast<u32>(pages);
}

bool is_prp_shaped(std::span<Piece const> pieces) {
    bool is_shaped = pieces[0].address.value % 4 == 0;
    for (usize i = 0; i < pieces.size(); ++i) {
        u64 const begin = pieces[i].address.value;
        bool const begins_so = i == 0 || (begin & page_mask) == 0;
        bool const ends_so = i + 1 == pieces.size() || ((begin + pieces[i].bytes) & page_mask) == 0;
        is_shaped = is_shaped && begins_so && ends_so;
    }
    return is_shaped;
}

Result<DataPointer>
point_to(Command& command, std::span<Piece const> pieces, SglSupport sgl, ListRoom const& room) {
    CHECK(!pieces.empty());
    bool const is_shaped = is_prp_shaped(pieces);
    if (!is_shaped && sgl == SglSupport::none) {
        return Error::invalid_argument;
    }
    u32 const pages = pages_of(pieces);
    if (is_shaped && (pages <= 2 || sgl == SglSupport::none)) {
        return write_prps(command, pieces, pages, room);
    }
    return write_sgl(command, pieces, room);
}

} // namespace twofold::nvme
