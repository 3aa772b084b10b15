// The order of locks against a model that keeps every path, and circles of threads that wait.
#include "core/sync/lock_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace twofold;
using sync::LockClass;
using sync::LockOrder;
using sync::LockTaking;

namespace {

std::source_location here(std::source_location where = std::source_location::current()) {
    return where;
}

/// Places in the source that are told apart, as many as there are classes: one line each would be.
std::vector<std::source_location> places(usize count) {
    static std::vector<std::source_location> const all = {
        here(), here(), here(), here(), here(), here(), here(), here(), here(),
        here(), here(), here(), here(), here(), here(), here(), here(), here(),
        here(), here(), here(), here(), here(), here(), here(), here(), here(),
        here(), here(), here(), here(), here(), here(), here()};
    return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)};
}

std::string text_of(LockOrder const& order, LockOrder::Circle const& circle) {
    std::string text;
    order.describe(circle, {&text, [](void* into, std::string_view part) {
                                static_cast<std::string*>(into)->append(part);
                            }});
    return text;
}

struct LockOrderTest : testing::Test {
    LockClass make(std::source_location site, std::string_view name) {
        return order->class_at(site, name).value();
    }
    std::optional<LockOrder::Circle>
    take(std::vector<LockTaking> const& held, LockTaking const& taken, std::string_view thread) {
        return order->take(held, taken, thread);
    }

    std::unique_ptr<LockOrder> order = std::make_unique<LockOrder>();
};

TEST_F(LockOrderTest, LocksMadeAtOnePlaceAreOneClass) {
    LockClass classes[2];
    for (LockClass& each : classes) {
        each = make(here(), "both");
    }
    EXPECT_EQ(classes[0], classes[1]);
    LockClass const other = make(here(), "both");
    EXPECT_NE(other, classes[0]);
    EXPECT_EQ(order->classes(), 2u);
}

TEST_F(LockOrderTest, AnInversionIsFoundThoughNobodyWaited) {
    LockClass const a = make(here(), "cache");
    LockClass const b = make(here(), "journal");
    EXPECT_FALSE(take({}, {a, here()}, "writer"));
    EXPECT_FALSE(take({{a, here()}}, {b, here()}, "writer"));
    EXPECT_FALSE(take({{a, here()}}, {b, here()}, "writer"));
    EXPECT_FALSE(take({}, {b, here()}, "flusher"));
    auto const circle = take({{b, here()}}, {a, here()}, "flusher");
    ASSERT_TRUE(circle);
    ASSERT_EQ(circle->size(), 2u);
    EXPECT_EQ((*circle)[0].thread, "writer");
    EXPECT_EQ((*circle)[0].from, a);
    EXPECT_EQ((*circle)[0].to, b);
    EXPECT_EQ((*circle)[1].thread, "flusher");
    EXPECT_EQ((*circle)[1].to, a);
    std::string const text = text_of(*order, *circle);
    for (char const* const part :
         {"writer takes 'journal'", "while it holds 'cache'", "flusher takes 'cache'",
          "lock_order.host.cpp:"}) {
        EXPECT_NE(text.find(part), std::string::npos) << text;
    }
    EXPECT_EQ(order->edges(), 1u);                            // the wrong one was not learnt
    EXPECT_TRUE(take({{b, here()}}, {a, here()}, "flusher")); // and is wrong each time
}

TEST_F(LockOrderTest, TwoOfOneClassAtOnceAreACircle) {
    LockClass const a = make(here(), "account");
    auto const circle = take({{a, here()}}, {a, here()}, "transfer");
    ASSERT_TRUE(circle);
    EXPECT_EQ(circle->size(), 1u);
}

TEST_F(LockOrderTest, ACircleOfManyIsShownWhole) {
    std::vector<LockClass> classes;
    for (std::source_location const& place : places(10)) {
        classes.push_back(make(place, "link"));
    }
    for (usize i = 0; i + 1 < classes.size(); ++i) {
        EXPECT_FALSE(take({{classes[i], here()}}, {classes[i + 1], here()}, "chain"));
    }
    auto const circle = take({{classes[9], here()}}, {classes[0], here()}, "end");
    ASSERT_TRUE(circle);
    ASSERT_EQ(circle->size(), 10u);
    for (usize i = 0; i < circle->size(); ++i) {
        EXPECT_EQ((*circle)[i].to, (*circle)[(i + 1) % circle->size()].from);
    }
}

