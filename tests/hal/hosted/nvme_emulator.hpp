// QEMU's NVMe controller without a guest: memory, registers and configuration space by the protocol
// of its own device tests (qtest), so that what a test does to the hosted model it can do to that.
#pragma once

#include "tests/hal/hosted/nvme_host.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

namespace hosted::test {

class NvmeEmulator final : public NvmeSide {
public:
    /// Of a disk that is there. Not `is_there` afterwards: no emulator could be started.
    explicit NvmeEmulator(std::string const& disk) {
        int to[2], from[2];
        if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) {
            return;
        }
        std::vector<std::string> words = {
            "qemu-system-x86_64",
            "-nodefaults",
            "-display",
            "none",
            "-machine",
            "q35",
            "-accel",
            "tcg",
            "-S", // its processor does nothing
            "-m",
            "16M",
            "-qtest",
            "stdio",
            "-qtest-log",
            "/dev/null",
            "-drive",
            "file=" + disk + ",format=raw,if=none,id=d,discard=unmap",
            "-device",
            "nvme,serial=trace,drive=d,addr=4"};
        std::vector<char*> arguments;
        for (std::string& word : words) {
            arguments.push_back(word.data());
        }
        arguments.push_back(nullptr);
        m_process = fork();
        if (m_process == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL); // it may not outlive a test that hangs
            dup2(to[0], STDIN_FILENO);
            dup2(from[1], STDOUT_FILENO);
            execvp(arguments[0], arguments.data());
            _exit(127);
        }
        close(to[0]);
        close(from[1]);
        m_to = fdopen(to[1], "w");
        m_from = fdopen(from[0], "r");
        if (m_process > 0) {
            configure();
        }
    }
    NvmeEmulator(NvmeEmulator const&) = delete;
    NvmeEmulator& operator=(NvmeEmulator const&) = delete;
    ~NvmeEmulator() override {
        if (m_process > 0) {
            kill(m_process, SIGKILL);
            waitpid(m_process, nullptr, 0);
        }
        fclose(m_to);
        fclose(m_from);
    }
    bool is_there() const { return m_process > 0 && m_is_configured; }

    u32 read_32(u64 offset) override { return number("readl", registers + offset); }
    void write_32(u64 offset, u32 value) override { say("writel", registers + offset, value); }
    void read_memory(u64 at, std::span<std::byte> to) override {
        std::string const text = ask("read " + hex(at) + " " + hex(to.size()));
        for (usize i = 0; i < to.size(); ++i) {
            to[i] = static_cast<std::byte>(std::stoul(text.substr(2 + 2 * i, 2), nullptr, 16));
        }
    }
    void write_memory(u64 at, std::span<std::byte const> from) override {
        constexpr char digits[] = "0123456789abcdef";
        std::string text = "write " + hex(at) + " " + hex(from.size()) + " 0x";
        for (std::byte const byte : from) {
            text += digits[static_cast<u8>(byte) >> 4];
            text += digits[static_cast<u8>(byte) & 0xf];
        }
        ask(text);
    }
    bool step() override {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        return true;
    }

private:
    static constexpr u64 registers = 0xe000'0000;
    static constexpr u32 function = 0x8000'0000 | 4 << 11;

    static std::string hex(u64 value) {
        char text[32];
        std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
        return text;
    }
    /// One request and its answer, without the word before it.
    std::string ask(std::string const& line) {
        std::fprintf(m_to, "%s\n", line.c_str());
        std::fflush(m_to);
        std::string answer;
        for (int letter = std::fgetc(m_from); letter != '\n'; letter = std::fgetc(m_from)) {
            if (letter == EOF) {
                EXPECT_FALSE(m_is_configured) << "the emulator has ended at: " << line;
                return {};
            }
            answer += static_cast<char>(letter);
        }
        EXPECT_EQ(answer.substr(0, 2), "OK") << line << ": " << answer;
        return answer.size() > 3 ? answer.substr(3) : std::string();
    }
    u32 number(char const* what, u64 at) {
        std::string const text = ask(std::string(what) + " " + hex(at));
        return text.empty() ? 0 : static_cast<u32>(std::stoull(text, nullptr, 16));
    }
    void say(char const* what, u64 at, u32 value) {
        ask(std::string(what) + " " + hex(at) + " " + hex(value));
    }
    u32 read_space(u32 offset) {
        say("outl", 0xcf8, function | offset);
        return number("inl", 0xcfc);
    }
    void write_space(u32 offset, u32 value) {
        say("outl", 0xcf8, function | offset);
        say("outl", 0xcfc, value);
    }
    /// Its registers have a place, it may reach memory, and MSI-X is on, with every vector masked.
    void configure() {
        constexpr u32 memory_and_master = 6, msix = 0x11, on_and_masked = 0xc000'0000;
        if (read_space(0x08) >> 8 != nvme::pci_class) {
            return;
        }
        write_space(0x10, registers);
        write_space(0x14, 0);
        write_space(0x04, memory_and_master);
        for (u32 at = read_space(0x34) & 0xfc; at != 0; at = read_space(at) >> 8 & 0xfc) {
            if ((read_space(at) & 0xff) == msix) {
                write_space(at, read_space(at) | on_and_masked);
                m_is_configured = true;
            }
        }
    }

    pid_t m_process = -1;
    FILE* m_to = nullptr;
    FILE* m_from = nullptr;
    bool m_is_configured = false;
};

} // namespace hosted::test
