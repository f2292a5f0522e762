#include "sim/expected_data.h"

#include <initializer_list>

namespace usbtwin::sim {
namespace {

using Text = std::vector<uint8_t>;

void Add(Text& to, std::initializer_list<int> bytes) {
  for (const int byte : bytes) to.push_back(static_cast<uint8_t>(byte));
}
void AddNumber(Text& to, uint64_t number, int length) {
  while (length-- > 0) to.push_back(static_cast<uint8_t>(number >> 8 * length));
}
void AddPadded(Text& to, const std::string& text, size_t length) {
  for (size_t index = 0; index < length; ++index) {
    to.push_back(index < text.size() ? static_cast<uint8_t>(text[index]) : ' ');
  }
}

// SPC-4, 6.6.2: a direct-access device, SPC-4, response data format 2, 69 more bytes; CMDQUE where
// it can be asked over UAS. The version descriptors at their end are not asked for.
Text InquiryOf(const emulator::DiskOptions& disk, bool queues) {
  Text text;
  Add(text, {0x00, disk.removable ? 0x80 : 0x00, 0x06, 0x02, 69, 0, 0, queues ? 0x02 : 0x00});
  AddPadded(text, disk.vendor, 8);
  AddPadded(text, disk.product, 16);
  AddPadded(text, disk.revision, 4);
  return text;
}

// SPC-4, 7.8.15.
Text SerialOf(const emulator::DiskOptions& disk) {
  Text text;
  Add(text, {0x00, 0x80});
  AddNumber(text, disk.serial.size(), 2);
  AddPadded(text, disk.serial, disk.serial.size());
  return text;
}

// SPC-4, 7.5.5; SBC-3, 6.5: header, block descriptor, pages 08h, 0Ah and 1Ch, which
// can be saved (PS).
Text ModeOf(const emulator::DiskOptions& disk, uint64_t blocks_count) {
  Text text;
  Add(text, {55, 0x00, disk.read_only ? 0x90 : 0x10, 8});
  AddNumber(text, blocks_count, 4);
  AddNumber(text, disk.block_size, 4);
  Add(text, {0x88, 18, disk.write_cache ? 0x04 : 0x00});
  text.resize(text.size() + 17);
  Add(text, {0x8a, 10, 0x02, 0x10, 0, 0x40, 0, 0, 0xff, 0xff, 0, 0});
  Add(text, {0x9c, 10, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  return text;
}

// SBC-3, 5, "READ CAPACITY (10)".
Text CapacityOf(const emulator::DiskOptions& disk, uint64_t lba_final) {
  Text text;
  AddNumber(text, lba_final, 4);
  AddNumber(text, disk.block_size, 4);
  return text;
}

// SBC-3, 5, "READ CAPACITY (16)": neither protection nor provisioning.
Text LongCapacityOf(const emulator::DiskOptions& disk, uint64_t lba_final) {
  Text text;
  AddNumber(text, lba_final, 8);
  AddNumber(text, disk.block_size, 4);
  text.resize(32);
  text[14] = 0xc0;  // thin, and unmapped blocks read as zeros: LBPME, LBPRZ
  return text;
}

constexpr uint8_t kReadCapacity10 = 0x25;
constexpr uint8_t kServiceActionIn16 = 0x9e;

}  // namespace

ExpectedData::ExpectedData(const emulator::Profile& profile) {
  AddNumber(luns_, 8 * profile.units.size(), 4);
  AddNumber(luns_, 0, 4);
  bool queues = false;
  for (const emulator::ConfigurationProfile& configuration : profile.configurations) {
    for (const emulator::FunctionProfile& function : configuration.functions) {
      queues = queues || function.kind == emulator::FunctionProfile::Kind::kUas;
    }
  }
  for (const emulator::UnitProfile& unit : profile.units) {
    AddNumber(luns_, units_.size(), 2);
    AddNumber(luns_, 0, 6);
    const uint64_t blocks_count = unit.size / unit.disk.block_size;
    units_.push_back(
        {.inquiry = InquiryOf(unit.disk, queues),
         .serial = SerialOf(unit.disk),
         .mode = ModeOf(unit.disk, blocks_count),
         .capacity = CapacityOf(unit.disk, blocks_count - 1),
         .long_capacity = LongCapacityOf(unit.disk, blocks_count - 1),
         .lying_capacity = CapacityOf(unit.disk, 2 * (blocks_count - 1) + 1),
         .lying_long_capacity = LongCapacityOf(unit.disk, 2 * (blocks_count - 1) + 1)});
  }
}

Bytes ExpectedData::Find(uint8_t lun, Bytes command_block) const {
  if (lun >= units_.size()) return {};
  const Unit& unit = units_[lun];
  switch (command_block[0]) {
    case 0x12: return command_block[1] == 0 ? unit.inquiry : unit.serial;
    case 0x1a: return unit.mode;
    case kReadCapacity10: return unit.capacity;
    case kServiceActionIn16: return unit.long_capacity;
    case 0xa0: return luns_;
    default: return {};
  }
}

Bytes ExpectedData::FindLie(uint8_t lun, Bytes command_block) const {
  const Unit& unit = units_[lun];
  return command_block[0] == kReadCapacity10 ? unit.lying_capacity : unit.lying_long_capacity;
}

std::optional<std::string> ExpectedData::Compare(Bytes expected, Bytes came) {
  if (came.size() > expected.size()) {
    return std::to_string(came.size()) + " bytes, expected " + std::to_string(expected.size());
  }
  for (size_t index = 0; index < came.size(); ++index) {
    if (came[index] == expected[index]) continue;
    return "byte " + std::to_string(index) + " is " + Hex(came.subspan(index, 1)) + ", expected " +
           Hex(expected.subspan(index, 1));
  }
  return std::nullopt;
}

}  // namespace usbtwin::sim
