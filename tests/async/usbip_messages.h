// The messages of USB/IP as a test writes them: any field may hold anything.
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "wire/usbip.h"

namespace usbtwin::tests {

using Message = std::vector<uint8_t>;

inline constexpr uint32_t kDeviceId = 1 << 16 | 2;  // of "1-1"

inline Message operator+(Message left, const Message& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

template <wire::WireStruct T>
Message ToMessage(const T& value) {
  const Bytes bytes = wire::AsBytes(value);
  return {bytes.begin(), bytes.end()};
}

// OP_REQ_*, OP_REP_*: version, code, status.
inline Message OpMessage(uint16_t version, uint16_t code, uint32_t status = 0) {
  return ToMessage(wire::usbip::OpHeader{.version = version, .code = code, .status = status});
}
inline Message Text(const std::string& text, size_t length, char fill = 0) {
  Message bytes(length, static_cast<uint8_t>(fill));
  CopyBytes(bytes, TextBytes(text));
  return bytes;
}
inline Message ImportMessage(const std::string& bus_id) {
  return OpMessage(wire::usbip::kVersion, wire::usbip::kRequestImport) + Text(bus_id, 32);
}

// CMD_SUBMIT without what follows it.
struct SubmitFields {
  uint32_t sequence = 1;
  uint32_t endpoint = 0;
  uint32_t in = 1;  // the direction
  uint32_t length = 0;
  std::array<uint8_t, 8> setup{};
  uint32_t packets_count = 0;
  uint32_t flags = 0;
  uint32_t device_id = kDeviceId;
  uint32_t command = 1;
};
inline Message SubmitMessage(const SubmitFields& fields) {
  wire::usbip::Submit submit{};
  submit.basic.command = fields.command;
  submit.basic.sequence = fields.sequence;
  submit.basic.device_id = fields.device_id;
  submit.basic.direction = fields.in;
  submit.basic.endpoint = fields.endpoint;
  submit.transfer_flags = fields.flags;
  submit.length = fields.length;
  submit.packets_count = fields.packets_count;
  submit.setup = fields.setup;
  return ToMessage(submit);
}
inline Message UnlinkMessage(uint32_t sequence, uint32_t victim, uint32_t device_id = kDeviceId) {
  wire::usbip::Unlink unlink{};
  unlink.basic.command = 2;
  unlink.basic.sequence = sequence;
  unlink.basic.device_id = device_id;
  unlink.victim = victim;
  return ToMessage(unlink);
}

inline constexpr std::array<uint8_t, 8> kGetDevice{0x80, 6, 0, 1, 0, 0, 18, 0};
inline constexpr std::array<uint8_t, 8> kSetConfiguration{0x00, 9, 1, 0, 0, 0, 0, 0};

// RET_SUBMIT and RET_UNLINK, as a server sends them.
struct ReplyFields {
  uint32_t command = 3;
  uint32_t sequence = 0;
  int32_t status = 0;
  uint32_t length = 0;
  uint32_t packets_count = 0;
};
inline Message ReplyMessage(const ReplyFields& fields) {
  wire::usbip::SubmitReply reply{};
  reply.basic.command = fields.command;
  reply.basic.sequence = fields.sequence;
  reply.status = static_cast<uint32_t>(fields.status);
  reply.length_actual = fields.length;
  reply.packets_count = fields.packets_count;
  return ToMessage(reply);
}
inline Message IsoMessage(uint32_t offset, uint32_t length, uint32_t length_actual = 0,
                          uint32_t status = 0) {
  return ToMessage(wire::usbip::IsoDescriptor{
      .offset = offset, .length = length, .length_actual = length_actual, .status = status});
}

// The status of a reply, whichever of the two it is; 0 where there is none.
inline int32_t StatusIn(const Message& bytes, size_t offset = 0) {
  const auto* reply = wire::View<wire::usbip::SubmitReply>(Drop(Bytes(bytes), offset));
  return reply == nullptr ? 0 : static_cast<int32_t>(uint32_t{reply->status});
}

}  // namespace usbtwin::tests
