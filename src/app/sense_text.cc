#include "app/sense_text.h"

#include <array>
#include <string_view>

#ifdef USBTWIN_HAS_SGUTILS
#include <scsi/sg_lib.h>
#endif

namespace usbtwin::app {
namespace {

std::string HexByte(uint8_t byte) {
  return Hex({&byte, 1});
}

// "05/21/00": how sense is quoted everywhere.
std::string Triple(const scsi::Sense& sense) {
  return HexByte(static_cast<uint8_t>(sense.key)) + "/" + HexByte(sense.asc) + "/" +
         HexByte(sense.ascq);
}

// The bytes a decoder of ours does not need to understand: in full, by the library.
std::string FullText([[maybe_unused]] Bytes sense_bytes) {
#ifdef USBTWIN_HAS_SGUTILS
  // Zeros behind the bytes: a length inside them that is too long reads those.
  std::array<uint8_t, 1024> padded{};
  const size_t length = CopyBytes(padded, Take(sense_bytes, 252));  // the longest there can be
  std::array<char, 4096> text{};
  sg_get_sense_str("", padded.data(), static_cast<int>(length), false,
                   static_cast<int>(text.size()), text.data());
  std::string result = text.data();
  while (!result.empty() && (result.back() == '\n' || result.back() == ' ')) result.pop_back();
  return result;
#else
  return "";
#endif
}

}  // namespace

std::string AdditionalSenseText([[maybe_unused]] uint8_t asc, [[maybe_unused]] uint8_t ascq) {
#ifdef USBTWIN_HAS_SGUTILS
  std::array<char, 256> text{};
  sg_get_asc_ascq_str(asc, ascq, static_cast<int>(text.size()), text.data());
  const std::string_view found = text.data();
  constexpr std::string_view kLead = "Additional sense: ";
  if (found.starts_with(kLead)) return std::string(found.substr(kLead.size()));
  if (found.find("vendor specific") != std::string_view::npos) return "vendor specific";
#else
  if (asc >= 0x80 || ascq >= 0x80) return "vendor specific";
#endif
  return "";
}

std::string CommandName([[maybe_unused]] Bytes cdb) {
#ifdef USBTWIN_HAS_SGUTILS
  // The library looks for service actions behind the first byte, wherever the block ends.
  std::array<uint8_t, 32> padded{};
  CopyBytes(padded, cdb);
  std::array<char, 128> text{};
  sg_get_command_name(padded.data(), 0, static_cast<int>(text.size()), text.data());
  return text.data();
#else
  return "";
#endif
}

std::string DescribeSense(const scsi::Sense& sense) {
  std::string text = scsi::Name(sense.key);
  const std::string additional = AdditionalSenseText(sense.asc, sense.ascq);
  if (!additional.empty()) text.append(", ").append(additional);
  text.append(" (").append(Triple(sense)).append(")");
  if (sense.deferred) text += ", about an earlier command";
  if (sense.information_valid)
    text.append(", information ").append(std::to_string(sense.information));
  if (sense.field_valid) {
    text += sense.field.in_command ? ", command byte " : ", parameter byte ";
    text += std::to_string(sense.field.byte);
    if (sense.field.bit_valid) text.append(" bit ").append(std::to_string(sense.field.bit));
  }
  if (sense.progress_valid) {
    text.append(", ").append(std::to_string(sense.progress * 100 / 65536)).append(" % done");
  }
  return text;
}

std::string DescribeSense(Bytes sense_bytes, bool in_full) {
  if (sense_bytes.empty()) return "no sense data";
  if (in_full) {
    const std::string text = FullText(sense_bytes);
    if (!text.empty()) return text;
  }
  const std::optional<scsi::Sense> sense = scsi::ParseSense(sense_bytes);
  if (!sense) {
    return "not sense data: response code " + HexByte(sense_bytes[0] & 0x7f) + "h, " +
           std::to_string(sense_bytes.size()) + " bytes";
  }
  return DescribeSense(*sense);
}

}  // namespace usbtwin::app
