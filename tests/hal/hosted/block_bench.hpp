// A block device on a bench (device_bench.hpp), and short names for what is asked of it.
#pragma once

#include "hal/hosted/sim/devices/block_device.hpp"
#include "tests/hal/hosted/device_bench.hpp"

namespace hosted::test {

struct BlockBench {
    explicit BlockBench(BlockConfig const& config) : device(config), bench(device) {
        bench.start();
    }

    /// A sector of one letter.
    SectorBytes sector_of(char letter) const {
        return SectorBytes(device.config().sector_bytes, static_cast<std::byte>(letter));
    }
    /// Fills a buffer with sectors of these letters and asks for it to be written.
    void submit_write(u64 sector, std::string_view letters, u8 flags = 0, u32 token = 0) {
        u64 const bytes = device.config().sector_bytes;
        u64 const buffer = DeviceBench::buffers + token * 0x4000;
        for (u64 i = 0; i < letters.size(); ++i) {
            std::ranges::fill(
                bench.memory(buffer + i * bytes, bytes), static_cast<std::byte>(letters[i]));
        }
        bench.submit(
            {.operation = static_cast<u8>(block::Operation::write),
             .flags = flags,
             .token = token,
             .target = sector,
             .count = static_cast<u32>(letters.size()),
             .buffer = buffer});
    }
    u16 write(u64 sector, std::string_view letters, u8 flags = 0) {
        submit_write(sector, letters, flags);
        return only_status();
    }
    u16 flush() {
        bench.submit({.operation = static_cast<u8>(block::Operation::flush)});
        return only_status();
    }
    /// The status, and the bytes by their letters where each sector has one.
    u16 read(u64 sector, u32 count, std::string& letters) {
        u64 const bytes = device.config().sector_bytes;
        bench.submit(
            {.operation = static_cast<u8>(block::Operation::read),
             .target = sector,
             .count = count,
             .buffer = DeviceBench::buffers});
        u16 const status = only_status();
        letters.clear();
        for (u64 i = 0; i < count; ++i) {
            letters += letter_of(bench.memory(DeviceBench::buffers + i * bytes, bytes));
        }
        return status;
    }
    std::string read(u64 sector, u32 count) {
        std::string letters;
        u16 const status = read(sector, count, letters);
        return status == ring::status_done ? letters : "status " + std::to_string(status);
    }
    /// What lies on the medium, without the cache; '?': mixed, '.': zeros.
    std::string on_medium(u64 sector, u32 count) const {
        std::string letters;
        for (u64 i = 0; i < count; ++i) {
            letters += letter_of(device.medium().read(sector + i));
        }
        return letters;
    }
    static char letter_of(std::span<std::byte const> bytes) {
        bool const is_one = std::ranges::all_of(bytes, [&](std::byte b) { return b == bytes[0]; });
        return !is_one ? '?' : bytes[0] == std::byte{} ? '.' : static_cast<char>(bytes[0]);
    }
    u16 only_status() {
        bench.run();
        auto const all = bench.take();
        EXPECT_EQ(all.size(), 1u);
        return all.empty() ? 0xffff : all.front().status;
    }
    void cut_power() {
        bench.switch_on();
        bench.start();
    }

    BlockDevice device;
    DeviceBench bench;
};

} // namespace hosted::test
