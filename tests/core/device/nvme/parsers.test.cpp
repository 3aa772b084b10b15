// What a controller says of itself, sense or not; what a status means; where data lies.
#include "core/device/nvme/data_pointer.hpp"
#include "core/device/nvme/status.hpp"
#include "tests/support/test.hpp"

#include <algorithm>
#include <cstring>

using namespace twofold;
using namespace twofold::nvme;

namespace {

constexpr u64 nvm_set = u64{1} << 37;
constexpr Capabilities plain{nvm_set | 0x7f};

IdentifyController controller() {
    IdentifyController said;
    std::ranges::fill(said.serial, ' ');
    std::ranges::fill(said.model, ' ');
    std::ranges::fill(said.firmware, ' ');
    said.serial[0] = 'x';
    said.submission_entry_log2 = 0x66;
    said.completion_entry_log2 = 0x44;
    said.namespaces = 4;
    return said;
}

IdentifyNamespace name_space() {
    IdentifyNamespace said;
    said.blocks = said.capacity = 1000;
    said.format_list[0].data_log2 = 9;
    return said;
}

template<class T>
bool is(Result<T> const& result, Error error) {
    return !result.has_value() && result.error() == error;
}

} // namespace

TEST(NvmeIdentify, AControllerIsWhatItSays) {
    auto said = controller();
    said.data_size_max_log2 = 5;
    said.model[0] = 'a';
    said.model[1] = '\n';
    said.model[3] = 'b';
    said.sgl_support = 1;
    said.volatile_cache = 1;
    auto const facts = parse_controller(said, plain);
    ASSERT_TRUE(facts.has_value());
    EXPECT_EQ(facts.value().transfer_bytes_max, u64{128} << 10);
    EXPECT_EQ(facts.value().serial.view(), "x");
    EXPECT_EQ(facts.value().model.view(), "a? b");
    EXPECT_TRUE(facts.value().firmware.empty());
    EXPECT_TRUE(facts.value().sgl == SglSupport::bytes);
    EXPECT_TRUE(facts.value().has_volatile_cache);
    EXPECT_FALSE(facts.value().can_deallocate);
    EXPECT_EQ(facts.value().abort_limit, 1u);
}

TEST(NvmeIdentify, ALimitThatOverflowsIsNone) {
    for (u8 const log2 : {u8{0}, u8{33}, u8{64}, u8{255}}) {
        auto said = controller();
        said.data_size_max_log2 = log2;
        EXPECT_EQ(parse_controller(said, plain).value().transfer_bytes_max, ~u64{0});
    }
    auto said = controller();
    said.data_size_max_log2 = 1;
    EXPECT_EQ(parse_controller(said, plain).value().transfer_bytes_max, 8192u);
}

TEST(NvmeIdentify, ControllersThatCannotBeUsedAreRefused) {
    auto const with = [](u8 submission, u8 completion, Capabilities capabilities) {
        auto said = controller();
        said.submission_entry_log2 = submission;
        said.completion_entry_log2 = completion;
        return parse_controller(said, capabilities);
    };
    EXPECT_TRUE(with(0x66, 0x44, plain).has_value());
    EXPECT_TRUE(with(0x95, 0x43, plain).has_value());
    EXPECT_TRUE(is(with(0x77, 0x44, plain), Error::not_supported));
    EXPECT_TRUE(is(with(0x55, 0x44, plain), Error::not_supported));
    EXPECT_TRUE(is(with(0x56, 0x44, plain), Error::corrupted)); // needs more than it takes
    EXPECT_TRUE(is(with(0x66, 0x55, plain), Error::not_supported));
    EXPECT_TRUE(is(with(0x66, 0x44, {0x7f}), Error::not_supported)); // no such commands
    EXPECT_TRUE(
        is(with(0x66, 0x44, {nvm_set | u64{1} << 48 | u64{1} << 52}), Error::not_supported));
    auto said = controller();
    said.namespaces = all_namespaces;
    EXPECT_TRUE(is(parse_controller(said, plain), Error::corrupted));
}

