// Stripes of the kernel's disks: making them, and finding those that were made. See disks.hpp.
#include "core/boot/disks.hpp"
#include "core/boot/kernel.hpp"
#include "hal/entropy.hpp"

#include <algorithm>

namespace twofold::boot {

namespace {

using block::DiskUse;
using block::Stripe;
using block::stripe_format::Id;
using block::stripe_format::Member;
using trace::LogLevel;

/// Over members that say so already, as a disk.
Result<Stripe*>
add_stripe(Kernel& kernel, DiskRoom& room, Member const& format, Stripe::Members members) {
    Stripe* const stripe =
        TRY(Stripe::open(*kernel.heap, room.completions, format, std::move(members)));
    TRY(add_layer(room, {.device = stripe, .stripe = stripe}));
    return stripe;
}

bool is_open(DiskRoom const& room, Id const& id) {
    return std::ranges::any_of(room.layers, [&](DiskLayer const& layer) {
        return layer.stripe != nullptr && layer.stripe->id() == id;
    });
}

/// Whether both say that they are of one stripe, made at one time.
bool belong_together(Member const& a, Member const& b) {
    return a.id == b.id && a.generation == b.generation && a.members == b.members &&
           a.chunk_bytes == b.chunk_bytes && a.data_bytes == b.data_bytes;
}

/// The disk that is that member of a stripe; none, where it is not there.
DiskUse find_member(Kernel& kernel, DiskRoom& room, Member const& wanted, u32 number) {
    for (usize i = 0;; ++i) {
        DiskUse disk = room.disks.at(i);
        if (!disk) {
            return {};
        }
        auto const member = block::read_member(*kernel.frames, *disk);
        if (member && belong_together(member.value(), wanted) && member.value().number == number) {
            return disk;
        }
    }
}

/// The stripe that a member is of; false, where another one is missing or it cannot be opened.
bool assemble(Kernel& kernel, DiskRoom& room, Member const& format, Reports reports) {
    Stripe::Members members;
    for (u32 number = 0; number < format.members; ++number) {
        DiskUse disk = find_member(kernel, room, format, number);
        if (!disk) {
            if (reports == Reports::what_is_wrong) {
                kernel.log(
                    LogLevel::warning, "the stripe {} is not whole: member {} of {} is missing",
                    format.name.view(), number, format.members);
            }
            return false;
        }
        members.push_back(std::move(disk)).value();
    }
    auto const added = add_stripe(kernel, room, format, std::move(members));
    if (!added && reports == Reports::what_is_wrong) {
        kernel.log(
            LogLevel::warning, "the stripe {} is not used: {}", format.name.view(), added.error());
    }
    return added.has_value();
}

} // namespace

Result<Stripe*> make_stripe(
    Kernel& kernel,
    std::string_view name,
    std::span<std::string_view const> disks,
    u64 chunk_bytes) {
    DiskRoom& room = *TRY(disk_room(kernel));
    return with_layers(room, [&]() -> Result<Stripe*> {
        if (room.disks.find(name)) {
            return Error::already_exists;
        }
        if (room.layers.full()) {
            return Error::no_space; // before the disks lose what they hold
        }
        Stripe::Members members;
        for (std::string_view const each : disks) {
            DiskUse disk = room.disks.find(each);
            if (!disk) {
                return Error::not_found;
            }
            bool const is_twice = std::ranges::any_of(
                members, [&](DiskUse const& other) { return other->name() == each; });
            if (is_twice || layer_over(room, *disk) != nullptr) {
                return Error::busy;
            }
            if (!members.push_back(std::move(disk))) {
                return Error::invalid_argument;
            }
        }
        Member format{.chunk_bytes = chunk_bytes};
        TRY(format.name.append(name));
        hal::Entropy::fill(std::as_writable_bytes(std::span(format.id)));
        TRY(block::write_members(*kernel.frames, format, members));
        return add_stripe(kernel, room, format, std::move(members));
    });
}

u32 assemble_stripes(Kernel& kernel, DiskRoom& room, Reports reports) {
    u32 count = 0;
    for (usize i = 0;; ++i) {
        auto const member = [&]() -> Result<Member> {
            DiskUse const disk = room.disks.at(i);
            return disk ? block::read_member(*kernel.frames, *disk)
                        : Result<Member>(Error::no_space);
        }();
        if (!member && member.error() == Error::no_space) {
            return count; // behind the last one
        }
        // The first member speaks for all.
        if (member && member.value().number == 0 && !is_open(room, member.value().id)) {
            count += assemble(kernel, room, member.value(), reports) ? 1 : 0;
        }
    }
}

} // namespace twofold::boot
