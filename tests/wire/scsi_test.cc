#include "wire/scsi.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;              // NOLINT
using namespace usbtwin::wire;        // NOLINT
using namespace usbtwin::wire::scsi;  // NOLINT

namespace {

// Puts a struct over a buffer of a5h and gives back what it wrote there.
template <class T>
std::vector<uint8_t> Emitted(const T& value) {
  std::vector<uint8_t> target(sizeof(T) + 2, 0xa5);
  const MutableBytes rest = Emit(target, value);
  BOOST_TEST(rest.size() == 2u);
  BOOST_TEST(rest[0] == 0xa5);
  target.resize(sizeof(T));
  return target;
}

template <size_t kLength>
std::vector<uint8_t> Literal(const std::array<uint8_t, kLength>& bytes) {
  return {bytes.begin(), bytes.end()};
}

// What the struct at the start of the literal bytes says; it must fit them exactly.
template <class T>
T Parsed(Bytes bytes) {
  BOOST_REQUIRE(bytes.size() == sizeof(T));
  BOOST_REQUIRE(View<T>(bytes.first(bytes.size() - 1)) == nullptr);
  return *View<T>(bytes);
}

uint8_t Code(Opcode opcode) {
  return static_cast<uint8_t>(opcode);
}

constexpr auto kRead6 = "08 1f0203 04 00"_hex;
constexpr auto kRead10 = "28 18 01020304 05 0607 04"_hex;
constexpr auto kWrite12 = "aa 08 01020304 05060708 1f 00"_hex;
constexpr auto kVerify16 = "8f 02 0102030405060708 090a0b0c 00 00"_hex;
constexpr auto kCapacity10Command = "25 00 00000000 0000 00 00"_hex;
constexpr auto kCapacity16Command = "9e 10 0000000000000000 00000020 00 00"_hex;
constexpr auto kTestUnitReady = "00 00000000 00"_hex;
constexpr auto kInquiry = "12 01 83 00ff 00"_hex;
constexpr auto kRequestSense = "03 01 0000 fc 00"_hex;
constexpr auto kModeSense6 = "1a 08 48 00 c0 00"_hex;
constexpr auto kModeSense10 = "5a 18 3f ff 000000 0102 00"_hex;
constexpr auto kReportLuns = "a0 00 02 000000 00000088 00 00"_hex;
constexpr auto kEject = "1b 01 00 00 02 00"_hex;
constexpr auto kPrevent = "1e 000000 01 00"_hex;
constexpr auto kUnmap = "42 00 00000000 00 0018 00"_hex;

}  // namespace

BOOST_AUTO_TEST_SUITE(scsi_layouts)

// ---- deconstruct and parse: literal bytes to fields

BOOST_AUTO_TEST_CASE(block_commands_of_all_four_lengths_read_their_fields) {
  const auto six = Parsed<BlockCommand6>(kRead6);
  BOOST_TEST(six.opcode == Code(Opcode::kRead6));
  BOOST_TEST(six.lba == 0x1f0203u);
  BOOST_TEST(six.length == 4);

  const auto ten = Parsed<BlockCommand10>(kRead10);
  BOOST_TEST(ten.opcode == Code(Opcode::kRead10));
  BOOST_TEST(ten.flags == (kDisablePageOut | kForceUnitAccess));
  BOOST_TEST(ten.lba == 0x01020304u);
  BOOST_TEST(ten.group == 5);
  BOOST_TEST(ten.length == 0x0607);
  BOOST_TEST(ten.control == kControlNaca);

  const auto twelve = Parsed<BlockCommand12>(kWrite12);
  BOOST_TEST(twelve.opcode == Code(Opcode::kWrite12));
  BOOST_TEST(twelve.lba == 0x01020304u);
  BOOST_TEST(twelve.length == 0x05060708u);
  BOOST_TEST(twelve.group == 0x1f);

  const auto sixteen = Parsed<BlockCommand16>(kVerify16);
  BOOST_TEST(sixteen.opcode == Code(Opcode::kVerify16));
  BOOST_TEST((sixteen.flags & kByteCheckMask) >> kByteCheckShift == 1);
  BOOST_TEST(sixteen.lba == 0x0102030405060708u);
  BOOST_TEST(sixteen.length == 0x090a0b0cu);
}

