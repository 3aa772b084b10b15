// A local APIC as the manual describes its registers: what a driver does wrong is a failure of the
// test, what it sends is written down.
//
// Source: SDM volume 3A, chapter 11.
#pragma once

#include "hal/x86_64/devices/local_apic.hpp"

#include <gtest/gtest.h>
#include <map>
#include <vector>

namespace models {

using namespace twofold;
using metal::LocalRegister;

struct LocalApicModel {
    struct Sent {
        u32 id;
        u32 command;
        bool operator==(Sent const&) const = default;
    };

    bool is_extended = false;
    u32 id = 0;
    u32 version = 0x0005'0014;
    std::map<u32, u32> registers;
    std::vector<u8> in_service; ///< most urgent last
    std::vector<Sent> sent;
    u32 finished = 0;         ///< writes to the end-of-interrupt register
    u32 polls_until_sent = 0; ///< how long each command takes
    u32 polls_left = 0;
    u32 errors_gathered = 0; ///< shown by the next write of the error status
    u32 errors_shown = 0;
    std::vector<u32> order; ///< the registers written, one after the other

    bool is_enabled() { return (registers[word(LocalRegister::spurious)] & 0x100) != 0; }

    static u32 word(LocalRegister name) { return static_cast<u32>(name); }

    u32 read(LocalRegister name) {
        u32 const number = word(name);
        if (number >= word(LocalRegister::in_service) &&
            number < word(LocalRegister::in_service) + 8) {
            return bits_in_service(number - word(LocalRegister::in_service));
        }
        switch (name) {
        case LocalRegister::id:
            return is_extended ? id : id << 24;
        case LocalRegister::version:
            return version;
        case LocalRegister::error_status:
            return errors_shown;
        case LocalRegister::command_low:
            EXPECT_FALSE(is_extended) << "there is no delivery status to read";
            polls_left -= polls_left > 0 ? 1 : 0;
            return polls_left > 0 ? metal::local_command::is_being_sent : 0;
        case LocalRegister::end_of_interrupt:
            ADD_FAILURE() << "the register can only be written";
            return 0;
        default:
            return registers[number];
        }
    }

    void write(LocalRegister name, u32 value) {
        order.push_back(word(name));
        switch (name) {
        case LocalRegister::end_of_interrupt:
            EXPECT_EQ(value, 0u); // anything else faults on x2APIC
            ++finished;
            if (!in_service.empty()) {
                in_service.pop_back();
            }
            return;
        case LocalRegister::error_status:
            EXPECT_EQ(value, 0u);
            errors_shown = errors_gathered;
            errors_gathered = 0;
            return;
        case LocalRegister::command_high:
            EXPECT_FALSE(is_extended) << "the register does not exist";
            break;
        case LocalRegister::command_low:
            EXPECT_FALSE(is_extended) << "both halves are written at once";
            EXPECT_EQ(polls_left, 0u) << "a command was still being sent";
            sent.push_back({registers[word(LocalRegister::command_high)] >> 24, value});
            polls_left = polls_until_sent;
            return;
        case LocalRegister::id:
        case LocalRegister::version:
        case LocalRegister::current_count:
            ADD_FAILURE() << "register " << word(name) << " can only be read";
            return;
        default:
            break;
        }
        if (is_vector_entry(name)) {
            // While the controller is disabled its entries stay masked (section 11.4.7.2).
            value |= is_enabled() ? 0 : metal::local_bit::masked;
            bool const is_fixed = (value & 0x700) == 0;
            bool const is_masked = (value & metal::local_bit::masked) != 0;
            EXPECT_TRUE(!is_fixed || is_masked || (value & 0xff) >= 16) << "an illegal vector";
        }
        registers[word(name)] = value;
    }

    void write_command(u64 command) {
        EXPECT_TRUE(is_extended);
        sent.push_back({static_cast<u32>(command >> 32), static_cast<u32>(command)});
    }

private:
    static bool is_vector_entry(LocalRegister name) {
        return name == LocalRegister::timer || name == LocalRegister::performance ||
               name == LocalRegister::input_0 || name == LocalRegister::input_1 ||
               name == LocalRegister::error;
    }
    u32 bits_in_service(u32 index) const {
        u32 bits = 0;
        for (u8 const vector : in_service) {
            bits |= vector / 32u == index ? u32{1} << vector % 32u : 0;
        }
        return bits;
    }
};

/// The two ways to a model, as the driver knows them.
struct XapicRegisters {
    static constexpr bool is_extended = false;
    LocalApicModel* model;

    u32 read(LocalRegister name) { return model->read(name); }
    void write(LocalRegister name, u32 value) { model->write(name, value); }
    void write_command(u64) { ADD_FAILURE() << "there is no such register"; }
};
struct X2apicRegisters {
    static constexpr bool is_extended = true;
    LocalApicModel* model;

    u32 read(LocalRegister name) { return model->read(name); }
    void write(LocalRegister name, u32 value) { model->write(name, value); }
    void write_command(u64 command) { model->write_command(command); }
};

} // namespace models
