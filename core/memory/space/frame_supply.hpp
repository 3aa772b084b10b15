// Where address spaces get their frames from: a concept, and a reference to anything that models
// it.
#pragma once

#include "core/base/base.hpp"

#include <concepts>

namespace twofold::memory {

/// Gives out blocks of 2^order pages, aligned to their size, and takes them back.
template<class S>
concept FrameSource = requires(S& source, PhysAddr frame, unsigned order) {
    /// 2^order pages whose content is undefined. Errors: out_of_memory; invalid_argument for an
    /// order that the source does not know.
    { source.allocate(order) } -> std::same_as<Result<PhysAddr>>;
    { source.free(frame, order) } -> std::same_as<Result<void>>;
};

/// A source whose blocks can be divided. One that cannot gives single frames only: then there are
/// no large pages.
template<class S>
concept DividingFrameSource =
    FrameSource<S> && requires(S& source, PhysAddr frame, unsigned order) {
        /// The frames of an allocated block count as allocated one by one from now on.
        { source.split(frame, order) } -> std::same_as<Result<void>>;
    };

/// A reference to a FrameSource, which must outlive it. One indirect call an operation.
class FrameSupply {
public:
    template<FrameSource S>
        requires(!std::same_as<S, FrameSupply>)
    explicit FrameSupply(S& source)
        : m_source(std::addressof(source)),
          m_allocate([](void* object, unsigned order) {
              return allocate_from(*static_cast<S*>(object), order);
          }),
          m_free([](void* object, PhysAddr frame) {
              return static_cast<S*>(object)->free(frame, 0);
          }) {}

    /// A block that is given back frame by frame. Errors: as the source's; not_supported for an
    /// order above 0 from a source that cannot divide.
    Result<PhysAddr> allocate(unsigned order) { return m_allocate(m_source, order); }
    /// Gives one frame back.
    Result<void> free(PhysAddr frame) { return m_free(m_source, frame); }

private:
    template<FrameSource S>
    static Result<PhysAddr> allocate_from(S& source, unsigned order) {
        if constexpr (DividingFrameSource<S>) {
            PhysAddr const block = TRY(source.allocate(order));
            if (order > 0) {
                source.split(block, order).value(); // it has just been given out
            }
            return block;
        } else {
            return order == 0 ? source.allocate(0) : Result<PhysAddr>(Error::not_supported);
        }
    }

    void* m_source;
    Result<PhysAddr> (*m_allocate)(void*, unsigned);
    Result<void> (*m_free)(void*, PhysAddr);
};

} // namespace twofold::memory
