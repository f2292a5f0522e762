// Setup packets as lines, and the names of descriptor types.
#include "wire/dump_lines.h"
#include "wire/usb.h"

namespace usbtwin::wire::dump {
namespace {

using usb::DescriptorType;
using usb::Request;

const char* RequestName(Request request) {
  switch (request) {
    case Request::kGetStatus: return "GET_STATUS";
    case Request::kClearFeature: return "CLEAR_FEATURE";
    case Request::kSetFeature: return "SET_FEATURE";
    case Request::kSetAddress: return "SET_ADDRESS";
    case Request::kGetDescriptor: return "GET_DESCRIPTOR";
    case Request::kSetDescriptor: return "SET_DESCRIPTOR";
    case Request::kGetConfiguration: return "GET_CONFIGURATION";
    case Request::kSetConfiguration: return "SET_CONFIGURATION";
    case Request::kGetInterface: return "GET_INTERFACE";
    case Request::kSetInterface: return "SET_INTERFACE";
    case Request::kSynchFrame: return "SYNCH_FRAME";
    case Request::kSetSel: return "SET_SEL";
    case Request::kSetIsochDelay: return "SET_ISOCH_DELAY";
  }
  return nullptr;
}

const char* ClassRequestName(const usb::SetupPacket& setup) {
  switch (setup.request_type << 8 | setup.request) {
    case 0x21ff: return "BULK_ONLY_RESET";
    case 0xa1fe: return "GET_MAX_LUN";
    case 0x2303: return setup.value == usb::kFeaturePortReset ? "SET_FEATURE(PORT_RESET)" : nullptr;
  }
  return nullptr;
}

}  // namespace

const char* DescriptorTypeName(uint8_t type) {
  switch (static_cast<DescriptorType>(type)) {
    case DescriptorType::kDevice: return "device";
    case DescriptorType::kConfiguration: return "configuration";
    case DescriptorType::kString: return "string";
    case DescriptorType::kInterface: return "interface";
    case DescriptorType::kEndpoint: return "endpoint";
    case DescriptorType::kDeviceQualifier: return "device qualifier";
    case DescriptorType::kOtherSpeedConfiguration: return "other-speed configuration";
    case DescriptorType::kInterfaceAssociation: return "interface association";
    case DescriptorType::kBos: return "BOS";
    case DescriptorType::kDeviceCapability: return "device capability";
    case DescriptorType::kPipeUsage: return "pipe usage";
    case DescriptorType::kSuperSpeedCompanion: return "companion";
    case DescriptorType::kSuperSpeedPlusIsochCompanion: return "isochronous companion";
  }
  return nullptr;
}

void AddSetup(Lines& lines, Bytes bytes) {
  const auto* setup = View<usb::SetupPacket>(bytes);
  if (setup == nullptr) {
    lines.Truncated("setup", bytes, sizeof(*setup));
    return;
  }
  constexpr const char* kTypes[] = {"standard", "class", "vendor", "reserved"};
  constexpr const char* kRecipients[] = {"device", "interface", "endpoint", "other"};
  const unsigned recipient = setup->request_type & usb::kRecipientMask;
  lines.Add("setup %s %s %s: ", (setup->request_type & usb::kDirectionIn) != 0 ? "in" : "out",
            kTypes[setup->request_type >> 5 & 3],
            recipient <= usb::kRecipientOther ? kRecipients[recipient] : "reserved");
  const bool standard = (setup->request_type & usb::kTypeMask) == usb::kTypeStandard;
  const auto request = static_cast<Request>(setup->request);
  const char* name = standard ? RequestName(request) : ClassRequestName(*setup);
  const unsigned value = setup->value;
  if (standard && request == Request::kGetDescriptor) {
    const char* type = DescriptorTypeName(static_cast<uint8_t>(value >> 8));
    lines.More("%s %s %u", name, type != nullptr ? type : "?", value & 0xff);
    if (type == nullptr) lines.More(" (type %02x)", value >> 8);
  } else if (name != nullptr) {
    lines.More("%s value %04x", name, value);
  } else {
    lines.More("request %02x value %04x", setup->request, value);
  }
  lines.More(", index %04x, length %u", unsigned{setup->index}, unsigned{setup->length});
  lines.Leftover(Drop(bytes, sizeof(*setup)));
}

}  // namespace usbtwin::wire::dump
