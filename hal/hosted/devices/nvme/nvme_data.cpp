// See nvme_data.hpp.
#include "hal/hosted/devices/nvme/nvme_data.hpp"

#include <algorithm>
#include <array>

namespace hosted {

namespace status = nvme::status;
using nvme::do_not_retry;

namespace {

constexpr u32 entries_at_once = 512; ///< of a list that is read
constexpr u8 transfer_by_prp = 0, transfer_reserved = 3;
constexpr u8 type_mask = 0xf0;

class Segments {
public:
    explicit Segments(std::vector<NvmeSegment>& all) : m_all(all) { m_all.clear(); }

    void add(u64 at, u64 bytes) {
        if (!m_all.empty() && m_all.back().at + m_all.back().bytes == at) {
            m_all.back().bytes += bytes;
        } else {
            m_all.push_back({at, bytes});
        }
    }

private:
    std::vector<NvmeSegment>& m_all;
};

/// Reads a list of PRP entries; the last of a page leads to the next where there are more.
class PrpList {
public:
    PrpList(DeviceBus& bus, u64 at, u64 page_bytes)
        : m_bus(bus), m_at(at), m_page_bytes(page_bytes) {}

    /// The next entry, where `pages` are still to be found, this one included.
    u16 next(u64 pages, u64& entry) {
        if (u16 const failed = take(pages, entry); failed != 0) {
            return failed;
        }
        bool const is_last_of_page = (m_at & (m_page_bytes - 1)) == 0;
        if (is_last_of_page && pages > 1) {
            if ((entry & (m_page_bytes - 1)) != 0) {
                return status::invalid_prp_offset | do_not_retry;
            }
            m_at = entry;
            m_left = 0;
            return take(pages, entry);
        }
        return 0;
    }

private:
    u16 take(u64 pages, u64& entry) {
        if (m_left == 0) {
            u64 const in_page = (m_page_bytes - (m_at & (m_page_bytes - 1))) / sizeof(u64);
            m_left = std::min({in_page, pages, u64{entries_at_once}});
            m_index = 0;
            if (!m_bus.read({m_at}, std::as_writable_bytes(std::span(m_entries).first(m_left)))) {
                return status::data_transfer_error;
            }
        }
        entry = m_entries[m_index++];
        --m_left;
        m_at += sizeof(u64);
        return 0;
    }

