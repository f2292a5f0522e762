// What queueing brings: random reads over USB Attached SCSI, many at once, beside those over
// Bulk-Only one at a time, of the same device in the same run.
#pragma once

#include <string>

#include "tools/json_text.h"
#include "tools/open_device.h"

namespace usbtwin::tools {

struct QueueFigures {
  uint32_t length = 0;     // bytes in one read
  uint16_t depth = 0;      // reads at once over UAS
  double uas_seconds = 0;  // for one read: medians of rounds in turn
  double bot_seconds = 0;
  bool far = false;  // behind USB/IP: Bulk-Only sends a command's transfers one by one
  double ratio() const { return bot_seconds / uas_seconds; }
};

// For a device that speaks both. Opens its storage again and again, so the block device that was
// made of it before is gone; `facts` are its.
Result<QueueFigures, app::Failure> MeasureQueue(OpenDevice& device, uint8_t lun,
                                                const host::BlockFacts& facts, double seconds);
// Whether there is something to measure.
bool CanQueue(const OpenDevice& device, const host::BlockFacts& facts);

std::string QueueText(const QueueFigures& figures);
Json QueueJson(const QueueFigures& figures);

}  // namespace usbtwin::tools
