// BotFunction: a mass-storage interface that speaks the Bulk-Only Transport. A thin shell: the
// engine (proto/bot_device.h) decides, this class queues requests, moves windows of data between
// the controller and the logical unit, and answers the two class requests.
#pragma once

#include <array>
#include <string>

#include "emulator/function.h"
#include "emulator/logical_unit.h"

namespace usbtwin::emulator {

struct BotFunctionOptions {
  uint8_t interface_class = 0x08;  // 08h mass storage, FFh vendor-specific carrying the same
  uint8_t initiator = 0;           // which I_T nexus of the units this interface is
  uint8_t luns_count = 1;          // 1 to 16: Get Max LUN + 1
  std::string name;                // iInterface; none where empty
};
}  // namespace usbtwin::emulator
