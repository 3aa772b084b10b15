// The containers of base at their edges: FixedVector, FixedString, Ring, IntrusiveList.
#include "tests/support/test.hpp"

namespace twofold {
namespace {

/// Counts the objects that live, and moves by emptying its source.
struct Counted {
    i32* alive;
    u32 number;

    Counted(i32& counter, u32 value) : alive(&counter), number(value) { ++*alive; }
    Counted(Counted const& other) : alive(other.alive), number(other.number) { ++*alive; }
    Counted(Counted&& other) : alive(other.alive), number(other.number) {
        other.number = 0;
        ++*alive;
    }
    Counted& operator=(Counted const& other) = default;
    Counted& operator=(Counted&& other) {
        number = other.number;
        other.number = 0;
        return *this;
    }
    ~Counted() { --*alive; }
};

TEST(FixedVector, FillsAndRefusesMore) {
    FixedVector<u32, 3> vector;
    EXPECT_TRUE(vector.empty());
    for (u32 i = 0; i < 3; ++i) {
        ASSERT_TRUE(vector.push_back(i).has_value());
    }
    EXPECT_TRUE(vector.full());
    EXPECT_EQ(vector.push_back(3).error(), Error::no_space);
    EXPECT_EQ(vector.insert(0, 3).error(), Error::no_space);
    EXPECT_EQ(vector.size(), 3u);
    EXPECT_EQ(vector.back(), 2u);
}

TEST(FixedVector, InsertsAndErases) {
    FixedVector<u32, 5> vector;
    ASSERT_TRUE(vector.insert(0, 2).has_value());
    ASSERT_TRUE(vector.insert(0, 0).has_value());
    ASSERT_TRUE(vector.insert(1, 1).has_value());
    ASSERT_TRUE(vector.insert(3, 3).has_value());
    u32 expected = 0;
    for (u32 const item : vector) {
        EXPECT_EQ(item, expected++);
    }
    EXPECT_EQ(expected, 4u);
    vector.erase(3);
    vector.erase(0);
    ASSERT_EQ(vector.size(), 2u);
    EXPECT_EQ(vector[0], 1u);
    EXPECT_EQ(vector[1], 2u);
}

TEST(FixedVector, ConstructsAndDestroysEachElementOnce) {
    i32 alive = 0;
    {
        FixedVector<Counted, 4> vector;
        EXPECT_EQ(alive, 0);
        for (u32 i = 1; i <= 4; ++i) {
            ASSERT_TRUE(vector.push_back(Counted(alive, i)).has_value());
        }
        EXPECT_FALSE(vector.push_back(Counted(alive, 5)).has_value());
        EXPECT_EQ(alive, 4);
        vector.erase(1);
        EXPECT_EQ(alive, 3);
        EXPECT_EQ(vector[1].number, 3u);
        FixedVector<Counted, 4> copy = vector;
        EXPECT_EQ(alive, 6);
        EXPECT_EQ(vector[0].number, 1u);
        FixedVector<Counted, 4> const moved = std::move(copy);
        EXPECT_EQ(moved[2].number, 4u);
        EXPECT_EQ(copy[2].number, 0u);
        copy = vector;
        EXPECT_EQ(copy[2].number, 4u);
        EXPECT_EQ(alive, 9);
        vector.clear();
        EXPECT_EQ(alive, 6);
    }
    EXPECT_EQ(alive, 0);
}

TEST(FixedString, AppendsAllOrNothing) {
    FixedString<5> string;
    ASSERT_TRUE(string.append("abc").has_value());
    EXPECT_EQ(string.append("def").error(), Error::no_space);
    EXPECT_EQ(string.view(), "abc");
    ASSERT_TRUE(string.append('d').has_value());
    ASSERT_TRUE(string.append("").has_value());
    ASSERT_TRUE(string.append("e").has_value());
    EXPECT_EQ(string.append('f').error(), Error::no_space);
    EXPECT_TRUE(string == "abcde");
    string.pop_back();
    EXPECT_TRUE(string == FixedString<5>::create("abcd").value());
    string.clear();
    EXPECT_TRUE(string.empty());
    EXPECT_EQ(FixedString<2>::create("abc").error(), Error::no_space);
    char line[16];
    EXPECT_EQ(
        format_to(std::span<char>(line), "{:>4}", FixedString<3>::create("ab").value()).text,
        "  ab");
    static_assert(FixedString<2>::create("ab").value() == "ab");
}

TEST(Ring, FirstInFirstOutAcrossTheSeam) {
    Ring<u32, 3> ring;
    EXPECT_FALSE(ring.pop().has_value());
    for (u32 round = 0; round < 10; ++round) {
        ASSERT_TRUE(ring.push(2 * round).has_value());
        ASSERT_TRUE(ring.push(2 * round + 1).has_value());
        EXPECT_EQ(ring[1], 2 * round + 1);
        EXPECT_EQ(ring.pop().value(), 2 * round);
        EXPECT_EQ(ring.pop().value(), 2 * round + 1);
    }
    EXPECT_TRUE(ring.empty());
}

TEST(Ring, FullRefusesOrGivesWay) {
    Ring<u32, 2> ring;
    ASSERT_TRUE(ring.push(1).has_value());
    EXPECT_FALSE(ring.push_over(2).has_value());
    EXPECT_TRUE(ring.full());
    EXPECT_EQ(ring.push(3).error(), Error::no_space);
    EXPECT_EQ(ring.push_over(3).value(), 1u);
    EXPECT_EQ(ring[0], 2u);
    EXPECT_EQ(ring[1], 3u);
    ring.clear();
    EXPECT_EQ(ring.size(), 0u);
    EXPECT_FALSE(ring.pop().has_value());
}

struct ByAge;
struct Task : ListNode<>, ListNode<ByAge> {
    explicit Task(u32 value) : number(value) {}
    u32 number;
};

TEST(IntrusiveList, LinksAtBothEndsAndBetween) {
    Task a(1), b(2), c(3), d(4);
    IntrusiveList<Task> list;
    list.push_back(c);
    list.push_front(a);
    list.insert_before(c, b);
    list.push_back(d);
    EXPECT_EQ(list.size(), 4u);
    u32 expected = 1;
    for (Task const& task : list) {
        EXPECT_EQ(task.number, expected++);
    }
    EXPECT_EQ(expected, 5u);
    EXPECT_EQ(list.front().number, 1u);
    EXPECT_EQ(list.back().number, 4u);
    list.remove(b);
    list.remove(d);
    EXPECT_EQ(list.pop_back().number, 3u);
    EXPECT_EQ(list.pop_front().number, 1u);
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.size(), 0u);
}

TEST(IntrusiveList, AnElementMayBeInOneListOfEachTag) {
    Task a(1), b(2);
    IntrusiveList<Task> first;
    IntrusiveList<Task, ByAge> second;
    first.push_back(a);
    first.push_back(b);
    second.push_back(b);
    second.push_back(a);
    EXPECT_EQ(first.front().number, 1u);
    EXPECT_EQ(second.front().number, 2u);
    EXPECT_TRUE(static_cast<ListNode<>&>(a).is_linked());
    first.remove(a);
    EXPECT_FALSE(static_cast<ListNode<>&>(a).is_linked());
    EXPECT_TRUE(static_cast<ListNode<ByAge>&>(a).is_linked());
    first.remove(b);
    second.remove(a);
    second.remove(b);
}

TEST(IntrusiveList, ACopyIsNotLinked) {
    Task a(1);
    IntrusiveList<Task> list;
    list.push_back(a);
    Task copy = a;
    EXPECT_FALSE(static_cast<ListNode<>&>(copy).is_linked());
    copy.number = 7;
    a = copy;
    EXPECT_EQ(list.front().number, 7u);
    list.remove(a);
}

TEST(IntrusiveList, ElementsMayLeaveWhileWalking) {
    Task tasks[] = {Task(0), Task(1), Task(2), Task(3), Task(4)};
    IntrusiveList<Task> list;
    for (Task& task : tasks) {
        list.push_back(task);
    }
    for (auto at = list.begin(); at != list.end();) {
        Task& task = *at;
        ++at;
        if (task.number % 2 == 0) {
            list.remove(task);
        }
    }
    EXPECT_EQ(list.size(), 2u);
    EXPECT_EQ(list.pop_front().number, 1u);
    EXPECT_EQ(list.pop_front().number, 3u);
}

} // namespace
} // namespace twofold
