// See names.hpp.
#include "core/device/pci/names.hpp"

namespace twofold::pci {

namespace {

struct Name {
    u16 number;
    std::string_view text;
};

template<usize Count>
std::string_view find(Name const (&names)[Count], u16 number) {
    for (Name const& each : names) {
        if (each.number == number) {
            return each.text;
        }
    }
    return {};
}

constexpr Name classes[] = {
    {0x0100, "SCSI controller"},
    {0x0101, "IDE controller"},
    {0x0106, "SATA controller"},
    {0x0107, "SAS controller"},
    {0x0108, "NVM controller"},
    {0x0200, "Ethernet controller"},
    {0x0280, "network controller"},
    {0x0300, "VGA controller"},
    {0x0302, "3D controller"},
    {0x0380, "display controller"},
    {0x0400, "video device"},
    {0x0401, "audio device"},
    {0x0403, "HD audio device"},
    {0x0500, "RAM controller"},
    {0x0600, "host bridge"},
    {0x0601, "ISA bridge"},
    {0x0604, "PCI bridge"},
    {0x0607, "CardBus bridge"},
    {0x0680, "bridge"},
    {0x0700, "serial controller"},
    {0x0780, "communication device"},
    {0x0805, "SD host controller"},
    {0x0806, "IOMMU"},
    {0x0880, "system peripheral"},
    {0x0900, "keyboard controller"},
    {0x0980, "input device"},
    {0x0c03, "USB controller"},
    {0x0c05, "SMBus"},
    {0x1000, "network encryption"},
    {0x1180, "signal processor"}};

constexpr Name base_classes[] = {
    {0x00, "unclassified device"},
    {0x01, "mass storage"},
    {0x02, "network"},
    {0x03, "display"},
    {0x04, "multimedia"},
    {0x05, "memory"},
    {0x06, "bridge"},
    {0x07, "communication"},
    {0x08, "system peripheral"},
    {0x09, "input"},
    {0x0a, "docking station"},
    {0x0b, "processor"},
    {0x0c, "serial bus"},
    {0x0d, "wireless"},
    {0x0e, "intelligent I/O"},
    {0x0f, "satellite"},
    {0x10, "encryption"},
    {0x11, "signal processing"},
    {0x12, "accelerator"},
    {0x13, "instrumentation"},
    {0xff, "unassigned class"}};

constexpr Name classic[] = {
    {0x00, "null"},
    {0x01, "power management"},
    {0x02, "AGP"},
    {0x03, "vital product"},
    {0x04, "slot"},
    {0x05, "MSI"},
    {0x06, "hot swap"},
    {0x07, "PCI-X"},
    {0x08, "HyperTransport"},
    {0x09, "vendor"},
    {0x0a, "debug port"},
    {0x0c, "hot plug"},
    {0x0d, "subsystem"},
    {0x0e, "AGP 8x"},
    {0x0f, "secure device"},
    {0x10, "PCI Express"},
    {0x11, "MSI-X"},
    {0x12, "SATA"},
    {0x13, "advanced features"},
    {0x14, "enhanced allocation"}};

constexpr Name extended[] = {
    {0x0000, "null"},
    {0x0001, "error reporting"},
    {0x0002, "virtual channel"},
    {0x0003, "serial number"},
    {0x0004, "power budgeting"},
    {0x0005, "root complex links"},
    {0x000b, "vendor"},
    {0x000d, "access control"},
    {0x000e, "routing ID"},
    {0x000f, "translation services"},
    {0x0010, "SR-IOV"},
    {0x0013, "page requests"},
    {0x0015, "resizable BAR"},
    {0x0017, "TPH requester"},
    {0x0018, "latency tolerance"},
    {0x0019, "secondary PCI Express"},
    {0x001b, "process address space ID"},
    {0x001e, "L1 substates"},
    {0x0023, "vendor"},
    {0x0025, "data link feature"},
    {0x0026, "16 GT/s"},
    {0x0027, "lane margining"}};

} // namespace

std::string_view class_name(u8 base_class, u8 subclass) {
    auto const name = find(classes, static_cast<u16>(base_class << 8 | subclass));
    return name.empty() ? find(base_classes, base_class) : name;
}

std::string_view capability_name(Capability const& capability) {
    return capability.is_extended() ? find(extended, capability.id) : find(classic, capability.id);
}

} // namespace twofold::pci
