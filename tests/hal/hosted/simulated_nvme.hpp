// A controller with one simulated medium on a bench (nvme_bench.hpp), and short names for what is
// asked of it: blocks of one letter each.
#pragma once

#include "hal/hosted/sim/devices/simulated_medium.hpp"
#include "tests/hal/hosted/nvme_bench.hpp"

#include <string>
#include <string_view>

namespace hosted::test {

class SimulatedNvme {
public:
    explicit SimulatedNvme(SimulatedMediumConfig const& wanted)
        : disk(std::make_shared<SimulatedMedium>(wanted)), m_block_bytes(wanted.block_bytes) {
        open();
    }

    void open() {
        EXPECT_TRUE(host.enable());
        EXPECT_TRUE(host.open_queue(1));
    }
    void cut_power() {
        bench.switch_on();
        open();
    }
    void plan(DeviceFault fault, std::vector<u64> at = {1}, u64 amount = 0) {
        bench.simulated.plan(fault, std::move(at), amount);
    }
    u64 fired(DeviceFault fault) const { return bench.simulated.fired(fault); }
    u64 now_ns() const { return bench.simulated.now_ns; }
    BlockMedium& medium() const { return disk->cached().medium(); }
    usize cached_writes() const { return disk->cached().cached_writes(); }

    /// At most two pages of them.
    u16 write(u64 block, std::string_view letters, u32 more = 0) {
        fill(letters);
        return host.io_status(write_command(block, letters, more));
    }
    /// The command's number; it is not waited for.
    u16 submit_write(u64 block, std::string_view letters) {
        fill(letters);
        return host.submit(1, write_command(block, letters, 0));
    }
    u16 flush() { return host.io_status(io_command(nvme::Opcode::flush)); }
    void write_and_flush(u64 block, std::string_view letters) {
        EXPECT_EQ(write(block, letters), 0);
        EXPECT_EQ(flush(), 0);
    }
    /// The letters of blocks; '.' for zeros, '#' for ones, '?' for what is mixed; or the status.
    std::string read(u64 block, u32 count) {
        host.fill(data_at, u64{count} * m_block_bytes, 0x7e);
        u16 const answer = host.io_status(io_command(nvme::Opcode::read, block, count));
        if (answer != 0) {
            return "status " + std::to_string(answer);
        }
        std::string letters;
        for (u64 i = 0; i < count; ++i) {
            letters += letter_of(host.bytes(data_at + i * m_block_bytes, m_block_bytes));
        }
        return letters;
    }
    /// What lies there without the cache.
    std::string on_medium(u64 block, u32 count) const {
        std::string letters;
        for (u64 i = 0; i < count; ++i) {
            letters += letter_of(medium().read(block + i));
        }
        return letters;
    }
    static char letter_of(std::span<std::byte const> bytes) {
        bool const is_one = std::ranges::all_of(bytes, [&](std::byte b) { return b == bytes[0]; });
        return !is_one                      ? '?'
               : bytes[0] == std::byte{}    ? '.'
               : bytes[0] == std::byte{255} ? '#'
                                            : static_cast<char>(bytes[0]);
    }

    std::shared_ptr<SimulatedMedium> disk;
    NvmeBench bench{{.media = {disk}, .serial = "sim"}};
    NvmeHost& host = bench.host;

private:
    static nvme::Command write_command(u64 block, std::string_view letters, u32 more) {
        nvme::Command command =
            io_command(nvme::Opcode::write, block, static_cast<u32>(letters.size()));
        command.word12 |= more;
        return command;
    }
    void fill(std::string_view letters) {
        for (u64 i = 0; i < letters.size(); ++i) {
            host.fill(data_at + i * m_block_bytes, m_block_bytes, static_cast<u8>(letters[i]));
        }
    }

    u32 m_block_bytes;
};

} // namespace hosted::test
