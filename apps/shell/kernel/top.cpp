// See top.hpp.
#include "apps/shell/kernel/top.hpp"

#include "apps/shell/kernel/session.hpp"
#include "core/boot/processor_commands.hpp"
#include "hal/clock.hpp"

#include <algorithm>

namespace twofold::shell {

namespace {

namespace status = boot::status;
using boot::ThreadView;

constexpr Nanos period{500'000'000};
constexpr u64 us_in_s = 1'000'000;

u64 per_second(u64 count, u64 elapsed_us) {
    return elapsed_us == 0 ? 0 : count * us_in_s / elapsed_us;
}

ThreadView const* find(boot::ThreadViews const& views, u64 id) {
    auto const place =
        std::find_if(views.begin(), views.end(), [id](auto const& view) { return view.id == id; });
    return place == views.end() ? nullptr : &*place;
}

/// Which of the steps of a sample a lateness belongs to.
usize late_step(u64 late_ns) {
    usize step = 0;
    for (u64 limit_ns = 1'000; step + 1 < TopSample::late_steps && late_ns >= limit_ns;
         limit_ns *= 10) {
        ++step;
    }
    return step;
}

constexpr boot::Column thread_columns[] = {{"id", 6},  {"name", 16}, {"class", 10},
                                           {"cpu", 4}, {"cpu %", 8}, {"switches/s", 0}};

u8 print_once(boot::CommandContext& context, TopSample const& sample) {
    context.out.table(thread_columns);
    for (TopThread const& thread : sample.threads) {
        context.out.row(
            {thread.id, thread.name, thread.class_name, thread.cpu,
             boot::Cell::percent(u64{thread.permille} * 10), thread.switches_per_s});
    }
    return status::success;
}

/// Until a key ends it.
u8 follow(boot::CommandContext& context, TopCollector& collector) {
    Session& session = *context.session;
    auto const history = memory::Box<TopHistory, memory::KernelHeap>::create(*context.kernel.heap);
    if (!history) {
        context.out.line("top: there is no memory to draw with");
        return status::failure;
    }
    FullScreen const screen(session);
    while (!context.is_interrupted()) {
        TopSample const& sample = collector.look();
        history.value()->add(sample);
        ScreenText text(session);
        draw_top(sample, *history.value(), session.size(), text.output());
        text.show();
        auto const key = session.read_key(hal::Clock::now() + period);
        if (key && (*key == 'q' || *key == 'Q')) {
            break;
        }
    }
    return status::success;
}

} // namespace

Result<TopCollector> TopCollector::create(boot::Kernel& kernel) {
    auto state = TRY((memory::Box<State, Heap>::create(*kernel.heap)));
    TopCollector collector(kernel, std::move(state));
    State& is = *collector.m_state;
    char title[96];
    is.title
        .append(
            format_to(
                std::span(title), "Twofold, {} on {}", kernel.parts.image, kernel.boot_info.machine)
                .text)
        .value();
    static_cast<void>(collector.look());
    return collector;
}

TopSample const& TopCollector::look() {
    State& is = *m_state;
    Nanos const now = hal::Clock::now();
    u64 const elapsed_us = static_cast<u64>((now - is.looked_at).value) / 1000;
    is.looked_at = now;
    m_sample = {};
    m_sample.title = is.title.view();
    m_sample.uptime_s = static_cast<u64>(now.value) / 1'000'000'000;
    look_at_threads(elapsed_us);
    look_at_interrupts(elapsed_us);
    look_at_lateness();
    memory::FrameStatistics const frames = m_kernel.frames->statistics();
    u64 const page_kib = page_size.value >> 10;
    m_sample.memory_kib = frames.frames * page_kib;
    m_sample.memory_used_kib = (frames.frames - frames.free_frames) * page_kib;
    m_sample.heap_kib = m_kernel.heap->statistics().committed.value >> 10;
    return m_sample;
}

/// What threads ran counts for the processor where they are now.
void TopCollector::look_at_threads(u64 elapsed_us) {
    State& is = *m_state;
    std::swap(is.before, is.now);
    u64 const left_out = boot::look_at_threads(*m_kernel.threads, is.now);
    is.threads.clear();
    is.cpus.clear();
    for (u32 id = 0; id < m_kernel.cpus.known() && !is.cpus.full(); ++id) {
        is.cpus.push_back(0).value();
    }
    for (ThreadView const& view : is.now) {
        ThreadView const* const old = find(is.before, view.id);
        u64 const ran_us =
            static_cast<u64>((view.counts.ran - (old ? old->counts.ran : Nanos{})).value) / 1000;
        u64 const switches = view.counts.switches - (old ? old->counts.switches : 0);
        auto const permille =
            static_cast<u32>(elapsed_us == 0 ? 0 : std::min<u64>(ran_us * 1000 / elapsed_us, 1000));
        m_sample.switches_per_s += per_second(switches, elapsed_us);
        if (view.is_idle) {
            continue;
        }
        if (view.cpu.value < is.cpus.size()) {
            u16& busy = is.cpus[view.cpu.value];
            busy = static_cast<u16>(std::min(busy + permille, 1000u));
        }
        is.threads
            .push_back(
                {.id = view.id,
                 .name = view.name.view(),
                 .class_name = view.class_name,
                 .cpu = view.cpu.value,
                 .permille = permille,
                 .switches_per_s = per_second(switches, elapsed_us)})
            .value(); // as many as there are views
    }
    std::sort(is.threads.begin(), is.threads.end(), [](TopThread const& a, TopThread const& b) {
        return a.permille != b.permille ? a.permille > b.permille : a.id < b.id;
    });
    m_sample.cpus = is.cpus.items();
    m_sample.threads = is.threads.items();
    m_sample.threads_all = is.now.size() + left_out;
}

void TopCollector::look_at_interrupts(u64 elapsed_us) {
    State& is = *m_state;
    is.interrupts.clear();
    for (u32 vector = 0; vector < std::size(is.taken); ++vector) {
        u64 taken = 0;
        for (u32 id = 0; id < m_kernel.cpus.known(); ++id) {
            taken += m_kernel.cpus.is_online({id}) ? m_kernel.cpu({id}).counts[vector].taken : 0;
        }
        u64 const new_ones = taken - std::exchange(is.taken[vector], taken);
        u64 const rate = per_second(new_ones, elapsed_us);
        m_sample.interrupts_per_s += rate;
        if (new_ones != 0) {
            auto const name = m_kernel.interrupts.table().entry({static_cast<u8>(vector)}).name;
            is.interrupts.push_back({name, rate}).value(); // as many as there are vectors
        }
    }
    std::sort(
        is.interrupts.begin(), is.interrupts.end(),
        [](TopInterrupt const& a, TopInterrupt const& b) { return a.per_s > b.per_s; });
    m_sample.interrupts = std::span<TopInterrupt const>(is.interrupts.items())
                              .first(std::min<usize>(is.interrupts.size(), interrupts_max));
}

void TopCollector::look_at_lateness() {
    auto const all = memory::Box<processor::Histogram, Heap>::create(*m_kernel.heap);
    if (!all) {
        return; // shown as none
    }
    for (u32 id = 0; id < m_kernel.cpus.known(); ++id) {
        if (m_kernel.cpus.is_online({id})) {
            all.value()->add(boot::lateness_of(m_kernel, {id}));
        }
    }
    all.value()->for_each(
        [this](u64 late_ns, u64 count) { m_sample.late[late_step(late_ns)] += count; });
    m_sample.late_p50_ns = all.value()->percentile(500);
    m_sample.late_max_ns = all.value()->max();
}

u8 run_top(boot::CommandContext& context) {
    if (context.kernel.threads == nullptr) {
        context.out.line("there are no threads: this machine has no interrupts or no clock");
        return status::failure;
    }
    auto collector = TopCollector::create(context.kernel);
    if (!collector) {
        context.out.line("top: there is no memory to look with");
        return status::failure;
    }
    if (context.session != nullptr && context.session->is_interactive() && !context.is_piped) {
        return follow(context, collector.value());
    }
    constexpr Nanos once{100'000'000};
    context.kernel.threads->sleep_for(once);
    return print_once(context, collector.value().look());
}

} // namespace twofold::shell
