// usbmon records and the capture files around them as lines.
#include <algorithm>
#include <cinttypes>

#include "wire/dump_lines.h"
#include "wire/pcap.h"
#include "wire/usb.h"
#include "wire/usbmon.h"

namespace usbtwin::wire::dump {
namespace {

constexpr uint64_t kNanosecondsInSecond = 1'000'000'000;

int32_t Signed(uint32_t value) {
  return static_cast<int32_t>(value);
}

void AddRecordLine(Lines& lines, const usbmon::Record& record) {
  constexpr const char* kTypes[] = {"isochronous", "interrupt", "control", "bulk"};
  const int32_t status = Signed(record.status);
  lines.Add("%" PRIu64 ".%06u %c %s %s, bus %u device %u endpoint %02x, id %" PRIx64
            ", length %u, status %d (%s)",
            uint64_t{record.seconds}, unsigned{record.microseconds},
            record.event >= 0x20 && record.event < 0x7f ? record.event : '?',
            record.transfer_type < 4 ? kTypes[record.transfer_type] : "odd type",
            (record.endpoint & usbmon::kDirectionIn) != 0 ? "in" : "out", unsigned{record.bus},
            record.device, record.endpoint, uint64_t{record.id}, unsigned{record.length}, status,
            StatusName(status));
  if (record.interval != 0) lines.More(", interval %u", unsigned{record.interval});
  if (record.start_frame != 0) lines.More(", start frame %u", unsigned{record.start_frame});
}

// The descriptors at the start of `bytes`; what follows them.
Bytes AddIsoDescriptors(Lines& lines, Bytes bytes, uint32_t count) {
  for (uint32_t index = 0; index < count && !lines.full(); ++index) {
    const auto* packet = View<usbmon::IsoDescriptor>(bytes);
    if (packet == nullptr) {
      lines.Add("truncated: %u of %u isochronous descriptors", index, count);
      lines.Hex(bytes);
      return {};
    }
    const int32_t status = Signed(packet->status);
    lines.Add("packet %u: offset %u, length %u, status %d (%s)", index, unsigned{packet->offset},
              unsigned{packet->length}, status, StatusName(status));
    bytes = Drop(bytes, sizeof(*packet));
  }
  return bytes;
}

void AddPcap(Lines& lines, Bytes bytes) {
  const auto& file = *View<pcap::FileHeader>(bytes);
  const bool fine = file.magic == pcap::kMagicNanoseconds;
  lines.Add("pcap %u.%u, link type %u, %s", unsigned{file.version_major},
            unsigned{file.version_minor}, unsigned{file.link_type},
            fine ? "nanoseconds" : "microseconds");
  bytes = Drop(bytes, sizeof(file));
  for (unsigned number = 1; !bytes.empty() && !lines.full(); ++number) {
    const auto* packet = View<pcap::PacketHeader>(bytes);
    if (packet == nullptr) {
      lines.Truncated("packet header", bytes, sizeof(*packet));
      return;
    }
    bytes = Drop(bytes, sizeof(*packet));
    const uint32_t length = packet->length_captured;
    lines.Add("packet %u at %u.%0*u: %u of %u bytes", number, unsigned{packet->seconds},
              fine ? 9 : 6, unsigned{packet->fraction}, length, unsigned{packet->length_original});
    if (length > bytes.size()) lines.More(", truncated: %zu bytes here", bytes.size());
    lines.Indent();
    if (file.link_type == pcap::kLinkTypeUsbLinuxMmapped) {
      AddUsbmon(lines, Take(bytes, length));
    } else {
      AddPayload(lines, Take(bytes, length));
    }
    lines.Outdent();
    bytes = Drop(bytes, length);
  }
}

// A walk over the blocks of a pcapng file.
class Blocks {
 public:
  explicit Blocks(Lines& lines) : lines_(lines) {}
  void Run(Bytes bytes);

 private:
  void Block(Bytes block);
  void Interface(Bytes block);
  void Packet(Bytes block);
  void Options(Bytes bytes);

