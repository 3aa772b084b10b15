// A minimal message device: it sends frames of up to 4 KiB to another machine's device by its
// address, or to all others, and receives such frames, by a pair of rings (ring_device.hpp).
//
// The link (MessageLink) is whatever joins machines: it is given each frame when its send is
// complete, and has frames arrive by `expect`. A frame for which the kernel has given no buffer yet
// waits; where too many wait, it is dropped and counted.
#pragma once

#include "hal/hosted/sim/devices/ring_device.hpp"

#include <deque>
#include <map>

namespace hosted {

struct MessageFrame {
    u32 from = 0;
    std::vector<std::byte> bytes{};
};

/// What joins the devices of several machines.
class MessageLink {
public:
    virtual ~MessageLink() = default;
    /// The device of address `frame.from` has sent it to the one of address `to`
    /// (message::everybody: to all others), at `now_ns` of its machine.
    virtual void carry(MessageFrame const& frame, u32 to, u64 now_ns) = 0;
};

struct MessageConfig {
    u32 address = 0;
    u64 send_ns = 1'000; ///< until it has taken a frame from memory
    u32 waiting_max = 64;
};

class MessageDevice final : public RingDevice {
public:
    /// `link` outlives the device's machine; null: what is sent is lost.
    explicit MessageDevice(MessageConfig const& config, MessageLink* link = nullptr)
        : RingDevice(message::signature), m_config(config), m_link(link) {}

    PciIdentity identity() const override;
    u32 address() const { return m_config.address; }

    /// Takes a frame that is on its way; the answer is the tag by which PciDevice::due is to be
    /// called when it arrives. Once each; a machine that starts over forgets them.
    u64 expect(MessageFrame frame);

private:
    struct Sending {
        u32 id = 0;
        ring::Submission submission{};
    };

    void start_up(std::span<std::byte> registers) override;
    void save_own(StateWriter& out) const override;
    void load_own(StateReader& in) override;
    void submitted(DeviceBus& bus, ring::Submission const& submission) override;
    void happened(DeviceBus& bus, u64 id) override;
    void forget() override;

    void send(DeviceBus& bus, ring::Submission const& what);
    void arrive(DeviceBus& bus, u64 tag);
    void give(DeviceBus& bus);

    MessageConfig m_config;
    MessageLink* m_link;
    u32 m_next = 0;
    u64 m_next_expected = 0;
    u32 m_dropped = 0;
    std::vector<Sending> m_sending;
    std::deque<ring::Submission> m_buffers;   ///< that the kernel has given
    std::deque<MessageFrame> m_frames;        ///< that wait for one
    std::map<u64, MessageFrame> m_expected{}; ///< by tag
};

} // namespace hosted
