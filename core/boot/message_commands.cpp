// The commands `message` and `beat`.
#include "core/boot/devices.hpp"
#include "core/boot/disks.hpp"
#include "core/boot/kernel.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <optional>

namespace twofold::boot {

namespace {

using device::MessagePort;

constexpr i64 ms = 1'000'000;
constexpr u32 attempts_max = 50;
constexpr u64 write_epoch = 16; ///< writes of `beat` between two flushes

/// What `ping` and `echo` say to each other.
struct Ping {
    enum class Kind : u64 { ping = 0x676e'6970, pong = 0x676e'6f70 };

    Kind kind{};
    u64 number = 0;
};

Nanos in_ms(u64 count) {
    return hal::Clock::now() + Nanos{static_cast<i64>(std::min<u64>(count, 1'000'000)) * ms};
}

u8 fail(CommandContext& context, Error error) {
    context.out.line("failed: {}", error);
    return status::failure;
}

Result<void> send_ping(MessagePort& port, u32 to, Ping const& ping) {
    return port.send(to, std::as_bytes(std::span(&ping, 1)));
}

struct ReceivedPing {
    u32 from = 0;
    Ping ping{};
};

/// What is no ping or pong is left out.
Result<ReceivedPing> receive_ping(MessagePort& port, Nanos deadline) {
    while (true) {
        ReceivedPing got;
        auto const received =
            port.receive(std::as_writable_bytes(std::span(&got.ping, 1)), deadline);
        if (!received && received.error() != Error::truncated) {
            return received.error();
        }
        if (received && received.value().size.value == sizeof(Ping)) {
            got.from = received.value().from;
            return got;
        }
    }
}

u8 receive_text(CommandContext& context, MessagePort& port, u64 wait_ms) {
    std::byte bytes[64];
    auto const received = port.receive(bytes, in_ms(wait_ms));
    if (!received) {
        return fail(context, received.error());
    }
    FixedString<sizeof(bytes)> text;
    for (std::byte const byte : std::span(bytes).first(received.value().size.value)) {
        char const letter = static_cast<char>(byte);
        text.append({letter < ' ' || letter > '~' ? "?" : &letter, 1}).value();
    }
    context.out.line("from {}: '{}'", received.value().from, text);
    return status::success;
}

/// Asks `count` times and waits for each answer, asking again where none comes in `wait_ms`.
u8 ping(CommandContext& context, MessagePort& port, u32 to, u64 count, u64 wait_ms) {
    u64 repeated = 0, unexpected = 0;
    for (u64 number = 0; number < count; ++number) {
        bool is_answered = false;
        for (u32 attempt = 0; !is_answered && attempt < attempts_max; ++attempt) {
            repeated += attempt == 0 ? 0 : 1;
            auto const sent = send_ping(port, to, {Ping::Kind::ping, number});
            if (!sent) {
                return fail(context, sent.error());
            }
            Nanos const deadline = in_ms(wait_ms);
            for (auto got = receive_ping(port, deadline); got && !is_answered;) {
                is_answered = got.value().ping.kind == Ping::Kind::pong &&
                              got.value().ping.number == number && got.value().from == to;
                unexpected += is_answered ? 0 : 1;
                if (!is_answered) {
                    got = receive_ping(port, deadline);
                }
            }
        }
        if (!is_answered) {
            context.out.line("no answer to {} after {} attempts", number, attempts_max);
            return status::failure;
        }
    }
    context.out.line("{} answers, {} repeated, {} unexpected frames", count, repeated, unexpected);
    return status::success;
}

/// Answers until nobody has asked for `wait_ms`.
u8 echo(CommandContext& context, MessagePort& port, u64 wait_ms) {
    u64 answered = 0;
    while (true) {
        auto const got = receive_ping(port, in_ms(wait_ms));
        if (!got && got.error() == Error::timed_out) {
            context.out.line("{} pings answered", answered);
            return status::success;
        }
        if (!got) {
            return fail(context, got.error());
        }
        if (got.value().ping.kind == Ping::Kind::ping) {
            auto const sent =
                send_ping(port, got.value().from, {Ping::Kind::pong, got.value().ping.number});
            if (!sent) {
                return fail(context, sent.error());
            }
            ++answered;
        }
    }
}

/// What `beat` does each time, and how that went.
struct Beat {
    block::DiskUse disk{};
    std::optional<HeldMessagePort> port{};
    PhysAddr page{};
    u64 failed = 0;
    u64 received = 0;

