#include "wire/usbip.h"

#include <boost/test/unit_test.hpp>

#include "layout.h"

using namespace usbtwin;               // NOLINT
using namespace usbtwin::wire;         // NOLINT
using namespace usbtwin::wire::usbip;  // NOLINT

namespace {

// The bytes of a text field: the text, then zeros.
template <size_t kSize>
std::array<uint8_t, kSize> Text(std::string_view text) {
  std::array<uint8_t, kSize> bytes{};
  CopyBytes(bytes, TextBytes(text));
  return bytes;
}

int32_t Signed(uint32_t value) {
  return static_cast<int32_t>(value);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(usbip_layouts)

BOOST_AUTO_TEST_CASE(request_of_the_list) {
  constexpr auto kBytes = "0111 8005 00000000"_hex;
  const auto& header = Read<OpHeader>(kBytes);
  BOOST_TEST(header.version == kVersion);
  BOOST_TEST(header.code == kRequestDevices);
  BOOST_TEST(header.status == 0u);
  CheckLayout(OpHeader{.version = kVersion, .code = kRequestDevices, .status = 0u}, kBytes);
}

BOOST_AUTO_TEST_CASE(import_request) {
  constexpr auto kBytes =
      "0111 8003 00000000"
      "312d312e3400 0000 0000000000000000 0000000000000000 0000000000000000"_hex;  // "1-1.4"
  const auto& request = Read<ImportRequest>(kBytes);
  BOOST_TEST(request.header.code == kRequestImport);
  BOOST_TEST(SameBytes(request.bus_id, Text<kBusIdLength>("1-1.4")));
  CheckLayout(ImportRequest{.header = {.version = kVersion, .code = kRequestImport, .status = 0u},
                            .bus_id = Text<kBusIdLength>("1-1.4")},
              kBytes);
}

// The table of Linux's document gives offsets in the reply to an import: 8 for the path, 0x108 for
// the bus id, and so on to 0x13f, the last byte.
BOOST_AUTO_TEST_CASE(import_reply) {
  constexpr auto kNumbers =
      "00000003 00000004 00000005"  // 0x128: bus, device, super speed
      "1d6b 0104 0510"              // 0x134: vendor, product, bcdDevice
      "ef 02 01 01 02 03"_hex;      // 0x13a: class, configuration value, two counts
  std::array<uint8_t, 320> bytes{};
  CopyBytes(bytes, "0111 0003 00000000"_hex);
  CopyBytes(MutableBytes(bytes).subspan(8), TextBytes("/sys/devices/usb3/3-2"));
  CopyBytes(MutableBytes(bytes).subspan(0x108), TextBytes("3-2"));
  CopyBytes(MutableBytes(bytes).subspan(0x128), kNumbers);
  const auto& reply = Read<ImportReply>(bytes);
  BOOST_TEST(reply.header.code == kReplyImport);
  BOOST_TEST(reply.device.speed == kSpeedSuper);
  BOOST_TEST(reply.device.configuration_value == 1);
  CheckLayout(ImportReply{.header = {.version = kVersion, .code = kReplyImport, .status = 0u},
                          .device = {.path = Text<kPathLength>("/sys/devices/usb3/3-2"),
                                     .bus_id = Text<kBusIdLength>("3-2"),
                                     .bus_number = 3u,
                                     .device_number = 4u,
                                     .speed = kSpeedSuper,
                                     .vendor_id = uint16_t{0x1d6b},
                                     .product_id = uint16_t{0x0104},
                                     .release_number = uint16_t{0x0510},
                                     .device_class = 0xef,
                                     .device_subclass = 2,
                                     .device_protocol = 1,
                                     .configuration_value = 1,
                                     .configurations_count = 2,
                                     .interfaces_count = 3}},
              bytes);
}

BOOST_AUTO_TEST_CASE(start_of_the_list) {
  constexpr auto kBytes = "0111 0005 00000000 00000002"_hex;
  BOOST_TEST(Read<DevicesReply>(kBytes).devices_count == 2u);
  CheckLayout(DevicesReply{.header = {.version = kVersion, .code = kReplyDevices, .status = 0u},
                           .devices_count = 2u},
              kBytes);
}

BOOST_AUTO_TEST_CASE(interface_record) {
  constexpr auto kBytes = "08 06 50 00"_hex;
  CheckLayout(
      InterfaceRecord{
          .interface_class = 8, .interface_subclass = 6, .interface_protocol = 0x50, .padding = 0},
      kBytes);
}

// This and the next three are the example at the end of Linux's document, captured from a wire.
BOOST_AUTO_TEST_CASE(submit_of_an_interrupt_in) {
  constexpr auto kBytes =
      "00000001 00000d05 0001000f 00000001 00000001"  // device 15 of bus 1, in, endpoint 1
      "00000200 00000040 ffffffff 00000000 00000004 0000000000000000"_hex;
  const auto& submit = Read<Submit>(kBytes);
  BOOST_TEST(submit.basic.command == static_cast<uint32_t>(Command::kSubmit));
  BOOST_TEST(submit.basic.device_id == (1u << 16 | 15u));
  BOOST_TEST(submit.basic.direction == kDirectionIn);
  BOOST_TEST(submit.length == 64u);
  CheckLayout(Submit{.basic = {.command = 1u,
                               .sequence = 0xd05u,
                               .device_id = 0x1000fu,
                               .direction = kDirectionIn,
                               .endpoint = 1u},
                     .transfer_flags = 0x200u,
                     .length = 64u,
                     .start_frame = 0xffffffffu,
                     .packets_count = 0u,
                     .interval = 4u,
                     .setup = {}},
              kBytes);
}

BOOST_AUTO_TEST_CASE(submit_of_an_interrupt_out) {
  constexpr auto kBytes =
      "00000001 00000d06 0001000f 00000000 00000001"
      "00000000 00000040 ffffffff 00000000 00000004 0000000000000000"_hex;
  BOOST_TEST(Read<Submit>(kBytes).basic.direction == kDirectionOut);
  CheckLayout(Submit{.basic = {.command = 1u,
                               .sequence = 0xd06u,
                               .device_id = 0x1000fu,
                               .direction = kDirectionOut,
                               .endpoint = 1u},
                     .transfer_flags = 0u,
                     .length = 64u,
                     .start_frame = 0xffffffffu,
                     .packets_count = 0u,
                     .interval = 4u,
                     .setup = {}},
              kBytes);
}

BOOST_AUTO_TEST_CASE(reply_to_a_submit) {
  constexpr auto kBytes =
      "00000003 00000d06 00000000 00000000 00000000"
      "00000000 00000040 ffffffff 00000000 00000000 0000000000000000"_hex;
  BOOST_TEST(Read<SubmitReply>(kBytes).length_actual == 64u);
  CheckLayout(SubmitReply{.basic = {.command = 3u,
                                    .sequence = 0xd06u,
                                    .device_id = 0u,
                                    .direction = 0u,
                                    .endpoint = 0u},
                          .status = 0u,
                          .length_actual = 64u,
                          .start_frame = 0xffffffffu,
                          .packets_count = 0u,
                          .error_count = 0u,
                          .padding = {}},
              kBytes);
}

BOOST_AUTO_TEST_CASE(submit_of_a_control_transfer) {
  constexpr auto kBytes =
      "00000001 00000001 00010002 00000001 00000000"
      "00000200 00000012 00000000 00000000 00000000"
      "80 06 0001 0000 1200"_hex;  // GET_DESCRIPTOR, as on the bus: little-endian
  CheckLayout(Submit{.basic = {.command = 1u,
                               .sequence = 1u,
                               .device_id = 0x10002u,
                               .direction = kDirectionIn,
                               .endpoint = 0u},
                     .transfer_flags = 0x200u,
                     .length = 18u,
                     .start_frame = 0u,
                     .packets_count = 0u,
                     .interval = 0u,
                     .setup = {0x80, 6, 0, 1, 0, 0, 0x12, 0}},
              kBytes);
}

// Every field different, so that none stands in another's place.
BOOST_AUTO_TEST_CASE(fields_of_a_reply) {
  constexpr auto kBytes =
      "00000003 01020304 00000000 00000000 00000000"
      "ffffff87 00010203 0a0b0c0d 00000010 00000002 0000000000000000"_hex;
  const auto& reply = Read<SubmitReply>(kBytes);
  BOOST_TEST(Signed(reply.status) == -121);
  BOOST_TEST(reply.length_actual == 0x10203u);
  BOOST_TEST(reply.start_frame == 0x0a0b0c0du);
  BOOST_TEST(reply.packets_count == 16u);
  BOOST_TEST(reply.error_count == 2u);
}

BOOST_AUTO_TEST_CASE(unlink) {
  constexpr auto kBytes =
      "00000002 00000d08 0001000f 00000000 00000000"
      "00000d05 000000000000000000000000000000000000000000000000"_hex;
  BOOST_TEST(Read<Unlink>(kBytes).victim == 0xd05u);
  CheckLayout(Unlink{.basic = {.command = 2u,
                               .sequence = 0xd08u,
                               .device_id = 0x1000fu,
                               .direction = 0u,
                               .endpoint = 0u},
                     .victim = 0xd05u,
                     .padding = {}},
              kBytes);
}

BOOST_AUTO_TEST_CASE(unlink_reply) {
  constexpr auto kBytes =
      "00000004 00000d08 00000000 00000000 00000000"
      "ffffff98 000000000000000000000000000000000000000000000000"_hex;
  BOOST_TEST(Signed(Read<UnlinkReply>(kBytes).status) == -104);
  CheckLayout(UnlinkReply{.basic = {.command = 4u,
                                    .sequence = 0xd08u,
                                    .device_id = 0u,
                                    .direction = 0u,
                                    .endpoint = 0u},
                          .status = static_cast<uint32_t>(-104),
                          .padding = {}},
              kBytes);
}

BOOST_AUTO_TEST_CASE(iso_descriptor) {
  constexpr auto kBytes = "00000400 000000c0 00000080 ffffffee"_hex;
  const auto& packet = Read<IsoDescriptor>(kBytes);
  BOOST_TEST(Signed(packet.status) == -18);
  CheckLayout(IsoDescriptor{.offset = 1024u,
                            .length = 192u,
                            .length_actual = 128u,
                            .status = static_cast<uint32_t>(-18)},
              kBytes);
}

BOOST_AUTO_TEST_SUITE_END()
