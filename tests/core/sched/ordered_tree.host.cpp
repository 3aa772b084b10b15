// The ordered tree beside a set of the standard library, with a summary (the least value below)
// that is looked over.
#include "core/sched/ordered_tree.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>

namespace {

using namespace twofold;
using namespace twofold::sched;

struct Item : TreeNode<Item> {
    u32 key = 0;
    u32 number = 0; ///< decides between equal keys
    u32 value = 0;
    u32 least = 0;
};

u32 least_of(Item const& item, Item const* left, Item const* right) {
    u32 least = item.value;
    for (Item const* child : {left, right}) {
        least = child == nullptr ? least : std::min(least, child->least);
    }
    return least;
}

struct ByKey {
    static bool before(Item const& a, Item const& b) {
        return a.key != b.key ? a.key < b.key : a.number < b.number;
    }
    static bool summarise(Item& item, Item const* left, Item const* right) {
        return std::exchange(item.least, least_of(item, left, right)) != item.least;
    }
};

struct Before {
    bool operator()(Item const* a, Item const* b) const { return ByKey::before(*a, *b); }
};

bool is_sound(OrderedTree<Item, ByKey> const& tree) {
    return tree.is_sound([](Item const& item, Item const* left, Item const* right) {
        return item.least == least_of(item, left, right);
    });
}

usize depth_of(OrderedTree<Item, ByKey> const& tree, Item const* item) {
    return item == nullptr
               ? 0
               : 1 + std::max(depth_of(tree, tree.left(*item)), depth_of(tree, tree.right(*item)));
}

TEST(OrderedTree, EqualsASetForRandomOperations) {
    std::mt19937 random(1989);
    std::deque<Item> items(500);
    OrderedTree<Item, ByKey> tree;
    std::set<Item*, Before> model;
    for (u32 number = 0; number < items.size(); ++number) {
        items[number].number = number;
    }
    for (u32 step = 0; step < 200'000; ++step) {
        Item& item = items[random() % items.size()];
        if (!item.is_linked()) {
            item.key = random() % 64; // many are equal
            item.value = random();
            tree.add(item);
            model.insert(&item);
        } else if (random() % 4 == 0) {
            item.value = random();
            tree.renew(item);
        } else {
            model.erase(&item);
            tree.remove(item);
        }
        ASSERT_EQ(tree.size(), model.size());
        ASSERT_EQ(tree.first(), model.empty() ? nullptr : *model.begin());
        if (step % 64 == 0) {
            ASSERT_TRUE(is_sound(tree)) << step;
            auto place = model.begin();
            for (Item* each = tree.first(); each != nullptr; each = tree.after(*each)) {
                ASSERT_EQ(each, *place++);
            }
            ASSERT_EQ(place, model.end());
        }
    }
    for (Item* const item : model) {
        tree.remove(*item);
    }
}

TEST(OrderedTree, StaysShallowWhateverTheOrder) {
    std::deque<Item> items(4096);
    OrderedTree<Item, ByKey> tree;
    for (u32 number = 0; number < items.size(); ++number) {
        items[number].key = number; // sorted: the worst for a plain search tree
        tree.add(items[number]);
    }
    EXPECT_TRUE(is_sound(tree));
    EXPECT_LT(depth_of(tree, tree.root()), 40u); // 2 ln 4096 is 17
    while (Item* const first = tree.first()) {
        tree.remove(*first);
    }
}

TEST(OrderedTreeDeathTest, AnItemIsInOneTreeAtMost) {
    Item item;
    OrderedTree<Item, ByKey> tree;
    EXPECT_DEATH(tree.remove(item), "check failed");
    tree.add(item);
    EXPECT_DEATH(tree.add(item), "check failed");
    tree.remove(item);
}

} // namespace
