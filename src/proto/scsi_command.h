// Command descriptor blocks: bytes to meaning and meaning to bytes, in one place for both ends. A
// device parses what a stranger sent and learns either what is meant or the sense data that says
// which byte and bit is wrong; a host builds. What a unit supports beyond that (pages, removable
// media, power conditions) is the unit's business. SPC-4, SBC-3.
//
// Reserved bits are ignored. Bits that would change the meaning of a command (protection fields,
// NACA, service actions) are refused, because ignoring them would do something else than asked.
#pragma once

#include <array>
#include <optional>
#include <variant>

#include "base/bytes.h"
#include "base/error.h"
#include "proto/sense.h"
#include "wire/scsi.h"

namespace usbtwin::scsi {

// ---- What commands mean -----------------------------------------------------------------------
namespace cdb {

struct TestUnitReady {
  bool operator==(const TestUnitReady&) const = default;
};
struct RequestSense {
  bool descriptor = false;  // DESC: descriptor format wanted
  uint8_t allocation_length = 0;
  bool operator==(const RequestSense&) const = default;
};
struct Inquiry {
  bool vital = false;  // EVPD: a VPD page wanted
  uint8_t page = 0;
  uint16_t allocation_length = 0;
  bool operator==(const Inquiry&) const = default;
};
enum class PageControl : uint8_t { kCurrent, kChangeable, kDefault, kSaved };
struct ModeSense {
  bool ten = false;                        // MODE SENSE(10): the longer header
  bool long_lba = false;                   // LLBAA: the longer block descriptor is allowed
  bool disable_block_descriptors = false;  // DBD
  PageControl control = PageControl::kCurrent;
  uint8_t page = 0;
  uint8_t subpage = 0;
  uint16_t allocation_length = 0;
  bool operator==(const ModeSense&) const = default;
};
struct ReadCapacity10 {
  bool operator==(const ReadCapacity10&) const = default;
};
struct ReadCapacity16 {
  uint32_t allocation_length = 0;
  bool operator==(const ReadCapacity16&) const = default;
};
// Blocks of the commands below, as many bytes as the CDB had room for.
struct Range {
  uint64_t lba = 0;
  uint32_t blocks_count = 0;
  uint8_t length_byte = 7;  // where the length stands in the CDB, for the field pointer
  bool operator==(const Range& other) const {
    return lba == other.lba && blocks_count == other.blocks_count;
  }
};
struct Read {
  Range range;
  bool disable_page_out = false;   // DPO: a hint about caching
  bool force_unit_access = false;  // FUA
  bool operator==(const Read&) const = default;
};
struct Write {
  Range range;
  bool disable_page_out = false;
  bool force_unit_access = false;
  bool operator==(const Write&) const = default;
};
struct Verify {
  Range range;
  bool compare = false;  // BYTCHK 01b: the host sends what should be there
  bool operator==(const Verify&) const = default;
};
struct SynchronizeCache {
  Range range;  // no blocks: to the end of the medium
  bool immediate = false;
  bool operator==(const SynchronizeCache&) const = default;
};
struct ReportLuns {
  uint8_t select = 0;  // SELECT REPORT
  uint32_t allocation_length = 0;
  bool operator==(const ReportLuns&) const = default;
};
struct StartStopUnit {
  bool immediate = false;
  uint8_t power_condition = 0;
  bool no_flush = false;
  bool load_eject = false;  // LOEJ
  bool start = false;
  bool operator==(const StartStopUnit&) const = default;
};
struct PreventAllowMediumRemoval {
  bool prevent = false;
  bool operator==(const PreventAllowMediumRemoval&) const = default;
};

}  // namespace cdb

using Meaning = std::variant<cdb::TestUnitReady, cdb::RequestSense, cdb::Inquiry, cdb::ModeSense,
                             cdb::ReadCapacity10, cdb::ReadCapacity16, cdb::Read, cdb::Write,
                             cdb::Verify, cdb::SynchronizeCache, cdb::ReportLuns,
                             cdb::StartStopUnit, cdb::PreventAllowMediumRemoval>;

// The meaning, or the sense data of the Illegal Request: 20h/00h for an operation code that is not
// known, 24h/00h with a field pointer for everything else. Bytes behind the CDB are ignored.
Result<Meaning, Sense> ParseCdb(Bytes cdb);

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
Cdb ModeSense6(const cdb::ModeSense& sense);   // not `ten`, not `long_lba`
Cdb ModeSense10(const cdb::ModeSense& sense);  // `ten`
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
Cdb Verify16(uint64_t lba, uint32_t blocks_count, bool compare);
Cdb SynchronizeCache10(uint64_t lba, uint32_t blocks_count, bool immediate = false);
Cdb SynchronizeCache16(uint64_t lba, uint32_t blocks_count, bool immediate = false);
Cdb ReportLuns(uint8_t select, uint32_t allocation_length);
Cdb StartStopUnit(const cdb::StartStopUnit& request);
Cdb PreventAllowMediumRemoval(bool prevent);

}  // namespace usbtwin::scsi
