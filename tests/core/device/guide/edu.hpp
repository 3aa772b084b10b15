// The driver of docs/guides/write-a-driver.md: of QEMU's device `edu`, which computes factorials
// and moves memory, and interrupts when it has.
//
// One request is with the device at a time. A request that the device does not answer is its last:
// it is kept from memory, and fails all that come, until a driver takes it anew.
//
// Source: QEMU, docs/specs/edu.rst.
#pragma once

#include "core/boot/boot.hpp"
#include "core/boot/device_model.hpp"
#include "hal/clock.hpp"
#include "hal/io.hpp"
#include "hal/memory.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace edu {
using namespace twofold;

using boot::ArgumentCount;
using boot::ArgumentKind;
using device::DriverEnvironment;
using device::Removal;

/// The registers, as offsets.
namespace registers {

inline constexpr Bytes identification{0x00}, liveness{0x04}, factorial{0x08}, status{0x20},
    raised{0x24}, acknowledge{0x64}, dma_from{0x80}, dma_to{0x88}, dma_bytes{0x90},
    dma_command{0x98};

inline constexpr u32 status_interrupts = 0x80;
inline constexpr u32 raised_factorial = 0x001, raised_dma = 0x100;
inline constexpr u64 dma_run = 1, dma_to_memory = 2, dma_interrupts = 4;
inline constexpr u64 buffer_at = 0x40000; ///< the device's own memory, as its DMA names it
/// That may be moved: of 4096. QEMU 7.2 takes the last one for one beyond, and ends itself.
inline constexpr Bytes buffer_bytes{4095};

} // namespace registers

