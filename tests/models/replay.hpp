// What the replays of orders that Spin found have in common: PROGRAM MUTANT STEP...
//
// A STEP is `wakeN` (the Nth wakes), `tick` (who is next runs for a tick, and goes on) or `sleep`
// (the same, and it sleeps). Status: 0 what the model asserts holds; 1 it does not; 64 usage.
#pragma once

#include "core/base/base.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <span>
#include <string_view>

namespace twofold::models {

/// Nothing: it is no step of `play`. False: what the model asserts does not hold.
template<class Play>
std::optional<bool> take(Play& play, std::string_view step) {
    if (step == "tick" || step == "sleep") {
        return play.tick(step == "sleep");
    }
    constexpr std::string_view wakes = "wake";
    usize index = Play::actors;
    if (step.starts_with(wakes)) {
        std::from_chars(step.data() + wakes.size(), step.data() + step.size(), index);
    }
    if (index >= Play::actors) {
        return std::nullopt;
    }
    play.wake(index);
    return true;
}

/// The main function: Play(mutant) with a static array `mutants` of names, the first of which is
/// none, by whose number a mutant is told.
template<class Play>
int replay(int count, char** arguments) {
    std::span<char* const> const words(arguments, static_cast<usize>(count));
    usize mutant = 0;
    while (count >= 2 && mutant < Play::mutants.size() && Play::mutants[mutant] != words[1]) {
        ++mutant;
    }
    if (count < 2 || mutant == Play::mutants.size()) {
        fmt::print(stderr, "{} MUTANT STEP...; see the head of its source\n", words[0]);
        return 64;
    }
    Play play(mutant);
    for (char const* const step : words.subspan(2)) {
        auto const outcome = take(play, step);
        if (!outcome) {
            fmt::print(stderr, "'{}' is no step\n", step);
            return 64;
        }
        if (!*outcome) {
            return 1;
        }
    }
    // As the model looks once more behind its last tick.
    if (!play.tick(false)) {
        return 1;
    }
    fmt::print("it holds\n");
    return 0;
}

} // namespace twofold::models
