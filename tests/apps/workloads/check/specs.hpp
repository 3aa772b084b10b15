// Sequential objects that the tests of linearizability are about.
#pragma once

#include "apps/workloads/check/linearizability.hpp"

namespace twofold::workloads {

struct RegisterSpec {
    struct Op {
        bool is_write = false;
        u8 value = 0;
    };
    using State = u8;
    using Result = u8; ///< what is read; 0 of a write

    static Result apply(State& state, Op const& op) {
        if (op.is_write) {
            state = op.value;
            return 0;
        }
        return state;
    }
    static u64 hash(State const& state) { return state; }
};

/// A queue or a stack of small numbers.
template<bool is_stack>
struct ListSpec {
    static constexpr u8 nothing = 0;

    struct Op {
        u8 added = nothing; ///< nothing: one is taken
    };
    struct State {
        std::array<u8, 16> items{};
        u8 size = 0;

        bool operator==(State const&) const = default;
    };
    using Result = u8; ///< what is taken

    static Result apply(State& state, Op const& op) {
        if (op.added != nothing) {
            CHECK(state.size < state.items.size());
            state.items[state.size++] = op.added;
            return nothing;
        }
        if (state.size == 0) {
            return nothing;
        }
        --state.size;
        u8 const taken = state.items[is_stack ? state.size : 0];
        for (usize i = 0; !is_stack && i < state.size; ++i) {
            state.items[i] = state.items[i + 1];
        }
        state.items[state.size] = nothing;
        return taken;
    }
    static u64 hash(State const& state) {
        u64 hash = state.size;
        for (u8 const item : state.items) {
            hash = hash * 31 + item;
        }
        return hash;
    }
};
using QueueSpec = ListSpec<false>;
using StackSpec = ListSpec<true>;

/// A lock that is tried.
struct LockSpec {
    struct Op {
        bool is_release = false;
    };
    using State = bool;
    using Result = bool; ///< it was taken, or given back

    static Result apply(State& state, Op const& op) {
        bool const succeeds = state == op.is_release;
        state = succeeds ? !op.is_release : state;
        return succeeds;
    }
    static u64 hash(State const& state) { return state ? 1 : 0; }
};

} // namespace twofold::workloads
