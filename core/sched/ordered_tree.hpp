// OrderedTree<Item, Order>: a set in order whose links lie in its items, so that adding one neither
// allocates nor fails. Each item can hold a summary of the subtree below it, which lets a search
// skip what cannot fit.
//
// It is a treap: a search tree by the order of the items and a heap by a number drawn for each, so
// its depth is O(log n) in expectation whatever the order of the operations. The numbers are the
// same in every run.
//
// The first and the last item are known. What run queues do most, taking the first and adding near
// the end, touches O(1) items in expectation: the place of a new item is looked for from the last
// one, and summaries are renewed as far as they change.
//
// `Order` says how: `before(a, b)`, a strict order in which no two items are equal, and, if items
// have summaries, `summarise(item, left, right)`, which renews the item's from itself and its
// children (null where there is none) and returns whether it has changed. Pure; no thread safety.
//
// Invariants (checked by `is_sound`): order, heap, links in both directions, ends, summaries.
//
// Source: C. Aragon and R. Seidel, "Randomized search trees", Algorithmica 16, 1996 (also of
// searches from a finger).
#pragma once

#include "core/base/base.hpp"

namespace twofold::sched {

/// An item's links, as a base of it.
template<class Item>
class TreeNode {
public:
    bool is_linked() const { return (m_rank & linked) != 0; }

private:
    template<class, class>
    friend class OrderedTree;
    friend Item;

    TreeNode() = default;
    TreeNode(TreeNode const&) = delete;
    TreeNode& operator=(TreeNode const&) = delete;
    ~TreeNode() { CHECK(!is_linked()); }

    Item* m_parent = nullptr;
    Item* m_children[2] = {};
    static constexpr u64 linked = 1;
    u64 m_rank = 0; ///< of the heap, drawn once, and whether it is in a tree; 0: not drawn yet
};

template<class Item, class Order>
class OrderedTree {
public:
    OrderedTree() = default;
    OrderedTree(OrderedTree const&) = delete;
    OrderedTree& operator=(OrderedTree const&) = delete;
    ~OrderedTree() { CHECK(empty()); }

    bool empty() const { return m_root == nullptr; }
    usize size() const { return m_size; } ///< O(1)
    Item* root() const { return m_root; }
    Item* left(Item const& item) const { return node(item).m_children[0]; }
    Item* right(Item const& item) const { return node(item).m_children[1]; }

    /// The item before all others; null where there is none. O(1).
    Item* first() const { return m_first; }

    /// Adds an item that is in no tree. O(log d), d being how many lie behind it.
    void add(Item& item) {
        Node& added = node(item);
        CHECK(!added.is_linked());
        added.m_rank = (added.m_rank != 0 ? added.m_rank : m_ranks.next()) | Node::linked;
        ++m_size;
        if (m_last == nullptr || Order::before(*m_last, item)) [[likely]] {
            append(item);
            return;
        }
        auto const [parent, goes_right] = place_for(item);
        added.m_parent = parent;
        node(*parent).m_children[goes_right] = &item;
        if (parent == m_first && !goes_right) {
            m_first = &item;
        }
        summarise(item);
        while (added.m_parent != nullptr && node(*added.m_parent).m_rank < added.m_rank) {
            lift(item);
        }
        renew_from(added.m_parent);
    }

    /// Takes an item out, which is in this tree. O(log n); the first one or the last one: O(1)
    /// beside what summaries change.
    void remove(Item& item) {
        Node& removed = node(item);
        CHECK(removed.is_linked() && m_size > 0);
        if (&item == m_first) {
            m_first = after(item);
        }
        if (&item == m_last) {
            m_last = beside(item, 0);
        }
        while (removed.m_children[0] != nullptr && removed.m_children[1] != nullptr) {
            Item& a = *removed.m_children[0];
            Item& b = *removed.m_children[1];
            lift(node(a).m_rank > node(b).m_rank ? a : b);
        }
        Item* const rest = removed.m_children[removed.m_children[0] == nullptr];
        Item* const parent = removed.m_parent;
        if (rest != nullptr) {
            node(*rest).m_parent = parent;
        }
        place_of(item) = rest;
        removed.m_parent = removed.m_children[0] = removed.m_children[1] = nullptr;
        removed.m_rank &= ~Node::linked;
        --m_size;
        renew_from(parent);
    }

    /// What an item's summary comes from has changed, and its place in the order has not. O(log n).
    void renew(Item& item) {
        CHECK(node(item).is_linked());
        renew_from(&item);
    }

