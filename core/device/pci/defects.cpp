// See defects.hpp.
#include "core/device/pci/defects.hpp"

namespace twofold::pci {

std::string_view defect_name(Defect defect) {
    constexpr std::string_view names[] = {"header_unknown",        "decoding_stuck",
                                          "bar_inconsistent",      "bar_reserved_kind",
                                          "bar_without_partner",   "bar_size_odd",
                                          "bar_size_absurd",       "bar_outside",
                                          "bar_not_restored",      "capability_outside",
                                          "capability_loop",       "capability_absent",
                                          "capabilities_many",     "extended_outside",
                                          "extended_loop",         "extended_absent",
                                          "msi_malformed",         "msix_malformed",
                                          "msix_bar_missing",      "msix_outside_bar",
                                          "msix_overlap",          "bridge_points_at_itself",
                                          "bridge_primary_wrong",  "bridge_reversed",
                                          "bridge_outside_parent", "bridge_bus_taken",
                                          "bridge_without_number", "bridge_stuck",
                                          "bridges_many"};
    static_assert(std::size(names) == defect_count);
    auto const index = static_cast<usize>(defect);
    return index < defect_count ? names[index] : "unknown_defect";
}

} // namespace twofold::pci
