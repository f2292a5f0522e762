// Conformance cases: many small tests of a device, one property each, aimed at anything that can be
// opened: a twin, a device of a USB/IP server, real hardware. A case says which clause it checks,
// starts from a device that is ready, and tells in one line what it found. Those that write are
// marked; what they write is what was there before.
#pragma once

#include <span>
#include <string>

#include "async/task.h"

namespace usbtwin::conform {

class Bench;

enum class Verdict : uint8_t { kPass, kFail, kSkip };
const char* Name(Verdict verdict);  // "pass"

struct Finding {
  Verdict verdict = Verdict::kPass;
  std::string text;  // what was wrong, or why it was skipped; may be "" where it passed
};
inline Finding Pass() {
  return {};
}
inline Finding Fail(std::string text) {
  return {Verdict::kFail, std::move(text)};
}
inline Finding Skip(std::string text) {
  return {Verdict::kSkip, std::move(text)};
}
// Passes where there is no complaint.
inline Finding Judge(std::string complaint) {
  return complaint.empty() ? Pass() : Fail(std::move(complaint));
}

struct Case {
  const char* name;    // "case-05": of letters, digits and dashes
  const char* clause;  // "BOT 1.0, 6.7.2"
  const char* checks;  // what must be so, in one sentence
  bool writes = false;
  async::Task<Finding> (*run)(Bench& bench) = nullptr;
};

struct Suite {
  const char* name;    // "bot"
  const char* checks;  // in one sentence
  // Makes the device ready for the next case: recovered, and its unit attentions heard. The text
  // says why it cannot be; "" where it is ready, or has no medium.
  async::Task<std::string> (*prepare)(Bench& bench);
  std::span<const Case> cases;
};
// Descriptors, class requests, wrappers and the thirteen cases of the Bulk-Only Transport.
Suite BotSuite();
// Descriptors, information units, tags and task management of USB Attached SCSI.
Suite UasSuite();
// What a direct-access block device answers to commands, whatever carries them.
Suite ScsiSuite();

}  // namespace usbtwin::conform
