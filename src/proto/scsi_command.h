// Command descriptor blocks: bytes to meaning and meaning to bytes, in one place for both ends. A
// device parses what a stranger sent and learns either what is meant or the sense data that says
// which byte and bit is wrong; a host builds. What a unit supports beyond that (pages, removable
// media, power conditions) is the unit's business. SPC-4, SBC-3; WRITE ATOMIC(16) is of SBC-4.
//
// Reserved bits are ignored. Bits that would change the meaning of a command (protection fields,
// NACA, service actions) are refused, because ignoring them would do something else than asked.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "base/bytes.h"
#include "base/error.h"
#include "proto/scsi_meaning.h"
#include "proto/sense.h"
#include "wire/scsi.h"

namespace usbtwin::scsi {

// The meaning, or the sense data of the Illegal Request: 20h/00h for an operation code that is not
// known, 24h/00h with a field pointer for everything else. Bytes behind the CDB are ignored.
Result<Meaning, Sense> ParseCdb(Bytes cdb);

// A command that ParseCdb understands, as REPORT SUPPORTED OPERATION CODES tells it. SPC-4, 6.35.
struct CommandInfo {
  uint8_t opcode = 0;
  bool has_service_action = false;
  uint8_t service_action = 0;
  Bytes usage;  // CDB USAGE DATA, as long as the CDB: the bits that are looked at
};
// All of them, by operation code and service action; and those of one operation code.
std::span<const CommandInfo> Commands();
std::span<const CommandInfo> CommandsOf(uint8_t opcode);

// The data phase a command leads to when it succeeds: exactly that many bytes of blocks, at most
// that many of anything else.
enum class Direction : uint8_t { kNone, kIn, kOut };
struct DataPhase {
  Direction direction = Direction::kNone;
  uint64_t length = 0;  // bytes
  bool operator==(const DataPhase&) const = default;
};
DataPhase ExpectedData(const Meaning& meaning, uint32_t block_size);

// ---- Sense of refused commands ----------------------------------------------------------------

// INVALID COMMAND OPERATION CODE.
Sense InvalidOpcode();
// INVALID FIELD IN CDB; `bit` is the field's most significant one where it is not a whole byte.
Sense InvalidFieldInCdb(uint16_t byte, std::optional<uint8_t> bit = std::nullopt);

// INVALID FIELD IN PARAMETER LIST: bytes count from the start of what the host sent.
Sense InvalidFieldInList(uint16_t byte, std::optional<uint8_t> bit = std::nullopt);
// PARAMETER LIST LENGTH ERROR.
Sense ListLengthError();

// ---- Commands as bytes ------------------------------------------------------------------------

struct Cdb {
  std::array<uint8_t, 16> bytes{};
  uint8_t length = 0;
  Bytes view() const { return Bytes(bytes).first(length); }
  bool operator==(const Cdb&) const = default;
};

// Flags of block commands. The page-out hint and forced access are meant for READ and WRITE.
struct Caching {
  bool disable_page_out = false;
  bool force_unit_access = false;
};

// The arguments fit their fields; the builders CHECK it.
Cdb TestUnitReady();
Cdb RequestSense(bool descriptor, uint8_t allocation_length);
Cdb Inquiry(bool vital, uint8_t page, uint16_t allocation_length);
Cdb ModeSense6(const cdb::ModeSense& sense);       // not `ten`, not `long_lba`
Cdb ModeSense10(const cdb::ModeSense& sense);      // `ten`
Cdb ModeSelect6(const cdb::ModeSelect& request);   // not `ten`
Cdb ModeSelect10(const cdb::ModeSelect& request);  // `ten`
Cdb LogSense(const cdb::LogSense& request);
Cdb Reserve6();
Cdb Release6();
Cdb PersistentReserveIn(const cdb::PersistentReserveIn& request);
Cdb PersistentReserveOut(const cdb::PersistentReserveOut& request);
Cdb ReadCapacity10();
Cdb ReadCapacity16(uint32_t allocation_length);
Cdb Read6(uint64_t lba, uint32_t blocks_count);  // 1 to 256 blocks
Cdb Read10(uint64_t lba, uint32_t blocks_count, Caching caching = {});
Cdb Read12(uint64_t lba, uint32_t blocks_count, Caching caching = {});
Cdb Read16(uint64_t lba, uint32_t blocks_count, Caching caching = {});
Cdb Write6(uint64_t lba, uint32_t blocks_count);
Cdb Write10(uint64_t lba, uint32_t blocks_count, Caching caching = {});
Cdb Write12(uint64_t lba, uint32_t blocks_count, Caching caching = {});
Cdb Write16(uint64_t lba, uint32_t blocks_count, Caching caching = {});
Cdb Verify10(uint64_t lba, uint32_t blocks_count, bool compare);
Cdb Verify16(const cdb::Verify& request);
Cdb WriteAndVerify16(const cdb::WriteAndVerify& request);
Cdb CompareAndWrite(const cdb::CompareAndWrite& request);
Cdb OrWrite16(const cdb::OrWrite& request);
Cdb WriteAtomic16(const cdb::WriteAtomic& request);  // at most 65535 blocks
Cdb WriteSame10(const cdb::WriteSame& request);      // not `no_data`
Cdb WriteSame16(const cdb::WriteSame& request);
Cdb Unmap(const cdb::Unmap& request);
Cdb GetLbaStatus(const cdb::GetLbaStatus& request);
Cdb PreFetch16(const cdb::PreFetch& request);
Cdb SynchronizeCache10(uint64_t lba, uint32_t blocks_count, bool immediate = false);
Cdb SynchronizeCache16(uint64_t lba, uint32_t blocks_count, bool immediate = false);
Cdb ReadDefectData(const cdb::ReadDefectData& request);
Cdb ReadBuffer(const cdb::ReadBuffer& request);
Cdb WriteBuffer(const cdb::WriteBuffer& request);
Cdb ReportOpcodes(const cdb::ReportOpcodes& request);
Cdb ReportTaskFunctions(const cdb::ReportTaskFunctions& request);
Cdb ReportLuns(uint8_t select, uint32_t allocation_length);
Cdb StartStopUnit(const cdb::StartStopUnit& request);
Cdb PreventAllowMediumRemoval(bool prevent);
Cdb FormatUnit(const cdb::FormatUnit& request);
Cdb Sanitize(const cdb::Sanitize& request);

}  // namespace usbtwin::scsi