BOOST_AUTO_TEST_CASE(the_other_commands_read_their_fields) {
  const auto capacity = Parsed<ReadCapacity16Command>(kCapacity16Command);
  BOOST_TEST(capacity.opcode == Code(Opcode::kServiceActionIn16));
  BOOST_TEST(capacity.service_action == kServiceActionReadCapacity16);
  BOOST_TEST(capacity.allocation_length == 32u);
  BOOST_TEST(Parsed<ReadCapacity10Command>(kCapacity10Command).opcode ==
             Code(Opcode::kReadCapacity10));
  BOOST_TEST(Parsed<TestUnitReadyCommand>(kTestUnitReady).opcode == Code(Opcode::kTestUnitReady));

  const auto inquiry = Parsed<InquiryCommand>(kInquiry);
  BOOST_TEST(inquiry.flags == kInquiryVitalProductData);
  BOOST_TEST(inquiry.page_code == static_cast<uint8_t>(VpdPage::kDeviceIdentification));
  BOOST_TEST(inquiry.allocation_length == 255);

  BOOST_TEST(Parsed<RequestSenseCommand>(kRequestSense).flags == kSenseDescriptorFormat);
  BOOST_TEST(Parsed<RequestSenseCommand>(kRequestSense).allocation_length == 252);

  const auto six = Parsed<ModeSense6Command>(kModeSense6);
  BOOST_TEST(six.flags == kModeDisableBlockDescriptors);
  BOOST_TEST(six.page >> kModePageControlShift == 1);
  BOOST_TEST((six.page & kModePageCodeMask) == static_cast<uint8_t>(ModePage::kCaching));
  BOOST_TEST(six.allocation_length == 0xc0);
  const auto ten = Parsed<ModeSense10Command>(kModeSense10);
  BOOST_TEST(ten.flags == (kModeLongLba | kModeDisableBlockDescriptors));
  BOOST_TEST(ten.subpage == 0xff);
  BOOST_TEST(ten.allocation_length == 0x0102);

  BOOST_TEST(Parsed<ReportLunsCommand>(kReportLuns).select == kSelectReportAll);
  BOOST_TEST(Parsed<ReportLunsCommand>(kReportLuns).allocation_length == 0x88u);
  BOOST_TEST(Parsed<StartStopUnitCommand>(kEject).flags == kStartStopImmediate);
  BOOST_TEST(Parsed<StartStopUnitCommand>(kEject).action == kLoadEject);
  BOOST_TEST(Parsed<PreventAllowCommand>(kPrevent).prevent == 1);
  BOOST_TEST(Parsed<UnmapCommand>(kUnmap).parameter_list_length == 24);
}

BOOST_AUTO_TEST_CASE(the_group_code_tells_how_long_a_command_is) {
  BOOST_TEST(CdbLength(Code(Opcode::kRead6)) == kRead6.size());
  BOOST_TEST(CdbLength(Code(Opcode::kRead10)) == kRead10.size());
  BOOST_TEST(CdbLength(Code(Opcode::kModeSense10)) == kModeSense10.size());
  BOOST_TEST(CdbLength(Code(Opcode::kWrite12)) == kWrite12.size());
  BOOST_TEST(CdbLength(Code(Opcode::kVerify16)) == kVerify16.size());
  BOOST_TEST(CdbLength(0x7f) == 0);  // variable length
  BOOST_TEST(CdbLength(0xc0) == 0);  // vendor specific
  BOOST_TEST(CdbLength(0xff) == 0);
}

// ---- construct and emit: fields to literal bytes

BOOST_AUTO_TEST_CASE(commands_emit_their_bytes) {
  BOOST_TEST(Emitted(BlockCommand6{.opcode = 0x08, .lba = 0x1f0203, .length = 4, .control = 0}) ==
             Literal(kRead6));
  BOOST_TEST(Emitted(BlockCommand10{.opcode = 0x28,
                                    .flags = kDisablePageOut | kForceUnitAccess,
                                    .lba = 0x01020304,
                                    .group = 5,
                                    .length = 0x0607,
                                    .control = kControlNaca}) == Literal(kRead10));
  BOOST_TEST(Emitted(BlockCommand12{.opcode = 0xaa,
                                    .flags = kForceUnitAccess,
                                    .lba = 0x01020304,
                                    .length = 0x05060708,
                                    .group = 0x1f,
                                    .control = 0}) == Literal(kWrite12));
  BOOST_TEST(Emitted(BlockCommand16{.opcode = 0x8f,
                                    .flags = 1 << kByteCheckShift,
                                    .lba = 0x0102030405060708,
                                    .length = 0x090a0b0c,
                                    .group = 0,
                                    .control = 0}) == Literal(kVerify16));
  BOOST_TEST(Emitted(InquiryCommand{.opcode = 0x12,
                                    .flags = kInquiryVitalProductData,
                                    .page_code = 0x83,
                                    .allocation_length = 255,
                                    .control = 0}) == Literal(kInquiry));
  BOOST_TEST(Emitted(ModeSense10Command{.opcode = 0x5a,
                                        .flags = kModeLongLba | kModeDisableBlockDescriptors,
                                        .page = 0x3f,
                                        .subpage = 0xff,
                                        .reserved4 = {},
                                        .allocation_length = 0x0102,
                                        .control = 0}) == Literal(kModeSense10));
  BOOST_TEST(Emitted(ReportLunsCommand{.opcode = 0xa0,
                                       .reserved1 = 0,
                                       .select = kSelectReportAll,
                                       .reserved3 = {},
                                       .allocation_length = 0x88,
                                       .reserved10 = 0,
                                       .control = 0}) == Literal(kReportLuns));
}