  static constexpr size_t kTrailerLength = sizeof(Le32);
  Lines& lines_;
  unsigned packets_count_ = 0;
  uint16_t link_type_ = 0;    // of the interface described last
  bool nanoseconds_ = false;  // its resolution; microseconds where it does not say
};

void Blocks::Run(Bytes bytes) {
  while (!bytes.empty() && !lines_.full()) {
    const auto* header = View<pcap::BlockHeader>(bytes);
    if (header == nullptr) {
      lines_.Truncated("block", bytes, sizeof(*header));
      return;
    }
    const uint32_t length = header->length;
    if (length < sizeof(*header) + kTrailerLength || length % 4 != 0) {
      lines_.Add("odd: a block of length %u ends the walk", length);
      lines_.Hex(bytes);
      return;
    }
    if (length > bytes.size()) {
      lines_.Truncated("block", bytes, length);
      return;
    }
    Block(bytes.first(length));
    if (*View<Le32>(bytes.subspan(length - kTrailerLength)) != length) {
      lines_.Add("odd: the block's second length is another");
    }
    bytes = Drop(bytes, length);
  }
}

void Blocks::Block(Bytes block) {
  const Bytes body = block.first(block.size() - kTrailerLength);
  const uint32_t type = View<pcap::BlockHeader>(block)->type;
  switch (static_cast<pcap::BlockType>(type)) {
    case pcap::BlockType::kSectionHeader:
      if (const auto* section = View<pcap::SectionHeader>(body)) {
        if (section->byte_order != pcap::kByteOrderMagic) break;
        lines_.Add("pcapng section %u.%u", unsigned{section->version_major},
                   unsigned{section->version_minor});
        Options(Drop(body, sizeof(*section)));
        return;
      }
      break;
    case pcap::BlockType::kInterfaceDescription:
      if (View<pcap::InterfaceDescription>(body) != nullptr) {
        Interface(body);
        return;
      }
      break;
    case pcap::BlockType::kEnhancedPacket:
      if (View<pcap::EnhancedPacket>(body) != nullptr) {
        Packet(body);
        return;
      }
      break;
    case pcap::BlockType::kSimplePacket: break;
  }
  lines_.Add("block type %08x, %zu bytes", type, block.size());
  lines_.Hex(Drop(body, sizeof(pcap::BlockHeader)));
}

void Blocks::Interface(Bytes block) {
  const auto& interface = *View<pcap::InterfaceDescription>(block);
  link_type_ = interface.link_type;
  nanoseconds_ = false;
  lines_.Add("interface: link type %u", link_type_);
  Options(Drop(block, sizeof(interface)));
}

void Blocks::Packet(Bytes block) {
  const auto& packet = *View<pcap::EnhancedPacket>(block);
  const uint64_t time = uint64_t{packet.time_high} << 32 | packet.time_low;
  const uint64_t second = nanoseconds_ ? kNanosecondsInSecond : 1'000'000;
  const uint32_t length = packet.length_captured;
  const Bytes body = Drop(block, sizeof(packet));
  lines_.Add("packet %u at %" PRIu64 ".%0*" PRIu64 ": %u of %u bytes", ++packets_count_,
             time / second, nanoseconds_ ? 9 : 6, time % second, length,
             unsigned{packet.length_original});
  if (length > body.size()) lines_.More(", truncated: %zu bytes here", body.size());
  // Options come after the packet in the file and before its contents here.
  if (length <= body.size()) Options(Drop(body, pcap::Padded(length)));
  lines_.Indent();
  if (link_type_ == pcap::kLinkTypeUsbLinuxMmapped) {
    AddUsbmon(lines_, Take(body, length));
  } else {
    AddPayload(lines_, Take(body, length));
  }
  lines_.Outdent();
}

void Blocks::Options(Bytes bytes) {
  while (const auto* option = View<pcap::OptionHeader>(bytes)) {
    const Bytes value = Take(Drop(bytes, sizeof(*option)), option->length);
    bytes = Drop(bytes, sizeof(*option) + pcap::Padded(option->length));
    if (option->code == pcap::kOptionEnd) return;
    if (option->code == pcap::kOptionTimeResolution && value.size() == 1) {
      nanoseconds_ = value[0] == 9;
      lines_.More(", resolution 10^-%u", value[0] & 0x7f);
      continue;
    }
    lines_.More(", option %u", unsigned{option->code});
    const bool text =
        std::all_of(value.begin(), value.end(), [](uint8_t c) { return c >= 0x20 && c < 0x7f; });
    if (text) {
      lines_.More(" \"");
      for (uint8_t letter : Take(value, 80)) lines_.More("%c", static_cast<char>(letter));
      lines_.More("\"");
    } else {
      lines_.Hex(value);
    }
    if (value.size() < option->length) lines_.More(", truncated");
  }
}

}  // namespace

const char* StatusName(int32_t status) {
  switch (status) {
    case usbmon::kStatusOk: return "ok";
    case usbmon::kStatusUnlinked:
    case usbmon::kStatusReset: return "cancelled";
    case usbmon::kStatusDenied: return "denied";
    case usbmon::kStatusBusy: return "busy";
    case usbmon::kStatusUnsupported: return "not supported";
    case usbmon::kStatusTransfer: return "not moved";
    case usbmon::kStatusNoDevice:
    case usbmon::kStatusShutdown: return "device gone";
    case usbmon::kStatusStall: return "stall";
    case usbmon::kStatusProtocol: return "bus fault";
    case usbmon::kStatusOverflow: return "overflow";
    case usbmon::kStatusTimer:
    case usbmon::kStatusTimedOut: return "timed out";
    case usbmon::kStatusInProgress: return "in progress";
    case usbmon::kStatusShort: return "short";
  }
  return "?";
}

void AddUsbmon(Lines& lines, Bytes bytes) {
  const auto* record = View<usbmon::Record>(bytes);
  if (record == nullptr) {
    lines.Truncated("usbmon record", bytes, sizeof(*record));
    return;
  }
  AddRecordLine(lines, *record);
  lines.Indent();
  if (record->setup_flag == usbmon::kSetupPresent) AddSetup(lines, record->setup);
  const Bytes rest = Drop(bytes, sizeof(*record));
  const uint32_t captured = record->length_captured;
  if (captured > rest.size()) {
    lines.Add("truncated: %zu of %u bytes captured", rest.size(), captured);
  }
  AddPayload(lines, AddIsoDescriptors(lines, Take(rest, captured), record->packets_count));
  lines.Outdent();
  lines.Leftover(Drop(rest, captured));
}

void AddCapture(Lines& lines, Bytes bytes) {
  const auto* magic = View<Le32>(bytes);
  if (magic != nullptr && *magic == static_cast<uint32_t>(pcap::BlockType::kSectionHeader)) {
    Blocks(lines).Run(bytes);
  } else if (LooksLikeCapture(bytes)) {
    AddPcap(lines, bytes);
  } else if (magic != nullptr &&
             (*magic == pcap::kMagicMicroseconds || *magic == pcap::kMagicNanoseconds)) {
    lines.Truncated("pcap file", bytes, sizeof(pcap::FileHeader));
  } else {
    lines.Add("odd: no capture file, or one from a big-endian machine");
    lines.Hex(bytes);
  }
}

bool LooksLikeCapture(Bytes bytes) {
  const auto* magic = View<Le32>(bytes);
  if (magic == nullptr) return false;
  if (*magic == static_cast<uint32_t>(pcap::BlockType::kSectionHeader)) return true;
  return bytes.size() >= sizeof(pcap::FileHeader) &&
         (*magic == pcap::kMagicMicroseconds || *magic == pcap::kMagicNanoseconds);
}

bool LooksLikeUsbmon(Bytes bytes) {
  const auto* record = View<usbmon::Record>(bytes);
  if (record == nullptr) return false;
  return (record->event == static_cast<uint8_t>(usbmon::Event::kSubmit) ||
          record->event == static_cast<uint8_t>(usbmon::Event::kComplete) ||
          record->event == static_cast<uint8_t>(usbmon::Event::kError)) &&
         record->transfer_type <= 3 && record->microseconds < 1'000'000 &&
         (record->setup_flag == usbmon::kSetupPresent ||
          record->setup_flag == usbmon::kSetupAbsent);
}

}  // namespace usbtwin::wire::dump
