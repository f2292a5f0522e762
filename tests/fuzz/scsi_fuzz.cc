// Command blocks and sense data. A command that was understood is built anew and means the same; a
// refusal names a byte that is there; sense data that was read is written in both formats and read
// as the same. The input is both: a command block and sense data.
#include "proto/scsi_command.h"

#include "base/check.h"
#include "base/overloaded.h"

namespace {

using namespace usbtwin;        // NOLINT
using namespace usbtwin::scsi;  // NOLINT

// The longest form of each command has room for what a shorter one meant. A READ(6) cannot ask for
// 256 blocks and READ(10) for none; both are in READ(16).
Cdb Rebuild(const Meaning& meaning) {
  const auto caching = [](const auto& what) {
    return Caching{what.disable_page_out, what.force_unit_access};
  };
  return std::visit(
      Overloaded{
          [](const cdb::TestUnitReady&) { return TestUnitReady(); },
          [](const cdb::RequestSense& what) {
            return RequestSense(what.descriptor, what.allocation_length);
          },
          [](const cdb::Inquiry& what) {
            return Inquiry(what.vital, what.page, what.allocation_length);
          },
          [](const cdb::ModeSense& what) {
            return what.ten ? ModeSense10(what) : ModeSense6(what);
          },
          [](const cdb::ModeSelect& what) {
            return what.ten ? ModeSelect10(what) : ModeSelect6(what);
          },
          [](const cdb::LogSense& what) { return LogSense(what); },
          [](const cdb::Reserve6&) { return Reserve6(); },
          [](const cdb::Release6&) { return Release6(); },
          [](const cdb::PersistentReserveIn& what) { return PersistentReserveIn(what); },
          [](const cdb::PersistentReserveOut& what) { return PersistentReserveOut(what); },
          [](const cdb::ReadCapacity10&) { return ReadCapacity10(); },
          [](const cdb::ReadCapacity16& what) { return ReadCapacity16(what.allocation_length); },
          [&](const cdb::Read& what) {
            return Read16(what.range.lba, what.range.blocks_count, caching(what));
          },
          [&](const cdb::Write& what) {
            return Write16(what.range.lba, what.range.blocks_count, caching(what));
          },
          [](const cdb::Verify& what) { return Verify16(what); },
          [](const cdb::WriteAndVerify& what) { return WriteAndVerify16(what); },
          [](const cdb::CompareAndWrite& what) { return CompareAndWrite(what); },
          [](const cdb::OrWrite& what) { return OrWrite16(what); },
          [](const cdb::WriteAtomic& what) { return WriteAtomic16(what); },
          [](const cdb::WriteSame& what) { return WriteSame16(what); },
          [](const cdb::Unmap& what) { return Unmap(what); },
          [](const cdb::GetLbaStatus& what) { return GetLbaStatus(what); },
          [](const cdb::PreFetch& what) { return PreFetch16(what); },
          [](const cdb::ReadDefectData& what) { return ReadDefectData(what); },
          [](const cdb::ReadBuffer& what) { return ReadBuffer(what); },
          [](const cdb::WriteBuffer& what) { return WriteBuffer(what); },
          [](const cdb::ReportOpcodes& what) { return ReportOpcodes(what); },
          [](const cdb::ReportTaskFunctions& what) { return ReportTaskFunctions(what); },
          [](const cdb::SynchronizeCache& what) {
            return SynchronizeCache16(what.range.lba, what.range.blocks_count, what.immediate);
          },
          [](const cdb::ReportLuns& what) {
            return ReportLuns(what.select, what.allocation_length);
          },
          [](const cdb::StartStopUnit& what) { return StartStopUnit(what); },
          [](const cdb::FormatUnit& what) { return FormatUnit(what); },
          [](const cdb::Sanitize& what) { return Sanitize(what); },
          [](const cdb::PreventAllowMediumRemoval& what) {
            return PreventAllowMediumRemoval(what.prevent);
          },
      },
      meaning);
}

void CheckSame(const Sense& sense) {
  std::array<uint8_t, kDescriptorSenseLengthMax> room;
  room.fill(0xa5);
  const uint32_t length = EmitDescriptorSense(sense, room);
  CHECK_LE(length, kDescriptorSenseLengthMax);
  CHECK(ParseSense(Take(Bytes(room), length)) == sense);

  Sense fixed = sense;  // it has four bytes for the information
  if (sense.information > UINT32_MAX) {
    fixed.information = 0;
    fixed.information_valid = false;
  }
  CHECK_EQ(EmitFixedSense(sense, room), kFixedSenseLength);
  CHECK(ParseSense(Take(Bytes(room), kFixedSenseLength)) == fixed);
}

void TryCdb(Bytes bytes) {
  const Result<Meaning, Sense> parsed = ParseCdb(bytes);
  if (!parsed) {
    const Sense& sense = parsed.error();
    CHECK(sense.key == SenseKey::kIllegalRequest);
    CHECK(sense.field_valid && sense.field.in_command);
    CHECK(sense.asc == 0x24 || (sense.asc == 0x20 && sense.field.byte == 0));
    CHECK_LT(sense.field.byte, 16);
    CheckSame(sense);
    return;
  }
  for (const uint32_t block_size : {512u, 4096u}) {
    const DataPhase data = ExpectedData(*parsed, block_size);
    CHECK((data.direction == Direction::kNone) == (data.length == 0));
  }
  const Result<Meaning, Sense> again = ParseCdb(Rebuild(*parsed).view());
  CHECK(again.has_value());
  CHECK(*again == *parsed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes(data, size);
  TryCdb(bytes);
  if (const std::optional<Sense> sense = ParseSense(bytes)) CheckSame(*sense);
  return 0;
}
