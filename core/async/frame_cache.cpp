// See frame_cache.hpp.
#include "core/async/frame_cache.hpp"

#include <memory>
#include <utility>

namespace twofold::async {

namespace {

/// The next one's memory comes closer while this one's is written.
void prefetch_for_write(void* frame) {
    __builtin_prefetch(frame, 1);
}

} // namespace

std::byte* FrameCache::allocate(void* self, Bytes size) {
    auto& cache = *static_cast<FrameCache*>(self);
    usize const list = list_of(size);
    if (!keeps_any || list >= list_count || !cache.m_executor.is_here()) {
        return cache.allocate_anew(size, false);
    }
    Free* const found = cache.m_free[list];
    if (found == nullptr) [[unlikely]] {
        return cache.allocate_anew(size_of(list), true);
    }
    Free* const next = found->next;
    prefetch_for_write(next);
    cache.m_free[list] = next;
    cache.m_kept -= size_of(list).value;
    return room_for<std::byte>(found);
}

/// `is_own`: the caller is the executor's own code.
std::byte* FrameCache::allocate_anew(Bytes size, bool is_own) {
    std::byte* const block = m_source.allocate(m_source.object, size);
    if (block != nullptr || !is_own || m_kept == 0) {
        return block;
    }
    trim();
    return m_source.allocate(m_source.object, size);
}

void FrameCache::free(void* self, std::byte* block, Bytes size) {
    auto& cache = *static_cast<FrameCache*>(self);
    usize const list = list_of(size);
    if (!keeps_any || list >= list_count || !cache.m_executor.is_here() ||
        cache.m_kept + size_of(list).value > bytes_max) {
        cache.m_source.free(cache.m_source.object, block, size);
        return;
    }
    cache.m_free[list] = std::construct_at(room_for<Free>(block), cache.m_free[list]);
    cache.m_kept += size_of(list).value;
}

void FrameCache::trim() {
    for (usize list = 0; list < list_count; ++list) {
        while (Free* const first = m_free[list]) {
            m_free[list] = first->next;
            m_kept -= size_of(list).value;
            m_source.free(m_source.object, room_for<std::byte>(first), size_of(list));
        }
    }
    CHECK(m_kept == 0);
}

} // namespace twofold::async