class Edu final : public device::BoundDevice {
public:
    static constexpr u32 number_max = 12; ///< its factorial is the last that fits 32 bits
    static constexpr Nanos patience{i64{2} * 1'000'000'000};

    static bool matches(pci::Function const& function) {
        return function.header.vendor == 0x1234 && function.header.device == 0x11e8;
    }
    /// Errors: not_supported (no registers or messages, another device after all, no threads),
    /// out_of_range (memory lies where the device does not reach), io_failed (it does not answer),
    /// out_of_memory, no_space, those of the interrupt controllers.
    static Result<BoundDevice*>
    probe(DriverEnvironment const& environment, pci::Function const& function) {
        task::Threads* const threads = task::Threads::here();
        if (threads == nullptr || !function.msi) {
            return Error::not_supported;
        }
        auto* const room = TRY(memory::allocate_room<Edu>(environment.heap, 1));
        auto* const self = std::construct_at(room, environment, function, *threads);
        if (auto const taken = self->take(function); !taken) {
            self->quieten();
            self->give_back();
            return taken.error();
        }
        return self;
    }

    Edu(DriverEnvironment const& environment, pci::Function const& function, task::Threads& threads)
        : m_environment(environment),
          m_threads(threads),
          m_space(environment.configuration, function.where),
          m_msi(m_space, *function.msi),
          m_dma(function.where),
          m_lock(threads.locks(), "edu"),
          m_news(threads.waiting()),
          m_awake(threads.waiting()) {}

    // Of who holds it. Context thread; they wait while the device is suspended. Errors of all:
    // timed_out (it did not answer), io_failed (it did not before, or it is gone).

    /// Errors: out_of_range (above number_max).
    Result<u32> factorial(u32 number) {
        if (number > number_max) {
            return Error::out_of_range;
        }
        u32 product = 0;
        auto const computed = alone([&]() -> Result<void> {
            write(registers::status, registers::status_interrupts);
            write(registers::factorial, number);
            TRY(await(registers::raised_factorial));
            product = read(registers::factorial);
            return product == nobody ? Error::io_failed : Result<void>();
        });
        return computed ? Result<u32>(product) : computed.error();
    }
    /// Into the device's memory and out of it. Errors: out_of_range (more than
    /// registers::buffer_bytes, or nothing).
    Result<void> store(std::span<std::byte const> bytes) {
        TRY(check_size(bytes.size()));
        return alone([&] {
            std::memcpy(view(), bytes.data(), bytes.size());
            return transfer(bytes.size(), hal::DmaDirection::to_device);
        });
    }
    Result<void> load(std::span<std::byte> bytes) {
        TRY(check_size(bytes.size()));
        return alone([&]() -> Result<void> {
            TRY(transfer(bytes.size(), hal::DmaDirection::from_device));
            std::memcpy(bytes.data(), view(), bytes.size());
            return {};
        });
    }

    /// It stays until as many have let go of it. In the registry's context.
    void hold() { m_users.fetch_add(1, relaxed); }
    /// Any context.
    void let_go() { m_users.fetch_sub(1, release); }

    void remove(Removal how) override;
    Result<void> suspend() override;
    Result<void> resume() override;

private:
    enum class State : u8 { awake, asleep, lost, ended };

    static constexpr u16 decodes = 2, masters = 4; ///< of the command register
    static constexpr u32 nobody = ~u32{0};         ///< all ones are read of a device that is gone

    u32 read(Bytes offset) const { return hal::Io::read_32(m_registers + offset); }
    void write(Bytes offset, u32 value) { hal::Io::write_32(m_registers + offset, value); }
    void write_wide(Bytes offset, u64 value) { hal::Io::write_64(m_registers + offset, value); }
    std::byte* view() const { return hal::Memory::linear(*m_frame); }

    void command(u16 cleared, u16 set) {
        u32 const before = m_space.read_16(pci::offset::command);
        m_space.write_16(pci::offset::command, static_cast<u16>((before & ~u32{cleared}) | set));
    }
    bool is_alive() {
        write(registers::liveness, 0x1234'5678);
        return read(registers::liveness) == ~u32{0x1234'5678};
    }

    Result<void> take(pci::Function const& function);
    Result<void> take_frame(u32 revision);
    Result<void> bind();
    void quieten();
    void give_back();

    static processor::Handling take_interrupt(void* self, hal::Interruption const&);
    static void work(void* self) { static_cast<Edu*>(self)->m_news.set(); }

    /// The device would reach beyond its memory.
    static Result<void> check_size(usize bytes) {
        bool const fits = bytes > 0 && bytes <= registers::buffer_bytes.value;
        return fits ? Result<void>() : Error::out_of_range;
    }
    template<class Work>
    Result<void> alone(Work const& work);
    Result<void> transfer(u64 bytes, hal::DmaDirection direction);
    Result<void> await(u32 bit);

    DriverEnvironment m_environment;
    task::Threads& m_threads;
    pci::FunctionSpace m_space;
    pci::Msi m_msi;
    device::DmaSpace m_dma;
    VirtAddr m_registers{};
    std::optional<PhysAddr> m_frame; ///< what it moves lies here
    std::optional<hal::Vector> m_vector;
    task::Mutex<task::KernelThreads> m_lock; ///< who has it has the device
    State m_state GUARDED_BY(m_lock) = State::awake;
    task::Event<task::KernelThreads> m_news;  ///< something was raised, or the device is gone
    task::Event<task::KernelThreads> m_awake; ///< not suspended
    Atomic<u32> m_raised{0};                  ///< that nobody has waited for yet
    Atomic<u32> m_is_gone{0};
    Atomic<u32> m_users{0};
};

inline Result<void> Edu::take(pci::Function const& function) {
    auto const bar = std::ranges::find(function.bars, u8{0}, &pci::Bar::number);
    if (bar == function.bars.end() || !bar->is_memory() || bar->address == 0 ||
        bar->size < page_size) {
        return Error::not_supported;
    }
    command(0, decodes);
    m_registers = TRY(m_environment.space.map_device(
        PhysAddr{bar->address}, page_size, hal::CacheMode::uncached));
    u32 const identification = read(registers::identification); // 0xRRrr00ed: revision RR.rr
    if ((identification & 0xffff) != 0x00ed) {
        return Error::not_supported;
    }
    if (!is_alive()) {
        return Error::io_failed;
    }
    TRY(take_frame(identification >> 24));
    TRY(bind());
    command(0, masters);
    m_awake.set();
    return {};
}

/// A page that the device reaches: revision 1 has 28 bits of address.
inline Result<void> Edu::take_frame(u32 revision) {
    memory::FrameRequest request;
    u64 reach = ~u64{0};
    if (revision < 2) {
        reach = (u64{1} << 28) - 1;
        request.limit = PhysAddr{reach + 1};
    }
    m_frame = TRY(m_environment.frames.allocate(request));
    auto const mapping = TRY(m_dma.map(*m_frame, page_size, hal::DmaDirection::both));
    bool const is_reached = mapping.address.value <= reach - (page_size.value - 1);
    m_dma.unmap(mapping);
    return is_reached ? Result<void>() : Error::out_of_range;
}

inline Result<void> Edu::bind() {
    auto const bound = TRY(m_environment.interrupts.bind_message(
        CpuId{0},
        {.handler = take_interrupt, .argument = this, .name = "edu", .second_half = work}));
    m_vector = bound.vector;
    write(registers::acknowledge, read(registers::raised)); // of before
    TRY(m_msi.set_message({bound.message.address.value, bound.message.data}, 1));
    m_msi.set_messages(pci::Switch::on);
    return {};
}

/// The device reaches no memory and interrupts nobody.
inline void Edu::quieten() {
    command(masters, 0);
    m_msi.set_messages(pci::Switch::off);
}

/// All that `take` has taken, in reverse.
inline void Edu::give_back() {
    if (m_vector) {
        m_environment.interrupts.unbind(*m_vector).value(); // it is bound
    }
    if (m_frame) {
        m_environment.frames.free_pages(*m_frame, 1).value();
    }
    if (m_registers != VirtAddr{}) {
        m_environment.space.unmap_device(m_registers).value();
    }
    memory::KernelHeap& heap = m_environment.heap;
    std::destroy_at(this);
    memory::free_room(heap, this);
}

/// In context irq: silences the device, and leaves the rest to `work`.
inline processor::Handling Edu::take_interrupt(void* self, hal::Interruption const&) {
    Edu& it = *static_cast<Edu*>(self);
    u32 const raised = it.read(registers::raised);
    if (raised == 0 || raised == nobody) {
        return processor::Handling::not_mine;
    }
    it.write(registers::acknowledge, raised);
    it.m_raised.fetch_or(raised, release);
    return processor::Handling::wake;
}

/// Does `work` with the device while nobody else does.
template<class Work>
Result<void> Edu::alone(Work const& work) {
    while (true) {
        m_awake.wait();
        task::MutexGuard const guard(m_lock);
        if (m_state == State::asleep) {
            continue; // it fell asleep in between
        }
        if (m_state != State::awake) {
            return Error::io_failed;
        }
        m_raised.store(0, relaxed);
        auto const outcome = work();
        if (!outcome) {
            m_state = State::lost;
        }
        return outcome;
    }
}

/// Waits until the device has raised `bit`. One that has not in time is kept from memory.
inline Result<void> Edu::await(u32 bit) {
    Nanos const deadline = hal::Clock::now() + patience;
    bool is_late = false;
    while (true) {
        m_news.reset();
        if (m_is_gone.load(acquire) != 0) {
            return Error::io_failed;
        }
        if ((m_raised.load(acquire) & bit) != 0) {
            return {};
        }
        if (is_late) {
            quieten();
            return Error::timed_out;
        }
        is_late = !m_news.wait_until(deadline);
    }
}

/// Between the frame and the device's memory. The device reaches the frame meanwhile, and no
/// longer.
inline Result<void> Edu::transfer(u64 bytes, hal::DmaDirection direction) {
    auto const mapping = TRY(m_dma.map(*m_frame, Bytes{bytes}, direction));
    bool const is_in = direction == hal::DmaDirection::from_device;
    write_wide(registers::dma_from, is_in ? registers::buffer_at : mapping.address.value);
    write_wide(registers::dma_to, is_in ? mapping.address.value : registers::buffer_at);
    write_wide(registers::dma_bytes, bytes);
    hal::Memory::device_write_barrier();
    write_wide(
        registers::dma_command,
        registers::dma_run | registers::dma_interrupts | (is_in ? registers::dma_to_memory : 0));
    auto const outcome = await(registers::raised_dma);
    hal::Memory::device_read_barrier();
    m_dma.unmap(mapping); // it has let go, or is gone, or does not master the bus any more
    return outcome;
}

inline void Edu::remove(Removal how) {
    if (how == Removal::gone) {
        m_is_gone.store(1, release); // who waits for it does so no longer
        m_news.set();
    }
    {
        task::MutexGuard const guard(m_lock); // what is with the device has come to its end
        m_state = State::ended;
    }
    m_awake.set();
    while (m_users.load(acquire) != 0) {
        m_threads.sleep_for({1'000'000});
    }
    if (how == Removal::orderly) {
        quieten();
    }
    give_back();
}

inline Result<void> Edu::suspend() {
    m_awake.reset();
    task::MutexGuard const guard(m_lock);
    if (m_state != State::awake) {
        m_awake.set();
        return Error::io_failed;
    }
    m_state = State::asleep;
    command(masters, 0);
    return {};
}

inline Result<void> Edu::resume() {
    task::MutexGuard const guard(m_lock);
    if (!is_alive()) {
        return Error::io_failed;
    }
    command(0, masters);
    m_state = State::awake;
    m_awake.set();
    return {};
}

inline constexpr device::Driver driver{"edu", Edu::matches, Edu::probe};

/// The device, which does not go while this lives.
class HeldEdu {
public:
    /// Errors: not_found (there is none), why its probe has failed, out_of_memory.
    static Result<HeldEdu> find(boot::Kernel& kernel) {
        TRY(boot::find_device(kernel, driver));
        auto* const model = TRY(boot::device_model(kernel));
        return boot::with_registry(*model, [](device::DriverRegistry& registry) -> Result<HeldEdu> {
            device::BoundDevice* const found = registry.first_of(driver);
            if (found == nullptr) {
                return Error::not_found; // it has gone in between
            }
            return HeldEdu(static_cast<Edu&>(*found));
        });
    }
    HeldEdu(HeldEdu&& other) noexcept : m_edu(std::exchange(other.m_edu, nullptr)) {}
    HeldEdu& operator=(HeldEdu&&) = delete;
    ~HeldEdu() {
        if (m_edu != nullptr) {
            m_edu->let_go();
        }
    }
    Edu* operator->() const { return m_edu; }

private:
    explicit HeldEdu(Edu& edu) : m_edu(&edu) { edu.hold(); }

    Edu* m_edu;
};

inline u8 fail(boot::CommandContext& context, Error error) {
    context.out.line("edu: {}", error);
    return boot::status::failure;
}

inline u8 factorial(boot::CommandContext& context) {
    static constexpr boot::Column columns[] = {{"number", 6}, {"factorial", 0}};
    auto const number = parse_unsigned(context.arguments[0]).value(); // it was checked
    if (number > Edu::number_max) {
        context.out.line("factorial: NUMBER is one from 0 to {}", Edu::number_max);
        return boot::status::usage;
    }
    auto const edu = HeldEdu::find(context.kernel);
    auto const product = edu ? edu.value()->factorial(static_cast<u32>(number)) : edu.error();
    if (!product) {
        return fail(context, product.error());
    }
    context.out.table(columns);
    context.out.row({number, product.value()});
    return boot::status::success;
}

inline u8 keep(boot::CommandContext& context) {
    char back[256];
    std::string_view const text = context.arguments[0];
    if (text.empty() || text.size() > sizeof(back)) {
        context.out.line("keep: TEXT has 1 to {} bytes", sizeof(back));
        return boot::status::usage;
    }
    auto const edu = HeldEdu::find(context.kernel);
    auto const kept = edu ? edu.value()->store(std::as_bytes(std::span(text))) : edu.error();
    auto const bytes = std::as_writable_bytes(std::span(back)).first(text.size());
    auto const read = kept ? edu.value()->load(bytes) : kept;
    if (!read) {
        return fail(context, read.error());
    }
    context.out.line("the device has kept '{}'", std::string_view(back, text.size()));
    return boot::status::success;
}

inline constexpr boot::Command commands[] = {
    {"factorial",
     "has the device edu compute a factorial",
     factorial,
     {{"NUMBER", "0 to 12", ArgumentKind::number}},
     {{"factorial 10", "3628800"}}},
    {"keep",
     "moves a text into the memory of the device edu, and back",
     keep,
     {{"TEXT", "1 to 256 bytes", ArgumentKind::text}}},
};

} // namespace edu

namespace twofold {

struct SelectedDrivers {
    static constexpr std::array drivers{&edu::driver};
    static constexpr boot::CommandTable commands{"edu", edu::commands};
};

} // namespace twofold
