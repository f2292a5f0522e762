#include "wire/usb.h"

#include <boost/test/unit_test.hpp>

#include "layout.h"

using namespace usbtwin;             // NOLINT
using namespace usbtwin::wire;       // NOLINT
using namespace usbtwin::wire::usb;  // NOLINT

BOOST_AUTO_TEST_SUITE(usb_layouts)

BOOST_AUTO_TEST_CASE(setup_packet) {
  constexpr auto kBytes = "80 06 0203 0904 ff00"_hex;
  const auto& read = Read<SetupPacket>(kBytes);
  BOOST_TEST(read.request_type == 0x80);
  BOOST_TEST(read.request == 6);
  BOOST_TEST(read.value == 0x302);
  BOOST_TEST(read.index == 0x409);
  BOOST_TEST(read.length == 0xff);
  CheckLayout(SetupPacket{.request_type = 0x80,
                          .request = 6,
                          .value = uint16_t{0x302},
                          .index = uint16_t{0x409},
                          .length = uint16_t{0xff}},
              kBytes);
}

BOOST_AUTO_TEST_CASE(descriptor_header) {
  constexpr auto kBytes = "04 03"_hex;
  const auto& read = Read<DescriptorHeader>(kBytes);
  BOOST_TEST(read.length == 4);
  BOOST_TEST(read.type == 3);
  CheckLayout(DescriptorHeader{.length = 4, .type = 3}, kBytes);
}

BOOST_AUTO_TEST_CASE(device) {
  constexpr auto kBytes = "12 01 1002 ef 02 01 40 3412 7856 0201 03 04 05 06"_hex;
  const auto& read = Read<DeviceDescriptor>(kBytes);
  BOOST_TEST(read.length == 0x12);
  BOOST_TEST(read.type == 1);
  BOOST_TEST(read.usb_version == 0x210);
  BOOST_TEST(read.device_class == 0xef);
  BOOST_TEST(read.device_subclass == 2);
  BOOST_TEST(read.device_protocol == 1);
  BOOST_TEST(read.packet_size_max0 == 0x40);
  BOOST_TEST(read.vendor_id == 0x1234);
  BOOST_TEST(read.product_id == 0x5678);
  BOOST_TEST(read.device_version == 0x102);
  BOOST_TEST(read.manufacturer_index == 3);
  BOOST_TEST(read.product_index == 4);
  BOOST_TEST(read.serial_index == 5);
  BOOST_TEST(read.configurations_count == 6);
  CheckLayout(DeviceDescriptor{.length = 0x12,
                               .type = 1,
                               .usb_version = uint16_t{0x210},
                               .device_class = 0xef,
                               .device_subclass = 2,
                               .device_protocol = 1,
                               .packet_size_max0 = 0x40,
                               .vendor_id = uint16_t{0x1234},
                               .product_id = uint16_t{0x5678},
                               .device_version = uint16_t{0x102},
                               .manufacturer_index = 3,
                               .product_index = 4,
                               .serial_index = 5,
                               .configurations_count = 6},
              kBytes);
}

BOOST_AUTO_TEST_CASE(device_qualifier) {
  constexpr auto kBytes = "0a 06 0002 ef 02 01 40 03 00"_hex;
  const auto& read = Read<DeviceQualifierDescriptor>(kBytes);
  BOOST_TEST(read.length == 0xa);
  BOOST_TEST(read.type == 6);
  BOOST_TEST(read.usb_version == 0x200);
  BOOST_TEST(read.device_class == 0xef);
  BOOST_TEST(read.device_subclass == 2);
  BOOST_TEST(read.device_protocol == 1);
  BOOST_TEST(read.packet_size_max0 == 0x40);
  BOOST_TEST(read.configurations_count == 3);
  BOOST_TEST(read.reserved == 0);
  CheckLayout(DeviceQualifierDescriptor{.length = 0xa,
                                        .type = 6,
                                        .usb_version = uint16_t{0x200},
                                        .device_class = 0xef,
                                        .device_subclass = 2,
                                        .device_protocol = 1,
                                        .packet_size_max0 = 0x40,
                                        .configurations_count = 3,
                                        .reserved = 0},
              kBytes);
}

