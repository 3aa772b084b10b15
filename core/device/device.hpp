// device: what is connected to the machine: the PCI bus, and drivers of what is on it. Block
// devices are what block/device.hpp says, whatever drives them.
//
//     pci::Inventory<Heap> inventory(heap);
//     pci::Enumeration walk(pci::Configuration::of(access), inventory.store());
//     TRY(walk.run({.segment = 0, .first = 0, .last = 255}));
//     for (pci::Function const& function : inventory.functions()) { ... }
//
// Invariants: configuration space is hostile data. Every pointer found there is checked before it
// is followed and visited once, every loop ends by a named bound, base addresses are sized with
// decoding off and are as before afterwards. What is wrong with a device is kept beside it by name
// (pci/defects.hpp) and keeps nothing else from being found.
#pragma once

#include "core/device/pci/address_text.hpp"
#include "core/device/pci/assignment.hpp"
#include "core/device/pci/bars.hpp"
#include "core/device/pci/capabilities.hpp"
#include "core/device/pci/configuration.hpp"
#include "core/device/pci/defects.hpp"
#include "core/device/pci/enumeration.hpp"
#include "core/device/pci/header.hpp"
#include "core/device/pci/inventory.hpp"
#include "core/device/pci/messages.hpp"
#include "core/device/pci/msix_table.hpp"
#include "core/device/pci/names.hpp"
#include "core/device/pci/slot.hpp"
