// What a host makes of each fault of transfers, ports and Bulk-Only devices, as a table: the kind;
// the command it meets and the rule beside its kind; what one command over the transport comes to,
// and the highest rung of recovery; what the block device makes of it, and in how many
// milliseconds; and the faults that lead there. "nth" counts the occasions from the command on,
// "control" is endpoint 0, and of what is "unseen" the host notices nothing: a bit of data that is
// written, or one behind the command block.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "link/fault_plan.h"

namespace usbtwin::tests {

inline constexpr std::string_view kFaultRows = R"(
usb.stall | read | stalled in command; bulk-only reset | good, 0
usb.stall | read nth=2 | overflow in status; bulk-only reset | good, 0
usb.stall | read nth=3 | good; second status read | good, 0
usb.stall | write nth=2 | timed out in status; bulk-only reset | good, 30000
usb.stall | read control | stalled in command; port reset | good, 0 | bot.stall-command
usb.stall-late | read | stalled in command; bulk-only reset | good, 0
usb.stall-late | read nth=2 | good; clear halt | good, 0
usb.stall-late | read nth=3 | timed out in status; bulk-only reset | good, 30000
usb.stall-late | write nth=2 | good; clear halt | good, 0
usb.stall-late | read control | stalled in command; port reset | good, 0 | bot.stall-command
usb.lost-request | read | timed out in command; bulk-only reset | good, 30000
usb.lost-request | read nth=2 | timed out in data-in; bulk-only reset | good, 30000
usb.lost-request | read nth=3 | timed out in status; bulk-only reset | good, 30000
usb.lost-request | write nth=2 | timed out in data-out; bulk-only reset | good, 30000
usb.lost-request | read control | fault in command; port reset | good, 5000 | usb.fault
usb.lost-completion | read | timed out in command; bulk-only reset | good, 30000
usb.lost-completion | read nth=2 | timed out in data-in; bulk-only reset | good, 30000
usb.lost-completion | read nth=3 | timed out in status; bulk-only reset | good, 30000
usb.lost-completion | write nth=2 | timed out in data-out; bulk-only reset | good, 30000
usb.lost-completion | read control | fault in command; port reset | good, 5000 | usb.fault
usb.delay-request | read | good; none | good, 100
usb.delay-request | read nth=2 | good; none | good, 100
usb.delay-request | read nth=3 | good; none | good, 100
usb.delay-request | write nth=2 | good; none | good, 100
usb.delay-request | read control | fault in command; bulk-only reset | good, 100 | usb.fault
usb.delay-completion | read | good; none | good, 100
usb.delay-completion | read nth=2 | good; none | good, 100
usb.delay-completion | read nth=3 | good; none | good, 100
usb.delay-completion | write nth=2 | good; none | good, 100
usb.delay-completion | read control | fault in command; bulk-only reset | good, 100 | usb.fault
usb.reorder | read | good; none | good, 100
usb.reorder | read nth=2 | good; none | good, 100
usb.reorder | read nth=3 | good; none | good, 100
usb.reorder | write nth=2 | good; none | good, 100
usb.fault | read | fault in command; bulk-only reset | good, 0
usb.fault | read nth=2 | fault in data-in; bulk-only reset | good, 0
usb.fault | read nth=3 | fault in status; bulk-only reset | good, 0
usb.fault | write nth=2 | fault in data-out; bulk-only reset | good, 0
usb.fault | read control | stalled in command; port reset | good, 0 | bot.stall-command
usb.fault-late | read | fault in command; bulk-only reset | good, 0
usb.fault-late | read nth=2 | fault in data-in; bulk-only reset | good, 0
usb.fault-late | read nth=3 | fault in status; bulk-only reset | good, 0
usb.fault-late | write nth=2 | fault in data-out; bulk-only reset | good, 0
usb.fault-late | read control | stalled in command; port reset | good, 0 | bot.stall-command
port.disconnect | read control | stalled in command; reopen | good, 500 | bot.stall-command
port.disconnect | read | disconnected in command; reopen | good, 500
port.disconnect | read nth=2 | disconnected in data-in; reopen | good, 500
port.disconnect | read nth=3 | disconnected in status; reopen | good, 500
port.disconnect | write nth=2 | disconnected in data-out; reopen | good, 500
port.reset-by-other | read control | fault in command; port reset | good, 0 | usb.fault
port.reset-by-other | read | fault in command; bulk-only reset | good, 0
port.reset-by-other | read nth=2 | fault in data-in; bulk-only reset | good, 0
port.reset-by-other | read nth=3 | fault in status; bulk-only reset | good, 0
port.reset-by-other | write nth=2 | fault in data-out; bulk-only reset | good, 0
port.suspend | read control | fault in command; bulk-only reset | good, 100 | usb.fault
port.suspend | read | good; none | good, 100
port.suspend | read nth=2 | good; none | good, 100
port.suspend | read nth=3 | good; none | good, 100
port.suspend | write nth=2 | good; none | good, 100
usb.short-in | read length=1000 | good, 1000 bytes, 0 left; none | good, 0
usb.short-in | read nth=2 | timed out in status; bulk-only reset | good, 30000
usb.short-out | write | fault in command; bulk-only reset | good, 0
usb.short-out | write nth=2 length=1024 | fault in data-out; bulk-only reset | good, 0
usb.overflow | read | overflow in data-in; bulk-only reset | good, 0
usb.overflow | read nth=2 | overflow in status; bulk-only reset | good, 0
usb.corrupt-in | read nth=2 | protocol error in status; bulk-only reset | good, 0
usb.corrupt-in | read value=77 | good; none | good, 0, spoilt
usb.corrupt-out | read | stalled in status; bulk-only reset | good, 0
usb.corrupt-out | write nth=2 value=77 unseen | good; none | good, 0, spoilt
usb.corrupt-out | read value=240 unseen | good; none | good, 0
usb.corrupt-out | read value=33 | protocol error in status; bulk-only reset | good, 0
usb.silent | read | timed out in command; bulk-only reset | timed out, 60000
usb.silent | read nth=2 | timed out in data-in; bulk-only reset | timed out, 60000
usb.silent | write nth=2 | timed out in data-out; bulk-only reset | timed out, 60000
usb.cancel-late | read | timed out in status; bulk-only reset | good, 30100 | bot.no-status
port.clear-halt-fails | read | stalled in status; bulk-only reset | good, 0 | bot.stall-status
port.clear-halt-fails | read | stalled in command; port reset | good, 0 | bot.stall-command
port.reset-fails | read | fault in command; reopen | good, 0 | usb.fault, usb.stall control
port.slow | read | good; second status read | good, 1000 | bot.stall-status
bot.stall-command | read | stalled in command; bulk-only reset | good, 0
bot.stall-command | write | stalled in command; bulk-only reset | good, 0
bot.stall-data | read | good; clear halt | good, 0
bot.stall-data | read length=1000 | good, 1000 bytes, 3096 left; clear halt | good, 0
bot.stall-data | read length=0 | good, 0 bytes, 4096 left; clear halt | good, 0
bot.stall-data | write | good; clear halt | good, 0
bot.stall-data | write length=1024 | failed, 1024 bytes, 3072 left; clear halt | good, 0
bot.stall-data | write length=0 | failed, 0 bytes, 4096 left; clear halt | good, 0
bot.stall-status | read | good; second status read | good, 0
bot.stall-status | write | good; second status read | good, 0
bot.stall-status-twice | read | stalled in status; bulk-only reset | good, 0
bot.stall-status-twice | write | stalled in status; bulk-only reset | good, 0
bot.wrong-tag | read | protocol error in status; bulk-only reset | good, 0
bot.wrong-tag | write | protocol error in status; bulk-only reset | good, 0
bot.wrong-signature | read | protocol error in status; bulk-only reset | good, 0
bot.wrong-signature | write | protocol error in status; bulk-only reset | good, 0
bot.short-status | read | protocol error in status; bulk-only reset | good, 0
bot.short-status | write | protocol error in status; bulk-only reset | good, 0
bot.long-status | read | overflow in status; bulk-only reset | good, 0
bot.long-status | write | overflow in status; bulk-only reset | good, 0
bot.reserved-status | read | protocol error in status; bulk-only reset | good, 0
bot.reserved-status | write | protocol error in status; bulk-only reset | good, 0
bot.phase-error | read | protocol error in status; bulk-only reset | good, 0
bot.phase-error | write | protocol error in status; bulk-only reset | good, 0
bot.residue-lie | read | good, 4096 bytes, 4096 left; none | good, 0
bot.residue-lie | write | good, 4096 bytes, 4096 left; none | good, 0
bot.stale-status | read | protocol error in status; bulk-only reset | good, 0
bot.stale-status | write | protocol error in status; bulk-only reset | good, 0
bot.no-status | read | timed out in status; bulk-only reset | good, 30000
bot.no-status | write | timed out in status; bulk-only reset | good, 30000
bot.zero-packet | read | good; second status read | good, 0
bot.zero-packet | write | good; second status read | good, 0
bot.failed-no-sense | read | failed; none | good, 0
bot.failed-no-sense | write | failed; none | good, 0
bot.status-for-data | read | good, 0 bytes, 4096 left; none | good, 0
)";

