// See report.hpp.
#include "hal/hosted/report.hpp"

#include "core/trace/symbols.hpp"

#include <isa/context.hpp>

#include <csignal>
#include <cstring>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace hosted {

namespace {

/// Asks the host to copy the word, which answers instead of faulting.
std::optional<u64> read_host_word(u64 address) {
    u64 word = 0;
    iovec const to{&word, sizeof(word)};
    iovec const from{reinterpret_cast<void*>(address), sizeof(word)};
    long const got = syscall(SYS_process_vm_readv, getpid(), &to, 1, &from, 1, 0);
    return got == static_cast<long>(sizeof(word)) ? std::optional(word) : std::nullopt;
}

/// Names code addresses as far as the image's symbols go.
class Names {
public:
    explicit Names(Image const& image) : m_image(image) {
        if (auto table = trace::SymbolTable::open(image.symbols)) {
            m_table = table.value();
        }
    }

    /// One line for the instruction at `address`. A `caller` continues behind its call, which may
    /// be the last instruction of its function.
    void write(Output const& out, u64 address, bool caller) const {
        u64 const offset = address - m_image.base - (caller ? 1 : 0);
        format_to(out, "  {:#018x}  ", address);
        auto const symbol = m_table ? m_table->find(offset) : std::nullopt;
        if (offset >= m_image.size) {
            out.write("in a library\n");
        } else if (symbol) {
            format_to(out, "{}+{:#x}\n", symbol->name, symbol->offset + (caller ? 1 : 0));
        } else {
            format_to(out, "image+{:#x}\n", offset);
        }
    }

private:
    Image const& m_image;
    std::optional<trace::SymbolTable> m_table;
};

} // namespace

std::optional<u64> WordReader::operator()(u64 address) const {
    if (address % sizeof(u64) != 0) {
        return std::nullopt;
    }
    if (mmu == nullptr || !mmu->covers(address)) {
        return read_host_word(address);
    }
    Walk const walk = mmu->walk(root, address);
    if (walk.outcome != Walk::Outcome::mapped) {
        return std::nullopt;
    }
    u64 word = 0;
    std::memcpy(&word, mmu->memory().base + walk.address.value, sizeof(word));
    return word;
}

ExecutionPoint interrupted_point(ucontext_t const& context) {
    auto const& registers = context.uc_mcontext.gregs;
    return {static_cast<u64>(registers[REG_RIP]), static_cast<u64>(registers[REG_RBP])};
}

std::optional<ExecutionPoint> suspended_point(WordReader const& read, u64 stack_pointer) {
    auto const frame_pointer = read(stack_pointer + offsetof(isa::SwitchFrame, rbp));
    auto const instruction = read(stack_pointer + offsetof(isa::SwitchFrame, instruction));
    if (!frame_pointer || !instruction) {
        return std::nullopt;
    }
    return ExecutionPoint{*instruction, *frame_pointer};
}

void write_backtrace(
    Output const& out, Image const& image, WordReader const& read, ExecutionPoint point) {
    Names const names(image);
    for (usize depth = 0; depth < backtrace_frames_max; ++depth) {
        names.write(out, point.instruction, depth > 0);
        auto const above = read(point.frame_pointer);
        auto const caller = read(point.frame_pointer + sizeof(u64));
        if (!above || !caller || *caller == 0) {
            return;
        }
        // A chain leads upwards; only where stacks change may it not, and there it ends.
        if (*above != 0 && *above <= point.frame_pointer) {
            return;
        }
        point = {*caller, *above};
    }
    out.write("  ... the stack is deeper\n");
}

std::string_view signal_name(int signal) {
    switch (signal) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGILL:
        return "SIGILL";
    case SIGFPE:
        return "SIGFPE";
    case SIGTRAP:
        return "SIGTRAP";
    case SIGABRT:
        return "SIGABRT";
    default:
        return "signal";
    }
}

} // namespace hosted
