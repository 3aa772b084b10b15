// The drivers of the room `device`: what needs threads, interrupts and frames, where who walks the
// bus needs none (device.hpp).
#pragma once

#include "core/device/block/block_device.hpp"
#include "core/device/block/ring_block.hpp"
#include "core/device/console/panic_screen.hpp"
#include "core/device/console/screen_console.hpp"
#include "core/device/display/display.hpp"
#include "core/device/display/linear_display.hpp"
#include "core/device/display/vga_text.hpp"
#include "core/device/input/key_text.hpp"
#include "core/device/input/mouse.hpp"
#include "core/device/input/ps2.hpp"
#include "core/device/message/message_port.hpp"
#include "core/device/message/requests.hpp"
#include "core/device/model/hot_plug_port.hpp"
#include "core/device/model/registry.hpp"
#include "core/device/virtio/mmio_transport.hpp"
#include "core/device/virtio/pci_transport.hpp"
#include "core/device/virtio/virtio_gpu.hpp"