BOOST_AUTO_TEST_CASE(configuration) {
  constexpr auto kBytes = "09 02 2001 03 04 05 e0 32"_hex;
  const auto& read = Read<ConfigurationDescriptor>(kBytes);
  BOOST_TEST(read.length == 9);
  BOOST_TEST(read.type == 2);
  BOOST_TEST(read.total_length == 0x120);
  BOOST_TEST(read.interfaces_count == 3);
  BOOST_TEST(read.value == 4);
  BOOST_TEST(read.string_index == 5);
  BOOST_TEST(read.attributes == 0xe0);
  BOOST_TEST(read.power_max == 0x32);
  CheckLayout(ConfigurationDescriptor{.length = 9,
                                      .type = 2,
                                      .total_length = uint16_t{0x120},
                                      .interfaces_count = 3,
                                      .value = 4,
                                      .string_index = 5,
                                      .attributes = 0xe0,
                                      .power_max = 0x32},
              kBytes);
}

BOOST_AUTO_TEST_CASE(other_speed_configuration) {
  constexpr auto kBytes = "09 07 2001 03 04 05 e0 32"_hex;
  const auto& read = Read<OtherSpeedConfigurationDescriptor>(kBytes);
  BOOST_TEST(read.length == 9);
  BOOST_TEST(read.type == 7);
  BOOST_TEST(read.total_length == 0x120);
  BOOST_TEST(read.interfaces_count == 3);
  BOOST_TEST(read.value == 4);
  BOOST_TEST(read.string_index == 5);
  BOOST_TEST(read.attributes == 0xe0);
  BOOST_TEST(read.power_max == 0x32);
  CheckLayout(OtherSpeedConfigurationDescriptor{.length = 9,
                                                .type = 7,
                                                .total_length = uint16_t{0x120},
                                                .interfaces_count = 3,
                                                .value = 4,
                                                .string_index = 5,
                                                .attributes = 0xe0,
                                                .power_max = 0x32},
              kBytes);
}

BOOST_AUTO_TEST_CASE(interface_association) {
  constexpr auto kBytes = "08 0b 01 02 0e 03 04 05"_hex;
  const auto& read = Read<InterfaceAssociationDescriptor>(kBytes);
  BOOST_TEST(read.length == 8);
  BOOST_TEST(read.type == 0xb);
  BOOST_TEST(read.interface_first == 1);
  BOOST_TEST(read.interfaces_count == 2);
  BOOST_TEST(read.function_class == 0xe);
  BOOST_TEST(read.function_subclass == 3);
  BOOST_TEST(read.function_protocol == 4);
  BOOST_TEST(read.string_index == 5);
  CheckLayout(InterfaceAssociationDescriptor{.length = 8,
                                             .type = 0xb,
                                             .interface_first = 1,
                                             .interfaces_count = 2,
                                             .function_class = 0xe,
                                             .function_subclass = 3,
                                             .function_protocol = 4,
                                             .string_index = 5},
              kBytes);
}

BOOST_AUTO_TEST_CASE(interface) {
  constexpr auto kBytes = "09 04 01 02 03 08 06 62 07"_hex;
  const auto& read = Read<InterfaceDescriptor>(kBytes);
  BOOST_TEST(read.length == 9);
  BOOST_TEST(read.type == 4);
  BOOST_TEST(read.number == 1);
  BOOST_TEST(read.alternate_setting == 2);
  BOOST_TEST(read.endpoints_count == 3);
  BOOST_TEST(read.interface_class == 8);
  BOOST_TEST(read.interface_subclass == 6);
  BOOST_TEST(read.interface_protocol == 0x62);
  BOOST_TEST(read.string_index == 7);
  CheckLayout(InterfaceDescriptor{.length = 9,
                                  .type = 4,
                                  .number = 1,
                                  .alternate_setting = 2,
                                  .endpoints_count = 3,
                                  .interface_class = 8,
                                  .interface_subclass = 6,
                                  .interface_protocol = 0x62,
                                  .string_index = 7},
              kBytes);
}

