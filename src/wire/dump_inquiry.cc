#include "wire/dump_lines.h"
#include "wire/scsi_data.h"

namespace usbtwin::wire::dump {
namespace {

// Padding is left out, and what is not printable ASCII is a full stop.
std::string Field(Bytes bytes) {
  std::string text;
  for (const uint8_t byte : bytes) {
    text += byte >= 0x20 && byte <= 0x7e ? static_cast<char>(byte) : '.';
  }
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

}  // namespace

// SPC-4, 6.4.2.
void AddInquiry(Lines& lines, Bytes bytes) {
  const auto* inquiry = View<scsi::StandardInquiry>(bytes);
  if (inquiry == nullptr) {
    lines.Truncated("inquiry", bytes, sizeof(*inquiry));
    return;
  }
  lines.Add("inquiry: type %02x, qualifier %d%s, version %02x, format %d, vendor \"%s\", ",
            inquiry->peripheral & 0x1f, inquiry->peripheral >> 5,
            (inquiry->removable & 0x80) != 0 ? ", removable" : "", inquiry->version,
            inquiry->response_format & 0x0f, Field(inquiry->vendor).c_str());
  lines.More("product \"%s\", revision \"%s\"", Field(inquiry->product).c_str(),
             Field(inquiry->revision).c_str());
  const size_t length = size_t{inquiry->additional_length} + 5;
  if (length > bytes.size()) lines.More(", %zu of %zu bytes", bytes.size(), length);
  const Bytes more = Drop(bytes, sizeof(*inquiry));
  if (more.empty()) return;
  lines.Add("%zu more", more.size());
  lines.Hex(more);
}

}  // namespace usbtwin::wire::dump
