// The walker that looks over a queue of `eevdf`. See eevdf.hpp.
#include "core/sched/eevdf.hpp"

namespace twofold::sched {

bool Eevdf::is_sound() const {
    u64 weights = m_current == nullptr ? 0 : m_current->m_weight;
    for (Entity const* each = m_waiting.first(); each != nullptr; each = m_waiting.after(*each)) {
        weights += each->m_weight;
    }
    for (Entity const* each = m_departing.first(); each != nullptr;
         each = m_departing.after(*each)) {
        weights += each->m_weight;
    }
    auto const least_is_right = [](Entity const& entity, Entity const* left, Entity const* right) {
        return entity.m_least == ByDue::least(entity, left, right);
    };
    auto const nothing_to_say = [](Entity const&, Entity const*, Entity const*) { return true; };
    return weights == m_weight && m_waiting.is_sound(least_is_right) &&
           m_departing.is_sound(nothing_to_say) &&
           (m_departing.empty() || m_departing.first()->m_received > m_virtual);
}

} // namespace twofold::sched
