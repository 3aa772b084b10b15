// PCI: the base addresses of functions of a model. They are read as they were defined, nothing
// moves while the function decodes, and everything is afterwards as it was.
#include "apps/scenarios/pci_model.hpp"
#include "apps/workloads/rooms.hpp"

namespace twofold::workloads {

namespace {

class PciWorkload {
public:
    explicit PciWorkload(Run& run) : m_mutex(run.task_threads().locks(), "pci") {}
    PciWorkload(PciWorkload const&) = delete;
    PciWorkload& operator=(PciWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    void perform(Step& step) {
        task::MutexGuard const guard(m_mutex); // there is one model
        scenarios::PciModelFunction& function = m_functions[0];
        function = {};
        function.begin(0x0001'2f0d, 0x010802);
        FixedVector<pci::Bar, pci::bars_max> defined;
        for (u8 number = 0; number < 6; ++number) {
            number = static_cast<u8>(number + define(step, function, number, defined));
        }
        scenarios::PciModel model(m_functions);
        pci::FunctionSpace const space(pci::Configuration::of(model), {});
        pci::Defects defects;
        pci::Bars const bars = pci::read_bars(space, pci::HeaderKind::endpoint, defects);
        step.equal("registers moved while the function decodes", 0, model.writes_while_decoding);
        step.equal("base addresses", defined.size(), bars.size());
        for (usize i = 0; i < std::min(defined.size(), bars.size()); ++i) {
            step.equal("number of a register", defined[i].number, bars[i].number);
            step.equal("its address", defined[i].address, bars[i].address);
            step.equal("its size", defined[i].size.value, bars[i].size.value);
            step.equal(
                "its kind", pci::bar_kind_name(defined[i].kind), pci::bar_kind_name(bars[i].kind));
        }
        step.equal("the command afterwards", 3, function.peek(0x04, 2));
    }

    static void end(Check&) {}

private:
    /// One register, or two; returns how many more than one it takes up.
    static u8 define(
        Step& step,
        scenarios::PciModelFunction& function,
        u8 number,
        FixedVector<pci::Bar, pci::bars_max>& defined) {
        u32 const offset = 0x10 + 4u * number;
        u64 const size = u64{1} << (12 + step.random.below(12));
        u64 const what = step.random.below(4);
        u64 const address = size * (1 + step.random.below(100));
        if (what == 0 || (what == 1 && number == 5)) {
            return 0; // none
        }
        pci::Bar bar{.number = number, .address = address, .size = Bytes{size}};
        if (what == 1) {
            bar.kind = pci::BarKind::memory_64;
            function.define(offset, 8, address | 4, ~(size - 1));
        } else if (what == 2) {
            bar.kind = pci::BarKind::memory_32;
            function.define(offset, 4, address, ~(size - 1));
        } else {
            bar.kind = pci::BarKind::io;
            bar.address = 0x1000;
            bar.size = Bytes{32};
            function.define(offset, 4, 0x1001, 0xffe0);
        }
        defined.push_back(bar).value(); // six at most
        return what == 1 ? 1 : 0;
    }

    task::Mutex<task::KernelThreads> m_mutex;
    scenarios::PciModelFunction m_functions[1];
};

} // namespace

constinit Workload const pci_workload = workload_of<PciWorkload>(
    {.name = "pci",
     .about = "base addresses of functions of a model",
     .operations = 32,
     .cpus = 1,
     .threads = 1});

} // namespace twofold::workloads
