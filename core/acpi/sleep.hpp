// How the machine is put into a sleeping state: the values that firmware's program, the DSDT, gives
// for it. A program in ACPI's byte code; only the one object that is needed is looked for, nothing
// runs.
#pragma once

#include "core/acpi/tables.hpp"

namespace twofold::acpi {

/// What SLP_TYP takes in the two PM1 control registers for a state.
struct SleepTypes {
    u8 pm1a;
    u8 pm1b;
};

/// The types of soft off (S5), from the object \_S5 of a DSDT (ACPI 6.5, sections 7.4.2
/// and 20.2.5.4). Error::not_found if it names no such object; corrupted if one is there and says
/// no two small numbers. O(length).
Result<SleepTypes> find_soft_off(TableBytes dsdt);

} // namespace twofold::acpi
