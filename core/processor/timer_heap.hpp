// Deadlines in order: a pairing heap whose links lie in its elements, so that adding one neither
// allocates nor fails. Equal deadlines leave in the order in which they came. Pure.
//
// Invariants: a node is in one heap at most; no child is earlier than its parent; the root has no
// sibling. `previous` of a first child is its parent, of another the sibling before it.
//
// Source: M. Fredman, R. Sedgewick, D. Sleator and R. Tarjan, "The pairing heap: a new form of
// self-adjusting heap", Algorithmica 1, 1986, the variant with two passes.
#pragma once

#include "core/base/base.hpp"

namespace twofold::processor {

/// An element of a TimerHeap, as a base of what the deadline is for.
class TimerNode {
public:
    TimerNode() = default;
    TimerNode(TimerNode const&) = delete;
    TimerNode& operator=(TimerNode const&) = delete;
    ~TimerNode() { CHECK(!is_queued()); }

    Nanos deadline() const { return m_deadline; }
    bool is_queued() const { return m_previous != nullptr; }

private:
    friend class TimerHeap;

    bool comes_before(TimerNode const& other) const {
        if (m_deadline != other.m_deadline) {
            return m_deadline < other.m_deadline;
        }
        return mutant(Mutant::timers_order) ? m_sequence > other.m_sequence
                                            : m_sequence < other.m_sequence;
    }

    Nanos m_deadline{};
    u64 m_sequence = 0; ///< in the order of adding
    TimerNode* m_child = nullptr;
    TimerNode* m_next = nullptr;
    TimerNode* m_previous = nullptr; ///< the root's is itself
};

/// No thread safety; no loop is longer than the heap.
class TimerHeap {
public:
    TimerHeap() = default;
    TimerHeap(TimerHeap const&) = delete;
    TimerHeap& operator=(TimerHeap const&) = delete;
    ~TimerHeap() { CHECK(empty()); }

    bool empty() const { return m_root == nullptr; }
    usize size() const { return m_size; } ///< O(1)

    /// The earliest; null where there is none. O(1).
    TimerNode* first() const { return m_root; }

    /// Adds a node that is in no heap. O(1).
    void add(TimerNode& node, Nanos deadline) {
        CHECK(!node.is_queued() && node.m_child == nullptr && node.m_next == nullptr);
        node.m_deadline = deadline;
        node.m_sequence = m_sequence++;
        set_root(m_root == nullptr ? &node : merge(*m_root, node));
        ++m_size;
    }

    /// Takes a node out, which is in this heap. O(log n), amortised.
    void remove(TimerNode& node) {
        CHECK(node.is_queued() && m_size > 0);
        TimerNode* const rest = merge_all(node.m_child);
        if (&node == m_root) {
            set_root(rest);
        } else {
            cut(node);
            if (rest != nullptr && !mutant(Mutant::timers_children_lost)) {
                set_root(merge(*m_root, *rest));
            }
        }
        node.m_child = node.m_next = node.m_previous = nullptr;
        --m_size;
    }

    /// Whether the links hold what this file promises. O(n), bounded by the size that is kept.
    bool is_sound() const {
        if (m_root == nullptr) {
            return m_size == 0;
        }
        usize seen = 0;
        TimerNode const* node = m_root;
        if (m_root->m_previous != m_root || m_root->m_next != nullptr) {
            return false;
        }
        while (node != nullptr) {
            if (++seen > m_size || !links_hold(*node)) {
                return false;
            }
            node = successor(*node);
        }
        return seen == m_size;
    }

private:
    void set_root(TimerNode* node) {
        m_root = node;
        if (node != nullptr) {
            node->m_previous = node;
            node->m_next = nullptr;
        }
    }

    /// Makes the later of two roots the first child of the other, which it returns.
    static TimerNode* merge(TimerNode& a, TimerNode& b) {
        TimerNode& parent = b.comes_before(a) ? b : a;
        TimerNode& child = b.comes_before(a) ? a : b;
        child.m_next = parent.m_child;
        if (parent.m_child != nullptr) {
            parent.m_child->m_previous = &child;
        }
        child.m_previous = &parent;
        parent.m_child = &child;
        return &parent;
    }

    /// The two passes: pairs from the left, then one onto the other from the right.
    static TimerNode* merge_all(TimerNode* siblings) {
        TimerNode* pairs = nullptr; // linked by m_next, the last one first
        while (siblings != nullptr) {
            TimerNode* const left = siblings;
            TimerNode* const right = left->m_next;
            siblings = right != nullptr ? right->m_next : nullptr;
            left->m_next = nullptr;
            TimerNode* pair = left;
            if (right != nullptr) {
                right->m_next = nullptr;
                pair = merge(*left, *right);
            }
            pair->m_next = pairs;
            pairs = pair;
        }
        TimerNode* merged = nullptr;
        while (pairs != nullptr) {
            TimerNode* const pair = pairs;
            pairs = pair->m_next;
            pair->m_next = nullptr;
            merged = merged == nullptr ? pair : merge(*pair, *merged);
        }
        return merged;
    }

    /// Unlinks a node, which is not the root, with all that lies below it.
    static void cut(TimerNode& node) {
        TimerNode& previous = *node.m_previous;
        if (previous.m_child == &node) {
            previous.m_child = node.m_next;
        } else {
            CHECK(previous.m_next == &node);
            previous.m_next = node.m_next;
        }
        if (node.m_next != nullptr) {
            node.m_next->m_previous = &previous;
        }
    }

    static bool links_hold(TimerNode const& node) {
        TimerNode const* const child = node.m_child;
        if (child != nullptr && child->m_previous != &node) {
            return false;
        }
        for (TimerNode const* each = child; each != nullptr; each = each->m_next) {
            if (each->comes_before(node) ||
                (each->m_next != nullptr && each->m_next->m_previous != each)) {
                return false;
            }
        }
        return true;
    }

    /// The next node of a walk over all: down, along, or up and along.
    static TimerNode const* successor(TimerNode const& from) {
        if (from.m_child != nullptr) {
            return from.m_child;
        }
        TimerNode const* node = &from;
        while (node->m_previous != node) {
            if (node->m_next != nullptr) {
                return node->m_next;
            }
            while (node->m_previous->m_child != node) {
                node = node->m_previous; // to the first sibling
            }
            node = node->m_previous;
        }
        return nullptr;
    }

    TimerNode* m_root = nullptr;
    usize m_size = 0;
    u64 m_sequence = 0;
};

} // namespace twofold::processor
