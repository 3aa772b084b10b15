// IntrusiveList<T, Tag>: a doubly linked list whose links lie in its elements, so that linking
// cannot fail. T derives from ListNode<Tag>; one base for each list that an element can be in at
// once.
//
// Invariants (checked at every step): a node is in one list of its tag at most; its neighbours
// point back at it; an element and a list are unlinked and empty when they are destroyed. The list
// does not own its elements. No thread safety.
#pragma once

#include "core/base/check.hpp"
#include "core/base/integers.hpp"

namespace twofold {

template<class T, class Tag>
class IntrusiveList;

/// The links of an element. Copying an element does not copy its place in a list.
template<class Tag = void>
class ListNode {
public:
    ListNode() = default;
    ListNode(ListNode const&) {}
    // NOLINTNEXTLINE(bugprone-unhandled-self-assignment): assigns nothing, to itself too
    ListNode& operator=(ListNode const&) { return *this; }
    ~ListNode() { CHECK(!is_linked()); }

    bool is_linked() const { return m_next != nullptr; }

private:
    template<class T, class OtherTag>
    friend class IntrusiveList;

    ListNode* m_next = nullptr;
    ListNode* m_previous = nullptr;
};

template<class T, class Tag = void>
class IntrusiveList {
    using Node = ListNode<Tag>;

public:
    IntrusiveList() { m_ends.m_next = m_ends.m_previous = &m_ends; }
    IntrusiveList(IntrusiveList const&) = delete;
    IntrusiveList& operator=(IntrusiveList const&) = delete;
    ~IntrusiveList() {
        CHECK(empty());
        m_ends.m_next = m_ends.m_previous = nullptr;
    }

    bool empty() const { return m_ends.m_next == &m_ends; }
    usize size() const { return m_size; } ///< O(1)

    /// The first and last element; panics if there is none. O(1).
    T& front() const { return element(m_ends.m_next); }
    T& back() const { return element(m_ends.m_previous); }

    void push_front(T& item) { link(item, m_ends.m_next); }
    void push_back(T& item) { link(item, &m_ends); }
    /// Links `item` before `successor`, which is in this list. O(1).
    void insert_before(T& successor, T& item) {
        Node& node = successor;
        CHECK(node.is_linked());
        link(item, &node);
    }

    T& pop_front() {
        T& item = front();
        remove(item);
        return item;
    }
    T& pop_back() {
        T& item = back();
        remove(item);
        return item;
    }

    /// Unlinks `item`, which must be in this list. O(1).
    void remove(T& item) {
        Node& node = item;
        CHECK(node.is_linked());
        CHECK(m_size > 0);
        CHECK(node.m_next->m_previous == &node && node.m_previous->m_next == &node);
        node.m_next->m_previous = node.m_previous;
        node.m_previous->m_next = node.m_next;
        node.m_next = node.m_previous = nullptr;
        --m_size;
    }

    /// Walks the list once from front to back. The element that an iterator stands on may be
    /// removed only after stepping on.
    class Iterator {
    public:
        explicit Iterator(Node* node) : m_node(node) {}
        T& operator*() const { return static_cast<T&>(*m_node); }
        T* operator->() const { return &**this; }
        Iterator& operator++() {
            CHECK(m_node->is_linked());
            m_node = m_node->m_next;
            return *this;
        }
        bool operator==(Iterator const&) const = default;

    private:
        Node* m_node;
    };
    Iterator begin() const { return Iterator(m_ends.m_next); }
    Iterator end() const { return Iterator(&m_ends); }

private:
    T& element(Node* node) const {
        CHECK(node != &m_ends);
        return static_cast<T&>(*node);
    }

    void link(T& item, Node* successor) {
        Node& node = item;
        CHECK(!node.is_linked());
        CHECK(successor->m_previous->m_next == successor);
        node.m_next = successor;
        node.m_previous = successor->m_previous;
        node.m_previous->m_next = &node;
        successor->m_previous = &node;
        ++m_size;
    }

    mutable Node m_ends; ///< next is the front, previous the back
    usize m_size = 0;
};

} // namespace twofold
