// Shaped views of tensors: what they show, what they hold, copies between strides, bad shapes.
#include "tests/core/memory/pools/tensors.hpp"

#include <array>

namespace twofold::memory::testing {
namespace {

TensorView view_of(TensorsUnderTest& test, std::initializer_list<u64> extents) {
    TensorShape const shape = TensorShape::of(4_B, {extents.begin(), extents.size()}).value();
    TensorBytes bytes = allocate(test, TensorClass::activations, shape.reach().value());
    auto const numbers = std::span(room_for<u32>(bytes.bytes().data()), shape.elements());
    for (u32 i = 0; i < numbers.size(); ++i) {
        numbers[i] = i;
    }
    return TensorView::create(std::move(bytes), shape).value();
}
u32 number_at(TensorView const& view, std::initializer_list<u64> index) {
    return *room_for<u32>(view.at({index.begin(), index.size()}).value().data());
}
Error refused_at(TensorView const& view, std::initializer_list<u64> index) {
    return view.at({index.begin(), index.size()}).error();
}

TEST(TensorView, ShowsTheSameBytesInOtherShapes) {
    TensorsUnderTest test;
    TensorView const whole = view_of(test, {2, 3, 4});
    EXPECT_EQ(number_at(whole, {1, 2, 3}), 23u);
    EXPECT_EQ(refused_at(whole, {1, 2}), Error::invalid_argument);
    EXPECT_EQ(refused_at(whole, {1, 3, 0}), Error::out_of_range);
    EXPECT_TRUE(whole.shape().is_contiguous());

    TensorView const turned = whole.transpose(0, 2).value();
    EXPECT_EQ(number_at(turned, {3, 2, 1}), 23u);
    EXPECT_EQ(number_at(turned, {1, 0, 0}), 1u);
    EXPECT_FALSE(turned.shape().is_contiguous());
    EXPECT_EQ(turned.transpose(0, 3).error(), Error::invalid_argument);

    TensorView const row = whole.select(0, 1).value();
    EXPECT_EQ(row.shape().rank, 2u);
    EXPECT_EQ(number_at(row, {0, 0}), 12u);
    EXPECT_EQ(row.bytes().size(), 48_B);
    TensorView const column = row.narrow(1, 1, 2).value();
    EXPECT_EQ(number_at(column, {2, 1}), 22u);
    EXPECT_EQ(column.bytes().size(), 40_B); // with the gaps
    EXPECT_EQ(column.shape().contiguous_from(), 1u);
    EXPECT_EQ(row.narrow(1, 3, 2).error(), Error::out_of_range);
    EXPECT_EQ(row.narrow(1, ~u64{0}, 2).error(), Error::out_of_range);
    EXPECT_EQ(row.narrow(2, 0, 1).error(), Error::invalid_argument);
    EXPECT_EQ(row.narrow(0, 0, 0).error(), Error::invalid_argument);
    EXPECT_EQ(row.select(0, 3).error(), Error::out_of_range);

    u64 const flat[] = {24};
    u64 const wrong[] = {25};
    TensorView const line = whole.reshape(flat).value();
    EXPECT_EQ(number_at(line, {13}), 13u);
    EXPECT_EQ(whole.reshape(wrong).error(), Error::invalid_argument);
    EXPECT_EQ(turned.reshape(flat).error(), Error::invalid_state);
    EXPECT_EQ(line.select(0, 1).error(), Error::invalid_argument);
    EXPECT_EQ(whole.bytes().shares(), 5u);
    EXPECT_EQ(number_at(whole.share(), {0, 1, 2}), 6u);
}

TEST(TensorView, HoldsItsBytes) {
    TensorsUnderTest test;
    std::optional<TensorView> last;
    {
        TensorView const whole = view_of(test, {10, 10});
        last.emplace(whole.select(0, 7).value());
    }
    EXPECT_EQ(test->statistics(TensorClass::activations).blocks, 1u);
    EXPECT_EQ(number_at(*last, {5}), 75u);
    last.reset();
    EXPECT_EQ(test->statistics(TensorClass::activations).blocks, 0u);
}

TEST(TensorView, CopiesBetweenStrides) {
    TensorsUnderTest test;
    TensorView const source = view_of(test, {6, 5, 4});
    TensorView const target = view_of(test, {4, 5, 6});
    target.bytes().fill(0);
    ASSERT_TRUE(target.copy_from(source.transpose(0, 2).value()).has_value());
    for (u64 i = 0; i < 4; ++i) {
        for (u64 j = 0; j < 5; ++j) {
            for (u64 k = 0; k < 6; ++k) {
                ASSERT_EQ(number_at(target, {i, j, k}), number_at(source, {k, j, i}));
            }
        }
    }
    // A window of rows, whose runs are two dimensions long at once.
    TensorView const part = source.narrow(0, 2, 3).value();
    TensorView const same = view_of(test, {3, 5, 4});
    ASSERT_TRUE(same.copy_from(part).has_value());
    EXPECT_EQ(number_at(same, {2, 4, 3}), number_at(source, {4, 4, 3}));
    TensorView const inner = source.narrow(2, 1, 2).value();
    TensorView const small = view_of(test, {6, 5, 2});
    ASSERT_TRUE(small.copy_from(inner).has_value());
    EXPECT_EQ(number_at(small, {5, 4, 1}), number_at(source, {5, 4, 2}));
    EXPECT_EQ(small.copy_from(source).error(), Error::invalid_argument);
    EXPECT_EQ(source.copy_from(source.share()).error(), Error::invalid_argument);
}

TEST(TensorView, RefusesShapesThatDoNotFit) {
    TensorsUnderTest test;
    u64 const extents[] = {3, 4};
    u64 const five[] = {1, 1, 1, 1, 1};
    u64 const empty[] = {3, 0};
    u64 const huge[] = {u64{1} << 40, u64{1} << 40};
    EXPECT_EQ(TensorShape::of(4_B, {}).error(), Error::invalid_argument);
    EXPECT_EQ(TensorShape::of(4_B, five).error(), Error::invalid_argument);
    EXPECT_EQ(TensorShape::of(0_B, extents).error(), Error::invalid_argument);
    EXPECT_EQ(TensorShape::of(4_B, empty).error(), Error::invalid_argument);
    EXPECT_EQ(TensorShape::of(4_B, huge).error(), Error::out_of_range);
    TensorBytes const bytes = allocate(test, TensorClass::weights, 48_B);
    TensorShape shape = TensorShape::of(4_B, extents).value();
    EXPECT_TRUE(TensorView::create(bytes.share(), shape).has_value());
    shape.strides[0] = 17;
    EXPECT_EQ(TensorView::create(bytes.share(), shape).error(), Error::out_of_range);
    shape.strides[0] = ~u64{0} / 2 + 1; // wraps to 0 when doubled
    EXPECT_EQ(TensorView::create(bytes.share(), shape).error(), Error::out_of_range);
    shape.strides[0] = 0; // the same row again and again
    TensorView const rows = TensorView::create(bytes.share(), shape).value();
    EXPECT_EQ(rows.at(std::array<u64, 2>{2, 1}).value().data(), bytes.bytes().data() + 4);
    shape.rank = 0;
    EXPECT_EQ(TensorView::create(bytes.share(), shape).error(), Error::invalid_argument);
    shape.rank = 5;
    EXPECT_EQ(TensorView::create(bytes.share(), shape).error(), Error::invalid_argument);
    // Blocks of quantised weights: 34 bytes each.
    u64 const blocks[] = {2, 3};
    TensorShape const quantised = TensorShape::of(34_B, blocks).value();
    EXPECT_EQ(quantised.reach().value(), 204_B);
    EXPECT_EQ(
        TensorView::create(allocate(test, TensorClass::weights, 203_B), quantised).error(),
        Error::out_of_range);
}

} // namespace
} // namespace twofold::memory::testing
