// Every sequence of events on three entities up to a depth, for every policy and a stack of them:
// the books are right after each event, who is chosen is who should be, nobody who waits is lost,
// and where a policy promises a turn, it comes. A sequence that fails is printed.
#include "core/sched/sched.hpp"
#include "tests/core/sched/campaign.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace twofold;
using namespace twofold::sched;

constexpr usize members = 3;
constexpr i64 ms = 1'000'000;

/// What is looked at beyond the books, policy by policy. `entities` are those that wait.
template<class P>
struct Rules;

template<class P>
struct PlainRules {
    static auto make() { return std::make_unique<P>(); }
    /// Whether nobody may be chosen though `waiting` wait.
    static bool may_refuse(std::vector<typename P::Entity*> const&) { return false; }
    static bool is_right(typename P::Entity const&, std::vector<typename P::Entity*> const&) {
        return true;
    }
    static bool is_sound(P const&, std::vector<typename P::Entity*> const&) { return true; }
    /// Turns after which everybody who waits has had one; 0: none is promised.
    static constexpr u32 turns = 0;
};

template<class P>
struct RealtimeRules : PlainRules<P> {
    static RealtimeParameters parameters(usize member, usize variant) {
        return {.priority = static_cast<u32>((member + variant) % 2), .quantum = Nanos{2 * ms}};
    }
    static bool is_right(RealtimeEntity const& chosen, std::vector<RealtimeEntity*> const& rest) {
        return std::none_of(rest.begin(), rest.end(), [&](auto* other) {
            return other->priority() > chosen.priority();
        });
    }
};
template<>
struct Rules<Fifo> : RealtimeRules<Fifo> {};
template<>
struct Rules<RoundRobin> : RealtimeRules<RoundRobin> {};

template<class P>
struct StrideRules : PlainRules<P> {
    static StrideParameters parameters(usize member, usize variant) {
        return {.tickets = member == variant ? 2u : 1u, .quantum = Nanos{2 * ms}};
    }
    static bool is_right(StrideEntity const& chosen, std::vector<StrideEntity*> const& rest) {
        return std::none_of(rest.begin(), rest.end(), [&](auto* other) {
            return StrideDescriptor::before(other->pass(), chosen.pass());
        });
    }
    // Whoever is ahead of the others is so by all that they can owe in a sequence.
    static constexpr u32 turns = 64;
};
template<>
struct Rules<KernelStride> : StrideRules<KernelStride> {};
template<>
struct Rules<Stride> : StrideRules<Stride> {
    struct WithPlaces {
        std::array<StrideDescriptor, 4> places{};
        Stride queue{std::span<StrideDescriptor>(places)};
        Stride& operator*() { return queue; }
    };
    static WithPlaces make() { return {}; }
};

template<>
struct Rules<Eevdf> : PlainRules<Eevdf> {
    static EevdfParameters parameters(usize member, usize variant) {
        return {
            .weight = member == variant ? 3u : 1u, .request = Nanos{member == 0 ? 4 * ms : 2 * ms}};
    }
    static bool is_sound(Eevdf const& queue, std::vector<EevdfEntity*> const& present) {
        return queue.is_sound() && std::all_of(present.begin(), present.end(), [&](auto* entity) {
                   Nanos const lag = queue.lag(*entity);
                   return lag <= Nanos{4 * ms} && lag >= Nanos{-4 * ms - 1};
               });
    }
    static constexpr u32 turns = 32;
};

template<>
struct Rules<Edf> : PlainRules<Edf> {
    static EdfParameters parameters(usize, usize variant) {
        return {Nanos{(variant == 0 ? 3 : 5) * ms}, Nanos{10 * ms}};
    }
    static bool may_refuse(std::vector<EdfEntity*> const& waiting) {
        return std::all_of(
            waiting.begin(), waiting.end(), [](auto* entity) { return entity->is_throttled(); });
    }
    static bool is_right(EdfEntity const& chosen, std::vector<EdfEntity*> const& rest) {
        return std::none_of(rest.begin(), rest.end(), [&](auto* other) {
            return !other->is_throttled() && other->deadline() < chosen.deadline();
        });
    }
    /// Admission never gives away more than it has.
    static bool is_sound(Edf const& queue, std::vector<EdfEntity*> const&) {
        return queue.given() <= Edf::whole / 100 * 95;
    }
    static constexpr u32 turns = 32;
};

