#include "proto/scsi_command.h"

#include <algorithm>

#include "base/overloaded.h"
#include "proto/scsi_parse.h"

namespace usbtwin::scsi {
namespace {

namespace raw = wire::scsi;

// Every command that is known, by operation code and service action.
struct Table {
  std::vector<const CommandRow*> rows;
  std::vector<CommandInfo> infos;     // of the same rows
  std::array<uint16_t, 257> first{};  // of an operation code; the next one's ends its rows
};

CommandInfo InfoOf(const CommandRow& row) {
  const uint8_t action = row.usage[1] & raw::kServiceActionMask;
  return {.opcode = row.usage[0],
          .has_service_action = row.has_service_action,
          .service_action = row.has_service_action ? action : uint8_t{0},
          .usage = Bytes(row.usage).first(raw::CdbLength(row.usage[0]))};
}

Table MakeTable() {
  Table table;
  for (const std::span<const CommandRow> rows : {PrimaryRows(), BlockRows()}) {
    for (const CommandRow& row : rows) table.rows.push_back(&row);
  }
  std::sort(
      table.rows.begin(), table.rows.end(),
      [](const CommandRow* left, const CommandRow* right) { return left->usage < right->usage; });
  for (const CommandRow* row : table.rows) table.infos.push_back(InfoOf(*row));
  uint16_t place = 0;
  for (size_t opcode = 0; opcode < table.first.size(); ++opcode) {
    while (place < table.rows.size() && table.rows[place]->usage[0] < opcode) ++place;
    table.first[opcode] = place;
  }
  return table;
}

const Table& Known() {
  static const Table table = MakeTable();
  return table;
}

}  // namespace

std::span<const CommandInfo> Commands() {
  return Known().infos;
}

std::span<const CommandInfo> CommandsOf(uint8_t opcode) {
  const Table& table = Known();
  const size_t first = table.first[opcode];
  return std::span(table.infos).subspan(first, table.first[opcode + 1u] - first);
}

Result<Meaning, Sense> ParseCdb(Bytes cdb) {
  if (cdb.empty()) return InvalidOpcode();
  const Table& table = Known();
  size_t place = table.first[cdb[0]];
  const size_t end = table.first[cdb[0] + 1u];
  if (place == end) return InvalidOpcode();
  const size_t length = raw::CdbLength(cdb[0]);
  // The first byte that is missing is the one in error.
  if (cdb.size() < length) return InvalidFieldInCdb(static_cast<uint16_t>(cdb.size()));
  // Auto contingent allegiance is not supported: NORMACA is zero. SAM-5, 5.2.
  if ((cdb[length - 1] & raw::kControlNaca) != 0) {
    return InvalidFieldInCdb(static_cast<uint16_t>(length - 1), 2);
  }
  if (table.infos[place].has_service_action) {
    const uint8_t action = cdb[1] & raw::kServiceActionMask;
    while (place < end && table.infos[place].service_action != action) ++place;
    if (place == end) return InvalidFieldInCdb(1, 4);
  }
  return table.rows[place]->parser(cdb);
}

DataPhase ExpectedData(const Meaning& meaning, uint32_t block_size) {
  auto blocks = [block_size](Direction direction, const cdb::Range& range) {
    if (range.blocks_count == 0) return DataPhase{};
    return DataPhase{direction, uint64_t{range.blocks_count} * block_size};
  };
  auto in = [](uint32_t length) {
    return length == 0 ? DataPhase{} : DataPhase{Direction::kIn, length};
  };
  auto out = [](uint32_t length) {
    return length == 0 ? DataPhase{} : DataPhase{Direction::kOut, length};
  };
  return std::visit(
      Overloaded{
          [](const cdb::TestUnitReady&) { return DataPhase{}; },
          [&](const cdb::RequestSense& what) { return in(what.allocation_length); },
          [&](const cdb::Inquiry& what) { return in(what.allocation_length); },
          [&](const cdb::ModeSelect& what) { return out(what.parameter_list_length); },
          [&](const cdb::LogSense& what) { return in(what.allocation_length); },
          [](const cdb::Reserve6&) { return DataPhase{}; },
          [](const cdb::Release6&) { return DataPhase{}; },
          [&](const cdb::PersistentReserveIn& what) { return in(what.allocation_length); },
          [&](const cdb::PersistentReserveOut& what) { return out(what.parameter_list_length); },
          [&](const cdb::ModeSense& what) { return in(what.allocation_length); },
          [&](const cdb::ReadCapacity10&) { return in(sizeof(raw::Capacity10)); },
          [&](const cdb::ReadCapacity16& what) { return in(what.allocation_length); },
          [&](const cdb::Read& what) { return blocks(Direction::kIn, what.range); },
          [&](const cdb::Write& what) { return blocks(Direction::kOut, what.range); },
          [&](const cdb::Verify& what) {
            return what.compare ? blocks(Direction::kOut, what.range) : DataPhase{};
          },
          [&](const cdb::WriteAndVerify& what) { return blocks(Direction::kOut, what.range); },
          [&](const cdb::CompareAndWrite& what) {
            cdb::Range both = what.range;
            both.blocks_count *= 2;
            return blocks(Direction::kOut, both);
          },
          [&](const cdb::OrWrite& what) { return blocks(Direction::kOut, what.range); },
          [&](const cdb::WriteAtomic& what) { return blocks(Direction::kOut, what.range); },
          [&](const cdb::WriteSame& what) {
            return what.no_data ? DataPhase{} : DataPhase{Direction::kOut, block_size};
          },
          [&](const cdb::Unmap& what) { return out(what.parameter_list_length); },
          [&](const cdb::GetLbaStatus& what) { return in(what.allocation_length); },
          [](const cdb::PreFetch&) { return DataPhase{}; },
          [](const cdb::SynchronizeCache&) { return DataPhase{}; },
          [&](const cdb::ReadDefectData& what) { return in(what.allocation_length); },
          [&](const cdb::ReadBuffer& what) { return in(what.allocation_length); },
          [&](const cdb::WriteBuffer& what) { return out(what.parameter_list_length); },
          [&](const cdb::ReportOpcodes& what) { return in(what.allocation_length); },
          [&](const cdb::ReportTaskFunctions& what) { return in(what.allocation_length); },
          [&](const cdb::ReportLuns& what) { return in(what.allocation_length); },
          [](const cdb::StartStopUnit&) { return DataPhase{}; },
          [](const cdb::FormatUnit& what) {
            // The header; a list of defects would follow it.
            if (!what.has_list) return DataPhase{};
            return DataPhase{Direction::kOut, what.long_list ? sizeof(raw::FormatLongHeader)
                                                             : sizeof(raw::FormatShortHeader)};
          },
          [&](const cdb::Sanitize& what) { return out(what.parameter_list_length); },
          [](const cdb::PreventAllowMediumRemoval&) { return DataPhase{}; },
      },
      meaning);
}

Sense InvalidOpcode() {
  Sense sense;
  sense.key = SenseKey::kIllegalRequest;
  sense.asc = 0x20;
  sense.field_valid = true;  // the operation code: byte 0
  return sense;
}

Sense InvalidFieldInCdb(uint16_t byte, std::optional<uint8_t> bit) {
  Sense sense;
  sense.key = SenseKey::kIllegalRequest;
  sense.asc = 0x24;
  sense.field_valid = true;
  sense.field = {
      .in_command = true, .bit_valid = bit.has_value(), .bit = bit.value_or(0), .byte = byte};
  return sense;
}

Sense InvalidFieldInList(uint16_t byte, std::optional<uint8_t> bit) {
  Sense sense = InvalidFieldInCdb(byte, bit);
  sense.asc = 0x26;
  sense.field.in_command = false;
  return sense;
}

Sense ListLengthError() {
  return {.key = SenseKey::kIllegalRequest, .asc = 0x1a};
}

}  // namespace usbtwin::scsi