    DeviceBus& m_bus;
    u64 m_at; ///< of the next entry
    u64 m_page_bytes;
    u64 m_left = 0; ///< of those that were read
    u64 m_index = 0;
    std::array<u64, entries_at_once> m_entries{};
};

u16 find_by_prp(
    DeviceBus& bus, nvme::Command const& command, u64 bytes, u64 page_bytes, Segments out) {
    u64 const mask = page_bytes - 1;
    u64 const first = std::min(bytes, page_bytes - (command.data[0] & mask));
    out.add(command.data[0], first);
    bytes -= first;
    if (bytes == 0) {
        return 0;
    }
    if (bytes <= page_bytes) {
        if ((command.data[1] & mask) != 0) {
            return status::invalid_prp_offset | do_not_retry;
        }
        out.add(command.data[1], bytes);
        return 0;
    }
    if ((command.data[1] & (sizeof(u64) - 1)) != 0) {
        return status::invalid_prp_offset | do_not_retry;
    }
    PrpList list(bus, command.data[1], page_bytes);
    while (bytes != 0) {
        u64 entry = 0;
        if (u16 const failed = list.next((bytes + mask) / page_bytes, entry); failed != 0) {
            return failed;
        }
        if ((entry & mask) != 0) {
            return status::invalid_prp_offset | do_not_retry;
        }
        u64 const here = std::min(bytes, page_bytes);
        out.add(entry, here);
        bytes -= here;
    }
    return 0;
}

/// Takes data descriptors, as long as `left` bytes are to be found.
u16 take_descriptors(std::span<nvme::SglDescriptor const> all, u64& left, Segments& out) {
    for (nvme::SglDescriptor const& each : all) {
        u8 const type = each.type & type_mask;
        if (type == nvme::sgl_segment || type == nvme::sgl_last_segment) {
            return status::invalid_sgl_count | do_not_retry;
        }
        if (type != nvme::sgl_data_block) {
            return status::invalid_sgl_type | do_not_retry;
        }
        if (each.bytes == 0) {
            continue;
        }
        if (left == 0 || ~u64{0} - each.address < each.bytes) {
            return status::invalid_data_sgl_length | do_not_retry;
        }
        u64 const here = std::min<u64>(left, each.bytes);
        out.add(each.address, here);
        left -= here;
    }
    return 0;
}

/// Walks one segment, whose descriptor is `segment`. What it ends with, if that leads to another
/// one, comes into its place; else it becomes a data block.
u16 walk_segment(DeviceBus& bus, nvme::SglDescriptor& segment, u64& left, Segments& out) {
    constexpr u64 entry_bytes = sizeof(nvme::SglDescriptor);
    u8 const type = segment.type & type_mask;
    bool const is_segment = type == nvme::sgl_segment || type == nvme::sgl_last_segment;
    if (!is_segment || segment.bytes == 0 || segment.bytes % entry_bytes != 0) {
        return status::invalid_sgl_segment | do_not_retry;
    }
    if (~u64{0} - segment.address < segment.bytes) {
        return status::invalid_data_sgl_length | do_not_retry;
    }
    std::array<nvme::SglDescriptor, entries_at_once / 2> entries;
    u64 const left_before = left;
    u64 at = segment.address;
    for (u64 count = segment.bytes / entry_bytes; count != 0;) {
        u64 const here = std::min<u64>(count, entries.size());
        auto const taken = std::span(entries).first(here);
        if (!bus.read({at}, std::as_writable_bytes(taken))) {
            return status::data_transfer_error;
        }
        count -= here;
        at += here * entry_bytes;
        nvme::SglDescriptor const last = taken.back();
        bool const goes_on = count == 0 && (last.type & type_mask) != nvme::sgl_data_block;
        if (goes_on && type == nvme::sgl_last_segment) {
            return status::invalid_sgl_segment | do_not_retry;
        }
        u16 const failed = take_descriptors(taken.first(here - (goes_on ? 1 : 0)), left, out);
        if (failed != 0) {
            return failed;
        }
        segment = last;
    }
    // One that finds nothing and leads on may lead on for ever.
    bool const leads_on = (segment.type & type_mask) != nvme::sgl_data_block;
    return leads_on && left == left_before
               ? static_cast<u16>(status::invalid_sgl_segment | do_not_retry)
               : u16{0};
}

u16 find_by_sgl(DeviceBus& bus, nvme::SglDescriptor descriptor, u64 bytes, Segments out) {
    u64 left = bytes;
    if ((descriptor.type & type_mask) == nvme::sgl_data_block) {
        if (u16 const failed = take_descriptors({&descriptor, 1}, left, out); failed != 0) {
            return failed;
        }
    } else {
        do {
            if (u16 const failed = walk_segment(bus, descriptor, left, out); failed != 0) {
                return failed;
            }
        } while ((descriptor.type & type_mask) != nvme::sgl_data_block);
    }
    return left == 0 ? u16{0} : static_cast<u16>(status::invalid_data_sgl_length | do_not_retry);
}

} // namespace

u16 find_data(
    DeviceBus& bus, nvme::Command const& command, u64 bytes, u64 page_bytes, NvmeData& data) {
    data.clear();
    u8 const transfer = command.flags >> 6;
    if (transfer == transfer_by_prp) {
        return find_by_prp(bus, command, bytes, page_bytes, Segments(data.segments));
    }
    if (transfer == transfer_reserved) {
        return status::invalid_field;
    }
    auto const descriptor = std::bit_cast<nvme::SglDescriptor>(command.data);
    return find_by_sgl(bus, descriptor, bytes, Segments(data.segments));
}

bool reach_data(DeviceBus& bus, hal::DmaDirection direction, u64 page_bytes, NvmeData& data) {
    data.pieces.clear();
    auto const add = [&](u64 at, u64 bytes) {
        std::span<std::byte> const memory = bus.reach({at}, bytes, direction);
        if (!memory.empty()) {
            data.pieces.push_back({memory.data(), memory.size()});
        }
        return !memory.empty();
    };
    for (NvmeSegment const& segment : data.segments) {
        if (add(segment.at, segment.bytes)) {
            continue;
        }
        // Pages that are neighbours for the device need not be so in memory.
        for (u64 done = 0; done < segment.bytes;) {
            u64 const at = segment.at + done;
            u64 const here = std::min(segment.bytes - done, page_bytes - (at & (page_bytes - 1)));
            if (!add(at, here)) {
                return false;
            }
            done += here;
        }
    }
    return true;
}

} // namespace hosted