TEST(NvmeIdentify, ANamespaceIsWhatItSays) {
    auto said = name_space();
    said.formats = 2;
    said.format = 0x12; // of which only the lowest bits are its number
    said.format_list[2].data_log2 = 12;
    said.attributes = 1;
    auto const facts = parse_namespace(said);
    ASSERT_TRUE(facts.has_value());
    EXPECT_EQ(facts.value().blocks, 1000u);
    EXPECT_EQ(facts.value().block_log2, 12u);
    EXPECT_TRUE(facts.value().is_read_only);
}

TEST(NvmeIdentify, NamespacesThatCannotBeUsedAreRefused) {
    struct Case {
        void (*spoil)(IdentifyNamespace& said);
        Error error;
    };
    constexpr Case cases[] = {
        {[](IdentifyNamespace& said) { said.blocks = 0; }, Error::not_found},
        {[](IdentifyNamespace& said) { said.format = 1; }, Error::corrupted},
        {[](IdentifyNamespace& said) { said.formats = 16; }, Error::corrupted},
        {[](IdentifyNamespace& said) { said.format_list[0].data_log2 = 0; }, Error::corrupted},
        {[](IdentifyNamespace& said) { said.format_list[0].data_log2 = 8; }, Error::corrupted},
        {[](IdentifyNamespace& said) { said.format_list[0].data_log2 = 17; }, Error::not_supported},
        {[](IdentifyNamespace& said) { said.format_list[0].data_log2 = 255; },
         Error::not_supported},
        {[](IdentifyNamespace& said) { said.format_list[0].metadata_bytes = 8; },
         Error::not_supported},
        {[](IdentifyNamespace& said) { said.protection = 1; }, Error::not_supported},
        {[](IdentifyNamespace& said) { said.blocks = said.capacity = ~u64{0} >> 9; },
         Error::corrupted},
        {[](IdentifyNamespace& said) { said.capacity = 1001; }, Error::corrupted},
        {[](IdentifyNamespace& said) { said.used = 1001; }, Error::corrupted}};
    for (Case const& each : cases) {
        auto said = name_space();
        each.spoil(said);
        EXPECT_TRUE(is(parse_namespace(said), each.error));
    }
}

TEST(NvmeIdentify, AListOfNamespacesRises) {
    static u32 numbers[namespace_list_max];
    std::ranges::fill(numbers, 0u);
    auto const parse = [] {
        return parse_namespace_list(std::span<u32 const, 1024>(numbers), 100);
    };
    EXPECT_TRUE(parse().value().empty());
    numbers[0] = 3;
    numbers[1] = 100;
    numbers[3] = 7; // behind the end
    ASSERT_EQ(parse().value().size(), 2u);
    EXPECT_EQ(parse().value()[1], 100u);
    numbers[1] = 3;
    EXPECT_TRUE(is(parse(), Error::corrupted));
    numbers[1] = 101;
    EXPECT_TRUE(is(parse(), Error::corrupted));
    for (u32 i = 0; i < namespace_list_max; ++i) {
        numbers[i] = i + 1;
    }
    EXPECT_EQ(parse().value().size(), namespaces_max); // and no more
}

TEST(NvmeIdentify, AGeometryIsWhatBothSidesCan) {
    ControllerFacts controller;
    controller.transfer_bytes_max = 65536;
    NamespaceFacts const space{.blocks = 100, .block_log2 = 12};
    TransferLimits const limits{.bytes_max = 131072, .segments_max = 8};
    auto geometry = geometry_of(controller, space, limits, VolatileCache::off);
    EXPECT_EQ(geometry.sectors_max, 16u);
    EXPECT_EQ(geometry.segment_boundary, 4096u);
    EXPECT_EQ(geometry.segment_alignment, 4u);
    EXPECT_FALSE(geometry.has_volatile_cache);
    controller.sgl = SglSupport::bytes;
    controller.transfer_bytes_max = ~u64{0};
    geometry = geometry_of(controller, space, limits, VolatileCache::on);
    EXPECT_EQ(geometry.sectors_max, 32u);
    EXPECT_EQ(geometry.segment_boundary, 1u);
    EXPECT_EQ(geometry.segment_alignment, 1u);
    EXPECT_TRUE(geometry.has_volatile_cache);
}

