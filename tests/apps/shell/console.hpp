// A line editor on a terminal of core/text, and what people do with it, for tests.
#pragma once

#include "apps/shell/line_editor.hpp"
#include "tests/core/text/screens.hpp"

#include <string>
#include <vector>

namespace twofold::shell::testing {

using text::ScreenSize;

/// Blocks of the host's heap, which can be made to run out.
class LimitedAllocator : public text::testing::HostAllocator {
public:
    Result<std::byte*> allocate(Bytes size, Bytes alignment) {
        if (m_left == 0) {
            ++m_refused;
            return Error::out_of_memory;
        }
        m_left -= m_left > 0 ? 1 : 0;
        return HostAllocator::allocate(size, alignment);
    }
    /// How many allocations succeed from now on; less than 0: all.
    void limit(i64 allocations) { m_left = allocations; }
    usize refused() const { return m_refused; }

private:
    i64 m_left = -1;
    usize m_refused = 0;
};

/// The same as the pure half of the shell takes memory.
struct Memory {
    LimitedAllocator allocator;
    AnyAllocator any{allocator};
};

/// Completes from a list; lines that end in '|' need more.
class ListCompleter final : public Completer {
public:
    Result<void> complete(CompletionRequest const& request, Candidates& candidates) override {
        words.assign(request.words.begin(), request.words.end());
        word = request.word;
        for (auto const& [text, description] : known) {
            TRY(candidates.add(text, description));
        }
        return {};
    }
    bool needs_more(std::string_view line) override { return line.ends_with('|'); }

    std::vector<std::pair<std::string, std::string>> known;
    std::vector<std::string> words; ///< of the last request
    std::string word;
};

struct Console {
    explicit Console(ScreenSize size)
        : session(size), editor(any, output(), size, history, completer) {}

    Output output() {
        return {this, [](void* self, std::string_view bytes) {
                    auto* const console = static_cast<Console*>(self);
                    console->session << bytes;
                    console->sent += bytes;
                }};
    }
    void begin() {
        editor.begin(prompt, continuation);
        editor.refresh();
        sent.clear();
    }
    /// Sends bytes and shows what became of each; the last action that was not `none`.
    Action type(std::string_view bytes) {
        Action last = Action::none;
        for (char const byte : bytes) {
            Action const action = editor.take(static_cast<u8>(byte));
            if (action == Action::line) {
                lines.emplace_back(editor.line());
            }
            if (action != Action::none) {
                last = action;
                editor.begin(prompt, continuation);
            }
            editor.refresh();
        }
        return last;
    }
    void remember(std::initializer_list<char const*> old_lines) {
        for (char const* const line : old_lines) {
            history.add(line).value();
        }
    }
    /// What the last bytes made the editor send.
    std::string take_sent() { return std::exchange(sent, {}); }
    void resize(ScreenSize size) {
        session.memory.resize(size).value();
        editor.resize(size);
        editor.refresh();
    }

    std::string prompt = "> ";
    std::string continuation = ". ";
    text::testing::Session session;
    std::string sent;
    std::vector<std::string> lines; ///< that were entered
    LimitedAllocator allocator;
    AnyAllocator any{allocator};
    History history{any};
    ListCompleter completer;
    LineEditor editor;
};

} // namespace twofold::shell::testing
