// Memory as devices see it: on machines that watch what a device reaches and on those that do not.
#include "hal/dma.hpp"

#include "core/boot/boot.hpp"
#include "hal/cpu.hpp"
#include "hal/pci.hpp"
#include "tests/support/test.hpp"

using namespace twofold;

namespace {

using hal::Dma;
using hal::DmaDirection;
using hal::DmaDomain;

constexpr DmaDirection directions[] = {
    DmaDirection::to_device, DmaDirection::from_device, DmaDirection::both};

/// Some frames of the kernel's.
class Frames {
public:
    explicit Frames(u64 pages)
        : m_frames(*boot::current_kernel().frames),
          m_pages(pages),
          m_first(m_frames.allocate({.pages = pages}).value()) {}
    ~Frames() { m_frames.free_pages(m_first, m_pages).value(); }
    Frames(Frames const&) = delete;
    Frames& operator=(Frames const&) = delete;

    PhysAddr first() const { return m_first; }

private:
    memory::BuddyFrames& m_frames;
    u64 m_pages;
    PhysAddr m_first;
};

/// The views of all functions of the first buses, and that of none.
template<class Visit>
void for_each_domain(Visit&& visit) {
    visit(DmaDomain{});
    for (u8 bus = 0; bus < 2 && hal::Pci::space_bytes(0, bus) != 0; ++bus) {
        for (u8 device = 0; device < hal::PciAddress::devices; ++device) {
            visit(Dma::domain({0, bus, device, 0}));
        }
    }
}

} // namespace

TEST(Dma, APieceOfMemoryIsOnePieceForTheDevice) {
    Frames const frames(4);
    for_each_domain([&](DmaDomain domain) {
        for (DmaDirection const direction : directions) {
            auto const whole = Dma::map(domain, frames.first(), page_size * 4, direction);
            ASSERT_TRUE(whole.has_value());
            // Where it lies on its page is kept, since formats of devices speak of that.
            auto const part =
                Dma::map(domain, frames.first() + Bytes{4096 + 100}, Bytes{5000}, direction);
            ASSERT_TRUE(part.has_value());
            EXPECT_EQ(whole.value().value % page_size.value, 0u);
            EXPECT_EQ(part.value().value % page_size.value, 100u);
            Dma::unmap(domain, whole.value(), page_size * 4, direction);
            Dma::unmap(domain, part.value(), Bytes{5000}, direction);
        }
    });
}

TEST(Dma, TheSameMemoryIsMappedAsOftenAsItIsUnmapped) {
    constexpr u32 times = 1000;
    Frames const frames(1);
    for_each_domain([&](DmaDomain domain) {
        hal::DmaAddress first{};
        for (u32 i = 0; i < times; ++i) {
            auto const mapped = Dma::map(domain, frames.first(), page_size, directions[i % 3]);
            ASSERT_TRUE(mapped.has_value());
            first = i == 0 ? mapped.value() : first;
            // One after the other, so that none has to be remembered by drivers that share a page.
            EXPECT_EQ(mapped.value().value, first.value);
        }
        for (u32 i = 0; i < times; ++i) {
            Dma::unmap(domain, first, page_size, directions[i % 3]);
        }
    });
}

TEST(Dma, DifferentMemoryIsAtDifferentAddresses) {
    Frames const frames(2);
    for_each_domain([&](DmaDomain domain) {
        auto const one = Dma::map(domain, frames.first(), page_size, DmaDirection::both);
        auto const other =
            Dma::map(domain, frames.first() + page_size, page_size, DmaDirection::both);
        ASSERT_TRUE(one.has_value() && other.has_value());
        EXPECT_FALSE(one.value() == other.value());
        Dma::unmap(domain, one.value(), page_size, DmaDirection::both);
        Dma::unmap(domain, other.value(), page_size, DmaDirection::both);
    });
}

TEST(Dma, AFunctionHasOneView) {
    for_each_domain([](DmaDomain) {});
    for (u8 device = 0; device < hal::PciAddress::devices; ++device) {
        EXPECT_TRUE(Dma::domain({0, 1, device, 0}) == Dma::domain({0, 1, device, 0}));
    }
    // What cannot be has the view of nobody.
    EXPECT_TRUE(Dma::domain({0, 0, 32, 0}) == DmaDomain{});
    EXPECT_TRUE(Dma::domain({0xffff, 0, 0, 0}) == DmaDomain{});
}