BOOST_AUTO_TEST_CASE(inquiry_data_puts_each_field_where_the_standard_says) {
  constexpr auto kBytes =
      "00 80 06 02 1f 00 00 02"
      "5553425457494e20"                  // "USBTWIN "
      "4469736b202020202020202020202020"  // "Disk"
      "30303031"_hex;                     // "0001"
  StandardInquiry inquiry{};
  inquiry.removable = kRemovableMedium;
  inquiry.version = kVersionSpc4;
  inquiry.response_format = kResponseFormat2;
  inquiry.additional_length = sizeof(StandardInquiry) - 5;
  inquiry.flags7 = kCommandQueuing;
  inquiry.vendor = {'U', 'S', 'B', 'T', 'W', 'I', 'N', ' '};
  inquiry.product.fill(' ');
  CopyBytes(inquiry.product, TextBytes("Disk"));
  inquiry.revision = {'0', '0', '0', '1'};
  BOOST_TEST(Emitted(inquiry) == Literal(kBytes));
  BOOST_TEST(Parsed<StandardInquiry>(kBytes).additional_length == 31);

  InquiryVersions more{};
  more.versions = {kClaimsSam5, kClaimsSpc4, kClaimsSbc3};
  std::vector<uint8_t> expected(22);
  const std::vector<uint8_t> versions = Literal("00a0 0460 04c0 0000 0000 0000 0000 0000"_hex);
  expected.insert(expected.end(), versions.begin(), versions.end());
  BOOST_TEST(Emitted(more) == expected);
}

BOOST_AUTO_TEST_CASE(vital_product_data_pages_read_their_fields) {
  constexpr auto kLimits =
      "00 b0 003c 01 00 0008 00000800 00000800 00000000 00010000 00000040 00000001 80000000"
      "0000000000000000 00000100 00000008 00000004 00000040 00000010"_hex;
  const auto limits = Parsed<BlockLimitsPage>(kLimits);
  BOOST_TEST(limits.header.page_code == static_cast<uint8_t>(VpdPage::kBlockLimits));
  BOOST_TEST(limits.header.length == sizeof(BlockLimitsPage) - sizeof(VpdHeader));
  BOOST_TEST(limits.transfer_granularity == 8);
  BOOST_TEST(limits.transfer_max == 0x800u);
  BOOST_TEST(limits.unmap_blocks_max == 0x10000u);
  BOOST_TEST(limits.unmap_descriptors_max == 0x40u);
  BOOST_TEST(limits.unmap_granularity == 1u);
  BOOST_TEST(limits.unmap_alignment == 0x80000000u);
  BOOST_TEST(limits.atomic_max == 0x100u);
  BOOST_TEST(limits.atomic_alignment == 8u);
  BOOST_TEST(limits.atomic_granularity == 4u);
  BOOST_TEST(limits.atomic_boundary_max == 0x40u);
  BOOST_TEST(limits.boundary_max == 0x10u);

  BlockCharacteristicsPage characteristics{};
  characteristics.header = {0, 0xb1, 60};
  characteristics.rotation_rate = kRotationNone;
  characteristics.form_factor = 3;
  std::vector<uint8_t> expected = Literal("00 b1 003c 0001 00 03"_hex);
  expected.resize(64);
  BOOST_TEST(Emitted(characteristics) == expected);

  const auto provisioning = Parsed<ProvisioningPage>("00 b2 0004 00 84 02 00"_hex);
  BOOST_TEST(provisioning.flags5 == (kProvisioningUnmap | kProvisioningReadsZero));
  BOOST_TEST(provisioning.type == kProvisioningThin);
  const auto designation = Parsed<DesignationDescriptor>("02 01 00 14"_hex);
  BOOST_TEST(designation.code_set == kCodeSetAscii);
  BOOST_TEST(designation.type == kDesignatorT10Vendor);
  BOOST_TEST(designation.length == 20);
}