template<>
struct Rules<Batch> : PlainRules<Batch> {
    static BatchParameters parameters(usize member, usize variant) {
        return {
            .weight = static_cast<u32>(1 + member),
            .quantum = Nanos{2 * ms},
            .is_idle = (member + variant) % 3 == 0};
    }
    static bool is_right(BatchEntity const& chosen, std::vector<BatchEntity*> const& rest) {
        return !chosen.is_idle() ||
               std::all_of(rest.begin(), rest.end(), [](auto* other) { return other->is_idle(); });
    }
};

template<>
struct Rules<Inference> : PlainRules<Inference> {
    static InferenceParameters parameters(usize member, usize variant) {
        return {
            .kind = member + variant == 2 ? InferenceKind::training : InferenceKind::request,
            .model = static_cast<u8>(member % 2),
            .batch_limit = 2,
            .bound = Nanos{6 * ms},
            .estimate = Nanos{2 * ms}};
    }
    static bool is_right(InferenceEntity const& chosen, std::vector<InferenceEntity*> const& rest) {
        return chosen.is_request() || std::none_of(rest.begin(), rest.end(), [](auto* other) {
                   return other->is_request();
               });
    }
};

using Stack = ClassStack<Edf, RoundRobin, Eevdf, Inference>;
template<>
struct Rules<Stack> : PlainRules<Stack> {
    static Stack::Parameters parameters(usize member, usize variant) {
        switch ((member + variant) % 4) {
        case 0:
            return Stack::Parameters::of<Edf>({Nanos{6 * ms}, Nanos{10 * ms}});
        case 1:
            return Stack::Parameters::of<RoundRobin>({.quantum = Nanos{2 * ms}});
        case 2:
            return Stack::Parameters::of<Inference>(
                {.bound = Nanos{6 * ms}, .estimate = Nanos{ms}});
        default:
            return Stack::Parameters::of<Eevdf>({.request = Nanos{2 * ms}});
        }
    }
    static bool may_refuse(std::vector<Stack::Entity*> const& waiting) {
        return std::all_of(waiting.begin(), waiting.end(), [](auto* entity) {
            return entity->class_index() == 0 && entity->template in<Edf>().is_throttled();
        });
    }
    static bool is_sound(Stack const& stack, std::vector<Stack::Entity*> const&) {
        return stack.in<Edf>().given() <= Edf::whole / 100 * 95;
    }
};

/// A way to go on from a state.
struct Event {
    enum class Kind : u8 { admit, expel, wake, cancel, change, pick, put_back, yield, sleep };

    Kind kind;
    usize member = 0;
    usize variant = 0; ///< of the parameters, or how long it runs: half its slice, or all of it
};

/// A queue with what is known of its entities.
template<class P>
class Scope {
    using Entity = typename P::Entity;

public:
    Scope() {
        for (usize member = 0; member < members; ++member) {
            do_event({Event::Kind::admit, member});
        }
    }
    ~Scope() {
        if (m_current != nullptr) {
            queue().sleep(m_now);
            m_state[index(*m_current)] = EntityState::asleep;
        }
        for (usize member = 0; member < members; ++member) {
            if (m_state[member] == EntityState::waiting) {
                queue().cancel(m_entities[member], m_now);
            }
            if (m_state[member] != EntityState::absent) {
                queue().expel(m_entities[member], m_now);
            }
        }
    }

