// USB/IP as lines: one direction of a connection, message by message.
#include <algorithm>

#include "wire/dump_lines.h"
#include "wire/usbip.h"
#include "wire/usbmon.h"

namespace usbtwin::wire::dump {
namespace {

using usbip::BasicHeader;
using usbip::Command;
using usbip::IsoDescriptor;

int32_t Signed(uint32_t value) {
  return static_cast<int32_t>(value);
}

const char* OpStatusName(uint32_t status) {
  constexpr const char* kNames[] = {"ok",           "not available", "busy",
                                    "device error", "no device",     "error"};
  return status < std::size(kNames) ? kNames[status] : "?";
}

const char* SpeedName(uint32_t speed) {
  constexpr const char* kNames[] = {"unknown",  "low",   "full",      "high",
                                    "wireless", "super", "super plus"};
  return speed < std::size(kNames) ? kNames[speed] : "?";
}

// A field of text, up to its zero.
void MoreText(Lines& lines, const char* before, Bytes field) {
  constexpr size_t kPieceLength = 64;
  const auto end = std::find(field.begin(), field.end(), 0);
  std::string text(field.begin(), end);
  for (char& letter : text) letter = letter >= ' ' && letter < 127 ? letter : '?';
  lines.More("%s\"", before);
  for (size_t done = 0; done < text.size(); done += kPieceLength) {
    lines.More("%s", text.substr(done, kPieceLength).c_str());
  }
  lines.More(end == field.end() ? "\" that does not end" : "\"");
}

// A walk over the messages of one direction.
class Messages {
 public:
  explicit Messages(Lines& lines) : lines_(lines) {}
  void Run(Bytes bytes);

 private:
  // Each shows what the rest begins with and takes it off; false ends the walk.
  bool Op();
  bool Device(bool listed);
  bool Message();
  void AddSubmit(const usbip::Submit& submit);
  void AddSubmitReply(const usbip::SubmitReply& reply);
  void AddData(uint32_t length);
  void AddPackets(uint32_t count);
  bool Truncated(const char* what, size_t length) {
    lines_.Truncated(what, rest_, length);
    return false;
  }

