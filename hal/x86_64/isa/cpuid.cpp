// CPUID: reading and decoding. See isa/cpuid.hpp.
#include "isa/cpuid.hpp"

namespace isa {

namespace {

enum class Word : u8 {
    version_ecx,
    version_edx,
    structured_ebx,
    structured_ecx,
    structured_edx,
    extended_ecx,
    extended_edx,
    power_edx,
    sizes_ebx
};

struct FeatureFact {
    std::string_view name;
    Word word;
    u8 bit;
};

// In the order of Feature.
constexpr FeatureFact feature_facts[] = {
    {"tsc", Word::version_edx, 4},         {"msr", Word::version_edx, 5},
    {"apic", Word::version_edx, 9},        {"pge", Word::version_edx, 13},
    {"pat", Word::version_edx, 16},        {"clflush", Word::version_edx, 19},
    {"fxsr", Word::version_edx, 24},       {"sse", Word::version_edx, 25},
    {"sse2", Word::version_edx, 26},       {"sse3", Word::version_ecx, 0},
    {"pclmulqdq", Word::version_ecx, 1},   {"monitor", Word::version_ecx, 3},
    {"ssse3", Word::version_ecx, 9},       {"fma", Word::version_ecx, 12},
    {"cx16", Word::version_ecx, 13},       {"pcid", Word::version_ecx, 17},
    {"sse4_1", Word::version_ecx, 19},     {"sse4_2", Word::version_ecx, 20},
    {"x2apic", Word::version_ecx, 21},     {"movbe", Word::version_ecx, 22},
    {"popcnt", Word::version_ecx, 23},     {"tsc_deadline", Word::version_ecx, 24},
    {"aes", Word::version_ecx, 25},        {"xsave", Word::version_ecx, 26},
    {"avx", Word::version_ecx, 28},        {"f16c", Word::version_ecx, 29},
    {"rdrand", Word::version_ecx, 30},     {"hypervisor", Word::version_ecx, 31},
    {"fsgsbase", Word::structured_ebx, 0}, {"bmi1", Word::structured_ebx, 3},
    {"avx2", Word::structured_ebx, 5},     {"smep", Word::structured_ebx, 7},
    {"bmi2", Word::structured_ebx, 8},     {"erms", Word::structured_ebx, 9},
    {"invpcid", Word::structured_ebx, 10}, {"avx512f", Word::structured_ebx, 16},
    {"rdseed", Word::structured_ebx, 18},  {"adx", Word::structured_ebx, 19},
    {"smap", Word::structured_ebx, 20},    {"clflushopt", Word::structured_ebx, 23},
    {"clwb", Word::structured_ebx, 24},    {"sha", Word::structured_ebx, 29},
    {"umip", Word::structured_ecx, 2},     {"pku", Word::structured_ecx, 3},
    {"la57", Word::structured_ecx, 16},    {"rdpid", Word::structured_ecx, 22},
    {"fsrm", Word::structured_edx, 4},     {"cet_ss", Word::structured_ecx, 7},
    {"cet_ibt", Word::structured_edx, 20}, {"syscall", Word::extended_edx, 11},
    {"nx", Word::extended_edx, 20},        {"pdpe1gb", Word::extended_edx, 26},
    {"rdtscp", Word::extended_edx, 27},    {"long_mode", Word::extended_edx, 29},
    {"invariant_tsc", Word::power_edx, 8}, {"pse", Word::version_edx, 3},
    {"clzero", Word::sizes_ebx, 0},
};
static_assert(sizeof(feature_facts) / sizeof(feature_facts[0]) == feature_count);

u32 word_of(CpuidLeaves const& leaves, Word word) {
    switch (word) {
    case Word::version_ecx:
        return leaves.version.ecx;
    case Word::version_edx:
        return leaves.version.edx;
    case Word::structured_ebx:
        return leaves.structured.ebx;
    case Word::structured_ecx:
        return leaves.structured.ecx;
    case Word::structured_edx:
        return leaves.structured.edx;
    case Word::extended_ecx:
        return leaves.extended_features.ecx;
    case Word::extended_edx:
        return leaves.extended_features.edx;
    case Word::power_edx:
        return leaves.power.edx;
    case Word::sizes_ebx:
        return leaves.address_sizes.ebx;
    }
    UNREACHABLE();
}

void put_letters(char* out, u32 word) {
    for (unsigned byte = 0; byte < 4; ++byte) {
        out[byte] = static_cast<char>(word >> (8 * byte) & 0xff);
    }
}

void decode_identity(CpuidLeaves const& leaves, hal::CpuDescription& description) {
    put_letters(description.vendor, leaves.basic.ebx);
    put_letters(description.vendor + 4, leaves.basic.edx);
    put_letters(description.vendor + 8, leaves.basic.ecx);

    char brand[48];
    for (unsigned part = 0; part < 3; ++part) {
        CpuidLeaf const& leaf = leaves.brand[part];
        put_letters(brand + 16 * part, leaf.eax);
        put_letters(brand + 16 * part + 4, leaf.ebx);
        put_letters(brand + 16 * part + 8, leaf.ecx);
        put_letters(brand + 16 * part + 12, leaf.edx);
    }
    // Intel pads the brand with blanks in front, others behind.
    usize first = 0;
    while (first < sizeof(brand) && brand[first] == ' ') {
        ++first;
    }
    usize length = 0;
    for (usize at = first; at < sizeof(brand) && brand[at] != '\0'; ++at) {
        description.model[length++] = brand[at];
    }
    while (length > 0 && description.model[length - 1] == ' ') {
        description.model[--length] = '\0';
    }
    CHECK(length < sizeof(description.model));
}

} // namespace

std::string_view feature_name(unsigned number) {
    return number < feature_count ? feature_facts[number].name : std::string_view{};
}

hal::CpuDescription decode(CpuidLeaves const& leaves) {
    hal::CpuDescription description{};
    decode_identity(leaves, description);

    u32 const version = leaves.version.eax;
    u32 const base_family = version >> 8 & 0xf;
    u32 const base_model = version >> 4 & 0xf;
    description.stepping = version & 0xf;
    description.family = base_family == 0xf ? base_family + (version >> 20 & 0xff) : base_family;
    bool const has_extended_model = base_family == 0x6 || base_family == 0xf;
    description.model_number =
        has_extended_model ? base_model + (version >> 12 & 0xf0) : base_model;

    for (unsigned number = 0; number < feature_count; ++number) {
        FeatureFact const& fact = feature_facts[number];
        u64 const present = word_of(leaves, fact.word) >> fact.bit & 1;
        description.features |= present << number;
    }
    return description;
}

CpuidLeaf cpuid(u32 leaf, u32 subleaf) {
    CpuidLeaf answer;
    asm volatile("cpuid"
                 : "=a"(answer.eax), "=b"(answer.ebx), "=c"(answer.ecx), "=d"(answer.edx)
                 : "a"(leaf), "c"(subleaf));
    return answer;
}

CpuidLeaves read_cpuid() {
    CpuidLeaves leaves;
    leaves.basic = cpuid(0, 0);
    u32 const highest = leaves.basic.eax;
    leaves.version = highest >= 1 ? cpuid(1, 0) : CpuidLeaf{};
    leaves.structured = highest >= 7 ? cpuid(7, 0) : CpuidLeaf{};
    leaves.extended = cpuid(0x8000'0000, 0);
    u32 const highest_extended = leaves.extended.eax;
    auto const extended = [highest_extended](u32 leaf) {
        return highest_extended >= leaf ? cpuid(leaf, 0) : CpuidLeaf{};
    };
    leaves.extended_features = extended(0x8000'0001);
    for (u32 part = 0; part < 3; ++part) {
        leaves.brand[part] = extended(0x8000'0002 + part);
    }
    leaves.power = extended(0x8000'0007);
    leaves.address_sizes = extended(0x8000'0008);
    return leaves;
}

} // namespace isa
