// How a command says where its data lies: by PRP, pages whose addresses are listed, or by SGL,
// pieces of any size. Pure, but for the list that is written.
//
// Source: NVM Express Base Specification 1.4, sections 4.3 and 4.4.
#pragma once

#include "core/device/nvme/identify.hpp"
#include "hal/dma_types.hpp"

namespace twofold::nvme {

/// Memory that is one piece to the device.
struct Piece {
    hal::DmaAddress address;
    u32 bytes = 0;
};

/// Room for a list, and where the device finds it: a multiple of 16, and inside of a page.
struct ListRoom {
    std::span<u64> words;
    hal::DmaAddress address;
};

/// What a command needed to say where its data lies.
struct DataPointer {
    u32 descriptors = 0; ///< pages or pieces
    bool has_list = false;
};

/// The pages that pieces take which are PRP-shaped. O(pieces).
u32 pages_of(std::span<Piece const> pieces);

/// Whether PRPs can name the pieces: the first begins at a multiple of 4, only the first does not
/// begin with a page, only the last does not end with one. O(pieces).
bool is_prp_shaped(std::span<Piece const> pieces);

/// Writes the data pointer of `command` for pieces, none of them empty. By PRP where two pages are
/// enough or the controller has nothing else, else by SGL: so what is one piece needs one
/// descriptor. Errors: invalid_argument (not PRP-shaped, and the controller takes nothing else),
/// no_space (more than the room has). O(pages) or O(pieces).
Result<DataPointer>
point_to(Command& command, std::span<Piece const> pieces, SglSupport sgl, ListRoom const& room);

} // namespace twofold::nvme
