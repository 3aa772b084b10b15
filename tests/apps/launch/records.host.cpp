// The decoder of the result channel against an encoder of the test's own, and against garbage.
#include "apps/launch/records.hpp"
#include "tests/apps/launch/frames.hpp"

#include <gtest/gtest.h>

#include <random>
#include <stdexcept>

using namespace twofold;
using namespace twofold::launch;
using namespace twofold::launch::test;

namespace {

std::vector<std::string> decode(std::string_view stream, usize piece = SIZE_MAX) {
    RecordDecoder decoder;
    std::vector<std::string> lines;
    auto const sink = [&](Record const& record) { lines.push_back(to_json(record)); };
    auto rest = std::as_bytes(std::span(stream));
    while (!rest.empty()) {
        auto const part = rest.first(std::min(piece, rest.size()));
        decoder.feed(part, sink);
        rest = rest.subspan(part.size());
    }
    decoder.finish(sink);
    EXPECT_EQ(decoder.held_bytes(), 0u);
    return lines;
}

std::string one_of_each() {
    return frame(1, Payload().s("metal").s("0.1.0").s("full").u(0xFFFFFFFF80000000).u(4096)) +
           frame(2, Payload().s("memory").s("started")) + frame(3, Payload().u(12345)) +
           frame(4, Payload().s("cpu").i(-1).u(1).u(2)) + frame(5, Payload().s("Suite.Name")) +
           frame(6, Payload().s("Suite.Name").s("a.cpp").u(7).s("a == b").s("left is 1")) +
           frame(7, Payload().s("Suite.Name").s("failed").u(99).s("")) +
           frame(8, Payload().s("base").s("align").s(std::string_view("\0\xFF\n", 3))) +
           frame(9, Payload().s("it \"broke\"\nhere")) + frame(10, Payload().i(70)) +
           frame(11, Payload().u(3).u(1).u(0)) + frame(12, Payload());
}

std::vector<std::string> const one_of_each_json = {
    R"({"type":"hello","machine":"metal","version":"0.1.0","image":"full",)"
    R"("image_base":18446744071562067968,"image_size":4096})",
    R"({"type":"step","name":"memory","state":"started"})",
    R"({"type":"ready","cycles":12345})",
    R"({"type":"command","text":"cpu","status":-1,"cycles_before":1,"cycles_after":2})",
    R"({"type":"test_begin","test":"Suite.Name"})",
    R"({"type":"test_failure","test":"Suite.Name","file":"a.cpp","line":7,)"
    R"("expectation":"a == b","detail":"left is 1"})",
    R"({"type":"test_end","test":"Suite.Name","outcome":"failed","cycles":99,"reason":""})",
    R"({"type":"value","scenario":"base","name":"align","bytes":"00ff0a"})",
    R"({"type":"panic","text":"it \"broke\"\nhere"})",
    R"({"type":"exit","status":70})",
    R"({"type":"tests","passed":3,"failed":1,"skipped":0})",
    R"({"type":"reset"})",
};

} // namespace

TEST(RecordDecoder, YieldsEveryTypeInOrder) {
    EXPECT_EQ(decode(one_of_each()), one_of_each_json);
}

TEST(RecordDecoder, DoesNotMindWhereTheStreamIsCut) {
    std::string const stream = "firmware" + one_of_each();
    for (usize piece = 1; piece <= 64; ++piece) {
        ASSERT_EQ(decode(stream, piece), one_of_each_json) << piece;
    }
    for (usize cut = 0; cut <= stream.size(); ++cut) {
        RecordDecoder decoder;
        usize count = 0;
        auto const sink = [&](Record const&) { ++count; };
        auto const bytes = std::as_bytes(std::span(std::string_view(stream)));
        decoder.feed(bytes.first(cut), sink);
        decoder.feed(bytes.subspan(cut), sink);
        ASSERT_EQ(count, one_of_each_json.size()) << cut;
        ASSERT_EQ(decoder.skipped_bytes(), 8u) << cut;
        ASSERT_EQ(decoder.held_bytes(), 0u) << cut;
    }
}

TEST(RecordDecoder, SkipsGarbageBeforeBetweenAndAfter) {
    std::string const record = frame(3, Payload().u(1));
    std::string const line = R"({"type":"ready","cycles":1})";
    std::vector<std::string> const both = {line, line};
    for (std::string const garbage : {"x", "T", "T2", "T2F", "TTTT2F", "T2F\x1F", "SeaBIOS\r\n"}) {
        EXPECT_EQ(decode(garbage + record + garbage + record + garbage), both) << garbage;
        EXPECT_EQ(decode(garbage + record + garbage + record + garbage, 1), both) << garbage;
    }
}

TEST(RecordDecoder, AFalseHeaderDoesNotHideTheFramesBehindIt) {
    std::string const record = frame(3, Payload().u(1));
    std::string const greedy = std::string("T2F\x1E\x03") + "\xFF\xFF";
    EXPECT_EQ(decode(greedy + record).size(), 1u);
    EXPECT_EQ(decode(greedy + greedy + record + record, 3).size(), 2u);
    // And once enough bytes have come, without waiting for the end.
    RecordDecoder decoder;
    usize count = 0;
    std::string stream = greedy + record;
    stream.resize(stream.size() + 70000, 'x');
    decoder.feed(
        std::as_bytes(std::span(std::string_view(stream))), [&](Record const&) { ++count; });
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(decoder.skipped_bytes(), greedy.size() + 70000);
}

