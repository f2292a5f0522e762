// Sense data: the only builder and reader of it. SPC-4, 4.5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"

namespace usbtwin::scsi {

// SPC-4, table 43.
enum class SenseKey : uint8_t {
  kNoSense = 0x0,
  kRecoveredError = 0x1,
  kNotReady = 0x2,
  kMediumError = 0x3,
  kHardwareError = 0x4,
  kIllegalRequest = 0x5,
  kUnitAttention = 0x6,
  kDataProtect = 0x7,
  kBlankCheck = 0x8,
  kVendorSpecific = 0x9,
  kCopyAborted = 0xa,
  kAbortedCommand = 0xb,
  kReserved = 0xc,
  kVolumeOverflow = 0xd,
  kMiscompare = 0xe,
  kCompleted = 0xf,
};
const char* Name(SenseKey key);  // "Illegal Request"

// Which byte and bit of the command block or parameter list is wrong. SPC-4, 4.5.2.4.2.
struct FieldPointer {
  bool in_command = true;  // C/D: in the command block, not in the parameter list
  bool bit_valid = false;  // BPV
  uint8_t bit = 0;         // the field's most significant bit
  uint16_t byte = 0;
  bool operator==(const FieldPointer&) const = default;
};

// The meaning of sense data. Trivially copyable.
struct Sense {
  SenseKey key = SenseKey::kNoSense;
  uint8_t asc = 0;                 // additional sense code
  uint8_t ascq = 0;                // additional sense code qualifier
  bool deferred = false;           // about an earlier command
  bool information_valid = false;  // VALID
  uint64_t information = 0;        // for a disk: the first LBA in error
  bool field_valid = false;        // SKSV, for Illegal Request
  FieldPointer field;
  bool progress_valid = false;  // SKSV, for No Sense and Not Ready
  uint16_t progress = 0;        // of 65536: how far something is that goes on
  bool operator==(const Sense&) const = default;
};

// Why the sense of a failed command could not be had: what the REQUEST SENSE for it met.
struct SenseFailure {
  bool refused = false;  // by the device, in a conversation without fault; the rest does not count
  ErrorKind kind = ErrorKind::kProtocol;
  Phase phase = Phase::kNone;

  std::string Describe() const;  // "REQUEST SENSE: stalled in command"
  bool operator==(const SenseFailure&) const = default;
};

inline constexpr uint32_t kFixedSenseLength = 18;
inline constexpr uint32_t kDescriptorSenseLengthMax = 8 + 12 + 8;

// Writes fixed format (response code 70h or 71h), 18 bytes. An information value that does not fit
// into 32 bits is left out, as SPC-4, 4.5.3 demands. `target` holds kFixedSenseLength bytes.
uint32_t EmitFixedSense(const Sense& sense, MutableBytes target);
// Writes descriptor format (72h or 73h) and returns its length, at most kDescriptorSenseLengthMax.
uint32_t EmitDescriptorSense(const Sense& sense, MutableBytes target);
// Reads either format; nullopt where the response code is another or the bytes are too few for key,
// ASC and ASCQ. Fields the bytes are too short for are left at their defaults.
std::optional<Sense> ParseSense(Bytes bytes);

}  // namespace usbtwin::scsi