TEST(NvmeStatus, EveryStatusIsATrueError) {
    for (u32 word = 1; word < 0x800; ++word) {
        Verdict const verdict = verdict_of({static_cast<u16>(word)});
        EXPECT_FALSE(verdict_of({static_cast<u16>(word | do_not_retry)}).may_retry);
        EXPECT_EQ(verdict.error, verdict_of({static_cast<u16>(word | do_not_retry)}).error);
        // What cannot come to an end by being done again is not.
        bool const is_final =
            verdict.error == Error::invalid_argument || verdict.error == Error::corrupted ||
            verdict.error == Error::out_of_range || verdict.error == Error::not_supported ||
            verdict.error == Error::permission_denied;
        EXPECT_FALSE(is_final && verdict.may_retry);
    }
    EXPECT_EQ(verdict_of({status::lba_out_of_range}), (Verdict{Error::out_of_range, false}));
    EXPECT_EQ(verdict_of({status::unrecovered_read}), (Verdict{Error::corrupted, false}));
    EXPECT_EQ(verdict_of({status::internal_error}), (Verdict{Error::io_failed, true}));
    EXPECT_EQ(
        verdict_of({status::internal_error | do_not_retry}), (Verdict{Error::io_failed, false}));
    EXPECT_EQ(verdict_of({status::write_fault}), (Verdict{Error::io_failed, true}));
    EXPECT_EQ(verdict_of({status::namespace_not_ready}), (Verdict{Error::busy, true}));
    EXPECT_EQ(
        verdict_of({status::namespace_write_protected}),
        (Verdict{Error::permission_denied, false}));
    EXPECT_EQ(verdict_of({status::aborted_by_request}), (Verdict{Error::timed_out, false}));
    EXPECT_EQ(verdict_of({status::invalid_namespace}), (Verdict{Error::cancelled, false}));
    EXPECT_EQ(verdict_of({0x7ff}), (Verdict{Error::io_failed, true}));
}

namespace {

constexpr u64 list_at = 0x7000'0100; // not at the beginning of its page
constexpr usize list_words = 480;    // up to its end

/// The data of a command, piece by piece, as a controller would find it: what lies at byte
/// `offset`.
u64 address_by_prp(Command const& command, std::span<u64 const> list, u64 bytes, u64 offset) {
    u64 const in_first = 4096 - command.data[0] % 4096;
    if (offset < in_first) {
        return command.data[0] + offset;
    }
    u64 const page = (offset - in_first) / 4096, within = (offset - in_first) % 4096;
    bool const has_list = bytes > in_first + 4096;
    if (!has_list) {
        return command.data[1] + within;
    }
    if (command.data[1] != list_at || page >= list.size()) {
        return 0;
    }
    return list[page] + within;
}

} // namespace

TEST(NvmePrp, NamesEveryByteFromEveryOffset) {
    static u64 list[list_words];
    for (u64 offset = 0; offset < 4096; offset += 4) {
        for (u64 const sectors : {1u, 7u, 8u, 9u, 16u, 17u, 255u, 1024u}) {
            u64 const begin = 0x1'0000'0000 + offset, bytes = sectors * 512;
            Piece const piece{{begin}, static_cast<u32>(bytes)};
            Command command;
            auto const data = point_to(
                command, std::span(&piece, 1), SglSupport::none,
                {std::span(list), hal::DmaAddress{list_at}});
            ASSERT_TRUE(data.has_value());
            u64 const pages = (begin + bytes - 1) / 4096 - begin / 4096 + 1;
            EXPECT_EQ(data.value().descriptors, pages);
            EXPECT_EQ(data.value().has_list, pages > 2);
            for (u64 at = 0; at < bytes; at += 512) {
                ASSERT_EQ(address_by_prp(command, list, bytes, at), begin + at);
            }
            ASSERT_EQ(address_by_prp(command, list, bytes, bytes - 1), begin + bytes - 1);
            EXPECT_TRUE(pages > 1 || command.data[1] == 0);
        }
    }
}