TEST(RecordDecoder, RefusesEveryFlippedBit) {
    std::string const record = frame(4, Payload().s("cpu").i(-1).u(1).u(2));
    for (usize bit = 0; bit < record.size() * 8; ++bit) {
        std::string damaged = record;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        ASSERT_TRUE(decode(damaged).empty()) << bit;
        ASSERT_EQ(decode(damaged + record).size(), 1u) << bit;
    }
}

TEST(RecordDecoder, YieldsNothingFromATruncatedFrame) {
    std::string const record = frame(9, Payload().s("panic at the disco"));
    for (usize length = 0; length < record.size(); ++length) {
        ASSERT_TRUE(decode(std::string_view(record).substr(0, length)).empty()) << length;
        ASSERT_EQ(decode(record.substr(0, length) + record).size(), 1u) << length;
    }
}

TEST(RecordDecoder, RefusesFieldsThatDoNotFitTheirSchema) {
    EXPECT_TRUE(decode(frame(3, Payload())).empty());      // a field is missing
    EXPECT_TRUE(decode(frame(3, Payload().i(1))).empty()); // of the wrong kind
    EXPECT_TRUE(decode(frame(2, Payload().s("name").u(1))).empty());
    EXPECT_TRUE(decode(frame(3, Payload{"x"})).empty());    // an unknown tag
    EXPECT_TRUE(decode(frame(3, Payload{"u123"})).empty()); // ends inside a number
    EXPECT_TRUE(decode(frame(9, Payload{"s"})).empty());    // ends inside a length
    EXPECT_TRUE(decode(frame(9, Payload{std::string("s\xFF\xFFx")})).empty());
}

TEST(RecordDecoder, PassesOnWhatLaterVersionsAdd) {
    std::vector<std::string> const expected = {
        R"({"type":"ready","cycles":1,"fields":["more",-2]})", R"({"type":200,"fields":[5]})",
        R"({"type":0})"};
    EXPECT_EQ(
        decode(
            frame(3, Payload().u(1).s("more").i(-2)) + frame(200, Payload().u(5)) +
            frame(0, Payload())),
        expected);
}

TEST(RecordDecoder, CarriesTheLongestFrameAndHoldsNoMore) {
    std::string const text(0xFFFF - 3, 'y');
    std::string const record = frame(9, Payload().s(text));
    RecordDecoder decoder;
    usize count = 0;
    for (int repeat = 0; repeat < 3; ++repeat) {
        decoder.feed(std::as_bytes(std::span(std::string_view(record))), [&](Record const& seen) {
            count += seen.text(0) == text ? 1 : 0;
        });
        EXPECT_LE(decoder.held_bytes(), record.size());
    }
    EXPECT_EQ(count, 3u);
}

TEST(RecordDecoder, FindsFramesInRandomNoise) {
    std::mt19937 random(1);
    std::string const record = frame(3, Payload().u(7));
    for (int round = 0; round < 200; ++round) {
        std::string stream;
        usize expected = 0;
        for (int part = 0; part < 20; ++part) {
            if (random() % 2 == 0) {
                stream += record;
                ++expected;
            } else {
                for (u32 left = random() % 50; left > 0; --left) {
                    stream += "T2F\x1E\x03\x09\x00x"[random() % 8];
                }
            }
        }
        ASSERT_EQ(decode(stream).size(), expected) << round;
        ASSERT_EQ(decode(stream, 1 + random() % 9).size(), expected) << round;
    }
}

TEST(Record, AnswersOnlyForFieldsThatItHas) {
    Record const record{RecordType::step, {std::string("a"), u64{1}, i64{-1}}};
    EXPECT_EQ(record.text(0), "a");
    EXPECT_EQ(record.number(1), 1u);
    EXPECT_EQ(record.signed_number(2), -1);
    EXPECT_THROW(record.text(1), std::logic_error);
    EXPECT_THROW(record.number(2), std::logic_error);
    EXPECT_THROW(record.signed_number(3), std::logic_error);
}

TEST(RecordJson, EscapesAndReplacesWhatIsNoUtf8) {
    auto const json = [](std::string text) {
        return to_json({RecordType::panic, {std::move(text)}});
    };
    auto const expect = [&](std::string text, std::string inner) {
        EXPECT_EQ(json(std::move(text)), R"({"type":"panic","text":")" + inner + "\"}");
    };
    expect("a\\\"b", R"(a\\\"b)");
    expect(std::string("\0\x1f\x7f\t", 4), R"(\u0000\u001f\u007f\u0009)");
    expect(
        "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x99\x82",
        "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x99\x82");
    expect("\xC3", R"(\ufffd)");                     // ends inside a sequence
    expect("\xC0\x80", R"(\ufffd\ufffd)");           // overlong
    expect("\xE0\x80\x80", R"(\ufffd\ufffd\ufffd)"); // overlong
    expect("\xED\xA0\x80", R"(\ufffd\ufffd\ufffd)"); // a surrogate
    expect("\xF4\x90\x80\x80", R"(\ufffd\ufffd\ufffd\ufffd)");
    expect("\xFFz", R"(\ufffdz)");
}
