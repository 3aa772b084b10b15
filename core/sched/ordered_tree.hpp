// OrderedTree<Item, Order>: a set in order whose links lie in its items, so that adding one neither
// allocates nor fails. Each item can hold a summary of the subtree below it, which lets a search
// skip what cannot fit.
//
// It is a treap: a search tree by the order of the items and a heap by a number drawn for each, so
// its depth is O(log n) in expectation whatever the order of the operations. The numbers are the
// same in every run.
//
// `Order` says how: `before(a, b)`, a strict order in which no two items are equal, and
// `summarise(item, left, right)`, which renews the item's summary from itself and its children
// (null where there is none). Pure; no thread safety.
//
// Invariants (checked by `is_sound`): order, heap, links in both directions, summaries.
//
// Source: C. Aragon and R. Seidel, "Randomized search trees", Algorithmica 16, 1996.
#pragma once

#include "core/base/base.hpp"

namespace twofold::sched {

/// An item's links, as a base of it.
template<class Item>
class TreeNode {
public:
    bool is_linked() const { return m_rank != 0; }

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
    u64 m_rank = 0; ///< of the heap; 0: in no tree
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

    /// The item before all others; null where there is none. O(log n).
    Item* first() const {
        Item* found = m_root;
        while (found != nullptr && left(*found) != nullptr) {
            found = left(*found);
        }
        return found;
    }

    /// Adds an item that is in no tree. O(log n).
    void add(Item& item) {
        Node& added = node(item);
        CHECK(!added.is_linked());
        added.m_rank = m_ranks.next() | 1;
        Item* parent = nullptr;
        bool goes_right = false;
        for (Item* place = m_root; place != nullptr;) {
            parent = place;
            goes_right = Order::before(*place, item);
            place = node(*place).m_children[goes_right];
        }
        added.m_parent = parent;
        (parent == nullptr ? m_root : node(*parent).m_children[goes_right]) = &item;
        ++m_size;
        Order::summarise(item, nullptr, nullptr);
        while (added.m_parent != nullptr && node(*added.m_parent).m_rank < added.m_rank) {
            lift(item);
        }
        renew_from(added.m_parent);
    }

    /// Takes an item out, which is in this tree. O(log n).
    void remove(Item& item) {
        Node& removed = node(item);
        CHECK(removed.is_linked() && m_size > 0);
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
        removed.m_rank = 0;
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
        return seen == m_size && (m_root == nullptr || node(*m_root).m_parent == nullptr);
    }

    /// The item behind `item`; null if it is the last one. O(log n), a walk over all O(n).
    Item* after(Item const& item) const {
        if (Item* next = right(item); next != nullptr) {
            while (left(*next) != nullptr) {
                next = left(*next);
            }
            return next;
        }
        Item const* child = &item;
        Item* parent = node(item).m_parent;
        while (parent != nullptr && right(*parent) == child) {
            child = parent;
            parent = node(*parent).m_parent;
        }
        return parent;
    }

private:
    using Node = TreeNode<Item>;

    static Node& node(Item& item) { return item; }
    static Node const& node(Item const& item) { return item; }

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
        Order::summarise(parent, left(parent), right(parent));
        Order::summarise(item, left(item), right(item));
    }

    void renew_from(Item* item) {
        for (; item != nullptr; item = node(*item).m_parent) {
            Order::summarise(*item, left(*item), right(*item));
        }
    }

    Item* m_root = nullptr;
    usize m_size = 0;
    SplitMix64 m_ranks{0x7EEA'9000};
};

} // namespace twofold::sched
