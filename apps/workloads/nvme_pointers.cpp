// Data pointers of NVMe commands: pieces of memory drawn at random, written as PRPs or as an SGL,
// and read as a controller reads them (NVM Express Base Specification 1.4, sections 4.3 and 4.4):
// what it would reach is those pieces, in their order.
#include "apps/workloads/rooms.hpp"
#include "core/device/drivers.hpp"

#include <array>
#include <cstring>

namespace twofold::workloads {

namespace {

class NvmePointers {
public:
    explicit NvmePointers(Run&) {}
    NvmePointers(NvmePointers const&) = delete;
    NvmePointers& operator=(NvmePointers const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    static void perform(Step& step) {
        Pieces const pieces = draw(step);
        auto const sgl = step.chance(50) ? nvme::SglSupport::none : nvme::SglSupport::bytes;
        bool const is_allowed =
            sgl != nvme::SglSupport::none || nvme::is_prp_shaped(pieces.items());
        std::array<u64, list_words> words{};
        nvme::Command command;
        auto const written =
            nvme::point_to(command, pieces.items(), sgl, {words, hal::DmaAddress{list_at}});
        if (!is_allowed) {
            step.equal("a shape that PRPs cannot have", Error::invalid_argument, written);
            return;
        }
        if (!step.equal("a data pointer", answer_ok, written)) {
            return;
        }
        bool const is_sgl = command.flags == nvme::data_by_sgl;
        u64 const bytes = pieces.bytes();
        step.equal(
            "bytes", bytes,
            is_sgl ? follow_sgl(step, pieces, command, words)
                   : follow_prps(step, pieces, command, words));
    }

    static void end(Check&) {}

private:
    static constexpr u32 pieces_max = 8, pages_max = 6;
    static constexpr usize list_words = 64;
    static constexpr u64 list_at = 0x7000'0000, mask = page_size.value - 1;

    class Pieces {
    public:
        std::span<nvme::Piece const> items() const { return {m_items.begin(), m_items.size()}; }
        void add(u64 at, u32 bytes) {
            m_items.push_back({.address = {at}, .bytes = bytes}).value(); // so many are drawn
        }
        u64 bytes() const {
            u64 sum = 0;
            for (nvme::Piece const& piece : m_items) {
                sum += piece.bytes;
            }
            return sum;
        }
        /// Where the byte of that number lies; a piece's end is the next one's begin.
        u64 address_of(u64 offset) const {
            for (nvme::Piece const& piece : m_items) {
                if (offset < piece.bytes) {
                    return piece.address.value + offset;
                }
                offset -= piece.bytes;
            }
            return 0;
        }

    private:
        FixedVector<nvme::Piece, pieces_max> m_items;
    };

    /// Of pages far from each other, shaped for PRPs half of the time.
    static Pieces draw(Step& step) {
        Pieces pieces;
        u64 const count = 1 + step.random.below(pieces_max);
        bool const is_shaped = step.chance(50);
        for (u64 i = 0; i < count; ++i) {
            u64 const page = (1 + i * 16 + step.random.below(8)) * page_size.value;
            u64 const begin = i == 0 || !is_shaped ? step.random.below(1024) * 4 : 0;
            u64 const pages = 1 + step.random.below(pages_max);
            u64 const end = pages * page_size.value;
            bool const is_cut = i + 1 == count || !is_shaped;
            u64 const cut = is_cut ? 4 * step.random.below((page_size.value - 4) / 4) : 0;
            u64 const bytes = end - begin > cut ? end - begin - cut : 4;
            pieces.add(page + begin, static_cast<u32>(is_cut ? bytes : end - begin));
        }
        return pieces;
    }

    /// How many bytes the entries name; each is compared with where that byte lies.
    static u64 follow_prps(
        Step& step,
        Pieces const& pieces,
        nvme::Command const& command,
        std::span<u64 const> words) {
        u64 const all = pieces.bytes();
        u64 const first = command.data[0];
        u64 done = std::min(all, page_size.value - (first & mask));
        step.equal("the first PRP", pieces.address_of(0), first);
        bool const has_list = all - done > page_size.value;
        if (has_list) {
            step.equal("the list", list_at, command.data[1]);
        }
        for (usize i = 0; done < all && i < words.size(); ++i) {
            u64 const entry = has_list ? words[i] : command.data[1];
            step.equal("a further PRP", pieces.address_of(done), entry);
            step.equal("its offset", 0, entry & mask);
            done += std::min(all - done, page_size.value);
        }
        return done;
    }

    static u64 follow_sgl(
        Step& step,
        Pieces const& pieces,
        nvme::Command const& command,
        std::span<u64 const> words) {
        nvme::SglDescriptor first;
        std::memcpy(&first, command.data, sizeof(first));
        if (first.type == nvme::sgl_data_block) {
            step.equal("the only block", pieces.address_of(0), first.address);
            return first.bytes;
        }
        step.equal("the list's type", nvme::sgl_last_segment, first.type);
        step.equal("the list", list_at, first.address);
        u64 done = 0;
        for (usize at = 0; at < first.bytes / sizeof(u64) && at + 1 < words.size(); at += 2) {
            nvme::SglDescriptor each;
            std::memcpy(&each, &words[at], sizeof(each));
            step.equal("a block's type", nvme::sgl_data_block, each.type);
            step.equal("a block", pieces.address_of(done), each.address);
            done += each.bytes;
        }
        return done;
    }
};

} // namespace

constinit Workload const nvme_pointers_workload = workload_of<NvmePointers>(
    {.name = "nvme_pointers",
     .about = "pieces of memory as NVMe commands name them",
     .cpus = 1,
     .threads = 1});

} // namespace twofold::workloads