TEST(NvmePrp, NamesPagesThatLieApart) {
    static u64 list[list_words];
    Piece pieces[9];
    for (u32 i = 0; i < 9; ++i) {
        pieces[i] = {{0x9000'0000 - u64{i} * 0x10000}, 4096};
    }
    pieces[0] = {{0x9000'0e00}, 512};
    pieces[4].bytes = 3 * 4096;
    pieces[8].bytes = 1024;
    Command command;
    auto const data =
        point_to(command, pieces, SglSupport::none, {std::span(list), hal::DmaAddress{list_at}});
    ASSERT_TRUE(data.has_value());
    EXPECT_EQ(data.value().descriptors, 11u);
    u64 offset = 0;
    constexpr u64 bytes = 512 + 6 * 4096 + 3 * 4096 + 1024;
    for (Piece const& piece : pieces) {
        for (u64 at = 0; at < piece.bytes; at += 512) {
            EXPECT_EQ(address_by_prp(command, list, bytes, offset + at), piece.address.value + at);
        }
        offset += piece.bytes;
    }
}

TEST(NvmePrp, RefusesWhatItCannotName) {
    static u64 list[4];
    ListRoom const room{std::span(list), hal::DmaAddress{list_at}};
    Command command;
    constexpr Piece odd[] = {{{0x1002}, 512}};
    constexpr Piece hole[] = {{{0x1000}, 512}, {{0x5000}, 512}};
    constexpr Piece late[] = {{{0x1000}, 4096}, {{0x5200}, 512}};
    constexpr Piece large[] = {{{0x1000}, 6 * 4096}};
    constexpr Piece fits[] = {{{0x1000}, 5 * 4096}};
    EXPECT_TRUE(is(point_to(command, odd, SglSupport::none, room), Error::invalid_argument));
    EXPECT_TRUE(is(point_to(command, hole, SglSupport::none, room), Error::invalid_argument));
    EXPECT_TRUE(is(point_to(command, late, SglSupport::none, room), Error::invalid_argument));
    EXPECT_TRUE(is(point_to(command, large, SglSupport::none, room), Error::no_space));
    EXPECT_TRUE(point_to(command, fits, SglSupport::none, room).has_value());
}

TEST(NvmeSgl, OnePieceIsOneDescriptor) {
    static u64 list[64];
    ListRoom const room{std::span(list), hal::DmaAddress{list_at}};
    Command command;
    Piece const piece{{0x1'2345'6000}, 128u << 10};
    auto const data = point_to(command, std::span(&piece, 1), SglSupport::bytes, room);
    ASSERT_TRUE(data.has_value());
    EXPECT_EQ(data.value().descriptors, 1u);
    EXPECT_FALSE(data.value().has_list);
    EXPECT_EQ(command.flags, data_by_sgl);
    SglDescriptor first;
    std::memcpy(&first, command.data, sizeof(first));
    EXPECT_EQ(first.address, piece.address.value);
    EXPECT_EQ(first.bytes, piece.bytes);
    EXPECT_EQ(first.type, sgl_data_block);
}

TEST(NvmeSgl, PiecesOfAnyShapeAreListed) {
    static u64 list[8];
    ListRoom const room{std::span(list), hal::DmaAddress{list_at}};
    Command command;
    constexpr Piece pieces[] = {{{0x1001}, 3}, {{0x9fff}, 510}, {{0x2000}, 511}, {{0x3000}, 1}};
    auto const data = point_to(command, pieces, SglSupport::bytes, room);
    ASSERT_TRUE(data.has_value());
    EXPECT_EQ(data.value().descriptors, 4u);
    SglDescriptor segment;
    std::memcpy(&segment, command.data, sizeof(segment));
    EXPECT_EQ(segment.type, sgl_last_segment);
    EXPECT_EQ(segment.address, list_at);
    EXPECT_EQ(segment.bytes, 64u);
    for (usize i = 0; i < 4; ++i) {
        SglDescriptor each;
        std::memcpy(&each, &list[i * 2], sizeof(each));
        EXPECT_EQ(each.address, pieces[i].address.value);
        EXPECT_EQ(each.bytes, pieces[i].bytes);
        EXPECT_EQ(each.type, sgl_data_block);
    }
    constexpr Piece five[] = {{{1}, 1}, {{3}, 1}, {{5}, 1}, {{7}, 1}, {{9}, 1}};
    EXPECT_TRUE(is(point_to(command, five, SglSupport::bytes, room), Error::no_space));
}
