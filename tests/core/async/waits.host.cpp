// Semaphores, mutexes, events and channels among tasks: who goes on, in what order, with what.
#include "tests/core/async/tasks_test.hpp"

namespace twofold::async {
namespace {

Task<Result<void>>
acquire_and_note(Scope&, AsyncSemaphore& semaphore, std::string& order, char letter) {
    auto const outcome = co_await semaphore.acquire();
    if (outcome) {
        order += letter;
    }
    co_return outcome;
}

TEST_F(Tasks, ASemaphoreGivesInTheOrderOfArrival) {
    AsyncSemaphore semaphore(1);
    std::vector<JoinHandle<Result<void>>> handles;
    for (char const letter : {'a', 'b', 'c', 'd'}) {
        handles.push_back(spawn(scope, acquire_and_note(scope, semaphore, order, letter)));
    }
    run();
    EXPECT_EQ(order, "a");
    handles[2].cancel();
    run();
    EXPECT_EQ(handle_result(handles[2]).error(), Error::cancelled);
    EXPECT_FALSE(semaphore.try_acquire());
    EXPECT_TRUE(semaphore.release(3).has_value());
    EXPECT_EQ(semaphore.count(), 1u); // two wait, and have it already
    EXPECT_TRUE(semaphore.try_acquire());
    run();
    EXPECT_EQ(order, "abd");
    EXPECT_EQ(semaphore.release(AsyncSemaphore::count_max + 1).error(), Error::out_of_range);
    EXPECT_TRUE(semaphore.release(AsyncSemaphore::count_max).has_value());
    EXPECT_EQ(semaphore.release().error(), Error::out_of_range);
    EXPECT_TRUE(semaphore.release(0).has_value());
}

Task<Result<void>> hold(Scope&, AsyncMutex& mutex, int& inside, std::string& order, char letter) {
    auto const guard = co_await mutex.lock();
    if (!guard) {
        co_return guard.error();
    }
    EXPECT_EQ(inside++, 0);
    order += letter;
    EXPECT_TRUE((co_await sleep_for(Nanos{10})).has_value());
    --inside;
    co_return {};
}

TEST_F(Tasks, AMutexLetsOneInAndIsHandedOver) {
    AsyncMutex mutex;
    int inside = 0;
    std::vector<JoinHandle<Result<void>>> handles;
    for (char const letter : {'a', 'b', 'c'}) {
        handles.push_back(spawn(scope, hold(scope, mutex, inside, order, letter)));
    }
    run();
    EXPECT_EQ(mutex.try_lock().error(), Error::busy);
    run_until(clock + Nanos{15});
    EXPECT_EQ(order, "ab");
    run_until(clock + Nanos{15});
    EXPECT_EQ(order, "abc");
    EXPECT_TRUE(mutex.try_lock().has_value());
    {
        auto const guard = mutex.try_lock();
        handles.push_back(spawn(scope, hold(scope, mutex, inside, order, 'd')));
        handles.push_back(spawn(scope, hold(scope, mutex, inside, order, 'e')));
        run();
        handles[3].cancel();
        run();
        EXPECT_EQ(handle_result(handles[3]).error(), Error::cancelled);
    }
    run_until(clock + Nanos{10});
    EXPECT_EQ(order, "abce");
}

Task<Result<void>> wait_and_note(Scope&, Event& event, std::string& order, char letter) {
    auto const outcome = co_await event.wait();
    order += outcome ? letter : 'x';
    co_return outcome;
}

TEST_F(Tasks, AnEventLetsAllGoOnWhoWaitAndWhoCome) {
    Event event;
    EXPECT_FALSE(event.is_set());
    auto first = spawn(scope, wait_and_note(scope, event, order, 'a'));
    auto second = spawn(scope, wait_and_note(scope, event, order, 'b'));
    auto third = spawn(scope, wait_and_note(scope, event, order, 'c'));
    run();
    second.cancel();
    run();
    EXPECT_EQ(order, "x");
    event.set();
    event.set();
    run();
    EXPECT_EQ(order, "xac");
    EXPECT_TRUE(result_of(wait_and_note(scope, event, order, 'd')).has_value());
    EXPECT_TRUE(event.is_set());
    EXPECT_EQ(order, "xacd");
}

TEST_F(Tasks, WhatIsGrantedCountsThoughItIsCancelledAtOnce) {
    Event event;
    auto handle = spawn(scope, wait_and_note(scope, event, order, 'a'));
    run();
    event.set();
    handle.cancel();
    run();
    EXPECT_EQ(order, "a");
    EXPECT_TRUE(handle_result(handle).has_value());
}

using Numbers = Channel<std::unique_ptr<int>, 3>;

Task<Result<void>> send_numbers(Scope&, Numbers& channel, int from, int to) {
    for (int number = from; number < to; ++number) {
        auto const outcome = co_await channel.send(std::make_unique<int>(number));
        if (!outcome) {
            co_return outcome;
        }
    }
    co_return {};
}
Task<Result<void>>
receive_numbers(Scope&, Numbers& channel, int count, std::vector<int>& received) {
    for (int i = 0; i < count; ++i) {
        auto number = co_await channel.receive();
        if (!number) {
            co_return number.error();
        }
        received.push_back(*number.value());
    }
    co_return {};
}

TEST_F(Tasks, AChannelKeepsTheOrderAndHoldsUpWhoSendsTooMuch) {
    Numbers channel;
    std::vector<int> received;
    auto sender = spawn(scope, send_numbers(scope, channel, 0, 1000));
    run();
    EXPECT_EQ(channel.size(), 3u);
    EXPECT_FALSE(sender.has_ended());
    EXPECT_EQ(channel.try_send(nullptr).error(), Error::busy);
    auto receiver = spawn(scope, receive_numbers(scope, channel, 1000, received));
    run();
    EXPECT_TRUE(sender.has_ended() && receiver.has_ended());
    ASSERT_EQ(received.size(), 1000u);
    for (int i = 0; i < 1000; ++i) {
        ASSERT_EQ(received[static_cast<usize>(i)], i);
    }
    EXPECT_EQ(channel.try_receive().error(), Error::busy);
}

TEST_F(Tasks, AChannelGivesToWhoWaitsLongest) {
    Numbers channel;
    std::vector<int> first_received;
    std::vector<int> second_received;
    auto first = spawn(scope, receive_numbers(scope, channel, 2, first_received));
    auto second = spawn(scope, receive_numbers(scope, channel, 2, second_received));
    run();
    for (int number : {1, 2, 3, 4}) {
        EXPECT_TRUE(channel.try_send(std::make_unique<int>(number)).has_value());
    }
    EXPECT_EQ(channel.size(), 2u); // two went to who waits
    run();
    EXPECT_EQ(first_received, (std::vector{1, 3}));
    EXPECT_EQ(second_received, (std::vector{2, 4}));
}

TEST_F(Tasks, WhoIsCancelledNeitherSendsNorReceives) {
    Numbers channel;
    std::vector<int> received;
    auto receiver = spawn(scope, receive_numbers(scope, channel, 1, received));
    run();
    receiver.cancel();
    run();
    EXPECT_EQ(handle_result(receiver).error(), Error::cancelled);
    auto sender = spawn(scope, send_numbers(scope, channel, 10, 20));
    run();
    sender.cancel();
    run();
    EXPECT_EQ(handle_result(sender).error(), Error::cancelled);
    auto last = spawn(scope, receive_numbers(scope, channel, 3, received));
    run();
    EXPECT_EQ(received, (std::vector{10, 11, 12}));
    EXPECT_EQ(channel.size(), 0u);
}

TEST_F(Tasks, AChannelThatIsClosedGivesWhatIsLeft) {
    Numbers channel;
    std::vector<int> received;
    auto sender = spawn(scope, send_numbers(scope, channel, 0, 4));
    run();
    channel.close();
    run();
    EXPECT_EQ(handle_result(sender).error(), Error::invalid_state);
    auto receiver = spawn(scope, receive_numbers(scope, channel, 4, received));
    run();
    EXPECT_EQ(received, (std::vector{0, 1, 2}));
    EXPECT_EQ(handle_result(receiver).error(), Error::invalid_state);
    EXPECT_EQ(channel.try_send(nullptr).error(), Error::invalid_state);
    EXPECT_EQ(channel.try_receive().error(), Error::invalid_state);
    Numbers empty;
    auto waiting = spawn(scope, receive_numbers(scope, empty, 1, received));
    run();
    empty.close();
    run();
    EXPECT_EQ(handle_result(waiting).error(), Error::invalid_state);
}

} // namespace
} // namespace twofold::async
