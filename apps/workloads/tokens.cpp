// Tokens: random numbers by which things are found again, as capabilities and sessions are. Random
// bytes may repeat: who gives out a token looks whether it is taken, and draws again.
#include "apps/workloads/rooms.hpp"
#include "hal/entropy.hpp"

#include <algorithm>
#include <array>

namespace twofold::workloads {

namespace {

using Token = u64;
constexpr Token no_token = 0;

/// Who holds which token.
class Tokens {
public:
    static constexpr usize tokens_max = 64;
    static constexpr u32 draws_max = 64;

    /// A token that nobody else holds. Errors: no_space; timed_out (nothing but tokens that are
    /// taken was drawn). Any context up to irq. O(tokens_max * draws).
    Result<Token> give(u32 holder) {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        auto const free = std::ranges::find(m_entries, no_token, &Entry::token);
        if (free == m_entries.end()) {
            return Error::no_space;
        }
        for (u32 draws = 0; draws < draws_max; ++draws) {
            Token drawn = no_token;
            hal::Entropy::fill(std::as_writable_bytes(std::span(&drawn, 1)));
            bool const is_taken = find(drawn) != nullptr && !mutant(Mutant::tokens_unchecked);
            if (drawn != no_token && !is_taken) {
                *free = {drawn, holder};
                return drawn;
            }
        }
        return Error::timed_out;
    }
    /// Whose token it is. Errors: not_found.
    Result<u32> holder_of(Token token) {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        Entry const* const entry = find(token);
        return entry != nullptr ? Result<u32>(entry->holder) : Error::not_found;
    }
    /// Errors: not_found.
    Result<void> take_back(Token token) {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        Entry* const entry = find(token);
        if (entry == nullptr) {
            return Error::not_found;
        }
        *entry = {};
        return {};
    }

private:
    struct Entry {
        Token token = no_token;
        u32 holder = 0;
    };

    Entry* find(Token token) REQUIRES(m_lock) {
        auto const found = std::ranges::find(m_entries, token, &Entry::token);
        return token != no_token && found != m_entries.end() ? &*found : nullptr;
    }

    sync::SpinLock m_lock{sync::LockRank::device};
    std::array<Entry, tokens_max> m_entries GUARDED_BY(m_lock){};
};

class TokensWorkload {
public:
    explicit TokensWorkload(Run&) {}
    TokensWorkload(TokensWorkload const&) = delete;
    TokensWorkload& operator=(TokensWorkload const&) = delete;

    static Result<void> begin(Check&) { return {}; }

    void perform(Step& step) {
        u32 const slot = static_cast<u32>(step.random.below(slots));
        Token& held = m_held[step.thread][slot];
        u32 const holder = step.thread * slots + slot;
        if (held == no_token) {
            auto const given = m_tokens.give(holder);
            if (given) {
                held = given.value();
            } else {
                step.equal("a token", Error::timed_out, given);
            }
            return;
        }
        auto const found = m_tokens.holder_of(held);
        step.equal("a token that was given out", answer_ok, found);
        step.equal("whose token it is", holder, found ? found.value() : ~u32{0});
        if (step.chance(50)) {
            step.equal("a token comes back", answer_ok, m_tokens.take_back(held));
            step.equal("it is nobody's now", Error::not_found, m_tokens.holder_of(held));
            held = no_token;
        }
    }

    void end(Check& check) {
        for (auto& of_thread : m_held) {
            for (Token& held : of_thread) {
                if (held != no_token) {
                    check.equal("a token comes back", answer_ok, m_tokens.take_back(held));
                }
            }
        }
    }

private:
    static constexpr u32 slots = Tokens::tokens_max / threads_max;

    Tokens m_tokens;
    std::array<std::array<Token, slots>, threads_max> m_held{}; ///< by each thread
};

} // namespace

constinit Workload const tokens_workload = workload_of<TokensWorkload>(
    {.name = "tokens",
     .about = "random tokens by which things are found, given out and taken back"});

} // namespace twofold::workloads