BOOST_AUTO_TEST_CASE(mode_parameters_read_their_fields) {
  const auto six = Parsed<ModeHeader6>("23 00 90 08"_hex);
  BOOST_TEST(six.data_length == 0x23);
  BOOST_TEST(six.device_specific == (kModeWriteProtected | kModeDpoFua));
  BOOST_TEST(six.block_descriptor_length == sizeof(BlockDescriptor));
  const auto ten = Parsed<ModeHeader10>("0026 00 10 01 00 0010"_hex);
  BOOST_TEST(ten.data_length == 0x26);
  BOOST_TEST(ten.flags4 == kLongLba);
  BOOST_TEST(ten.block_descriptor_length == sizeof(LongBlockDescriptor));

  const auto block = Parsed<BlockDescriptor>("01020304 00 000200"_hex);
  BOOST_TEST(block.blocks_count == 0x01020304u);
  BOOST_TEST(block.block_length == 512u);
  const auto long_block = Parsed<LongBlockDescriptor>("0000000100000002 00000000 00001000"_hex);
  BOOST_TEST(long_block.blocks_count == 0x100000002u);
  BOOST_TEST(long_block.block_length == 4096u);

  const auto caching =
      Parsed<CachingPage>("08 12 05 00 ffff 0001 0002 ffff 80 20 0304 00 000000"_hex);
  BOOST_TEST(caching.flags2 == (kWriteCacheEnabled | kReadCacheDisabled));
  BOOST_TEST(caching.prefetch_min == 1);
  BOOST_TEST(caching.prefetch_max == 2);
  BOOST_TEST(caching.flags12 == 0x80);
  BOOST_TEST(caching.cache_segment_size == 0x0304);
  const auto control = Parsed<ControlPage>("0a 0a 06 10 00 40 0000 ffff 0102"_hex);
  BOOST_TEST(control.flags2 == (kDescriptorSense | kGlobalLogSaveDisable));
  BOOST_TEST(control.queueing == kUnrestrictedReordering);
  BOOST_TEST(control.busy_timeout_max == 0xffff);
  BOOST_TEST(control.self_test_time == 0x0102);
  const auto exceptions = Parsed<ExceptionsPage>("1c 0a 08 06 00000001 00000002"_hex);
  BOOST_TEST(exceptions.flags2 == kExceptionsDisabled);
  BOOST_TEST(exceptions.method == 6);
  BOOST_TEST(exceptions.report_count == 2u);
}

BOOST_AUTO_TEST_CASE(capacities_read_their_fields) {
  const auto ten = Parsed<Capacity10>("0001ffff 00000200"_hex);
  BOOST_TEST(ten.lba_final == 0x1ffffu);
  BOOST_TEST(ten.block_length == 512u);
  constexpr auto kSixteen =
      "0000000100000000 00001000 00 03 c000 00000000000000000000000000000000"_hex;
  const auto sixteen = Parsed<Capacity16>(kSixteen);
  BOOST_TEST(sixteen.lba_final == 0x100000000u);
  BOOST_TEST(sixteen.block_length == 4096u);
  BOOST_TEST(sixteen.physical == 3);
  BOOST_TEST(sixteen.provisioning == (kProvisioningEnabled | kUnmappedReadsZero));
}

BOOST_AUTO_TEST_CASE(sense_layouts_read_their_fields) {
  const auto fixed = Parsed<FixedSense>("f0 00 05 01020304 0a 00000000 21 00 00 c80001"_hex);
  BOOST_TEST(fixed.response_code == (kInformationValid | kFixedCurrent));
  BOOST_TEST((fixed.flags2 & kSenseKeyMask) == 5);
  BOOST_TEST(fixed.information == 0x01020304u);
  BOOST_TEST(fixed.additional_length == sizeof(FixedSense) - 8);
  BOOST_TEST(fixed.asc == 0x21);
  BOOST_TEST(fixed.key_specific[0] == (kKeySpecificValid | kFieldInCommand | kFieldBitValid));

  const auto descriptor = Parsed<DescriptorSense>("72 05 24 01 000000 14"_hex);
  BOOST_TEST(descriptor.response_code == kDescriptorCurrent);
  BOOST_TEST(descriptor.ascq == 1);
  BOOST_TEST(descriptor.additional_length == 20);
  const auto information = Parsed<InformationDescriptor>("00 0a 80 00 0102030405060708"_hex);
  BOOST_TEST(information.valid == kInformationValid);
  BOOST_TEST(information.information == 0x0102030405060708u);
  const auto specific = Parsed<KeySpecificDescriptor>("02 06 0000 cf0002 00"_hex);
  BOOST_TEST((specific.key_specific[0] & kFieldBitMask) == 7);
}

BOOST_AUTO_TEST_CASE(lun_lists_emit_their_bytes) {
  BOOST_TEST(Emitted(LunListHeader{.length = 16, .reserved4 = {}}) ==
             Literal("00000010 00000000"_hex));
  BOOST_TEST(Emitted(LunEntry{.address_method = 0, .number = 15, .lower_levels = {}}) ==
             Literal("000f 000000000000"_hex));
}

BOOST_AUTO_TEST_SUITE_END()
