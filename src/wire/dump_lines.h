// How dump's parts write: lines of bounded number and length, and the parts that call one another.
// A part adds whole lines and never fails; where its bytes are too few it says so. Private to dump.
#pragma once

#include <cstdarg>
#include <string>

#include "base/bytes.h"

namespace usbtwin::wire::dump {

class Lines {
 public:
  // Starts a line. Once kDumpLinesMax were written, lines are dropped and full() says so.
  [[gnu::format(printf, 2, 3)]] void Add(const char* format, ...);
  // Goes on with the line Add started.
  [[gnu::format(printf, 2, 3)]] void More(const char* format, ...);
  // ": 12 00 ff", at most kDumpHexMax bytes and how many more there are.
  void Hex(Bytes bytes);
  // A line for bytes nothing explains; none where there are none.
  void Leftover(Bytes bytes);
  // A line for a struct that is cut short.
  void Truncated(const char* what, Bytes bytes, size_t length);

  void Indent() { ++depth_; }
  void Outdent() { --depth_; }
  bool full() const { return full_; }
  std::string Text() &&;

 private:
  [[gnu::format(printf, 2, 0)]] void Append(const char* format, va_list arguments);
  // Whether the current line takes more; says so once where it does not.
  bool HasRoom();

  std::string text_;
  size_t line_start_ = 0;
  bool line_full_ = false;
  size_t count_ = 0;
  size_t depth_ = 0;
  bool full_ = false;
};

void AddSetup(Lines& lines, Bytes bytes);
void AddDescriptors(Lines& lines, Bytes bytes);
void AddCommandWrapper(Lines& lines, Bytes bytes);
void AddStatusWrapper(Lines& lines, Bytes bytes);
void AddIu(Lines& lines, Bytes bytes);
void AddCdb(Lines& lines, Bytes bytes);
void AddSense(Lines& lines, Bytes bytes);
void AddInquiry(Lines& lines, Bytes bytes);
void AddUsbmon(Lines& lines, Bytes bytes);
void AddCapture(Lines& lines, Bytes bytes);
void AddUsbip(Lines& lines, Bytes bytes);
// What a transfer may carry, guessed; hex where nothing fits.
void AddPayload(Lines& lines, Bytes bytes);

const char* DescriptorTypeName(uint8_t type);  // null for one we do not know
const char* StatusName(int32_t status);        // of usbmon and USB/IP; "?" for one we do not know

// Whether the bytes can hardly be anything else.
bool LooksLikeDescriptors(Bytes bytes);
bool LooksLikeUsbmon(Bytes bytes);
bool LooksLikeCapture(Bytes bytes);
bool LooksLikeUsbip(Bytes bytes);
bool LooksLikeIu(Bytes bytes);

}  // namespace usbtwin::wire::dump
