// The values that the contracts of hal/interrupt.hpp and hal/controller.hpp speak of.
#pragma once

#include "hal/cpu_types.hpp"

namespace hal {

using namespace twofold;

/// The interrupt flag as it was before a `disable`.
enum class InterruptState : u8 { disabled, enabled };

/// The number by which an interrupt arrives at a processor.
struct Vector {
    u8 value = 0;
    constexpr auto operator<=>(Vector const&) const = default;
};

/// A run of vectors.
struct VectorRange {
    Vector first;
    u32 count = 0;

    constexpr bool contains(Vector vector) const {
        return static_cast<u32>(vector.value) - first.value < count;
    }
};

/// A line into the machine's interrupt controllers (on a PC: a global system interrupt).
struct Line {
    u32 value = 0;
    constexpr auto operator<=>(Line const&) const = default;
};

enum class Trigger : u8 { edge, level };
enum class Polarity : u8 { high, low };

/// A line and how it is driven, wherever it leads.
struct LineInput {
    Line line;
    Trigger trigger = Trigger::edge;
    Polarity polarity = Polarity::high;
};

/// Where a line leads, and how it is driven.
struct Route {
    Vector vector;
    CpuId target;
    Trigger trigger = Trigger::edge;
    Polarity polarity = Polarity::high;
};

/// What a device writes, and where, to raise a vector on a processor (MSI).
struct Message {
    PhysAddr address;
    u32 data = 0;
};

/// How firmware describes the machine's interrupt controllers.
struct InterruptPlan {
    static constexpr usize io_controllers_max = 16;
    static constexpr usize local_inputs_max = 16;
    /// A controller of lines: where its registers are mapped, uncached, and its first line.
    struct IoController {
        VirtAddr view;
        u32 first_line = 0;
    };
    /// A local input that is a non-maskable interrupt, on one processor or on all.
    struct LocalNonMaskable {
        static constexpr u32 all_processors = ~u32{0};
        u32 processor = all_processors; ///< a CpuId
        u8 input = 0;
        Trigger trigger = Trigger::edge;
        Polarity polarity = Polarity::high;
    };

    VirtAddr
        local; ///< registers of each processor's own controller, mapped uncached; 0: by other means
    IoController io[io_controllers_max]{};
    u32 io_count = 0;
    /// Where the first serial port's interrupt arrives (legacy interrupt 4), for a machine whose
    /// console that is: its input ends Cpu::idle. The machine routes this line by itself.
    LineInput console{.line = {4}};
    LocalNonMaskable non_maskable[local_inputs_max]{};
    u32 non_maskable_count = 0;
};

/// An interrupt as it arrives.
struct Interruption {
    Vector vector;
    StackFrame frame; ///< what was interrupted
};

} // namespace hal