    void once(u64 number) {
        if (disk) {
            u64 const sector = number % disk->geometry().sectors;
            bool const is_last = number % write_epoch == write_epoch - 1;
            block::Segment const memory{page, disk->geometry().sector_bytes};
            failed += block::write_block(*disk, sector, memory) ? 0 : 1;
            failed += !is_last || block::flush(*disk) ? 0 : 1;
        }
        if (port) {
            auto const frame = std::as_bytes(std::span(&number, 1));
            failed += port->driver().send(MessagePort::everybody, frame) ? 0 : 1;
            std::byte bytes[sizeof(number)];
            while (port->driver().receive(bytes, hal::Clock::now())) {
                ++received;
            }
        }
    }
};

Result<void> sleep_until(Kernel& kernel, Nanos deadline) {
    if (kernel.threads == nullptr) {
        return processor::sleep_until(deadline);
    }
    kernel.threads->sleep_until(deadline);
    return {};
}

/// The first disk. Errors: not_found, permission_denied (it is read-only), not_supported (a sector
/// does not fit into a page).
Result<block::DiskUse> disk_to_write(DiskRoom& room) {
    block::DiskUse disk = room.disks.at(0);
    if (!disk) {
        return Error::not_found;
    }
    if (disk->geometry().is_read_only) {
        return Error::permission_denied;
    }
    if (disk->geometry().sector_bytes > page_size.value) {
        return Error::not_supported;
    }
    return disk;
}

/// Who holds a device and asks the registry for another might wait for who removes the first: so
/// the disk, for which it is asked no more once the room is open, is taken last.
Result<void> prepare_beat(Kernel& kernel, std::span<std::string_view const> devices, Beat& beat) {
    DiskRoom* room = nullptr;
    bool wants_message = false;
    for (std::string_view const name : devices) {
        if (name != "block" && name != "message") {
            return Error::invalid_argument;
        }
        room = name == "block" ? TRY(disk_room(kernel)) : room;
        wants_message = wants_message || name == "message";
    }
    if (wants_message) {
        beat.port.emplace(TRY(hold_message_port(kernel)));
    }
    if (room != nullptr) {
        beat.disk = TRY(disk_to_write(*room));
    }
    beat.page = TRY(kernel.frames->allocate({.pages = 1, .content = memory::FrameContent::zeroed}));
    return {};
}

} // namespace

u8 use_messages(CommandContext& context) {
    auto const opened = hold_message_port(context.kernel);
    if (!opened) {
        context.out.line("there is no message device: {}", opened.error());
        return status::failure;
    }
    MessagePort& port = opened.value().driver();
    auto const& arguments = context.arguments;
    std::string_view const what = arguments.empty() ? "info" : arguments[0];
    if (what == "info") {
        context.out.line("address {}, {} frames dropped", port.address(), port.dropped());
        show_queue(context, port.queue());
        return status::success;
    }
    auto const first = argument_number(context, 1, 1'000);
    if (what == "receive" && first) {
        return receive_text(context, port, first.value());
    }
    if (what == "echo" && first) {
        return echo(context, port, first.value());
    }
    if (what == "send" && arguments.size() == 3 && first && first.value() <= ~u32{0}) {
        auto const sent =
            port.send(static_cast<u32>(first.value()), std::as_bytes(std::span(arguments[2])));
        return sent ? status::success : fail(context, sent.error());
    }
    auto const count = argument_number(context, 2, 1);
    auto const wait_ms = argument_number(context, 3, 20);
    if (what == "ping" && arguments.size() >= 2 && first && first.value() <= ~u32{0} && count &&
        wait_ms) {
        return ping(context, port, static_cast<u32>(first.value()), count.value(), wait_ms.value());
    }
    return say_usage(context, "message");
}

u8 beat(CommandContext& context) {
    auto const count = argument_number(context, 0, 0);
    auto const period_us = argument_number(context, 1, 0);
    if (context.arguments.size() < 2 || !count || !period_us || period_us.value() > 1'000'000) {
        return say_usage(context, "beat");
    }
    Beat beat;
    if (auto const ready = prepare_beat(context.kernel, context.arguments.subspan(2), beat);
        !ready) {
        return fail(context, ready.error());
    }
    Nanos const period{static_cast<i64>(period_us.value()) * 1'000};
    Nanos next = hal::Clock::now();
    for (u64 number = 0; number < count.value(); ++number) {
        next = next + period;
        if (auto const slept = sleep_until(context.kernel, next); !slept) {
            return fail(context, slept.error());
        }
        beat.once(number);
    }
    context.kernel.frames->free_pages(beat.page, 1).value();
    context.out.line(
        "{} beats, {} failed, {} frames received", count.value(), beat.failed, beat.received);
    return status::success;
}

} // namespace twofold::boot
