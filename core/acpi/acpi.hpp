// acpi: a reader for the tables that firmware leaves in memory. Pure: it reaches physical memory
// only through a PhysicalReader that the caller injects, keeps no state and allocates nothing.
//
//     acpi::Tables const tables = TRY(acpi::Tables::open(reader, rsdp));
//     acpi::Madt const madt = TRY(acpi::parse_madt(TRY(tables.find(acpi::madt_signature))));
//     madt.visit([](acpi::Processor const& processor) { ... });
//
// Invariants: tables are hostile data. Every length is checked before it is used and every loop
// ends by a named bound, so the worst that a table can do is Error::corrupted.
//
// Source: ACPI Specification 6.5, chapter 5; section numbers stand beside each table. MCFG: PCI
// Firmware Specification 3.3, section 4.1.2. HPET: IA-PC HPET Specification 1.0a, section 3.2.4.
#pragma once

#include "core/acpi/madt.hpp"
#include "core/acpi/platform.hpp"
#include "core/acpi/sleep.hpp"
#include "core/acpi/srat.hpp"
#include "core/acpi/tables.hpp"
#include "core/acpi/virtio_mmio.hpp"
