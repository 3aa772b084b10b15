// Shares of the blocks of a TensorPool, and shaped views of them.
#include "core/memory/pools/tensor_view.hpp"
#include "hal/memory.hpp"

#include <algorithm>

namespace twofold::memory {

namespace {

bool lies_within(u64 offset, u64 size, u64 whole) {
    return offset <= whole && size <= whole - offset;
}

} // namespace

TensorBytes::~TensorBytes() {
    // The order of the drops before it is what the last one sees when the block goes.
    if (m_pool != nullptr && m_extent->shares.fetch_sub(1, acquire_release) == 1) {
        m_pool->give_back(*m_extent);
    }
}

TensorBytes TensorBytes::share() const {
    CHECK(m_pool != nullptr);
    u32 const before = m_extent->shares.fetch_add(1, relaxed);
    CHECK(before != 0 && before != ~u32{0});
    return TensorBytes(*m_pool, *m_extent, m_bytes);
}

Result<TensorBytes> TensorBytes::part(Bytes offset, Bytes size) const {
    if (size.value == 0) {
        return Error::invalid_argument;
    }
    if (!lies_within(offset.value, size.value, m_bytes.size())) {
        return Error::out_of_range;
    }
    TensorBytes made = share();
    made.m_bytes = m_bytes.subspan(offset.value, size.value);
    return made;
}

Result<void> TensorBytes::write(Bytes offset, std::span<std::byte const> source) const {
    if (!lies_within(offset.value, source.size(), m_bytes.size())) {
        return Error::out_of_range;
    }
    hal::Memory::copy_bulk(m_bytes.subspan(offset.value).data(), source.data(), {source.size()});
    return {};
}

Result<void> TensorBytes::read(std::span<std::byte> target, Bytes offset) const {
    if (!lies_within(offset.value, target.size(), m_bytes.size())) {
        return Error::out_of_range;
    }
    hal::Memory::copy_bulk(target.data(), m_bytes.subspan(offset.value).data(), {target.size()});
    return {};
}

void TensorBytes::fill(u64 word) const {
    usize const whole = align_down(m_bytes.size(), sizeof(u64));
    hal::Memory::fill_bulk(m_bytes.data(), word, {whole});
    auto const rest = m_bytes.subspan(whole);
    std::ranges::copy(std::as_bytes(std::span(&word, 1)).first(rest.size()), rest.begin());
}

TensorHandle TensorBytes::handle() const {
    CHECK(m_pool != nullptr);
    return {m_pool->m_extents->handle_of(m_extent).value(), m_extent->serial};
}

u32 TensorBytes::shares() const {
    return m_extent == nullptr ? 0 : m_extent->shares.load(relaxed);
}

Result<TensorShape> TensorShape::of(Bytes element, std::span<u64 const> extents) {
    if (extents.empty() || extents.size() > rank_max || element.value == 0) {
        return Error::invalid_argument;
    }
    TensorShape shape{.element = element, .rank = extents.size()};
    u64 stride = element.value;
    for (usize i = extents.size(); i-- > 0;) {
        shape.extents[i] = extents[i];
        shape.strides[i] = stride;
        if (extents[i] == 0) {
            return Error::invalid_argument;
        }
        if (__builtin_mul_overflow(stride, extents[i], &stride)) {
            return Error::out_of_range;
        }
    }
    return shape;
}

Result<Bytes> TensorShape::reach() const {
    if (rank == 0 || rank > rank_max || element.value == 0) {
        return Error::invalid_argument;
    }
    u64 end = element.value;
    for (usize i = 0; i < rank; ++i) {
        if (extents[i] == 0) {
            return Error::invalid_argument;
        }
        u64 last = 0;
        if (__builtin_mul_overflow(extents[i] - 1, strides[i], &last) ||
            __builtin_add_overflow(end, last, &end)) {
            return Error::out_of_range;
        }
    }
    return Bytes{end};
}

u64 TensorShape::elements() const {
    u64 count = 1;
    for (usize i = 0; i < rank; ++i) {
        count *= extents[i];
    }
    return count;
}

usize TensorShape::contiguous_from() const {
    u64 stride = element.value;
    usize first = rank;
    while (first > 0 && (strides[first - 1] == stride || extents[first - 1] == 1)) {
        --first;
        stride *= extents[first];
    }
    return first;
}

Result<TensorView> TensorView::create(TensorBytes bytes, TensorShape const& shape) {
    Bytes const reach = TRY(shape.reach());
    if (reach > bytes.size()) {
        return Error::out_of_range;
    }
    return TensorView(std::move(bytes), shape);
}

Result<std::span<std::byte>> TensorView::at(std::span<u64 const> index) const {
    if (index.size() != m_shape.rank) {
        return Error::invalid_argument;
    }
    u64 offset = 0;
    for (usize i = 0; i < index.size(); ++i) {
        if (index[i] >= m_shape.extents[i]) {
            return Error::out_of_range;
        }
        offset += index[i] * m_shape.strides[i]; // below the reach: cannot wrap
    }
    return m_bytes.bytes().subspan(offset, m_shape.element.value);
}

Result<TensorView> TensorView::narrow(usize dimension, u64 first, u64 count) const {
    if (dimension >= m_shape.rank || count == 0) {
        return Error::invalid_argument;
    }
    if (!lies_within(first, count, m_shape.extents[dimension])) {
        return Error::out_of_range;
    }
    TensorShape shape = m_shape;
    shape.extents[dimension] = count;
    Bytes const offset{first * m_shape.strides[dimension]};
    Bytes const reach = TRY(shape.reach());
    return TensorView(TRY(m_bytes.part(offset, reach)), shape);
}

Result<TensorView> TensorView::select(usize dimension, u64 index) const {
    if (m_shape.rank < 2) {
        return Error::invalid_argument;
    }
    TensorView one = TRY(narrow(dimension, index, 1));
    TensorShape& shape = one.m_shape;
    for (usize i = dimension; i + 1 < shape.rank; ++i) {
        shape.extents[i] = shape.extents[i + 1];
        shape.strides[i] = shape.strides[i + 1];
    }
    --shape.rank;
    return one;
}

Result<TensorView> TensorView::transpose(usize a, usize b) const {
    if (a >= m_shape.rank || b >= m_shape.rank) {
        return Error::invalid_argument;
    }
    TensorView made = share();
    std::swap(made.m_shape.extents[a], made.m_shape.extents[b]);
    std::swap(made.m_shape.strides[a], made.m_shape.strides[b]);
    return made;
}

Result<TensorView> TensorView::reshape(std::span<u64 const> extents) const {
    if (!m_shape.is_contiguous()) {
        return Error::invalid_state;
    }
    TensorShape const shape = TRY(TensorShape::of(m_shape.element, extents));
    if (shape.elements() != m_shape.elements()) {
        return Error::invalid_argument;
    }
    return TensorView(m_bytes.share(), shape);
}

Result<void> TensorView::copy_from(TensorView const& other) const {
    TensorShape const& from = other.m_shape;
    bool const alike =
        from.rank == m_shape.rank && from.element == m_shape.element &&
        std::ranges::equal(
            std::span(from.extents, from.rank), std::span(m_shape.extents, m_shape.rank));
    auto const target = m_bytes.bytes();
    auto const source = other.m_bytes.bytes();
    VirtAddr const to = hal::kernel_address(target.data());
    VirtAddr const at = hal::kernel_address(source.data());
    if (!alike || ranges_overlap(to.value, target.size(), at.value, source.size())) {
        return Error::invalid_argument;
    }
    usize const outer = std::max(m_shape.contiguous_from(), from.contiguous_from());
    u64 run = m_shape.element.value;
    u64 runs = 1;
    for (usize i = 0; i < m_shape.rank; ++i) {
        (i < outer ? runs : run) *= m_shape.extents[i];
    }
    u64 index[TensorShape::rank_max] = {};
    u64 to_offset = 0;
    u64 from_offset = 0;
    for (u64 done = 0; done < runs; ++done) {
        hal::Memory::copy_bulk(
            target.subspan(to_offset).data(), source.subspan(from_offset).data(), {run});
        for (usize i = outer; i-- > 0;) { // count up, the last dimension fastest
            to_offset += m_shape.strides[i];
            from_offset += from.strides[i];
            if (++index[i] < m_shape.extents[i]) {
                break;
            }
            to_offset -= m_shape.strides[i] * index[i];
            from_offset -= from.strides[i] * index[i];
            index[i] = 0;
        }
    }
    return {};
}

} // namespace twofold::memory
