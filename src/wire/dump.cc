#include "wire/dump.h"

#include <cstdio>

#include "wire/bot.h"
#include "wire/dump_lines.h"
#include "wire/scsi.h"
#include "wire/usb.h"

namespace usbtwin::wire {
namespace dump {

void Lines::Append(const char* format, va_list arguments) {
  char buffer[400];
  const int length = std::vsnprintf(buffer, sizeof(buffer), format, arguments);
  if (length > 0) text_.append(buffer, std::min<size_t>(static_cast<size_t>(length), 399));
}

void Lines::Add(const char* format, ...) {
  if (count_ == kDumpLinesMax) {
    full_ = true;
    return;
  }
  if (count_++ != 0) text_ += '\n';
  line_start_ = text_.size();
  line_full_ = false;
  text_.append(2 * depth_, ' ');
  va_list arguments;
  va_start(arguments, format);
  Append(format, arguments);
  va_end(arguments);
}

bool Lines::HasRoom() {
  if (full_ || line_full_) return false;
  if (text_.size() - line_start_ < kDumpLineLengthMax) return true;
  line_full_ = true;
  text_ += " and so on";
  return false;
}

void Lines::More(const char* format, ...) {
  if (!HasRoom()) return;
  va_list arguments;
  va_start(arguments, format);
  Append(format, arguments);
  va_end(arguments);
}

void Lines::Hex(Bytes bytes) {
  if (bytes.empty() || !HasRoom()) return;
  text_ += ": ";
  text_ += usbtwin::Hex(Take(bytes, kDumpHexMax));
  if (bytes.size() > kDumpHexMax) More(" and %zu more", bytes.size() - kDumpHexMax);
}

void Lines::Leftover(Bytes bytes) {
  if (bytes.empty()) return;
  Add("%zu %s left over", bytes.size(), bytes.size() == 1 ? "byte" : "bytes");
  Hex(bytes);
}

void Lines::Truncated(const char* what, Bytes bytes, size_t length) {
  Add("%s, truncated: %zu of %zu bytes", what, bytes.size(), length);
  Hex(bytes);
}

std::string Lines::Text() && {
  if (full_) text_ += "\nand more that is not shown";
  if (!text_.empty()) text_ += '\n';
  return std::move(text_);
}

namespace {

bool LooksLikeSetup(Bytes bytes) {
  const auto* setup = View<usb::SetupPacket>(bytes);
  if (setup == nullptr || bytes.size() != sizeof(*setup)) return false;
  return (setup->request_type & usb::kRecipientMask) <= usb::kRecipientOther &&
         (setup->request_type & usb::kTypeMask) != usb::kTypeMask &&
         ((setup->request_type & usb::kTypeMask) != usb::kTypeStandard ||
          setup->request <= static_cast<uint8_t>(usb::Request::kSetIsochDelay));
}

bool LooksLikeSense(Bytes bytes) {
  if (bytes.size() < sizeof(scsi::DescriptorSense)) return false;
  const uint8_t code = bytes[0] & scsi::kResponseCodeMask;
  return code >= scsi::kFixedCurrent && code <= scsi::kDescriptorDeferred &&
         bytes[7] <= 252 - 8;  // ADDITIONAL SENSE LENGTH: SPC-4, 4.5.1
}

bool StartsWith(Bytes bytes, uint32_t signature) {
  const auto* first = View<Le32>(bytes);
  return first != nullptr && *first == signature;
}

bool LooksLikeCdb(Bytes bytes) {
  return !bytes.empty() && OpcodeName(bytes[0]) != nullptr &&
         bytes.size() == scsi::CdbLength(bytes[0]);
}

void AddGuess(Lines& lines, Bytes bytes) {
  if (LooksLikeCapture(bytes)) {
    AddCapture(lines, bytes);
  } else if (LooksLikeUsbmon(bytes)) {
    AddUsbmon(lines, bytes);
  } else if (LooksLikeUsbip(bytes)) {
    AddUsbip(lines, bytes);
  } else if (LooksLikeSetup(bytes) && !LooksLikeDescriptors(bytes)) {
    AddSetup(lines, bytes);
  } else if (LooksLikeCdb(bytes) && !LooksLikeDescriptors(bytes)) {
    AddCdb(lines, bytes);
  } else {
    AddPayload(lines, bytes);
  }
}

template <void (*kAdd)(Lines&, Bytes)>
std::string TextOf(Bytes bytes) {
  Lines lines;
  kAdd(lines, bytes);
  return std::move(lines).Text();
}

}  // namespace

void AddPayload(Lines& lines, Bytes bytes) {
  if (StartsWith(bytes, bot::kCommandSignature)) {
    AddCommandWrapper(lines, bytes);
  } else if (StartsWith(bytes, bot::kStatusSignature)) {
    AddStatusWrapper(lines, bytes);
  } else if (LooksLikeDescriptors(bytes)) {
    AddDescriptors(lines, bytes);
  } else if (LooksLikeIu(bytes)) {
    AddIu(lines, bytes);
  } else if (LooksLikeSense(bytes)) {
    AddSense(lines, bytes);
  } else if (!bytes.empty()) {
    lines.Add("%zu %s", bytes.size(), bytes.size() == 1 ? "byte" : "bytes");
    lines.Hex(bytes);
  }
}

}  // namespace dump

std::string Dump(Bytes bytes) {
  return dump::TextOf<dump::AddGuess>(bytes);
}
std::string DumpSetup(Bytes bytes) {
  return dump::TextOf<dump::AddSetup>(bytes);
}
std::string DumpDescriptors(Bytes bytes) {
  return dump::TextOf<dump::AddDescriptors>(bytes);
}
std::string DumpCommandWrapper(Bytes bytes) {
  return dump::TextOf<dump::AddCommandWrapper>(bytes);
}
std::string DumpStatusWrapper(Bytes bytes) {
  return dump::TextOf<dump::AddStatusWrapper>(bytes);
}
std::string DumpIu(Bytes bytes) {
  return dump::TextOf<dump::AddIu>(bytes);
}
std::string DumpCdb(Bytes bytes) {
  return dump::TextOf<dump::AddCdb>(bytes);
}
std::string DumpSense(Bytes bytes) {
  return dump::TextOf<dump::AddSense>(bytes);
}
std::string DumpInquiry(Bytes bytes) {
  return dump::TextOf<dump::AddInquiry>(bytes);
}
std::string DumpUsbmon(Bytes bytes) {
  return dump::TextOf<dump::AddUsbmon>(bytes);
}
std::string DumpCapture(Bytes bytes) {
  return dump::TextOf<dump::AddCapture>(bytes);
}
std::string DumpUsbip(Bytes bytes) {
  return dump::TextOf<dump::AddUsbip>(bytes);
}

}  // namespace usbtwin::wire