// What opening a device comes to: over the session, then through a reopening in mid-command.
inline constexpr std::string_view kOpeningRows = R"(
port.claim-fails | busy in open
port.configure-fails | stalled in control
port.open-fails | disconnected in open
)";

struct FaultRow {
  std::string text;
  std::string name;
  bool read = false;
  bool unseen = false;
  std::vector<fault::Rule> rules;
  std::string transport;
  std::string block;
};
inline std::ostream& operator<<(std::ostream& stream, const FaultRow& row) {
  return stream << row.text;
}

inline std::vector<std::string> Split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  while (true) {
    const size_t length = text.find(separator);
    parts.emplace_back(text.substr(0, length));
    if (length == std::string_view::npos) return parts;
    text.remove_prefix(length + separator.size());
  }
}

// "bot.stall-data nth=2 length=1024", to be played once, not before `after`.
inline fault::Rule ParseRule(std::string_view text, Duration after) {
  fault::Rule rule{.times = 1, .after = after};
  for (const std::string& word : Split(text, " ")) {
    const std::vector<std::string> pair = Split(word, "=");
    const auto number = static_cast<uint32_t>(pair.size() == 2 ? std::stoul(pair[1]) : 0);
    if (pair[0] == "nth") {
      rule.nth = number;
    } else if (pair[0] == "length") {
      rule.length = number;
    } else if (pair[0] == "value") {
      rule.value = number;
    } else if (pair[0] == "control") {
      rule.endpoint = uint8_t{0};
    } else if (pair[0] != "unseen") {
      const auto kind = fault::ParseKind(pair[0]);
      CHECK(kind.has_value());
      rule.kind = *kind;
    }
  }
  return rule;
}

inline std::vector<FaultRow> ParseFaultRows(Duration after) {
  std::vector<FaultRow> rows;
  for (const std::string& line : Split(kFaultRows, "\n")) {
    if (line.empty()) continue;
    const std::vector<std::string> columns = Split(line, " | ");
    CHECK_LE(4u, columns.size());
    const size_t space = std::min(columns[1].find(' '), columns[1].size());
    FaultRow row{.text = columns[0] + " in " + columns[1],
                 .name = columns[0],
                 .read = columns[1].substr(0, space) == "read",
                 .unseen = columns[1].ends_with(" unseen"),
                 .transport = columns[2],
                 .block = columns[3]};
    row.rules.push_back(ParseRule(columns[0] + columns[1].substr(space), after));
    if (columns.size() > 4) {
      for (const std::string& also : Split(columns[4], ", ")) {
        row.rules.push_back(ParseRule(also, after));
      }
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace usbtwin::tests