    std::vector<Event> enabled() const {
        using Kind = Event::Kind;
        std::vector<Event> events;
        for (usize member = 0; member < members; ++member) {
            switch (m_state[member]) {
            case EntityState::absent:
                events.push_back({Kind::admit, member, 0});
                break;
            case EntityState::asleep:
                events.push_back({Kind::wake, member});
                events.push_back({Kind::expel, member});
                break;
            case EntityState::waiting:
                events.push_back({Kind::cancel, member});
                [[fallthrough]];
            case EntityState::current:
                events.push_back({Kind::change, member, 1});
                break;
            }
        }
        if (m_current == nullptr) {
            events.push_back({Kind::pick});
            return events;
        }
        for (usize const variant : {0, 1}) {
            for (Kind const kind : {Kind::put_back, Kind::yield, Kind::sleep}) {
                events.push_back({kind, 0, variant});
            }
        }
        return events;
    }

    /// Whether all is well afterwards.
    bool do_event(Event const& event) {
        using Kind = Event::Kind;
        Entity& entity = m_entities[event.member];
        switch (event.kind) {
        case Kind::admit:
        case Kind::change: {
            auto const parameters = Rules<P>::parameters(event.member, event.variant);
            auto const outcome = event.kind == Kind::admit
                                     ? queue().admit(entity, parameters, m_now)
                                     : queue().change(entity, parameters, m_now);
            if (!outcome.has_value()) {
                return outcome.error() == Error::no_space && is_well();
            }
            if (event.kind == Kind::admit) {
                m_state[event.member] = EntityState::asleep;
            }
            break;
        }
        case Kind::expel:
            queue().expel(entity, m_now);
            m_state[event.member] = EntityState::absent;
            break;
        case Kind::wake:
            queue().wake(entity, m_now);
            m_state[event.member] = EntityState::waiting;
            if (m_current != nullptr) {
                queue().preempts(entity, m_now);
            }
            break;
        case Kind::cancel:
            queue().cancel(entity, m_now);
            m_state[event.member] = EntityState::asleep;
            break;
        case Kind::pick:
            return pick() && is_well();
        default:
            run(event);
        }
        return is_well();
    }

    /// Everybody who waits gets a turn, within what is promised; and everybody sleeps in the end.
    bool drains() {
        if (m_current != nullptr) {
            do_event({Event::Kind::put_back});
        }
        std::array<bool, members> had_turn{};
        for (u32 turn = 0; turn < Rules<P>::turns && !waiting().empty(); ++turn) {
            if (!pick()) {
                return false;
            }
            if (m_current != nullptr) {
                had_turn[index(*m_current)] = true;
                run({Event::Kind::put_back, 0, 1});
            }
        }
        for (usize member = 0; member < members && Rules<P>::turns > 0; ++member) {
            if (m_state[member] == EntityState::waiting && !had_turn[member]) {
                return false;
            }
        }
        for (u32 turn = 0; turn < 4 * members && !waiting().empty(); ++turn) {
            if (!pick()) {
                return false;
            }
            if (m_current != nullptr) {
                run({Event::Kind::sleep, 0, 0});
            }
        }
        return waiting().empty() && is_well();
    }

private:
    P& queue() { return *m_queue; }
    usize index(Entity const& entity) const {
        return static_cast<usize>(&entity - m_entities.data());
    }
    std::vector<Entity*> waiting() {
        std::vector<Entity*> found;
        for (usize member = 0; member < members; ++member) {
            if (m_state[member] == EntityState::waiting) {
                found.push_back(&m_entities[member]);
            }
        }
        return found;
    }