TEST_F(LockOrderTest, WhatThereIsNoRoomForIsCountedOrRefused) {
    std::vector<std::string> names;
    // Lines cannot be made up, so classes run out before columns of this file do: see places().
    for (std::source_location const& place : places(34)) {
        make(place, "known");
    }
    EXPECT_EQ(order->classes(), 34u);
    for (u16 from = 0; from < 34; ++from) {
        for (u16 to = static_cast<u16>(from + 1); to < 34; ++to) {
            EXPECT_FALSE(take({{LockClass{from}, here()}}, {LockClass{to}, here()}, "all"));
        }
    }
    EXPECT_EQ(order->edges(), LockOrder::edges_max);
    EXPECT_EQ(order->edges_lost(), 33u * 34 / 2 - LockOrder::edges_max);
    for (usize number = 0; number < 2 * LockOrder::names_max; ++number) {
        names.push_back("thread " + std::to_string(number));
        EXPECT_TRUE(take({{LockClass{1}, here()}}, {LockClass{0}, here()}, names.back()));
    }
}

/// All pairs with a way between them.
struct Model {
    explicit Model(usize count) : reaches(count, std::vector<bool>(count)) {}

    /// Adds an edge unless it closes a circle; whether it does.
    bool closes(usize from, usize to) {
        if (from == to || reaches[to][from]) {
            return true;
        }
        for (usize a = 0; a < reaches.size(); ++a) {
            for (usize b = 0; b < reaches.size(); ++b) {
                if ((a == from || reaches[a][from]) && (b == to || reaches[to][b])) {
                    reaches[a][b] = true;
                }
            }
        }
        return false;
    }

    std::vector<std::vector<bool>> reaches;
};

TEST_F(LockOrderTest, AgreesWithAModelOfAllPaths) {
    std::mt19937 random(20'261'128);
    u64 circles = 0;
    for (int round = 0; round < 400; ++round) {
        order = std::make_unique<LockOrder>();
        usize const count = 2 + random() % 20;
        Model model(count);
        for (std::source_location const& place : places(count)) {
            make(place, "one");
        }
        for (int step = 0; step < 250; ++step) {
            std::vector<LockTaking> held;
            for (usize depth = random() % 4; depth > 0; --depth) {
                held.push_back({LockClass{static_cast<u16>(random() % count)}, here()});
            }
            auto const taken = static_cast<u16>(random() % count);
            bool expected = false;
            for (LockTaking const& each : held) {
                expected = model.closes(each.lock_class.index, taken);
                if (expected) {
                    break; // the rest is not looked at
                }
            }
            auto const circle = take(held, {LockClass{taken}, here()}, "random");
            ASSERT_EQ(circle.has_value(), expected);
            if (circle) {
                ++circles;
                for (usize i = 0; i < circle->size(); ++i) {
                    ASSERT_EQ((*circle)[i].to, (*circle)[(i + 1) % circle->size()].from);
                }
            }
        }
    }
    EXPECT_GT(circles, 10'000u);
}

struct Waiter {
    Waiter* holder = nullptr; ///< of what it waits for
};

std::vector<Waiter*> circle_from(Waiter& start, usize threads) {
    std::vector<Waiter*> seen;
    bool const found = sync::find_wait_circle(
        &start, threads, [](Waiter& thread) { return thread.holder; },
        [&](Waiter& thread) { seen.push_back(&thread); });
    EXPECT_EQ(found, !seen.empty());
    return seen;
}

TEST(WaitCircle, IsFoundByWhoClosesIt) {
    Waiter threads[5];
    for (usize i = 0; i < 3; ++i) {
        threads[i].holder = &threads[i + 1];
    }
    EXPECT_TRUE(circle_from(threads[0], 5).empty());
    threads[3].holder = &threads[1];
    EXPECT_EQ(circle_from(threads[3], 5), (std::vector{&threads[3], &threads[1], &threads[2]}));
    EXPECT_TRUE(circle_from(threads[0], 5).empty()); // it waits for a circle, and is in none
    threads[4].holder = &threads[4];
    EXPECT_EQ(circle_from(threads[4], 5), std::vector{&threads[4]});
}

TEST(WaitCircle, AgreesWithAModelForAllSmallGraphs) {
    constexpr usize count = 5;
    for (usize code = 0; code < 6 * 6 * 6 * 6 * 6; ++code) {
        Waiter threads[count];
        usize rest = code;
        for (Waiter& thread : threads) {
            usize const holder = rest % (count + 1);
            thread.holder = holder == count ? nullptr : &threads[holder];
            rest /= count + 1;
        }
        for (Waiter& start : threads) {
            std::set<Waiter*> passed;
            Waiter* at = start.holder;
            while (at != nullptr && at != &start && passed.insert(at).second) {
                at = at->holder;
            }
            std::vector<Waiter*> const found = circle_from(start, count);
            ASSERT_EQ(!found.empty(), at == &start);
            if (at == &start) {
                ASSERT_EQ(found.size(), passed.size() + 1);
            }
        }
    }
}

} // namespace