BOOST_AUTO_TEST_CASE(endpoint) {
  constexpr auto kBytes = "07 05 81 02 0014 04"_hex;
  const auto& read = Read<EndpointDescriptor>(kBytes);
  BOOST_TEST(read.length == 7);
  BOOST_TEST(read.type == 5);
  BOOST_TEST(read.address == 0x81);
  BOOST_TEST(read.attributes == 2);
  BOOST_TEST(read.packet_size_max == 0x1400);
  BOOST_TEST(read.interval == 4);
  CheckLayout(EndpointDescriptor{.length = 7,
                                 .type = 5,
                                 .address = 0x81,
                                 .attributes = 2,
                                 .packet_size_max = uint16_t{0x1400},
                                 .interval = 4},
              kBytes);
}

BOOST_AUTO_TEST_CASE(companion) {
  constexpr auto kBytes = "06 30 0f 05 3412"_hex;
  const auto& read = Read<SuperSpeedCompanionDescriptor>(kBytes);
  BOOST_TEST(read.length == 6);
  BOOST_TEST(read.type == 0x30);
  BOOST_TEST(read.burst_max == 0xf);
  BOOST_TEST(read.attributes == 5);
  BOOST_TEST(read.bytes_per_interval == 0x1234);
  CheckLayout(SuperSpeedCompanionDescriptor{.length = 6,
                                            .type = 0x30,
                                            .burst_max = 0xf,
                                            .attributes = 5,
                                            .bytes_per_interval = uint16_t{0x1234}},
              kBytes);
}

BOOST_AUTO_TEST_CASE(isochronous_companion) {
  constexpr auto kBytes = "08 31 0000 45230100"_hex;
  const auto& read = Read<SuperSpeedPlusIsochCompanionDescriptor>(kBytes);
  BOOST_TEST(read.length == 8);
  BOOST_TEST(read.type == 0x31);
  BOOST_TEST(read.reserved == 0);
  BOOST_TEST(read.bytes_per_interval == 0x12345u);
  CheckLayout(
      SuperSpeedPlusIsochCompanionDescriptor{
          .length = 8, .type = 0x31, .reserved = uint16_t{0}, .bytes_per_interval = 0x12345u},
      kBytes);
}

BOOST_AUTO_TEST_CASE(pipe_usage) {
  constexpr auto kBytes = "04 24 03 00"_hex;
  const auto& read = Read<PipeUsageDescriptor>(kBytes);
  BOOST_TEST(read.length == 4);
  BOOST_TEST(read.type == 0x24);
  BOOST_TEST(read.pipe_id == 3);
  BOOST_TEST(read.reserved == 0);
  CheckLayout(PipeUsageDescriptor{.length = 4, .type = 0x24, .pipe_id = 3, .reserved = 0}, kBytes);
}

BOOST_AUTO_TEST_CASE(bos) {
  constexpr auto kBytes = "05 0f 1601 02"_hex;
  const auto& read = Read<BosDescriptor>(kBytes);
  BOOST_TEST(read.length == 5);
  BOOST_TEST(read.type == 0xf);
  BOOST_TEST(read.total_length == 0x116);
  BOOST_TEST(read.capabilities_count == 2);
  CheckLayout(
      BosDescriptor{
          .length = 5, .type = 0xf, .total_length = uint16_t{0x116}, .capabilities_count = 2},
      kBytes);
}

BOOST_AUTO_TEST_CASE(capability_header) {
  constexpr auto kBytes = "07 10 02"_hex;
  const auto& read = Read<CapabilityHeader>(kBytes);
  BOOST_TEST(read.length == 7);
  BOOST_TEST(read.type == 0x10);
  BOOST_TEST(read.capability == 2);
  CheckLayout(CapabilityHeader{.length = 7, .type = 0x10, .capability = 2}, kBytes);
}