  Lines& lines_;
  Bytes rest_;
};

bool LooksLikeReply(Bytes bytes) {
  const auto* basic = View<BasicHeader>(bytes);
  if (basic == nullptr) return false;
  return (basic->command == static_cast<uint32_t>(Command::kSubmitReply) ||
          basic->command == static_cast<uint32_t>(Command::kUnlinkReply)) &&
         basic->device_id == 0 && basic->direction == 0 && basic->endpoint == 0;
}

// Whether `count` descriptors follow that fit a transfer of `length` bytes. The count alone says
// nothing: transfers that are not isochronous carry anything there.
bool PacketsFollow(Bytes bytes, uint32_t count, uint32_t length, bool reply) {
  if (count == 0 || count > usbip::kPacketsMax) return false;
  if (bytes.size() < count * sizeof(IsoDescriptor)) return false;
  uint64_t sum = 0;
  for (uint32_t index = 0; index < count; ++index) {
    const auto& packet = *View<IsoDescriptor>(Drop(bytes, index * sizeof(IsoDescriptor)));
    if (packet.length_actual > packet.length) return false;
    sum += packet.length_actual;
    if (!reply && uint64_t{packet.offset} + packet.length > length) return false;
  }
  return !reply || sum == length;
}

void Messages::Run(Bytes bytes) {
  rest_ = bytes;
  if (rest_.empty()) return lines_.Truncated("USB/IP", rest_, sizeof(usbip::OpHeader));
  while (!rest_.empty() && !lines_.full()) {
    // A command begins with zeros, and every version is more than that.
    const auto* version = View<Be16>(rest_);
    const bool op = version != nullptr && *version != 0;
    if (!(op ? Op() : Message())) return;
  }
}

bool Messages::Op() {
  const auto* header = View<usbip::OpHeader>(rest_);
  if (header == nullptr) return Truncated("USB/IP", sizeof(*header));
  const unsigned code = header->code;
  const uint32_t status = header->status;
  if (header->version != usbip::kVersion) {
    lines_.Add("odd: USB/IP version %04x, operation %04x, ends the walk", unsigned{header->version},
               code);
    lines_.Hex(rest_);
    return false;
  }
  const Bytes body = Drop(rest_, sizeof(*header));
  if (code == usbip::kRequestDevices) {
    lines_.Add("USB/IP list request");
  } else if (code == usbip::kRequestImport) {
    if (body.size() < usbip::kBusIdLength) {
      return Truncated("USB/IP import request", sizeof(usbip::ImportRequest));
    }
    lines_.Add("USB/IP import request ");
    MoreText(lines_, "", body.first(usbip::kBusIdLength));
    rest_ = Drop(body, usbip::kBusIdLength);
    return true;
  } else if (code == usbip::kReplyImport) {
    lines_.Add("USB/IP import reply, status %u (%s)", status, OpStatusName(status));
    rest_ = body;
    return status != 0 || Device(false);
  } else if (code == usbip::kReplyDevices) {
    const auto* list = View<usbip::DevicesReply>(rest_);
    if (list == nullptr) return Truncated("USB/IP list", sizeof(*list));
    const uint32_t count = list->devices_count;
    lines_.Add("USB/IP list, status %u (%s), devices %u", status, OpStatusName(status), count);
    rest_ = Drop(rest_, sizeof(*list));
    for (uint32_t index = 0; index < count && !lines_.full(); ++index) {
      if (!Device(true)) return false;
    }
    return true;
  } else {
    lines_.Add("odd: USB/IP operation %04x, status %u, ends the walk", code, status);
    lines_.Hex(body);
    return false;
  }
  rest_ = body;
  return true;
}

bool Messages::Device(bool listed) {
  const auto* device = View<usbip::DeviceRecord>(rest_);
  if (device == nullptr) return Truncated("device", sizeof(*device));
  lines_.Add("device ");
  MoreText(lines_, "", device->bus_id);
  MoreText(lines_, " at ", device->path);
  const uint32_t speed = device->speed;
  lines_.More(": bus %u device %u, speed %u (%s), %04x:%04x version %x.%02x",
              unsigned{device->bus_number}, unsigned{device->device_number}, speed,
              SpeedName(speed), unsigned{device->vendor_id}, unsigned{device->product_id},
              device->release_number >> 8, device->release_number & 0xff);
  lines_.More(", class %02x/%02x/%02x, configuration %u of %u, interfaces %u", device->device_class,
              device->device_subclass, device->device_protocol, device->configuration_value,
              device->configurations_count, device->interfaces_count);
  rest_ = Drop(rest_, sizeof(*device));
  lines_.Indent();
  for (unsigned index = 0; listed && index < device->interfaces_count && !lines_.full(); ++index) {
    const auto* interface = View<usbip::InterfaceRecord>(rest_);
    if (interface == nullptr) {
      lines_.Outdent();
      return Truncated("interface", sizeof(*interface));
    }
    lines_.Add("interface %u: class %02x/%02x/%02x", index, interface->interface_class,
               interface->interface_subclass, interface->interface_protocol);
    rest_ = Drop(rest_, sizeof(*interface));
  }
  lines_.Outdent();
  return true;
}

bool Messages::Message() {
  if (rest_.size() < usbip::kHeaderLength) {
    return Truncated("USB/IP message", usbip::kHeaderLength);
  }
  const Bytes header = rest_.first(usbip::kHeaderLength);
  const auto& basic = *View<BasicHeader>(header);
  const uint32_t sequence = basic.sequence;
  switch (static_cast<Command>(uint32_t{basic.command})) {
    case Command::kSubmit:
      rest_ = Drop(rest_, header.size());
      AddSubmit(*View<usbip::Submit>(header));
      return true;
    case Command::kSubmitReply:
      rest_ = Drop(rest_, header.size());
      AddSubmitReply(*View<usbip::SubmitReply>(header));
      return true;
    case Command::kUnlink:
      lines_.Add("unlink %u: device id %x, victim %u", sequence, unsigned{basic.device_id},
                 unsigned{View<usbip::Unlink>(header)->victim});
      rest_ = Drop(rest_, header.size());
      return true;
    case Command::kUnlinkReply: {
      const int32_t status = Signed(View<usbip::UnlinkReply>(header)->status);
      lines_.Add("unlink reply %u: status %d (%s)", sequence, status, StatusName(status));
      rest_ = Drop(rest_, header.size());
      return true;
    }
  }
  lines_.Add("odd: USB/IP command %u ends the walk", unsigned{basic.command});
  lines_.Hex(rest_);
  return false;
}

void Messages::AddSubmit(const usbip::Submit& submit) {
  const BasicHeader& basic = submit.basic;
  const uint32_t direction = basic.direction;
  lines_.Add("submit %u: device id %x, ", unsigned{basic.sequence}, unsigned{basic.device_id});
  if (direction <= usbip::kDirectionIn) {
    lines_.More("%s", direction == usbip::kDirectionIn ? "in" : "out");
  } else {
    lines_.More("odd direction %u", direction);
  }
  const uint32_t length = submit.length;
  lines_.More(", endpoint %u, length %u, flags %x", unsigned{basic.endpoint}, length,
              unsigned{submit.transfer_flags});
  if (submit.interval != 0) lines_.More(", interval %u", unsigned{submit.interval});
  lines_.Indent();
  if (basic.endpoint == 0) AddSetup(lines_, submit.setup);
  if (direction == usbip::kDirectionOut) AddData(length);
  const bool packets = basic.endpoint != 0 && PacketsFollow(rest_, submit.packets_count, length,
                                                            /*reply=*/false);
  if (packets) AddPackets(submit.packets_count);
  lines_.Outdent();
}

void Messages::AddSubmitReply(const usbip::SubmitReply& reply) {
  const int32_t status = Signed(reply.status);
  const uint32_t length = reply.length_actual;
  lines_.Add("submit reply %u: status %d (%s), length %u", unsigned{reply.basic.sequence}, status,
             StatusName(status), length);
  if (reply.error_count != 0) lines_.More(", errors %u", unsigned{reply.error_count});
  lines_.Indent();
  const uint32_t count = reply.packets_count;
  if (!PacketsFollow(rest_, count, length, /*reply=*/true) && !LooksLikeReply(rest_) &&
      !rest_.empty()) {
    AddData(length);
  }
  if (PacketsFollow(rest_, count, length, /*reply=*/true)) AddPackets(count);
  lines_.Outdent();
}

void Messages::AddData(uint32_t length) {
  if (length == 0) return;
  if (rest_.size() < length) lines_.Add("truncated: %zu of %u bytes", rest_.size(), length);
  AddPayload(lines_, Take(rest_, length));
  rest_ = Drop(rest_, length);
}

void Messages::AddPackets(uint32_t count) {
  for (uint32_t index = 0; index < count; ++index) {
    const auto& packet = *View<IsoDescriptor>(rest_);
    const int32_t status = Signed(packet.status);
    lines_.Add("packet %u: offset %u, length %u of %u, status %d (%s)", index,
               unsigned{packet.offset}, unsigned{packet.length_actual}, unsigned{packet.length},
               status, StatusName(status));
    rest_ = Drop(rest_, sizeof(packet));
  }
}

bool LooksLikeOp(const usbip::OpHeader& header, size_t length) {
  if (header.version != usbip::kVersion) return false;
  const uint32_t status = header.status;
  switch (header.code) {
    case usbip::kRequestDevices: return status == 0 && length == sizeof(header);
    case usbip::kRequestImport: return status == 0 && length >= sizeof(usbip::ImportRequest);
    case usbip::kReplyDevices: return length >= sizeof(usbip::DevicesReply);
    case usbip::kReplyImport: return status != 0 || length >= sizeof(usbip::ImportReply);
  }
  return false;
}

}  // namespace

void AddUsbip(Lines& lines, Bytes bytes) {
  Messages(lines).Run(bytes);
}

bool LooksLikeUsbip(Bytes bytes) {
  const auto* op = View<usbip::OpHeader>(bytes);
  if (op != nullptr && LooksLikeOp(*op, bytes.size())) return true;
  if (bytes.size() < usbip::kHeaderLength) return false;
  if (LooksLikeReply(bytes)) return true;
  const auto& basic = *View<BasicHeader>(bytes);
  const bool command = basic.command == static_cast<uint32_t>(Command::kSubmit) ||
                       basic.command == static_cast<uint32_t>(Command::kUnlink);
  return command && basic.device_id != 0 && basic.direction <= usbip::kDirectionIn &&
         basic.endpoint <= 15;
}

}  // namespace usbtwin::wire::dump