    /// Who is chosen waits, for a time, and nobody goes before it. With nobody, time goes by.
    bool pick() {
        auto choice = queue().pick(m_now);
        if constexpr (requires { queue().pick_spare(m_now); }) {
            choice = choice.entity == nullptr ? queue().pick_spare(m_now) : choice;
        }
        auto const before = waiting();
        if (choice.entity == nullptr) {
            if (!before.empty() && (!Rules<P>::may_refuse(before) || choice.slice == never)) {
                return false;
            }
            m_now = m_now + (choice.slice == never ? Nanos{ms} : choice.slice);
            return choice.slice > Nanos{};
        }
        usize const member = index(*choice.entity);
        if (choice.slice <= Nanos{} || m_state[member] != EntityState::waiting) {
            return false;
        }
        m_state[member] = EntityState::current;
        m_current = choice.entity;
        m_slice = choice.slice == never ? Nanos{4 * ms} : choice.slice;
        return Rules<P>::is_right(*choice.entity, waiting());
    }
    void run(Event const& event) {
        Nanos const used = event.variant == 0 ? Nanos{m_slice.value / 2} : m_slice;
        m_now = m_now + used;
        queue().charge(used, m_now);
        bool const sleeps = event.kind == Event::Kind::sleep;
        sleeps                             ? queue().sleep(m_now)
        : event.kind == Event::Kind::yield ? queue().yield(m_now)
                                           : queue().put_back(m_now);
        m_state[index(*m_current)] = sleeps ? EntityState::asleep : EntityState::waiting;
        m_current = nullptr;
    }
    bool is_well() {
        std::vector<Entity*> present;
        usize runnable = 0;
        for (usize member = 0; member < members; ++member) {
            if (m_state[member] != EntityState::absent) {
                present.push_back(&m_entities[member]);
            }
            runnable +=
                m_state[member] == EntityState::waiting || m_state[member] == EntityState::current
                    ? 1
                    : 0;
        }
        return queue().runnable() == runnable && queue().current() == m_current &&
               Rules<P>::is_sound(queue(), present);
    }

    decltype(Rules<P>::make()) m_queue = Rules<P>::make();
    std::array<Entity, members> m_entities;
    std::array<EntityState, members> m_state{};
    Entity* m_current = nullptr;
    Nanos m_now{};
    Nanos m_slice{};
};

std::string words(std::vector<Event> const& events) {
    constexpr char const* names[] = {"admit", "expel",    "wake",  "cancel", "change",
                                     "pick",  "put_back", "yield", "sleep"};
    std::string text;
    for (Event const& event : events) {
        text += std::string(names[static_cast<usize>(event.kind)]) + " " +
                std::to_string(event.member) + "/" + std::to_string(event.variant) + "; ";
    }
    return text;
}

/// Goes through all sequences, each from the beginning, since a queue cannot be copied.
template<class P>
class Enumeration {
public:
    u64 sequences() const { return m_sequences; }
    std::string const& failure() const { return m_failure; }

    bool explore(usize depth) {
        std::vector<Event> next;
        {
            Scope<P> scope;
            bool good = true;
            for (Event const& event : m_path) {
                good = good && scope.do_event(event);
            }
            next = depth == 0 ? std::vector<Event>() : scope.enabled();
            good = good && (depth != 0 || scope.drains());
            if (!good) {
                m_failure = words(m_path);
                return false;
            }
        }
        m_sequences += depth == 0 ? 1 : 0;
        for (Event const& event : next) {
            m_path.push_back(event);
            if (!explore(depth - 1)) {
                return false;
            }
            m_path.pop_back();
        }
        return true;
    }

private:
    std::vector<Event> m_path;
    std::string m_failure;
    u64 m_sequences = 0;
};

template<class P>
class SmallScopes : public ::testing::Test {};
using All =
    ::testing::Types<Fifo, RoundRobin, KernelStride, Stride, Eevdf, Edf, Batch, Inference, Stack>;
struct Names {
    template<class P>
    static std::string GetName(int index) {
        return std::string(P::name) + std::to_string(index);
    }
};
TYPED_TEST_SUITE(SmallScopes, All, Names);

TYPED_TEST(SmallScopes, EverySequenceKeepsThePromises) {
    Enumeration<TypeParam> all;
    EXPECT_TRUE(all.explore(scope_depth())) << all.failure();
    this->RecordProperty("sequences", std::to_string(all.sequences()));
    EXPECT_GT(all.sequences(), 1000u);
}

} // namespace