BOOST_AUTO_TEST_CASE(usb_2_extension) {
  constexpr auto kBytes = "07 10 02 02563412"_hex;
  const auto& read = Read<Usb2ExtensionCapability>(kBytes);
  BOOST_TEST(read.length == 7);
  BOOST_TEST(read.type == 0x10);
  BOOST_TEST(read.capability == 2);
  BOOST_TEST(read.attributes == 0x12345602u);
  CheckLayout(
      Usb2ExtensionCapability{
          .length = 7, .type = 0x10, .capability = 2, .attributes = 0x12345602u},
      kBytes);
}

BOOST_AUTO_TEST_CASE(super_speed) {
  constexpr auto kBytes = "0a 10 03 02 0e00 01 0a ff07"_hex;
  const auto& read = Read<SuperSpeedCapability>(kBytes);
  BOOST_TEST(read.length == 0xa);
  BOOST_TEST(read.type == 0x10);
  BOOST_TEST(read.capability == 3);
  BOOST_TEST(read.attributes == 2);
  BOOST_TEST(read.speeds == 0xe);
  BOOST_TEST(read.functional_from == 1);
  BOOST_TEST(read.u1_exit_latency_us == 0xa);
  BOOST_TEST(read.u2_exit_latency_us == 0x7ff);
  CheckLayout(SuperSpeedCapability{.length = 0xa,
                                   .type = 0x10,
                                   .capability = 3,
                                   .attributes = 2,
                                   .speeds = uint16_t{0xe},
                                   .functional_from = 1,
                                   .u1_exit_latency_us = 0xa,
                                   .u2_exit_latency_us = uint16_t{0x7ff}},
              kBytes);
}

BOOST_AUTO_TEST_CASE(super_speed_plus) {
  constexpr auto kBytes = "14 10 0a 00 21000000 0011 0000"_hex;
  const auto& read = Read<SuperSpeedPlusCapability>(kBytes);
  BOOST_TEST(read.length == 0x14);
  BOOST_TEST(read.type == 0x10);
  BOOST_TEST(read.capability == 0xa);
  BOOST_TEST(read.reserved == 0);
  BOOST_TEST(read.attributes == 0x21u);
  BOOST_TEST(read.functional_from == 0x1100);
  BOOST_TEST(read.reserved_too == 0);
  CheckLayout(SuperSpeedPlusCapability{.length = 0x14,
                                       .type = 0x10,
                                       .capability = 0xa,
                                       .reserved = 0,
                                       .attributes = 0x21u,
                                       .functional_from = uint16_t{0x1100},
                                       .reserved_too = uint16_t{0}},
              kBytes);
}

BOOST_AUTO_TEST_CASE(container_id) {
  constexpr auto kBytes = "14 10 04 00 000102030405060708090a0b0c0d0e0f"_hex;
  const auto& read = Read<ContainerIdCapability>(kBytes);
  BOOST_TEST(read.length == 20);
  BOOST_TEST(read.type == static_cast<uint8_t>(DescriptorType::kDeviceCapability));
  BOOST_TEST(read.capability == static_cast<uint8_t>(CapabilityType::kContainerId));
  BOOST_TEST(Hex(read.container_id, 0) == "000102030405060708090a0b0c0d0e0f");
  CheckLayout(
      ContainerIdCapability{.length = 20,
                            .type = 16,
                            .capability = 4,
                            .reserved = 0,
                            .container_id = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}},
      kBytes);
}

BOOST_AUTO_TEST_CASE(sublink_speed_attribute) {
  constexpr uint32_t kTenGigabit = 0x000a4031;  // mantissa 10, SuperSpeedPlus, exponent 3, id 1
  BOOST_TEST((kTenGigabit & kSublinkSpeedIdMask) == 1u);
  BOOST_TEST(SublinkExponent(kTenGigabit) == 3u);
  BOOST_TEST(SublinkMantissa(kTenGigabit) == 10u);
}

BOOST_AUTO_TEST_CASE(setup_packets_compare_by_meaning) {
  const SetupPacket left{.request_type = 0x80, .request = 6, .value = uint16_t{0x0100}};
  SetupPacket right = left;
  BOOST_TEST((left == right));
  right.length = uint16_t{1};
  BOOST_TEST(!(left == right));
}

BOOST_AUTO_TEST_SUITE_END()