    /// Whether the invariants hold; `same(item, left, right)` says whether a summary is right.
    /// O(n).
    template<class Same>
    bool is_sound(Same const& same) const {
        usize seen = 0;
        Item const* before = nullptr;
        for (Item const* item = first(); item != nullptr; item = after(*item)) {
            Node const& here = node(*item);
            bool good = here.is_linked() && (before == nullptr || Order::before(*before, *item)) &&
                        same(*item, here.m_children[0], here.m_children[1]);
            for (Item const* child : here.m_children) {
                good = good && (child == nullptr || (node(*child).m_parent == item &&
                                                     node(*child).m_rank <= here.m_rank));
            }
            if (!good || ++seen > m_size) {
                return false;
            }
            before = item;
        }
        return seen == m_size && before == m_last &&
               (m_root == nullptr || node(*m_root).m_parent == nullptr);
    }

    /// The item behind `item`; null if it is the last one. O(log n), a walk over all O(n).
    Item* after(Item const& item) const { return beside(item, 1); }

private:
    using Node = TreeNode<Item>;
    struct Place {
        Item* parent;
        bool goes_right;
    };

    static constexpr bool has_summary =
        requires(Item& item) { Order::summarise(item, &item, &item); };

    static Node& node(Item& item) { return item; }
    static Node const& node(Item const& item) { return item; }

    /// The next item in one direction: 1 behind `item`, 0 before it.
    static Item* beside(Item const& item, usize direction) {
        if (Item* next = node(item).m_children[direction]; next != nullptr) {
            while (node(*next).m_children[1 - direction] != nullptr) {
                next = node(*next).m_children[1 - direction];
            }
            return next;
        }
        Item const* child = &item;
        Item* parent = node(item).m_parent;
        while (parent != nullptr && node(*parent).m_children[direction] == child) {
            child = parent;
            parent = node(*parent).m_parent;
        }
        return parent;
    }

    /// Links an item behind all others: those of lower rank at the end come below it.
    void append(Item& item) {
        Node& added = node(item);
        Item* above = m_last;
        Item* below = nullptr;
        while (above != nullptr && node(*above).m_rank < added.m_rank) {
            below = above;
            above = node(*above).m_parent;
        }
        added.m_children[0] = below;
        if (below != nullptr) {
            node(*below).m_parent = &item;
        }
        added.m_parent = above;
        (above == nullptr ? m_root : node(*above).m_children[1]) = &item;
        m_first = m_first == nullptr ? &item : m_first;
        m_last = &item;
        summarise(item);
        renew_from(above);
    }
    /// Where an item is to be linked that is not the last one: up from that, as long as who lies
    /// there comes behind the item, and down from there.
    Place place_for(Item const& item) const {
        Item* place = m_last;
        for (Item* above = node(*place).m_parent; above != nullptr && Order::before(item, *above);
             above = node(*place).m_parent) {
            place = above;
        }
        Place found{};
        while (place != nullptr) {
            found = {place, Order::before(*place, item)};
            place = node(*place).m_children[found.goes_right];
        }
        return found;
    }

    /// The word that leads to `item`.
    Item*& place_of(Item& item) {
        Item* const parent = node(item).m_parent;
        return parent == nullptr ? m_root : node(*parent).m_children[right(*parent) == &item];
    }

    /// Rotates `item` above its parent; the summaries of both are right afterwards if those below
    /// are.
    void lift(Item& item) {
        Item& parent = *node(item).m_parent;
        bool const was_right = right(parent) == &item;
        Item* const inner = node(item).m_children[!was_right];
        place_of(parent) = &item;
        node(item).m_parent = node(parent).m_parent;
        node(parent).m_children[was_right] = inner;
        if (inner != nullptr) {
            node(*inner).m_parent = &parent;
        }
        node(item).m_children[!was_right] = &parent;
        node(parent).m_parent = &item;
        summarise(parent);
        summarise(item);
    }

    static bool summarise(Item& item) {
        if constexpr (has_summary) {
            return Order::summarise(item, node(item).m_children[0], node(item).m_children[1]);
        } else {
            return false;
        }
    }
    /// As far up as summaries change.
    static void renew_from(Item* item) {
        while (item != nullptr && summarise(*item)) {
            item = node(*item).m_parent;
        }
    }

    Item* m_root = nullptr;
    Item* m_first = nullptr;
    Item* m_last = nullptr;
    usize m_size = 0;
    SplitMix64 m_ranks{0x7EEA'9000};
};

} // namespace twofold::sched
