// The GS base of this thread: where kernel code finds its virtual CPU.
#pragma once

#include "core/base/integers.hpp"

#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hosted {

using namespace twofold;

/// Points GS at something as long as it lives, and back afterwards. A few instructions where the
/// host lets programs write the register themselves, else a system call.
class GsBase {
public:
    explicit GsBase(void* base) : m_before(read()) { write(reinterpret_cast<u64>(base)); }
    GsBase(GsBase const&) = delete;
    GsBase& operator=(GsBase const&) = delete;
    ~GsBase() { write(m_before); }

    /// Something else from now on.
    void turn_to(void* base) { write(reinterpret_cast<u64>(base)); }

private:
    static bool has_instructions() {
        constexpr unsigned long fsgsbase = 2; // HWCAP2_FSGSBASE
        static bool const has = (getauxval(AT_HWCAP2) & fsgsbase) != 0;
        return has;
    }
    static u64 read() {
        u64 base = 0;
        if (has_instructions()) {
            asm volatile("rdgsbase %0" : "=r"(base));
        } else {
            syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
        }
        return base;
    }
    static void write(u64 base) {
        if (has_instructions()) {
            asm volatile("wrgsbase %0" ::"r"(base) : "memory");
        } else {
            syscall(SYS_arch_prctl, ARCH_SET_GS, base);
        }
    }

    u64 m_before;
};

} // namespace hosted
