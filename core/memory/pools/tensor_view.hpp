// TensorView: bytes of a TensorPool as a tensor of up to four dimensions. Narrowing, selecting,
// transposing and reshaping give further views of the same bytes; each is a share, so the bytes
// live as long as any of them.
//
// An element is the smallest piece that is addressed: a number, or a block of quantised ones (34
// bytes for 32 weights of Q8_0). Strides are in bytes; one of 0 shows the same bytes again and
// again. What the elements mean is the business of whoever computes with them.
#pragma once

#include "core/memory/pools/tensor_pool.hpp"

namespace twofold::memory {

/// The last dimension is the innermost.
struct TensorShape {
    static constexpr usize rank_max = 4; // as GGUF has it

    Bytes element{};
    usize rank = 0;
    u64 extents[rank_max] = {};
    u64 strides[rank_max] = {}; ///< in bytes

    /// Elements side by side. Errors: invalid_argument (no dimension or more than rank_max, an
    /// extent or element of 0), out_of_range (more bytes than a word can count). O(rank).
    static Result<TensorShape> of(Bytes element, std::span<u64 const> extents);

    /// Bytes from the first element's beginning to the last one's end. Errors: as of's. O(rank).
    Result<Bytes> reach() const;
    u64 elements() const;
    /// The first dimension from which on elements lie side by side; `rank` if none does.
    usize contiguous_from() const;
    bool is_contiguous() const { return contiguous_from() == 0; }
};

/// Moves. Operations that return a view take a share; none copies elements but copy_from.
class [[nodiscard]] TensorView {
public:
    /// Errors: those of TensorShape::reach; out_of_range (the bytes are fewer). O(rank).
    static Result<TensorView> create(TensorBytes bytes, TensorShape const& shape);

    TensorShape const& shape() const { return m_shape; }
    /// All that the view may touch, gaps between its elements included.
    TensorBytes const& bytes() const { return m_bytes; }
    TensorView share() const { return TensorView(m_bytes.share(), m_shape); }

    /// One element. Errors: invalid_argument (not one number a dimension), out_of_range. O(rank).
    Result<std::span<std::byte>> at(std::span<u64 const> index) const;

    /// `count` from `first` on of one dimension. Errors: invalid_argument (no such dimension, count
    /// 0), out_of_range. O(rank), as those that follow.
    Result<TensorView> narrow(usize dimension, u64 first, u64 count) const;
    /// One of a dimension, which goes. Errors: as narrow's; invalid_argument of the only dimension.
    Result<TensorView> select(usize dimension, u64 index) const;
    /// Two dimensions change places. Errors: invalid_argument.
    Result<TensorView> transpose(usize a, usize b) const;
    /// The same elements in other dimensions. Errors: invalid_state (they do not lie side by side),
    /// invalid_argument (other elements in number), those of TensorShape::of.
    Result<TensorView> reshape(std::span<u64 const> extents) const;

    /// Copies the elements of a view of the same shape, whatever its strides, in the longest runs
    /// that lie side by side in both. Errors: invalid_argument (another shape, or bytes that
    /// overlap). O(bytes).
    Result<void> copy_from(TensorView const& other) const;

private:
    TensorView(TensorBytes bytes, TensorShape const& shape)
        : m_bytes(std::move(bytes)), m_shape(shape) {}

    TensorBytes m_bytes;
    TensorShape m_shape;
};

} // namespace twofold::memory
