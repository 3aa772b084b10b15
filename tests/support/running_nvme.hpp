// A scripted controller with its driver, and requests that note what became of them.
#pragma once

#include "hal/clock.hpp"
#include "tests/support/scripted_nvme.hpp"

namespace twofold::test_nvme {

constexpr Nanos long_time{60'000'000'000};
constexpr u64 ms = 1'000'000;

/// A request that notes what became of it.
struct Noted : block::Request {
    explicit Noted(block::Operation what = block::Operation::flush) {
        operation = what;
        done = [](block::Request& self, Result<void> result) {
            auto& noted = static_cast<Noted&>(self);
            ++noted.times;
            noted.outcome = result;
        };
    }
    /// Of some sectors of 512 bytes from one piece of memory, at an address that nothing looks at.
    Noted(block::Operation what, u64 first, u32 sectors, u64 address = 0x10'0000) : Noted(what) {
        sector = first;
        count = sectors;
        segment = {PhysAddr{address}, sectors * 512};
        if (block::has_data(what)) {
            segments = std::span(&segment, 1);
        }
    }
    Noted(Noted const&) = delete;

    block::Segment segment{};
    u32 times = 0;
    Result<void> outcome{};

    bool is_done() const { return times == 1 && outcome.has_value(); }
    bool has_failed(Error error) const {
        return times == 1 && !outcome.has_value() && outcome.error() == error;
    }
};

/// What was announced of block devices.
struct NotedDisks final : block::DiskStore {
    Result<void> add(block::Device& device) override {
        ++added;
        if (device.name() == taken_name) {
            return Error::already_exists;
        }
        devices.push_back(&device).value();
        return {};
    }
    void remove(block::Device& device) override {
        ++removed;
        devices.erase(static_cast<usize>(std::ranges::find(devices, &device) - devices.begin()));
    }
    void changed(block::Device&) override { ++changes; }

    FixedVector<block::Device*, 16> devices;
    std::string_view taken_name;
    u32 added = 0, removed = 0, changes = 0;
};

/// A controller that runs. Its parts are large for a stack.
struct Running {
    static ControllerOptions patient() {
        return {
            .time_out = long_time,
            .admin_time_out = Nanos{20 * static_cast<i64>(ms)},
            .abort_time = Nanos{4 * static_cast<i64>(ms)},
            .shutdown_time = Nanos{5 * static_cast<i64>(ms)},
            .mode = CompletionMode::interrupt,
            .queues_max = 1};
    }
    static ControllerOptions hasty() {
        auto options = patient();
        options.time_out = Nanos{4 * static_cast<i64>(ms)};
        return options;
    }

    Running()
        : scripted(memory::Box<ScriptedController, memory::KernelHeap>::create(
                       *boot::current_kernel().heap)
                       .value()) {}
    ~Running() {
        if (controller != nullptr) {
            controller->remove(device::Removal::orderly);
        }
    }
    Running(Running const&) = delete;
    Running& operator=(Running const&) = delete;

    Result<void> open(ControllerOptions const& options = patient()) {
        m_environment.emplace(
            environment(boot::current_kernel(), pci::Configuration::of(access), disks));
        controller = TRY(Controller::open(
            {.environment = *m_environment,
             .registers = scripted->registers(),
             .function = std::nullopt,
             .connection = *scripted,
             .options = options}));
        auto const spaces = controller->namespaces();
        space = spaces.empty() ? nullptr : spaces[0];
        return {};
    }
    QueuePair& queue() { return *controller->queues()[0]; }
    QueueCounts counts() { return queue().counts(); }
    /// Answers so many commands of the queue in the order in which they came; how many there were.
    u32 answer(u32 count, u16 status = 0) {
        u32 answered = 0;
        while (answered < count) {
            auto const command = scripted->take(1);
            if (!command) {
                break;
            }
            scripted->complete(1, command->id, status);
            ++answered;
        }
        return answered;
    }
    /// Waits until something is overdue, and has it dealt with.
    void wait_for_errand() {
        Nanos const begun = hal::Clock::now();
        while (!scripted->wants_errands() && hal::Clock::now() - begun < Nanos{2'000'000'000}) {
            processor::sleep_for(Nanos{200'000}).value();
        }
        controller->run_errands();
        scripted->run_errands();
    }

    boot::MachineAccess access;
    NotedDisks* disks = nullptr;
    memory::Box<ScriptedController, memory::KernelHeap> scripted;
    Controller* controller = nullptr;
    NamespaceDevice* space = nullptr;

private:
    std::optional<device::DriverEnvironment> m_environment;
};

/// Room for many requests, in memory of the heap.
template<usize count>
struct Many {
    struct All {
        Noted each[count];
    };
    Many()
        : m_all(
              memory::Box<All, memory::KernelHeap>::create(*boot::current_kernel().heap).value()) {}
    Noted& operator[](usize index) { return m_all->each[index]; }
    u32 done() {
        u32 sum = 0;
        for (Noted const& noted : m_all->each) {
            sum += noted.is_done() ? 1 : 0;
        }
        return sum;
    }

private:
    memory::Box<All, memory::KernelHeap> m_all;
};

} // namespace twofold::test_nvme
