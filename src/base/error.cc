#include "base/error.h"

#include <string_view>

#include "base/bytes.h"
#include "base/text.h"

namespace usbtwin {

const char* Name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kStalled: return "stalled";
    case ErrorKind::kTimedOut: return "timed out";
    case ErrorKind::kCancelled: return "cancelled";
    case ErrorKind::kDisconnected: return "disconnected";
    case ErrorKind::kOverflow: return "overflow";
    case ErrorKind::kFault: return "fault";
    case ErrorKind::kProtocol: return "protocol error";
    case ErrorKind::kBusy: return "busy";
    case ErrorKind::kDenied: return "permission denied";
    case ErrorKind::kNotFound: return "not found";
    case ErrorKind::kInvalid: return "invalid argument";
    case ErrorKind::kUnsupported: return "not supported";
  }
  return "unknown error";
}

const char* Name(Phase phase) {
  switch (phase) {
    case Phase::kNone: return "";
    case Phase::kOpen: return "open";
    case Phase::kControl: return "control";
    case Phase::kCommand: return "command";
    case Phase::kDataIn: return "data-in";
    case Phase::kDataOut: return "data-out";
    case Phase::kStatus: return "status";
    case Phase::kReset: return "reset";
  }
  return "";
}

namespace {

// As standards write it: "53425355h", in whole bytes.
std::string HexNumber(uint64_t value) {
  std::string text;
  do {
    const uint8_t byte = static_cast<uint8_t>(value);
    text.insert(0, Hex({&byte, 1}));
    value >>= 8;
  } while (value != 0);
  return text + "h";
}

}  // namespace

std::string Error::Describe() const {
  std::string description = Name(kind);
  if (phase != Phase::kNone) description += std::string(" in ") + Name(phase);
  if (endpoint != 0) description += " on endpoint " + Hex({&endpoint, 1});
  if (length_actual != 0) description += " after " + Count(length_actual, "byte");
  std::string_view rest = text;
  if (!rest.empty()) description += ": ";
  for (uint64_t value : values) {
    const size_t mark = rest.find('{');
    if (mark == std::string_view::npos) break;
    const bool is_hex = rest.substr(mark).starts_with("{:x}");
    description += rest.substr(0, mark);
    description += is_hex ? HexNumber(value) : std::to_string(value);
    rest.remove_prefix(mark + (is_hex ? 4 : 2));
  }
  description += rest;
  return description;
}

}  // namespace usbtwin
