// What CPUID says, decoded into hal::CpuDescription, and the numbers and names of the features that
// the kernel knows. The decoding is pure: leaves in, a description out.
//
// Source: SDM volume 2A, CPUID; AMD64 Architecture Programmer's Manual volume 3, appendix E.
#pragma once

#include "hal/cpu_types.hpp"

#include <string_view>

namespace isa {

using namespace twofold;

/// One answer of CPUID.
struct CpuidLeaf {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
};

/// The answers that a description needs; a leaf that the processor does not have is all zero.
struct CpuidLeaves {
    CpuidLeaf basic;             ///< leaf 0: highest basic leaf, vendor
    CpuidLeaf version;           ///< leaf 1
    CpuidLeaf structured;        ///< leaf 7, subleaf 0
    CpuidLeaf extended;          ///< leaf 0x8000'0000: highest extended leaf
    CpuidLeaf extended_features; ///< leaf 0x8000'0001
    CpuidLeaf brand[3];          ///< leaves 0x8000'0002 to 4
    CpuidLeaf power;             ///< leaf 0x8000'0007
    CpuidLeaf address_sizes;     ///< leaf 0x8000'0008
};

/// The features by number: bit n of CpuDescription::features. Numbers are stable; add at the end.
// clang-format off
enum class Feature : u8 {
    tsc, msr, apic, pge, pat, clflush, fxsr, sse, sse2, sse3, pclmulqdq, monitor, ssse3, fma, cx16,
    pcid, sse4_1, sse4_2, x2apic, movbe, popcnt, tsc_deadline, aes, xsave, avx, f16c, rdrand,
    hypervisor, fsgsbase, bmi1, avx2, smep, bmi2, erms, invpcid, avx512f, rdseed, adx, smap,
    clflushopt, clwb, sha, umip, pku, la57, rdpid, fsrm, cet_ss, cet_ibt, syscall, nx, pdpe1gb,
    rdtscp, long_mode, invariant_tsc, pse, clzero,
};
// clang-format on
inline constexpr unsigned feature_count = 57;
static_assert(static_cast<unsigned>(Feature::clzero) + 1 == feature_count && feature_count <= 64);

/// The stable name of a feature, as /proc/cpuinfo and the manuals spell it; empty past the last.
/// O(1).
std::string_view feature_name(unsigned number);

/// Whether `description` has `feature`. O(1).
constexpr bool has(hal::CpuDescription const& description, Feature feature) {
    return (description.features >> static_cast<unsigned>(feature) & 1) != 0;
}

/// Decodes the leaves. Pure. O(features).
hal::CpuDescription decode(CpuidLeaves const& leaves);

/// Bits of a physical address. Pure.
constexpr unsigned physical_address_bits(CpuidLeaves const& leaves) {
    unsigned const bits = leaves.address_sizes.eax & 0xff;
    return bits < 32 || bits > 52 ? 36 : bits;
}

/// Executes CPUID. Any context; O(1), though a hypervisor may take long.
CpuidLeaf cpuid(u32 leaf, u32 subleaf);

/// Reads what `decode` needs from the processor that runs the caller.
CpuidLeaves read_cpuid();

} // namespace isa
